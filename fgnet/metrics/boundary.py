"""Boundaries edge by edge: which pairs of neighbouring voxels a segmentation cuts.

An edge joins two voxels that share a face, both with ground truth. The ground truth cuts it where
the neurons differ; a segmentation cuts it where the segments differ or one of them is 0. Counted
once for pairs of touching fragments, the edges of every threshold are a sum over that table.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fgnet.metrics.contingency import Counts, Ids, Labels


class BoundaryScore(NamedTuple):
    """Of the edges cut by the segmentation, the share cut in truth; the reverse; their F1.

    1 is perfect. Where nothing is cut, nothing is cut wrongly: precision is 1; where nothing is to
    be cut, recall is.
    """

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Boundaries:
    """How many edges lie between touching fragments, within fragments, and at background.

    Pairs of counts say: uncut and cut in truth.

    Attributes:
        fragments: (p, 2) uint64, ids of touching fragments.
        edges: (p, 2) int64, edges between the two.
        inside: (2,) int64, edges within fragments, which no threshold cuts.
        outside: (2,) int64, edges with background at an end, which every threshold cuts.
    """

    fragments: Ids
    edges: Counts
    inside: Counts
    outside: Counts

    def merged(self, segments: Labels) -> "Boundaries":
        """The table after fragments got new ids: entry i of the lookup table is that of i.

        Pairs of one segment go; those that have come to join the same two segments stay apart, as
        only their sum matters. No fragment may get id 0.
        """
        named = segments[self.fragments].astype(np.uint64)
        apart = named[:, 0] != named[:, 1]
        inside = self.inside + self.edges[~apart].sum(0)
        return Boundaries(named[apart], self.edges[apart], inside, self.outside)

    def score(self) -> BoundaryScore:
        """Precision, recall and F1 where every fragment is a segment."""
        wrongly, rightly = (int(n) for n in self.edges.sum(0) + self.outside)
        missed = int(self.inside[1])
        return BoundaryScore(
            _share(rightly, wrongly), _share(rightly, missed), _share(2 * rightly, wrongly + missed)
        )


def total(parts: Sequence[Boundaries]) -> Boundaries:
    """The sum of tables, as of the blocks of one volume; a pair has its lower fragment first."""
    pairs = np.concatenate([np.empty((0, 2), np.uint64), *(part.fragments for part in parts)])
    edges = np.concatenate([np.empty((0, 2), np.int64), *(part.edges for part in parts)])
    pairs = np.sort(pairs, axis=1)
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    pairs, edges = pairs[order], edges[order]
    starts = np.flatnonzero(np.r_[len(pairs) > 0, (pairs[1:] != pairs[:-1]).any(1)][: len(pairs)])
    return Boundaries(
        pairs[starts],
        np.add.reduceat(edges, starts, axis=0) if len(edges) else edges,
        sum((part.inside for part in parts), np.zeros(2, np.int64)),
        sum((part.outside for part in parts), np.zeros(2, np.int64)),
    )


def _share(right: int, wrong: int) -> float:
    return right / (right + wrong) if right + wrong else 1.0
