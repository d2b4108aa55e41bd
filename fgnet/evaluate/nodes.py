"""Places in a volume, as the nodes of skeletons, whose fragments are looked up on the way."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.integer[Any]]
Ids = npt.NDArray[np.uint64]


class Nodes:
    """Places (n, 3), voxels z, y, x, and the fragment (n,) at each as far as blocks were read.

    Raises:
        ValueError: a place lies outside of the volume.
    """

    def __init__(self, places: Places, shape: Sequence[int], block: Sequence[int]) -> None:
        if ((places < 0) | (places >= shape)).any():
            raise ValueError(f"a node lies outside of the volume of shape {tuple(shape)}")
        self.places = places.astype(np.int64)
        self.fragments: Ids = np.zeros(len(places), np.uint64)
        self.count = [-(-size // step) for size, step in zip(shape, block, strict=True)]
        z, y, x = (self.places // np.array(block)).T
        blocks = (z * self.count[1] + y) * self.count[2] + x
        self.order = np.argsort(blocks, kind="stable")
        self.starts = np.searchsorted(blocks[self.order], np.arange(np.prod(self.count) + 1))

    def look(self, index: tuple[int, int, int], start: Sequence[int], fragments: Ids) -> None:
        """Note the fragments of the places in a block, which begins at ``start``."""
        at = (index[0] * self.count[1] + index[1]) * self.count[2] + index[2]
        here = self.order[self.starts[at] : self.starts[at + 1]]
        z, y, x = (self.places[here] - np.array(start)).T
        self.fragments[here] = fragments[z, y, x]
