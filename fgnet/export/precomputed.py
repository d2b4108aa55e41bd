"""A layer in Neuroglancer's precomputed format, written by cloud-volume.

Chunks are not compressed as files: cloud-volume would name them ``*.gz``, which other readers
take for missing chunks. Ids are encoded as compressed_segmentation, which is small by itself.
"""

from pathlib import Path
from typing import Any

import numpy as np
import tensorstore as ts
from cloudvolume import CloudVolume

from fgnet.errors import InputError
from fgnet.export import mesh, pyramid, segments
from fgnet.export.pyramid import Scale
from fgnet.export.source import Layer, Shape, Slices
from fgnet.settings.export import Folder
from fgnet.volume import Array
from fgnet.whole import whole_folder_or_nothing

CHUNK = [64, 64, 64]


def write(layer: Layer, output: Path, settings: Folder) -> None:
    """Write the layer as a folder, with surfaces where the settings want them.

    Raises:
        InputError: the layer's offset is no whole number of voxels.
    """
    levels = pyramid.scales(layer, first_voxel(layer), settings.mips)
    with whole_folder_or_nothing(output) as folder:
        layers = _create(layer, levels, folder)

        def put(index: int, box: Slices, block: Array) -> None:
            place = tuple(
                slice(part.start + a, part.stop + a)
                for part, a in zip(box, levels[index].first, strict=True)
            )
            layers[index][place[::-1]] = block.T  # x, y, z, channels

        sizes = segments.Sizes()
        count = sizes.add if layer.ids else lambda block: None
        pyramid.fill(layer, levels, lambda index: opened(folder, index), put, count)
        if layer.ids:
            large = sizes.at_least(settings.min_voxels)
            segments.write_properties(layers[0], folder, large)
            if settings.meshes:
                mip, share = settings.mesh_mip, settings.mesh_faces
                ids = opened(folder, mip)
                mesh.write(layers[0], ids, levels[mip], folder, large, share)


def first_voxel(layer: Layer) -> Shape:
    """The absolute coordinate (z, y, x) of the layer's first voxel."""
    exact = [start / nm for start, nm in zip(layer.offset, layer.voxel_size, strict=True)]
    if not np.allclose(exact, np.round(exact), rtol=0, atol=1e-3):
        raise InputError(
            f"precomputed: the offset {layer.offset} nm (z, y, x) is no whole number of voxels of "
            f"{layer.voxel_size} nm, which this format needs; take ome_zarr, hdf5 or tiff instead"
        )
    z, y, x = (round(value) for value in exact)
    return z, y, x


def opened(folder: Path, index: int) -> Any:
    """A scale (channels, z, y, x) at absolute coordinates, for reading."""
    store = ts.open(
        {
            "driver": "neuroglancer_precomputed",
            "kvstore": {"driver": "file", "path": f"{folder.resolve()}/"},
            "scale_index": index,
        },
        read=True,
    ).result()
    return store.T


def _create(layer: Layer, levels: list[Scale], folder: Path) -> list[Any]:
    """The info and provenance files, and every scale ready to be written."""
    info = CloudVolume.create_new_info(
        num_channels=layer.channels,
        layer_type="segmentation" if layer.ids else "image",
        data_type=str(layer.dtype),
        encoding="compressed_segmentation" if layer.ids else "raw",
        resolution=[int(nm) if nm == int(nm) else nm for nm in levels[0].voxel_size[::-1]],
        voxel_offset=list(levels[0].first[::-1]),
        volume_size=list(levels[0].shape[::-1]),
        chunk_size=CHUNK,
    )
    place = f"file://{folder.resolve()}"
    base = CloudVolume(place, info=info, provenance=layer.record, compress=False, progress=False)
    for scale in levels[1:]:
        base.add_scale(list(scale.total[::-1]), chunk_size=CHUNK)
        # add_scale does not count the coarse voxels that an odd offset cuts
        base.info["scales"][-1]["voxel_offset"] = list(scale.first[::-1])
        base.info["scales"][-1]["size"] = list(scale.shape[::-1])
    base.commit_info()
    base.commit_provenance()
    return [
        CloudVolume(place, mip=mip, compress=False, progress=False) for mip in range(len(levels))
    ]
