"""The voxels that segments and neurons share, as a table that adds up and merges."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix, csr_matrix

Ids = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Pairs:
    """A table as arrays, with the sums over its rows and columns.

    Attributes:
        row, column: (pairs,) integers, places in the table.
        voxels: (pairs,) float64, shared voxels, above 0.
        segment: (rows,) float64, voxels of each segment.
        neuron: (columns,) float64, voxels of each neuron.
    """

    row: npt.NDArray[np.intp]
    column: npt.NDArray[np.intp]
    voxels: Floats
    segment: Floats
    neuron: Floats

    @property
    def total(self) -> float:
        """All voxels that are scored."""
        return float(self.voxels.sum())


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
        counts, rows, columns = self.counts, self.segments, self.neurons
        if segments is not None:
            rows, member = _members(segments[rows], counts.shape[0])
            counts = member.T.tocsr() @ counts
        if neurons is not None:
            columns, member = _members(neurons[columns], counts.shape[1])
            counts = counts @ member
        return Contingency(rows, columns, counts)

    @cached_property
    def pairs(self) -> Pairs:
        """The table as arrays. Raises ValueError when it is empty."""
        if self.counts.nnz == 0:
            raise ValueError("no voxel has ground truth, so there is nothing to score")
        rows, columns = self.counts.shape
        voxels = self.counts.data.astype(np.float64)
        row = np.repeat(np.arange(rows), np.diff(self.counts.indptr))
        column = self.counts.indices.astype(np.intp)
        # numpy's stubs take weighted sums for integers
        segment = np.bincount(row, voxels, rows).astype(np.float64, copy=False)
        neuron = np.bincount(column, voxels, columns).astype(np.float64, copy=False)
        return Pairs(row, column, voxels, segment, neuron)


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
    return of(first[known], second[known], lengths[known])


def total(parts: Sequence[Contingency]) -> Contingency:
    """The sum of tables, as of the blocks of one volume."""
    tables = [(part, part.counts.tocoo()) for part in parts]
    none = np.empty(0, np.uint64)
    return of(
        np.concatenate([none, *(part.segments[pair.row] for part, pair in tables)]),
        np.concatenate([none, *(part.neurons[pair.col] for part, pair in tables)]),
        np.concatenate([none.astype(np.int64), *(pair.data for _, pair in tables)]),
    )


def of(segment: Labels, neuron: Labels, voxels: Counts) -> Contingency:
    """The table of pairs of a segment and a neuron (n,) that share voxels (n,); equal ones add."""
    segments, row = np.unique(segment, return_inverse=True)
    neurons, column = np.unique(neuron, return_inverse=True)
    shape = (segments.size, neurons.size)
    # an empty table still needs a shape that scipy takes
    counts = coo_matrix((voxels, (row, column)), [max(size, 1) for size in shape]).tocsr()
    return Contingency(segments.astype(np.uint64), neurons.astype(np.uint64), counts)


def _members(names: Labels, size: int) -> tuple[Ids, Any]:
    """The names that occur, and the matrix (size, names) that is 1 where an entry has a name."""
    known, place = np.unique(names, return_inverse=True)
    # an empty table has one row and one column, of no name
    starts = np.minimum(np.arange(size + 1), place.size)
    shape = (size, max(known.size, 1))
    return known.astype(np.uint64), csr_matrix(
        (np.ones(place.size, np.int64), place, starts), shape
    )
