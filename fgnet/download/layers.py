"""What a source looks like once opened: arrays to be read box by box."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fgnet.errors import InputError
from fgnet.volume import Array, Triple

Shape = tuple[int, int, int]
Slices = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Layer:
    """An image or label volume (z, y, x) that is read by boxes."""

    name: str
    shape: Shape
    dtype: npt.DTypeLike
    read: Callable[[Slices], Array]


@dataclass(frozen=True)
class Layers:
    """An opened source: raw and labels of one shape.

    Attributes:
        voxel_size: nm along z, y, x as the source records it, or None.
        offset: of the first voxel, in nm along z, y, x.
        first: the coordinate that a crop calls the first voxel.
        files: the local files that were read, for the record.
    """

    raw: Layer
    labels: Layer | None
    voxel_size: Triple | None = None
    offset: Triple = (0.0, 0.0, 0.0)
    first: Shape = (0, 0, 0)
    files: tuple[Path, ...] = ()


def part(layer: Layer, start: Shape, shape: Shape) -> Layer:
    """The box of a layer that begins at ``start``."""

    def read(box: Slices) -> Array:
        z, y, x = (
            slice(cut.start + low, cut.stop + low) for cut, low in zip(box, start, strict=True)
        )
        return layer.read((z, y, x))

    return Layer(layer.name, shape, layer.dtype, read)


def id_type(dtype: npt.DTypeLike) -> np.dtype[np.unsignedinteger]:
    """uint32 where every id of the dtype fits, else uint64."""
    return np.dtype(np.uint32 if np.can_cast(_unsigned(dtype), np.uint32) else np.uint64)


def _unsigned(dtype: npt.DTypeLike) -> np.dtype[np.generic]:
    dtype = np.dtype(dtype)
    return np.dtype(f"u{dtype.itemsize}") if dtype.kind == "i" else dtype


def as_ids(block: Array, dtype: npt.DTypeLike, name: str) -> Array:
    """Label ids as unsigned integers, values kept. Raises InputError for a negative one."""
    if block.dtype.kind == "i" and block.min() < 0:
        raise InputError(
            f"{name}: holds the negative label {block.min()}, ids start at 0 (no label); "
            "renumber the labels"
        )
    return block.astype(dtype, copy=False)


def as_uint8(block: Array, name: str) -> Array:
    """Grey values as uint8 where that loses nothing, else InputError."""
    if block.dtype == np.uint8:
        return block
    low, high = block.min(), block.max()
    if not (low >= 0 and high <= 255 and np.array_equal(block, np.floor(block))):
        raise InputError(
            f"{name}: holds {block.dtype} with values from {low} to {high}, needs whole numbers "
            "from 0 to 255; convert it to 8 bits first"
        )
    return block.astype(np.uint8)
