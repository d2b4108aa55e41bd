"""A layer at another voxel size: grey values by linear interpolation, ids by nearest voxel."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fgnet.download.layers import Layer, Slices
from fgnet.volume import Array, Triple

Weights = npt.NDArray[np.float64]


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
        block = layer.read(inner)
        for axis, (cut, factor, length) in enumerate(zip(box, factors, layer.shape, strict=True)):
            low, high = inner[axis].start, inner[axis].stop
            if smooth:
                table = weights(cut.start, cut.stop, factor, length)[:, low:high]
                block = np.moveaxis(np.tensordot(table, block, (1, axis)), 0, axis)
            else:
                block = block.take(nearest(cut.start, cut.stop, factor, length) - low, axis)
        if smooth and dtype.kind in "ui":
            block = np.rint(block)  # weights sum to 1, so it stays within the values it came from
        return block.astype(dtype, copy=False)

    def prepare(box: Slices) -> tuple[Path, ...]:
        return layer.prepare(source(box))

    return replace(layer, shape=(z, y, x), dtype=dtype, read=read, prepare=prepare,
                   voxel_size=wanted)  # fmt: skip


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
    if not smooth:
        places = nearest(start, stop, factor, length)
        return int(places[0]), int(places[-1]) + 1
    reach = max(factor, 1.0)
    low, high = centres(start, stop, factor)[[0, -1]]
    return max(int(np.floor(low - reach)), 0), min(int(np.ceil(high + reach)) + 1, length)


def weights(start: int, stop: int, factor: float, length: int) -> Weights:
    """Weight of each old voxel in each new one of a range: (new, old), rows that sum to 1."""
    distance = np.abs(np.arange(length) - centres(start, stop, factor)[:, None])
    table: Weights = np.maximum(1 - distance / max(factor, 1.0), 0)
    table /= table.sum(axis=1, keepdims=True)
    return table
