"""The part of a volume that a job works on: whole blocks of a grid from the volume's origin."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import h5py
import numpy as np

from fgnet import blocks, volume
from fgnet.agglomerate.source import Affinities
from fgnet.errors import InputError
from fgnet.settings.agglomerate import Blocks

Shape = tuple[int, int, int]
Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Job:
    """The blocks of one job.

    Attributes:
        shape: of the volume (z, y, x).
        size: of a block.
        inside: along each axis, the first of the blocks that this job has and the one after the
            last.
    """

    shape: Shape
    size: Shape
    inside: blocks.Bounds

    @classmethod
    def make(cls, shape: Shape, settings: Blocks, job: int = 0, jobs: int = 1) -> "Job":
        """Job number ``job`` (from 0) of ``jobs``. Raises InputError where it has no block."""
        z, y, x = (-(-n // size) for n, size in zip(shape, settings.size, strict=True))
        inside = blocks.shard((z, y, x), jobs, job)
        if any(start == stop for start, stop in inside):
            raise InputError(
                f"agglomerate.shards: {jobs} jobs leave some without a block, as a volume of shape "
                f"{shape} has {z} x {y} x {x} of them; use fewer, or smaller blocks.size"
            )
        return cls(shape, settings.size, inside)

    @property
    def bounds(self) -> blocks.Bounds:
        """The job's box of the volume, in voxels."""
        return tuple(
            (start * size, min(stop * size, length))
            for (start, stop), size, length in zip(self.inside, self.size, self.shape, strict=True)
        )

    @property
    def voxels(self) -> int:
        """How many voxels its box has."""
        return math.prod(stop - start for start, stop in self.bounds)

    def blocks(self) -> list[Box]:
        """The place in the volume of each of its blocks."""
        starts = [start for start, _ in self.bounds]
        boxes = []
        for tile in blocks.tiles([stop - start for start, stop in self.bounds], self.size):
            z, y, x = (
                slice(start + cut.start, start + cut.stop)
                for start, cut in zip(starts, tile, strict=True)
            )
            boxes.append((z, y, x))
        return boxes


def widened(box: Box, low: Sequence[int], high: Sequence[int], shape: Shape) -> tuple[Box, Box]:
    """A box with so many voxels more before and after it, as far as the volume goes.

    Returns:
        The wider box in the volume, and the box in the wider one.
    """
    starts = [max(cut.start - n, 0) for cut, n in zip(box, low, strict=True)]
    stops = [min(cut.stop + n, m) for cut, n, m in zip(box, high, shape, strict=True)]
    z, y, x = (slice(start, stop) for start, stop in zip(starts, stops, strict=True))
    inner = [
        slice(cut.start - start, cut.stop - start) for cut, start in zip(box, starts, strict=True)
    ]
    return (z, y, x), (inner[0], inner[1], inner[2])


def dataset(
    out: h5py.File,
    shape: tuple[int, ...],
    affinities: Affinities,
    bounds: blocks.Bounds = (),
) -> h5py.Dataset:
    """The dataset of fragments of a volume, or of a box of it."""
    size, offset = volume.voxel_size(affinities.data), volume.offset(affinities.data)
    first = [start for start, _ in bounds] or [0, 0, 0]
    start = [o + n * nm for o, n, nm in zip(offset, first, size, strict=True)]
    return volume.add(out, volume.FRAGMENTS, shape, np.uint64, size, start)
