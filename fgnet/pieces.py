"""Files that are made of others: virtual datasets over pieces, each a box of one volume.

HDF5 reads a missing piece as zeros without a word, so the file of them keeps the checksum of each
and :func:`check` refuses what is missing or has changed.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from fgnet.checksum import sha256
from fgnet.errors import InputError

VOLUMES = "volumes/"  # the datasets that are pieces of a volume; others are a piece's own
Bounds = Sequence[Sequence[int]]


def mark(file: h5py.File, bounds: Bounds, shape: Sequence[int]) -> None:
    """Note that a file holds the box ``bounds`` (three of (start, stop)) of a volume (z, y, x)."""
    file.attrs["bounds"] = np.array(bounds, np.int64)
    file.attrs["shape"] = np.array(shape, np.int64)


def join(file: h5py.File, path: Path, pieces: Sequence[Path]) -> None:
    """Fill a file, which will lie at ``path``, with virtual datasets over all pieces."""
    layouts: dict[str, h5py.VirtualLayout] = {}
    attributes: dict[str, dict[str, Any]] = {}
    remembered = {}
    for piece_path in pieces:
        beside = os.path.relpath(piece_path, path.parent)
        with h5py.File(piece_path, "r") as piece:
            shape = tuple(int(n) for n in piece.attrs["shape"])
            bounds = [(int(a), int(b)) for a, b in piece.attrs["bounds"]]
            for name, data in datasets(piece).items():
                channels = data.shape[:-3]
                if name not in layouts:
                    layouts[name] = h5py.VirtualLayout((*channels, *shape), data.dtype)
                    attributes[name] = dict(data.attrs)
                # the volume's first voxel is the least offset of all pieces
                first = np.minimum(attributes[name]["offset"], data.attrs["offset"])
                attributes[name]["offset"] = first
                box = (*(slice(None) for _ in channels), *(slice(a, b) for a, b in bounds))
                layouts[name][box] = h5py.VirtualSource(beside, name, data.shape, data.dtype)
        remembered[beside] = {"sha256": sha256(piece_path), "bounds": bounds}
    file.attrs["pieces"] = json.dumps(remembered, sort_keys=True)
    for name, layout in layouts.items():
        made = file.create_virtual_dataset(name, layout)
        made.attrs.update(attributes[name])


def datasets(file: h5py.File) -> dict[str, h5py.Dataset]:
    """The datasets of a file that are a piece of a volume, by name."""
    found = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and name.startswith(VOLUMES):
            found[name] = item

    file.visititems(note)
    return found


def check(file: h5py.File, box: Sequence[slice] | None = None) -> None:
    """Raise InputError when a piece of a file is missing or is not the one it was made of.

    Args:
        box: the part (z, y, x) that is read; pieces outside it are not looked at.
    """
    for name, known in json.loads(file.attrs.get("pieces", "{}")).items():
        if box is not None and any(
            cut.stop <= start or cut.start >= stop
            for cut, (start, stop) in zip(box, known["bounds"], strict=True)
        ):
            continue
        piece = Path(file.filename).parent / name
        if not piece.is_file():
            raise InputError(f"{file.filename}: its piece {str(piece)!r} is missing; make it again")
        if sha256(piece) != known["sha256"]:
            raise InputError(
                f"{file.filename}: piece {str(piece)!r} has changed since; join the pieces again"
            )
