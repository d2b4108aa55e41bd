"""The fragments at places in a volume, such as the nodes of skeletons."""

from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from fgnet import ledger, progress

BLOCK = (64, 256, 256)
Places = npt.NDArray[np.integer[Any]]
Ids = npt.NDArray[np.uint64]


def fragments_at(fragments: h5py.Dataset, places: Places) -> Ids:
    """The fragment (n,) at each place (n, 3), voxels z, y, x.

    Read block by block, of each no more than the box around its places.

    Raises:
        ValueError: a place lies outside of the volume.
    """
    if ((places < 0) | (places >= fragments.shape)).any():
        raise ValueError(f"a node lies outside of the volume of shape {fragments.shape}")
    found: Ids = np.zeros(len(places), np.uint64)
    order = np.lexsort((places // BLOCK).T[::-1])
    block = (places // BLOCK)[order]
    starts = np.flatnonzero((block[1:] != block[:-1]).any(axis=1)) + 1
    for here in progress.track(np.split(order, starts) if len(order) else [], "nodes"):
        low, high = places[here].min(axis=0), places[here].max(axis=0) + 1
        box = fragments[tuple(map(slice, low, high))]
        ledger.voxels(box.size)
        found[here] = box[tuple((places[here] - low).T)]
    return found
