"""Skeletons of labelled neurons: the centre lines of what the labels hold in a box."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import cc3d
import numpy as np
import numpy.typing as npt
from scipy.ndimage import find_objects

from fgnet.blocks import tiles
from fgnet.evaluate.thinning import centre_line
from fgnet.progress import track
from fgnet.settings.evaluate import RunLength
from fgnet.skeletons import ROUNDING, Skeletons, gathered
from fgnet.volume import Triple

LOG = logging.getLogger(__name__)
BLOCK = (64, 512, 512)  # voxels read at a time
STEPS = 4  # voxels along the finest axis in a step of the grid
FINE = 40.0  # nm: a longer step, which thin neurites slip through, only where an axis is coarser

Index = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int32]
Box = tuple[slice, slice, slice]


def grid_step(size: Sequence[float]) -> float:
    """The default step of the grid in nm, from the voxel size (nm; z, y, x)."""
    return max(max(size), min(STEPS * min(size), FINE))


def derive(
    labels: Any, region: Box, size: Triple, offset: Triple, settings: RunLength, mask: Any = None
) -> Skeletons:
    """The centre line of every neuron in a box.

    The labels are read block by block onto an isotropic grid, each point of which takes the
    voxel that it lies in; in memory stand 8 bytes for each point, and what the largest neuron's
    bounding box needs. Lines end about a radius before a neuron does.

    Args:
        labels: (z, y, x) unsigned integers, read by slices; 0 is no neuron.
        region: the box of the labels.
        size: voxel size in nm along z, y, x.
        offset: of the labels' first voxel, nm.
        mask: as labels; where it is 0 nobody labelled.

    Returns:
        Nodes on voxels of their neuron. The record holds the settings and says how many neurons
        there are, how many of them are too small for a line, and their share of the voxels.
    """
    step = settings.grid or grid_step(size)
    points = [
        spread((cut.stop - cut.start) * nm, step) for cut, nm in zip(region, size, strict=True)
    ]
    index = [
        np.floor(own / nm + ROUNDING).astype(np.int64) + cut.start
        for own, nm, cut in zip(points, size, region, strict=True)
    ]
    grid, known = sampled(labels, mask, region, index)
    ids = list(known)
    first = [
        low + cut.start * nm + own[0]
        for low, cut, nm, own in zip(offset, region, size, points, strict=True)
    ]
    lines = [
        (ids[number - 1], nodes * step + first, edges)
        for number, nodes, edges in _lines(grid, settings.spur / step)
    ]
    with_line = {neuron for neuron, _, _ in lines}
    small = [count for neuron, count in known.items() if neuron not in with_line]
    share = sum(small) / max(sum(known.values()), 1)
    record = {
        "from": "labels", "grid": step, "spur": settings.spur, "neurons": len(ids),
        "without_line": len(small),
        "share_without_line": share,
    }  # fmt: skip
    found = gathered(lines, record)
    LOG.info(
        "centre lines of %d of %d neurons, %.1f um on a grid of %g nm; the others are too small, "
        "%.2g %% of the labelled volume",
        len(with_line), len(ids), found.lengths().sum() / 1000, step,
        100 * share,
    )  # fmt: skip
    return found


def spread(extent: float, step: float) -> npt.NDArray[np.float64]:
    """Places of the grid's points along an axis of so many nm, in its middle."""
    count = max(int(extent / step + ROUNDING), 1)
    places = (np.arange(count) + 0.5) * step + (extent - count * step) / 2
    return np.asarray(places, np.float64)


def sampled(
    labels: Any, mask: Any, region: Box, index: list[Index]
) -> tuple[Numbers, dict[int, int]]:
    """The neuron at every point of a grid, numbered from 1, and the voxels of each neuron's id.

    Args:
        index: the voxels of the grid's points along each axis of the labels, ascending.
    """
    grid = np.zeros([len(own) for own in index], np.int32)
    numbers: dict[int, int] = {0: 0}
    voxels: dict[int, int] = {}
    shape = [cut.stop - cut.start for cut in region]
    for box in track(tiles(shape, BLOCK), "sample labels"):
        place = tuple(
            slice(cut.start + whole.start, cut.stop + whole.start)
            for cut, whole in zip(box, region, strict=True)
        )
        block = labels[place]
        if mask is not None:
            block = np.where(mask[place] > 0, block, 0)
        for neuron, count in _counts(block):
            numbers.setdefault(neuron, len(numbers))
            voxels[neuron] = voxels.get(neuron, 0) + count
        here = tuple(
            slice(*np.searchsorted(own, [cut.start, cut.stop]))
            for own, cut in zip(index, place, strict=True)
        )
        inner = np.ix_(
            *(own[cut] - low.start for own, cut, low in zip(index, here, place, strict=True))
        )
        ids, which = np.unique(block[inner], return_inverse=True)
        known = np.array([numbers[int(neuron)] for neuron in ids], np.int32)
        grid[here] = known[which].reshape(grid[here].shape)
    return grid, {neuron: voxels[neuron] for neuron in numbers if neuron}


def _counts(block: npt.NDArray[Any]) -> Iterator[tuple[int, int]]:
    """The ids of a block and their voxels; runs of one id are counted as one, to sort little."""
    flat = block.ravel()
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    ids, which = np.unique(flat[starts], return_inverse=True)
    counts = np.bincount(which, np.diff(starts, append=flat.size))
    yield from zip(ids.tolist(), counts.astype(int).tolist(), strict=True)


def _lines(grid: Numbers, spur: float) -> Iterator[tuple[int, Index, Index]]:
    """Neuron, nodes (n, 3) and edges of each line, nodes as points of the grid."""
    # what the box or the grid cut is several pieces, each with a line of its own
    piece = cc3d.connected_components(grid, connectivity=26)
    boxes = find_objects(piece)
    for number, box in enumerate(track(boxes, "centre lines"), 1):
        thing = piece[box] == number
        nodes, edges = centre_line(thing, spur)
        if len(edges):
            corner = np.array([cut.start for cut in box])
            neuron = int(grid[box][tuple(nodes[0])])
            yield neuron, nodes + corner, edges
