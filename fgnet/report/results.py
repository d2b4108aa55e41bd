"""The scores of all segmentations: a table, and curves over the threshold."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from matplotlib.axes import Axes

from fgnet import scores
from fgnet.report import html
from fgnet.report.curves import LINES, chart
from fgnet.settings.base import Section

HEADER = ("volume", "model", "agglomeration", "threshold",
          "VOI split", "VOI merge", "VOI sum", "ARAND",
          "VOI sum, components", "ARAND, components")  # fmt: skip
NUMBERS = 7
# of the numbers, those whose lowest stands out
BEST = (3, 4, 5, 6)


class Entry(Section):
    """One segmentation of the report: its names and its files.

    ``scores`` is None for a volume without labels; ``page`` is the segmentation's own page.
    """

    model: str
    agglomeration: str
    volume: str
    split: Literal["train", "validation", "test", "predict"] | None = None
    scores: Path | None = None
    threshold: Path
    page: Path | None = None

    @property
    def name(self) -> str:
        """The entry in words."""
        return f"{self.model} · {self.agglomeration} · {self.volume}"


class Result(Section):
    """An entry with its scores at the chosen threshold, against ids and against components."""

    entry: Entry
    threshold: float
    ids: scores.Row
    components: scores.Row


def entries(values: Sequence[Any]) -> list[Entry]:
    """Check the parameter ``segmentations``. Raises InputError naming the key at fault."""
    return [Entry.checked(value) for value in values]


def read(found: Sequence[Entry]) -> list[Result]:
    """The scores of the entries that have any, at the threshold chosen for each.

    Test volumes come first, and the rows of one volume stand together.
    """
    results = []
    for entry in found:
        if entry.scores is None:
            continue
        threshold = scores.read(entry.threshold, scores.Choice).threshold
        sweep = scores.read(entry.scores, scores.Scores)
        results.append(
            Result(
                entry=entry,
                threshold=threshold,
                ids=sweep.against_ids.at(threshold),
                components=sweep.against_components.at(threshold),
            )
        )
    volumes = [entry.volume for entry in found]
    return sorted(
        results, key=lambda one: (one.entry.split != "test", volumes.index(one.entry.volume))
    )


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
        rivals = [other for other in results if other.entry.volume == entry.volume]
        cells: list[html.Content] = [*numbers(result)]
        for column in BEST:
            lowest = min(float(numbers(rival)[column]) for rival in rivals)
            if len(rivals) > 1 and float(numbers(result)[column]) == lowest:
                cells[column] = html.tag("strong", numbers(result)[column])
        name = f"{entry.volume} ({entry.split})" if entry.split else entry.volume
        target = links[place] if links else None
        first = html.link(target, name) if target else name
        rows.append([first, entry.model, entry.agglomeration, *cells])
    return html.table(HEADER, rows, NUMBERS)


def plain(results: Sequence[Result]) -> str:
    """The score table as text for a terminal."""
    if not results:
        return "No volume has ground truth, so there are no scores.\n"
    rows = [list(HEADER)]
    for result in results:
        entry = result.entry
        rows.append([entry.volume, entry.model, entry.agglomeration, *numbers(result)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    first = len(HEADER) - NUMBERS
    lines = [
        "  ".join(
            cell.ljust(width) if column < first else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def curves(found: Sequence[Entry]) -> html.Html:
    """VOI and ARAND over the threshold for every entry with scores; the choice is marked."""
    parts = []
    for entry in found:
        if entry.scores is None:
            continue
        sweep = scores.read(entry.scores, scores.Scores)
        choice = scores.read(entry.threshold, scores.Choice)
        parts.append(html.tag("h3", entry.name))
        words = f"Threshold {choice.threshold:g}: {choice.reason}."
        parts.append(html.Html(f'<p class="soft">{html.text(words)}</p>'))
        figures = [
            chart(
                partial(voi, rows=rows, at=choice.threshold),
                f"VOI over the threshold against {truth}, {entry.name}",
                f"VOI in bits, against {truth}",
            )
            for truth, rows in (
                ("ids", sweep.against_ids.sweep),
                ("components", sweep.against_components.sweep),
            )
        ]
        figures.append(
            chart(
                partial(arand, found=sweep, at=choice.threshold),
                f"ARAND over the threshold, {entry.name}",
                "Adapted Rand error",
            )
        )
        parts.append(html.grid(figures, "22rem"))
    return html.join(parts)


def voi(axes: Axes, rows: Sequence[scores.Row], at: float) -> None:
    """Draw VOI split, merge and sum over the threshold."""
    x = [row.threshold for row in rows]
    mark = "." if len(rows) > 1 else "o"
    axes.plot(x, [row.voi_sum for row in rows], f"{mark}-", color=LINES[0], label="sum")
    axes.plot(x, [row.voi_split for row in rows], f"{mark}--", color=LINES[2], label="split")
    axes.plot(x, [row.voi_merge for row in rows], f"{mark}:", color=LINES[1], label="merge")
    _finish(axes, at, "VOI (bits)")


def arand(axes: Axes, found: scores.Scores, at: float) -> None:
    """Draw ARAND over the threshold against both ground truths."""
    for sweep, style, label in (
        (found.against_ids.sweep, ".-", "against ids"),
        (found.against_components.sweep, ".--", "against components"),
    ):
        axes.plot(
            [row.threshold for row in sweep],
            [row.arand for row in sweep],
            style,
            color=LINES[0] if "ids" in label else LINES[5],
            label=label,
        )
    _finish(axes, at, "ARAND")


def _finish(axes: Axes, at: float, label: str) -> None:
    axes.axvline(at, color="#5b6670", lw=1, zorder=0)
    axes.set(xlabel="threshold", ylabel=label)
    axes.set_ylim(bottom=0)
