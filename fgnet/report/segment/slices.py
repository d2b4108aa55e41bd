"""A segmentation side by side with what it came from, in three planes."""

from collections.abc import Sequence

import numpy as np

from fgnet import metrics
from fgnet.report import colours, html
from fgnet.report.pictures import encode, scale_bar
from fgnet.report.segment import mistakes, planes
from fgnet.report.segment.planes import Array, Plane
from fgnet.report.segment.scene import Scene

SECTIONS = 9  # to scroll through, or fewer where they would not fit into the page:
BUDGET = 4_000_000  # characters of all pictures of planes
OPACITY = 0.62
KEYS = (
    (f"rgb{mistakes.SPLIT}", "split: a border inside one neuron, and what is cut off"),
    (f"rgb{mistakes.MERGE}", "merge: a segment outside its own neuron"),
)
EDGES = (
    "Affinities: red, green and blue are the edges along z, y and x, so white means one neuron on "
    "all sides."
)
OWN = (
    "A segment has the colour of the neuron that it covers most of in these pictures; where that "
    "colour was taken by a neighbour, another."
)
Panels = dict[str, Array]


def show(scene: Scene, longest: int, whole: metrics.Contingency | None = None) -> html.Html:
    """Sections to scroll through, then both planes across them.

    Args:
        longest: side of the pictures in voxels.
        whole: segments against neurons of the whole volume, which say what belongs to what; see
            :mod:`fgnet.report.segment.coarse`.
    """
    shape, size = scene.shape, scene.voxel_size
    beside = planes.across(shape, size, longest)
    middle = planes.sections(shape, size, longest, 1)
    one = len(row(scene, middle, whole)[0].text)
    room = BUDGET - one * sum(plane.voxels for plane in beside) / middle[0].voxels
    number = max(1, min(SECTIONS, int(room / one)))
    number -= number % 2 == 0  # so that the middle section is among them
    sections = planes.sections(shape, size, longest, number)
    rows = row(scene, [*sections, *beside], whole)
    titles = [f"z {scene.first[0] + plane.at}" for plane in sections]
    parts = [html.keys(KEYS)] if scene.labels is not None else []
    parts += [
        html.tag("h2", "Sections, xy"),
        html.stack(list(zip(titles, rows, strict=False)), len(sections) // 2),
    ]
    for plane, content in zip(beside, rows[len(sections) :], strict=True):
        axis = planes.AXES[plane.name]
        title = f"Across the sections, {plane.name} at {'zyx'[axis]} {scene.first[axis] + plane.at}"
        parts += [html.tag("h2", title), content]
    words = EDGES if scene.labels is None else f"{EDGES} {OWN}"
    return html.join([*parts, html.tag("p", words)])


def row(
    scene: Scene, cuts: Sequence[Plane], whole: metrics.Contingency | None = None,
    least: str = "17rem",
) -> list[html.Html]:  # fmt: skip
    """For each plane a row of pictures, none narrower than ``least`` on a wide screen; a segment
    has one colour in all of them."""
    rows = []
    for plane, panels in zip(cuts, pictures(scene, cuts, whole), strict=True):
        length, share = scale_bar(plane.width)
        bar = f'<span class="scale" style="width: {share:.2%}">{length}</span>'
        words = f"{plane.name} at {plane.at}"
        figures = [
            html.figure(
                html.image(*encode(picture), f"{title}, {words}", plane.width / plane.height),
                title,
                bar if title == "Raw" else "",
            )
            for title, picture in panels.items()
        ]
        rows.append(html.grid(figures, least, "voxels"))
    return rows


def pictures(
    scene: Scene, cuts: Sequence[Plane], whole: metrics.Contingency | None = None
) -> list[Panels]:
    """Raw, affinities, fragments, segmentation, ground truth and errors of each plane, as far as
    the scene has them: by title, (rows, columns) or (rows, columns, 3) uint8.

    Errors need to know what belongs to what in the whole volume.
    """
    grey = [plane.flat(scene.grey(plane.box)) for plane in cuts]
    pieces = [plane.flat(scene.pieces(plane.box)) for plane in cuts]
    segments = [scene.table[piece] for piece in pieces]
    neurons = [plane.flat(scene.neurons(plane.box)) for plane in cuts]
    known = scene.labels is not None
    truth = colours.assign(neurons)
    names = colours.assign(segments, colours.wishes(segments, neurons, truth) if known else {})
    parts = colours.assign(pieces)
    owned = None
    if known and whole is not None:
        # a small segment may be in a section and not in the copy that the whole was counted in
        tables = [metrics.count(one, two) for one, two in zip(segments, neurons, strict=True)]
        owned = mistakes.owners([whole, *tables])
    found = []
    for place, plane in enumerate(cuts):
        image = grey[place]
        panels: Panels = {"Raw": image}
        for title in scene.maps:
            panels[title] = np.moveaxis(plane.flat(scene.affinities(title, plane.box)), 0, -1)
        panels["Fragments"] = colours.paint(pieces[place], parts, image, 1.0)
        panels["Segmentation"] = colours.paint(segments[place], names, image, OPACITY)
        if known:
            panels["Ground truth"] = colours.paint(neurons[place], truth, image, OPACITY)
        if owned is not None:
            panels["Errors"] = mistakes.paint(segments[place], neurons[place], owned, image)
        found.append(panels)
    return found
