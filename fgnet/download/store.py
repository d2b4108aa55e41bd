"""Writing an assembled volume as one HDF5 file, block by block."""

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from fgnet import ledger, volume
from fgnet.blocks import tiles
from fgnet.download.assemble import Assembled
from fgnet.download.layers import Slices
from fgnet.download.values import among, as_ids, grey, id_type
from fgnet.errors import InputError
from fgnet.progress import track
from fgnet.settings.sources import Labels
from fgnet.volume import CHUNK

BLOCK = (CHUNK[0], 16 * CHUNK[1], 16 * CHUNK[2])


def store(
    made: Assembled,
    meaning: Labels | None,
    output: Path,
    record: Any,
    check: Callable[[str, str], None],
) -> None:
    """Write raw uint8 or uint16, labels uint32 or uint64 and the mask of what is labelled.

    Args:
        meaning: which ids of the labels are background and which are no labels.
        record: what goes into the file as the settings that made it.
        check: takes the identity and the checksum of each layer that came over a network box by
            box, and raises InputError where it is not what came before.

    Raises:
        InputError: grey values are not finite or all alike, labels are negative or no integers.
    """
    shape = made.image.shape
    ledger.voxels(math.prod(shape))
    whole = (slice(0, shape[0]), slice(0, shape[1]), slice(0, shape[2]))
    # all that can be known to be wrong is found before the first voxel is fetched
    ids = None if made.labels is None else id_type(made.labels.dtype, made.labels.name)
    if made.mask is not None:
        id_type(made.mask.dtype, made.mask.name)
    files = [path for layer in made.layers() for path in (*layer.files, *layer.prepare(whole))]
    boxes = [(z, y, x) for z, y, x in tiles(shape, BLOCK)]
    kept = grey(made.image, boxes)
    partial = made.mask is not None or (meaning is not None and bool(meaning.unlabelled))
    with volume.create(output, "download", record, list(dict.fromkeys(files))) as file:
        place = (shape, made.voxel_size, made.offset)
        raw = _add(file, volume.RAW, kept.dtype, *place)
        # by which skeletons count that are given in voxels
        raw.attrs["source_resolution"] = made.source_voxel_size
        raw.attrs["source_offset"] = made.source_offset
        raw.attrs["grey"] = json.dumps({"low": kept.low, "step": kept.step})
        labels = None if ids is None else _add(file, volume.LABELS, ids, *place)
        mask = _add(file, volume.MASK, np.dtype(np.uint8), *place) if partial else None
        low, high = np.inf, -np.inf
        for box in track(boxes, f"write {output.name}"):
            block = kept(made.image.read(box))
            raw[box] = block
            low, high = min(low, block.min()), max(high, block.max())
            _write_labels(made, meaning, box, labels, mask)
        if low == high:
            raise InputError(
                f"{made.image.name} holds the one value {low * kept.step + kept.low:g} and nothing "
                "else; check the path, the dataset and the crop"
            )
        written = [one for one in (raw, labels, mask) if one is not None]
        for layer, data in zip(made.layers(), written, strict=False):
            if layer.remote is not None:
                told = "" if layer is made.image or meaning is None else _told(meaning)
                check(f"{layer.remote}#{_identity(made)}{told}", f"sha256:{_digest(data)}")


def _write_labels(
    made: Assembled,
    meaning: Labels | None,
    box: Slices,
    labels: h5py.Dataset | None,
    mask: h5py.Dataset | None,
) -> None:
    """One block of ids and of the mask, 1 where there is ground truth."""
    valid = None
    if made.mask is not None:
        valid = made.mask.read(box) != 0
    if labels is not None and made.labels is not None:
        block = as_ids(made.labels.read(box), labels.dtype, made.labels.name)
        if meaning is not None and meaning.unlabelled:
            unlabelled = among(block, meaning.unlabelled)
            valid = ~unlabelled if valid is None else valid & ~unlabelled
            block = np.where(unlabelled, 0, block)
        if meaning is not None and meaning.background:
            block = np.where(among(block, meaning.background), 0, block)
        labels[box] = block
    if mask is not None:
        mask[box] = valid


def _add(
    file: h5py.File, name: str, dtype: np.dtype[Any], shape: Any, size: Any, offset: Any
) -> h5py.Dataset:
    return volume.add(file, name, shape, dtype, size, offset)


def _identity(made: Assembled) -> str:
    """Place, voxel size (nm) and shape of a volume, which with its address identify it."""
    numbers = (made.offset, made.voxel_size, made.image.shape)
    # digits enough for a voxel anywhere in a brain, and none of the noise of a product's last ones
    return "&".join(",".join(f"{value:.12g}" for value in three) for three in numbers)


def _told(meaning: Labels) -> str:
    """What the config says of the ids, which decides what is kept of them."""
    kinds = {"background": meaning.background, "unlabelled": meaning.unlabelled}
    return "".join(f"&{kind}={','.join(map(str, ids))}" for kind, ids in kinds.items() if ids)


def _digest(data: h5py.Dataset) -> str:
    """SHA-256 of the values, section by section."""
    found = hashlib.sha256()
    for section in data:
        found.update(section.tobytes())
    return found.hexdigest()
