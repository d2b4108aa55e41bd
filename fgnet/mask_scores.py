"""The file of the scores of the masks of one set of images, as JSON; docs/scores.md defines them.

:mod:`fgnet.scores` reads and writes it.
"""

from typing import Any

from fgnet.scores import Interval, Record


class MaskScores(Record):
    """Scores of the mask of a class, from 0 to 1; of all but the error 1 is perfect.

    ``dice``, ``iou`` and ``boundary_f1`` are of the mask at the threshold, ``dice_swept``,
    ``iou_swept`` and ``e_mean`` means over the thresholds 0, 1/255 .. 1, and ``e_max`` the
    E-measure at the best of them: of the image, or, in a mean over images, of all together.
    ``mean_absolute_error``, ``weighted_f`` and ``s_measure`` are of the probabilities.
    """

    dice: float
    iou: float
    dice_swept: float
    iou_swept: float
    weighted_f: float
    s_measure: float
    e_mean: float
    e_max: float
    mean_absolute_error: float
    boundary_f1: float


class MaskIntervals(Record):
    """Of each score the middle 95 % of resamples of the images."""

    dice: Interval
    iou: Interval
    dice_swept: Interval
    iou_swept: Interval
    weighted_f: Interval
    s_measure: Interval
    e_mean: Interval
    e_max: Interval
    mean_absolute_error: Interval
    boundary_f1: Interval


class ClassOfImage(Record):
    """The scores of one class on one image, and of how many pixels that count it is.

    ``true`` pixels are of the class, ``found`` are in its mask.
    """

    true: int
    found: int
    scores: MaskScores


class ScoredImage(Record):
    """The scores of one image: ``classes`` in the order of the file's.

    ``size`` is (y, x) in pixels, ``pixels`` how many count.
    """

    name: str
    size: tuple[int, int]
    pixels: int
    classes: list[ClassOfImage]


class Means(Record):
    """Mean scores over so many images; no intervals for a single one."""

    images: int
    means: MaskScores
    intervals: MaskIntervals | None


class Summary(Record):
    """Means over all images that are scored, and over those that show the class, if any does.

    Over all classes they are the means of the classes' means, and ``where_shown.images`` are those
    that show any.
    """

    every_image: Means
    where_shown: Means | None


class SetScores(Record):
    """The file of the scores of the masks of one set of images.

    ``boundary_tolerance`` is a share of an image's diagonal. ``by_class`` is in the order of
    ``classes``, ``images`` in that of the set; ``unlabelled`` names those without a labelled pixel,
    which are not scored. ``treatment`` says in words what was scored, and how.
    """

    classes: list[str]
    threshold: float
    boundary_tolerance: float
    overall: Summary
    by_class: list[Summary]
    images: list[ScoredImage]
    unlabelled: list[str]
    resamples: int
    treatment: str
    made_by: dict[str, Any]
