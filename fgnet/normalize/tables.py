"""From counted grey values to the table that maps them: percentiles, stretch, match.

Counts (levels,) say how often each grey value occurs; levels is 256 or 65536. A table (levels,)
uint8 never falls, so 255 steps hold all of it, whatever the number of levels.
"""

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
Table = npt.NDArray[np.uint8]
Steps = npt.NDArray[np.uint32]


def percentile(counts: Counts, part: float) -> int:
    """The smallest grey value that at least ``part`` percent of the voxels do not exceed.

    This is numpy's method ``inverted_cdf``, which follows from the counts alone.
    """
    below = np.cumsum(counts)
    wanted = max(np.ceil(below[-1] * (part / 100) - 1e-9), 1)
    return int(np.searchsorted(below, wanted))


def stretch(levels: int, low: int, high: int) -> Table:
    """The table by which ``low`` becomes 0 and ``high`` 255, linear between.

    Where they are equal there is nothing to stretch, and values stay (65536 levels as 256).
    """
    if low >= high:
        low, high = 0, levels - 1
    values = np.arange(levels, dtype=np.float64)
    return np.rint(np.clip((values - low) * 255 / (high - low), 0, 255)).astype(np.uint8)


def match(counts: Counts, target: Counts) -> Table:
    """The table after which the cumulative histogram meets that of a reference.

    A grey value becomes the smallest one of the reference that at least as large a part of the
    reference does not exceed (histogram specification: Gonzalez and Woods, Digital Image
    Processing, chapter 3).

    Args:
        counts: (levels,) of the volume or section.
        target: (256,) of the reference.
    """
    here, there = np.cumsum(counts), np.cumsum(target)
    table: Table = np.searchsorted(there / there[-1], here / here[-1] - 1e-12).astype(np.uint8)
    return table


def mapped(counts: Counts, table: Table) -> Counts:
    """Counts (256,) of the grey values after a table."""
    return np.bincount(table, weights=counts, minlength=256).astype(np.int64)


def compressed(table: Table) -> Steps:
    """A table as (255,): the first grey value that becomes 1 or more, 2 or more, ... 255."""
    return np.searchsorted(table, np.arange(1, 256)).astype(np.uint32)


def expanded(steps: Steps, levels: int) -> Table:
    """The table (levels,) that :func:`compressed` took apart."""
    return np.cumsum(np.bincount(steps, minlength=levels + 1)[:levels]).astype(np.uint8)
