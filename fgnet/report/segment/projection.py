"""Objects of a volume seen from outside: orthographic views with depth, in numpy alone.

Of each line of sight the first voxel counts; light falls on how far away it is.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from fgnet.report.segment.planes import AXES

Array = npt.NDArray[Any]
Depth = npt.NDArray[np.float64]
LIGHT = np.array([-0.45, -0.35, -0.82])  # from where light comes: above, left, in front
AMBIENT = 0.45
FOG = 0.35  # of the light that the farthest point has lost
OUTLINE = (128, 128, 128)  # seen on white and on black
BEHIND = (150, 150, 150)
EDGE = 2  # pixels around a view, room for the outline
THIN = 0.45  # opacity of what lies outside the object


@dataclass(frozen=True)
class Thing:
    """An object in a box of voxels that are near cubes; see :func:`cubic`.

    Attributes:
        inside: (z, y, x), which colour each voxel of the object has, from 1; 0 outside of it.
        beyond: (z, y, x), what else to show, pale and behind it.
    """

    inside: npt.NDArray[np.integer]
    beyond: npt.NDArray[np.bool_]


def cubic(box: Array, voxel_size: tuple[float, ...]) -> Array:
    """A box (z, y, x) of labels in voxels that are near cubes, by repeating the long sides."""
    for axis, nm in enumerate(voxel_size):
        count = max(1, round(box.shape[axis] * nm / min(voxel_size)))
        places = ((np.arange(count) + 0.5) / count * box.shape[axis]).astype(int)
        box = np.take(box, places, axis=axis)
    return box


def view(thing: Thing, name: str, palette: Array) -> npt.NDArray[np.uint8]:
    """One view of an object: (rows, columns, 4) uint8, transparent where there is nothing.

    Args:
        name: of the plane that is looked at, one of ``planes.AXES``.
        palette: (colours + 1, 3), 0 to 255; row i is the colour of ``inside == i``.
    """
    inside, beyond = (
        np.pad(np.moveaxis(part, AXES[name], 0), ((0, 0), (EDGE, EDGE), (EDGE, EDGE)))
        for part in (thing.inside, thing.beyond > 0)
    )
    picture = np.zeros((*inside.shape[1:], 4))
    depth = nearest(beyond > 0)
    seen = np.isfinite(depth)
    picture[seen, :3] = np.array(BEHIND) * shade(depth)[seen, None]
    picture[seen, 3] = 255 * THIN
    depth = nearest(inside > 0)
    seen = np.isfinite(depth)
    first = np.where(seen, depth, 0).astype(int)
    colour = np.take_along_axis(inside, first[None], axis=0)[0]
    picture[seen, :3] = palette[colour[seen]] * shade(depth)[seen, None]
    picture[seen, 3] = 255
    picture[ndimage.binary_dilation(seen) & ~seen] = (*OUTLINE, 255)
    drawn: npt.NDArray[np.uint8] = picture.round().clip(0, 255).astype(np.uint8)
    return drawn


def nearest(mask: npt.NDArray[np.bool_]) -> Depth:
    """How far along the first axis a mask begins, (rows, columns); infinite where it is empty."""
    return np.where(mask.any(0), mask.argmax(0), np.inf)


def shade(depth: Depth) -> Depth:
    """How bright each pixel is, 0 to 1: light on the slope, and less of it far away."""
    seen = np.isfinite(depth)
    if not seen.any():
        return np.ones_like(depth)
    near, far = depth[seen].min(), depth[seen].max()
    weight = ndimage.gaussian_filter(seen.astype(np.float64), 1.5)
    smooth = ndimage.gaussian_filter(np.where(seen, depth, 0), 1.5) / np.maximum(weight, 1e-6)
    down, right = np.gradient(smooth)
    normal = np.stack([down, right, -np.ones_like(down)], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    facing = (normal @ (LIGHT / np.linalg.norm(LIGHT))).clip(0, 1)
    fog = 1 - FOG * (np.where(seen, depth, far) - near) / max(far - near, 1.0)
    bright: Depth = (AMBIENT + (1 - AMBIENT) * facing) * fog
    return bright
