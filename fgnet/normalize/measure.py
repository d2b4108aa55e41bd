"""What a volume's counts say: the table of its sections, and how its grey values are mapped."""

import logging
from dataclasses import dataclass

import h5py
import numpy as np

from fgnet import sections
from fgnet.normalize import tables
from fgnet.normalize.survey import Block, Section, levels, survey
from fgnet.normalize.tables import Counts, Steps, Table
from fgnet.settings.normalize import VolumeNormalize

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Measured:
    """A volume that was counted.

    Attributes:
        rows: the table of its sections, as far as it is known by now.
        before: (levels,) counts of all grey values.
        stretched: (256,) counts of the grey values that are no defects after the mapping.
        steps: (z, 255), or (1, 255) where all sections share one table, see
            :func:`fgnet.normalize.tables.compressed`; of inverted values where they are inverted.
    """

    rows: sections.Rows
    before: Counts
    stretched: Counts
    steps: Steps


def measure(
    raw: h5py.Dataset,
    settings: VolumeNormalize,
    block: Block,
    target: Counts | None = None,
    borders: h5py.File | None = None,
) -> Measured:
    """Count a volume (z, y, x) and find the table of the volume or of each section.

    Args:
        target: (256,) counts of the reference after its own mapping, where one is matched.
        borders: file to which the masks of borders go.
    """
    rows = sections.empty(len(raw))
    before = np.zeros(levels(raw), np.int64)
    good = np.zeros_like(before)
    stretched = np.zeros(256, np.int64)
    each = len(raw) if settings.per == "section" else 1
    steps = np.empty((each, 255), np.uint32)
    for z, section in enumerate(survey(raw, settings, block)):
        _describe(rows[z], section)
        if section.border is not None and borders is not None:
            if sections.BORDER not in borders:
                sections.add_border(borders, raw.shape)
            borders[sections.BORDER][z] = section.border
        before += section.counts
        good += section.good
        if settings.per == "section":
            counts = section.good if section.good.any() else section.counts
            rows[z]["low"], rows[z]["high"], table = mapping(counts, settings, target)
            steps[z] = tables.compressed(table)
            stretched += tables.mapped(section.good[:: direction(settings)], table)
    if settings.per == "volume":
        counts = good if good.any() else before
        rows["low"], rows["high"], table = mapping(counts, settings, target)
        steps[0] = tables.compressed(table)
        stretched = tables.mapped(good[:: direction(settings)], table)
    flat = int(np.sum((rows["low"] == rows["high"]) & (rows["kind"] != sections.LOST)))
    if flat:
        LOG.warning("%d of %d sections without contrast are left as they are", flat, len(rows))
    return Measured(rows, before, stretched, steps)


def mapping(
    counts: Counts, settings: VolumeNormalize, target: Counts | None
) -> tuple[int, int, Table]:
    """The grey values at the low and the high percentile, and the table (levels,).

    Where contrast is inverted, percentiles and table are those of the inverted values, and the two
    grey values are given as they stand in the file.
    """
    turned = counts[:: direction(settings)]
    low, high = (tables.percentile(turned, part) for part in (settings.low, settings.high))
    if target is None or low == high:
        table = tables.stretch(len(counts), low, high)
    else:
        table = tables.match(turned, target)
    if settings.inverted:
        low, high = len(counts) - 1 - low, len(counts) - 1 - high
    return low, high, table


def direction(settings: VolumeNormalize) -> int:
    """The step through a table or counts: backwards where grey values are inverted."""
    return -1 if settings.inverted else 1


def _describe(row: np.void, section: Section) -> None:
    """Fill in what the counts of a section say of it."""
    row["mean"], row["std"] = sections.moments(section.counts)
    seen = np.flatnonzero(section.counts)
    row["min"], row["max"] = seen[0], seen[-1]
    row["kind"] = section.kind
    row["bad"] = 1 - section.good.sum() / section.counts.sum()
