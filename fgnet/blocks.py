"""Cutting a volume: shards of near equal size, overlapping crops, the weight of a crop's voxels."""

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Shape = tuple[int, ...]
Bounds = tuple[tuple[int, int], ...]


def shard(shape: Shape, count: int, index: int) -> Bounds:
    """Bounds of box ``index`` (from 0) when a volume of this shape is cut into ``count`` boxes.

    The longest axis is cut in two, in proportion to the boxes on either side, and so on; the boxes
    tile the volume exactly. One may be empty when there are too many for the volume.
    """
    bounds = [(0, size) for size in shape]
    while count > 1:
        axis = max(range(len(bounds)), key=lambda a: bounds[a][1] - bounds[a][0])
        start, stop = bounds[axis]
        first = count // 2
        cut = start + (2 * (stop - start) * first + count) // (2 * count)
        if index < first:
            bounds[axis], count = (start, cut), first
        else:
            bounds[axis], count, index = (cut, stop), count - first, index - first
    return tuple(bounds)


def tiles(shape: Sequence[int], tile: Sequence[int]) -> list[tuple[slice, ...]]:
    """Boxes of at most ``tile`` voxels that cover a volume once, the first axis outermost."""
    cuts = [
        [slice(start, min(start + step, size)) for start in range(0, size, step)]
        for size, step in zip(shape, tile, strict=True)
    ]
    return list(itertools.product(*cuts))


def origins(size: int, crop: int, stride: int) -> list[int]:
    """Where crops start along one axis: a grid from 0, the last one pushed back inside."""
    last = max(size - crop, 0)
    return [*range(0, last, stride), last]


def blend_weight(crop: Sequence[int], sigma: float = 0.2) -> npt.NDArray[np.float32]:
    """Weight of each voxel of a crop when overlapping crops are averaged; highest in the middle.

    1e-6 + exp(-d^2 / (2 sigma^2)) of the normalised distance d from the centre, as in
    weih527/SuperHuman; the distance is taken per axis and multiplied, so that a thin crop keeps
    weight at its faces.
    """
    weight = np.ones((1,) * len(crop))
    for axis, size in enumerate(crop):
        distance = np.abs((np.arange(size) + 0.5) / size - 0.5)
        profile = 1e-6 + np.exp(-(distance**2) / (2 * sigma**2))
        weight = weight * profile.reshape([-1 if a == axis else 1 for a in range(len(crop))])
    return weight.astype(np.float32)
