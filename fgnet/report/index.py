"""The landing page: the score table, one picture, and the way to every other page."""

from pathlib import Path

from fgnet import volume
from fgnet.report import html, navigation, planes, results, slices
from fgnet.report.scene import Files
from fgnet.settings.base import Section
from fgnet.settings.report import Report

LEGEND = (
    "VOI in bits and ARAND at the chosen threshold; lower is better, and the lowest of each volume "
    "stands out. "
    "Voxels without ground truth do not count. “Components” is the same segmentation against the "
    "6-connected components of the ground truth inside the volume: a box cuts neurons into pieces "
    "that no segmentation can join."
)


class Picture(Section):
    """The segmentation that the landing page shows."""

    title: str
    files: Files


class Contents(Section):
    """What the landing page is made of."""

    segmentations: list[results.Entry]
    pages: list[navigation.Link]
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
        links = [
            navigation.relative(one.entry.page, output) if one.entry.page else None for one in found
        ]
        parts += [
            html.tag("h2", "Scores"),
            results.table(found, links),
            html.Html(f'<p class="soft">{html.text(LEGEND)}</p>'),
        ]
    else:
        parts.append(html.tag("p", "No volume has ground truth, so there are no scores."))
    if contents.picture is not None:
        with contents.picture.files.opened() as scene:
            middle = planes.sections(scene.shape, scene.voxel_size, settings.picture, 1)
            parts += [
                html.tag("h2", contents.picture.title),
                *slices.row(scene, middle, least="22rem"),
            ]
    parts += navigation.lists(contents.pages, output)
    with volume.whole_or_nothing(table) as partial:
        partial.write_text(results.plain(found), encoding="utf-8")
    with volume.whole_or_nothing(output) as partial:
        body = html.join(parts)
        partial.write_text(
            html.page(body.text, navigation.bar(contents.pages, output)), encoding="utf-8"
        )
