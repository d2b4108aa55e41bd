"""Pairs of voxels that lie together: Rand precision, recall and the adapted Rand error.

As scikit-image's ``adapted_rand_error`` with ``ignore_labels=(0,)`` (Arganda-Carreras 2015): of
pairs of distinct voxels, those that lie in one segment and in one neuron.
"""

import numpy as np

from fgnet.metrics.contingency import Pairs


def rand(table: Pairs) -> tuple[float, float, float]:
    """Rand precision, Rand recall, and the error 1 - F of the two.

    Precision is the share of the pairs within a segment that are within a neuron; it falls with
    mergers, recall with splits. (scikit-image up to 0.26 returns the two swapped, its issue 6485.)
    Where a side has no pair, as all are single voxels, its share is 1.
    """
    together, segment, neuron = (
        float(np.dot(sizes, sizes) - table.total)
        for sizes in (table.voxels, table.segment, table.neuron)
    )
    # max: sums of squares beyond 2^53 are rounded, and a perfect score must not come out below 0
    error = max(0.0, 1.0 - 2.0 * together / (segment + neuron)) if segment + neuron > 0 else 0.0
    return (
        together / segment if segment > 0 else 1.0,
        together / neuron if neuron > 0 else 1.0,
        error,
    )
