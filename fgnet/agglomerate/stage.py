"""The stage: read affinities, make fragments, find their merges, write both."""

import logging
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from fgnet import segmentation, volume
from fgnet.affinities import NEAREST
from fgnet.agglomerate import fragments, merge, mutex
from fgnet.errors import InputError
from fgnet.settings.agglomerate import Components, Method, Mutex, Waterz
from fgnet.settings.base import Offset

Affinities = npt.NDArray[np.float32]
LOG = logging.getLogger(__name__)


def run(input: Path, output: Path, settings: str) -> None:
    """Agglomerate one volume of affinities.

    The volume is held in memory: about 40 bytes a voxel.

    Args:
        input: HDF5 file with ``volumes/predictions/affinities`` (channels, z, y, x).
        output: a segmentation, see :mod:`fgnet.segmentation`.
        settings: JSON of :class:`fgnet.settings.agglomerate.Method`.

    Raises:
        InputError: the file is missing or broken, holds no affinities or no edges of the
            offsets that the method needs.
    """
    method = Method.from_json(settings)
    with volume.opened(input) as source:
        data = volume.dataset(source, volume.AFFINITIES, "czyx", "uf")
        channels = needed(data, method)
        voxel_size, offset = volume.voxel_size(data), volume.offset(data)
        affinities = read(data, list(channels))
    with volume.create(output, "agglomerate", method.model_dump(mode="json"), [input]) as file:
        labels = segment(file, affinities, list(channels.values()), voxel_size, method)
        volume.add(file, volume.FRAGMENTS, labels.shape, np.uint32, voxel_size, offset)[:] = labels


def segment(
    file: h5py.File,
    affinities: Affinities,
    offsets: Sequence[Offset],
    voxel_size: volume.Triple,
    method: Method,
) -> npt.NDArray[np.uint32]:
    """Make the fragments (z, y, x) and write what merges them at each threshold to the file."""
    if isinstance(method.merge, Mutex):
        labels, tables = mutex.sweep(affinities, offsets, method.merge, method.thresholds)
        LOG.info("mutex watershed: %d pieces in %s voxels", labels.max(), labels.shape)
        segmentation.write_fragments(file, [int(labels.max())])
        segmentation.write_tables(file, method.thresholds, tables)
        return labels
    if isinstance(method.fragments, Components):
        labels = fragments.components(affinities, method.fragments)
    else:
        assert method.fragments is not None, "the settings see to it"
        labels = fragments.watershed(affinities, method.fragments, voxel_size)
    LOG.info("%s: %d fragments in %s voxels", method.fragments.method, labels.max(), labels.shape)
    segmentation.write_fragments(file, [int(labels.max())])
    if isinstance(method.merge, Waterz):
        merges, counts = merge.waterz(affinities, labels, method.merge.score, method.thresholds)
        segmentation.write_merges(file, method.thresholds, merges, counts)
    else:
        tables = merge.multicut(affinities, labels, method.thresholds)
        segmentation.write_tables(file, method.thresholds, tables)
    return labels


def needed(data: h5py.Dataset, method: Method) -> dict[int, Offset]:
    """The channels that a method reads, with their offsets: the nearest three come first.

    Raises:
        InputError: the attribute ``offsets`` is missing or does not fit, or an edge is missing.
    """
    where = f"{data.file.filename}: {volume.AFFINITIES}"
    offsets = np.asarray(data.attrs.get("offsets", ()))
    if offsets.shape != (data.shape[0], 3):
        raise InputError(
            f"{where}: attribute 'offsets' has shape {offsets.shape}, needs {(data.shape[0], 3)}, "
            "one (z, y, x) a channel; infer again"
        )
    have = [(int(z), int(y), int(x)) for z, y, x in offsets]
    missing = [offset for offset in NEAREST if offset not in have]
    if missing:
        raise InputError(
            f"{where}: has no channel for the offsets {missing}, only {have}; "
            "train the model with the nearest three"
        )
    channels = {have.index(offset): offset for offset in NEAREST}
    if isinstance(method.merge, Mutex):
        far = {
            channel: offset
            for channel, offset in enumerate(have)
            if max(map(abs, offset)) >= method.merge.shortest
        }
        if not far:
            raise InputError(
                f"{where}: has no offset of {method.merge.shortest} voxels or more, which the "
                f"mutex watershed needs, only {have}; train the model with long-range offsets "
                "or take another merge.method"
            )
        channels |= far
    return channels


def read(data: h5py.Dataset, channels: Sequence[int]) -> Affinities:
    """Channels of affinities as float32 in [0, 1]."""
    affinities = np.empty((len(channels), *data.shape[1:]), np.float32)
    for target, channel in zip(affinities, channels, strict=True):
        target[:] = data[channel]
    if data.dtype.kind == "u":
        affinities /= np.float32(np.iinfo(data.dtype).max)
    elif not np.isfinite(affinities).all() or affinities.min() < 0 or affinities.max() > 1:
        raise InputError(
            f"{data.file.filename}: {volume.AFFINITIES}: values from {affinities.min()} to "
            f"{affinities.max()}, needs floats from 0 to 1; infer again"
        )
    return affinities
