"""One pass over the voxels: all that scores of any threshold need."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import cc3d
import h5py
import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from fgnet import metrics, progress, volume
from fgnet.evaluate import border as borders
from fgnet.evaluate import loops, shared
from fgnet.evaluate.faces import Faces, Index
from fgnet.evaluate.faces import links as join
from fgnet.evaluate.shared import Shared
from fgnet.metrics import boundary
from fgnet.metrics.boundary import Boundaries

BLOCK = (64, 256, 256)
Box = tuple[slice, slice, slice]
Ids = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Overlaps:
    """What one pass over fragments and ground truth finds.

    Attributes:
        shared: fragments against 6-connected components of the ground truth, numbered from 1.
        owners: (components + 1,) uint64, the ground truth's id of each component; entry 0 is 0.
        boundaries: edges between, within and at the margin of fragments.
        voxels: of the volume.
        unlabelled: of these, without ground truth.
        near_border: of these, with ground truth, not scored as they lie near a border of it.
    """

    shared: Shared
    owners: Ids
    boundaries: Boundaries
    voxels: int
    unlabelled: int
    near_border: int

    @property
    def components(self) -> metrics.Contingency:
        """Fragments against the components of the ground truth."""
        return self.shared.contingency

    @property
    def ids(self) -> metrics.Contingency:
        """Fragments against the ids of the ground truth."""
        return self.components.merged(neurons=self.owners)


def measure(
    fragments: h5py.Dataset,
    labels: h5py.Dataset,
    region: Box,
    mask: h5py.Dataset | None = None,
    border: float = 0,
) -> Overlaps:
    """Measure what fragments and ground truth share, and which edges are cut.

    Components are found block by block and joined across the blocks' faces, and an edge between
    blocks counts for the later one, so memory is that of a block, of the faces of one layer of
    blocks, and of the tables: some 100 bytes for each pair of a fragment and a neuron that share
    voxels of a block. What lies outside ``region`` decides nothing.

    Args:
        fragments: (z, y, x) unsigned integers.
        labels: (z, y, x) unsigned integers, 0 is unknown.
        region: where ``fragments`` lies in ``labels``.
        mask: 0 at voxels of ``labels`` that nobody labelled; they count as unknown.
        border: nm; above 0, voxels at most so far from a border in their section are not scored.
            They stay part of components and of boundaries. See :func:`fgnet.evaluate.border.near`.
    """
    faces = Faces([-(-size // block) for size, block in zip(fragments.shape, BLOCK, strict=True)])
    tables: list[Shared] = []
    edges: list[Boundaries] = []
    owners: list[Ids] = [np.zeros(1, np.uint64)]
    links: list[npt.NDArray[np.int64]] = [np.empty((0, 2), np.int64)]
    pieces = unlabelled = near_border = 0
    for index, box in progress.track(list(_blocks(fragments.shape)), "overlaps"):
        start = [part.start for part in box]
        fragment: Ids = fragments[box].astype(np.uint64, copy=False)
        truth, near = _truth(labels, mask, region, box, border)
        numbered, found = cc3d.connected_components(
            truth, connectivity=6, out_dtype=np.uint32, return_N=True
        )
        owners.append(loops.owners(numbered, truth, found)[1:])
        piece: Ids = np.where(numbered > 0, numbered + np.uint64(pieces), np.uint64(0))
        pieces += found
        before = z, y, x = faces.before(index, truth.shape)
        links += [join(face, axis, truth, piece) for axis, face in enumerate(before)]
        edges.append(
            Boundaries(
                *loops.touching(
                    fragment,
                    truth,
                    (z.fragments, y.fragments, x.fragments),
                    (z.truth, y.truth, x.truth),
                )
            )
        )
        faces.keep(index, fragment, truth, piece)
        unlabelled += int(np.count_nonzero(truth == 0))
        if near is not None:
            near_border += int(np.count_nonzero(near & (truth > 0)))
            piece[near] = 0
        tables.append(Shared.of_block(fragment, piece, start))
    component = _joined(np.concatenate(links), pieces)
    owner = np.zeros(component.max() + 1, np.uint64)
    owner[component] = np.concatenate(owners)
    return Overlaps(
        shared=shared.total(tables).merged(neurons=component),
        owners=owner,
        boundaries=boundary.total(edges),
        voxels=int(np.prod(fragments.shape)),
        unlabelled=unlabelled,
        near_border=near_border,
    )


def _truth(
    labels: h5py.Dataset, mask: h5py.Dataset | None, region: Box, box: Box, border: float
) -> tuple[Ids, npt.NDArray[np.bool_] | None]:
    """The ground truth of a block, 0 where it is masked, and where it is near a border."""
    size = volume.voxel_size(labels)[1:] if border else (1.0, 1.0)
    rim = (0, *borders.reach(border, size)) if border else (0, 0, 0)
    wide, inner = [], []
    for part, whole, more in zip(box, region, rim, strict=True):
        start = max(part.start - more, 0)
        stop = min(part.stop + more, whole.stop - whole.start)
        wide.append(slice(whole.start + start, whole.start + stop))
        inner.append(slice(part.start - start, part.stop - start))
    truth: Ids = labels[tuple(wide)].astype(np.uint64, copy=False)
    if mask is not None:
        truth = np.where(mask[tuple(wide)] > 0, truth, np.uint64(0))
    z, y, x = inner
    near = borders.near(truth, border, size)[z, y, x] if border else None
    return np.ascontiguousarray(truth[z, y, x]), near


def _joined(links: npt.NDArray[np.int64], pieces: int) -> npt.NDArray[np.int64]:
    """The component of every piece, (pieces + 1,), numbered from 1 on; that of piece 0 is 0."""
    ones = np.ones(len(links), np.int8)
    graph = coo_matrix((ones, (links[:, 0], links[:, 1])), (pieces + 1, pieces + 1))
    component: npt.NDArray[np.int64] = connected_components(graph, directed=False)[1]
    return component.astype(np.int64)


def _blocks(shape: tuple[int, ...]) -> Iterator[tuple[Index, Box]]:
    cuts = [
        [slice(start, min(start + block, size)) for start in range(0, size, block)]
        for size, block in zip(shape, BLOCK, strict=True)
    ]
    for z, y, x in itertools.product(*(range(len(cut)) for cut in cuts)):
        yield (z, y, x), (cuts[0][z], cuts[1][y], cuts[2][x])
