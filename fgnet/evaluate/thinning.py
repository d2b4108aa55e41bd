"""The centre line of one object on an isotropic grid: thinned, made a tree, its spurs cut."""

import itertools
from collections.abc import Sequence

import cc3d
import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import minimum_spanning_tree
from skimage.morphology import skeletonize

Mask = npt.NDArray[np.bool_]
Index = npt.NDArray[np.int64]
Lengths = npt.NDArray[np.float64]
# half of the 26 neighbours: those that come after a voxel
FACTOR = 1.0
AFTER = [step for step in itertools.product((-1, 0, 1), repeat=3) if step > (0, 0, 0)]


def centre_line(thing: Mask, spur: float) -> tuple[Index, Index]:
    """The centre line of an object as a tree.

    Thinning (Lee, Kashyap & Chu 1994) keeps what is hollow hollow, so that a hole of one voxel
    would leave a bubble; holes are filled before, and nodes that lie in one are moved to the
    object's nearest voxel after.

    Args:
        thing: (z, y, x), one object; what lies outside of the array is background.
        spur: voxels; a side branch is cut off that sticks out of the surface of the line that it
            branches off by no more than this.

    Returns:
        nodes (n, 3), voxels of the object, and edges (m, 2) between them; no line of its own is
        left where the object thins to a single voxel: n is 1 and m is 0.
    """
    padded = np.pad(thing, 1)
    filled = padded
    outside = cc3d.connected_components(~padded, connectivity=6)
    if outside.max() > 1:
        filled = outside != outside[0, 0, 0]
    line = skeletonize(filled)  # type: ignore[no-untyped-call]
    nodes, edges = spanning(*neighbours(line))
    radius = distance_transform_edt(filled)[tuple(nodes.T)]
    nodes, edges = pruned(nodes, edges, FACTOR * radius + spur)
    inside = padded[tuple(nodes.T)]
    if not inside.all():
        nearest = distance_transform_edt(~padded, return_distances=False, return_indices=True)
        nodes = np.stack([axis[tuple(nodes.T)] for axis in nearest], 1)
    return nodes - 1, edges


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


def lengths(nodes: Index, edges: Index) -> Lengths:
    """Length (m,) of each edge in voxels."""
    length: Lengths = np.linalg.norm(nodes[edges[:, 0]] - nodes[edges[:, 1]], axis=1)
    return length


def spanning(nodes: Index, edges: Index) -> tuple[Index, Index]:
    """The shortest edges that hold everything together, so that no ring counts twice."""
    count = len(nodes)
    weights = lengths(nodes, edges)
    graph = coo_matrix((weights, (edges[:, 0], edges[:, 1])), (count, count)).tocsr()
    tree = minimum_spanning_tree(graph).tocoo()
    return nodes, np.stack([tree.row, tree.col], 1).astype(np.int64)


def pruned(nodes: Index, edges: Index, limit: Lengths) -> tuple[Index, Index]:
    """The tree without its short side branches, the shortest cut first.

    A side branch runs from a tip to the first node where three edges or more meet. Where one of
    two is cut the other becomes a part of the line that it was a branch of.
    """
    near: list[dict[int, float]] = [{} for _ in nodes]
    for (first, second), length in zip(edges.tolist(), lengths(nodes, edges).tolist(), strict=True):
        near[first][second] = near[second][first] = length
    while True:
        branches = [
            branch
            for tip, others in enumerate(near)
            if len(others) == 1 and (branch := _branch(near, tip, limit))
        ]
        if not branches:
            break
        # of branches at one fork the shortest alone: the fork may be none without it
        cut: set[int] = set()
        for _, path, fork in sorted(branches):
            if fork not in cut:
                cut.add(fork)
                for node in path:
                    for other in near[node]:
                        near[other].pop(node, None)
                    near[node] = {}
    degree = np.array([len(others) for others in near])
    left = degree > 0 if degree.any() else np.arange(len(nodes)) == 0
    number = np.cumsum(left) - 1
    pairs = [(a, b) for a, others in enumerate(near) for b in others if a < b]
    return nodes[left], number[np.array(pairs, np.int64).reshape(-1, 2)]


def _branch(
    near: Sequence[dict[int, float]], tip: int, limit: Lengths
) -> tuple[float, list[int], int] | None:
    """Length, nodes and fork of the side branch of a tip; None for a longer or lonely line."""
    length, path, before, here = 0.0, [tip], -1, tip
    while True:
        ahead = next((other for other in near[here] if other != before), None)
        if ahead is None:
            return None  # the other end: this is no side branch
        length += near[here][ahead]
        before, here = here, ahead
        if len(near[here]) > 2:
            return (length, path, here) if length <= limit[here] else None
        path.append(here)
