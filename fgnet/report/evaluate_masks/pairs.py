"""Masks of one set by several models, image by image against the best of them."""

from collections.abc import Sequence

import numpy as np

from fgnet.metrics import bootstrap
from fgnet.report import html
from fgnet.report.columns import Column, against_best, number
from fgnet.report.evaluate_masks.results import DICE, IOU, Result, rivals

SCORES = (DICE, IOU)
WORDS = (
    "How each differs from the best, with the middle 95 % of what {resamples:,} resamples of the "
    "images give, the same for both. Where that holds 0, the images of this set do not tell the "
    "two apart. The best was picked on this set, which flatters it a little."
)


def show(results: Sequence[Result]) -> html.Html:
    """A table for every test set that has masks by several models; nothing where none has."""
    tests = [one for one in results if one.entry.split == "test"]
    several = {one.entry.place: found for one in tests if len(found := rivals(one, tests)) > 1}
    if not several:
        return html.Html("")
    words = WORDS.format(resamples=next(iter(several.values()))[0].file.resamples)
    parts = [html.tag("h2", "Told apart?"), html.tag("p", words)]
    for name, found in several.items():
        header = [
            name,
            *(column.title for column in SCORES),
            *(f"{column.title}, to the best" for column in SCORES),
        ]
        columns = [compared(found, column) for column in SCORES]
        rows: list[list[html.Content]] = [
            [
                one.entry.model,
                *(number(column.of(one.means)) for column in SCORES),
                *(column[place] for column in columns),
            ]
            for place, one in enumerate(found)
        ]
        parts.append(html.table(header, rows, 4, folds=True))
    return html.join(parts)


def compared(results: Sequence[Result], column: Column) -> list[html.Content]:
    """In words how each model's masks differ from the best in one score."""
    values = [getattr(one.means, column.name) for one in results]
    top = results[int(np.argmax(values))]
    return [
        html.tag("strong", "the best")
        if one is top
        else against_best(value - max(values), interval(one, top, column))
        for one, value in zip(results, values, strict=True)
    ]


def interval(one: Result, other: Result, column: Column) -> tuple[float, float] | None:
    """The interval of one mean minus the other; None of one image, or of different ones."""
    first, second = ({i.name: i for i in each.file.images} for each in (one, other))
    if one.file.treatment != other.file.treatment or [*first] != [*second] or len(first) < 2:
        return None
    both = [
        np.array([[getattr(c.scores, column.name) for c in i.classes] for i in each.values()])
        for each in (first, second)
    ]
    means = [bootstrap.drawn(each.mean(1, keepdims=True), one.file.resamples, bootstrap.SEED)[:, 0]
             for each in both]  # fmt: skip
    return bootstrap.difference(*(each / len(first) for each in means))
