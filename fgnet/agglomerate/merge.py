"""Which fragments are one neuron, at each threshold.

A threshold is a score, 1 - affinity: the higher, the more is merged.
"""

from collections.abc import Sequence

import bioimage_cpp
import h5py
import numpy as np
import numpy.typing as npt

from fgnet import segmentation
from fgnet.agglomerate import hierarchy, regions
from fgnet.agglomerate.graphs import Contacts
from fgnet.agglomerate.regions import Graph
from fgnet.progress import silenced, track
from fgnet.settings.agglomerate import Hierarchical, Method, Multicut, MutexGraph
from fgnet.silence import doing

Bytes = npt.NDArray[np.uint8]
Ids = npt.NDArray[np.uint32]

# the queue of 256 bins is the field's choice: near linear time for nearly the same order
QUEUE = 256


def solve(file: h5py.File, fragments: int, contacts: Contacts, method: Method) -> None:
    """Merge the fragments 1..n of a region graph and write what is merged at each threshold.

    Args:
        file: a segmentation, see :mod:`fgnet.segmentation`.
        fragments: the number n of fragments.
    """
    merge, thresholds = method.merge, method.thresholds
    same = np.unique(contacts.same, axis=0).astype(np.uint32)  # in one order for any jobs
    one = segmentation.merged(same, fragments)
    # each fragment goes by the lowest number of those that are one with it
    names = np.unique(one, return_index=True)[1][one]
    graph, far = regions.renamed(contacts.near, names), regions.renamed(contacts.far, names)
    if isinstance(merge, Hierarchical):
        with doing("merge fragments"):
            merges, counts = hierarchy.agglomerate(graph, merge.score, thresholds)
        merges = np.concatenate([same, merges])
        counts = [len(same) + count for count in counts]
        segmentation.write_merges(file, thresholds, merges, counts)
        return
    tables = np.zeros((len(thresholds), fragments + 1), np.uint32)
    for table, threshold in track(list(zip(tables, thresholds, strict=True)), merge.method):
        if isinstance(merge, Multicut):
            table[:] = multicut(graph, fragments, threshold)[names]
        else:
            assert isinstance(merge, MutexGraph), "whole methods have no region graph"
            table[:] = mutex_graph(graph, far, fragments, threshold)[names]
    segmentation.write_tables(file, thresholds, tables)


def multicut(graph: Graph, fragments: int, threshold: float) -> Ids:
    """The multicut of a region graph by Kernighan-Lin (python-elf).

    An edge costs its contact area times how far the mean affinity over it lies above
    1 - threshold.

    Returns:
        (n + 1,) the segment of every fragment; fragment 0 stays 0.
    """
    from elf.segmentation.multicut import multicut_kernighan_lin  # slow to import

    if not len(graph.edges):
        return np.arange(fragments + 1, dtype=np.uint32)
    costs = (graph.mean - (1 - threshold)) * graph.count
    return _alone(multicut_kernighan_lin(_library(graph, fragments), costs))


def mutex_graph(graph: Graph, far: Graph, fragments: int, threshold: float) -> Ids:
    """The mutex watershed of a region graph (Wolf et al. 2019, arXiv:1904.12654; bioimage-cpp).

    Fragments attract each other by the mean of their nearest affinities plus threshold - 0.5 and
    repel by 1 minus the mean of those at longer range, so that 0.5 is the published balance.

    Returns:
        (n + 1,) the segment of every fragment; fragment 0 stays 0.
    """
    if not len(graph.edges):
        return np.arange(fragments + 1, dtype=np.uint32)
    found = bioimage_cpp.graph.mutex_watershed.mutex_watershed_clustering(
        _library(graph, fragments), graph.mean + (threshold - 0.5), far.edges.astype(np.uint64),
        1 - far.mean,
    )  # fmt: skip
    return _alone(found)


def _library(graph: Graph, fragments: int) -> bioimage_cpp.graph.UndirectedGraph:
    edges = graph.edges.astype(np.uint64)
    return bioimage_cpp.graph.UndirectedGraph.from_edges(fragments + 1, edges)


def _alone(labels: npt.NDArray[np.integer]) -> Ids:
    """Labels of nodes as segments; node 0 is background, has no edge and is therefore alone."""
    _, table = np.unique(labels, return_inverse=True)
    table = table.astype(np.uint32) + 1
    table[0] = 0
    return np.asarray(table, np.uint32)


def waterz(
    affinities: Bytes, fragments: npt.NDArray[np.integer], score: str, thresholds: Sequence[float]
) -> tuple[Ids, list[int]]:
    """Merge the pair with the lowest score first, again and again (funkey/waterz).

    Args:
        affinities: (3 or more, z, y, x) uint8, first those of (-1,0,0), (0,-1,0), (0,0,-1).
        score: "mean", or "quantile_Q" of the compiled ones.
        thresholds: ascending.

    Returns:
        The merges (m, 2) in the order they happened, and how many of them had happened at each
        threshold. With the binned queue their scores are not monotone.
    """
    import waterz as library

    # waterz writes each segmentation into the array of fragments: give it one of its own
    volume = fragments.astype(np.uint64)
    merges: list[tuple[int, int]] = []
    counts: list[int] = []
    with silenced():
        steps = library.agglomerate(
            (affinities[:3] / np.float32(255)).astype(np.float32),
            list(thresholds),
            fragments=volume,
            scoring_function=scoring_function(score),
            discretize_queue=QUEUE,
            return_merge_history=True,
        )
        for _, history in track(steps, "merges", len(thresholds)):
            merges += [(merge["a"], merge["b"]) for merge in history]
            counts.append(len(merges))
    return np.array(merges, np.uint32).reshape(-1, 2), counts


def scoring_function(score: str) -> str:
    """The name that waterz has for a score."""
    if score == "mean":
        return "OneMinus<MeanAffinity<RegionGraphType, ScoreValue>>"
    quantile = int(score.removeprefix("quantile_"))
    # false: all affinities between two fragments count, not the highest alone
    return (
        f"OneMinus<HistogramQuantileAffinity<RegionGraphType, {quantile}, ScoreValue, 256, false>>"
    )
