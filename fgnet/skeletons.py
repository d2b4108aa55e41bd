"""Skeletons: the centre lines of neurons as nodes and edges, and how a file keeps them.

Nodes are places in nm along z, y, x in the world of their volume, in which voxel i of a dataset
covers ``offset + i * resolution`` to ``offset + (i + 1) * resolution``. Their file has the group
``skeletons`` with ``nodes`` (n, 3) float64, ``edges`` (m, 2) int64, ``neurons`` (n,) uint64 (the
neuron of each node) and ``record``, JSON of where they came from; both nodes of an edge are of one
neuron.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from fgnet.errors import InputError

GROUP = "skeletons"
# of a voxel: nodes on a voxel's face belong to the voxel that begins there, also after rounding
ROUNDING = 0.01

Places = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
Ids = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Skeletons:
    """The centre lines of some neurons.

    Attributes:
        nodes: (n, 3) float64, nm along z, y, x.
        edges: (m, 2) int64, nodes by number; both are of one neuron.
        neurons: (n,) uint64, the neuron of each node.
        record: where they came from, as JSON values.
    """

    nodes: Places
    edges: Index
    neurons: Ids
    record: dict[str, Any]

    def lengths(self) -> Places:
        """Length (m,) of each edge in nm."""
        ends = self.nodes[self.edges]
        length: Places = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1)
        return length


def gathered(
    lines: Iterable[tuple[int, npt.ArrayLike, npt.ArrayLike]], record: dict[str, Any]
) -> Skeletons:
    """Skeletons from single lines: the neuron, its nodes (n, 3) in nm, and edges between them.

    An edge that is given twice, in either direction, is one.
    """
    nodes, edges, neurons, before = [np.empty((0, 3))], [np.empty((0, 2), np.int64)], [], 0
    for neuron, places, pairs in lines:
        own = np.asarray(places, np.float64).reshape(-1, 3)
        nodes.append(own)
        ends = np.sort(np.asarray(pairs, np.int64).reshape(-1, 2), axis=1)
        edges.append(np.unique(ends, axis=0) + before)
        neurons.append(np.full(len(own), neuron, np.uint64))
        before += len(own)
    ids = np.concatenate([np.empty(0, np.uint64), *neurons])
    return Skeletons(np.concatenate(nodes), np.concatenate(edges), ids, record)


def write(file: h5py.File, skeletons: Skeletons) -> None:
    """Store skeletons in a file that has none yet."""
    group = file.create_group(GROUP)
    for name in ("nodes", "edges", "neurons"):
        group.create_dataset(name, data=getattr(skeletons, name), compression="gzip", shuffle=True)
    # a dataset: a record of many files is longer than an attribute may be
    group["record"] = json.dumps(skeletons.record)


def read(file: h5py.File) -> Skeletons:
    """The skeletons of a file. Raises InputError when it has none."""
    if GROUP not in file:
        raise InputError(f"{file.filename}: there are no {GROUP}; make them anew")
    group = file[GROUP]
    return Skeletons(
        np.asarray(group["nodes"][()], np.float64).reshape(-1, 3),
        np.asarray(group["edges"][()], np.int64).reshape(-1, 2),
        np.asarray(group["neurons"][()], np.uint64),
        json.loads(group["record"][()]),
    )


def voxels(nodes: Places, size: Sequence[float], offset: Sequence[float]) -> Index:
    """The voxel (n, 3) in which each node lies.

    Args:
        nodes: (n, 3), nm.
        size: voxel size of the dataset, nm along z, y, x.
        offset: of its first voxel, nm; see :func:`fgnet.volume.offset`.
    """
    steps = (nodes - np.asarray(offset, np.float64)) / np.asarray(size, np.float64)
    return np.asarray(np.floor(steps + ROUNDING), np.int64)


def within(
    skeletons: Skeletons, size: Sequence[float], offset: Sequence[float], shape: Sequence[int]
) -> Skeletons:
    """What lies in the voxels of a dataset: nodes outside go, with their edges.

    Args:
        size: voxel size of the dataset, nm along z, y, x.
        offset: of its first voxel, nm.
        shape: z, y, x.
    """
    place = voxels(skeletons.nodes, size, offset)
    inside = (place >= 0) & (place < np.asarray(shape))
    return kept(skeletons, np.asarray(inside.all(axis=1)))


def kept(skeletons: Skeletons, nodes: npt.NDArray[np.bool_]) -> Skeletons:
    """The nodes (n,) that are true, and the edges between them."""
    number = np.cumsum(nodes) - 1
    edges = skeletons.edges[nodes[skeletons.edges].all(axis=1)]
    return replace(
        skeletons,
        nodes=skeletons.nodes[nodes],
        edges=number[edges],
        neurons=skeletons.neurons[nodes],
    )


def components(skeletons: Skeletons) -> Index:
    """The number (n,), from 0, of the connected line of each node."""
    count, edges = len(skeletons.nodes), skeletons.edges
    graph = coo_matrix((np.ones(len(edges), np.bool_), (edges[:, 0], edges[:, 1])), (count, count))
    _, number = connected_components(graph, directed=False) if count else (0, np.empty(0))
    return np.asarray(number, np.int64)
