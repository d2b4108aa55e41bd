"""Fragments and the region graph block by block, in any number of jobs with one result.

Blocks lie on a grid from the volume's origin; a job has a box of whole blocks.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import h5py
import numpy as np
import numpy.typing as npt

from fgnet import blocks, segmentation
from fgnet.agglomerate import fragments, regions
from fgnet.agglomerate.regions import Graph
from fgnet.agglomerate.source import Affinities
from fgnet.errors import InputError
from fgnet.progress import track
from fgnet.settings.agglomerate import Blocks, Components, FragmentStep, GraphStep, Watershed
from fgnet.volume import Triple

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


@dataclass(frozen=True)
class Contacts:
    """Which fragments touch, and which are one.

    A block sees a fragment whose seed lies beyond its halo from the place where it comes in, and
    takes that for the seed. The block in which the place lies knows better: what it has there is
    the same fragment.

    Attributes:
        near: the region graph over nearest affinities.
        far: over those at longer range.
        same: (m, 2) int64, numbers of fragments that are one.
    """

    near: Graph
    far: Graph
    same: npt.NDArray[np.int64]


def fill(
    affinities: Affinities, out: h5py.Dataset, job: Job, step: FragmentStep, voxel_size: Triple
) -> npt.NDArray[np.uint64]:
    """Make the fragments of a job's blocks.

    Args:
        out: (z, y, x) uint64 of the job's box, for the ids of :mod:`fgnet.segmentation`.
        voxel_size: nm along z, y, x.

    Returns:
        The ids of all, ascending.
    """
    halo = list(step.blocks.halo)
    if isinstance(step.fragments, Watershed) and step.fragments.per == "section":
        halo[0] = 0  # a section's fragments do not depend on the next
    if isinstance(step.fragments, Components):
        halo = [0, 0, 0]  # they begin where the block does
    known = [np.empty(0, np.uint64)]
    for box in track(job.blocks(), "fragments"):
        around, inner = widened(box, halo, halo, job.shape)
        found = fragments.make(affinities.read(around, nearest=True), step.fragments, voxel_size)
        first = np.unravel_index(np.maximum(found.begin, 0), found.labels.shape)
        inside = [at + cut.start for at, cut in zip(first, around, strict=True)]
        ids = np.ravel_multi_index(inside, job.shape).astype(np.uint64) + np.uint64(1)
        ids[0] = 0
        kept = found.labels[inner]
        used = np.zeros(len(ids), np.bool_)
        used[kept.ravel()] = True
        known.append(ids[used])
        place = tuple(
            slice(cut.start - first, cut.stop - first)
            for cut, (first, _) in zip(box, job.bounds, strict=True)
        )
        out[place] = ids[kept]
    every = np.unique(np.concatenate(known))
    return every[every > 0]


def collect(
    affinities: Affinities,
    ids: h5py.Dataset,
    known: npt.NDArray[np.uint64],
    job: Job,
    step: GraphStep,
) -> Contacts:
    """What a job's blocks own of the region graph.

    Args:
        ids: (z, y, x) uint64, the fragments of the whole volume.
        known: (n,) all of these ids, ascending; they number the fragments from 1 on.
    """
    seeds = np.stack(np.unravel_index(known.astype(np.int64) - 1, job.shape), 1)
    near, far, same = [], [], [np.empty((0, 2), np.int64)]
    reach = np.array(affinities.offsets)
    low, high = (-np.minimum(reach.min(0), 0)).tolist(), np.maximum(reach.max(0), 0).tolist()
    for box in track(job.blocks(), "region graph"):
        around, inner = widened(box, low, high, job.shape)
        labels = segmentation.numbered(ids[around], known)
        values = affinities.read(box)
        before = [cut.start for cut in inner]
        near.append(
            regions.of_block(
                values[:3], labels, affinities.offsets[:3], before, histograms=step.histograms
            )
        )
        if len(affinities.channels) > 3:
            far.append(regions.of_block(values[3:], labels, affinities.offsets[3:], before))
        start, stop = np.array([(cut.start, cut.stop) for cut in box]).T
        here = np.flatnonzero(((seeds >= start) & (seeds < stop)).all(axis=1))
        at = labels[inner][tuple((seeds[here] - start).T)].astype(np.int64)
        other = (at > 0) & (at != here + 1)
        same.append(np.stack([at, here + 1], 1)[other])
    return Contacts(regions.added(near), regions.added(far), np.concatenate(same))


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
