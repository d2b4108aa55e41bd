"""Seeds of a watershed in compiled loops: maxima of a distance, and pieces that have none.

Affinities are (3, z, y, x) uint8, 255 is 1, of the offsets (-1,0,0), (0,-1,0), (0,0,-1).
"""

import numpy as np
import numpy.typing as npt
from numba import njit

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]


@njit(cache=True, nogil=True)
def connected(affinities: Bytes, above: float) -> tuple[Labels, int]:
    """Component (z, y, x) of each voxel over the edges whose affinity is above a value, from 0.

    Components are numbered by their first voxel. Also returns how many there are.
    """
    _, depth, height, width = affinities.shape
    parent = np.empty(depth * height * width, np.int32)
    for voxel in range(parent.size):
        parent[voxel] = voxel
    least = above * 255
    voxel = 0
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                if z > 0 and affinities[0, z, y, x] > least:
                    join(parent, voxel, voxel - height * width)
                if y > 0 and affinities[1, z, y, x] > least:
                    join(parent, voxel, voxel - width)
                if x > 0 and affinities[2, z, y, x] > least:
                    join(parent, voxel, voxel - 1)
                voxel += 1
    # a parent is never later than its child, so one pass numbers all
    count = 0
    for voxel in range(parent.size):
        if parent[voxel] == voxel:
            parent[voxel] = count
            count += 1
        else:
            parent[voxel] = parent[parent[voxel]]
    return parent.reshape((depth, height, width)), count


@njit(cache=True, nogil=True)
def maxima(distance: Floats, inside: npt.NDArray[np.bool_]) -> tuple[Labels, int]:
    """Voxels inside that no neighbour of 26 exceeds, numbered from 1, touching ones together.

    Also returns how many numbers there are.
    """
    depth, height, width = distance.shape
    seeds = np.zeros(distance.shape, np.int32)
    parent = [np.int32(0)]
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                if not inside[z, y, x] or not highest(distance, z, y, x):
                    continue
                mine = np.int32(0)
                for k in range(max(z - 1, 0), z + 1):
                    for j in range(max(y - 1, 0), min(y + 2, height)):
                        for i in range(max(x - 1, 0), min(x + 2, width)):
                            other = seeds[k, j, i]
                            if other == 0:
                                continue
                            if mine == 0:
                                mine = other
                            elif other != mine:
                                join(parent, other, mine)
                if mine == 0:
                    mine = np.int32(len(parent))
                    parent.append(mine)
                seeds[z, y, x] = mine
    number = np.zeros(len(parent), np.int32)
    count = 0
    for label in range(1, len(parent)):
        if parent[label] == label:
            count += 1
            number[label] = count
        else:
            number[label] = number[parent[label]]
    flat = seeds.ravel()
    for voxel in range(flat.size):
        if flat[voxel]:
            flat[voxel] = number[flat[voxel]]
    return seeds, count


@njit(cache=True, nogil=True)
def rescue(seeds: Labels, count: int, piece: Labels, pieces: int, voxels: int) -> int:
    """Make a seed of every piece of so many voxels that has none, in place.

    Args:
        seeds: (z, y, x), numbered 1..count.
        piece: (z, y, x), numbered from 0, ``pieces`` of them.

    Returns:
        The number of seeds.
    """
    size, taken = np.zeros(pieces, np.int64), np.zeros(pieces, np.bool_)
    seed, part = seeds.ravel(), piece.ravel()
    for voxel in range(seed.size):
        size[part[voxel]] += 1
        if seed[voxel]:
            taken[part[voxel]] = True
    fresh = np.zeros(pieces, np.int32)
    for one in range(pieces):
        if size[one] >= voxels and not taken[one]:
            count += 1
            fresh[one] = count
    for voxel in range(seed.size):
        if fresh[part[voxel]]:
            seed[voxel] = fresh[part[voxel]]
    return count


@njit(cache=True, nogil=True)
def beginnings(labels: npt.NDArray[np.integer], count: int) -> npt.NDArray[np.int64]:
    """(count + 1,) the place of the first voxel of each label 0..count; -1 where it has none."""
    begin = np.full(count + 1, -1, np.int64)
    flat = labels.ravel()
    for voxel in range(flat.size - 1, -1, -1):
        begin[flat[voxel]] = voxel
    return begin


@njit(cache=True, nogil=True)
def highest(distance, z, y, x):  # type: ignore[no-untyped-def]
    """Whether no neighbour of 26 exceeds a voxel."""
    depth, height, width = distance.shape
    value = distance[z, y, x]
    for k in range(max(z - 1, 0), min(z + 2, depth)):
        for j in range(max(y - 1, 0), min(y + 2, height)):
            for i in range(max(x - 1, 0), min(x + 2, width)):
                if distance[k, j, i] > value:
                    return False
    return True


@njit(cache=True, nogil=True, inline="always")
def join(parent, one, other):  # type: ignore[no-untyped-def]
    """Unite two components; the earlier root stays."""
    while parent[one] != one:
        parent[one] = parent[parent[one]]
        one = parent[one]
    while parent[other] != other:
        parent[other] = parent[parent[other]]
        other = parent[other]
    if one < other:
        parent[other] = one
    else:
        parent[one] = other
