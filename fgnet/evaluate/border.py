"""Voxels near a border of the ground truth, which a tolerant score leaves out."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from fgnet.metrics import Labels


def near(truth: Labels, distance: float, size: tuple[float, float]) -> npt.NDArray[np.bool_]:
    """Voxels that lie at most so far from a border in their section.

    As ``border_threshold`` of the CREMI challenge's evaluation (cremi_python): a voxel is on the
    border where one of its four neighbours in the section has another id, 0 included.

    Args:
        truth: (z, y, x) ids.
        distance: nm.
        size: of a voxel along y and x, nm.
    """
    border = np.zeros(truth.shape, np.bool_)
    rows = truth[:, 1:] != truth[:, :-1]
    border[:, 1:] |= rows
    border[:, :-1] |= rows
    columns = truth[..., 1:] != truth[..., :-1]
    border[..., 1:] |= columns
    border[..., :-1] |= columns
    for section in border:
        if section.any():
            section[:] = ndimage.distance_transform_edt(~section, size) <= distance
    return border


def reach(distance: float, size: tuple[float, float]) -> tuple[int, int]:
    """How many voxels around a block along y and x decide what is near in it."""
    y, x = (int(distance / nm) + 1 for nm in size)
    return y, x
