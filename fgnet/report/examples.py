"""Crops of the end of a training: what a model was to learn, and what both its maps say."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from fgnet import volume
from fgnet.report import colours, html
from fgnet.report.pictures import encode

UNKNOWN = 128  # grey of edges that nothing is known of
MAPS = {"coarse": "Coarse affinities (A_s)", "refined": "Refined affinities (A_r)"}
Array = npt.NDArray[Any]


def show(path: Path) -> html.Html:
    """Rows of pictures for each crop of a ``results/train/MODEL/examples.h5``."""
    parts = []
    with volume.opened(path) as file:
        for name in sorted(file):
            number, _, kind = name.partition(" ")
            parts.append(html.tag("h3", f"Crop {int(number) + 1}, of the {kind} volumes"))
            parts.append(row(file[name], f"{kind} crop {int(number) + 1}"))
    if not parts:
        return html.tag("p", "The model was taken as it is, so it has no crops of its training.")
    return html.join(parts)


def row(group: h5py.Group, words: str) -> html.Html:
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
    for name, title in MAPS.items():
        if name in group:
            panels[title] = [group[f"{name}{end}"][:] for end in ("", "_xz")]
    figures = []
    for title, pair in panels.items():
        images = []
        for picture, plane, down in zip(pair, ("xy", "xz"), (y, z), strict=True):
            shown = np.moveaxis(picture, 0, -1) if "affinities" in title else picture
            aspect = shown.shape[1] * x / (shown.shape[0] * down)
            alt = f"{title}, {words}, {plane}"
            images.append(html.image(*encode(shown.astype(np.uint8)), alt, aspect))
        figures.append(html.figure(html.join(images), title))
    return html.grid(figures, "13rem", "voxels pairs")
