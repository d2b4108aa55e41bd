"""The region graph: which fragments touch, and the affinities between them, as whole numbers.

Statistics are sums, so those of blocks add up, and the graph of a volume is the same to the last
bit however the volume was cut.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from fgnet.affinities import NEAREST
from fgnet.settings.base import Offset

Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.integer]
Sums = npt.NDArray[np.int64]
VALUES = 256


@dataclass(frozen=True)
class Graph:
    """Pairs of fragments and the affinities between them.

    Attributes:
        edges: (e, 2) int64, the lower fragment first, ascending.
        total: (e,) int64, the sum of the affinities between the two, 255 is 1.
        count: (e,) int64, how many these are: voxel faces, where offsets are the nearest.
        histograms: (h, 3) int64, ascending: edge, affinity, how often it occurs; or none.
    """

    edges: Sums
    total: Sums
    count: Sums
    histograms: Sums

    @property
    def mean(self) -> npt.NDArray[np.float64]:
        """Mean affinity over each edge, from 0 to 1."""
        mean: npt.NDArray[np.float64] = self.total / (255 * self.count)
        return mean


def of_block(
    affinities: Bytes,
    fragments: Labels,
    offsets: Sequence[Offset] = NEAREST,
    before: Sequence[int] = (0, 0, 0),
    histograms: bool = False,
) -> Graph:
    """The edges that a block owns: those kept at one of its voxels.

    Args:
        affinities: (channels, z, y, x) uint8 of the block.
        fragments: (z', y', x') of the block and of what lies around it as far as offsets reach;
            numbered over the whole volume, below 2**32; 0 touches nothing.
        offsets: one a channel.
        before: how many voxels of ``fragments`` lie before the block, along z, y, x.
        histograms: whether to count every affinity.
    """
    labels = np.ascontiguousarray(fragments, np.uint32)
    found = []
    for channel, offset in zip(affinities, offsets, strict=True):
        keys, total, count, values = contacts(
            labels, np.ascontiguousarray(channel), np.array(before), np.array(offset), histograms
        )
        edges = np.stack([keys >> np.uint64(32), keys & np.uint64(2**32 - 1)], 1).astype(np.int64)
        edge, affinity = np.nonzero(values)
        found.append(
            Graph(edges, total, count, np.stack([edge, affinity, values[edge, affinity]], 1))
        )
    return added(found)


def added(graphs: Iterable[Graph]) -> Graph:
    """The graph of all: edges of any of them, with their statistics summed."""
    parts = list(graphs)
    edges = np.concatenate([np.empty((0, 2), np.int64), *(part.edges for part in parts)])
    keys, place = np.unique((edges[:, 0] << 32) | edges[:, 1], return_inverse=True)
    pairs = np.stack([keys >> 32, keys & (2**32 - 1)], 1)
    total, count = np.zeros(len(pairs), np.int64), np.zeros(len(pairs), np.int64)
    np.add.at(total, place, np.concatenate([total[:0], *(part.total for part in parts)]))
    np.add.at(count, place, np.concatenate([count[:0], *(part.count for part in parts)]))
    starts = np.cumsum([0, *(len(part.edges) for part in parts)])
    rows = [np.empty((0, 3), np.int64)]
    for part, start in zip(parts, starts, strict=False):
        rows.append(part.histograms.copy())
        rows[-1][:, 0] = place[rows[-1][:, 0] + start]
    values = np.concatenate(rows)
    cells, at = np.unique(values[:, 0] * VALUES + values[:, 1], return_inverse=True)
    often = np.zeros(len(cells), np.int64)
    np.add.at(often, at, values[:, 2])
    return Graph(pairs, total, count, np.stack([cells // VALUES, cells % VALUES, often], 1))


def renamed(graph: Graph, names: Labels) -> Graph:
    """The graph in which fragment i is called names[i]; edges within one name are gone."""
    edges = np.sort(names[graph.edges].astype(np.int64), axis=1)
    stays = edges[:, 0] != edges[:, 1]
    place = np.cumsum(stays) - 1
    cells = graph.histograms[stays[graph.histograms[:, 0]]]
    cells[:, 0] = place[cells[:, 0]]
    return added([Graph(edges[stays], graph.total[stays], graph.count[stays], cells)])


@njit(cache=True, nogil=True)
def contacts(
    labels: npt.NDArray[np.uint32],
    affinities: Bytes,
    before: Sums,
    offset: Sums,
    histograms: bool,
) -> tuple[npt.NDArray[np.uint64], Sums, Sums, Sums]:
    """Edges of one offset, in the order in which they are met.

    Returns:
        (e,) the lower fragment * 2**32 + the higher one, (e,) sums of affinities, (e,) counts,
        and (e, 256) histograms or (0, 256).
    """
    room, used = 1 << 10, 0
    slots = np.full(2 * room, -1, np.int64)
    keys = np.empty(room, np.uint64)
    total, count = np.zeros(room, np.int64), np.zeros(room, np.int64)
    values = np.zeros((room if histograms else 0, 256), np.int64)
    last, edge = np.uint64(0), 0
    places = np.empty(affinities.shape[2], np.int64)
    # the voxels of the block whose other end lies in the labels
    start = np.maximum(0, -before - offset)
    stop = np.minimum(np.array(affinities.shape), np.array(labels.shape) - before - offset)
    for z in range(start[0], stop[0]):
        for y in range(start[1], stop[1]):
            here = labels[z + before[0], y + before[1], before[2] :]
            there = labels[z + before[0] + offset[0], y + before[1] + offset[1]]
            shift = before[2] + offset[2]
            changes = differing(here, there, start[2], stop[2], shift, places)
            for x in places[:changes]:
                one, other = here[x], there[x + shift]
                if one == 0 or other == 0:
                    continue
                key = np.uint64(min(one, other)) << np.uint64(32) | np.uint64(max(one, other))
                if key != last:
                    last = key
                    slot = scatter(key, slots.size)
                    while slots[slot] >= 0 and keys[slots[slot]] != key:
                        slot = (slot + 1) & (slots.size - 1)
                    edge = slots[slot]
                    if edge < 0:
                        edge = used
                        used += 1
                        slots[slot], keys[edge] = edge, key
                        if used == room:
                            room *= 2
                            keys, total, count = grown(keys), grown(total), grown(count)
                            if histograms:
                                values = np.concatenate((values, np.zeros_like(values)))
                            slots = np.full(2 * room, -1, np.int64)
                            for old in range(used):
                                slot = scatter(keys[old], slots.size)
                                while slots[slot] >= 0:
                                    slot = (slot + 1) & (slots.size - 1)
                                slots[slot] = old
                value = affinities[z, y, x]
                total[edge] += value
                count[edge] += 1
                if histograms:
                    values[edge, value] += 1
    return keys[:used], total[:used], count[:used], values[:used]


@njit(cache=True, nogil=True)
def differing(here, there, start, stop, shift, places):  # type: ignore[no-untyped-def]
    """Write where two rows differ; how many places there are. Apart, as so it runs fast."""
    found = 0
    for x in range(start, stop):
        places[found] = x
        found += here[x] != there[x + shift]
    return found


@njit(cache=True, nogil=True)
def scatter(key, room):  # type: ignore[no-untyped-def]
    """A place for a key in a table of so many slots, a power of two (Fibonacci hashing)."""
    mixed = (key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)
    return np.int64(mixed & np.uint64(room - 1))


@njit(cache=True, nogil=True)
def grown(values):  # type: ignore[no-untyped-def]
    """An array of twice the length, the new half 0."""
    return np.concatenate((values, np.zeros_like(values)))
