"""What became of neurons, in words and numbers, from the file of neurons."""

from collections.abc import Sequence
from pathlib import Path

from fgnet import volume
from fgnet.report import html
from fgnet.report.segment import places
from fgnet.scores import Foreign, Mistake, Neuron

LISTED = 50
PARTNERS = 5
HEADER = ("neuron", "VOI split + merge", "split", "merge", "voxels", "µm³", "segments",
          "in the largest", "merged with", "in none")  # fmt: skip


def words(one: Neuron) -> list[str]:
    """How a neuron fared, in sentences."""
    largest = "which has" if one.segments == 1 else "the largest with"
    found = [
        f"{one.voi_split + one.voi_merge:.4f} bits: split {one.voi_split:.4f}, "
        f"merge {one.voi_merge:.4f}.",
        f"{one.voxels:,} voxels in {many(one.segments, 'segment')}"
        + (f", {largest} {one.main_voxels / one.voxels:.0%}." if one.main else "."),
    ]
    if one.merged:
        some = ", ".join(name(other) for other in one.merged[:PARTNERS])
        some += " …" if one.merged_with > PARTNERS else "."
        found.append(f"Merged with {many(one.merged_with, 'neuron')}: {some}")
    return found


def name(one: Neuron | Foreign) -> str:
    """The id of a neuron, and which part of it where parts are scored."""
    if one.component is None:
        return str(one.neuron)
    return f"{one.neuron}, component {one.component}"


def mistakes(
    one: Neuron, voxel_size: volume.Triple, there: places.Viewer | None = None
) -> html.Html:
    """The largest mistakes of a neuron and where they are; links select its main segment too."""
    if not one.mistakes:
        return html.Html("")
    items = [
        html.tag("li", html.Html(f"{html.text(said(mistake))} {where.text}"))
        for mistake in one.mistakes
        for where in [at(mistake, voxel_size, there, one.main)]
    ]
    return html.tag("ul", html.join(items))


def said(mistake: Mistake) -> str:
    """One mistake in words."""
    voxels = many(mistake.voxels, "voxel")
    if mistake.kind == "lost":
        return f"Lost: {voxels} in no segment."
    if mistake.kind == "merge":
        return f"Merge: {voxels} of neuron {name(mistake)} in segment {mistake.segment}."
    return f"Split: {voxels} in segment {mistake.segment}, mostly of neuron {name(mistake)}."


def at(
    mistake: Mistake, voxel_size: volume.Triple, there: places.Viewer | None, main: int
) -> html.Html:
    """Where a mistake is, in voxels as viewers count and in nm, both as x, y, z."""
    place = [round(a / nm) for a, nm in zip(mistake.nm, voxel_size, strict=True)]
    nm = ", ".join(f"{value:g}" for value in mistake.nm[::-1])
    shown = places.show(place, there, (mistake.segment, main))
    return html.Html(f"{shown.text} <small>{nm} nm</small>")


def many(count: int, word: str) -> str:
    """A number of things."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def table(neurons: Sequence[Neuron], path: Path) -> html.Html:
    """All neurons, or the first of them and where the others are."""
    rows = [
        [
            name(one), f"{one.voi_split + one.voi_merge:.4f}",
            f"{one.voi_split:.4f}", f"{one.voi_merge:.4f}",
            f"{one.voxels:,}", f"{one.cubic_micrometres:.3g}", f"{one.segments:,}",
            f"{one.main_voxels / one.voxels:.1%}", f"{one.merged_with:,}",
            f"{one.background / one.voxels:.1%}",
        ]
        for one in neurons[:LISTED]
    ]  # fmt: skip
    parts = [html.tag("h2", "All neurons"), html.table(HEADER, rows, len(HEADER) - 1)]
    rest = len(neurons) - LISTED
    where = html.tag("code", path.as_posix()).text
    if rest > 0:
        words = f"{many(rest, 'more neuron')} that add less, and all mistakes, are in {where}."
    else:
        words = f"With their mistakes in {where}."
    return html.join([*parts, html.Html(f'<p class="soft">{words}</p>')])
