"""The pass over a block's voxels in compiled loops: what overlaps where, and which edges are cut.

Both collect pairs of ids in a hash table whose entries are rows in the order in which they are met.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

Ids = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int64]
ROOM = 1 << 10

# columns of what `overlapping` finds
VOXELS, RUN, MIDDLE, LOW, HIGH = 0, 1, slice(2, 5), slice(5, 8), slice(8, 11)
COLUMNS = 11


@njit(cache=True, nogil=True)
def overlapping(fragments: Ids, pieces: Ids, start: Counts) -> tuple[Ids, Counts]:
    """Every pair of a fragment and a piece that share voxels.

    Args:
        fragments, pieces: (z, y, x); a piece 0 is not scored.
        start: (3,) where the block begins.

    Returns:
        (p, 2) fragment and piece; (p, 11) their shared voxels, the length of their longest run
        along x and its middle (3), and the box of all (3 first, 3 last voxels), in the coordinates
        of ``start``.
    """
    depth, height, width = fragments.shape
    slots = np.full(2 * ROOM, -1, np.int64)
    keys = np.empty((ROOM, 2), np.uint64)
    found = np.zeros((ROOM, COLUMNS), np.int64)
    used = 0
    for z in range(depth):
        for y in range(height):
            x = 0
            while x < width:
                fragment, piece = fragments[z, y, x], pieces[z, y, x]
                first = x
                x += 1
                while x < width and fragments[z, y, x] == fragment and pieces[z, y, x] == piece:
                    x += 1
                if piece == 0:
                    continue
                slot = place(fragment, piece, keys, slots)
                row = slots[slot]
                at_z, at_y = z + start[0], y + start[1]
                low, high = first + start[2], x - 1 + start[2]
                if row < 0:
                    row = used
                    used += 1
                    slots[slot], keys[row, 0], keys[row, 1] = row, fragment, piece
                    found[row, 5], found[row, 6], found[row, 7] = at_z, at_y, low
                    found[row, 8], found[row, 9], found[row, 10] = at_z, at_y, high
                    if used == len(keys):
                        keys, slots = roomier(keys)
                        found = np.concatenate((found, np.zeros_like(found)))
                entry = found[row]
                entry[0] += x - first
                if x - first > entry[1]:
                    entry[1], entry[2], entry[3] = x - first, at_z, at_y
                    entry[4] = (low + high) // 2
                # z only grows
                entry[6], entry[7] = min(entry[6], at_y), min(entry[7], low)
                entry[8], entry[9], entry[10] = at_z, max(entry[9], at_y), max(entry[10], high)
    return keys[:used], found[:used]


@njit(cache=True, nogil=True)
def touching(
    fragments: Ids, truth: Ids, before: tuple[Ids, Ids, Ids], truth_before: tuple[Ids, Ids, Ids]
) -> tuple[Ids, Counts, Counts, Counts]:
    """The edges from every voxel to the one before it along z, y and x.

    Args:
        fragments, truth: (z, y, x); truth 0 is unknown.
        before, truth_before: what lies before the block's first voxels along z (y, x), along y
            (z, x) and along x (z, y); truth 0 where nothing does.

    Returns:
        (p, 2) pairs of fragments, the lower first; (p, 2) edges between them, uncut and cut in
        truth; (2,) those within fragments; (2,) those with background at an end.
    """
    depth, height, width = fragments.shape
    slots = np.full(2 * ROOM, -1, np.int64)
    keys = np.empty((ROOM, 2), np.uint64)
    edges = np.zeros((ROOM, 2), np.int64)
    inside, outside = np.zeros(2, np.int64), np.zeros(2, np.int64)
    used = row = 0
    last_low = last_high = np.uint64(0)
    places = np.empty(width + 1, np.int64)
    # a row along x and what lies before its first voxel
    there, other = np.empty(width, np.uint64), np.empty(width, np.uint64)
    for z in range(depth):
        for y in range(height):
            here, known = fragments[z, y], truth[z, y]
            for axis in range(3):
                if axis == 0:
                    one = fragments[z - 1, y] if z else before[0][y]
                    its = truth[z - 1, y] if z else truth_before[0][y]
                elif axis == 1:
                    one = fragments[z, y - 1] if y else before[1][z]
                    its = truth[z, y - 1] if y else truth_before[1][z]
                else:
                    there[0], other[0] = before[2][z, y], truth_before[2][z, y]
                    for x in range(1, width):  # slices take Numba seconds longer to compile
                        there[x], other[x] = here[x - 1], known[x - 1]
                    one, its = there, other
                same, changes = differing(one, here, its, known, places)
                inside[0] += same
                for x in places[:changes]:
                    if its[x] == 0 or known[x] == 0:
                        continue
                    cut = 1 if its[x] != known[x] else 0
                    if one[x] == 0 or here[x] == 0:
                        outside[cut] += 1
                        continue
                    if one[x] == here[x]:
                        inside[cut] += 1
                        continue
                    low, high = min(one[x], here[x]), max(one[x], here[x])
                    if low != last_low or high != last_high:
                        last_low, last_high = low, high
                        slot = place(low, high, keys, slots)
                        row = slots[slot]
                        if row < 0:
                            row = used
                            used += 1
                            slots[slot], keys[row, 0], keys[row, 1] = row, low, high
                            if used == len(keys):
                                keys, slots = roomier(keys)
                                edges = np.concatenate((edges, np.zeros_like(edges)))
                    edges[row, cut] += 1
    return keys[:used], edges[:used], inside, outside


@njit(cache=True, nogil=True)
def differing(one, two, its, mine, places):  # type: ignore[no-untyped-def]
    """Count edges within a fragment and a neuron; write where the others are, and count them.

    Apart from the rest and without branches, as most edges are of the first kind.
    """
    same = others = 0
    for x in range(one.size):
        plain = (one[x] == two[x]) & (its[x] == mine[x]) & (one[x] != 0)
        same += plain & (mine[x] != 0)
        places[others] = x
        others += not plain
    return same, others


@njit(cache=True, nogil=True)
def place(first, second, keys, slots):  # type: ignore[no-untyped-def]
    """The slot of a pair, or the empty one where it belongs; slots are a power of two."""
    mixed = (first * np.uint64(0x9E3779B97F4A7C15)) ^ (second * np.uint64(0xC2B2AE3D27D4EB4F))
    mask = np.uint64(slots.size - 1)
    slot = (mixed ^ (mixed >> np.uint64(32))) & mask
    while slots[slot] >= 0 and (keys[slots[slot], 0] != first or keys[slots[slot], 1] != second):
        slot = (slot + np.uint64(1)) & mask
    return slot


@njit(cache=True, nogil=True)
def roomier(keys):  # type: ignore[no-untyped-def]
    """Keys that are all in use with as much room again, and their slots."""
    used = len(keys)
    keys = np.concatenate((keys, np.zeros_like(keys)))
    slots = np.full(2 * len(keys), -1, np.int64)
    for row in range(used):
        slots[place(keys[row, 0], keys[row, 1], keys, slots)] = row
    return keys, slots


@njit(cache=True, nogil=True)
def owners(pieces, truth, count):  # type: ignore[no-untyped-def]
    """The id (count + 1,) of each piece; entry 0 is 0. Both arrays are (z, y, x)."""
    owner = np.zeros(count + 1, np.uint64)
    for z in range(pieces.shape[0]):
        for y in range(pieces.shape[1]):
            last = np.uint32(0)
            for x in range(pieces.shape[2]):
                piece = pieces[z, y, x]
                if piece != last:
                    last = piece
                    owner[piece] = truth[z, y, x]
    owner[0] = 0
    return owner
