"""Average precision: how many neurons are found as objects, at rising demands on the overlap.

At a threshold t, a segment and a neuron are matched where their intersection over union is above
t. For t of 0.5 and more that makes pairs: no segment is matched twice and no neuron. The score is
TP / (TP + FP + FN), as in the Data Science Bowl 2018 and in stardist and elf (which also match at
an overlap of exactly t).
"""

from fractions import Fraction

import numpy as np

from fgnet.metrics.contingency import Contingency, Floats, pairs

THRESHOLDS = tuple(Fraction(tenth, 20) for tenth in range(10, 20))  # 0.5, 0.55 .. 0.95


def average_precision(table: Contingency) -> Floats:
    """TP / (TP + FP + FN) at each of the thresholds, (10,), 1 is perfect.

    Segment 0 is background and no object. Of a segment only voxels with ground truth count, and
    one without any is no false positive.

    Raises:
        ValueError: the table is empty.
    """
    shared = pairs(table)
    background = table.segments[shared.row] == 0
    union = shared.segment[shared.row] + shared.neuron[shared.column] - shared.voxels
    objects = np.count_nonzero(table.segments) + table.neurons.size
    found = np.array(
        [
            # in whole numbers, so that no rounding matches what overlaps by exactly t
            np.count_nonzero((shared.voxels * t.denominator > union * t.numerator) & ~background)
            for t in THRESHOLDS
        ],
        np.float64,
    )
    precision: Floats = found / (objects - found)
    return precision
