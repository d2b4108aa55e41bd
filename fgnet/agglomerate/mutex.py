"""The mutex watershed on voxels (Wolf et al. 2019, arXiv:1904.12654; python-elf)."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fgnet.agglomerate.fragments import Fragments
from fgnet.agglomerate.seeds import beginnings
from fgnet.progress import track
from fgnet.settings.agglomerate import Mutex
from fgnet.settings.base import Offset

Bytes = npt.NDArray[np.uint8]
Ids = npt.NDArray[np.uint32]


def sweep(
    affinities: Bytes, offsets: Sequence[Offset], settings: Mutex, thresholds: Sequence[float]
) -> tuple[Fragments, Ids]:
    """One mutex watershed per threshold.

    Nearest edges attract by their affinity plus threshold - 0.5, the others repel by 1 minus
    their affinity, so that 0.5 is the published method.

    Args:
        affinities: (channels, z, y, x) uint8, 255 is 1, the nearest three first.
        offsets: one a channel.

    Returns:
        the pieces into which all segmentations together cut the volume, and tables
        (thresholds, n + 1), the segment of every piece.
    """
    from elf.segmentation.mutex_watershed import mutex_watershed

    pieces = np.ones(affinities.shape[1:], np.int64)
    tables = np.zeros((0, 2), np.uint32)
    for threshold in track(list(thresholds), "mutex watersheds"):
        costs = 1 - affinities / np.float32(255)
        costs[:3] -= np.float32(threshold - 0.5)
        labels = mutex_watershed(costs, [list(o) for o in offsets], list(settings.strides))
        segments = labels.astype(np.int64)
        high = int(segments.max()) + 1
        pairs, pieces = np.unique(pieces * high + segments, return_inverse=True)
        pieces = pieces.reshape(labels.shape) + 1
        tables = np.vstack([tables[:, pairs // high], (pairs % high)[None]]).astype(np.uint32)
        tables = np.pad(tables, ((0, 0), (1, 0)))
    labels = pieces.astype(np.int32)
    found = Fragments(labels, beginnings(labels, tables.shape[1] - 1))
    order = np.argsort(found.begin)
    return found.numbered(), tables[:, order]
