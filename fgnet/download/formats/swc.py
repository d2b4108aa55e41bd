"""Reading SWC: one neuron, a line for each node with its id, type, x, y, z, radius and parent."""

import warnings
from pathlib import Path

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from fgnet.download.trees import Tree
from fgnet.errors import Damaged, InputError

ROOT = -1  # the parent of a node without one


def read_swc(path: Path, name: str, own: Path) -> Tree:
    """The neuron of a file.

    Args:
        name: what messages call it.
        own: the file's own name, which is the neuron's id where it is a number.

    Raises:
        InputError: the file holds no nodes or is no SWC, a node has no place, an id comes twice, a
            parent is none of the nodes, or nodes are parents of each other in a ring.
    """
    try:
        with path.open(encoding="utf-8", errors="replace") as lines, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of no lines, which is told below
            table = np.loadtxt(lines, comments="#", usecols=range(7), ndmin=2)
    except ValueError as error:
        raise Damaged(
            f"{name!r} is no SWC file ({error}): a line is id, type, x, y, z, radius, parent; "
            "mend it or get it anew"
        ) from error
    if len(table) == 0:
        raise Damaged(f"{name!r} holds no nodes; get it anew or leave it out")
    ids, parents = table[:, 0], table[:, 6]
    if not np.isfinite(table[:, [0, 2, 3, 4, 6]]).all():
        raise InputError(f"{name!r} holds a node whose id, place or parent is no number; mend it")
    order = np.argsort(ids, kind="stable")
    if (twice := ids[order][1:][np.diff(ids[order]) == 0]).size:
        raise InputError(f"{name!r} holds the node {twice[0]:.0f} twice; number its nodes anew")
    child = np.flatnonzero(parents != ROOT)
    place = np.minimum(np.searchsorted(ids[order], parents[child]), len(ids) - 1)
    parent = order[place]
    if (lost := child[ids[parent] != parents[child]]).size:
        node = lost[0]
        raise InputError(
            f"{name!r}: node {ids[node]:.0f} has the parent {parents[node]:.0f}, which the file "
            f"does not hold; mend it (a node without parent has {ROOT})"
        )
    edges = np.stack([parent, child], 1)
    graph = coo_matrix((np.ones(len(edges)), (parent, child)), (len(ids), len(ids)))
    if connected_components(graph, directed=False)[0] != len(ids) - len(edges):
        raise InputError(f"{name!r} holds nodes that are parents of each other in a ring; mend it")
    neuron = int(own.stem) if own.stem.isdecimal() else None
    return Tree(name, neuron, table[:, [4, 3, 2]], edges.astype(int))
