"""Which neurons a segmentation gets most wrong, from a coarse copy of it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from fgnet import metrics
from fgnet.report.coarse import Coarse

NUMBER = 10
SMALL = 0.05  # a share of a neuron below this is counted, but not said to be merged
Voxel = tuple[int, int, int]


@dataclass(frozen=True)
class Neuron:
    """What went wrong with one neuron.

    Attributes:
        name: its id.
        voxels: how many it has, about.
        split, merge: what it adds to VOI split and VOI merge, in bits.
        segments: how many are in it.
        largest: share of it that the largest of them has.
        merged: the neurons that its segments reach into, those with most voxels first.
        error: a voxel in its largest part outside its largest segment, if any.
    """

    name: int
    voxels: int
    split: float
    merge: float
    segments: int
    largest: float
    merged: list[int]
    error: Voxel | None


def rank(copy: Coarse, overlaps: metrics.Contingency) -> list[Neuron]:
    """The neurons that add most to the VOI, worst first."""
    pairs = overlaps.counts.tocsc()
    total = pairs.data.sum()
    sizes = np.asarray(pairs.sum(1)).ravel()
    found = []
    for column, neuron in enumerate(overlaps.neurons.tolist()):
        part = slice(pairs.indptr[column], pairs.indptr[column + 1])
        row, shared = pairs.indices[part], pairs.data[part].astype(np.float64)
        split = float(shared @ np.log2(shared.sum() / shared) / total)
        merge = float(shared @ np.log2(sizes[row] / shared) / total)
        found.append((split + merge, split, merge, neuron, row, shared))
    found.sort(key=lambda one: (-one[0], one[3]))
    worst = []
    for _, split, merge, neuron, row, shared in found[:NUMBER]:
        share = shared / shared.sum()
        real = overlaps.segments[row] > 0
        best = int(np.argmax(np.where(real, share, 0)))
        rest = copy.neurons == neuron
        if real.any():
            rest &= copy.segments != overlaps.segments[row[best]]
        worst.append(
            Neuron(
                name=neuron,
                voxels=int(shared.sum()) * copy.voxels,
                split=split,
                merge=merge,
                segments=int(real.sum()),
                largest=float(share[best]) if real.any() else 0.0,
                merged=_partners(overlaps, row[real & (share >= SMALL)], neuron),
                error=copy.place(middle(rest)) if rest.any() else None,
            )
        )
    return worst


def _partners(
    overlaps: metrics.Contingency, rows: npt.NDArray[np.integer], neuron: int
) -> list[int]:
    """The other neurons of which these segments have a part that counts."""
    shared = np.asarray(overlaps.counts[rows].sum(0)).ravel()
    sizes = np.asarray(overlaps.counts.sum(0)).ravel()
    order = np.argsort(-shared, kind="stable")
    return [
        int(overlaps.neurons[i])
        for i in order
        if shared[i] >= SMALL * sizes[i] and overlaps.neurons[i] != neuron
    ]


def largest(copy: Coarse) -> list[tuple[int, int]]:
    """The largest segments and how many voxels they have, about."""
    names, sizes = np.unique(copy.segments, return_counts=True)
    order = [i for i in np.argsort(-sizes, kind="stable") if names[i]][:NUMBER]
    return [(int(names[i]), int(sizes[i]) * copy.voxels) for i in order]


def middle(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """A voxel (3,) of the largest connected part of a mask, as deep inside as any."""
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    parts, _ = ndimage.label(mask[box])
    part = parts == np.bincount(parts.ravel())[1:].argmax() + 1
    # beyond the box there is nothing; along the thickness of a flat one nothing is deep
    edge = [int(size > 1) for size in part.shape]
    depth = ndimage.distance_transform_cdt(np.pad(part, [(n, n) for n in edge]), "taxicab")
    inside = np.array(np.unravel_index(depth.argmax(), depth.shape))
    found: npt.NDArray[np.intp] = inside - edge + [cut.start for cut in box]
    return found
