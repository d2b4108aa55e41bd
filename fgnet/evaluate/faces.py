"""The last faces of blocks, kept until the blocks after them are read."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.uint64]
Index = tuple[int, int, int]


class Face(NamedTuple):
    """Fragments, ground truth and its pieces on one face of a block, each 2-D."""

    fragments: Ids
    truth: Ids
    pieces: Ids


class Faces:
    """Faces by the axis that they are across and the block that comes after them.

    Args:
        counts: of blocks along z, y, x; after the last there is none to wait for.
    """

    def __init__(self, counts: Sequence[int]) -> None:
        self.counts = tuple(counts)
        self.waiting: dict[tuple[int, Index], Face] = {}

    def before(self, index: Index, shape: tuple[int, ...]) -> tuple[Face, Face, Face]:
        """The faces before a block across z, y and x; zeros where no block is."""

        def one(axis: int) -> Face:
            if (axis, index) in self.waiting:
                return self.waiting.pop((axis, index))
            none = np.zeros([size for a, size in enumerate(shape) if a != axis], np.uint64)
            return Face(none, none, none)

        return one(0), one(1), one(2)

    def keep(self, index: Index, fragments: Ids, truth: Ids, pieces: Ids) -> None:
        """Keep the last faces of a block."""
        z, y, x = index
        for axis, after in enumerate(((z + 1, y, x), (z, y + 1, x), (z, y, x + 1))):
            if after[axis] == self.counts[axis]:
                continue
            self.waiting[axis, after] = Face(
                *(np.ascontiguousarray(one.take(-1, axis)) for one in (fragments, truth, pieces))
            )


def links(face: Face, axis: int, truth: Ids, pieces: Ids) -> npt.NDArray[np.int64]:
    """Pairs of pieces (n, 2) of one id that touch across the face before a block."""
    first_truth, first_pieces = (np.moveaxis(one, axis, 0)[0] for one in (truth, pieces))
    same = (face.truth == first_truth) & (face.truth > 0)
    return np.unique(np.stack([face.pieces[same], first_pieces[same]], 1).astype(np.int64), axis=0)
