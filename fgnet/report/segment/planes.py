"""Where a volume is cut for pictures: sections xy, and the planes xz and yz across them."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fgnet import volume

Array = npt.NDArray[Any]
AXES = {"xy": 0, "xz": 1, "yz": 2}


@dataclass(frozen=True)
class Plane:
    """One plane through a volume.

    Attributes:
        name: "xy", "xz" or "yz".
        box: in voxels, one voxel thick along the axis that is cut.
        voxel_size: nm along z, y, x.
    """

    name: str
    box: tuple[slice, slice, slice]
    voxel_size: volume.Triple

    @property
    def at(self) -> int:
        """Where along its axis the plane lies."""
        return int(self.box[AXES[self.name]].start)

    @property
    def width(self) -> float:
        """In nm; z runs down in both planes across, as most volumes are thin along z."""
        return self._extent(1 if self.name == "yz" else 2)

    @property
    def height(self) -> float:
        """In nm."""
        return self._extent(1 if self.name == "xy" else 0)

    @property
    def voxels(self) -> int:
        """Of the picture."""
        return math.prod(cut.stop - cut.start for cut in self.box)

    def flat(self, box: Array) -> Array:
        """What was read from the box, (..., z, y, x), as a picture (..., rows, columns)."""
        picture: Array = np.take(box, 0, axis=box.ndim - 3 + AXES[self.name])
        return picture

    def _extent(self, axis: int) -> float:
        cut = self.box[axis]
        return float((cut.stop - cut.start) * self.voxel_size[axis])


def sections(
    shape: tuple[int, int, int], voxel_size: volume.Triple, longest: int, number: int
) -> list[Plane]:
    """So many sections xy, evenly over the volume, cut to ``longest`` voxels around its middle.

    A volume of fewer sections gives them all; of an odd number the middle one is the volume's.
    """
    number = min(number, shape[0])
    cut = _middle(shape, longest)
    places = [int((place + 0.5) * shape[0] / number) for place in range(number)]
    return [Plane("xy", (slice(z, z + 1), cut[1], cut[2]), voxel_size) for z in places]


def across(
    shape: tuple[int, int, int], voxel_size: volume.Triple, longest: int
) -> tuple[Plane, Plane]:
    """The planes xz and yz through the middle, no side longer than so many voxels."""
    cut = _middle(shape, longest)
    row, column = (slice(size // 2, size // 2 + 1) for size in shape[1:])
    return (
        Plane("xz", (cut[0], row, cut[2]), voxel_size),
        Plane("yz", (cut[0], cut[1], column), voxel_size),
    )


def _middle(shape: tuple[int, int, int], longest: int) -> list[slice]:
    starts = [max(0, size // 2 - longest // 2) for size in shape]
    return [
        slice(start, min(size, start + longest)) for start, size in zip(starts, shape, strict=True)
    ]
