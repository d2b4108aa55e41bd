"""The mapping pass: blocks through their tables, defects mended, CLAHE."""

from collections.abc import Iterator

import h5py
import numpy as np
import numpy.typing as npt

from fgnet import sections
from fgnet.blocks import tiles
from fgnet.normalize import defects, tables
from fgnet.normalize.measure import Measured, direction
from fgnet.normalize.survey import Block, levels
from fgnet.progress import track
from fgnet.settings.normalize import VolumeNormalize

Bytes = npt.NDArray[np.uint8]
Box = tuple[slice, slice, slice]


class Mapping:
    """Blocks of a volume as they come out, one after the other.

    Args:
        raw: (z, y, x) uint8 or uint16.
        measured: its counts.
        stand_ins: (z, 2), see :func:`fgnet.normalize.defects.stand_ins`.
        borders: masks of the borders, None where there is none.
    """

    def __init__(
        self,
        raw: h5py.Dataset,
        measured: Measured,
        stand_ins: npt.NDArray[np.int64],
        borders: h5py.Dataset | None,
        settings: VolumeNormalize,
    ) -> None:
        self.raw, self.measured, self.settings = raw, measured, settings
        self.stand_ins, self.borders = stand_ins, borders

    def blocks(self, block: Block, what: str) -> Iterator[tuple[Box, Bytes]]:
        """Boxes that cover the volume slab by slab, and what they hold afterwards."""
        if self.settings.clahe is not False:
            # a section's contrast is equalised as a whole
            block = block[0], *self.raw.shape[1:]
        for z, y, x in track(tiles(self.raw.shape, block), what):
            done = self.block((z, y, x))
            if self.settings.clahe is not False:
                done = np.stack([equalised(section, self.settings.clahe) for section in done])
            yield (z, y, x), done

    def block(self, box: Box) -> Bytes:
        """A block (z, y, x) through its tables, bad pixels replaced."""
        z, y, x = box
        part = self.raw[box]
        done: Bytes = np.stack([self.table(k)[one] for k, one in enumerate(part, z.start)])
        found: dict[int, Bytes] = {}

        def sound(k: int) -> Bytes:
            if k not in found:
                # one that stands in for others is never changed itself
                inside = z.start <= k < z.stop
                found[k] = done[k - z.start] if inside else self.table(k)[self.raw[k, y, x]]
            return found[k]

        for k in range(z.start, z.stop):
            before, after = self.stand_ins[k].tolist()
            if before == defects.NOWHERE:
                continue
            bad = self.bad(k, part[k - z.start], y, x)
            if bad.any():
                here = done[k - z.start]
                here[bad] = between(sound(before), sound(after), before, k, after)[bad]
        return done

    def table(self, k: int) -> Bytes:
        """The table (levels,) of a section, for grey values as they stand in the file."""
        steps = self.measured.steps[k if len(self.measured.steps) > 1 else 0]
        return tables.expanded(steps, levels(self.raw))[:: direction(self.settings)]

    def bad(
        self, k: int, part: npt.NDArray[np.unsignedinteger], y: slice, x: slice
    ) -> npt.NDArray[np.bool_]:
        """Which pixels of a part (y, x) of a section are to be replaced."""
        row = self.measured.rows[k]
        if row["kind"] == sections.LOST:
            return np.ones(part.shape, np.bool_)
        assert self.borders is not None, "a bordered section has a mask"
        near = defects.spread(self.borders[k], self.raw.shape, y, x)
        return defects.border(part, near, row["min"], row["max"])


def between(one: Bytes, two: Bytes, before: int, k: int, after: int) -> Bytes:
    """Section k by linear interpolation between those at ``before`` and ``after``."""
    share = (k - before) / (after - before) if after > before else 0.0
    return np.rint(one * np.float32(1 - share) + two * np.float32(share)).astype(np.uint8)


def equalised(section: Bytes, clip_limit: float) -> Bytes:
    """CLAHE of one section (y, x); one without contrast stays as it is."""
    from skimage.exposure import equalize_adapthist

    if section.min() == section.max():
        return section
    even: npt.NDArray[np.float64] = equalize_adapthist(section, clip_limit=clip_limit)
    return np.rint(even * 255).astype(np.uint8)
