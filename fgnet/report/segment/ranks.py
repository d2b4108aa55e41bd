"""The largest segments of a coarse copy, and the middle of a thing in it."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from fgnet.report.segment.coarse import Coarse

NUMBER = 10


def largest(copy: Coarse) -> list[tuple[int, int]]:
    """The largest segments and how many voxels they have, about."""
    names, sizes = np.unique(copy.segments, return_counts=True)
    order = [i for i in np.argsort(-sizes, kind="stable") if names[i]][:NUMBER]
    return [(int(names[i]), int(sizes[i]) * copy.voxels) for i in order]


def middle(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """A voxel (3,) of the largest connected part of a mask, as deep inside as any."""
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    parts, _ = ndimage.label(mask[box])
    part = parts == np.bincount(parts.ravel())[1:].argmax() + 1
    # beyond the box there is nothing; along the thickness of a flat one nothing is deep
    edge = [int(size > 1) for size in part.shape]
    depth = ndimage.distance_transform_cdt(np.pad(part, [(n, n) for n in edge]), "taxicab")
    inside = np.array(np.unravel_index(depth.argmax(), depth.shape))
    found: npt.NDArray[np.intp] = inside - edge + [cut.start for cut in box]
    return found
