"""Overlapping crops out of a volume, and their predictions blended, in memory of one crop's depth.

The grid of crops is anchored at the volume's origin, so the value of a voxel does not depend on
how the volume was cut into shards.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from fgnet import blocks

Image = npt.NDArray[np.float32]
Grey = npt.NDArray[Any]
Place = tuple[int, int, int]
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

    shape: Place
    bounds: blocks.Bounds
    crop: Place
    origins: tuple[list[int], ...]

    @classmethod
    def make(cls, shape: Place, bounds: blocks.Bounds, crop: Place, overlap: float) -> "Plan":
        """The crops of the volume's grid that meet the bounds."""
        origins = []
        for size, (start, stop), length in zip(shape, bounds, crop, strict=True):
            stride = max(1, round(length * (1 - overlap)))
            grid = blocks.origins(size, length, stride)
            origins.append([o for o in grid if o < stop and o + length > start])
        return cls(shape, bounds, crop, tuple(origins))

    @property
    def tiles(self) -> int:
        """Crops of one row, those that start in one section."""
        return len(self.origins[1]) * len(self.origins[2])

    @property
    def count(self) -> int:
        """All crops."""
        return len(self.origins[0]) * self.tiles


@dataclass(frozen=True)
class Crop:
    """A crop of the volume.

    Attributes:
        origin: its first voxel (z, y, x) in the volume.
        image: (z, y, x) of the volume's dtype; None where one grey value is everywhere, as in the
            padding around tissue: there is nothing to see in it.
    """

    origin: Place
    image: Grey | None


@dataclass(frozen=True)
class Prediction:
    """What a network made of a crop: (channels, z, y, x), or None for zeros."""

    origin: Place
    values: Image | None


def crops(plan: Plan, read: Callable[[Slices], Grey]) -> Iterator[Crop]:
    """The crops of a plan, row after row along z; every section is read once.

    Where the volume ends before a crop does the crop is reflected.

    Args:
        read: gives a box of the volume (z, y, x).
    """
    firsts = tuple(starts[0] for starts in plan.origins)
    stops = [
        min(starts[-1] + length, size)
        for starts, length, size in zip(plan.origins, plan.crop, plan.shape, strict=True)
    ]
    plane = (slice(firsts[1], stops[1]), slice(firsts[2], stops[2]))
    slab = read((slice(firsts[0], firsts[0]), *plane))  # the sections of a row of crops
    top = bottom = firsts[0]
    for z in plan.origins[0]:
        end = min(z + plan.crop[0], plan.shape[0])
        fresh = read((slice(bottom, end), *plane))
        slab, top, bottom = np.concatenate([slab[z - top :], fresh]), z, end
        for y, x in product(*plan.origins[1:]):
            rows = slice(y - firsts[1], y - firsts[1] + plan.crop[1])
            columns = slice(x - firsts[2], x - firsts[2] + plan.crop[2])
            image = slab[:, rows, columns]
            if image.min() == image.max():
                yield Crop((z, y, x), None)
                continue
            missing = [(0, c - size) for c, size in zip(plan.crop, image.shape, strict=True)]
            yield Crop((z, y, x), np.pad(image, missing, mode="reflect"))


def blend(
    plan: Plan, predictions: Iterable[Prediction], channels: int
) -> Iterator[tuple[int, Image]]:
    """The weighted mean of a shard's predictions, slab by slab along z.

    A crop without anything to see counts as zeros, with the weight of any other.

    Args:
        predictions: of all crops of the plan, in the order of :func:`crops`.

    Yields:
        (z, slab): the first section in the volume, and (channels, sections, y, x) of the shard.
    """
    weight = blocks.blend_weight(plan.crop)
    depth = plan.crop[0]
    (z_start, z_stop), in_plane = plan.bounds[0], plan.bounds[1:]
    size = tuple(stop - start for start, stop in in_plane)
    total = np.zeros((channels, depth, *size), np.float32)  # sum of weight * prediction
    seen = np.zeros((depth, *size), np.float32)  # sum of weight
    top = plan.origins[0][0]

    def flush(until: int) -> Iterator[tuple[int, Image]]:
        """Hand out the sections before ``until``, which no later crop reaches."""
        first, last = max(top, z_start), min(until, z_stop)
        if first < last:
            rows = slice(first - top, last - top)
            yield first, total[:, rows] / seen[rows]

    for prediction in predictions:
        z = prediction.origin[0]
        if z != top:
            yield from flush(z)
            # the sections handed out leave at the front; empty ones follow at the back
            keep = max(depth - (z - top), 0)
            for sums in (total, seen):
                sums[..., :keep, :, :] = sums[..., depth - keep :, :, :]
                sums[..., keep:, :, :] = 0
            top = z
        mine, theirs = overlap(plan, prediction.origin)
        if prediction.values is not None:
            total[(slice(None), *mine)] += weight[theirs] * prediction.values[:, *theirs]
        seen[mine] += weight[theirs]
    yield from flush(top + depth)


def overlap(plan: Plan, origin: Place) -> tuple[Slices, Slices]:
    """The part that a crop and the shard share: slices of the sums, slices of the crop."""
    mine, theirs = [], []
    for axis, (o, c, s) in enumerate(zip(origin, plan.crop, plan.shape, strict=True)):
        start, stop = plan.bounds[axis] if axis else (o, o + c)
        first, last = max(o, start), min(o + c, stop, s)
        mine.append(slice(first - start, last - start))
        theirs.append(slice(first - o, last - o))
    return (mine[0], mine[1], mine[2]), (theirs[0], theirs[1], theirs[2])
