"""A segmentation as a file: fragments once, and for each threshold which of them are one neuron.

``volumes/labels/fragments`` holds ids: the place, counted from 1 in the order of the volume's
voxels, where a fragment's seed begins, so that all blocks that see a fragment give it one id; 0 is
background. The group ``segmentation`` holds ``fragments`` (n,), all ids, ascending, which numbers
the fragments from 1 on, and in these numbers

- ``merges`` (m, 2) and ``counts`` (k,): an ordered list of pairs of fragments, and how many of
  them are applied at each threshold (hierarchical methods), or
- ``tables`` (k, n + 1): the segment of every fragment at each threshold (flat methods),

with ``thresholds`` (k,). The list is cut by count and never by score: waterz with a queue of 256
bins merges in an order whose scores are not monotone.
"""

from collections.abc import Iterator, Sequence

import h5py
import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from fgnet import volume
from fgnet.errors import InputError

FRAGMENTS = "segmentation/fragments"
THRESHOLDS = "segmentation/thresholds"
MERGES = "segmentation/merges"
COUNTS = "segmentation/counts"
TABLES = "segmentation/tables"

Ids = npt.NDArray[np.uint32]
Labels = npt.NDArray[np.integer]


def write_fragments(file: h5py.File, ids: Labels) -> None:
    """Store the ids of all fragments (n,), ascending."""
    file.create_dataset(
        FRAGMENTS, data=np.asarray(ids, np.uint64), compression="gzip", shuffle=True
    )


def fragments(file: h5py.File) -> npt.NDArray[np.uint64]:
    """The ids of all fragments (n,), ascending."""
    ids: npt.NDArray[np.uint64] = volume.dataset(file, FRAGMENTS, "n")[:]
    return ids


def numbered(labels: Labels, ids: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint32]:
    """Fragments numbered 1..n from their ids, in an array of any shape; background stays 0.

    Args:
        ids: of all fragments (n,), ascending.

    Raises:
        InputError: an id is none of a fragment of this segmentation.
    """
    flat = labels.ravel().astype(np.uint64, copy=False)
    # neighbours are mostly of one fragment: each run of them is looked up once
    starts = np.concatenate(
        [np.zeros(min(flat.size, 1), np.intp), np.flatnonzero(flat[1:] != flat[:-1]) + 1]
    )
    heads = flat[starts]
    place = np.searchsorted(ids, heads)
    known = ids[np.minimum(place, max(len(ids) - 1, 0))] == heads if len(ids) else heads == 0
    if not (known | (heads == 0)).all():
        wrong = int(heads[~known & (heads > 0)][0])
        raise InputError(
            f"{volume.FRAGMENTS} holds the id {wrong}, of which its segmentation knows nothing; "
            "agglomerate again"
        )
    number = np.where(heads > 0, place + 1, 0).astype(np.uint32)
    return np.repeat(number, np.diff(starts, append=flat.size)).reshape(labels.shape)


def write_merges(
    file: h5py.File, thresholds: Sequence[float], merges: Ids, counts: Sequence[int]
) -> None:
    """Store ordered merges (m, 2) of numbered fragments and how many apply at each threshold."""
    file[THRESHOLDS] = np.asarray(thresholds, np.float64)
    file[MERGES] = np.asarray(merges, np.uint32).reshape(-1, 2)
    file[COUNTS] = np.asarray(counts, np.int64)


def write_tables(file: h5py.File, thresholds: Sequence[float], tables: Ids) -> None:
    """Store one lookup table (n + 1,) per threshold, as an array (k, n + 1)."""
    file[THRESHOLDS] = np.asarray(thresholds, np.float64)
    file[TABLES] = np.asarray(tables, np.uint32)


def thresholds(file: h5py.File) -> list[float]:
    """The thresholds for which the file holds a segmentation, in ascending order."""
    return [float(value) for value in volume.dataset(file, THRESHOLDS, "k")[:]]


def table(file: h5py.File, threshold: float) -> Ids:
    """The segment of every fragment at one threshold.

    Returns:
        (n + 1,) uint32: entry i is the segment of the fragment numbered i; entry 0 is 0.

    Raises:
        InputError: the file holds no segmentation for this threshold.
    """
    known = thresholds(file)
    near = np.flatnonzero(np.isclose(known, threshold, rtol=0, atol=1e-9))
    if near.size == 0:
        raise InputError(
            f"{file.filename}: holds no segmentation at threshold {threshold}; "
            f"it has {', '.join(f'{value:g}' for value in known)}"
        )
    index = int(near[0])
    if TABLES in file:
        return np.asarray(file[TABLES][index], np.uint32)
    return merged(file[MERGES][: int(file[COUNTS][index])], len(fragments(file)))


def tables(file: h5py.File) -> Iterator[tuple[float, Ids]]:
    """Every threshold and the segment of every fragment at it, as :func:`table` gives it."""
    known = thresholds(file)
    if TABLES in file:
        for index, threshold in enumerate(known):
            yield threshold, np.asarray(file[TABLES][index], np.uint32)
        return
    merges, start = file[MERGES][:], 0
    current = np.arange(len(fragments(file)) + 1, dtype=np.uint32)
    for threshold, stop in zip(known, file[COUNTS][:].tolist(), strict=True):
        # the segments so far are merged further, and keep the order of their first fragments
        step = merged(current[merges[start:stop]], int(current.max()))
        current, start = step[current], stop
        yield threshold, current


def merged(merges: Ids, count: int) -> Ids:
    """The segment (n + 1,) of each of ``count`` numbered fragments after merges (m, 2)."""
    size, pairs = count + 1, merges.astype(np.int64)
    graph = coo_matrix((np.ones(len(pairs), np.bool_), (pairs[:, 0], pairs[:, 1])), (size, size))
    _, segment = connected_components(graph, directed=False)
    # fragment 0 is background and merges with nothing, so it is component 0
    return np.asarray(segment, np.uint32)
