"""The masks that have scores, and their table for everybody: page and terminal."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fgnet import scores
from fgnet.mask_scores import MaskScores, SetScores
from fgnet.report import html, words
from fgnet.report.columns import Column, marked, number
from fgnet.report.evaluate.results import STANDS_OUT
from fgnet.settings.base import Section

NONE = "No set of images has masks to compare with, so no pixel is scored."


DICE = Column("Dice", "dice", more=True)
IOU = Column("IoU", "iou", more=True)
BOUNDARY = Column("boundary F1", "boundary_f1", more=True)
MAE = Column("MAE", "mean_absolute_error")
AT_THRESHOLD = (
    DICE, IOU, BOUNDARY,
    Column("swept Dice", "dice_swept", more=True), Column("swept IoU", "iou_swept", more=True),
)  # fmt: skip
OF_CHANCES = (
    Column("weighted F", "weighted_f", more=True), Column("S-measure", "s_measure", more=True),
    Column("mean E-measure", "e_mean", more=True), Column("max E-measure", "e_max", more=True), MAE,
)  # fmt: skip
SHORT = (DICE, IOU, BOUNDARY, *OF_CHANCES[:3], MAE)
HEADER = ("set", "model", *(column.title for column in SHORT))


class Entry(Section):
    """The masks of one set by one model: names and files.

    ``scores`` is None for a set without masks; ``page`` is the masks' own page.
    """

    model: str
    images: str
    split: Literal["train", "validation", "test", "predict"] | None = None
    scores: Path | None = None
    page: Path | None = None

    @property
    def place(self) -> str:
        """The set and what it is for."""
        named = self.split is None or self.split == self.images
        return self.images if named else f"{self.images} ({self.split})"


@dataclass(frozen=True)
class Result:
    """An entry, and its scores."""

    entry: Entry
    file: SetScores

    @property
    def means(self) -> MaskScores:
        """Over every image, and over classes."""
        return self.file.overall.every_image.means

    @property
    def dices(self) -> list[float]:
        """Of each image, in the order of the file: the mean over classes."""
        return [mean_dice(one.classes) for one in self.file.images]


def mean_dice(classes: Sequence[Any]) -> float:
    """Over the classes of an image."""
    return float(sum(one.scores.dice for one in classes) / len(classes))


def entries(values: Sequence[Any]) -> list[Entry]:
    """Check the parameter ``masks``. Raises InputError naming the key at fault."""
    return [Entry.checked(value) for value in values]


def read(found: Sequence[Entry]) -> list[Result]:
    """The scores of the entries that have any; test sets first, the rows of one set together."""
    results = [
        Result(entry, scores.read(entry.scores, SetScores))
        for entry in found
        if entry.scores is not None
    ]
    sets = [entry.images for entry in found]
    return sorted(
        results, key=lambda one: (one.entry.split != "test", sets.index(one.entry.images))
    )


def rivals(result: Result, results: Sequence[Result]) -> list[Result]:
    """All masks of the same set, itself among them."""
    return [other for other in results if other.entry.images == result.entry.images]


def best_words(results: Sequence[Result]) -> str:
    """What a legend says of the best: nothing where no set has masks by several models."""
    return STANDS_OUT.replace("volume", "set") if any(
        len(rivals(one, results)) > 1 for one in results
    ) else ""  # fmt: skip


def table(results: Sequence[Result], links: Sequence[str | None]) -> html.Html:
    """The score table; in each set's columns the best stands out.

    Args:
        links: URL of each result's page.
    """
    rows: list[list[html.Content]] = []
    for result, target in zip(results, links, strict=True):
        entry = result.entry
        others = [other.means for other in rivals(result, results)]
        cells = [
            marked(number(column.of(result.means)), column.of(result.means),
                   [column.of(one) for one in others], column.more)
            for column in SHORT
        ]  # fmt: skip
        first = html.link(target, entry.place) if target else entry.place
        rows.append([first, entry.model, *cells])
    return html.table(HEADER, rows, len(SHORT), folds=True)


def plain(results: Sequence[Result]) -> str:
    """The score table as text for a terminal."""
    if not results:
        return "No set of images has masks to compare with, so there are no scores.\n"
    rows = [list(HEADER)]
    for result in results:
        numbers = [number(column.of(result.means)) for column in SHORT]
        rows.append([result.entry.images, result.entry.model, *numbers])
    return words.aligned(rows, len(SHORT))
