"""Average precision: how many neurons are found as objects, at rising demands on the overlap.

At a threshold t, a segment and a neuron are matched where their intersection over union is above
t. For t of 0.5 and more that makes pairs: no segment is matched twice and no neuron. The score is
TP / (TP + FP + FN), as in the Data Science Bowl 2018 and in stardist and elf (which also match at
an overlap of exactly t).
"""

import numpy as np

from fgnet.metrics.contingency import Contingency, Floats

# 0.5, 0.55 .. 0.95 in twentieths: in whole numbers no rounding matches an overlap of exactly t
TWENTIETHS = np.arange(10, 20)


def average_precision(table: Contingency) -> Floats:
    """TP / (TP + FP + FN) at each of the thresholds, (10,), 1 is perfect.

    Segment 0 is background and no object. Of a segment only voxels with ground truth count, and
    one without any is no false positive.

    Raises:
        ValueError: the table is empty.
    """
    shared = table.pairs
    union = shared.segment[shared.row] + shared.neuron[shared.column] - shared.voxels
    # the highest threshold that each pair is above
    above = (20 * shared.voxels.astype(np.int64) - 1) // union.astype(np.int64)
    above = above[table.segments[shared.row] != 0]
    found = np.count_nonzero(above >= TWENTIETHS[:, None], axis=1)
    objects = np.count_nonzero(table.segments) + table.neurons.size
    precision: Floats = found / (objects - found)
    return precision
