"""The centre line of one object on an isotropic grid: thinned, made a tree, its spurs cut."""

import itertools

import cc3d
import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_erosion
from scipy.spatial import cKDTree
from skimage.morphology import skeletonize

from fgnet.evaluate.tree import Index, lengths, tree

Mask = npt.NDArray[np.bool_]
# half of the 26 neighbours: those that come after a voxel
AFTER = [step for step in itertools.product((-1, 0, 1), repeat=3) if step > (0, 0, 0)]


def centre_line(thing: Mask, spur: float) -> tuple[Index, Index]:
    """The centre line of an object as a tree.

    Thinning (Lee, Kashyap & Chu 1994) keeps what is hollow hollow, so that a hole of one voxel
    would leave a bubble; holes are filled before, and nodes that lie in one are moved to the
    object's nearest voxel after. scikit-image's eats up a neurite that is two or four voxels thick
    from its ends, so it thins one that is an odd number of half voxels thick.

    Args:
        thing: (z, y, x), one object; what lies outside of the array is background.
        spur: voxels; a side branch is cut off that sticks out of the surface of the line that it
            branches off by no more than this.

    Returns:
        nodes (n, 3), voxels of the object, and edges (m, 2) between them; both are empty for an
        object so small that all of its line would be such a side branch.
    """
    padded = np.pad(thing, 1)
    filled = padded
    outside = cc3d.connected_components(~padded, connectivity=6)
    if outside.max() > 1:
        filled = outside != outside[0, 0, 0]
    line = skeletonize(halved(filled))  # type: ignore[no-untyped-call]
    if not line.any():
        return np.empty((0, 3), np.int64), np.empty((0, 2), np.int64)
    nodes, pairs = whole_voxels(*neighbours(line))
    radius = cKDTree(surface(filled)).query(nodes)[0] + 1
    kept, edges = tree(nodes, pairs, radius + spur)
    nodes = nodes[kept]
    if lengths(nodes, edges).sum() <= radius.max() + spur:
        return nodes[:0], edges[:0]
    hollow = ~padded[tuple(nodes.T)]
    if hollow.any():
        own = surface(padded)
        nodes[hollow] = own[cKDTree(own).query(nodes[hollow])[1]]
    return nodes - 1, edges


def halved(thing: Mask) -> Mask:
    """An object in half voxels: its voxels at even places, and all that lies between two of them.

    Neighbours, of 26, stay neighbours, and what is n voxels thick is 2 n - 1 thick.
    """
    fine = np.zeros([2 * size - 1 for size in thing.shape], np.bool_)
    fine[::2, ::2, ::2] = thing
    for step in AFTER:
        along = list(zip(step, thing.shape, strict=True))
        first = tuple(slice(max(0, -d), n - max(0, d)) for d, n in along)
        second = tuple(slice(max(0, d), n - max(0, -d)) for d, n in along)
        between = tuple(slice(abs(d), 2 * n - 1 - abs(d), 2) for d, n in along)
        fine[between] |= thing[first] & thing[second]
    return fine


def surface(thing: Mask) -> Index:
    """The voxels (n, 3) of an object of which a neighbour, of 6, is none of it."""
    return np.argwhere(thing & ~binary_erosion(thing))


def neighbours(line: Mask) -> tuple[Index, Index]:
    """The voxels (n, 3) of a line that touches no side of its array, and the pairs (m, 2) of them
    that are neighbours, of 26.
    """
    place = np.flatnonzero(line)
    strides = np.array([line.shape[1] * line.shape[2], line.shape[2], 1])
    pairs = []
    for step in AFTER:
        wanted = place + int(np.dot(step, strides))
        found = np.minimum(np.searchsorted(place, wanted), len(place) - 1)
        first = np.flatnonzero(place[found] == wanted)
        pairs.append(np.stack([first, found[first]], 1))
    return np.stack(np.unravel_index(place, line.shape), 1), np.concatenate(pairs)


def joined(nodes: Index, edges: Index) -> tuple[Index, Index]:
    """Nodes and edges between half voxels as those between voxels, none of them twice."""
    whole, number = np.unique(nodes // 2, axis=0, return_inverse=True)
    pairs = np.sort(number.reshape(-1)[edges], axis=1)
    return whole, np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)


def whole_voxels(nodes: Index, edges: Index) -> tuple[Index, Index]:
    """Nodes and edges between half voxels as those between voxels, none of them twice."""
    whole, number = np.unique(nodes // 2, axis=0, return_inverse=True)
    pairs = np.sort(number.reshape(-1)[edges], axis=1)
    return whole, np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
