"""Score the masks of a set of images, class by class, against the masks that were drawn."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fgnet import imageset, ledger, progress, scores, volume
from fgnet.errors import InputError
from fgnet.imageset import UNLABELLED, Chances, ImageSet, Pixels
from fgnet.mask_scores import (
    ClassOfImage,
    MaskIntervals,
    MaskScores,
    Means,
    ScoredImage,
    SetScores,
    Summary,
)
from fgnet.metrics import bootstrap, masks
from fgnet.settings.base import Range
from fgnet.settings.evaluate import MaskScoring

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
NAMES = tuple(MaskScores.model_fields)
E_MAX = NAMES.index("e_max")


def run(
    chances_file: Path, labels_file: Path, ranges: Sequence[Range] | None, output: Path,
    settings: MaskScoring,
) -> None:  # fmt: skip
    """Write the scores of each image and class, and their means.

    Args:
        chances_file, labels_file: see :mod:`fgnet.imageset`.
        ranges: of the labels' images, those that the chances are of, in this order; None for all.
        output: JSON, see :class:`fgnet.mask_scores.SetScores`.

    Raises:
        InputError: the two are not of the same images and classes, or no pixel is labelled.
    """
    with imageset.opened_chances(chances_file) as chances, imageset.opened(labels_file) as images:
        numbers = images.numbers(ranges)
        check(chances, images, numbers)
        found, curves, unlabelled = [], [], []
        for number, place in enumerate(progress.track(numbers, "masks")):
            labels = images[place].labels
            assert labels is not None, "see check"
            if (labels == UNLABELLED).all():
                unlabelled.append(images.names[place])
                continue
            one, swept = scored(images.names[place], chances[number], labels, settings)
            ledger.voxels(one.pixels)
            found.append(one)
            curves.append(swept)
        if not found:
            raise InputError(
                f"{labels_file}: no pixel of these images is labelled, so there is nothing to "
                "score against; give the set masks that show more or the split 'predict'"
            )
        overall, by_class = summaries(found, np.array(curves))
        content = SetScores(
            classes=chances.classes,
            threshold=settings.threshold,
            boundary_tolerance=settings.boundary_tolerance,
            overall=overall,
            by_class=by_class,
            images=found,
            unlabelled=unlabelled,
            resamples=bootstrap.RESAMPLES,
            treatment=treatment(settings),
            made_by=volume.record(
                "evaluate",
                {"ranges": ranges, **settings.model_dump(mode="json")},
                [chances_file, labels_file],
            ),
        )
    scores.write(output, content)


def check(chances: Chances, images: ImageSet, numbers: list[int]) -> None:
    """Raise InputError where chances are not of these images."""
    ours, theirs = chances.file.filename, images.file.filename
    if not images.labelled:
        raise InputError(
            f"{theirs}: holds no masks to score against; give the set `masks`, or the split "
            "'predict'"
        )
    if chances.classes != images.classes:
        raise InputError(
            f"{ours}: chances of {', '.join(chances.classes)}, and the masks of {theirs} show "
            f"{', '.join(images.classes)}; score a set by the classes that the model learnt"
        )
    if len(chances) != len(numbers):
        raise InputError(
            f"{ours}: chances of {len(chances)} images, and the ranges of {theirs} hold "
            f"{len(numbers)}; run infer on the same ranges"
        )
    for number, place in enumerate(numbers):
        pairs = (("name", chances.names, images.names), ("size", chances.sizes, images.sizes))
        for what, mine, true in pairs:
            if mine[number] != true[place]:
                raise InputError(
                    f"{ours}: image {number} has the {what} {mine[number]!r}, and image {place} of "
                    f"{theirs} has {true[place]!r}; run infer on the same ranges of it"
                )


def scored(
    name: str, chances: Pixels, labels: Pixels, settings: MaskScoring
) -> tuple[ScoredImage, Floats]:
    """The scores of an image, each class by itself, and their E-measures at every threshold.

    Args:
        chances: (classes, y, x) uint8, probabilities times 255.
        labels: (y, x) uint8, see :mod:`fgnet.imageset`; some are known.

    Returns:
        The scores, and (classes, 256) E-measures.
    """
    known = labels != UNLABELLED
    size = labels.shape[0], labels.shape[1]
    tolerance = settings.boundary_tolerance * float(np.hypot(*size))
    classes, swept = [], []
    for number, chance in enumerate(chances, 1):
        true, found = labels == number, imageset.above(chance, settings.threshold)
        curves = masks.curves(chance, true, known)
        row = MaskScores(
            dice=masks.dice(found[known], true[known]),
            iou=masks.iou(found[known], true[known]),
            dice_swept=float(curves.dice.mean()),
            iou_swept=float(curves.iou.mean()),
            weighted_f=masks.weighted_f(chance, true, known),
            s_measure=masks.s_measure(chance, true, known),
            e_mean=float(curves.e_measure.mean()),
            e_max=float(curves.e_measure.max()),
            mean_absolute_error=masks.mean_absolute_error(chance, true, known),
            boundary_f1=masks.boundary_f1(found, true, tolerance, known),
        )
        counts = {"true": true.sum(), "found": (found & known).sum()}
        classes.append(ClassOfImage(scores=row, **{name: int(n) for name, n in counts.items()}))
        swept.append(curves.e_measure)
    pixels = int(np.count_nonzero(known))
    return ScoredImage(name=name, size=size, pixels=pixels, classes=classes), np.array(swept)


def summaries(found: list[ScoredImage], curves: Floats) -> tuple[Summary, list[Summary]]:
    """The means over classes, and those of each class.

    Args:
        curves: (images, classes, 256), E-measures at every threshold.
    """
    rows = np.array(
        [[list(one.scores.model_dump().values()) for one in image.classes] for image in found]
    )
    shown = np.array([[one.true > 0 for one in image.classes] for image in found])
    ways = means(rows, curves, np.ones_like(shown)), means(rows, curves, shown)
    overall, *classes = (
        Summary.model_validate({"every_image": every, "where_shown": only})
        for every, only in zip(*ways, strict=True)
    )
    return overall, classes


def means(rows: Floats, curves: Floats, counted: Flags) -> list[Means | None]:
    """Mean scores over the images that are counted, (images, classes): of all classes, and of each.

    None where no image is counted. All images are resampled together, so that classes and models
    share resamples; one that draws no image of a class leaves that out.
    """
    images, classes = counted.shape
    drawn = bootstrap.weights(images) if images > 1 else ()
    weights = np.concatenate([np.ones((1, images)), *drawn])
    each = np.stack(
        [weighted(weights * counted[:, k], rows[:, k], curves[:, k]) for k in range(classes)]
    )
    there = ~np.isnan(each)
    overall = np.where(there, each, 0).sum(0) / np.maximum(there.sum(0), 1)
    overall[~there.any(0)] = np.nan
    counts = counted.any(1).sum(), *counted.sum(0)
    return [described(one, int(count)) for one, count in zip((overall, *each), counts, strict=True)]


def weighted(weights: Floats, rows: Floats, curves: Floats) -> Floats:
    """Mean scores (k, scores) with weights (k, images); NaN where they are all 0.

    The best E-measure is the highest of the mean curve, as PraNet's toolbox has it, and not the
    mean of the images' highest.
    """
    total = weights.sum(1, keepdims=True)
    with np.errstate(invalid="ignore"):
        found: Floats = weights @ rows / total
        found[:, E_MAX] = (weights @ curves / total).max(1)
    return found


def described(found: Floats, images: int) -> Means | None:
    """From the scores over so many images in the first row, and of resamples in the others."""
    if not images:
        return None
    intervals = None
    if images > 1:
        resampled = found[1:][~np.isnan(found[1:]).any(1)]
        intervals = dict(zip(NAMES, map(bootstrap.interval, resampled.T), strict=True))
    return Means(
        images=images,
        means=MaskScores.model_validate(dict(zip(NAMES, found[0], strict=True))),
        intervals=MaskIntervals.model_validate(intervals) if intervals else None,
    )


def treatment(settings: MaskScoring) -> str:
    """What was scored, and how."""
    return (
        "Every image is scored at its own size and every class by itself: a pixel is in its mask "
        f"where its probability is at least {settings.threshold:g}, and may be in several. Pixels "
        "that nobody labelled are not scored. Where a class is not on an image, Dice, IoU and "
        "boundary F1 are 1 if its mask is empty too and else 0; the weighted F-measure is 1 if all "
        "probabilities are 0 and else 0. Probabilities are in steps of 1/255 and are not "
        "stretched; swept scores and E-measures are of all 256 thresholds. Boundaries meet up to "
        f"{settings.boundary_tolerance:g} of the image's diagonal apart. Means are over images, "
        f"then over classes; intervals are of {bootstrap.RESAMPLES} resamples of the images."
    )
