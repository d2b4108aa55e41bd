"""A layer as OME-Zarr 0.5 (Zarr version 3): an array for each scale, and what they mean.

Coordinates are nm along z, y, x. The translation of the finest scale is the layer's offset, which
download reads back; as readers take translations for those of voxels' centres, each coarser
scale's is further by half the difference of the voxel sizes. Chunks of 64 voxels a side lie
together in shards.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore as ts

from fgnet.export import pyramid
from fgnet.export.pyramid import Scale
from fgnet.export.source import BLOCK, Layer, Shape, Slices
from fgnet.settings.export import Folder
from fgnet.volume import Array
from fgnet.whole import whole_folder_or_nothing

VERSION = "0.5"
CHUNK = (64, 64, 64)


def write(layer: Layer, output: Path, settings: Folder) -> None:
    """Write the layer as a folder."""
    z, y, x = np.round(np.divide(layer.offset, layer.voxel_size)).astype(int).tolist()
    first: Shape = (z, y, x)
    levels = pyramid.scales(layer, first, settings.mips)
    with whole_folder_or_nothing(output) as folder:
        stores = [_create(layer, scale, folder / str(i)) for i, scale in enumerate(levels)]

        def put(index: int, box: Slices, block: Array) -> None:
            stores[index][(slice(None), *box)].write(block).result()

        def placed(index: int) -> Any:
            return stores[index][ts.d[1, 2, 3].translate_to[levels[index].first]]

        pyramid.fill(layer, levels, placed, put)
        (folder / "zarr.json").write_text(json.dumps(group(layer, levels, output.name)))


def _create(layer: Layer, scale: Scale, path: Path) -> Any:
    """An empty array, as a tensorstore (channels, z, y, x)."""
    several = layer.channels > 1
    # Neuroglancer takes channels for colours only where they lie in one chunk
    lead = (layer.channels,) if several else ()
    store = ts.open(
        {
            "driver": "zarr3",
            "kvstore": {"driver": "file", "path": f"{path.resolve()}/"},
            "metadata": {
                "shape": [*lead, *scale.shape],
                "data_type": str(layer.dtype),
                "dimension_names": axes(layer),
                "chunk_grid": {
                    "name": "regular",
                    "configuration": {"chunk_shape": [*lead, *BLOCK]},
                },
                "codecs": [
                    {
                        "name": "sharding_indexed",
                        "configuration": {
                            "chunk_shape": [*lead, *CHUNK],
                            "codecs": [
                                {"name": "bytes", "configuration": {"endian": "little"}},
                                {"name": "zstd", "configuration": {"level": 5}},
                            ],
                        },
                    }
                ],
            },
        },
        create=True,
    ).result()
    return store if several else store[ts.newaxis]


def axes(layer: Layer) -> list[str]:
    """The names of the axes of an array."""
    return list("czyx") if layer.channels > 1 else list("zyx")


def group(layer: Layer, levels: list[Scale], name: str) -> dict[str, Any]:
    """The metadata of the folder."""
    units = [
        {"name": axis, "type": "channel"}
        if axis == "c"
        else {"name": axis, "type": "space", "unit": "nanometer"}
        for axis in axes(layer)
    ]
    meaning: dict[str, Any] = {
        "version": VERSION,
        "multiscales": [
            {
                "name": name,
                "axes": units,
                "datasets": [
                    {"path": str(index), "coordinateTransformations": place(layer, scale, levels)}
                    for index, scale in enumerate(levels)
                ],
                "type": "mode" if layer.ids else "mean",
            }
        ],
    }
    if layer.ids:
        meaning["image-label"] = {"version": VERSION}
    attributes = {"ome": meaning, "provenance": layer.record}
    return {"zarr_format": 3, "node_type": "group", "attributes": attributes}


def place(layer: Layer, scale: Scale, levels: list[Scale]) -> list[dict[str, Any]]:
    """From indices of an array to nm: the size of its voxels, and the place of the first one."""
    centre = [
        start + ((a + 0.5) * total - first - 0.5) * nm
        for start, a, total, first, nm in zip(
            layer.offset, scale.first, scale.total, levels[0].first, layer.voxel_size, strict=True
        )
    ]
    lead = [(1.0, 0.0)] if layer.channels > 1 else []
    scales, starts = zip(*lead, *zip(scale.voxel_size, centre, strict=True), strict=True)
    return [
        {"type": "scale", "scale": list(scales)},
        {"type": "translation", "translation": list(starts)},
    ]
