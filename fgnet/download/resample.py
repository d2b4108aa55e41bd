"""A layer at another voxel size: grey values by linear interpolation, ids by nearest voxel."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fgnet.download.layers import Layer, Slices
from fgnet.volume import Array, Triple

Weights = npt.NDArray[np.float64]
ROWS = 64  # that are interpolated at a time
VOXELS = 1 << 25  # of the source at a time: a quarter GB as the floats that they become


def resampled(layer: Layer, size: Triple, wanted: Triple, smooth: bool) -> Layer:
    """A layer of voxel size ``size`` (nm; z, y, x) read as one of the voxel size ``wanted``.

    A box gives what the whole volume would give there: it is computed from those voxels alone
    that it needs. Where the image shrinks, the interpolation is widened so that nothing aliases
    (the triangle filter that Pillow's ``resize`` has too).

    Args:
        smooth: interpolate (grey values); otherwise take the nearest voxel (ids).
    """
    factors = [new / old for new, old in zip(wanted, size, strict=True)]
    z, y, x = (
        max(round(length / factor), 1) for length, factor in zip(layer.shape, factors, strict=True)
    )
    dtype = np.dtype(np.float32) if smooth and layer.dtype.kind == "f" else layer.dtype

    def source(box: Slices) -> Slices:
        low_high = [
            needed(cut.start, cut.stop, factor, length, smooth)
            for cut, factor, length in zip(box, factors, layer.shape, strict=True)
        ]
        z, y, x = (slice(low, high) for low, high in low_high)
        return z, y, x

    def read(box: Slices) -> Array:
        inner = source(box)
        # where the volume shrinks much, a block of it is made of many times its voxels
        if np.prod([cut.stop - cut.start for cut in inner]) > VOXELS:
            axis = next((axis for axis, cut in enumerate(box) if cut.stop - cut.start > 1), None)
            if axis is not None:
                return np.concatenate([read(half) for half in halves(box, axis)], axis)
        block = layer.read(inner)
        for axis, (cut, factor, length) in enumerate(zip(box, factors, layer.shape, strict=True)):
            low = inner[axis].start
            if factor == 1:
                continue
            if smooth:
                block = interpolated(block, axis, cut, low, factor, length)
            else:
                block = block.take(nearest(cut.start, cut.stop, factor, length) - low, axis)
        if smooth and dtype.kind in "ui":
            block = np.rint(block)  # weights sum to 1, so it stays within the values it came from
        return block.astype(dtype, copy=False)

    def prepare(box: Slices) -> tuple[Path, ...]:
        return layer.prepare(source(box))

    return replace(layer, shape=(z, y, x), dtype=dtype, read=read, prepare=prepare,
                   voxel_size=wanted)  # fmt: skip


def halves(box: Slices, axis: int) -> list[Slices]:
    """A box cut in two across an axis."""
    middle = (box[axis].start + box[axis].stop) // 2
    first, second = list(box), list(box)
    first[axis] = slice(box[axis].start, middle)
    second[axis] = slice(middle, box[axis].stop)
    return [(first[0], first[1], first[2]), (second[0], second[1], second[2])]


def centres(start: int, stop: int, factor: float) -> Weights:
    """Where the new voxels of a range lie among the old ones, whose first lies at 0."""
    return np.asarray((np.arange(start, stop) + 0.5) * factor - 0.5, np.float64)


def nearest(start: int, stop: int, factor: float, length: int) -> npt.NDArray[np.int64]:
    """The old voxel in which the centre of each new one lies."""
    places: npt.NDArray[np.int64]
    places = np.floor((np.arange(start, stop) + 0.5) * factor).astype(np.int64)
    return np.minimum(places, length - 1)


def needed(start: int, stop: int, factor: float, length: int, smooth: bool) -> tuple[int, int]:
    """First and last + 1 of the old voxels that a range of new ones is made of."""
    if factor == 1:
        return start, stop
    if not smooth:
        places = nearest(start, stop, factor, length)
        return int(places[0]), int(places[-1]) + 1
    reach = max(factor, 1.0)
    low, high = centres(start, stop, factor)[[0, -1]]
    return max(int(np.floor(low - reach)), 0), min(int(np.ceil(high + reach)) + 1, length)


def interpolated(
    block: Array, axis: int, cut: slice, low: int, factor: float, length: int
) -> Array:
    """The new voxels of a range along one axis, from old ones that begin at ``low``.

    In rows of a few: each is made of the old voxels near it, and a table of all would be zeros.
    """
    made = []
    for start in range(cut.start, cut.stop, ROWS):
        stop = min(start + ROWS, cut.stop)
        first, last = needed(start, stop, factor, length, True)
        table = weights(start, stop, factor, length)[:, first:last]
        near = block.take(range(first - low, last - low), axis)
        made.append(np.moveaxis(np.tensordot(table, near, (1, axis)), 0, axis))
    return np.concatenate(made, axis)


def weights(start: int, stop: int, factor: float, length: int) -> Weights:
    """Weight of each old voxel in each new one of a range: (new, old), rows that sum to 1."""
    distance = np.abs(np.arange(length) - centres(start, stop, factor)[:, None])
    table: Weights = np.maximum(1 - distance / max(factor, 1.0), 0)
    table /= table.sum(axis=1, keepdims=True)
    return table
