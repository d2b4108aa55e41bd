"""A layer as HDF5 in the layout of CREMI, in which its evaluation takes segmentations."""

import json
from pathlib import Path

import numpy as np

from fgnet import volume
from fgnet.affinities import NEAREST
from fgnet.export.source import Layer
from fgnet.settings.export import Folder

# of the layout, as CREMI's own scripts (github.com/cremi/cremi_python) write it
VERSION = "0.2"
DATASET = {
    "image": volume.RAW,
    "labels": volume.LABELS,
    "affinities": volume.AFFINITIES,
    "segmentation": volume.LABELS,
}


def write(layer: Layer, output: Path, settings: Folder) -> None:
    """Write the layer as a file; ids become uint64, which CREMI wants."""
    shape = layer.shape if layer.channels == 1 else (layer.channels, *layer.shape)
    dtype = np.uint64 if layer.ids else layer.dtype
    with volume.create(output, "export", {"layer": layer.name}, []) as file:
        file.attrs["file_format"] = VERSION
        file.attrs["provenance"] = json.dumps(layer.record, sort_keys=True)
        data = volume.add(file, DATASET[layer.name], shape, dtype, layer.voxel_size, layer.offset)
        if layer.name == "affinities":
            data.attrs["offsets"] = np.array(NEAREST)
        for box, block in layer.blocks(f"write {output.name}"):
            data[(..., *box)] = block if layer.channels > 1 else block[0]
