"""One pass over the voxels: fragments against ground truth, which fall into its components."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cc3d
import h5py
import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from fgnet import metrics, progress

BLOCK = (64, 256, 256)
Box = tuple[slice, slice, slice]
Index = tuple[int, int, int]
Labels = npt.NDArray[Any]
Faces = dict[tuple[int, Index], tuple[Labels, Labels]]


@dataclass(frozen=True)
class Overlaps:
    """What one pass over fragments and ground truth finds.

    Attributes:
        ids: fragments against the ids of the ground truth.
        components: fragments against its 6-connected components.
        voxels: of the volume, those without ground truth included.
    """

    ids: metrics.Contingency
    components: metrics.Contingency
    voxels: int


def measure(
    fragments: h5py.Dataset,
    labels: h5py.Dataset,
    region: Box,
    mask: h5py.Dataset | None = None,
) -> Overlaps:
    """Count the voxels that fragments share with neurons and with components of neurons.

    The components are found block by block and joined across the blocks' faces, so memory is
    bounded by a block and by the faces of one layer of blocks.

    Args:
        fragments: (z, y, x) unsigned integers.
        labels: (z, y, x) unsigned integers, 0 is unknown.
        region: where ``fragments`` lies in ``labels``.
        mask: 0 at voxels of ``labels`` that nobody labelled; they count as unknown.
    """
    tables = []
    owners: list[Labels] = [np.zeros(1, np.uint64)]
    links: list[Labels] = [np.empty((0, 2), np.int64)]
    waiting: Faces = {}
    pieces = 0
    blocks = list(_blocks(fragments.shape))
    for index, box in progress.track(blocks, "overlaps"):
        fragment = fragments[box]
        place = _moved(box, region)
        truth = labels[place]
        if mask is not None:
            truth = np.where(mask[place] > 0, truth, 0)
        piece, found = cc3d.connected_components(truth, connectivity=6, return_N=True)
        owner = np.zeros(found + 1, np.uint64)
        owner[piece.ravel()] = truth.ravel()
        owners.append(owner[1:])
        piece = np.where(piece > 0, piece.astype(np.int64) + pieces, 0)
        pieces += found
        tables.append(metrics.count(fragment, piece))
        links += _join(waiting, index, truth, piece)
    table = metrics.total(tables)
    edges = np.concatenate(links)
    graph = coo_matrix(
        (np.ones(len(edges), np.int8), (edges[:, 0], edges[:, 1])), (pieces + 1, pieces + 1)
    )
    _, component = connected_components(graph, directed=False)
    return Overlaps(
        ids=table.merged(neurons=np.concatenate(owners)),
        components=table.merged(neurons=component),
        voxels=int(np.prod(fragments.shape)),
    )


def _join(waiting: Faces, index: Index, truth: Labels, piece: Labels) -> list[Labels]:
    """Pairs of pieces that touch across the block's first faces; keep its last faces."""
    pairs: list[Labels] = []
    for axis in range(3):
        if (axis, index) in waiting:
            before, before_piece = waiting.pop((axis, index))
            same = before == truth.take(0, axis)
            touching = metrics.count(before_piece, np.where(same, piece.take(0, axis), 0))
            pair = touching.counts.tocoo()
            ends = touching.segments[pair.row], touching.neurons[pair.col]
            pairs.append(np.stack(ends, 1).astype(np.int64))
        after = (index[0] + (axis == 0), index[1] + (axis == 1), index[2] + (axis == 2))
        waiting[axis, after] = truth.take(-1, axis), piece.take(-1, axis)
    return pairs


def _blocks(shape: tuple[int, ...]) -> Iterator[tuple[Index, Box]]:
    cuts = [
        [slice(start, min(start + block, size)) for start in range(0, size, block)]
        for size, block in zip(shape, BLOCK, strict=True)
    ]
    for z, y, x in itertools.product(*(range(len(cut)) for cut in cuts)):
        yield (z, y, x), (cuts[0][z], cuts[1][y], cuts[2][x])


def _moved(box: Box, region: Box) -> Box:
    z, y, x = (
        slice(part.start + whole.start, part.stop + whole.start)
        for part, whole in zip(box, region, strict=True)
    )
    return z, y, x
