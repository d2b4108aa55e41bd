"""The neurons that a segmentation gets most wrong, and where no neuron is known its largest
segments: numbers, places, and views from three sides."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from fgnet import metrics
from fgnet.report import colours, html, projection
from fgnet.report.coarse import Coarse
from fgnet.report.pictures import encode, scale_bar
from fgnet.report.planes import AXES

NUMBER = 10
HIGHEST = 18  # of a view, in rem
MARGIN = 0.12  # around an object, of its longest side
SMALL = 0.05  # a segment with less of a neuron is counted, but is not said to merge it
PALETTE = (*(colours.rgb(number) for number in (0, 1, 2, 5, 4, 6, 3)),)
REST = (150.0, 150.0, 150.0)  # segments beyond the palette, and what no segment has
LEGEND = (
    "Those that add most to the VOI, seen from three sides, nearer parts brighter. Inside a "
    "neuron's outline each segment has a colour, the largest light blue; what no segment has is "
    "grey. Pale, behind it, is what these segments hold of other neurons nearby."
)
Labels = npt.NDArray[Any]
Voxel = tuple[int, int, int]


@dataclass(frozen=True)
class Neuron:
    """What went wrong with one neuron.

    Attributes:
        name: its id.
        voxels: how many it has, about.
        split, merge: what it adds to VOI split and VOI merge, in bits.
        pieces: the segments in it, those with most of it first, and their shares of it; 0 is
            what no segment has.
        merged: the neurons that its segments reach into, those with most voxels first.
        middle: a voxel of it near its middle.
        error: a voxel in its largest part outside the segment that it belongs to, if any.
    """

    name: int
    voxels: int
    split: float
    merge: float
    pieces: list[tuple[int, float]]
    merged: list[int]
    middle: Voxel
    error: Voxel | None


def rank(copy: Coarse, overlaps: metrics.Contingency) -> list[Neuron]:
    """The neurons that add most to the VOI, worst first, from a coarse copy."""
    pairs = overlaps.counts.tocsc()
    total = pairs.data.sum()
    segment = np.asarray(pairs.sum(1)).ravel()
    found = []
    for column, neuron in enumerate(overlaps.neurons.tolist()):
        part = slice(pairs.indptr[column], pairs.indptr[column + 1])
        row, shared = pairs.indices[part], pairs.data[part].astype(np.float64)
        split = float(shared @ np.log2(shared.sum() / shared) / total)
        merge = float(shared @ np.log2(segment[row] / shared) / total)
        found.append((split + merge, split, merge, neuron, row, shared))
    found.sort(key=lambda one: (-one[0], one[3]))
    worst = []
    for _, split, merge, neuron, row, shared in found[:NUMBER]:
        order = np.argsort(-shared, kind="stable")
        pieces = [(int(overlaps.segments[row[i]]), float(shared[i] / shared.sum())) for i in order]
        mask = copy.neurons == neuron
        own = next((name for name, _ in pieces if name), 0)
        rest = mask & (copy.segments != own)
        large = [int(overlaps.segments[row[i]]) for i in order if shared[i] >= SMALL * shared.sum()]
        worst.append(
            Neuron(
                name=neuron,
                voxels=int(shared.sum()) * copy.voxels,
                split=split,
                merge=merge,
                pieces=pieces,
                merged=_partners(overlaps, [name for name in large if name], neuron),
                middle=copy.place(middle(mask)),
                error=copy.place(middle(rest)) if rest.any() else None,
            )
        )
    return worst


def _partners(overlaps: metrics.Contingency, segments: Sequence[int], neuron: int) -> list[int]:
    """The other neurons of which these segments have a part that counts."""
    rows = np.searchsorted(overlaps.segments, np.array(segments, np.uint64))
    inside = overlaps.counts[rows]
    shared = np.asarray(inside.sum(0)).ravel()
    sizes = np.asarray(overlaps.counts.sum(0)).ravel()
    order = np.argsort(-shared, kind="stable")
    return [
        int(overlaps.neurons[i])
        for i in order
        if shared[i] > SMALL * sizes[i] and overlaps.neurons[i] != neuron
    ]


def middle(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """A voxel (3,) of the largest connected part of a mask, as deep inside as any."""
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    parts, _ = ndimage.label(mask[box])
    part = parts == np.bincount(parts.ravel())[1:].argmax() + 1
    # beyond the box there is no mask, so that a flat one has a middle too
    depth = ndimage.distance_transform_cdt(np.pad(part, 1), "taxicab")[1:-1, 1:-1, 1:-1]
    inside = np.unravel_index(depth.argmax(), depth.shape)
    return np.array([cut.start + place for cut, place in zip(box, inside, strict=True)])


def show(copy: Coarse, overlaps: metrics.Contingency | None) -> html.Html:
    """A card for each of the worst neurons; without ground truth, for the largest segments."""
    if overlaps is None or not len(overlaps.neurons):
        title, words = "The largest segments", f"Counted in {copy.words()}."
        cards = [_segment(copy, name, size) for name, size in largest(copy)]
    else:
        title, words = "The worst neurons", f"{LEGEND} Counted in {copy.words()}."
        cards = [_neuron(copy, one) for one in rank(copy, overlaps)]
    if not cards:
        return html.tag("p", "There is no segment.")
    inner = html.join(cards).text
    return html.join(
        [
            html.tag("h2", title),
            html.tag("p", words),
            html.Html(f'<div class="cards">{inner}</div>'),
        ]
    )


def largest(copy: Coarse) -> list[tuple[int, int]]:
    """The largest segments and how many voxels they have, about."""
    names, sizes = np.unique(copy.segments, return_counts=True)
    order = [i for i in np.argsort(-sizes, kind="stable") if names[i]][:NUMBER]
    return [(int(names[i]), int(sizes[i]) * copy.voxels) for i in order]


def _neuron(copy: Coarse, one: Neuron) -> html.Html:
    real = [(name, share) for name, share in one.pieces if name]
    words = [
        f"{one.split + one.merge:.4f} bits: split {one.split:.4f}, merge {one.merge:.4f}.",
        f"{_voxels(copy, one.voxels)} in {_many(len(real), 'segment')}"
        + (f", the largest with {real[0][1]:.0%}." if real else "."),
    ]
    if one.merged:
        some = ", ".join(map(str, one.merged[:5])) + (" …" if len(one.merged) > 5 else "")
        words.append(f"Merged with {_many(len(one.merged), 'neuron')}: {some}.")
    words.append(f"Middle at {_at(one.middle)}" + (
        f"; largest part outside its segment at {_at(one.error)}." if one.error else "."
    ))  # fmt: skip
    names = [name for name, _ in real]
    assert copy.neurons is not None, "without them nothing is ranked"
    mask = copy.neurons == one.name
    held = np.isin(copy.segments, [name for name, share in real if share >= SMALL])
    return _card(f"Neuron {one.name}", words, copy, mask, names, held & ~mask)


def _segment(copy: Coarse, name: int, voxels: int) -> html.Html:
    mask = copy.segments == name
    words = [f"{_voxels(copy, voxels)}. Middle at {_at(copy.place(middle(mask)))}."]
    return _card(f"Segment {name}", words, copy, mask, [name], np.zeros_like(mask))


def _card(
    title: str, words: Sequence[str], copy: Coarse, mask: npt.NDArray[np.bool_],
    segments: Sequence[int], beyond: npt.NDArray[np.bool_],
) -> html.Html:  # fmt: skip
    """Title, numbers, and the object from three sides, its segments in colours."""
    box = _around(mask, copy.voxel_size)
    order = {name: place for place, name in enumerate(segments[: len(PALETTE)], 1)}
    names, places = np.unique(copy.segments[box], return_inverse=True)
    numbers = np.array([order.get(name, len(PALETTE) + 1) for name in names.tolist()], np.uint8)
    inside = np.where(mask[box], numbers[places.reshape(mask[box].shape)], 0)
    thing = projection.Thing(
        projection.cubic(inside, copy.voxel_size), projection.cubic(beyond[box], copy.voxel_size)
    )
    palette = np.array([(0, 0, 0), *PALETTE, REST])
    pictures = {name: projection.view(thing, name, palette) for name in AXES}
    total = sum(picture.shape[1] for picture in pictures.values())
    highest = max(picture.shape[0] for picture in pictures.values())
    length, share = scale_bar(total * min(copy.voxel_size))
    # all three at one scale, none higher than a card should be
    figures = [
        html.Html(
            f'<figure style="flex: {picture.shape[1]} 1 0"><figcaption>{name}</figcaption>'
            f"{html.image(*encode(picture), f'{title}, onto {name}').text}</figure>"
        )
        for name, picture in pictures.items()
    ]
    views = html.Html(
        f'<div style="max-width: {HIGHEST * total / highest:.4g}rem">'
        f'<div class="views">{html.join(figures).text}</div>'
        f'<span class="scale" style="width: {share:.2%}">{length}</span></div>'
    )
    text = html.join(html.tag("p", part) for part in words)
    return html.Html(f'<div class="card">{html.tag("h3", title).text}{text.text}{views.text}</div>')


def _around(mask: npt.NDArray[np.bool_], voxel_size: tuple[float, ...]) -> tuple[slice, ...]:
    """The box of a mask and a margin."""
    tight = ndimage.find_objects(mask.astype(np.uint8))[0]
    longest = max((cut.stop - cut.start) * nm for cut, nm in zip(tight, voxel_size, strict=True))
    box = []
    for cut, nm, size in zip(tight, voxel_size, mask.shape, strict=True):
        more = int(np.ceil(MARGIN * longest / nm))
        box.append(slice(max(0, cut.start - more), min(size, cut.stop + more)))
    return tuple(box)


def _voxels(copy: Coarse, count: int) -> str:
    return f"{count:,} voxels" if copy.voxels == 1 else f"About {count:,} voxels"


def _many(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _at(place: Voxel) -> str:
    return ", ".join(f"{axis} {number}" for axis, number in zip("zyx", place, strict=True))
