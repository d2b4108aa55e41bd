"""Segmentations of one volume against the best of them, on the same resamples of its neurons."""

from collections.abc import Sequence

import numpy as np

from fgnet import scores
from fgnet.metrics import bootstrap
from fgnet.report import html
from fgnet.report.columns import Column, against_best, number
from fgnet.report.evaluate.results import Result
from fgnet.report.evaluate.verdicts import ERRORS

SCORES = (ERRORS[2], ERRORS[3])
WORDS = (
    "How much worse than the best each is, with the middle 95 % of what {resamples:,} resamples of "
    "the neurons give, the same for both. Where that holds 0, the neurons of this volume do not "
    "tell the two apart. The best was picked on this volume, which flatters it a little. "
    "Against {truth}."
)


def show(results: Sequence[Result]) -> html.Html:
    """A table for every test volume that has several segmentations; nothing where none has."""
    volumes: dict[str, list[Result]] = {}
    for one in results:
        if one.entry.split == "test":
            volumes.setdefault(one.entry.volume, []).append(one)
    several = {name: found for name, found in volumes.items() if len(found) > 1}
    if not several:
        return html.Html("")
    first = next(iter(several.values()))[0].file
    words = WORDS.format(resamples=first.resamples, truth=first.ground_truth)
    parts = [html.tag("h3", "Told apart?"), html.tag("p", words)]
    for name, found in several.items():
        header = [
            name,
            *(column.title for column in SCORES),
            *(f"{column.title}, more than the best" for column in SCORES),
        ]
        parts.append(html.table(header, rows(found), 4, folds=True))
    return html.join(parts)


def rows(results: Sequence[Result]) -> list[list[html.Content]]:
    """For each segmentation of a volume its scores, and how they differ from the best."""
    columns = [compared(results, column) for column in SCORES]
    return [
        [
            one.entry.method,
            *(number(column.of(_verdict(one).chosen)) for column in SCORES),
            *(column[place] for column in columns),
        ]
        for place, one in enumerate(results)
    ]


def compared(results: Sequence[Result], column: Column) -> list[html.Content]:
    """In words how each segmentation differs from the best in one score."""
    values = [getattr(_verdict(one).chosen, column.name) for one in results]
    top = results[int(np.argmin(values))]
    found: list[html.Content] = []
    for one, value in zip(results, values, strict=True):
        if one is top:
            found.append(html.tag("strong", "the best"))
            continue
        found.append(against_best(value - min(values), interval(one, top, column)))
    return found


def interval(one: Result, other: Result, column: Column) -> tuple[float, float] | None:
    """The interval of one score minus the other; None where they share no resamples."""
    first, second = _verdict(one), _verdict(other)
    same = one.file.treatment == other.file.treatment and first.objects == second.objects
    if not same or first.samples is None or second.samples is None:
        return None
    samples = (np.array(getattr(each.samples, column.name)) for each in (first, second))
    return bootstrap.difference(*samples)


def _verdict(one: Result) -> scores.Verdict:
    return one.file.against(one.file.ground_truth)
