"""Opening an array of a Zarr (2 or 3) or N5 container, on disk or over a network.

tensorstore reads all three with one interface, from files, http(s), gs and s3.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore

from fgnet.download.formats.hdf5 import default, recorded
from fgnet.download.formats.pyramids import Scale, attributes_in_nm, axes_of, chosen, scales_of
from fgnet.download.layers import CREMI, Layer, Role, Unreadable, guessed, oriented
from fgnet.errors import InputError
from fgnet.settings.sources import Source
from fgnet.volume import Array, Triple

KEPT_BYTES = 1 << 28
METADATA = ("zarr.json", ".zarray", "attributes.json")
Json = dict[str, Any]


@dataclass(frozen=True)
class Node:
    """An array or group of a container: where it lies, who reads it, what it says of itself."""

    address: str
    driver: str
    is_array: bool
    attributes: Json

    def scales(self) -> list[Scale]:
        """The scales of a pyramid, finest first; none for another group or an array."""
        if self.is_array:
            return []
        return scales_of(self.attributes, lambda name: described(f"{self.address}{name}/"))


@contextmanager
def open_container(source: Source, role: Role, size: Triple | None) -> Iterator[Layer]:
    """Open one array: the one named, CREMI's, or a scale of an OME-Zarr or N5 pyramid.

    Args:
        size: the image's voxel size in nm, by which the scale of a pyramid is chosen for
            another layer where `mip` is null.

    Raises:
        InputError: there is no container or no such array, or its metadata cannot be used.
    """
    try:
        node = find(address(source), source, role)
        scales = node.scales()
        scale = chosen([one.voxel_size for one in scales], source, size) if scales else None
        place = node.address if scale is None else f"{node.address}{scales[scale].name}/"
        store = opened(place, node.driver)
    except (ValueError, OSError, KeyError, TypeError, NotImplementedError) as error:
        raise InputError(
            f"{source.path!r} cannot be read as Zarr or N5 ({plain(error)}); check the path"
        ) from error
    where = place.removeprefix("file://").rstrip("/")
    order = "xyz" if node.driver == "n5" else "zyx"
    axes = source.axes or axes_of(node.attributes) or guessed(store.shape, where, order)
    layer = oriented(where, store.shape, store.dtype.numpy_dtype, axes, reader(place, node.driver))
    if scale is None:
        layer = recorded(layer, attributes_in_nm(node.attributes, order))
    else:
        layer = replace(layer, voxel_size=scales[scale].voxel_size, offset=scales[scale].offset)
    if not place.startswith("file://"):
        grid = store.chunk_layout.read_chunk.shape
        z, y, x = (int(grid[axes.index(axis)]) for axis in "zyx")
        layer = replace(layer, remote=where, chunks=(z, y, x))
    else:
        named = (Path(where) / name for name in METADATA)
        layer = replace(layer, files=tuple(path for path in named if path.is_file()))
    yield layer


def address(source: Source) -> str:
    """A path or address as tensorstore's, with a slash at its end."""
    scheme, colon, rest = source.path.partition("://")
    if not colon:
        return f"file://{Path(source.path).absolute()}/"
    bucket, _, inner = rest.rstrip("/").partition("/")
    if source.public and scheme == "gs":
        return f"https://storage.googleapis.com/{bucket}/{inner}/"
    if source.public and scheme == "s3":
        return f"https://{bucket}.s3.amazonaws.com/{inner}/"
    return f"{scheme}://{rest.rstrip('/')}/"


def find(root: str, source: Source, role: Role) -> Node:
    """The array or pyramid that is meant."""
    if source.dataset is not None:
        named = described(f"{root}{source.dataset.strip('/')}/")
        if named is None:
            raise InputError(
                f"{source.path!r} has no array {source.dataset!r}"
                + (f", it holds {', '.join(found)}" if (found := arrays(root)) else "")
                + "; check `dataset`"
            )
        return named
    top = described(root)
    if top is None:
        raise InputError(
            f"{source.path!r} is no Zarr or N5 container: it has none of zarr.json, .zarray, "
            ".zgroup and attributes.json; check the path"
        )
    if top.is_array or top.scales():
        return top
    inner = described(f"{root}{CREMI[role]}/")
    if inner is None:
        inner = described(f"{root}{default(arrays(root), role, source.path)}/")
        assert inner is not None  # it was listed
    return inner


def described(place: str) -> Node | None:
    """The node at an address, or None where there is none."""
    if (three := fetched(place, "zarr.json")) is not None:
        return Node(place, "zarr3", three["node_type"] == "array", three.get("attributes", {}))
    array = fetched(place, ".zarray") is not None
    if array or fetched(place, ".zgroup") is not None:
        return Node(place, "zarr", array, fetched(place, ".zattrs") or {})
    if (n5 := fetched(place, "attributes.json")) is not None:
        return Node(place, "n5", "dimensions" in n5, n5)
    return None


def fetched(place: str, name: str) -> Json | None:
    """A JSON file of a container, or None where there is none."""
    found = tensorstore.KvStore.open(place).result().read(name).result()
    if found.state != "value":
        return None
    values: Json = json.loads(found.value)
    return values


def arrays(root: str) -> list[str]:
    """Names of the arrays in a container, where its store can be listed."""
    try:
        keys = tensorstore.KvStore.open(root).result().list().result()
    except (ValueError, NotImplementedError):
        return []
    ends = ("/zarr.json", "/.zarray", "/attributes.json")
    names = {key.decode().rpartition("/")[0] for key in keys if key.decode().endswith(ends)}
    nodes = {name: described(f"{root}{name}/") for name in names}
    return sorted(name for name, node in nodes.items() if node is not None and node.is_array)


def opened(place: str, driver: str) -> Any:
    """The array at an address, for reading."""
    spec = {
        "driver": driver,
        "kvstore": place,
        "context": {"cache_pool": {"total_bytes_limit": KEPT_BYTES}},
    }
    return tensorstore.open(spec, open=True, read=True).result()


def reader(place: str, driver: str) -> Callable[[tuple[slice, ...]], Array]:
    """Reads boxes of an array.

    A remote one is opened anew for each box, which is a large one: a store shares a request that
    stalled with whoever asks again.
    """
    local = opened(place, driver) if place.startswith("file://") else None

    def read(box: tuple[slice, ...]) -> Array:
        store = opened(place, driver) if local is None else local
        try:
            return np.asarray(store[box].read().result())
        except (ValueError, OSError) as error:
            where = place.removeprefix("file://").rstrip("/")
            raise Unreadable(
                f"{where}: a chunk cannot be read ({plain(error)}); get it anew"
            ) from error

    return read


def plain(error: Exception) -> str:
    """The first line of an error, without tensorstore's account of where it came from."""
    return str(error).split(" [source locations=")[0].split("\n")[0][:300]
