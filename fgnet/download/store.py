"""Writing an opened source as one HDF5 file, block by block."""

from pathlib import Path
from typing import Any

import numpy as np

from fgnet import volume
from fgnet.blocks import tiles
from fgnet.download.layers import Layers, as_ids, as_uint8, id_type
from fgnet.errors import InputError
from fgnet.progress import track
from fgnet.settings.base import Box
from fgnet.volume import CHUNK, Triple

BLOCK = (CHUNK[0], 16 * CHUNK[1], 16 * CHUNK[2])


def store(layers: Layers, crop: Box, size: Triple | None, output: Path, record: Any) -> None:
    """Write the crop as raw uint8 and labels uint32 or uint64 with voxel size and offset.

    Args:
        size: voxel size of the settings in nm, for a source that records none.
        record: what goes into the file as the settings that made it.

    Raises:
        InputError: the crop leaves the volume, the voxel size is unknown or contradicted,
            grey values are not 8-bit, labels are negative.
    """
    cut = crop.slices(layers.raw.shape, "crop", layers.first)
    size = voxel_size(layers.voxel_size, size)
    shape = tuple(part.stop - part.start for part in cut)
    offset = [
        start + part.start * nm for start, part, nm in zip(layers.offset, cut, size, strict=True)
    ]
    with volume.create(output, "download", record, layers.files) as file:
        raw = volume.add(file, volume.RAW, shape, np.uint8, size, offset)
        if layers.labels is not None:
            ids = id_type(layers.labels.dtype)
            labels = volume.add(file, volume.LABELS, shape, ids, size, offset)
        for box in track(tiles(shape, BLOCK), f"write {output.name}"):
            z, y, x = (
                slice(part.start + low.start, part.stop + low.start)
                for part, low in zip(box, cut, strict=True)
            )
            raw[box] = as_uint8(layers.raw.read((z, y, x)), layers.raw.name)
            if layers.labels is not None:
                block = layers.labels.read((z, y, x))
                labels[box] = as_ids(block, ids, layers.labels.name)


def voxel_size(recorded: Triple | None, given: Triple | None) -> Triple:
    """The voxel size in nm that the source records, or the one given where it records none."""
    if recorded is None and given is None:
        raise InputError("the source records no voxel size; give voxel_size in nm (z, y, x)")
    if recorded is not None and given is not None and not np.allclose(recorded, given, rtol=0.01):
        raise InputError(
            f"voxel_size {given} nm differs from {recorded} nm, which the source records; "
            "correct it or leave it out"
        )
    size = given if recorded is None else recorded
    assert size is not None
    return size
