"""A set of 2-D images before and after normalisation: what it shows, its parts, examples."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from fgnet import imageset
from fgnet.imageset import UNLABELLED, ImageSet, Picture
from fgnet.report import html, painted
from fgnet.report.curves import LINES, chart
from fgnet.report.pictures import encode
from fgnet.settings.base import Range

BINS = 32
LEVELS = 256
EXAMPLES = 6  # of a part
MOST = 36  # of all parts
SIDE = 288  # pixels of a picture
STYLES = ("-", "--", ":", "-.")
LISTED = 20  # names of images in a sentence
REST = "in no part"
ORDER = ("train", "validation", "test", "predict", "None")
Counts = npt.NDArray[np.int64]
Parts = Mapping[str, Sequence[object]]


@dataclass(frozen=True)
class Seen:
    """What one image holds.

    Attributes:
        of: pixels of each class.
        unlabelled: pixels, of a set with masks.
        brightness: how many pixels have which mean of their colours, 256.
    """

    name: str
    size: tuple[int, int]
    of: tuple[int, ...]
    unlabelled: int
    brightness: Counts

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.size[0] * self.size[1]

    @property
    def known(self) -> int:
        """How many are labelled, if the set has masks."""
        return self.pixels - self.unlabelled


@dataclass(frozen=True)
class Part:
    """Some images of a set: a name, what they are for, their numbers."""

    name: str
    split: str | None
    numbers: list[int]

    @property
    def words(self) -> str:
        """The name and what it is for."""
        return self.name if self.split in (None, self.name) else f"{self.name} ({self.split})"


def survey(path: Path) -> list[Seen]:
    """Look at every image of a set, one after another."""
    with imageset.opened(path) as images:
        return [seen(images[n], len(images.classes)) for n in range(len(images))]


def seen(picture: Picture, classes: int) -> Seen:
    """What one image holds."""
    labels, raw = picture.labels, picture.raw
    counts = np.zeros(LEVELS, np.int64)
    if labels is not None:
        counts = np.bincount(labels.ravel(), minlength=LEVELS)
    grey = np.rint(raw.mean(2)).astype(np.uint8)
    return Seen(
        picture.name, (raw.shape[0], raw.shape[1]), tuple(counts[1 : classes + 1].tolist()),
        int(counts[UNLABELLED]), np.bincount(grey.ravel(), minlength=LEVELS),
    )  # fmt: skip


def parts_of(path: Path, parts: Parts) -> list[Part]:
    """The parts of a set, as data flow through them, and of images that are in none one more.

    Args:
        parts: by name the split and the ranges, None of all images.

    Raises:
        InputError: a range leaves the set.
    """
    with imageset.opened(path) as images:
        found = []
        order = sorted(parts.items(), key=lambda part: ORDER.index(str(part[1][0])))
        for name, (split, ranges) in order:
            given = None if ranges is None else [_range(one) for one in ranges]  # type: ignore[attr-defined]
            found.append(Part(name, None if split is None else str(split), images.numbers(given)))
        used = {number for one in found for number in one.numbers}
        left = [number for number in range(len(images)) if number not in used]
        return [*found, *([Part(REST, None, left)] if left else [])]


def _range(value: Sequence[int]) -> Range:
    first, last = value
    return first, last


def facts(path: Path, found: Sequence[Seen]) -> html.Html:
    """A table of what the set is."""
    with imageset.opened(path) as images:
        classes, labelled = images.classes, images.labelled
    heights, widths = zip(*(one.size for one in found), strict=True)
    sizes = len({one.size for one in found})
    size = f"{_span(heights)} x {_span(widths)} pixels (y, x)"
    rows = [
        ("images", f"{len(found):,}"),
        ("size", size if sizes == 1 else f"{size}, {sizes:,} different ones"),
        ("classes", ", ".join(classes)),
        ("masks", "yes" if labelled else "no"),
    ]
    if labelled:
        rows.append(("pixels not labelled", _share(found)))
    return html.table(["set", ""], rows)


def _span(values: Iterable[int]) -> str:
    known = sorted(values)
    return f"{known[0]:,}" if known[0] == known[-1] else f"{known[0]:,} to {known[-1]:,}"


def _share(found: Sequence[Seen]) -> str:
    unlabelled = sum(one.unlabelled for one in found)
    if not unlabelled:
        return "none"
    images = sum(one.unlabelled > 0 for one in found)
    share = unlabelled / sum(one.pixels for one in found)
    return f"{share:.2%}, on {images:,} image{'s' * (images != 1)}"


def table(path: Path, parts: Sequence[Part], found: Sequence[Seen]) -> html.Html:
    """A row for each part: images, sizes, and for each class on how many and of what share."""
    with imageset.opened(path) as images:
        classes, labelled = images.classes, images.labelled
    header = ["part", "images", "height", "width"]
    if labelled:
        for name in classes:
            header += [f"images that show {name}", f"pixels of {name}"]
        header += ["images without any", "pixels not labelled"]
    rows = []
    for part in parts:
        those = [found[number] for number in part.numbers]
        heights, widths = zip(*(one.size for one in those), strict=True)
        cells = [part.words, f"{len(those):,}", _span(heights), _span(widths)]
        if labelled:
            known = sum(one.known for one in those)
            for k in range(len(classes)):
                showing = sum(one.of[k] > 0 for one in those)
                pixels = sum(one.of[k] for one in those)
                cells += [f"{showing:,}", f"{pixels / known:.2%}" if known else "-"]
            empty = sum(one.known > 0 and not any(one.of) for one in those)
            all_ = sum(one.pixels for one in those)
            cells += [f"{empty:,}", f"{(all_ - known) / all_:.2%}"]
        rows.append(cells)
    shown = [html.table(header, rows, len(header) - 1, folds=True)]
    if labelled:
        shown.append(html.tag("p", empties(found)))
    return html.join(shown)


def empties(found: Sequence[Seen]) -> str:
    """Which images show no class, and which nobody labelled."""
    words = []
    for those, what in (
        ([one.name for one in found if one.known and not any(one.of)], "show no class"),
        ([one.name for one in found if not one.known], "have no labelled pixel"),
    ):
        if those:
            some = ", ".join(those[:LISTED]) + ", …" * (len(those) > LISTED)
            words.append(f"Images that {what}: {len(those):,} ({some}).")
    return " ".join(words) or "Every image shows a class."


def curves(
    parts: Sequence[Part], before: Sequence[Seen], after: Sequence[Seen]
) -> html.Html:  # fmt: skip
    """How bright the images of each part are, before and after; once where nothing changed."""
    same = all(
        np.array_equal(one.brightness, two.brightness)
        for one, two in zip(before, after, strict=True)
    )
    versions = [("as downloaded" + ", and normalised" * same, before)]
    if not same:
        versions.append(("normalised", after))
    figures = [
        chart(
            partial(histograms, parts=parts[: len(LINES) * len(STYLES)], found=found),
            f"Histogram of brightness, {words}",
            f"Brightness {words}: the mean of a pixel's colours",
        )
        for words, found in versions
    ]
    return html.grid(figures, "28rem")


def histograms(axes: Axes, parts: Sequence[Part], found: Sequence[Seen]) -> None:
    """Draw how many percent of the pixels of each part are how bright, in bins of equal width."""
    middles = np.arange(BINS) * (LEVELS // BINS) + (LEVELS // BINS - 1) / 2
    for place, part in enumerate(parts):
        counts = np.sum([found[number].brightness for number in part.numbers], axis=0)
        share = counts.reshape(BINS, -1).sum(1) / counts.sum() * 100
        style = STYLES[place // len(LINES) % len(STYLES)]
        axes.plot(middles, share, style, color=LINES[place % len(LINES)], label=part.words)
    axes.set(xlabel="brightness", ylabel="pixels, %", xlim=(0, LEVELS - 1))
    axes.set_ylim(bottom=0)


def examples(path: Path, parts: Sequence[Part], found: Sequence[Seen]) -> html.Html:
    """Images of each part at equal distances, with the outlines of their masks."""
    each = max(1, min(EXAMPLES, MOST // len(parts)))
    shown = []
    with imageset.opened(path) as images:
        if images.labelled:
            shown.append(painted.keys(images.classes, any(one.unlabelled for one in found)))
        for part in parts[:MOST]:
            places = np.unique(np.linspace(0, len(part.numbers) - 1, each).round().astype(int))
            figures = [example(images, part.numbers[place], part.words) for place in places]
            shown += [html.tag("h3", part.words), html.grid(figures, "13rem", "photos")]
    return html.join(shown)


def example(images: ImageSet, number: int, part: str) -> html.Html:
    """One image under its name."""
    one = images[number]
    raw = painted.fitted(one.raw, SIDE)
    alt = f"Image {one.name}, of {part}"
    if one.labels is not None:
        labels = painted.fitted(one.labels, SIDE, exact=True)
        raw = painted.of_labels(raw, labels, len(images.classes))
        alt += ", with outlines of its masks"
    return html.figure(html.image(*encode(raw), alt), one.name)
