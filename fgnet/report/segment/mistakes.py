"""Where a segmentation is wrong: neurons that it splits, neurons that it merges.

Each segment belongs to the neuron that it shares most voxels with, each neuron to the segment.
A merge is where a segment lies in another neuron than its own; a split is the rest of where a
neuron lies outside its own segment, and the borders between segments inside one neuron. What is
one voxel wide along the edge of a neuron is no error: nobody knows its edge so exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from fgnet import metrics

Labels = npt.NDArray[Any]
Picture = npt.NDArray[np.uint8]
# light blue and vermilion of Okabe and Ito: far apart for the colour-blind, and over grey
SPLIT = (86, 180, 233)
MERGE = (213, 94, 0)
FILL = 0.5  # opacity of areas; borders are drawn in full


@dataclass(frozen=True)
class Owners:
    """The neuron of each segment and the segment of each neuron, by most shared voxels.

    Attributes:
        segments: ids, ascending, and in ``neuron`` the neuron of each; likewise the other way.
    """

    segments: Labels
    neuron: Labels
    neurons: Labels
    segment: Labels

    def neuron_of(self, segments: Labels) -> Labels:
        """The neuron that each voxel's segment belongs to; every segment must be known."""
        return self.neuron[np.searchsorted(self.segments, segments)]

    def segment_of(self, neurons: Labels) -> Labels:
        """The segment that each voxel's neuron belongs to; every neuron must be known."""
        return self.segment[np.searchsorted(self.neurons, neurons)]


def owners(tables: Sequence[metrics.Contingency]) -> Owners:
    """Owners by the sum of tables. Segment 0, nothing, owns no neuron that has a segment."""
    table = metrics.total(tables)
    pairs = table.counts.tocoo()
    # of equal counts the lower id wins, whatever the order of the pairs
    order = np.lexsort((-pairs.col, -pairs.row, pairs.data))
    row, column = pairs.row[order], pairs.col[order]
    neuron = np.zeros(len(table.segments), np.uint64)
    segment = np.zeros(len(table.neurons), np.uint64)
    neuron[row] = table.neurons[column]
    real = table.segments[row] > 0
    segment[column[real]] = table.segments[row[real]]
    return Owners(table.segments, neuron, table.neurons, segment)


def paint(segments: Labels, neurons: Labels, owned: Owners, grey: Picture) -> Picture:
    """Split and merge errors over a grey picture.

    Args:
        segments, neurons: (rows, columns); neurons are 0 where nobody knows them.
        owned: must know all of them.
        grey: (rows, columns) uint8.

    Returns:
        (rows, columns, 3) uint8.
    """
    split, merge = areas(segments, neurons, owned)
    # what is no error takes the segment that it should have, and makes no border
    right = (segments > 0) & (neurons > 0) & ~split & ~merge
    meant = segments.astype(np.uint64)
    meant[right] = owned.segment_of(neurons[right])
    picture = np.repeat(grey[..., None].astype(np.float64), 3, axis=2)
    for where, colour in ((split, SPLIT), (merge, MERGE)):
        picture[where] = (1 - FILL) * picture[where] + FILL * np.array(colour)
    picture[borders(meant, neurons)] = SPLIT
    painted: Picture = picture.round().astype(np.uint8)
    return painted


def areas(
    segments: Labels, neurons: Labels, owned: Owners
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Where a neuron lies outside its own segment, and where a segment is in a strange neuron."""
    merge = np.zeros(segments.shape, np.bool_)
    split = merge.copy()
    known = (segments > 0) & (neurons > 0)
    merge[known] = owned.neuron_of(segments[known]) != neurons[known]
    split[known] = owned.segment_of(neurons[known]) != segments[known]
    edge = edges(neurons)
    return thick(split & ~merge, edge), thick(merge, edge)


def edges(neurons: Labels) -> npt.NDArray[np.bool_]:
    """Voxels of a picture that have another neuron, or nothing known, among their eight next."""
    highest, lowest = ndimage.maximum_filter(neurons, 3), ndimage.minimum_filter(neurons, 3)
    found: npt.NDArray[np.bool_] = highest != lowest
    return found


def thick(mask: npt.NDArray[np.bool_], edge: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The connected parts of a mask that are not at an edge alone."""
    parts, count = ndimage.label(mask)
    kept = np.zeros(count + 1, np.bool_)
    kept[parts[mask & ~edge]] = True
    found: npt.NDArray[np.bool_] = kept[parts]
    return found


def borders(segments: Labels, neurons: Labels) -> npt.NDArray[np.bool_]:
    """Voxels at a border between two segments inside one neuron, in the picture."""
    found = np.zeros(segments.shape, np.bool_)
    for one, two in (
        ((slice(None, -1), slice(None)), (slice(1, None), slice(None))),
        ((slice(None), slice(None, -1)), (slice(None), slice(1, None))),
    ):
        here = (neurons[one] == neurons[two]) & (neurons[one] > 0)
        here &= (segments[one] != segments[two]) & (segments[one] > 0) & (segments[two] > 0)
        found[one] |= here
        found[two] |= here
    return found
