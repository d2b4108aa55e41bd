"""A tree out of the voxels of a thin line: no ring, no corner, no short side branch."""

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import minimum_spanning_tree

Index = npt.NDArray[np.int64]
Lengths = npt.NDArray[np.float64]
Near = list[dict[int, float]]  # of each node, its neighbours and how far they are


def tree(nodes: Index, pairs: Index, spur: Lengths) -> tuple[Index, Index]:
    """The shortest edges that hold all nodes together, so that no ring counts twice; then without
    corners and side branches.

    Args:
        nodes: (n, 3), voxels.
        pairs: (m, 2), neighbours of 26 among them, none twice.
        spur: (n,), how long a side branch that leaves this node has to be to stay, in voxels.

    Returns:
        The nodes (k,) that are left, by number, and the edges (l, 2) between them in their order.
    """
    count, apart = len(nodes), lengths(nodes, pairs)
    graph = coo_matrix((apart, (pairs[:, 0], pairs[:, 1])), (count, count)).tocsr()
    shortest = minimum_spanning_tree(graph).tocoo()
    near: Near = [{} for _ in nodes]
    for first, second, length in zip(
        shortest.row.tolist(), shortest.col.tolist(), shortest.data.tolist(), strict=True
    ):
        near[first][second] = near[second][first] = length
    cut_corners(near, nodes)
    while cut_spurs(near, spur):
        pass
    edges = [(a, b) for a, others in enumerate(near) for b in others if a < b]
    kept, ends = np.unique(np.array(edges, np.int64).reshape(-1, 2), return_inverse=True)
    return kept, ends.reshape(-1, 2).astype(np.int64)


def lengths(nodes: Index, edges: Index) -> Lengths:
    """Length (m,) of each edge in voxels."""
    length: Lengths = np.linalg.norm(nodes[edges[:, 0]] - nodes[edges[:, 1]], axis=1)
    return length


def cut_corners(near: Near, nodes: Index) -> None:
    """Leave out nodes whose only two neighbours are neighbours themselves: steps become slopes."""
    places = nodes.tolist()
    todo = list(range(len(near)))
    while todo:
        node = todo.pop()
        if len(near[node]) != 2:
            continue
        first, second = near[node]
        apart = [a - b for a, b in zip(places[first], places[second], strict=True)]
        if max(map(abs, apart)) > 1:
            continue
        length = sum(step * step for step in apart) ** 0.5
        del near[first][node], near[second][node]
        near[first][second] = near[second][first] = length
        near[node] = {}
        todo += [first, second]


def cut_spurs(near: Near, spur: Lengths) -> bool:
    """Cut the side branches that are too short, of those at one fork the shortest alone.

    A side branch runs from a tip to the first node where three edges or more meet. Where one of
    two is cut the other becomes a part of the line that it was a branch of.

    Returns:
        Whether there were any.
    """
    found = [
        branch for tip, others in enumerate(near)
        if len(others) == 1 and (branch := side_branch(near, tip)) and branch[0] <= spur[branch[2]]
    ]  # fmt: skip
    done: set[int] = set()
    for _, path, fork in sorted(found):
        if fork not in done:
            done.add(fork)
            near[fork].pop(path[-1])
            for node in path:
                near[node] = {}
    return bool(found)


def side_branch(near: Near, tip: int) -> tuple[float, list[int], int] | None:
    """Length, nodes and fork of the side branch of a tip; None for a line without a fork."""
    length, path, before, here = 0.0, [tip], -1, tip
    while True:
        ahead = next((other for other in near[here] if other != before), None)
        if ahead is None:
            return None
        length += near[here][ahead]
        before, here = here, ahead
        if len(near[here]) > 2:
            return length, path, here
        path.append(here)
