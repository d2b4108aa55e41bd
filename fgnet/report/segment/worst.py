"""The neurons that a segmentation gets most wrong, and where no neuron is known its largest
segments: numbers, places, and views from three sides."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from fgnet import scores, volume
from fgnet.report import colours, html
from fgnet.report.pictures import encode, scale_bar
from fgnet.report.segment import neurons, places, projection
from fgnet.report.segment.coarse import Coarse
from fgnet.report.segment.planes import AXES
from fgnet.report.segment.ranks import NUMBER, largest, middle

HIGHEST = 18  # of a view, in rem
SMALL = 0.05  # what segments hold of other neurons is shown of those with such a share of this one
MARGIN = 0.12  # around an object, of its longest side
PALETTE = (*(colours.rgb(number) for number in (0, 1, 2, 5, 4, 6, 3)),)
REST = (150.0, 150.0, 150.0)  # segments beyond the palette, and what no segment has
LEGEND = (
    "Those that add most to the VOI, with their largest mistakes, seen from three sides, nearer "
    "parts brighter. Inside a neuron's outline each segment has a colour, the largest light blue; "
    "what no segment has is grey. Pale, behind it, is what these segments hold of other neurons "
    "nearby."
)


def show(copy: Coarse, file: Path | None, there: places.Viewer | None = None) -> html.Html:
    """A card for each of the worst neurons; without ground truth, for the largest segments.

    Args:
        file: of the neurons, see :class:`fgnet.scores.Neurons`.
        there: the viewer that places lead to, if the volume is exported.
    """
    told = places.words(there).text
    drawn = f"Views are of {copy.words()}."
    if file is None:
        title, words = "The largest segments", f"{told} Counts and views are of {copy.words()}."
        cards = [_segment(copy, name, size, there) for name, size in largest(copy)]
        below = []
    else:
        listed = scores.read(file, scores.Neurons)
        title, words = "The worst neurons", f"{LEGEND} {told} {drawn}"
        size = listed.treatment.voxel_size
        cards = [_neuron(copy, one, size, there) for one in listed.neurons[:NUMBER]]
        below = [neurons.table(listed.neurons, file)]
    if not cards:
        return html.tag("p", "There is no segment.")
    inner = html.join(cards).text
    return html.join(
        [
            html.tag("h2", title),
            html.tag("p", html.Html(words)),
            html.Html(f'<div class="cards">{inner}</div>'),
            *below,
        ]
    )


def _neuron(
    copy: Coarse, one: scores.Neuron, size: volume.Triple, there: places.Viewer | None
) -> html.Html:
    assert copy.neurons is not None, "what was scored has neurons"
    mask = np.zeros(copy.neurons.shape, np.bool_)
    box = copy.box(one.low, one.high)  # a component's, where parts are scored
    mask[box] = copy.neurons[box] == one.neuron
    title = f"Neuron {neurons.name(one)}"
    found = neurons.mistakes(one, size, there)
    return _card(title, neurons.words(one), copy, mask, there, one.main, found)


def _segment(copy: Coarse, name: int, voxels: int, there: places.Viewer | None) -> html.Html:
    words = [f"{'' if copy.voxels == 1 else 'About '}{voxels:,} voxels."]
    return _card(f"Segment {name}", words, copy, copy.segments == name, there, name)


def _card(
    title: str, words: list[str], copy: Coarse, mask: npt.NDArray[np.bool_],
    there: places.Viewer | None, segment: int, more: html.Html | None = None,
) -> html.Html:  # fmt: skip
    """Title, numbers, where it is, and views of it; a link to it selects a segment."""
    text = [html.tag("h3", title), *(html.tag("p", part) for part in words)]
    parts = [more] if more else []
    if mask.any():
        place = places.show(copy.place(middle(mask)), there, [segment]).text
        text.append(html.tag("p", html.Html(f"Middle at {place}.")))
        parts.append(_views(title, copy, mask))
    return html.Html(f'<div class="card">{html.join([*text, *parts]).text}</div>')


def _views(title: str, copy: Coarse, mask: npt.NDArray[np.bool_]) -> html.Html:
    """An object from three sides, its segments in colours, the rest of them pale."""
    box = _around(mask, copy.voxel_size)
    segments, inner = copy.segments[box], mask[box]
    names, counts = np.unique(segments[inner], return_counts=True)
    order = [i for i in np.argsort(-counts, kind="stable") if names[i]]
    colour = {int(names[i]): place for place, i in enumerate(order[: len(PALETTE)], 1)}
    beyond = np.isin(segments, [names[i] for i in order if counts[i] >= SMALL * inner.sum()])
    every, places = np.unique(segments, return_inverse=True)
    numbers = np.array([colour.get(name, len(PALETTE) + 1) for name in every.tolist()], np.uint8)
    inside = np.where(inner, numbers[places.reshape(segments.shape)], 0)
    thing = projection.Thing(
        projection.cubic(inside, copy.voxel_size),
        projection.cubic(beyond & ~inner, copy.voxel_size),
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
    return html.Html(
        f'<div style="max-width: {HIGHEST * total / highest:.4g}rem">'
        f'<div class="views">{html.join(figures).text}</div>'
        f'<span class="scale" style="width: {share:.2%}">{length}</span></div>'
    )


def _around(mask: npt.NDArray[np.bool_], voxel_size: tuple[float, ...]) -> tuple[slice, ...]:
    """The box of a mask and a margin."""
    tight = ndimage.find_objects(mask.astype(np.uint8))[0]
    longest = max((cut.stop - cut.start) * nm for cut, nm in zip(tight, voxel_size, strict=True))
    box = []
    for cut, nm, size in zip(tight, voxel_size, mask.shape, strict=True):
        more = int(np.ceil(MARGIN * longest / nm))
        box.append(slice(max(0, cut.start - more), min(size, cut.stop + more)))
    return tuple(box)
