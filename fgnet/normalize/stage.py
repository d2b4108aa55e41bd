"""The stage: count a volume, map its grey values, write it with what was found."""

import logging
from pathlib import Path

import h5py
import numpy as np

from fgnet import ledger, sections, volume
from fgnet.errors import InputError
from fgnet.normalize import defects
from fgnet.normalize.mapping import Mapping
from fgnet.normalize.measure import Measured, measure
from fgnet.normalize.survey import Block
from fgnet.normalize.tables import Counts
from fgnet.settings.normalize import VolumeNormalize
from fgnet.silence import doing

LOG = logging.getLogger(__name__)
BLOCK = (volume.CHUNK[0], 1024, 1024)
NAMED = 8  # sections that a line of the log names


def run(
    input: Path, output: Path, settings: str, reference: Path | None = None, block: Block = BLOCK
) -> None:
    """Normalise a downloaded volume.

    Args:
        input: HDF5 file with ``volumes/raw`` uint8 or uint16 and perhaps labels.
        output: the same with raw normalised, uint8; its group ``normalization`` says what was
            found in every section, see :mod:`fgnet.sections`.
        settings: JSON of :class:`fgnet.settings.normalize.VolumeNormalize`.
        reference: the downloaded volume that grey values are matched to.
        block: voxels (z, y, x) held in memory at a time; the result does not depend on it.

    Raises:
        InputError: a file is missing or truncated, raw is neither uint8 nor uint16 along z, y, x,
            or the reference is missing, not asked for or without contrast.
    """
    wanted = VolumeNormalize.from_json(settings)
    if (wanted.match is None) is not (reference is None):
        raise InputError(
            f"match is {wanted.match!r} and the reference {reference}; give both or neither"
        )
    inputs = [input] if reference is None else [input, reference]
    with volume.opened(input) as source:
        raw = readable(source)
        ledger.voxels(raw.size)
        target = None if reference is None else appearance(reference, wanted, block)
        with volume.create(output, "normalize", wanted.model_dump(mode="json"), inputs) as file:
            found = measure(raw, wanted, block, target, file)
            _normalise(file, raw, found, wanted, block, input.name)
            for name in (volume.LABELS, volume.MASK):
                if name in source:
                    # chunk by chunk as stored, with the attributes
                    with doing(f"copy {name}", aloud=False):
                        source.copy(name, file, name)


def readable(source: h5py.File) -> h5py.Dataset:
    """Raw of a downloaded file. Raises InputError where it is not uint8 or uint16 (z, y, x)."""
    raw = volume.dataset(source, volume.RAW, "zyx", "u")
    if raw.dtype not in (np.uint8, np.uint16):
        raise InputError(
            f"{source.filename}: {volume.RAW}: holds {raw.dtype}, needs uint8 or uint16; "
            "download it"
        )
    return raw


def appearance(reference: Path, settings: VolumeNormalize, block: Block) -> Counts:
    """Counts (256,) of the grey values that the reference has when it is normalised itself."""
    own = settings.model_copy(update={"inverted": settings.reference_inverted})
    with volume.opened(reference) as source:
        target = measure(readable(source), own, block).stretched
    if np.count_nonzero(target) < 2:
        raise InputError(
            f"{reference}: has no contrast to match; set normalize.match to another volume"
        )
    return target


def _normalise(
    file: h5py.File,
    raw: h5py.Dataset,
    found: Measured,
    settings: VolumeNormalize,
    block: Block,
    name: str,
) -> None:
    """Write raw, mapped, and what is known of its sections."""
    rows = found.rows
    longest = settings.max_gap if settings.defects == "interpolate" else 0
    replaced = defects.stand_ins(rows["kind"], longest)
    rows["done"] = np.where(
        replaced[:, 0] != replaced[:, 1], sections.INTERPOLATED, sections.COPIED
    )
    rows["done"][replaced[:, 0] == defects.NOWHERE] = sections.KEPT
    report(rows)
    values, after = np.arange(256), np.zeros(256, np.int64)
    sums = np.zeros((len(raw), 2), np.int64)
    size, offset = volume.voxel_size(raw), volume.offset(raw)
    target = volume.add(file, volume.RAW, raw.shape, np.uint8, size, offset)
    mapping = Mapping(raw, found, replaced, file.get(sections.BORDER), settings)
    for box, done in mapping.blocks(block, f"normalize {name}"):
        target[box] = done
        for k, section in enumerate(done, box[0].start):
            counts = np.bincount(section.ravel(), minlength=256)
            sums[k] += counts @ values, counts @ values**2
            after += counts
    mean, square = sums.T / np.prod(raw.shape[1:])
    rows["mean_after"], rows["std_after"] = mean, np.sqrt(np.maximum(square - mean**2, 0))
    sections.write(file, rows, found.before, after)


def report(rows: sections.Rows) -> None:
    """Log the defects in one line, if there are any."""
    words = []
    for kind in (sections.LOST, sections.BORDERED):
        found = np.flatnonzero(rows["kind"] == kind)
        if len(found):
            more = ", ..." if len(found) > NAMED else ""
            words.append(
                f"{len(found)} {sections.KINDS[kind]} ({', '.join(map(str, found[:NAMED]))}{more})"
            )
    if words:
        bad = rows["done"][rows["kind"] != sections.SOUND]
        deeds = [f"{np.sum(bad == deed)} {word}" for deed, word in enumerate(sections.DEEDS)]
        LOG.warning("of %d sections %s; %s", len(rows), " and ".join(words), ", ".join(deeds))
