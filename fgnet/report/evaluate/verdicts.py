"""How good each segmentation is and how sure that is, and what an oracle would have had."""

from collections.abc import Callable, Sequence

from fgnet import scores
from fgnet.report import html
from fgnet.report.columns import Column, below, marked, number, signed, with_interval
from fgnet.report.evaluate.results import Result, best_words, rivals

ERRORS = (
    Column("VOI split", "voi_split"), Column("VOI merge", "voi_merge"),
    Column("VOI sum", "voi_sum"), Column("ARAND", "arand"), Column("CREMI score", "cremi"),
)  # fmt: skip
SHARES = (
    Column("Rand precision", "rand_precision", more=True),
    Column("Rand recall", "rand_recall", more=True),
    Column("average precision", "average_precision", more=True),
    Column("boundary F1", "boundary_f1", more=True),
)
CRITERIA = {"voi": ERRORS[2], "arand": ERRORS[3]}
LEGEND = (
    "VOI in bits; of VOI, ARAND and CREMI score lower is better, of the others higher{best}. "
    "Beneath is where the middle 95 % of {resamples:,} resamples "
    "of the neurons lie; a single neuron gives none."
)
COMPONENTS = (
    "The same segmentations against the 6-connected components of the ground truth inside the "
    "volume: a box cuts neurons into pieces that no segmentation can join."
)
ORACLE = (
    "An oracle would have taken the one with the lowest "
    "{score} on that very volume, against {truth}; its scores are no result, as nobody knows the "
    "threshold beforehand, and what was lost is what the choice cost."
)


def show(results: Sequence[Result], links: Sequence[str | None]) -> html.Html:
    """Scores against ids with their intervals; against components folded away."""
    if not results:
        return html.Html("")
    words = LEGEND.format(best=best_words(results), resamples=results[0].file.resamples)
    inner = html.join([html.tag("p", COMPONENTS), tables(results, "components", links)])
    return html.join(
        [
            html.tag("h2", "At the chosen threshold"),
            html.tag("p", words),
            tables(results, "ids", links),
            html.details("Against components", inner),
        ]
    )


def choices(results: Sequence[Result]) -> html.Html:
    """How thresholds were chosen and what an oracle would have had."""
    if not results:
        return html.Html("")
    file = results[0].file
    words = ORACLE.format(score=CRITERIA[file.criterion].title, truth=file.ground_truth)
    return html.join(
        [
            html.tag("h2", "The choice of the threshold"),
            html.tag("p", words),
            reasons(results),
            oracle(results),
        ]
    )


def tables(
    results: Sequence[Result], truth: scores.GroundTruth, links: Sequence[str | None]
) -> html.Html:
    """Errors with their intervals beneath, and below them what goes from 0 to 1."""
    return html.join([_table(results, columns, truth, links) for columns in (ERRORS, SHARES)])


def _table(
    results: Sequence[Result], columns: Sequence[Column], truth: scores.GroundTruth,
    links: Sequence[str | None],
) -> html.Html:  # fmt: skip
    rows: list[list[html.Content]] = []
    for result, link in zip(results, links, strict=True):
        found = result.file.against(truth)
        others = [other.file.against(truth).chosen for other in rivals(result, results)]
        cells: list[html.Content] = [title(result, link)]
        for column in columns:
            value = column.of(found.chosen)
            inner = marked(number(value), value, [column.of(one) for one in others], column.more)
            cells.append(with_interval(inner, getattr(found.intervals, column.name, None)))
        rows.append(cells)
    header = ["segmentation", *(column.title for column in columns)]
    return html.table(header, rows, len(columns), folds=True)


def title(result: Result, link: str | None = None) -> html.Html:
    """The volume, and what made the segmentation beneath."""
    place = result.entry.place
    return below(html.link(link, place) if link else place, result.entry.method)


def oracle(results: Sequence[Result]) -> html.Html:
    """The chosen threshold beside the one that is best on the very volume, and what it cost."""
    column = CRITERIA[results[0].file.criterion]  # one config, so the same for all
    rows: list[list[html.Content]] = []
    for result in results:
        file = result.file
        found = file.against(file.ground_truth)
        chosen, other = found.chosen, found.oracle
        cost = getattr(chosen, column.name) - getattr(other, column.name)
        rows.append(
            [
                title(result),
                f"{chosen.threshold:g}", f"{other.threshold:g}",
                f"{chosen.voi_sum:.4f}", f"{other.voi_sum:.4f}",
                f"{chosen.arand:.4f}", f"{other.arand:.4f}",
                signed(cost),
            ]
        )  # fmt: skip
    header = (
        "segmentation", "threshold chosen", "oracle's threshold", "VOI sum, chosen",
        "VOI sum, oracle's", "ARAND, chosen", "ARAND, oracle's", f"{column.title} lost",
    )  # fmt: skip
    return html.table(header, rows, 7, folds=True)


def reasons(results: Sequence[Result]) -> html.Html:
    """How each threshold was chosen, in words; for each method once."""
    return _listed(
        results,
        lambda one: one.entry.method,
        lambda one: f"threshold {one.threshold:g}: {one.file.reason}.",
    )


def treatments(results: Sequence[Result]) -> html.Html:
    """Which voxels of each volume were scored, in numbers and in words."""

    def words(one: Result) -> str:
        found = one.file.treatment
        left = f"{found.voxels_unlabelled:,} voxels are unlabelled"
        if found.border:
            left += f", {found.voxels_near_border:,} more are near a border"
        return f"{found.words} Here {left}."

    if not results:
        return html.Html("")
    listed = _listed(results, lambda one: one.entry.volume, words)
    return html.join([html.tag("h2", "Which voxels count"), listed])


def _listed(
    results: Sequence[Result], name: Callable[[Result], str], words: Callable[[Result], str]
) -> html.Html:
    found = {name(one): words(one) for one in results}
    items = [html.tag("li", f"{key}: {text}") for key, text in found.items()]
    return html.tag("ul", html.join(items))
