"""The scores of every image of a set, the worst first."""

from pathlib import Path

from fgnet.mask_scores import ScoredImage, SetScores
from fgnet.report import html
from fgnet.report.columns import number
from fgnet.report.evaluate_masks.results import SHORT, mean_dice

SHOWN = 50  # rows that are not folded away
MOST = 1000  # rows of a page
CLASSES = 6  # that have a column of their own


def table(file: SetScores, path: Path) -> html.Html:
    """A row for each image, means over its classes; of very many the worst.

    Args:
        path: of the scores, which the page names.
    """
    images = sorted(file.images, key=lambda one: mean_dice(one.classes))
    several = len(file.classes) > 1
    named = file.classes[:CLASSES] if several else []
    header = ["image", *(column.title for column in SHORT), *(f"Dice, {name}" for name in named),
              "pixels drawn", "found", "size"]  # fmt: skip
    rows = [cells(one, len(named)) for one in images[:MOST]]
    numbers = len(header) - 1
    title = "Scores of every image" + (", means over its classes" if several else "")
    parts = [html.tag("h2", title), html.table(header, rows[:SHOWN], numbers)]
    if rest := rows[SHOWN:]:
        parts.append(html.details(f"{len(rest):,} more", html.table(header, rest, numbers)))
    left = len(images) - MOST
    where = html.tag("code", path.as_posix()).text
    words = f"All scores of every class are in {where}."
    if left > 0:
        words = f"{left:,} images with higher Dice, and all scores of every class, are in {where}."
    return html.join([*parts, html.Html(f'<p class="soft">{words}</p>')])


def cells(one: ScoredImage, named: int) -> list[str]:
    """The row of an image."""
    means = [
        sum(getattr(of.scores, column.name) for of in one.classes) / len(one.classes)
        for column in SHORT
    ]
    y, x = one.size
    return [
        one.name, *map(number, means), *(number(of.scores.dice) for of in one.classes[:named]),
        f"{sum(of.true for of in one.classes):,}", f"{sum(of.found for of in one.classes):,}",
        f"{y} x {x}",
    ]  # fmt: skip
