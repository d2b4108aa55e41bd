"""Flooding in compiled loops: heights, seeds that grow over them, and over edges.

Affinities are (3, z, y, x) uint8, 255 is 1, of the offsets (-1,0,0), (0,-1,0), (0,0,-1). Arrays
called padded have one voxel more on every side, so that the loops need not ask where they are.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

Bytes = npt.NDArray[np.uint8]
Heights = npt.NDArray[np.uint16]
Labels = npt.NDArray[np.int32]

LEVELS = 1024
OUTSIDE = -1
UNSEEN = -2
BITS = 8
CHUNK = 1 << BITS


@njit(cache=True, nogil=True)
def around(affinities: Bytes) -> tuple[Heights, Bytes]:
    """Height and lowest affinity of every voxel, from the edges that meet in it on all its sides.

    Edges that leave the volume do not count; a voxel without any has height 0 and affinity 255.

    Returns:
        padded heights, 0 where the mean affinity is 1 and LEVELS - 1 where it is 0; and the lowest
        affinity (z, y, x) uint8.
    """
    _, depth, height, width = affinities.shape
    heights = np.zeros((depth + 2, height + 2, width + 2), np.uint16)
    lowest = np.empty((depth, height, width), np.uint8)
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                total, count, least = 0, 0, 255
                for side in range(2):
                    if z + side > 0 and z + side < depth:
                        value = int(affinities[0, z + side, y, x])
                        total, count, least = total + value, count + 1, min(least, value)
                    if y + side > 0 and y + side < height:
                        value = int(affinities[1, z, y + side, x])
                        total, count, least = total + value, count + 1, min(least, value)
                    if x + side > 0 and x + side < width:
                        value = int(affinities[2, z, y, x + side])
                        total, count, least = total + value, count + 1, min(least, value)
                lowest[z, y, x] = least
                if count:
                    full = 255 * count
                    heights[z + 1, y + 1, x + 1] = (full - total) * (LEVELS - 1) // full
    return heights, lowest


def padded(labels: Labels) -> Labels:
    """Labels with a border of OUTSIDE."""
    return np.pad(labels, 1, constant_values=OUTSIDE)


def flood(heights: Heights, labels: Labels) -> None:
    """Grow labels over voxels of label 0, always into the lowest that is beside one, in place.

    Voxels of one height are taken in the order in which they were reached, so the result is the
    same on every machine. The queue of each height is a chain of chunks, written and read in a
    row; it stands in this loop because calls would cost as much as all the rest.

    Args:
        heights: padded, below LEVELS.
        labels: padded; seeds are positive.
    """
    row, section = labels.shape[2], labels.shape[1] * labels.shape[2]
    steps = np.array([-1, 1, -row, row, -section, section])
    # a copy of the labels would be grown and lost
    height, label = heights.reshape(-1), labels.reshape(-1, copy=False)
    seeds = np.flatnonzero(label > 0)
    _flood(height, label, seeds[np.argsort(height[seeds], kind="stable")], steps)


@njit(cache=True, nogil=True)
def _flood(height, label, seeds, steps):  # type: ignore[no-untyped-def]
    """The loops of :func:`flood` over flat arrays; seeds are sorted by their height."""
    # a voxel not yet reached shows its height, so that one look at memory tells all of it
    for voxel in range(label.size):
        if label[voxel] == 0:
            label[voxel] = UNSEEN - np.int32(height[voxel])
    chunks = label.size // CHUNK + 2 * LEVELS + 2
    pool, following = np.empty(chunks * CHUNK, np.int32), np.empty(chunks, np.int32)
    free, left = np.arange(chunks).astype(np.int32), chunks
    # where a queue begins and ends in the pool; an empty one begins nowhere
    first, last = np.full(LEVELS, -1, np.int32), np.zeros(LEVELS, np.int32)
    level = taken = 0
    while level < LEVELS:
        if taken < seeds.size and height[seeds[taken]] <= level:
            voxel = int(seeds[taken])
            taken += 1
        elif first[level] >= 0:
            start = first[level]
            voxel = int(pool[start])
            start += 1
            if start == last[level] or start & (CHUNK - 1) == 0:
                done = (start - 1) >> BITS
                free[left] = done
                left += 1
                start = -1 if start == last[level] else following[done] << BITS
            first[level] = start
        else:
            level += 1
            continue
        mine = label[voxel]
        for step in steps:
            beside = voxel + step
            seen = label[beside]
            if seen > UNSEEN:
                continue
            label[beside] = mine
            # a basin that was entered over a pass is filled at once, by one label
            to = UNSEEN - seen
            level = min(level, to)
            end = last[to]
            if first[to] < 0 or end & (CHUNK - 1) == 0:
                left -= 1
                fresh = free[left]
                if first[to] < 0:
                    first[to] = fresh << BITS
                else:
                    following[(end - 1) >> BITS] = fresh
                end = fresh << BITS
            pool[end] = beside
            last[to] = end + 1
    # what no seed could reach
    for voxel in range(label.size):
        if label[voxel] <= UNSEEN:
            label[voxel] = 0


@njit(cache=True, nogil=True)
def flood_edges(affinities: Bytes, labels: Labels) -> None:
    """Grow labels over voxels of label 0 along the edge of highest affinity first, in place.

    Args:
        labels: padded; seeds are positive.
    """
    _, depth, height, width = affinities.shape
    row, section = labels.shape[2], labels.shape[1] * labels.shape[2]
    steps = np.array([-section, section, -row, row, -1, 1])
    # where the edge to each neighbour is kept, from the voxel's own place in the affinities
    size = depth * height * width
    edge = np.array([0, height * width, size, size + width, 2 * size, 2 * size + 1])
    label, values = labels.ravel(), affinities.ravel()
    empty = np.flatnonzero(label == 0)
    # queues as in flood, of edges: 8 * the voxel that is reached + the side it is reached from
    chunks = 6 * empty.size // CHUNK + 2 * 256 + 2
    pool, following = np.empty(chunks * CHUNK, np.int64), np.empty(chunks, np.int32)
    free, left = np.arange(chunks).astype(np.int32), chunks
    first, last = np.full(256, -1, np.int64), np.zeros(256, np.int64)
    level = taken = 0
    while level < 256:
        if taken < empty.size:
            # first the edges between empty voxels and seeds
            voxel, mine = empty[taken], np.int32(0)
            taken += 1
        elif first[level] >= 0:
            start = first[level]
            voxel = pool[start] >> 3
            mine = label[voxel + steps[pool[start] & 7]]
            start += 1
            if start == last[level] or start & (CHUNK - 1) == 0:
                done = (start - 1) >> BITS
                free[left] = done
                left += 1
                start = -1 if start == last[level] else following[done] << BITS
            first[level] = start
            if label[voxel] != 0:
                continue
            label[voxel] = mine
        else:
            level += 1
            continue
        z, rest = divmod(voxel, section)
        y, x = divmod(rest, row)
        place = ((z - 1) * height + y - 1) * width + x - 1
        for side in range(6):
            beside = voxel + steps[side]
            if mine == 0 and label[beside] > 0:
                note = 8 * voxel + side
            elif mine > 0 and label[beside] == 0:
                note = 8 * beside + (side ^ 1)
            else:
                continue
            # what was reached over a weak edge goes on over its strong ones at once
            to = 255 - values[place + edge[side]]
            level = min(level, to)
            end = last[to]
            if first[to] < 0 or end & (CHUNK - 1) == 0:
                left -= 1
                fresh = free[left]
                if first[to] < 0:
                    first[to] = np.int64(fresh) << BITS
                else:
                    following[(end - 1) >> BITS] = fresh
                end = np.int64(fresh) << BITS
            pool[end] = note
            last[to] = end + 1
