"""How far the mask of a class is from the truth, image by image.

Every function takes one image: ``true`` (y, x) bool, and either ``found`` (y, x) bool, a mask, or
``chances`` (y, x) uint8, probabilities times 255, of which no value is stretched or clipped before.
``known`` (y, x) bool is False at pixels that do not count; None counts all of them. At a threshold
t of 0, 1 .. 255 the mask is ``chances >= t``, so at 0 it is everything.

1 is perfect and 0 is worst, but for the mean absolute error, where it is the other way round. What
a definition leaves open where the truth is empty is said of each score; docs/scores.md sums it up.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Mask = npt.NDArray[np.bool_]
Chances = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

LEVELS = 256
HIGHEST = LEVELS - 1
# of the weighted F-measure (Margolin et al. 2014): the errors of a window are averaged in an
# object, and beside it an error weighs half as much more after so many pixels
WINDOW, SIGMA = 7, 5.0
HALF = 5.0


def dice(found: Mask, true: Mask) -> float:
    """2 |F and T| / (|F| + |T|) (Dice 1945), of masks of any shape.

    1 where both are empty, 0 where one is.
    """
    return _share(2 * _count(found & true), _count(found) + _count(true))


def iou(found: Mask, true: Mask) -> float:
    """|F and T| / |F or T| (Jaccard 1901), of masks of any shape.

    1 where both are empty, 0 where one is.
    """
    return _share(_count(found & true), _count(found | true))


class Curves(NamedTuple):
    """Scores at the thresholds 0, 1 .. 255, each (256,)."""

    dice: Floats
    iou: Floats
    e_measure: Floats


def curves(chances: Chances, true: Mask, known: Mask | None = None) -> Curves:
    """Dice, IoU and E-measure (Fan et al., IJCAI 2018) at every threshold.

    PraNet's toolbox reports their means over thresholds, and the highest of the mean curve of a
    set. The E-measure compares F and T after subtracting their means: the alignment of a pixel is
    2 f t / (f² + t²), and the score is the mean of (1 + alignment)² / 4 over the pixels that count.
    (That toolbox divides by one pixel less, so that it exceeds 1 by as much.)

    Where T is empty, Dice and IoU are 1 at thresholds at which F is too and else 0, and the
    E-measure is the share of pixels that are not in F; where T is everything, the share in F.
    """
    inside, outside = _histograms(chances, true, known)
    right, wrong = (np.cumsum(each[::-1])[::-1].astype(np.float64) for each in (inside, outside))
    objects, pixels = right[0], right[0] + wrong[0]
    found = right + wrong
    both, union = found + objects, wrong + objects
    empty = both == 0
    return Curves(
        np.where(empty, 1.0, 2 * right / np.maximum(both, 1)),
        np.where(empty, 1.0, right / np.maximum(union, 1)),
        _e_measure(right, wrong, objects, pixels),
    )


def _e_measure(right: Floats, wrong: Floats, objects: float, pixels: float) -> Floats:
    """From how many pixels of F are in T and how many are not, of all objects and pixels."""
    found = right + wrong
    if objects in (0, pixels):
        return (found if objects else pixels - found) / pixels
    counts = (right, wrong, objects - right, pixels - objects - wrong)
    score = np.zeros_like(found)
    for count, (in_found, in_true) in zip(counts, ((1, 1), (1, 0), (0, 1), (0, 0)), strict=True):
        f, t = in_found - found / pixels, in_true - objects / pixels
        score += count * (1 + 2 * f * t / (f**2 + t**2)) ** 2 / 4
    return score / pixels


def mean_absolute_error(chances: Chances, true: Mask, known: Mask | None = None) -> float:
    """Mean of |probability - truth| (Perazzi et al. 2012), 0 is perfect."""
    inside, outside = _histograms(chances, true, known)
    levels = np.arange(LEVELS)
    errors = int(inside @ (HIGHEST - levels) + outside @ levels)
    return errors / HIGHEST / int(inside.sum() + outside.sum())


def weighted_f(chances: Chances, true: Mask, known: Mask | None = None) -> float:
    """The weighted F-measure, beta² = 1 (Margolin et al., CVPR 2014).

    F of a precision and a recall of errors instead of pixels. In an object an error counts as the
    mean around it (Gaussian, 7 pixels wide, sigma 5) where that is less: gaps beside hits weigh
    less. In it lies outside of objects the error of the nearest pixel of one, and outside of the
    image 0. Beside an object an error weighs 1 to 2, more with the distance. Pixels that do not
    count are such outside of objects, whose own errors are left out.

    Where T is empty: 1 where every chance is 0, else 0.
    """
    known = _all(true) if known is None else known
    true = true & known
    error = np.where(known, np.abs(chances / HIGHEST - true), 0.0)
    if not true.any():
        return float(not error.any())
    distance, nearest = ndimage.distance_transform_edt(~true, return_indices=True)
    mean = ndimage.gaussian_filter(
        error[tuple(nearest)], SIGMA, mode="constant", radius=WINDOW // 2
    )
    hits = _count(true) - np.minimum(error, mean)[true].sum()
    false = (error * (2 - 0.5 ** (distance / HALF)))[~true].sum()
    recall = hits / _count(true)
    precision = hits / (hits + false) if hits + false else 0.0
    return float(_harmonic(precision, recall))


def s_measure(chances: Chances, true: Mask, known: Mask | None = None) -> float:
    """The structure measure, alpha = 0.5 (Fan et al., ICCV 2017).

    The mean of how evenly objects and the rest are told apart (2 m / (m² + 1 + s), with the mean
    and the sample's standard deviation of the chances in objects, and of their complement in the
    rest, weighed by area), and of the structural similarity of the four quadrants about the
    objects' centroid, weighed by area. Below 0 it is 0.

    Where T is empty: 1 - the mean chance; where T is everything: the mean chance.
    """
    known = _all(true) if known is None else known
    true = true & known
    pixels, objects = _count(known), _count(true)
    if objects in (0, pixels):
        mean = float(chances[known].mean(dtype=np.float64)) / HIGHEST
        return mean if objects else 1 - mean
    share = objects / pixels
    inside, rest = chances[true], HIGHEST - chances[known & ~true]
    alike = share * _evenness(inside) + (1 - share) * _evenness(rest)
    # half a pixel is rounded up, and the centroid's row and column belong to the first quadrants
    y, x = (int(np.floor(where.mean() + 0.5)) + 1 for where in np.nonzero(true))
    region = 0.0
    for rows in (slice(y), slice(y, None)):
        for columns in (slice(x), slice(x, None)):
            counted = known[rows, columns]
            if counted.any():
                part = chances[rows, columns][counted], true[rows, columns][counted]
                region += _similarity(*part) * _count(counted) / pixels
    return max(0.0, (alike + region) / 2)


def _evenness(chances: Chances) -> float:
    values = chances / HIGHEST
    mean = values.mean()
    return float(2 * mean / (mean**2 + 1 + (values.std(ddof=1) if values.size > 1 else 0)))


def _similarity(chances: Chances, true: Mask) -> float:
    """4 c p t / ((p² + t²) (p's variance + t's)) of means p, t and covariance c; (n,) each.

    In whole numbers, so that what does not vary has no variance: then, or where both means are 0,
    it is 1.
    """
    count, ones = chances.size, _count(true)
    levels = chances.astype(np.int64)
    total = int(levels.sum())
    # moments times count², the first HIGHEST² times too large, the last HIGHEST times
    varies = count * int(levels @ levels) - total**2
    truth = count * ones - ones**2
    together = count * int(levels[true].sum()) - total * ones
    below = (total**2 + (HIGHEST * ones) ** 2) * (varies + HIGHEST**2 * truth)
    return 4 * HIGHEST**2 * total * ones * together / below if below else 1.0


def boundary_f1(found: Mask, true: Mask, tolerance: float, known: Mask | None = None) -> float:
    """The boundary F1 score (Csurka et al., BMVC 2013).

    F of the share of F's boundary at most ``tolerance`` pixels (Euclidean) from T's, and of the
    reverse. A boundary is the pixels of a mask beside (4-neighbours) one that counts and is not in
    it; where a mask meets the edge of the image, or pixels that do not count, it has none.

    1 where neither has a boundary, 0 where one has none.
    """
    known = _all(true) if known is None else known
    first, second = (
        mask & known & ndimage.binary_dilation(~mask & known) for mask in (found, true)
    )
    if not first.any() or not second.any():
        return float(not first.any() and not second.any())
    return float(_harmonic(_near(first, second, tolerance), _near(second, first, tolerance)))


def _near(boundary: Mask, other: Mask, tolerance: float) -> float:
    away = ndimage.distance_transform_edt(~other)[boundary]
    return float(_count(away <= tolerance) / away.size)


def _histograms(
    chances: Chances, true: Mask, known: Mask | None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """How many pixels inside and outside of objects have each level, (256,) each."""
    counted = _all(true) if known is None else known
    inside, outside = (
        np.bincount(chances[part & counted], minlength=LEVELS) for part in (true, ~true)
    )
    if not inside.any() and not outside.any():
        raise ValueError("no pixel counts")
    return inside, outside


def _all(true: Mask) -> Mask:
    return np.ones(true.shape, np.bool_)


def _count(mask: Mask) -> int:
    return int(np.count_nonzero(mask))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def _harmonic(one: float, other: float) -> float:
    return 2 * one * other / (one + other) if one + other else 0.0
