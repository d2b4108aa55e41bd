"""Variation of information in bits (Meila 2007), split and merge, neuron by neuron.

As scikit-image's ``variation_of_information`` with ``ignore_labels=(0,)``: voxels without ground
truth do not count, and segment 0 is a segment like any other.
"""

import numpy as np

from fgnet.metrics.contingency import Floats, Pairs


def split(table: Pairs) -> Floats:
    """What each neuron adds to H(segmentation | ground truth), (columns,) bits."""
    return _added(table, table.neuron[table.column])


def merge(table: Pairs) -> Floats:
    """What each neuron adds to H(ground truth | segmentation), (columns,) bits."""
    return _added(table, table.segment[table.row])


def _added(table: Pairs, whole: Floats) -> Floats:
    bits = table.voxels * np.log2(whole / table.voxels)
    added: Floats = np.bincount(table.column, bits, table.neuron.size) / table.total
    return added
