"""Pictures of images and masks of classes: outlines, probabilities, errors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from fgnet.imageset import UNLABELLED
from fgnet.report import html

Array = npt.NDArray[Any]
Picture = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]
# of Okabe and Ito's colours, which the colour-blind tell apart: first those that show on red tissue
# and mean no error
CLASSES = (
    (240, 228, 66), (0, 158, 115), (0, 114, 178), (230, 159, 0), (204, 121, 167), (86, 180, 233)
)  # fmt: skip
HALO = (0, 0, 0)  # around outlines, so that they show on bright and on dark
MISSED = (86, 180, 233)
FALSE = (213, 94, 0)
CONFUSED = (204, 121, 167)
RIGHT = (255, 255, 255)
NOBODY = (110, 110, 110)  # pixels that nobody labelled
FILL = 0.65
FAINT = 0.3
TINT = 0.14  # of the area within an outline
WIDTH = 2  # pixels of an outline
ERRORS = (
    (MISSED, "missed: of a class, and in no mask of it"),
    (FALSE, "false: in a mask, and of no class"),
    (CONFUSED, "taken for another class"),
    ((205, 205, 205), "right, pale"),  # as it looks, and visible on white paper
    (NOBODY, "not labelled"),
)


def colour(number: int) -> tuple[int, int, int]:
    """Of class number k, from 0 on; beyond the palette darker."""
    shade, place = divmod(number, len(CLASSES))
    red, green, blue = (round(value * 0.55**shade) for value in CLASSES[place])
    return red, green, blue


def css(code: tuple[int, int, int]) -> str:
    """A colour as a page names it."""
    return f"rgb{code}"


def keys(classes: Sequence[str], unlabelled: bool = False) -> html.Html:
    """What the colours of classes mean."""
    entries = [(css(colour(k)), name) for k, name in enumerate(classes)]
    more = [(css(NOBODY), "not labelled")] if unlabelled else []
    return html.keys([*entries, *more], "Masks")


def wrong(several: bool, unlabelled: bool) -> html.Html:
    """What the colours of errors mean: only those that there can be."""
    left = {*(() if several else (CONFUSED,)), *(() if unlabelled else (NOBODY,))}
    return html.keys([(css(code), words) for code, words in ERRORS if code not in left], "Errors")


def fitted(picture: Array, longest: int, exact: bool = False) -> Array:
    """A picture (y, x) or (y, x, 3) uint8 with a longest side of so many pixels.

    Small ones are enlarged, so that outlines are thin; labels stay ``exact``.
    """
    y, x = picture.shape[:2]
    share = longest / max(y, x)
    size = max(1, round(x * share)), max(1, round(y * share))
    smooth = Image.Resampling.BOX if share < 1 else Image.Resampling.BICUBIC
    how = Image.Resampling.NEAREST if exact else smooth
    return np.asarray(Image.fromarray(picture).resize(size, how))


def rings(flags: Flags) -> tuple[Flags, Flags]:
    """The outline of an area, of its own pixels, and what lies around that."""
    inner = flags & ~ndimage.binary_erosion(flags, border_value=1, iterations=WIDTH)
    outer = ndimage.binary_dilation(flags) & ~flags
    return inner, outer


def outlined(raw: Picture, masks: Sequence[Flags], known: Flags | None = None) -> Picture:
    """Masks of classes over an image: a faint area in an outline each, grey where not known.

    Args:
        raw: (y, x, 3).
        masks: (y, x) of each class, in order.
    """
    shown = raw.astype(np.float64)
    if known is not None:
        shown[~known] = _mixed(shown[~known], NOBODY, FILL)
    for k, flags in enumerate(masks):
        inner, outer = rings(flags)
        shown[flags] = _mixed(shown[flags], colour(k), TINT)
        shown[outer] = _mixed(shown[outer], HALO, FAINT)
        shown[inner] = colour(k)
    return _bytes(shown)


def of_labels(raw: Picture, labels: Picture, classes: int) -> Picture:
    """As :func:`outlined`, of labels as :mod:`fgnet.imageset` has them."""
    masks = [labels == k + 1 for k in range(classes)]
    return outlined(raw, masks, labels != UNLABELLED)


def probable(chances: Picture) -> Picture:
    """Chances (classes, y, x) uint8: grey of a single class, else in the most probable one's."""
    if len(chances) == 1:
        return np.repeat(chances[0][..., None], 3, axis=2)
    palette = np.array([colour(k) for k in range(len(chances))], np.float64)
    return _bytes(palette[chances.argmax(0)] * (chances.max(0) / 255.0)[..., None])


def errors(raw: Picture, masks: Sequence[Flags], labels: Picture) -> Picture:
    """Over an image in grey: what masks of classes miss, find falsely, or take for another.

    Args:
        raw: (y, x, 3).
        masks: (y, x) of each class; a pixel may be in several.
        labels: (y, x), see :mod:`fgnet.imageset`.
    """
    true = [labels == k + 1 for k in range(len(masks))]
    missed = np.any([t & ~m for t, m in zip(true, masks, strict=True)], axis=0)
    false = np.any([m & ~t for t, m in zip(true, masks, strict=True)], axis=0)
    right = np.any([m & t for t, m in zip(true, masks, strict=True)], axis=0)
    shown = np.repeat(raw.mean(2, keepdims=True), 3, axis=2)
    parts = (
        (right, RIGHT, FAINT), (missed, MISSED, FILL), (false, FALSE, FILL),
        (false & np.any(true, axis=0), CONFUSED, FILL), (labels == UNLABELLED, NOBODY, FILL),
    )  # fmt: skip
    grey = shown.copy()
    for flags, code, strength in parts:
        shown[flags] = _mixed(grey[flags], code, strength)
    return _bytes(shown)


def _mixed(values: Array, code: tuple[int, int, int], strength: float) -> Array:
    found: Array = values * (1 - strength) + np.array(code, np.float64) * strength
    return found


def _bytes(values: Array) -> Picture:
    found: Picture = values.round().astype(np.uint8)
    return found
