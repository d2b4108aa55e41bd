"""The segments of a layer: how large each is, and the list of them that Neuroglancer shows."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fgnet.volume import Array

FOLDER = "segment_properties"
SURFACES = "mesh"
VOXELS = "voxels"


class Sizes:
    """Voxels of every segment, counted block by block; 0 is no segment."""

    def __init__(self) -> None:
        self.voxels: dict[int, int] = {}

    def add(self, block: Array) -> None:
        """Count a block of ids."""
        for name, count in zip(*np.unique(block, return_counts=True), strict=True):
            self.voxels[int(name)] = self.voxels.get(int(name), 0) + int(count)

    def at_least(self, voxels: int) -> dict[int, int]:
        """The segments of so many voxels or more, and their voxels, the largest first."""
        large = [(-n, name) for name, n in self.voxels.items() if name and n >= voxels]
        return {name: -n for n, name in sorted(large)}


def write_properties(layer: Any, folder: Path, large: Mapping[int, int]) -> None:
    """Name the list in the layer's info and write it: each segment with its voxels."""
    content = {
        "@type": "neuroglancer_segment_properties",
        "inline": {
            "ids": [str(name) for name in large],
            "properties": [
                {
                    "id": VOXELS,
                    "type": "number",
                    "data_type": "uint32" if max(large.values(), default=0) < 2**32 else "float32",
                    "description": "Voxels at the finest scale",
                    "values": list(large.values()),
                }
            ],
        },
    }
    (folder / FOLDER).mkdir()
    (folder / FOLDER / "info").write_text(json.dumps(content), encoding="utf-8")
    layer.info[FOLDER] = FOLDER
    layer.commit_info()


def largest(folder: Path, count: int) -> list[str]:
    """Ids of the largest segments of a layer that was written here."""
    info = json.loads((folder / FOLDER / "info").read_text(encoding="utf-8"))
    ids: list[str] = info["inline"]["ids"]
    return ids[:count]
