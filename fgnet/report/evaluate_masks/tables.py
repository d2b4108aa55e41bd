"""How good masks are and how sure that is, over all classes and of each."""

from collections.abc import Sequence

from fgnet.mask_scores import Means, Summary
from fgnet.report import html
from fgnet.report.columns import Column, below, marked, number, with_interval
from fgnet.report.evaluate_masks.results import (
    AT_THRESHOLD,
    BOUNDARY,
    DICE,
    IOU,
    MAE,
    OF_CHANCES,
    Result,
    best_words,
    rivals,
)

LEGEND = (
    "Means over the images of a set{classes}. Of MAE lower is better, of the others higher{best}. "
    "Beneath is where the middle 95 % of {resamples:,} resamples of the images lie; a single image "
    "gives none. Dice, IoU and boundary F1 are of masks at a threshold of {thresholds}, swept ones "
    "means over all thresholds, and the others are of the probabilities."
)
SHOWN = (
    "An image that does not show a class has for it a Dice of 1 if its mask is empty and else 0, "
    "which may decide a mean. These are the same scores over images that show the class."
)
OF_CLASSES = (DICE, IOU, BOUNDARY, MAE)


def show(results: Sequence[Result], links: Sequence[str | None]) -> html.Html:
    """Mean scores with their intervals; over images that show a class folded away."""
    if not results:
        return html.Html("")
    file = results[0].file
    thresholds = ", ".join(f"{t:g}" for t in dict.fromkeys(one.file.threshold for one in results))
    several = any(len(one.file.classes) > 1 for one in results)
    words = LEGEND.format(
        classes=", then over classes" * several, best=best_words(results),
        resamples=file.resamples, thresholds=thresholds,
    )  # fmt: skip
    parts = [
        html.tag("h2", "Scores of masks"), html.tag("p", words), tables(results, links, False),
    ]  # fmt: skip
    if any(one.file.overall.where_shown != one.file.overall.every_image for one in results):
        inner = html.join([html.tag("p", SHOWN), tables(results, links, True)])
        parts.append(html.details("Over images that show a class", inner))
    return html.join(parts)


def tables(
    results: Sequence[Result], links: Sequence[str | None], shown: bool
) -> html.Html:  # fmt: skip
    """Scores of masks, and below them those of probabilities."""
    return html.join([_table(results, links, columns, shown)
                      for columns in (AT_THRESHOLD, OF_CHANCES)])  # fmt: skip


def _means(summary: Summary, shown: bool) -> Means | None:
    return summary.where_shown if shown else summary.every_image


def _table(
    results: Sequence[Result], links: Sequence[str | None], columns: Sequence[Column], shown: bool
) -> html.Html:
    rows = []
    for result, link in zip(results, links, strict=True):
        found = _means(result.file.overall, shown)
        others = [_means(one.file.overall, shown) for one in rivals(result, results)]
        place = result.entry.place
        first = below(html.link(link, place) if link else place, result.entry.model)
        count = f"{found.images if found else 0:,}"
        rows.append([first, count, *cells(found, others, columns)])
    header = ["masks", "images", *(column.title for column in columns)]
    return html.table(header, rows, 1 + len(columns), folds=True)


def cells(
    found: Means | None, others: Sequence[Means | None], columns: Sequence[Column]
) -> list[html.Content]:
    """Scores, the best of several marked, and their intervals beneath."""
    shown: list[html.Content] = []
    for column in columns:
        if found is None:
            shown.append("-")
            continue
        value = column.of(found.means)
        rivals = [column.of(one.means) for one in others if one is not None]
        inner = marked(number(value), value, rivals, column.more)
        shown.append(with_interval(inner, getattr(found.intervals, column.name, None)))
    return shown


def by_class(results: Sequence[Result]) -> html.Html:
    """A table for each set of several classes: each class by each model."""
    parts: list[html.Html] = []
    for name in dict.fromkeys(one.entry.place for one in results if len(one.file.classes) > 1):
        those = [one for one in results if one.entry.place == name]
        rows = []
        for k, of in enumerate(those[0].file.classes):
            summaries = [one.file.by_class[k] for one in those]
            every = [one.every_image for one in summaries]
            only = [one.where_shown for one in summaries]
            for place, one in enumerate(those):
                showing = only[place]
                rows.append(
                    [
                        below(of, one.entry.model), *cells(every[place], every, OF_CLASSES),
                        f"{showing.images if showing else 0:,}",
                        *cells(only[place], only, OF_CLASSES[:2]),
                    ]
                )  # fmt: skip
        header = [
            "class", *(column.title for column in OF_CLASSES), "images that show it",
            *(f"{column.title} on these" for column in OF_CLASSES[:2]),
        ]  # fmt: skip
        parts += [html.tag("h3", name), html.table(header, rows, len(header) - 1, folds=True)]
    if not parts:
        return html.Html("")
    return html.join([html.tag("h2", "Class by class"), *parts])


def treatments(results: Sequence[Result]) -> html.Html:
    """What was scored and how; and which images were not, as nobody labelled them."""
    if not results:
        return html.Html("")
    sets: dict[str, dict[str, None]] = {}  # in the order of the results, each once
    for one in results:
        sets.setdefault(one.file.treatment, {})[one.entry.images] = None
    items = [html.tag("li", f"{', '.join(names)}: {text}") for text, names in sets.items()]
    left = {one.entry.images: one.file.unlabelled for one in results if one.file.unlabelled}
    items += [
        html.tag("li", f"{name}: nobody labelled {', '.join(names)}, so it is not scored.")
        if len(names) == 1
        else html.tag("li", f"{name}: nobody labelled {len(names):,} images, so they are not "
                            f"scored: {', '.join(names[:20])}{', …' * (len(names) > 20)}")
        for name, names in left.items()
    ]  # fmt: skip
    return html.join([html.tag("h2", "What is scored"), html.tag("ul", html.join(items))])
