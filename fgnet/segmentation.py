"""A segmentation as a file: fragments once, and for each threshold which of them are one neuron.

``volumes/labels/fragments`` holds ids that are unique in the volume and the same however many jobs
made them: block * 2**32 + n for fragment n = 1, 2 ... of block 0, 1 ...; 0 is background. The group
``segmentation`` holds ``fragments`` (blocks,), how many there are in each block, which numbers all
fragments of the volume from 1 on, block after block, and in these numbers

- ``merges`` (m, 2) and ``counts`` (k,): an ordered list of pairs of fragments, and how many of
  them are applied at each threshold (hierarchical methods), or
- ``tables`` (k, fragments + 1): the segment of every fragment at each threshold (flat methods),

with ``thresholds`` (k,). The list is cut by count and never by score: waterz with a queue of 256
bins merges in an order whose scores are not monotone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import h5py
import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from fgnet import volume
from fgnet.errors import InputError

FRAGMENTS = "segmentation/fragments"
THRESHOLDS = "segmentation/thresholds"
MERGES = "segmentation/merges"
COUNTS = "segmentation/counts"
TABLES = "segmentation/tables"
BLOCK_BITS = np.uint64(32)
IN_BLOCK = np.uint64(2**32 - 1)

Ids = npt.NDArray[np.uint32]
Labels = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Numbering:
    """The fragments of a volume numbered 1..n, from their ids.

    Attributes:
        counts: (blocks,) int64, the fragments of each block.
    """

    counts: npt.NDArray[np.int64]

    @property
    def total(self) -> int:
        """The number n of fragments."""
        return int(self.counts.sum())

    def __call__(self, ids: Labels) -> npt.NDArray[np.int64]:
        """Numbers of fragments from their ids, in an array of any shape; background stays 0.

        Raises:
            InputError: an id is none of a fragment of this segmentation.
        """
        ids = ids.astype(np.uint64, copy=False)
        within = (ids & IN_BLOCK).astype(np.int64)
        block = (ids >> BLOCK_BITS).astype(np.int64)
        known = block.max(initial=0) < len(self.counts)
        if not known or (within > self.counts[block]).any():
            raise InputError(
                f"{volume.FRAGMENTS} holds an id, {int(ids.max())} or lower, that its segmentation "
                "knows nothing of; agglomerate again"
            )
        before = np.cumsum(self.counts) - self.counts
        return np.where(within > 0, before[block] + within, 0)


def identify(block: int, fragments: Labels) -> npt.NDArray[np.uint64]:
    """Ids of the fragments 1, 2 ... of a block; background stays 0."""
    first = np.uint64(block) << BLOCK_BITS
    ids = fragments.astype(np.uint64)
    return np.where(ids > 0, ids + first, ids)


def write_fragments(file: h5py.File, counts: Sequence[int]) -> None:
    """Store how many fragments each block has."""
    file[FRAGMENTS] = np.asarray(counts, np.int64)


def write_merges(
    file: h5py.File, thresholds: Sequence[float], merges: Ids, counts: Sequence[int]
) -> None:
    """Store ordered merges (m, 2) of numbered fragments and how many apply at each threshold."""
    file[THRESHOLDS] = np.asarray(thresholds, np.float64)
    file[MERGES] = np.asarray(merges, np.uint32).reshape(-1, 2)
    file[COUNTS] = np.asarray(counts, np.int64)


def write_tables(file: h5py.File, thresholds: Sequence[float], tables: Ids) -> None:
    """Store one lookup table (n + 1,) per threshold, as an array (k, n + 1)."""
    file[THRESHOLDS] = np.asarray(thresholds, np.float64)
    file[TABLES] = np.asarray(tables, np.uint32)


def numbering(file: h5py.File) -> Numbering:
    """The numbers of a segmentation's fragments."""
    return Numbering(volume.dataset(file, FRAGMENTS, "b")[:])


def thresholds(file: h5py.File) -> list[float]:
    """The thresholds for which the file holds a segmentation, in ascending order."""
    return [float(value) for value in volume.dataset(file, THRESHOLDS, "k")[:]]


def table(file: h5py.File, threshold: float) -> Ids:
    """The segment of every fragment at one threshold.

    Returns:
        (n + 1,) uint32: entry i is the segment of the fragment numbered i; entry 0 is 0.

    Raises:
        InputError: the file holds no segmentation for this threshold.
    """
    known = thresholds(file)
    near = np.flatnonzero(np.isclose(known, threshold, rtol=0, atol=1e-9))
    if near.size == 0:
        raise InputError(
            f"{file.filename}: holds no segmentation at threshold {threshold}; "
            f"it has {', '.join(f'{value:g}' for value in known)}"
        )
    index = int(near[0])
    if TABLES in file:
        return np.asarray(file[TABLES][index], np.uint32)
    merges = file[MERGES][: int(file[COUNTS][index])].astype(np.int64)
    size = numbering(file).total + 1
    graph = coo_matrix((np.ones(len(merges), np.int8), (merges[:, 0], merges[:, 1])), (size, size))
    _, segment = connected_components(graph, directed=False)
    # fragment 0 is background and merges with nothing, so it is component 0
    return np.asarray(segment, np.uint32)
