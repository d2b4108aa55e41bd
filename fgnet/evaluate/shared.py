"""What fragments and neurons share: voxels, a place inside and a box, as a table that merges."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fgnet.evaluate import loops
from fgnet.metrics import Contingency, Labels, contingency

Ids = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Shared:
    """Pairs of a fragment and a neuron that share voxels; coordinates are voxels of the scored box.

    Attributes:
        fragments, neurons: (p,) uint64 ids.
        voxels: (p,) int64, how many they share.
        run: (p,) int64, length of the longest run of shared voxels along x in a block.
        middle: (p, 3) int64, the middle of that run, so a voxel (z, y, x) that they share.
        low, high: (p, 3) int64, first and last voxel of the box around all that they share.
    """

    fragments: Ids
    neurons: Ids
    voxels: Counts
    run: Counts
    middle: Counts
    low: Counts
    high: Counts

    @classmethod
    def of_block(cls, fragments: Ids, pieces: Ids, start: Sequence[int]) -> "Shared":
        """The table of a block (z, y, x) that begins at ``start``; pieces 0 are not scored."""
        keys, found = loops.overlapping(fragments, pieces, np.array(start, np.int64))
        columns = (loops.VOXELS, loops.RUN, loops.MIDDLE, loops.LOW, loops.HIGH)
        return cls(keys[:, 0], keys[:, 1], *(found[:, column] for column in columns))

    @property
    def contingency(self) -> Contingency:
        """The voxels alone."""
        return contingency.of(self.fragments, self.neurons, self.voxels)

    def merged(self, fragments: Labels | None = None, neurons: Labels | None = None) -> "Shared":
        """The table after fragments or neurons got new ids: entry i of a lookup is that of i."""
        one = self.fragments if fragments is None else fragments[self.fragments].astype(np.uint64)
        two = self.neurons if neurons is None else neurons[self.neurons].astype(np.uint64)
        return total([replace(self, fragments=one, neurons=two)])


def total(parts: Sequence[Shared]) -> Shared:
    """The sum of tables, as of the blocks of one volume: one row a pair, ascending."""
    if not parts:
        one, three = np.empty(0, np.int64), np.empty((0, 3), np.int64)
        return Shared(one.astype(np.uint64), one.astype(np.uint64), one, one, three, three, three)
    fragments, neurons, voxels, run, middle, low, high = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("fragments", "neurons", "voxels", "run", "middle", "low", "high")
    )
    # of a pair's rows the longest run comes first, of equal ones the first in the volume
    order = np.lexsort((*middle.T[::-1], -run, neurons, fragments))
    fragments, neurons = fragments[order].astype(np.uint64), neurons[order].astype(np.uint64)
    first = np.ones(len(order), np.bool_)
    first[1:] = (fragments[1:] != fragments[:-1]) | (neurons[1:] != neurons[:-1])
    starts = np.flatnonzero(first)
    if not len(starts):
        return total([])
    return Shared(
        fragments[starts],
        neurons[starts],
        np.add.reduceat(voxels[order], starts),
        run[order][starts],
        middle[order][starts],
        np.minimum.reduceat(low[order], starts, axis=0),
        np.maximum.reduceat(high[order], starts, axis=0),
    )
