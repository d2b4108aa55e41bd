"""The scores of a segmentation as a partition of the voxels."""

import math
from dataclasses import dataclass

from fgnet.metrics import voi
from fgnet.metrics.contingency import Contingency
from fgnet.metrics.rand import rand


@dataclass(frozen=True)
class Score:
    """The distance of a segmentation from the ground truth; 0 is perfect.

    Attributes:
        voi_split: H(segmentation | ground truth) in bits.
        voi_merge: H(ground truth | segmentation) in bits.
        arand: adapted Rand error, 1 - F of the Rand precision and recall, 0 to 1.
        rand_precision, rand_recall: 0 to 1, 1 is perfect.
    """

    voi_split: float
    voi_merge: float
    arand: float
    rand_precision: float
    rand_recall: float

    @property
    def voi_sum(self) -> float:
        """The variation of information in bits."""
        return self.voi_split + self.voi_merge

    @property
    def cremi(self) -> float:
        """The CREMI score: the geometric mean of VOI sum and ARAND."""
        return math.sqrt(self.voi_sum * self.arand)


def score(table: Contingency) -> Score:
    """VOI split and merge, the adapted Rand error, Rand precision and recall of a table.

    Raises:
        ValueError: the table is empty.
    """
    shared = table.pairs
    precision, recall, arand = rand(shared)
    # max: a perfect score must not come out as -0.0
    split, merge = (max(0.0, float(part(shared).sum())) for part in (voi.split, voi.merge))
    return Score(split, merge, arand, precision, recall)
