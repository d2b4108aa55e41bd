"""Skeletons given with a volume: read from their files, put into its world, cut to its box."""

import hashlib
import logging
import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from fgnet import skeletons, volume
from fgnet.checksum import sha256
from fgnet.download.cache import Cache, remote
from fgnet.download.formats.images import natural, shown
from fgnet.download.formats.lines import read_precomputed
from fgnet.download.formats.nml import read_nml
from fgnet.download.formats.swc import read_swc
from fgnet.download.trees import Tree
from fgnet.errors import InputError
from fgnet.settings.locations import RANGE, numbered
from fgnet.settings.sources import SkeletonSource
from fgnet.skeletons import Skeletons
from fgnet.volume import Triple

LOG = logging.getLogger(__name__)
ENDINGS = (".swc", ".nml")
NANOMETRES = {"nm": (1.0, 1.0, 1.0), "um": (1000.0, 1000.0, 1000.0)}


def store(source: SkeletonSource, image: Path, output: Path, settings: Any, cache: Cache) -> None:
    """Write the skeletons of a volume.

    Args:
        image: the downloaded volume.
        output: see :mod:`fgnet.skeletons`.
        settings: what goes into the file as what made it.

    Raises:
        InputError: as :func:`given`.
    """
    trees, record, paths = read(source, cache)
    with volume.opened(image) as file:
        found = given(source, trees, record, volume.dataset(file, volume.RAW))
    with volume.create(output, "download", settings, [image, *dict.fromkeys(paths)]) as file:
        skeletons.write(file, found)


def given(
    source: SkeletonSource, trees: list[Tree], record: dict[str, Any], raw: h5py.Dataset
) -> Skeletons:
    """The skeletons of a volume, those parts alone that lie in it.

    Args:
        trees, record: see :func:`read`.
        raw: the image as it was downloaded, which knows its source's voxels.

    Raises:
        InputError: a file is missing or none of its format, its unit is not known, or no node
            lies in the volume.
    """
    voxels = tuple(raw.attrs["source_resolution"]), tuple(raw.attrs["source_offset"])
    size, offset = volume.voxel_size(raw), volume.offset(raw)
    ids = numbers(trees)
    names = {str(own): tree.name for own, tree in zip(ids, trees, strict=True)}
    record["names"] = {own: name for own, name in names.items() if own != name}
    found = skeletons.gathered(
        [
            (own, placed(tree, source, *voxels), tree.edges)
            for own, tree in zip(ids, trees, strict=True)
        ],
        record,
    )
    cut = skeletons.within(found, size, offset, raw.shape)
    if len(found.nodes) == 0:
        raise InputError(f"skeletons: {words(source)} holds no node; leave it out, or name another")
    if len(cut.nodes) == 0:
        last = np.multiply(raw.shape, size) + offset
        raise InputError(
            f"skeletons: {words(source)} lies at z, y, x "
            f"{extent(found.nodes.min(axis=0), found.nodes.max(axis=0))} nm, and the volume at "
            f"{extent(offset, last)} nm; correct `unit` or `offset` of the skeletons, or "
            "move the crop"
        )
    lost = len(found.nodes) - len(cut.nodes)
    LOG.info(
        "skeletons: %d nodes of %d neurons, %.0f um; %d nodes lie outside of the volume",
        len(cut.nodes), len(np.unique(cut.neurons)), cut.lengths().sum() / 1000, lost,
    )  # fmt: skip
    return cut


def read(source: SkeletonSource, cache: Cache) -> tuple[list[Tree], dict[str, Any], list[Path]]:
    """The trees of all files, the record of where they came from, and the files on this machine."""
    trees: list[Tree] = []
    record: dict[str, Any] = {"from": "given", "settings": source.model_dump(mode="json")}
    if kind(source) == "precomputed":
        assert isinstance(source.path, str)  # see kind
        trees = read_precomputed(source.path, source.ids, source.public, cache)
        record["sha256"] = digest(trees)
        if "://" in source.path and not source.path.startswith("file://"):
            told = ",".join(map(str, sorted({*source.ids})))
            cache.check(f"{source.path}#skeletons={told}", f"sha256:{record['sha256']}")
            return trees, record, []
        return trees, record, [Path(source.path.removeprefix("file://")) / "info"]
    record["files"], paths = {}, []
    places = files(source)
    if source.checksum is not None and len(places) > 1:
        raise InputError(
            f"skeletons: checksum is of one file, and {words(source)} names {len(places)}; "
            "leave it out"
        )
    for place in places:
        path = cache.local(place, source.checksum, source.member)
        with cache.using(place, path):
            # a file from an address or of an archive is kept under another name
            name = unpacked(source.member or place)
            ending = source.format or name.suffix.lower().removeprefix(".")
            if ending not in ("swc", "nml"):
                raise InputError(f"{place!r} does not end in .swc or .nml; give `format`")
            trees += read_nml(path, place) if ending == "nml" else [read_swc(path, place, name)]
        record["files"][place] = sha256(path)
        paths.append(path)
    return trees, record, paths


def kind(source: SkeletonSource) -> str | None:
    """The format, where it is given or the path is that of a layer."""
    path = source.path
    layer = isinstance(path, str) and (
        (Path(path.removeprefix("file://")) / "info").is_file()
        or path.startswith(("gs://", "s3://"))
    )
    found = source.format or ("precomputed" if layer else None)
    if found == "precomputed" and not isinstance(path, str):
        raise InputError("skeletons: path is a list, a precomputed layer is one path")
    if found != "precomputed" and source.ids:
        raise InputError("skeletons: ids are taken of a precomputed layer alone; leave them out")
    return found


def files(source: SkeletonSource) -> list[str]:
    """The files that are meant, in natural order where a folder or pattern names them."""
    found: list[str] = []
    for path in [source.path] if isinstance(source.path, str) else source.path:
        folder = Path(path.removeprefix("file://"))
        if remote(path) or not (folder.is_dir() or "*" in folder.name):
            found += numbered(path) if RANGE.search(path) else [path]
            continue
        if folder.is_dir():
            ending = (f".{source.format}",) if source.format else ENDINGS
            inside = [
                one
                for one in shown(folder.iterdir())
                if unpacked(one.name).suffix.lower() in ending
            ]
        else:
            inside = list(shown(folder.parent.glob(folder.name)))
        if not inside:
            raise InputError(
                f"skeletons: {path!r} names no files (they end in {' or '.join(ENDINGS)}) and is "
                "no precomputed layer; check the path"
            )
        found += map(str, sorted(inside, key=natural))
    return found


def unpacked(name: str) -> Path:
    """The name of a file as it is once it is unpacked: 17.swc of 17.swc.gz and of 17.swc.zip."""
    return Path(re.sub(r"\.(gz|zip)$", "", name, flags=re.IGNORECASE))


def numbers(trees: list[Tree]) -> list[int]:
    """The neuron of each tree: the ids of the files, or 1, 2, … where they are not all distinct.

    What is no id of 64 bits is none.
    """
    own = [tree.neuron for tree in trees if tree.neuron is not None and 0 <= tree.neuron < 2**64]
    return own if len({*own}) == len(trees) else [*range(1, len(trees) + 1)]


def placed(tree: Tree, source: SkeletonSource, voxel: Triple, first: Triple) -> Any:
    """The nodes (n, 3) of a tree in nm in the world of the volume.

    Args:
        voxel: size of the source's voxels, by which `unit: voxels` counts, nm.
        first: where the voxel begins that is called 0, 0, 0, as in a crop; nm.
    """
    unit, zero = source.unit, (0.0, 0.0, 0.0)
    if unit == "voxels":
        scale, zero = voxel, first
    elif isinstance(unit, str):
        scale = NANOMETRES[unit]
    elif unit is not None:
        scale = unit
    elif tree.unit is not None:
        scale = tree.unit
    else:
        raise InputError(
            f"{tree.name!r} does not say its unit of length; give `unit`: nm, um, voxels, or nm "
            "along z, y, x"
        )
    return tree.nodes * scale + zero + source.offset


def digest(trees: list[Tree]) -> str:
    """SHA-256 of what a layer held."""
    found = hashlib.sha256()
    for tree in trees:
        for values in (tree.neuron, tree.nodes, tree.edges):
            found.update(np.ascontiguousarray(values).tobytes())
    return found.hexdigest()


def words(source: SkeletonSource) -> str:
    """The path, or the first of several."""
    if isinstance(source.path, str):
        return repr(source.path)
    return f"{source.path[0]!r} and {len(source.path) - 1} more"


def extent(low: Any, high: Any) -> str:
    """A box in nm in words."""
    return ", ".join(f"{a:g} to {b:g}" for a, b in zip(low, high, strict=True))
