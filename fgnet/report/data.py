"""A volume before and after normalisation: what it is, its grey values, its defective sections."""

from collections.abc import Iterable
from functools import partial
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from fgnet import sections, volume
from fgnet.report import html
from fgnet.report.curves import LINES, binned, chart
from fgnet.report.pictures import as_rgb, beside, encode

BINS = 32  # a stretch leaves holes between grey values, which show in finer bins
RUNS = 40  # rows of the table of defects
SHOWN = 5  # defects with pictures
SIDE = 320  # pixels of a picture
COLOURS = {sections.LOST: LINES[1], sections.BORDERED: LINES[4]}


def facts(downloaded: Path, normalized: Path) -> html.Html:
    """A table of what the volume is."""
    with volume.opened(downloaded) as before, volume.opened(normalized) as after:
        raw = volume.dataset(before, volume.RAW)
        size = volume.voxel_size(raw)
        labels = "yes" if volume.LABELS in after else "no"
        if volume.MASK in after:
            labels += ", for a part of the voxels"
        extent = (voxels * nm / 1000 for voxels, nm in zip(raw.shape, size, strict=True))
        rows = [
            ("voxel size", f"{_times(size)} nm (z, y, x)"),
            ("shape", f"{_times(raw.shape)} voxels"),
            ("extent", f"{_times(extent)} µm"),
            ("grey values as downloaded", str(raw.dtype)),
            ("labels", labels),
        ]
    return html.table(["volume", ""], rows)


def _times(values: Iterable[float]) -> str:
    return " x ".join(f"{value:.5g}" for value in values)


def curves(normalized: Path) -> html.Html:
    """Histograms of the grey values, and each section's mean and spread, before and after."""
    with volume.opened(normalized) as file:
        rows = sections.read(file)
        counts = [volume.dataset(file, name, "v")[:] for name in (sections.BEFORE, sections.AFTER)]
    figures = []
    for number, words in zip(counts, ("as downloaded", "normalised"), strict=True):
        draw = partial(histogram, counts=number)
        figures.append(chart(draw, f"Histogram, {words}", f"Grey values {words}"))
    for end, words in (("", "as downloaded"), ("_after", "normalised")):
        draw = partial(along, rows=rows, end=end)
        title = f"Sections {words}: mean ± standard deviation"
        figures.append(chart(draw, f"Mean grey value of the sections, {words}", title))
    return html.grid(figures, "28rem")


def histogram(axes: Axes, counts: npt.NDArray[np.int64]) -> None:
    """Draw how many percent of the voxels have which grey value, in bins of equal width."""
    seen = np.flatnonzero(counts)
    width = -(-(seen[-1] + 1 - seen[0]) // BINS)
    starts = np.arange(seen[0], seen[-1] + 1, width)
    share = np.add.reduceat(counts, starts) / counts.sum() * 100
    axes.bar(starts, share, width, align="edge", color=LINES[0], label="voxels, %")
    axes.set(xlabel="grey value", ylabel="voxels, %")


def along(axes: Axes, rows: sections.Rows, end: str) -> None:
    """Draw the mean and standard deviation of each section; dots mark defects."""
    place, mean = binned(range(len(rows)), rows[f"mean{end}"].tolist())
    spread = binned(range(len(rows)), rows[f"std{end}"].tolist())[1]
    axes.plot(place, mean, color=LINES[0], label="mean")
    axes.fill_between(
        place, mean - spread, mean + spread, color=LINES[5], alpha=0.35, lw=0,
        label="± standard deviation",
    )  # fmt: skip
    for kind, colour in COLOURS.items():
        found = np.flatnonzero(rows["kind"] == kind)
        if len(found):
            means = rows[f"mean{end}"][found]
            axes.plot(found, means, "o", ms=4, color=colour, label=sections.KINDS[kind])
    axes.set(xlabel="section", ylabel="grey value")


def defects(normalized: Path) -> html.Html:
    """A table of the defective sections, one row for a run of them; or that there are none."""
    with volume.opened(normalized) as file:
        rows = sections.read(file)
        settings = volume.made_by(file)["settings"]
    found = runs(rows)
    if not found:
        return html.tag("p", f"All {len(rows)} sections are sound.")
    cells = [
        (
            str(first) if last == first else f"{first} to {last}",
            sections.KINDS[rows["kind"][first]],
            sections.DEEDS[rows["done"][first]],
            f"{rows['bad'][first : last + 1].mean():.1%}",
        )
        for first, last in found[:RUNS]
    ]
    number = int(np.sum(rows["kind"] != sections.SOUND))
    words = f"{number} of {len(rows)} sections are defective."
    if len(found) > RUNS:
        words += f" The first {RUNS} of {len(found)} runs:"
    if settings["defects"] == "interpolate":
        words += f" More than {settings['max_gap']} in a row (`normalize.max_gap`) are kept."
    header = ["sections", "kind", "bad pixels were", "bad pixels"]
    return html.join([html.tag("p", words), html.table(header, cells, 1)])


def runs(rows: sections.Rows) -> list[tuple[int, int]]:
    """First and last of the sections in a row that have the same defect and were treated alike."""
    key = [(int(row["kind"]), int(row["done"])) for row in rows]
    edges = [0, *(z for z in range(1, len(key)) if key[z] != key[z - 1]), len(key)]
    return [(a, b - 1) for a, b in pairwise(edges) if key[a][0] != sections.SOUND]


def pictures(downloaded: Path, normalized: Path) -> html.Html:
    """A handful of the defective sections before and after; nothing where there is none."""
    figures = []
    with volume.opened(downloaded) as before, volume.opened(normalized) as after:
        rows = sections.read(after)
        found = [first for first, _ in runs(rows)]
        raw = volume.dataset(before, volume.RAW)
        _, down, right = volume.voxel_size(raw)
        aspect = raw.shape[2] * right / (raw.shape[1] * down)
        for place in np.unique(np.linspace(0, len(found) - 1, SHOWN).round()) if found else ():
            z = found[int(place)]
            kind, deed = sections.KINDS[rows["kind"][z]], sections.DEEDS[rows["done"][z]]
            pair = window(thumbnail(raw, z), rows), thumbnail(after[volume.RAW], z)
            picture = beside([as_rgb(one) for one in pair], axis=1)
            words = f"Section {z}, {kind}: as downloaded, and normalised, bad pixels {deed}"
            figures.append(html.figure(html.image(*encode(picture), words, 2 * aspect), words))
    return html.grid(figures, "28rem") if figures else html.Html("")


def thumbnail(data: h5py.Dataset, z: int) -> npt.NDArray[np.unsignedinteger]:
    """Every n-th row and column of a section."""
    step = -(-max(data.shape[1:]) // SIDE)
    part: npt.NDArray[np.unsignedinteger] = data[z, ::step, ::step]
    return part


def window(picture: npt.NDArray[np.unsignedinteger], rows: sections.Rows) -> npt.NDArray[np.uint8]:
    """A picture as downloaded in the 256 greys between the percentiles of most sections."""
    low, high = sorted((float(np.median(rows["low"])), float(np.median(rows["high"]))))
    shown = (picture - low) / max(high - low, 1.0) * 255
    grey: npt.NDArray[np.uint8] = np.clip(np.rint(shown), 0, 255).astype(np.uint8)
    return grey
