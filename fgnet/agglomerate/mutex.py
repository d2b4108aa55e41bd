"""The mutex watershed on voxels (Wolf et al. 2019, arXiv:1904.12654; python-elf)."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fgnet.progress import track
from fgnet.settings.agglomerate import Mutex
from fgnet.settings.base import Offset

Affinities = npt.NDArray[np.float32]
Ids = npt.NDArray[np.uint32]


def sweep(
    affinities: Affinities, offsets: Sequence[Offset], settings: Mutex, thresholds: Sequence[float]
) -> tuple[Ids, Ids]:
    """One mutex watershed per threshold.

    Nearest edges attract by their affinity plus threshold - 0.5, the others repel by 1 minus
    their affinity, so that 0.5 is the published method.

    Args:
        affinities: (channels, z, y, x) float32 in [0, 1], the nearest three first.
        offsets: one a channel.

    Returns:
        fragments (z, y, x), the pieces into which all segmentations together cut the volume,
        and tables (thresholds, n + 1), the segment of every piece.
    """
    from elf.segmentation.mutex_watershed import mutex_watershed

    pieces = np.ones(affinities.shape[1:], np.int64)
    tables = np.zeros((0, 2), np.uint32)
    for threshold in track(list(thresholds), "mutex watersheds"):
        costs = 1 - affinities
        costs[:3] -= np.float32(threshold - 0.5)
        labels = mutex_watershed(costs, [list(o) for o in offsets], list(settings.strides))
        segments = labels.astype(np.int64)
        high = int(segments.max()) + 1
        pairs, pieces = np.unique(pieces * high + segments, return_inverse=True)
        pieces = pieces.reshape(labels.shape) + 1
        tables = np.vstack([tables[:, pairs // high], (pairs % high)[None]]).astype(np.uint32)
        tables = np.pad(tables, ((0, 0), (1, 0)))
    return pieces.astype(np.uint32), tables
