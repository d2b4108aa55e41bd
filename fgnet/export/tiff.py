"""A layer as OME-TIFF, page by page; BigTIFF where it needs more than 4 GB."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from fgnet.blocks import tiles
from fgnet.errors import InputError
from fgnet.export.source import BLOCK, Layer
from fgnet.progress import track
from fgnet.settings.export import Folder
from fgnet.volume import Array
from fgnet.whole import whole_or_nothing

LARGEST = np.iinfo(np.uint32).max


def write(layer: Layer, output: Path, settings: Folder) -> None:
    """Write the layer as a file; ids are uint32.

    Raises:
        InputError: an id is larger than 32 bits, which OME-TIFF does not know.
    """
    if layer.dtype == np.uint64:
        check(layer)
    dtype = np.dtype(np.uint32) if layer.ids else layer.dtype
    shape = layer.shape if layer.channels == 1 else (layer.channels, *layer.shape)
    planes = layer.channels * layer.shape[0]
    with whole_or_nothing(output) as partial:
        tifffile.imwrite(
            partial,
            pages(layer, dtype),
            shape=shape,
            dtype=dtype,
            ome=True,
            photometric="minisblack",
            compression="zlib",
            # pages may not shrink, and the directory needs room too
            bigtiff=int(np.prod(shape)) * dtype.itemsize + planes * 1000 > 2**32 - 2**25,
            metadata=metadata(layer, planes, output.name),
        )


def check(layer: Layer) -> None:
    """Raise InputError when an id needs more than 32 bits."""
    for box in tiles(layer.shape, BLOCK):
        highest = int(layer.read(box).max())
        if highest > LARGEST:
            raise InputError(
                f"tiff: the id {highest} of {layer.name} is above {LARGEST}, the largest that "
                "OME-TIFF holds; take precomputed, ome_zarr or hdf5 instead, or renumber the ids"
            )


def pages(layer: Layer, dtype: np.dtype[Any]) -> Iterator[Array]:
    """Sections (y, x), channel after channel; read in groups, as they are stored."""
    groups = tiles(layer.shape, (16, *layer.shape[1:]))
    for channel in range(layer.channels):
        for box in track(groups, f"{layer.name}, sections"):
            yield from layer.read(box)[channel].astype(dtype, copy=False)


def metadata(layer: Layer, planes: int, name: str) -> dict[str, Any]:
    """What OME-XML says of the file: axes, voxel size and place in nm, where it comes from."""
    positions = [
        [start + (plane % layer.shape[0]) * step for plane in range(planes)]
        for start, step in zip(layer.offset, (layer.voxel_size[0], 0, 0), strict=True)
    ]
    record = json.dumps(layer.record, sort_keys=True)
    found: dict[str, Any] = {
        "axes": "ZYX" if layer.channels == 1 else "CZYX",
        # the same for the same origin, so that the file does not differ for nothing
        "UUID": str(uuid.uuid5(uuid.NAMESPACE_OID, record)),
        "Name": name,
        "Description": record,
        "Plane": {},
    }
    for axis, size, position in zip("ZYX", layer.voxel_size, positions, strict=True):
        found[f"PhysicalSize{axis}"] = size
        found[f"PhysicalSize{axis}Unit"] = "nm"
        found["Plane"][f"Position{axis}"] = position
        found["Plane"][f"Position{axis}Unit"] = ["nm"] * planes
    if layer.channels > 1:
        found["Channel"] = {"Name": ["z", "y", "x"]}
    return found
