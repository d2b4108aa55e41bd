"""A small copy of a whole segmentation and its ground truth: enough for views.

It takes every n-th voxel, read box by box, so that memory is bounded whatever the volume's size.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fgnet import blocks, metrics, segmentation, volume
from fgnet.report.segment.scene import Box, Scene

LONGEST = 256  # voxels of the copy's longest side, counted in its shortest voxel's
BOX = (16, 512, 512)  # read at once: a layer of chunks
Labels = npt.NDArray[Any]
Voxel = tuple[int, int, int]


@dataclass(frozen=True)
class Coarse:
    """Every n-th voxel of a volume.

    Attributes:
        segments: (z, y, x) uint32, 0 is none.
        neurons: (z, y, x) of the ground truth, 0 where it is not known; None where it never is.
        steps: n along z, y, x.
        voxel_size: of the copy, nm along z, y, x.
        first: where the copy's first voxel lies, in voxels from the origin of viewers.
        start: where it lies in the volume's own file, in its voxels.
    """

    segments: npt.NDArray[np.uint32]
    neurons: Labels | None
    steps: tuple[int, int, int]
    voxel_size: volume.Triple
    first: tuple[int, int, int]
    start: tuple[int, int, int]

    @property
    def voxels(self) -> int:
        """How many voxels of the volume a voxel of the copy stands for."""
        return int(np.prod(self.steps))

    def place(self, index: npt.NDArray[np.integer]) -> tuple[int, int, int]:
        """A voxel of the copy, (3,), in the volume's voxels from the origin of viewers."""
        z, y, x = (int(a + i * n) for a, i, n in zip(self.first, index, self.steps, strict=True))
        return z, y, x

    def box(self, low: Voxel, high: Voxel) -> Box:
        """What of the copy lies in a box from voxel to voxel of the volume's own file."""
        return tuple(
            slice(max(0, -((at - a) // n)), max(0, (b - at) // n + 1))
            for a, b, at, n in zip(low, high, self.start, self.steps, strict=True)
        )

    def overlaps(self) -> metrics.Contingency | None:
        """Segments against neurons; None without ground truth."""
        return None if self.neurons is None else metrics.count(self.segments, self.neurons)

    def words(self) -> str:
        """Of which voxels what is told of them holds."""
        if self.voxels == 1:
            return "all voxels"
        return f"one voxel of {' x '.join(map(str, self.steps))} (z, y, x)"


def copy(scene: Scene) -> Coarse:
    """The copy of a scene."""
    step = steps(scene.shape, scene.voxel_size)
    z, y, x = (nm * n for nm, n in zip(scene.voxel_size, step, strict=True))
    start = [n // 2 for n in step]
    first, own = (
        tuple(a + b for a, b in zip(place, start, strict=True))
        for place in (scene.first, scene.start)
    )
    ids = every(lambda box: scene.fragments[box], scene.shape, step, scene.fragments.dtype)
    return Coarse(
        segments=scene.table[segmentation.numbered(ids, scene.known)],
        neurons=None if scene.labels is None
        else every(scene.neurons, scene.shape, step, scene.labels.dtype),
        steps=step,
        voxel_size=(z, y, x),
        first=(first[0], first[1], first[2]),
        start=(own[0], own[1], own[2]),
    )  # fmt: skip


def steps(shape: tuple[int, int, int], voxel_size: volume.Triple) -> tuple[int, int, int]:
    """Which voxels to take so that the copy's are near cubes and its sides near ``LONGEST``."""
    side = max(size * nm for size, nm in zip(shape, voxel_size, strict=True)) / LONGEST
    # a little below a whole step is taken for it, lest rounding of floats drop half of the voxels
    z, y, x = (max(1, int(np.ceil(side / nm - 0.01))) for nm in voxel_size)
    return z, y, x


def every(
    read: Callable[[Box], Labels], shape: tuple[int, int, int], step: tuple[int, int, int],
    dtype: np.dtype[Any],
) -> Labels:  # fmt: skip
    """Every n-th voxel of what is read, from the middle of the first n on."""
    taken = [range(n // 2, size, n) if size > n // 2 else range(size - 1, size)
             for size, n in zip(shape, step, strict=True)]  # fmt: skip
    out = np.zeros([len(one) for one in taken], dtype)
    for box in blocks.tiles(shape, BOX):
        here, there, needed = [], [], []
        for cut, one in zip(box, taken, strict=True):
            inside = [place for place, at in enumerate(one) if cut.start <= at < cut.stop]
            if not inside:
                break
            low, high = one[inside[0]], one[inside[-1]]
            here.append(slice(inside[0], inside[-1] + 1))
            needed.append(slice(low, high + 1))
            there.append(slice(None, None, one.step))
        else:
            out[tuple(here)] = read(tuple(needed))[tuple(there)]
    return out
