"""The counting pass: grey values of every section, and which of its pixels are defects.

Memory holds one block, and counts and samples of the sections that the block cuts.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import h5py
import numpy as np
import numpy.typing as npt

from fgnet.blocks import tiles
from fgnet.normalize import defects
from fgnet.normalize.tables import Counts
from fgnet.progress import track
from fgnet.sections import LOST, steps
from fgnet.settings.normalize import OfVolumes

Block = tuple[int, int, int]


@dataclass(frozen=True)
class Section:
    """What was counted in one section.

    Attributes:
        counts: (levels,) of all its grey values.
        good: (levels,) without those of defects; all 0 where it is lost.
        kind: sound, lost or bordered, see :mod:`fgnet.sections`.
        border: mask of the border in the sample's pixels, None where there is none.
    """

    counts: Counts
    good: Counts
    kind: int
    border: defects.Mask | None


def survey(raw: h5py.Dataset, settings: OfVolumes, block: Block) -> Iterator[Section]:
    """Count the sections of a volume (z, y, x) from the first to the last."""
    slabs = [slice(z, min(z + block[0], len(raw))) for z in range(0, len(raw), block[0])]
    for z in track(slabs, "count grey values"):
        counts, samples = _counted(raw, z, block)
        found = [
            defects.find(sample, row, settings) for sample, row in zip(samples, counts, strict=True)
        ]
        bad = _counted_borders(raw, z, block, counts, [mask for _, mask in found])
        for row, less, (kind, mask) in zip(counts, bad, found, strict=True):
            yield Section(row, np.zeros_like(row) if kind == LOST else row - less, kind, mask)


def _counted(
    raw: h5py.Dataset, z: slice, block: Block
) -> tuple[Counts, npt.NDArray[np.unsignedinteger]]:
    """Counts (n, levels) and samples (n, y', x') of n sections."""
    depth, (down, right) = z.stop - z.start, steps(raw.shape)
    counts = np.zeros((depth, levels(raw)), np.int64)
    shape = depth, -(-raw.shape[1] // down), -(-raw.shape[2] // right)
    samples = np.empty(shape, raw.dtype)
    for y, x in tiles(raw.shape[1:], block[1:]):
        part = raw[z, y, x]
        for row, section in zip(counts, part, strict=True):
            row += np.bincount(section.ravel(), minlength=len(row))
        rows, columns = _multiples(y, down), _multiples(x, right)
        picked = part[
            :, rows.start * down - y.start :: down, columns.start * right - x.start :: right
        ]
        samples[:, rows, columns] = picked
    return counts, samples


def _multiples(part: slice, step: int) -> slice:
    """Which multiples of a step lie in a part of an axis."""
    return slice(-(-part.start // step), -(-part.stop // step))


def _counted_borders(
    raw: h5py.Dataset, z: slice, block: Block, counts: Counts, masks: list[defects.Mask | None]
) -> Counts:
    """Counts (n, levels) of the pixels of borders, which are read again."""
    bad = np.zeros_like(counts)
    if all(mask is None for mask in masks):
        return bad
    for y, x in tiles(raw.shape[1:], block[1:]):
        part = None
        for index, mask in enumerate(masks):
            if mask is None or not (near := defects.spread(mask, raw.shape, y, x)).any():
                continue
            part = raw[z, y, x] if part is None else part
            pixels = part[index][defects.border(part[index], near, *defects.ends(counts[index]))]
            bad[index] += np.bincount(pixels, minlength=len(bad[index]))
    return bad


def levels(raw: h5py.Dataset) -> int:
    """How many grey values the dtype has."""
    return int(np.iinfo(raw.dtype).max) + 1
