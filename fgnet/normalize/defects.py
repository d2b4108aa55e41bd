"""Which sections are lost or bordered, and which sound sections can stand in for them."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from fgnet.normalize.tables import Counts
from fgnet.sections import BLACK, BORDERED, LOST, SOUND, WHITE, steps
from fgnet.settings.normalize import OfVolumes

Sample = npt.NDArray[np.unsignedinteger]
Mask = npt.NDArray[np.uint8]
NOWHERE = -1


def find(sample: Sample, counts: Counts, settings: OfVolumes) -> tuple[int, Mask | None]:
    """The kind of a section, and where its border lies if it has one.

    A section is lost where one grey value makes up ``lost_share`` of it or more. It is bordered
    where its darkest or its brightest grey value fills ``border_share`` of it or more along the
    image's sides, see :func:`outside`.

    Args:
        sample: (y, x), every n-th row and column of the section.
        counts: of all its grey values.

    Returns:
        the kind (:mod:`fgnet.sections`), and for a bordered section a mask of the sample's shape.
    """
    if counts.max() >= settings.lost_share * counts.sum():
        return LOST, None
    mask = np.zeros(sample.shape, np.uint8)
    for bit, value in zip((BLACK, WHITE), ends(counts), strict=True):
        flat = sample == value
        # most sections hold too few such pixels, which costs nothing to see
        if flat.mean() >= settings.border_share:
            area = outside(flat, settings.border_side)
            if area.mean() >= settings.border_share:
                # the pixels between the sample's may belong to it on either side
                mask[ndimage.binary_dilation(area, np.ones((3, 3)))] |= bit
    return (BORDERED, mask) if mask.any() else (SOUND, None)


def ends(counts: Counts) -> tuple[int, int]:
    """The darkest and the brightest grey value that occur."""
    seen = np.flatnonzero(counts)
    return int(seen[0]), int(seen[-1])


def outside(flat: npt.NDArray[np.bool_], side: float) -> npt.NDArray[np.bool_]:
    """The parts of an area (y, x) that run along ``side`` or more of a side of the image.

    Only pixels in the middle of 3 x 3 of the area count for that: tissue that is clipped to black
    or white meets the edge as a lace or in short pieces.
    """
    parts, _ = ndimage.label(flat)
    cores = np.where(ndimage.binary_erosion(flat, np.ones((3, 3)), border_value=1), parts, 0)
    kept: list[int] = []
    for line in (cores[0], cores[-1], cores[:, 0], cores[:, -1]):
        names, lengths = np.unique(line[line > 0], return_counts=True)
        kept += names[lengths >= side * len(line)].tolist()
    area: npt.NDArray[np.bool_] = np.isin(parts, kept)
    return area


def spread(mask: Mask, shape: tuple[int, ...], y: slice, x: slice) -> Mask:
    """The part of a sample's mask that lies over rows and columns of a section, one value each."""
    down, right = steps(shape)
    rows, columns = np.arange(y.start, y.stop) // down, np.arange(x.start, x.stop) // right
    part: Mask = mask[np.ix_(rows, columns)]
    return part


def border(
    part: npt.NDArray[np.unsignedinteger], mask: Mask, darkest: int, brightest: int
) -> npt.NDArray[np.bool_]:
    """The pixels (y, x) of a border: under the mask, and of its grey value."""
    black = (mask & BLACK > 0) & (part == darkest)
    white = (mask & WHITE > 0) & (part == brightest)
    bad: npt.NDArray[np.bool_] = black | white
    return bad


def stand_ins(kinds: npt.NDArray[np.uint8], longest: int) -> npt.NDArray[np.int64]:
    """For each section the sections before and after it that replace its bad pixels.

    These are the nearest sound ones. Where there is one on one side only, it stands on both. A
    gap of more than ``longest`` sections stays. Where every section has a border this is the
    padding of the volume: it stays, and lost sections are made of the bordered.

    Returns:
        (z, 2), -1 where nothing is replaced.
    """
    depth = len(kinds)
    good = np.flatnonzero(kinds == SOUND)
    if not len(good):
        good = np.flatnonzero(kinds != LOST)
    found = np.full((depth, 2), NOWHERE, np.int64)
    if not len(good):
        return found
    bad = np.setdiff1d(np.flatnonzero(kinds != SOUND), good)
    place = np.searchsorted(good, bad)
    before, after = np.append(NOWHERE, good)[place], np.append(good, depth)[place]
    near = after - before - 1 <= longest
    before, after, bad = before[near], after[near], bad[near]
    found[bad, 0] = np.where(before == NOWHERE, after, before)
    found[bad, 1] = np.where(after == depth, before, after)
    return found
