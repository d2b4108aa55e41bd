"""Reading the skeletons of a Neuroglancer precomputed layer, which cloud-volume decodes."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fgnet.download.cache import Cache
from fgnet.download.pieces import tried
from fgnet.download.trees import Tree
from fgnet.errors import InputError

UNIT = (1.0, 1.0, 1.0)  # places in a precomputed layer are in nm
AT_ONCE = 256  # neurons that are fetched between two tries


def read_precomputed(path: str, ids: tuple[int, ...], public: bool, cache: Cache) -> list[Tree]:
    """The skeletons of a layer of them, or of a segmentation that has some.

    Args:
        ids: the neurons to take; none: all that can be listed.

    Raises:
        InputError: there is no such layer, its files cannot be listed or read, or a neuron is
            not among them.
    """
    place = path if "://" in path else f"file://{Path(path).absolute()}"
    if public and place.startswith(("gs://", "s3://")):
        from cloudfiles.paths import to_https_protocol

        place = to_https_protocol(place)
    layer = tried(path, partial(_opened, path, place), cache)
    wanted = sorted({*ids}) or tried(path, partial(_listed, path, layer), cache)
    if not wanted:
        raise InputError(f"{path!r} holds no skeletons that can be listed; name them with `ids`")
    trees: list[Tree] = []
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        trees += tried(path, partial(_read, path, layer, some), cache)
    return trees


def _opened(path: str, place: str) -> Any:
    from cloudfiles import CloudFiles
    from cloudvolume.datasource.precomputed.skeleton import PrecomputedSkeletonSource

    info = _info(path, CloudFiles(place))
    if info.get("@type") != "neuroglancer_skeletons":
        if not info.get("skeletons"):
            raise InputError(
                f"{path!r} is a layer of the type {info.get('@type', info.get('type'))!r} without "
                "skeletons; give the path of the layer that has them"
            )
        place = f"{place.rstrip('/')}/{info['skeletons']}"
        _info(f"{path}/{info['skeletons']}", CloudFiles(place))
    return PrecomputedSkeletonSource.from_cloudpath(place.rstrip("/"))


def _info(path: str, files: Any) -> dict[str, Any]:
    try:
        info = files.get_json("info")
    except NotADirectoryError:  # the path of a file
        info = None
    except json.JSONDecodeError as error:
        raise InputError(f"{path!r} has an info file that is no JSON ({error}); mend it") from error
    if not isinstance(info, dict):
        raise InputError(
            f"{path!r} has no info file, so it is no precomputed layer; check the path"
        )
    return info


def _listed(path: str, layer: Any) -> list[int]:
    from cloudfiles import CloudFiles

    meta = layer.meta
    try:
        names = [name.removesuffix(".gz") for name in CloudFiles(meta.layerpath).list()]
    except (NotImplementedError, ValueError) as error:
        raise InputError(
            f"the files at {path!r} cannot be listed; name the neurons to take with `ids`"
        ) from error
    if meta.is_sharded():
        shards = [f"{meta.skeleton_path}/{name}" for name in names if name.endswith(".shard")]
        return sorted(int(one) for shard in shards for one in layer.reader.list_labels(shard))
    return sorted(int(name) for name in names if name.isdecimal())


def _read(path: str, layer: Any, ids: list[int]) -> list[Tree]:
    from cloudvolume import exceptions

    try:
        found = layer.get(ids)
    except (exceptions.SkeletonDecodeError, exceptions.EmptyFileException) as error:
        raise InputError(
            f"{path!r}: a skeleton is missing or cannot be read ({error}); correct `ids` or get "
            "it anew"
        ) from error
    return [
        Tree(
            str(one.id), int(one.id), np.asarray(one.vertices, np.float64)[:, ::-1],
            np.asarray(one.edges, np.int64), UNIT,
        )
        for one in sorted(found, key=lambda one: int(one.id))  # they come in any order
    ]  # fmt: skip
