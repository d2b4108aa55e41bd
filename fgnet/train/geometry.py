"""Where the voxels of a training crop are taken from: axes, mirrors, turns, bends, slips.

All changes of place of a crop are drawn together and make one map of coordinates, so that image
and labels are sampled once, and alike. Volumes are anisotropic: apart from mirrors and swapped
axes everything happens within a section. Resampling is scipy's; the general libraries of medical
augmentation bend along z as along y and x, and know no slip between sections.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from fgnet.settings.train import Augment

Coordinates = npt.NDArray[np.float32]
KNOT = 32  # voxels between the points whose random shifts bend a section


@dataclass(frozen=True)
class Warp:
    """Places to sample at, in voxels from the first voxel of the crop: (D, H, W) each."""

    y: Coordinates
    x: Coordinates


def move_axes(settings: Augment, random: np.random.Generator) -> tuple[int, int, int]:
    """A random order of the axes among those that the settings allow to swap.

    Drawn before the crop is cut, so that a crop of any shape can be taken along any axes.
    """
    if settings.transpose == "all":
        z, y, x = random.permutation(3)
        return int(z), int(y), int(x)
    if settings.transpose == "in_plane" and random.random() < 0.5:
        return 0, 2, 1
    return 0, 1, 2


def mirrors(settings: Augment, random: np.random.Generator) -> tuple[int, ...]:
    """The axes to mirror."""
    return tuple(axis for axis in range(3) if settings.flip and random.random() < 0.5)


def draw(
    shape: tuple[int, int, int], settings: Augment, random: np.random.Generator
) -> Warp | None:
    """A random warp of a crop (z, y, x), or None where nothing moves.

    In this order: the sections are bent, the crop is turned about its middle, and sections slip.
    """
    depth, height, width = shape
    turned = random.random() < settings.rotate
    bent = random.random() < settings.elastic
    slipped = random.random() < settings.misalign and depth > 1
    if not (turned or bent or slipped):
        return None
    y, x = np.mgrid[:height, :width].astype(np.float32)
    if bent:
        y = y + settings.elastic_voxels * smooth_field((height, width), random)
        x = x + settings.elastic_voxels * smooth_field((height, width), random)
    if turned:
        angle = random.uniform(0, 2 * np.pi)
        middle = ((height - 1) / 2, (width - 1) / 2)
        down, right = y - middle[0], x - middle[1]
        y = middle[0] + np.cos(angle) * down - np.sin(angle) * right
        x = middle[1] + np.sin(angle) * down + np.cos(angle) * right
    shift = np.zeros((2, depth, 1, 1), np.float32)
    if slipped:
        first = int(random.integers(1, depth))
        last = first + 1 if random.random() < 0.5 else depth  # one slips, or all from one on shift
        reach = settings.misalign_voxels
        shift[:, first:last] = random.integers(-reach, reach + 1, (2, 1, 1, 1))
    return Warp((y + shift[0]).astype(np.float32), (x + shift[1]).astype(np.float32))


def smooth_field(shape: tuple[int, int], random: np.random.Generator) -> Coordinates:
    """A smooth random field (y, x), zero on average, of standard deviation about one."""
    knots = [max(2, round(size / KNOT) + 1) for size in shape]
    values = random.standard_normal(knots).astype(np.float32)
    zoom = [size / count for size, count in zip(shape, knots, strict=True)]
    field: Coordinates = ndimage.zoom(values, zoom, order=3, mode="nearest", grid_mode=True)
    return field


def sampled(sections: npt.NDArray[Any], warp: Warp, order: int) -> npt.NDArray[Any]:
    """Sections (D, h, w) at the places of a warp, (D, H, W); beyond them they are reflected.

    Args:
        order: 1 interpolates an image, 0 takes the nearest label.
    """
    out = np.empty(warp.y.shape, sections.dtype)
    for section, y, x, target in zip(sections, warp.y, warp.x, out, strict=True):
        ndimage.map_coordinates(section, [y, x], target, order=order, mode="reflect")
    return out
