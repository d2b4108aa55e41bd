"""How far a segmentation is from the ground truth: VOI split and merge, adapted Rand error.

Everything is computed from one contingency table (how many voxels each pair of a segment and a
neuron shares), which adds up over blocks and whose rows merge when segments merge, so that a
sweep over thresholds reads the voxels once.

Definitions as in scikit-image with ``ignore_labels=(0,)``: voxels without ground truth (0) do
not count; segment 0 is a segment like any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix

Ids = npt.NDArray[np.uint64]
Labels = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Contingency:
    """The voxels shared by each pair of a segment and a neuron.

    Attributes:
        segments: (rows,) uint64, the segments' ids, ascending.
        neurons: (columns,) uint64, the neurons' ids, ascending, without 0.
        counts: sparse (rows, columns) int64 in compressed rows, without duplicates.
    """

    segments: Ids
    neurons: Ids
    counts: Any

    def merged(
        self, segments: Labels | None = None, neurons: Labels | None = None
    ) -> "Contingency":
        """The table after segments or neurons got new ids.

        Args:
            segments: lookup table: entry i is the new id of segment i; None leaves the ids.
            neurons: the same for the neurons.
        """
        rows = self.segments if segments is None else segments[self.segments].astype(np.uint64)
        columns = self.neurons if neurons is None else neurons[self.neurons].astype(np.uint64)
        pairs = self.counts.tocoo()
        return _table(rows[pairs.row], columns[pairs.col], pairs.data)


@dataclass(frozen=True)
class Score:
    """The distance of a segmentation from the ground truth; 0 is perfect.

    Attributes:
        voi_split: H(segmentation | ground truth) in bits.
        voi_merge: H(ground truth | segmentation) in bits.
        arand: adapted Rand error, 1 - F of the Rand precision and recall, 0 to 1.
    """

    voi_split: float
    voi_merge: float
    arand: float

    @property
    def voi_sum(self) -> float:
        """The variation of information in bits."""
        return self.voi_split + self.voi_merge


def count(segmentation: Labels, truth: Labels) -> Contingency:
    """The contingency table of two arrays of non-negative integers of one shape.

    Runs of equal pairs along the last axis are counted as one, which leaves little to sort.

    Raises:
        ValueError: the shapes differ.
    """
    if segmentation.shape != truth.shape:
        raise ValueError(f"shapes differ: {segmentation.shape} and {truth.shape}")
    if segmentation.size == 0:
        return total([])
    first, second = segmentation.ravel(), truth.ravel()
    changes = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    starts = np.concatenate([[0], np.flatnonzero(changes) + 1])
    lengths = np.diff(starts, append=first.size)
    first, second = first[starts], second[starts]
    known = second != 0
    return _table(first[known], second[known], lengths[known])


def total(parts: Sequence[Contingency]) -> Contingency:
    """The sum of tables, as of the blocks of one volume."""
    pairs = [(part, part.counts.tocoo()) for part in parts]
    none = np.empty(0, np.uint64)
    return _table(
        np.concatenate([none, *(part.segments[pair.row] for part, pair in pairs)]),
        np.concatenate([none, *(part.neurons[pair.col] for part, pair in pairs)]),
        np.concatenate([none.astype(np.int64), *(pair.data for _, pair in pairs)]),
    )


def score(table: Contingency) -> Score:
    """VOI split and merge and the adapted Rand error of a contingency table.

    Raises:
        ValueError: the table is empty.
    """
    shared = table.counts.tocoo()
    if shared.data.size == 0:
        raise ValueError("no voxel has ground truth, so there is nothing to score")
    pair = shared.data.astype(np.float64)
    voxels = pair.sum()
    segment = np.bincount(shared.row, pair)
    neuron = np.bincount(shared.col, pair)
    # max: a perfect score must not come out as -0.0
    split = max(0.0, float(np.dot(pair, np.log2(neuron[shared.col] / pair)) / voxels))
    merge = max(0.0, float(np.dot(pair, np.log2(segment[shared.row] / pair)) / voxels))
    # pairs of distinct voxels that lie together: in both, in a segment, in a neuron
    together = np.dot(pair, pair) - voxels
    either = np.dot(segment, segment) + np.dot(neuron, neuron) - 2 * voxels
    # nothing lies together anywhere only when both are all single voxels: no error
    arand = 1.0 - 2.0 * together / either if either > 0 else 0.0
    return Score(split, merge, float(arand))


def _table(segment: Labels, neuron: Labels, voxels: npt.NDArray[np.int64]) -> Contingency:
    segments, row = np.unique(segment, return_inverse=True)
    neurons, column = np.unique(neuron, return_inverse=True)
    shape = (segments.size, neurons.size)
    # an empty table still needs a shape that scipy takes
    counts = coo_matrix((voxels, (row, column)), [max(size, 1) for size in shape]).tocsr()
    return Contingency(segments.astype(np.uint64), neurons.astype(np.uint64), counts)
