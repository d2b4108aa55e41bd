"""Overlapping crops through a network, blended, in memory of one crop's depth.

The grid of crops is anchored at the volume's origin, so the value of a voxel does not depend on
how the volume was cut into shards.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from fgnet import blocks
from fgnet.progress import track

Image = npt.NDArray[np.float32]
Crop = tuple[int, int, int]
Slices = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Plan:
    """Which crops a shard needs, and where its own voxels lie.

    Attributes:
        shape: of the volume (z, y, x).
        bounds: of the shard in the volume.
        crop: of the network.
        origins: where crops start along each axis, those that meet the shard.
    """

    shape: Crop
    bounds: blocks.Bounds
    crop: Crop
    origins: tuple[list[int], ...]

    @classmethod
    def make(cls, shape: Crop, bounds: blocks.Bounds, crop: Crop, overlap: float) -> "Plan":
        """The crops of the volume's grid that meet the bounds."""
        origins = []
        for size, (start, stop), length in zip(shape, bounds, crop, strict=True):
            stride = max(1, round(length * (1 - overlap)))
            grid = blocks.origins(size, length, stride)
            origins.append([o for o in grid if o < stop and o + length > start])
        return cls(shape, bounds, crop, tuple(origins))


def stream(
    plan: Plan,
    read: Callable[[Slices], Image],
    predict: Callable[[Image], Image],
    channels: int,
    batch: int,
) -> Iterator[tuple[int, Image]]:
    """Blended predictions of a shard, slab by slab along z.

    Args:
        read: gives a box of the volume (z, y, x).
        predict: maps crops (B, z, y, x) to predictions (B, channels, z, y, x).

    Yields:
        (z, slab): the first section in the volume, and (channels, sections, y, x) of the shard.
    """
    weight = blocks.blend_weight(plan.crop)
    depth = plan.crop[0]
    (z_start, z_stop), in_plane = plan.bounds[0], plan.bounds[1:]
    size = tuple(stop - start for start, stop in in_plane)
    total = np.zeros((channels, depth, *size), np.float32)  # sum of weight * prediction
    seen = np.zeros((depth, *size), np.float32)  # sum of weight
    places = list(product(*plan.origins[1:]))
    jobs = [
        (z, places[i : i + batch]) for z in plan.origins[0] for i in range(0, len(places), batch)
    ]
    top = plan.origins[0][0]

    def flush(until: int) -> Iterator[tuple[int, Image]]:
        """Hand out the sections before ``until``, which no later crop reaches."""
        first, last = max(top, z_start), min(until, z_stop)
        if first < last:
            rows = slice(first - top, last - top)
            yield first, total[:, rows] / seen[rows]

    for z, group in track(jobs, "infer"):
        if z != top:
            yield from flush(z)
            # the sections handed out leave at the front; empty ones follow at the back
            keep = max(depth - (z - top), 0)
            for sums in (total, seen):
                sums[..., :keep, :, :] = sums[..., depth - keep :, :, :]
                sums[..., keep:, :, :] = 0
            top = z
        crops = np.stack([padded(read, (z, y, x), plan) for y, x in group])
        for (y, x), values in zip(group, predict(crops), strict=True):
            mine, theirs = overlap(plan, (z, y, x))
            total[(slice(None), *mine)] += (weight * values)[(slice(None), *theirs)]
            seen[mine] += weight[theirs]
    yield from flush(top + depth)


def padded(read: Callable[[Slices], Image], origin: Crop, plan: Plan) -> Image:
    """A crop of the volume; where the volume ends before the crop does it is reflected."""
    stops = [min(o + c, s) for o, c, s in zip(origin, plan.crop, plan.shape, strict=True)]
    cut = tuple(slice(o, stop) for o, stop in zip(origin, stops, strict=True))
    raw = read((cut[0], cut[1], cut[2]))
    missing = [(0, c - size) for c, size in zip(plan.crop, raw.shape, strict=True)]
    return np.pad(raw, missing, mode="reflect") if any(m for _, m in missing) else raw


def overlap(plan: Plan, origin: Crop) -> tuple[Slices, Slices]:
    """The part that a crop and the shard share: slices of the sums, slices of the crop."""
    mine, theirs = [], []
    for axis, (o, c, s) in enumerate(zip(origin, plan.crop, plan.shape, strict=True)):
        start, stop = plan.bounds[axis] if axis else (o, o + c)
        first, last = max(o, start), min(o + c, stop, s)
        mine.append(slice(first - start, last - start))
        theirs.append(slice(first - o, last - o))
    return (mine[0], mine[1], mine[2]), (theirs[0], theirs[1], theirs[2])
