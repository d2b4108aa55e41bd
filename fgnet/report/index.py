"""The landing page: the score table, one picture, and the way to every other page."""

from pathlib import Path

from fgnet import volume
from fgnet.report import html, results
from fgnet.report.page import relative
from fgnet.report.slices import chosen, show
from fgnet.settings.base import Section
from fgnet.settings.report import Report

LEGEND = (
    "VOI in bits and ARAND at the chosen threshold; lower is better, and the lowest of each volume "
    "stands out. "
    "Voxels without ground truth do not count. “Components” is the same segmentation against the "
    "6-connected components of the ground truth inside the volume: a box cuts neurons into pieces "
    "that no segmentation can join."
)


class Link(Section):
    """A page and what the link to it says."""

    title: str
    page: Path


class Picture(Section):
    """The segmentation that the landing page shows, by its files."""

    title: str
    volume: Path
    affinities: Path
    segmentation: Path
    threshold: Path


class Contents(Section):
    """What the landing page is made of."""

    segmentations: list[results.Entry]
    pages: list[Link]
    picture: Picture | None = None


def run(parameters: str, settings: Report, output: Path, table: Path) -> None:
    """Write the landing page, and its score table as plain text.

    Args:
        parameters: JSON, see :class:`Contents`.
        table: the text file.
    """
    contents = Contents.from_json(parameters)
    found = results.read(contents.segmentations)
    parts = [html.tag("h1", settings.title)]
    if found:
        links = [relative(one.entry.page, output) if one.entry.page else None for one in found]
        parts += [
            html.tag("h2", "Scores"),
            results.table(found, links),
            html.Html(f'<p class="soft">{html.text(LEGEND)}</p>'),
        ]
    else:
        parts.append(html.tag("p", "No volume has ground truth, so there are no scores."))
    if contents.picture is not None:
        one = contents.picture
        parts.append(html.tag("h2", one.title))
        parts.append(
            show(
                one.volume, one.affinities, one.segmentation, chosen(one.threshold),
                settings.picture, across=False,
            )
        )  # fmt: skip
    parts += pages(contents, output)
    with volume.whole_or_nothing(table) as partial:
        partial.write_text(results.plain(found), encoding="utf-8")
    with volume.whole_or_nothing(output) as partial:
        body = html.join(parts)
        partial.write_text(html.page(body.text), encoding="utf-8")


def pages(contents: Contents, output: Path) -> list[html.Html]:
    """Links to all pages: those of the segmentations, then the others."""
    pictures = [(one.page, one.name) for one in contents.segmentations if one.page is not None]
    others = [(one.page, one.title) for one in contents.pages]
    parts = []
    for title, group in (("Segmentations", pictures), ("More", others)):
        if group:
            items = (
                html.tag("li", html.link(relative(page, output), name)) for page, name in group
            )
            parts += [html.tag("h2", title), html.tag("ul", html.join(items))]
    return parts
