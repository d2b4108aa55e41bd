"""Every augmentation of a training as pictures: before, after, and the labels that moved along."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fgnet import volume
from fgnet.report import colours, html, painted
from fgnet.report.pictures import as_rgb, beside, encode

OF_VOLUMES = "a crop before, after, and with its labels; below, the same across sections."
OF_IMAGES = "an image before, after, and with its masks."
SIDE = 256  # pixels of the picture of an image
LEAST = 24  # rows that a strip across sections is stretched to


def show(path: Path) -> html.Html:
    """A figure for each augmentation of a ``results/train/MODEL/augmentations.h5``."""
    images = False
    with volume.opened(path) as file:
        figures = []
        for name in sorted(file):
            group = {key: data[:] for key, data in file[name].items()}
            words = name[3:].replace("_", " ")
            images = group["raw"].ndim == 3
            if images:  # colours stand where a volume has sections
                words = words.replace("sections", "colours")
            picture = encode(side_by_side(group) if images else composed(group))
            alt = f"Augmentation {words}: before, after, with labels"
            alt += "" if images else "; below across sections"
            figures.append(html.figure(html.image(*picture, alt), words))
    if not figures:
        return html.tag("p", "The model was taken as it is, so no crop was drawn.")
    words = (
        f"Each alone and exaggerated, then all as configured: {OF_IMAGES if images else OF_VOLUMES}"
    )
    return html.join([html.tag("p", words), html.grid(figures, "22rem")])


def side_by_side(group: dict[str, npt.NDArray[Any]]) -> npt.NDArray[np.uint8]:
    """An image before and after, and with outlines of its masks."""
    before, after = (painted.fitted(group[key], SIDE) for key in ("before", "raw"))
    labels = painted.fitted(group["labels"], SIDE, exact=True)
    masks = [labels == number for number in range(1, int(labels.max()) + 1)]
    return beside([before, after, painted.outlined(after, masks)], axis=1)


def composed(group: dict[str, npt.NDArray[Any]]) -> npt.NDArray[np.uint8]:
    """Before, after and painted labels side by side; below them the same across sections."""
    rows = []
    for end in ("", "_xz"):
        before, after, labels = (group[f"{key}{end}"] for key in ("before", "raw", "labels"))
        names = colours.assign([labels])
        panels = [as_rgb(before), as_rgb(after), colours.paint(labels, names, after, 0.5)]
        if end:
            # thick sections get rows enough to be seen
            times = -(-LEAST // len(labels))
            panels = [np.repeat(panel, times, axis=0) for panel in panels]
        rows.append(beside(panels, axis=1))
    return beside(rows, axis=0)
