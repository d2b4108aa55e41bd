"""Stretch the grey values of a volume between two percentiles; optionally CLAHE per section.

Two passes by blocks of sections: the first counts grey values, the second maps them. Labels
and voxel size are copied.
"""

import argparse
import json
import logging
import sys
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from fgnet import command, volume
from fgnet.errors import InputError
from fgnet.progress import track
from fgnet.settings.normalize import Normalize

LOG = logging.getLogger(__name__)
Bytes = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.int64]


def run(input: Path, output: Path, settings: str, sections: int = volume.CHUNK[0]) -> None:
    """Normalise a downloaded volume.

    Args:
        input: HDF5 file with ``volumes/raw`` uint8 and perhaps labels.
        output: the same with raw normalised; its attribute ``normalization`` holds the settings
            as JSON and ``bounds`` (n, 2) the grey values that became 0 and 255, one row for the
            volume or one a section.
        settings: JSON of :class:`fgnet.settings.normalize.Normalize`.
        sections: held in memory at a time; the result does not depend on it.

    Raises:
        InputError: the file is missing or truncated, or raw is not uint8 along z, y, x.
    """
    wanted = Normalize.from_json(settings)
    with volume.opened(input) as source:
        raw = volume.dataset(source, volume.RAW, "zyx", "u")
        if raw.dtype != np.uint8:
            raise InputError(f"{input}: {volume.RAW}: holds {raw.dtype}, needs uint8; download it")
        size, offset = volume.voxel_size(raw), volume.offset(raw)
        bounds = percentiles(histograms(raw, sections), wanted)
        flat = int(np.sum(bounds[:, 0] >= bounds[:, 1]))
        if flat:
            LOG.warning("%d of %d without contrast are left as they are", flat, len(bounds))
        with volume.create(output, "normalize", wanted.model_dump(mode="json"), [input]) as file:
            target = volume.add(file, volume.RAW, raw.shape, np.uint8, size, offset)
            target.attrs["normalization"] = json.dumps(wanted.model_dump(), sort_keys=True)
            target.attrs["bounds"] = bounds
            tables = lookup_tables(bounds)
            for z in track(slabs(len(raw), sections), f"normalize {input.name}"):
                target[z] = normalised(raw[z], tables[z] if len(tables) > 1 else tables, wanted)
            for name in (volume.LABELS, volume.MASK):
                if name in source:
                    # chunk by chunk as stored, with the attributes
                    source.copy(name, file, name)


def slabs(depth: int, sections: int) -> list[slice]:
    """The sections of a volume in groups."""
    return [slice(start, min(start + sections, depth)) for start in range(0, depth, sections)]


def histograms(raw: h5py.Dataset, sections: int = volume.CHUNK[0]) -> Counts:
    """How often each grey value occurs in each section: (z, 256)."""
    counts = np.empty((len(raw), 256), np.int64)
    for z in track(slabs(len(raw), sections), "count grey values"):
        for section, row in zip(raw[z], counts[z], strict=True):
            row[:] = np.bincount(section.ravel(), minlength=256)
    return counts


def percentiles(counts: Counts, settings: Normalize) -> Bytes:
    """The grey values at the low and high percentile: (1, 2) for a volume, else (z, 2).

    A percentile is the smallest grey value that at least that part of the voxels does not
    exceed (numpy's method ``inverted_cdf``), so that it follows from the counts alone.
    """
    if settings.per == "volume":
        counts = counts.sum(axis=0, keepdims=True)
    below = np.cumsum(counts, axis=1)
    total = below[:, -1:]
    bounds = [
        (below < np.maximum(np.ceil(total * (part / 100) - 1e-9), 1)).sum(axis=1)
        for part in (settings.low, settings.high)
    ]
    return np.stack(bounds, axis=1).astype(np.uint8)


def lookup_tables(bounds: Bytes) -> Bytes:
    """New value of each grey value, (n, 256): the bounds (n, 2) become 0 and 255, linear between.

    Where the bounds are equal there is nothing to stretch, and values stay.
    """
    low, high = bounds.astype(np.float64).T[..., None]
    values = np.arange(256.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        stretched = np.clip((values - low) * 255 / (high - low), 0, 255)
    return np.rint(np.where(high > low, stretched, values)).astype(np.uint8)


def normalised(sections: Bytes, tables: Bytes, settings: Normalize) -> Bytes:
    """Sections (z, y, x) through their tables, (1, 256) or (z, 256), then CLAHE when asked."""
    if len(tables) == 1:
        sections = tables[0][sections]
    else:
        sections = np.stack([table[s] for table, s in zip(tables, sections, strict=True)])
    if settings.clahe is False:
        return sections
    return np.stack([equalised(section, settings.clahe) for section in sections])


def equalised(section: Bytes, clip_limit: float) -> Bytes:
    """CLAHE of one section (y, x); one without contrast stays as it is."""
    from skimage.exposure import equalize_adapthist

    if section.min() == section.max():
        return section
    even: npt.NDArray[np.float64] = equalize_adapthist(section, clip_limit=clip_limit)
    return np.rint(even * 255).astype(np.uint8)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = command.parser("normalize", __doc__ or "")
    parser.add_argument("--input", required=True, type=Path, help="results/download/VOLUME.h5")
    parser.add_argument("--output", required=True, type=Path, help="HDF5 file to write")
    parser.add_argument("--settings", required=True, metavar="JSON", help="section normalize")
    return parser


if __name__ == "__main__":
    sys.exit(command.main(arguments(), run))
