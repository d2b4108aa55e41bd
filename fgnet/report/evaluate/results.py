"""The segmentations that have scores, and their table for everybody: page and terminal."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fgnet import scores
from fgnet.report import html, words
from fgnet.report.columns import marked
from fgnet.settings.base import Section

HEADER = ("volume", "model", "agglomeration", "threshold",
          "VOI split", "VOI merge", "VOI sum", "ARAND",
          "VOI sum, components", "ARAND, components")  # fmt: skip
NUMBERS = 7
# of the numbers, those whose lowest stands out
BEST = (3, 4, 5, 6)
STANDS_OUT = ", and the best of each volume stands out"


class Entry(Section):
    """One segmentation of the report: its names and its files.

    ``scores`` and ``neurons`` are None for a volume without labels, ``run_lengths`` for one without
    skeletons; ``page`` is the segmentation's own page.
    """

    model: str
    agglomeration: str
    volume: str
    split: Literal["train", "validation", "test", "predict"] | None = None
    scores: Path | None = None
    neurons: Path | None = None
    run_lengths: Path | None = None
    page: Path | None = None

    @property
    def name(self) -> str:
        """The entry in words."""
        return f"{self.method} · {self.volume}"

    @property
    def method(self) -> str:
        """What made the segmentation."""
        return f"{self.model} · {self.agglomeration}"

    @property
    def place(self) -> str:
        """The volume and what it is for."""
        return f"{self.volume} ({self.split})" if self.split else self.volume


@dataclass(frozen=True)
class Result:
    """An entry, and its scores at the chosen threshold."""

    entry: Entry
    file: scores.Neurons

    @property
    def threshold(self) -> float:
        """The one that was chosen."""
        return self.file.threshold

    @property
    def ids(self) -> scores.Row:
        """The scores against ids."""
        return self.file.against_ids.chosen

    @property
    def components(self) -> scores.Row:
        """The scores against components."""
        return self.file.against_components.chosen


def entries(values: Sequence[Any]) -> list[Entry]:
    """Check the parameter ``segmentations``. Raises InputError naming the key at fault."""
    return [Entry.checked(value) for value in values]


def read(found: Sequence[Entry]) -> list[Result]:
    """The scores of the entries that have any, at the threshold chosen for each.

    Test volumes come first, and the rows of one volume stand together.
    """
    results = [
        Result(entry, scores.read(entry.neurons, scores.Neurons))
        for entry in found
        if entry.neurons is not None
    ]
    volumes = [entry.volume for entry in found]
    return sorted(
        results, key=lambda one: (one.entry.split != "test", volumes.index(one.entry.volume))
    )


def rivals(result: Result, results: Sequence[Result]) -> list[Result]:
    """All segmentations of the same volume, itself among them."""
    return [other for other in results if other.entry.volume == result.entry.volume]


def best_words(results: Sequence[Result]) -> str:
    """What a legend says of the best: nothing where no volume has several segmentations."""
    return STANDS_OUT if any(len(rivals(one, results)) > 1 for one in results) else ""


def numbers(result: Result) -> list[str]:
    """The columns of numbers of a result."""
    ids, components = result.ids, result.components
    return [
        f"{result.threshold:g}",
        *(f"{value:.4f}" for value in (ids.voi_split, ids.voi_merge, ids.voi_sum, ids.arand)),
        *(f"{value:.4f}" for value in (components.voi_sum, components.arand)),
    ]


def table(results: Sequence[Result], links: Sequence[str | None] | None = None) -> html.Html:
    """The score table; in each volume's columns the lowest VOI sum and ARAND stand out.

    Args:
        links: URL of each result's page.
    """
    rows: list[list[html.Content]] = []
    for place, result in enumerate(results):
        entry = result.entry
        cells: list[html.Content] = [*numbers(result)]
        for column in BEST:
            number = numbers(result)[column]
            others = [float(numbers(rival)[column]) for rival in rivals(result, results)]
            cells[column] = marked(number, float(number), others)
        target = links[place] if links else None
        first = html.link(target, entry.place) if target else entry.place
        rows.append([first, entry.model, entry.agglomeration, *cells])
    return html.table(HEADER, rows, NUMBERS, folds=True)


def plain(results: Sequence[Result]) -> str:
    """The score table as text for a terminal."""
    if not results:
        return "No volume has ground truth, so there are no scores.\n"
    rows = [list(HEADER)]
    for result in results:
        entry = result.entry
        rows.append([entry.volume, entry.model, entry.agglomeration, *numbers(result)])
    return words.aligned(rows, NUMBERS)
