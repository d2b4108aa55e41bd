"""Colours of labels that the colour-blind can tell apart and that differ between neighbours."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fgnet import metrics

Labels = npt.NDArray[Any]
Picture = npt.NDArray[np.uint8]

# Paul Tol's "muted" scheme, made for colour-blind readers
MUTED = ("#88ccee", "#cc6677", "#ddcc77", "#117733", "#aa4499", "#44aa99", "#999933", "#882255",
         "#332288")  # fmt: skip
# voxels this far apart still count as neighbours: fragments are parted by thin lines of 0
REACH = 2


def neighbours(views: Sequence[Labels]) -> dict[int, set[int]]:
    """For each label, those within reach of it in any of the 2-D views; 0 is no label."""
    found: dict[int, set[int]] = {
        int(name): set() for view in views for name in np.unique(view) if name
    }
    steps = [(a, b) for a in range(REACH + 1) for b in range(-REACH, REACH + 1) if (a, b) > (0, 0)]
    for view in views:
        for down, right in steps:
            if down >= view.shape[0] or abs(right) >= view.shape[1]:
                continue
            one = view[: view.shape[0] - down, max(0, -right) : view.shape[1] - max(0, right)]
            two = view[down:, max(0, right) : view.shape[1] + min(0, right)]
            differ = (one != two) & (one > 0) & (two > 0)
            for a, b in np.unique(np.stack([one[differ], two[differ]], 1), axis=0).tolist():
                found[a].add(b)
                found[b].add(a)
    return found


def assign(views: Sequence[Labels], wishes: Mapping[int, int] | None = None) -> dict[int, int]:
    """A colour number for each label so that neighbours differ.

    The largest labels choose first: the colour wished for if no neighbour has it, else the one
    used least.

    Args:
        views: 2-D label arrays that are shown together.
        wishes: colour numbers wanted, as of the neuron that a segment covers.
    """
    sizes: Counter[int] = Counter()
    for view in views:
        names, voxels = np.unique(view, return_counts=True)
        sizes.update(dict(zip(names.tolist(), voxels.tolist(), strict=True)))
    beside = neighbours(views)
    chosen: dict[int, int] = {}
    used: Counter[int] = Counter()
    for name, _ in sizes.most_common():
        if name == 0:
            continue
        taken = {chosen[other] for other in beside[name] if other in chosen}
        wish = (wishes or {}).get(name)
        if wish is None or wish in taken:
            free = [number for number in range(len(MUTED)) if number not in taken]
            later = next(
                n for n in range(len(MUTED), len(MUTED) + len(taken) + 1) if n not in taken
            )
            wish = min(free, key=lambda number: (used[number], number)) if free else later
        chosen[name] = wish
        used[wish] += 1
    return chosen


def wishes(
    segments: Sequence[Labels], neurons: Sequence[Labels], colours: Mapping[int, int]
) -> dict[int, int]:
    """For each segment the colour of the neuron that it shares most voxels with in the views."""
    tables = [metrics.count(one, two) for one, two in zip(segments, neurons, strict=True)]
    table = metrics.total(tables)
    counts = table.counts.tocoo()
    best: dict[int, int] = {}
    for pair in np.argsort(counts.data):
        neuron = int(table.neurons[counts.col[pair]])
        best[int(table.segments[counts.row[pair]])] = colours[neuron]
    return best


def rgb(number: int) -> npt.NDArray[np.float64]:
    """A colour as red, green, blue from 0 to 255; numbers beyond the palette are paler."""
    shade, place = divmod(number, len(MUTED))
    code = MUTED[place].lstrip("#")
    colour = np.array([int(code[start : start + 2], 16) for start in (0, 2, 4)], np.float64)
    return 255 - (255 - colour) * 0.62**shade


def paint(labels: Labels, colours: Mapping[int, int], grey: Picture, opacity: float) -> Picture:
    """Labels as colours over a grey picture; where the label is 0 the picture shows.

    Args:
        labels: (rows, columns).
        grey: (rows, columns) uint8.
        opacity: of the colours, 0 to 1.

    Returns:
        (rows, columns, 3) uint8.
    """
    names, places = np.unique(labels, return_inverse=True)
    palette = np.array([rgb(colours[name]) if name else (0, 0, 0) for name in names.tolist()])
    strength = np.where(labels > 0, opacity, 0.0)[..., None]
    flat = palette[places.reshape(labels.shape)]
    mixed: Picture = (flat * strength + grey[..., None] * (1 - strength)).round().astype(np.uint8)
    return mixed
