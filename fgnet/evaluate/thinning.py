"""The centre line of one object on an isotropic grid: thinned, made a tree, its spurs cut."""

import itertools
from typing import Any

import cc3d
import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_erosion, find_objects
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
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
    object's nearest voxel after. Branches that scikit-image's eats up are found and added.

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
    line = thinned(filled)
    if not line.any():
        line = thinned_in_halves(filled)
    if not line.any():
        return np.empty((0, 3), np.int64), np.empty((0, 2), np.int64)
    border = surface(filled)
    nodes = np.argwhere(line)
    radius = cKDTree(border).query(nodes)[0] + 1
    line |= eaten(filled, border, nodes, radius, spur)
    nodes, pairs = neighbours(line)
    pairs = np.concatenate([pairs, links(nodes, pairs)])
    radius = cKDTree(border).query(nodes)[0] + 1
    kept, edges = tree(nodes, pairs, radius + spur)
    nodes = nodes[kept]
    if lengths(nodes, edges).sum() <= radius.max() + spur:
        return nodes[:0], edges[:0]
    hollow = ~padded[tuple(nodes.T)]
    if hollow.any():
        own = surface(padded)
        nodes[hollow] = own[cKDTree(own).query(nodes[hollow])[1]]
    return nodes - 1, edges


def thinned(thing: Mask) -> Mask:
    """Thinned to lines of single voxels; of what touches no side of the array."""
    return np.asarray(skeletonize(thing), np.bool_)  # type: ignore[no-untyped-call]


def thinned_in_halves(thing: Mask) -> Mask:
    """The same by steps of half a voxel, which eats nothing up but takes 16 times as long.

    scikit-image's thinning goes on at the ends of a line that is two or four voxels thick until
    nothing is left of it. In half voxels every thickness is odd.
    """
    line = np.zeros(thing.shape, np.bool_)
    line[tuple((np.argwhere(thinned(halved(thing))) // 2).T)] = True
    return line


def eaten(thing: Mask, border: Index, nodes: Index, radius: npt.NDArray[Any], spur: float) -> Mask:
    """Where the lines of branches run that thinning left nothing of.

    Parts of the object that reach further from its line than a side branch that is cut off are
    thinned again by themselves.

    Args:
        border: (k, 3), the object's surface.
        nodes: (n, 3), its line.
        radius: (n,), of the object around the line, voxels.
    """
    known = cKDTree(nodes)

    def beyond(places: Index) -> npt.NDArray[Any]:
        """How far places lie out of the reach of the line."""
        apart, nearest = known.query(places)
        return np.asarray(apart - radius[nearest])

    lines = np.zeros(thing.shape, np.bool_)
    far = np.zeros(thing.shape, np.bool_)
    far[tuple(border[beyond(border) > max(spur, 2)].T)] = True
    parts = cc3d.connected_components(far, connectivity=26)
    for number, box in enumerate(find_objects(parts), 1):
        around = tuple(slice(max(cut.start - 3, 0), cut.stop + 3) for cut in box)
        near = cc3d.connected_components(thing[around], connectivity=26)
        own = np.pad(near == near[parts[around] == number][0], 1)
        found = np.argwhere(thinned_in_halves(own)) - 1 + [cut.start for cut in around]
        lines[tuple(found[beyond(found) > 1].T)] = True
    return lines


def links(nodes: Index, pairs: Index) -> Index:
    """Pairs (m, 2) of nodes that link every line that stands alone to the one with most nodes."""
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), [len(nodes)] * 2)
    count, line = connected_components(graph, directed=False)
    if count == 1:
        return pairs[:0]
    longest = np.flatnonzero(line == np.bincount(line).argmax())
    apart, nearest = cKDTree(nodes[longest]).query(nodes)
    found = []
    for number in np.unique(line[np.setdiff1d(np.arange(len(nodes)), longest)]):
        own = np.flatnonzero(line == number)
        first = own[apart[own].argmin()]
        found.append((first, longest[nearest[first]]))
    return np.array(found, np.int64)


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
