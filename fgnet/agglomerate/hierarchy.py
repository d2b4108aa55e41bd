"""Hierarchical agglomeration of a region graph: the pair with the lowest score merges first.

A score is 1 minus a statistic of all affinities between two segments: their mean, or a quantile
as in funkey/waterz (HistogramQuantileAffinity with 256 bins). The statistics are whole numbers, so
nothing is rounded as segments grow. Of pairs with one score the one that touches most merges first.
"""

import heapq
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numba import njit

from fgnet.agglomerate.regions import VALUES, Graph, scatter
from fgnet.settings.agglomerate import Score

Ids = npt.NDArray[np.uint32]


def agglomerate(graph: Graph, score: Score, thresholds: Sequence[float]) -> tuple[Ids, list[int]]:
    """Merge until every score is at or above the highest threshold.

    Args:
        graph: with histograms where the score is a quantile.
        thresholds: ascending.

    Returns:
        The merges (m, 2) in the order they happened, and how many of them had happened when no
        score was below each threshold. With quantiles a merge can lower a score, with means not.
    """
    quantile = 0 if score == "mean" else int(score.removeprefix("quantile_"))
    nodes = int(graph.edges.max(initial=0)) + 1
    merges, counts = _merge(
        nodes, graph.edges, graph.total, graph.count, graph.histograms, quantile,
        np.array(thresholds, np.float64),
    )  # fmt: skip
    return merges.astype(np.uint32), counts.tolist()


@njit(cache=True, nogil=True)
def _merge(nodes, edges, total, count, histograms, quantile, thresholds):  # type: ignore[no-untyped-def]
    size = len(edges)
    ends, total, count = edges.copy(), total.copy(), count.copy()
    # a node's edges are a chain of half-edges, 2 * edge + side; a merge moves them to the other
    following = np.full(2 * size, -1, np.int64)
    first = np.full(nodes, -1, np.int64)
    degree = np.zeros(nodes, np.int64)
    # the affinities of an edge are a chain of cells; those of merged edges join up too
    cell, next_cell = histograms.copy(), np.full(len(histograms), -1, np.int64)
    first_cell, last_cell = np.full(size, -1, np.int64), np.full(size, -1, np.int64)
    for one in range(len(cell) - 1, -1, -1):
        edge = cell[one, 0]
        if first_cell[edge] < 0:
            last_cell[edge] = one
        next_cell[one] = first_cell[edge]
        first_cell[edge] = one
    alive = np.ones(size, np.bool_)
    stamp = np.zeros(size, np.int64)
    slots = 16
    while slots < 2 * size + 2:
        slots *= 2
    keys, found = np.zeros(slots, np.uint64), np.full(slots, -1, np.int64)
    often = np.zeros(VALUES, np.int64)
    heap = [(0.0, 0, 0, 0) for _ in range(0)]
    for edge in range(size):
        for side in range(2):
            node, half = ends[edge, side], 2 * edge + side
            following[half] = first[node]
            first[node] = half
            degree[node] += 1
        _put(keys, found, _key(ends[edge, 0], ends[edge, 1]), edge)
        score = _score(edge, total, count, quantile, cell, next_cell, first_cell, last_cell, often)
        heap.append((score, -count[edge], edge, 0))
    heapq.heapify(heap)
    merges, counts = np.empty((nodes, 2), np.int64), np.zeros(len(thresholds), np.int64)
    done = reached = 0
    while reached < len(thresholds):
        if not len(heap) or heap[0][0] >= thresholds[reached]:
            counts[reached] = done
            reached += 1
            continue
        _, _, edge, when = heapq.heappop(heap)
        if not alive[edge] or stamp[edge] != when:
            continue
        stays, goes = ends[edge, 0], ends[edge, 1]
        if degree[stays] < degree[goes]:
            stays, goes = goes, stays
        merges[done, 0], merges[done, 1] = stays, goes
        done += 1
        alive[edge] = False
        _take(keys, found, _key(stays, goes))
        coming = first[goes]
        while coming >= 0:
            half, coming = coming, following[coming]
            mine, side = half >> 1, half & 1
            if not alive[mine]:
                continue
            other = ends[mine, 1 - side]
            _take(keys, found, _key(goes, other))
            key = _key(stays, other)
            twin = found[_find(keys, found, key)]
            if twin < 0:
                ends[mine, side] = stays
                _put(keys, found, key, mine)
                following[half] = first[stays]
                first[stays] = half
                continue
            alive[mine] = False
            degree[other] -= 1
            degree[stays] -= 1
            total[twin] += total[mine]
            count[twin] += count[mine]
            if quantile and first_cell[mine] >= 0:
                next_cell[last_cell[twin]] = first_cell[mine]
                last_cell[twin] = last_cell[mine]
            stamp[twin] += 1
            score = _score(
                twin, total, count, quantile, cell, next_cell, first_cell, last_cell, often
            )
            heapq.heappush(heap, (score, -count[twin], twin, stamp[twin]))
        degree[stays] += degree[goes] - 2
    return merges[:done], counts


@njit(cache=True, nogil=True)
def _score(edge, total, count, quantile, cell, next_cell, first_cell, last_cell, often):  # type: ignore[no-untyped-def]
    """1 minus the statistic of an edge; its cells are put in order, one an affinity."""
    if not quantile:
        return 1 - total[edge] / (255 * count[edge])
    one = first_cell[edge]
    while one >= 0:
        often[cell[one, 1]] += cell[one, 2]
        one = next_cell[one]
    wanted, seen, at = quantile * count[edge] // 100 + 1, 0, -1
    one, previous = first_cell[edge], -1
    for value in range(VALUES):
        if not often[value]:
            continue
        seen += often[value]
        if at < 0 and seen >= wanted:
            at = value
        # there are never fewer cells than affinities that occur
        cell[one, 1], cell[one, 2] = value, often[value]
        often[value] = 0
        previous, one = one, next_cell[one]
    next_cell[previous] = -1
    last_cell[edge] = previous
    return 1 - at / 255


@njit(cache=True, nogil=True)
def _key(one, other):  # type: ignore[no-untyped-def]
    return np.uint64(min(one, other)) << np.uint64(32) | np.uint64(max(one, other))


@njit(cache=True, nogil=True)
def _find(keys, found, key):  # type: ignore[no-untyped-def]
    """The slot of a key, or the empty one where it would be put."""
    slot = scatter(key, keys.size)
    while found[slot] >= 0 and keys[slot] != key:
        slot = (slot + 1) & (keys.size - 1)
    return slot


@njit(cache=True, nogil=True)
def _put(keys, found, key, edge):  # type: ignore[no-untyped-def]
    slot = _find(keys, found, key)
    keys[slot], found[slot] = key, edge


@njit(cache=True, nogil=True)
def _take(keys, found, key):  # type: ignore[no-untyped-def]
    """Remove a key and move those back that had to make room for it."""
    hole = _find(keys, found, key)
    slot = hole
    while True:
        slot = (slot + 1) & (keys.size - 1)
        if found[slot] < 0:
            break
        home = scatter(keys[slot], keys.size)
        if (slot - home) & (keys.size - 1) >= (slot - hole) & (keys.size - 1):
            keys[hole], found[hole] = keys[slot], found[slot]
            hole = slot
    found[hole] = -1
