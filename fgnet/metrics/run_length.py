"""Expected run length: how far one follows a neuron before the segmentation is wrong.

A run is the path of one neuron that lies in one segment: its edges whose two nodes are both there,
contiguous or not. A segment that holds two neurons is a merger, and its runs count 0. The expected
run length is that of the run in which a point lies that is drawn at random along all skeletons:
the sum of the runs' squared lengths over the length of all skeletons (Januszewski et al., Nature
Methods 2018, doi 10.1038/s41592-018-0049-4). Normalised, it is divided by what a perfect
segmentation reaches, in which every neuron is one run.

Choices where the source leaves them open:

- A segment holds of a neuron half of each edge at each of its nodes there, so that a segment that
  takes a single node of another neuron is seen, however far apart nodes stand. It holds two
  neurons where it holds at least ``tolerance`` nm of each of them (and more than none).
- The runs of a merger count 0 for every neuron in it, also one below the tolerance.
- Segment 0 is no segment: edges with a node there are omitted, and belong to no run.
- Neurons without an edge have no path and do not count.

Nothing here reads voxels: the input is the fragment at each node, and for each threshold the
segment of each fragment. Sums are kept for each neuron.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fgnet.skeletons import Skeletons

Sums = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.intp]
Labels = npt.NDArray[np.integer]
SHARES = ("correct", "merged", "split", "omitted")


@dataclass(frozen=True)
class Runs:
    """Sums over the path of each neuron at one threshold.

    All arrays are (neurons,) float64; ``correct``, ``merged``, ``split`` and ``omitted`` sum to
    ``path``.

    Attributes:
        neurons: (neurons,) uint64, ids, ascending.
        path: length of all edges, nm.
        squares: sum of the squared lengths of the runs, those in mergers left out, nm^2.
        with_mergers: the same with the runs in mergers, nm^2.
        correct: length of edges in a segment of this neuron alone, nm.
        merged: length of edges within a merger, nm.
        split: length of edges between two segments, nm.
        omitted: length of edges with a node in no segment (0), nm.
        mergers: segments that hold two neurons or more.
    """

    neurons: npt.NDArray[np.uint64]
    path: Sums
    squares: Sums
    with_mergers: Sums
    correct: Sums
    merged: Sums
    split: Sums
    omitted: Sums
    mergers: int

    def erl(self) -> float:
        """The expected run length in nm."""
        return float(self.squares.sum() / self.path.sum())

    def erl_with_mergers(self) -> float:
        """The expected run length in nm if mergers were no error."""
        return float(self.with_mergers.sum() / self.path.sum())

    def normalised(self) -> float:
        """The expected run length as a fraction of that of a perfect segmentation, 0 to 1."""
        return float(self.squares.sum() / (self.path**2).sum())

    def shares(self) -> dict[str, float]:
        """The fractions of the path that are correct, merged, split and omitted; they sum to 1."""
        return {name: float(getattr(self, name).sum() / self.path.sum()) for name in SHARES}


def sweep(
    skeletons: Skeletons, fragments: Labels, tables: Iterable[Labels], tolerance: float = 0.0
) -> list[Runs]:
    """The runs at every threshold.

    Args:
        skeletons: of the neurons, cut to the segmentation's box.
        fragments: (nodes,) the fragment at each node, numbered from 1; 0 is none.
        tables: for each threshold (fragments + 1,) the segment of each fragment; entry 0 is 0.
        tolerance: nm of path that a segment may hold of a second neuron without being a merger.

    Raises:
        ValueError: there is no path, or not one fragment for each node.
    """
    if len(fragments) != len(skeletons.nodes):
        raise ValueError(f"{len(fragments)} fragments for {len(skeletons.nodes)} nodes")
    lengths = skeletons.lengths()
    if not lengths.sum() > 0:
        raise ValueError("the skeletons have no path, so there is no run length")
    ends = skeletons.edges
    neurons, neuron = np.unique(skeletons.neurons[ends[:, 0]], return_inverse=True)
    # nodes by the thousand share few fragments: all that follows works on the sums of these
    first, second = (fragments[ends[:, side]].astype(np.intp) for side in (0, 1))
    low, high = np.minimum(first, second), np.maximum(first, second)
    (pair_neuron, low, high), path = _summed((neuron, low, high), lengths)
    parts = np.concatenate([neuron, neuron]), np.concatenate([first, second])
    (part_neuron, part), held = _summed(parts, np.concatenate([lengths, lengths]) / 2)
    pairs, shares = (pair_neuron, low, high, path), (part_neuron, part, held)
    return [_runs(neurons, pairs, shares, np.asarray(table), tolerance) for table in tables]


def _runs(
    neurons: npt.NDArray[np.uint64],
    pairs: tuple[Numbers, Numbers, Numbers, Sums],
    shares: tuple[Numbers, Numbers, Sums],
    table: Labels,
    tolerance: float,
) -> Runs:
    """The runs at one threshold, from the path of each neuron and (pair of) fragments."""
    neuron, low, high, path = pairs
    owner, part, held = shares
    # 0 stands in front so that segment 0 is number 0
    segments, number = np.unique(
        np.concatenate([np.zeros(1, table.dtype), table[part]]), return_inverse=True
    )
    mergers = _mergers(owner, number[1:], held, tolerance, len(segments))
    first, second = (np.searchsorted(segments, table[side]) for side in (low, high))
    omitted = (first == 0) | (second == 0)
    inside = (first == second) & ~omitted
    merged = inside & mergers[first]
    (owner, segment), run = _summed((neuron[inside], first[inside]), path[inside])
    square = run**2

    def total(which: Numbers, values: Sums) -> Sums:
        return np.bincount(which, values, minlength=len(neurons)).astype(np.float64)

    return Runs(
        neurons=neurons,
        path=total(neuron, path),
        squares=total(owner, square * ~mergers[segment]),
        with_mergers=total(owner, square),
        correct=total(neuron, path * (inside & ~merged)),
        merged=total(neuron, path * merged),
        split=total(neuron, path * ~(inside | omitted)),
        omitted=total(neuron, path * omitted),
        mergers=int(mergers.sum()),
    )


def _mergers(
    neuron: Numbers, segment: Numbers, held: Sums, tolerance: float, count: int
) -> npt.NDArray[np.bool_]:
    """Whether each of ``count`` segments, numbered from 0, holds two neurons."""
    (_, segment), share = _summed((neuron, segment), held)
    counts = (share > 0) & (share >= tolerance) & (segment > 0)
    found: npt.NDArray[np.bool_] = np.bincount(segment[counts], minlength=count) > 1
    return found


def _summed(keys: Sequence[Numbers], values: Sums) -> tuple[list[Numbers], Sums]:
    """The distinct tuples of keys, and the sum of the values of each."""
    order = np.lexsort(tuple(reversed(keys)))
    ordered = [key[order] for key in keys]
    new = np.zeros(len(order), np.bool_)
    new[:1] = True
    for key in ordered:
        new[1:] |= key[1:] != key[:-1]
    starts = np.flatnonzero(new)
    sums = np.add.reduceat(values[order], starts) if len(starts) else np.empty(0)
    return [key[starts] for key in ordered], sums
