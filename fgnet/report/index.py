"""The landing page: the score table, one picture, and the way to every other page."""

from pathlib import Path

from fgnet import ledger
from fgnet.report import html, navigation
from fgnet.report.evaluate import results, run_lengths
from fgnet.report.evaluate_masks import results as mask_results
from fgnet.report.mask import gallery
from fgnet.report.mask import scene as of_masks
from fgnet.report.segment import planes, slices
from fgnet.report.segment.scene import Files
from fgnet.settings.base import Section
from fgnet.whole import whole_or_nothing

LEGEND = (
    "VOI in bits and ARAND at the chosen threshold; lower is better{best}. "
    "Voxels without ground truth do not count. “Components” is the same segmentation against the "
    "6-connected components of the ground truth inside the volume: a box cuts neurons into pieces "
    "that no segmentation can join."
)
MASKS = (
    "Means over images, of several classes over classes too; of MAE lower is better, of the others "
    "higher{best}. Dice, IoU and boundary F1 are of masks at the threshold, the others of "
    "probabilities. Pixels that nobody labelled do not count."
)


class Picture(Section):
    """The segmentation that the landing page shows."""

    title: str
    files: Files
    longest: int  # side in voxels


class SetPicture(of_masks.Files):
    """The masks that the landing page shows: of an image in the middle of a set."""

    title: str


class Contents(Section):
    """What the landing page is made of: segmentations of volumes, or masks of images."""

    title: str
    segmentations: tuple[results.Entry, ...] = ()
    masks: tuple[mask_results.Entry, ...] | None = None
    pages: list[navigation.Link]
    picture: Picture | SetPicture | None = None


def run(parameters: str, output: Path, table: Path) -> None:
    """Write the landing page, and its score table as plain text.

    Args:
        parameters: JSON, see :class:`Contents`.
        table: the text file.
    """
    contents = Contents.from_json(parameters)
    tell = of_volumes if contents.masks is None else of_sets
    parts, plain = tell(contents, output)
    parts = [html.tag("h1", contents.title), *parts, *picture(contents.picture)]
    parts += navigation.lists(contents.pages, output)
    with whole_or_nothing(table) as partial:
        partial.write_text(plain, encoding="utf-8")
    with whole_or_nothing(output) as partial:
        above = navigation.bar("index")
        partial.write_text(html.page(html.join(parts).text, above), encoding="utf-8")


def of_volumes(contents: Contents, output: Path) -> tuple[list[html.Html], str]:
    """The scores of segmentations, as parts of the page and as plain text."""
    ledger.read(one.neurons for one in contents.segmentations if one.neurons)
    found = results.read(contents.segmentations)
    parts = [html.tag("p", "No volume has labels to compare with, so no voxel is scored.")]
    if found:
        links = [linked(one.entry.page, output) for one in found]
        words = LEGEND.format(best=results.best_words(found))
        parts = below("Scores", results.table(found, links), words)
    ledger.read(one.run_lengths for one in contents.segmentations if one.run_lengths)
    parts.append(run_lengths.show(contents.segmentations))
    return parts, results.plain(found)


def of_sets(contents: Contents, output: Path) -> tuple[list[html.Html], str]:
    """The scores of masks, as parts of the page and as plain text."""
    entries = contents.masks or ()
    ledger.read(one.scores for one in entries if one.scores)
    found = mask_results.read(entries)
    parts = [html.tag("p", mask_results.NONE)]
    if found:
        links = [linked(one.entry.page, output) for one in found]
        words = MASKS.format(best=mask_results.best_words(found))
        parts = below("Scores", mask_results.table(found, links), words)
    return parts, mask_results.plain(found)


def linked(page: Path | None, output: Path) -> str | None:
    """The URL of a page as seen from the landing page, if there is one."""
    return None if page is None else navigation.relative(page, output)


def below(title: str, table: html.Html, words: str) -> list[html.Html]:
    """A table under its title, and what it says."""
    return [html.tag("h2", title), table, html.Html(f'<p class="soft">{html.text(words)}</p>')]


def picture(shown: Picture | SetPicture | None) -> list[html.Html]:
    """One section of a segmentation, or one image and its masks."""
    if shown is None:
        return []
    title = html.tag("h2", shown.title)
    if isinstance(shown, SetPicture):
        ledger.read([shown.set, shown.chances])
        with shown.opened() as masks:
            middle = len(masks) // 2
            keys = [gallery.legend(masks, [middle])] if masks.images.labelled else []
            return [title, *keys, gallery.row(masks, middle)]
    ledger.read(shown.files.model_dump().values())
    with shown.files.opened() as scene:
        middle_plane = planes.sections(scene.shape, scene.voxel_size, shown.longest, 1)
        return [title, *slices.row(scene, middle_plane, least="22rem")]
