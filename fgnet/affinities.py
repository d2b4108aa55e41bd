"""Affinities: for each offset, whether a voxel and the voxel at that offset are one neuron.

Channel c at voxel v is the edge from v to v + offsets[c]; offsets are (z, y, x) in voxels, and
the nearest three of the field are (-1,0,0), (0,-1,0), (0,0,-1).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from fgnet.settings.base import NEAREST as NEAREST
from fgnet.settings.base import Offset


def edge_slices(offset: Offset) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Slices (v, v + offset) over all voxels v for which both ends lie in the volume."""
    here = tuple(slice(max(0, -step), None if step <= 0 else -step) for step in offset)
    there = tuple(slice(max(0, step), None if step >= 0 else step) for step in offset)
    return here, there


def nearest_channels(offsets: Sequence[Sequence[int]]) -> list[int]:
    """The channels of the nearest neighbours along z, y, x; without them the first three."""
    steps = [tuple(int(step) for step in offset) for offset in offsets]
    if all(nearest in steps for nearest in NEAREST):
        return [steps.index(nearest) for nearest in NEAREST]
    return [min(channel, len(steps) - 1) for channel in range(3)]


def from_labels(
    labels: npt.NDArray[np.integer],
    offsets: Sequence[Offset],
    valid: npt.NDArray[np.bool_] | None = None,
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Ideal affinities of a segmentation.

    Args:
        labels: (z, y, x), 0 is background and has affinity 0 to everything.
        offsets: one (z, y, x) an edge channel.
        valid: (z, y, x), where there is ground truth; everywhere by default.

    Returns:
        affinities (channels, z, y, x), and a mask of the edges that have both ends in the volume
        and ground truth at both.
    """
    affinities = np.zeros((len(offsets), *labels.shape), np.bool_)
    known = np.zeros(affinities.shape, np.bool_)
    for channel, offset in enumerate(offsets):
        here, there = edge_slices(offset)
        affinities[channel][here] = (labels[here] == labels[there]) & (labels[here] > 0)
        known[channel][here] = True if valid is None else valid[here] & valid[there]
    return affinities, known


def degraded(
    labels: npt.NDArray[np.integer], offsets: Sequence[Offset], blur: float, noise: float, seed: int
) -> npt.NDArray[np.uint8]:
    """Affinities such as a network might predict, of known labels: for tests and benchmarks.

    Args:
        labels: (z, y, x), 0 is background.
        offsets: one (z, y, x) a channel.
        blur: standard deviation in voxels of the Gaussian over ideal affinities.
        noise: standard deviation of what is added, itself smooth over two voxels.
        seed: of the noise.

    Returns:
        (channels, z, y, x) uint8, 255 is 1.
    """
    random = np.random.default_rng(seed)
    out = np.empty((len(offsets), *labels.shape), np.uint8)
    for target, ideal in zip(out, from_labels(labels, offsets)[0], strict=True):
        values = ndimage.gaussian_filter(ideal.astype(np.float32), blur)
        grain = random.standard_normal(labels.shape, np.float32)
        grain = ndimage.gaussian_filter(grain, 2)
        values += noise / grain.std() * grain
        target[:] = np.rint(values.clip(0, 1) * 255)
    return out


def widen_borders(labels: npt.NDArray[np.integer], in_plane_only: bool) -> npt.NDArray[np.integer]:
    """Set to 0 every voxel whose 3x3 (in plane) or 3x3x3 window holds two or more neurons.

    Membranes get a width that a network can learn. In plane as in weih527/SuperHuman
    (``seg_widen_border``, tsz_h=1); the 3-D window serves isotropic data.
    """
    window = (1, 3, 3) if in_plane_only else (3, 3, 3)
    highest = ndimage.maximum_filter(labels, window)
    # the lowest neuron in the window: background must not count as one
    unset = np.iinfo(labels.dtype).max
    lowest = ndimage.minimum_filter(np.where(labels > 0, labels, unset), window)
    several = (highest > 0) & (lowest != highest)
    return np.where(several, 0, labels).astype(labels.dtype)
