"""Fragments: pieces of neurons, too small rather than too large, from nearest affinities.

Affinities are (3, z, y, x) uint8, 255 is 1, of the offsets (-1,0,0), (0,-1,0), (0,0,-1).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from bioimage_cpp.distance import distance_transform
from scipy import ndimage

from fgnet import segmentation
from fgnet.agglomerate import flood, hierarchy, regions, seeds
from fgnet.progress import track
from fgnet.settings.agglomerate import Components, Watershed

Affinities = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int32]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Fragments:
    """The fragments of a volume, or of a block and what is around it.

    Attributes:
        labels: (z, y, x) int32, 0 is background; not every number need occur.
        begin: (n + 1,) int64, the place in ``labels`` where the seed of each begins, counted in
            the order of voxels: what a fragment can be known by, whichever block sees it.
    """

    labels: Labels
    begin: Places

    def numbered(self) -> "Fragments":
        """The same with the numbers 1..n, none left out, ascending by where seeds begin."""
        used = np.zeros(len(self.begin), np.bool_)
        used[self.labels.ravel()] = True
        used[0] = False
        old = np.flatnonzero(used)
        old = old[np.argsort(self.begin[old])]
        table = np.zeros(len(self.begin), np.int32)
        table[old] = np.arange(1, len(old) + 1)
        return Fragments(table[self.labels], np.concatenate([[-1], self.begin[old]]))


def make(
    affinities: Affinities, settings: Components | Watershed, voxel_size: Sequence[float]
) -> Fragments:
    """Fragments of a volume or a block of one; where all affinities are 0 there are none.

    Args:
        voxel_size: nm along z, y, x.
    """
    if not affinities.any():
        return Fragments(np.zeros(affinities.shape[1:], np.int32), np.full(1, -1))
    if isinstance(settings, Components):
        return components(affinities, settings)
    found = watershed(affinities, settings, voxel_size)
    if settings.epsilon > 0:
        found = found.numbered()
        graph = regions.of_block(affinities, found.labels)
        merges, counts = hierarchy.agglomerate(graph, "mean", [settings.epsilon])
        table = segmentation.merged(merges[: counts[0]], len(found.begin) - 1).astype(np.int32)
        begin = np.full(int(table.max()) + 1, np.iinfo(np.int64).max)
        np.minimum.at(begin, table, found.begin)
        found = Fragments(table[found.labels], begin)
    return found


def components(affinities: Affinities, settings: Components) -> Fragments:
    """Connected components over the edges above an affinity."""
    labels, count = seeds.connected(affinities, settings.affinity)
    keep = np.bincount(labels.ravel()) >= settings.smallest
    labels = np.where(keep[labels], labels + np.int32(1), np.int32(0))
    return Fragments(labels, seeds.beginnings(labels, count))


def watershed(
    affinities: Affinities, settings: Watershed, voxel_size: Sequence[float]
) -> Fragments:
    """Watershed on the boundary map, from the maxima of the distance to the boundary.

    The seeds follow the common recipe (for instance weih527/SuperHuman and Beier et al. 2017,
    "Multicut brings automated neurite segmentation closer to human performance"). Three things
    differ: a voxel's boundary comes from the edges on both its sides, so that it lies in the middle
    of a membrane and not half a voxel beside it; pieces that no seed hit get one (``rescue``);
    and voxels beside an edge of affinity 0 are flooded along edges, so that ideal affinities
    give exact borders.

    Args:
        voxel_size: nm along z, y, x.
    """
    if settings.per == "volume":
        return basins(affinities, settings, voxel_size)
    labels = np.zeros(affinities.shape[1:], np.int32)
    begin = [np.full(1, -1)]
    last = 0
    for z in track(range(len(labels)), "fragments"):
        # alone, a section has no neighbour in z and so no edge there
        section = basins(affinities[:, z : z + 1], settings, voxel_size)
        labels[z] = np.where(section.labels > 0, section.labels + np.int32(last), 0)[0]
        begin.append(section.begin[1:] + z * labels[0].size)
        last += len(section.begin) - 1
    return Fragments(labels, np.concatenate(begin))


def basins(affinities: Affinities, settings: Watershed, voxel_size: Sequence[float]) -> Fragments:
    """The watershed of a volume or a section (3, 1, y, x)."""
    affinities = np.ascontiguousarray(affinities)
    heights, lowest = flood.around(affinities)
    found, count = peaks(lowest > settings.inside * 255, settings.smoothing, voxel_size)
    if settings.rescue:
        piece, pieces = seeds.connected(affinities, settings.inside)
        count = seeds.rescue(found, count, piece, pieces, settings.rescue)
    if not count:
        # all is boundary: nothing tells one voxel from another
        return Fragments(np.ones(lowest.shape, np.int32), np.array([-1, 0]))
    labels = flood.padded(found)
    flood.flood(heights, labels)
    inner = labels[1:-1, 1:-1, 1:-1]
    if settings.smallest > 1:
        keep = np.bincount(inner.ravel()) >= settings.smallest
        if keep[1:].any():
            inner[:] = np.where(keep[inner], inner, 0)
            flood.flood(heights, labels)
    # beside an edge that is certainly a border, the edges say which side a voxel is on; the
    # height of voxels leaves that to chance, and such voxels would carry false affinities into
    # the statistic between two fragments
    inner[(lowest == 0) & (found == 0)] = 0
    flood.flood_edges(affinities, labels)
    return Fragments(inner, seeds.beginnings(found, count))


def peaks(
    inside: npt.NDArray[np.bool_], smoothing: float, voxel_size: Sequence[float]
) -> tuple[Labels, int]:
    """Numbered maxima of the smoothed distance to the nearest voxel that is not inside.

    Args:
        smoothing: standard deviation in widths of the finest voxel side.

    Returns:
        seeds (z, y, x), and how many there are.
    """
    if inside.all():
        return np.ones(inside.shape, np.int32), 1
    sides = np.array(voxel_size) / min(voxel_size)
    distance = distance_transform(inside.view(np.uint8), sampling=sides.tolist())
    distance = ndimage.gaussian_filter(distance, smoothing / sides)
    found: tuple[Labels, int] = seeds.maxima(distance, inside)
    return found
