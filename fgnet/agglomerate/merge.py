"""Which fragments are one neuron, at each threshold: by waterz or by multicut.

A threshold is a score, 1 - affinity: the higher, the more is merged. Affinities are
(3 or more, z, y, x) float32 in [0, 1], first those of (-1,0,0), (0,-1,0), (0,0,-1).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fgnet.progress import silenced, track

Affinities = npt.NDArray[np.float32]
Ids = npt.NDArray[np.uint32]

# the queue of 256 bins is the field's choice: near linear time for nearly the same order
QUEUE = 256


def waterz(
    affinities: Affinities, fragments: Ids, score: str, thresholds: Sequence[float]
) -> tuple[Ids, list[int]]:
    """Merge the pair with the lowest score first, again and again (funkey/waterz).

    Args:
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
            np.ascontiguousarray(affinities[:3]),
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


def multicut(affinities: Affinities, fragments: Ids, thresholds: Sequence[float]) -> Ids:
    """One multicut of the region graph per threshold, by Kernighan-Lin (python-elf).

    An edge costs its contact area times how far the mean affinity over it lies above
    1 - threshold.

    Returns:
        (thresholds, n + 1) the segment of every fragment; fragment 0 stays 0.
    """
    import bioimage_cpp
    from elf.segmentation.multicut import multicut_kernighan_lin

    size = int(fragments.max()) + 1
    edges, mean, area = contacts(affinities, fragments)
    tables = np.zeros((len(thresholds), size), np.uint32)
    if not len(edges):
        tables[:] = np.arange(size)
        return tables
    graph = bioimage_cpp.graph.UndirectedGraph.from_edges(size, edges)
    for table, threshold in track(list(zip(tables, thresholds, strict=True)), "multicuts"):
        costs = (mean - (1 - threshold)) * area
        # node 0 is background, has no edge and is therefore alone
        table[1:] = multicut_kernighan_lin(graph, costs)[1:] + 1
    return tables


def contacts(
    affinities: Affinities, fragments: Ids
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Pairs of touching fragments (e, 2), the mean affinity between them, the contact area.

    Background touches nothing; the area counts voxel faces.
    """
    size = np.int64(fragments.max()) + 1
    keys, values = [], []
    for axis in range(3):
        after = fragments.swapaxes(0, axis)[1:].astype(np.int64)
        before = fragments.swapaxes(0, axis)[:-1].astype(np.int64)
        border = (after != before) & (after > 0) & (before > 0)
        low = np.minimum(after[border], before[border])
        keys.append(low * size + np.maximum(after[border], before[border]))
        values.append(affinities[axis].swapaxes(0, axis)[1:][border])
    key, edge = np.unique(np.concatenate(keys), return_inverse=True)
    area = np.bincount(edge, minlength=len(key)).astype(np.float64)
    mean = np.bincount(edge, np.concatenate(values), minlength=len(key)) / np.maximum(area, 1)
    return np.stack([key // size, key % size], axis=1).astype(np.uint64), mean, area
