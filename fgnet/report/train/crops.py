"""Crops of the end of a training: what a model was to learn, and what its maps say."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from fgnet import volume
from fgnet.report import colours, html, painted, words
from fgnet.report.pictures import encode

UNKNOWN = 128  # grey of edges that nothing is known of
OF_VOLUMES = (
    "What the weights that were handed on make of crops without augmentation, xy above xz. "
    "Affinities: red, green and blue are the edges along z, y and x, so white means one neuron on "
    "all sides; grey are edges that nothing is known of."
)
OF_IMAGES = (
    "What the weights that were handed on make of images without augmentation, at the size that "
    "the model sees. Probabilities: black is 0; white is 1, or with several classes the colour of "
    "the most probable one."
)
SIDE = 320  # pixels of the picture of an image
# of the maps of images, in the order of the page
TITLES = {
    "refined": "Probability", "deep1": "Side output 1", "deep2": "Side output 2",
    "deep3": "Side output 3", "edge": "Edges",
}  # fmt: skip
Array = npt.NDArray[Any]


def show(path: Path) -> html.Html:
    """Rows of pictures for each crop of a ``results/train/MODEL/examples.h5``."""
    parts: list[html.Html] = []
    with volume.opened(path) as file:
        for name in sorted(file):
            number, _, kind = name.partition(" ")
            group = file[name]
            images = group["raw"].ndim == 3
            if not parts:
                parts.append(html.tag("p", OF_IMAGES if images else OF_VOLUMES))
            what, where = ("Image", "images") if images else ("Crop", "volumes")
            parts.append(html.tag("h3", f"{what} {int(number) + 1}, of the {kind} {where}"))
            draw = picture if images else row
            parts.append(draw(group, f"{kind} {what.lower()} {int(number) + 1}"))
    if not parts:
        return html.tag("p", "The model was taken as it is, so it has no crops of its training.")
    return html.join(parts)


def picture(group: h5py.Group, place: str) -> html.Html:
    """An image, its masks and all maps of a network side by side."""
    raw, labels = group["raw"][:], group["labels"][:]
    maps = {title: group[name][:] for name, title in TITLES.items() if name in group}
    shown = painted.fitted(raw, SIDE)
    small = painted.fitted(labels, SIDE, exact=True)
    panels = {
        "Image": shown,
        "Masks": painted.of_labels(shown, small, len(group["refined"])),
        **{title: painted.probable(np.stack([painted.fitted(one, SIDE) for one in found]))
           for title, found in maps.items()},
    }  # fmt: skip
    figures = [
        html.figure(html.image(*encode(panel), f"{title}, {place}"), title)
        for title, panel in panels.items()
    ]
    return html.grid(figures, "11rem", "photos")


def row(group: h5py.Group, place: str) -> html.Html:
    """Raw, labels, target and maps of one crop, xy above xz."""
    z, y, x = group.attrs["voxel_size"]
    raw, labels = ([group[f"{name}{end}"][:] for end in ("", "_xz")] for name in ("raw", "labels"))
    names = colours.assign(labels)
    panels = {
        "Raw": raw,
        "Labels": [colours.paint(one, names, grey, 0.62)
                   for one, grey in zip(labels, raw, strict=True)],
        "Target affinities": [
            np.where(group[f"known{end}"][:] > 0, group[f"target{end}"][:], UNKNOWN)
            for end in ("", "_xz")
        ],
    }  # fmt: skip
    for name, title in words.maps(group).items():
        panels[title] = [group[f"{name}{end}"][:] for end in ("", "_xz")]
    figures = []
    for title, pair in panels.items():
        images = []
        for picture, plane, down in zip(pair, ("xy", "xz"), (y, z), strict=True):
            shown = np.moveaxis(picture, 0, -1) if "affinities" in title.lower() else picture
            aspect = shown.shape[1] * x / (shown.shape[0] * down)
            alt = f"{title}, {place}, {plane}"
            images.append(html.image(*encode(shown.astype(np.uint8)), alt, aspect))
        figures.append(html.figure(html.join(images), title))
    return html.grid(figures, "13rem", "voxels pairs")
