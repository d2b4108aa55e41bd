"""Files that are made of others: each piece a box of one volume.

For other programs the file holds virtual datasets. HDF5 reads a missing piece of one as zeros
without a word, and so it does any piece once as many are open as the system allows (often 1024).
We read through :class:`Joined`, which opens one piece at a time and refuses a piece that is
missing or has changed.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from fgnet.checksum import sha256
from fgnet.errors import InputError

VOLUMES = "volumes/"  # the datasets that are pieces of a volume; others are a piece's own
LIST = "pieces"  # as JSON: the checksum and bounds of each; too long for an attribute
Bounds = Sequence[Sequence[int]]


def mark(file: h5py.File, bounds: Bounds, shape: Sequence[int]) -> None:
    """Note that a file holds the box ``bounds`` (three of (start, stop)) of a volume (z, y, x)."""
    file.attrs["bounds"] = np.array(bounds, np.int64)
    file.attrs["shape"] = np.array(shape, np.int64)


def beside(first: Path) -> list[Path]:
    """All pieces of which ``first`` is the one called 0-of-N.h5.

    A command line that named thousands would be longer than the system takes.
    """
    _, found, count = first.stem.partition("-of-")
    if not found or not count.isdecimal():
        raise InputError(f"{str(first)!r} is no first piece; name a file such as 0-of-4.h5")
    return [first.with_name(f"{k}-of-{count}{first.suffix}") for k in range(int(count))]


def join(file: h5py.File, path: Path, pieces: Sequence[Path]) -> None:
    """Fill a file, which will lie at ``path``, with virtual datasets over all pieces."""
    layouts: dict[str, h5py.VirtualLayout] = {}
    attributes: dict[str, dict[str, Any]] = {}
    known = {}
    for piece_path in pieces:
        relative = os.path.relpath(piece_path, path.parent)
        with _opened(piece_path) as piece:
            shape = tuple(int(n) for n in piece.attrs["shape"])
            bounds = [(int(a), int(b)) for a, b in piece.attrs["bounds"]]
            for name, data in _datasets(piece).items():
                channels = data.shape[:-3]
                if name not in layouts:
                    layouts[name] = h5py.VirtualLayout((*channels, *shape), data.dtype)
                    attributes[name] = dict(data.attrs)
                # the volume's first voxel is the least offset of all pieces
                first = np.minimum(attributes[name]["offset"], data.attrs["offset"])
                attributes[name]["offset"] = first
                box = (*(slice(None) for _ in channels), *(slice(a, b) for a, b in bounds))
                layouts[name][box] = h5py.VirtualSource(relative, name, data.shape, data.dtype)
        known[relative] = {"sha256": sha256(piece_path), "bounds": bounds}
    file[LIST] = json.dumps(known, sort_keys=True)
    for name, layout in layouts.items():
        made = file.create_virtual_dataset(name, layout)
        made.attrs.update(attributes[name])


def checksums(file: h5py.File) -> dict[str, str]:
    """The pieces that a file is made of, if it is, and the checksum of each."""
    if LIST not in file:
        return {}
    return {name: one["sha256"] for name, one in json.loads(file[LIST][()]).items()}


@dataclass(frozen=True)
class Joined:
    """A dataset over pieces, which is read like one of h5py.

    Attributes:
        data: the virtual dataset.
    """

    data: h5py.Dataset

    def __getattr__(self, name: str) -> Any:
        """Shape, dtype, attributes and the like are the virtual dataset's."""
        return getattr(self.data, name)

    @cached_property
    def pieces(self) -> list[tuple[Path, str, Bounds]]:
        """Where each piece lies, its checksum, and its box."""
        folder = Path(self.data.file.filename).parent
        known = json.loads(self.data.file[LIST][()])
        return [(folder / name, one["sha256"], one["bounds"]) for name, one in known.items()]

    def __getitem__(self, index: Any) -> Any:
        """The voxels at integers and slices, as a numpy array.

        Raises:
            InputError: a piece is missing or is not the one that the file was made of.
        """
        index = index if isinstance(index, tuple) else (index,)
        cut = index.index(...) if ... in index else len(index)
        rest = (slice(None),) * (self.data.ndim - len(index) + (... in index))
        index = index[:cut] + rest + index[cut + 1 :]
        wanted = []
        for one, size in zip(index, self.data.shape, strict=True):
            place = range(size)[one]
            wanted.append(place if isinstance(place, range) else range(place, place + 1))
        out = np.empty([len(one) for one in wanted], self.data.dtype)
        channels = tuple(slice(one.start, one.stop, one.step) for one in wanted[:-3])
        for path, checksum, bounds in self.pieces:
            here: list[slice] = []
            there: list[slice] = []
            for one, (start, stop) in zip(wanted[-3:], bounds, strict=True):
                first = max(-((one.start - start) // one.step), 0)
                last = min(-((one.start - stop) // one.step), len(one))
                here.append(slice(first, last))
                start = one.start + first * one.step - start
                there.append(slice(start, start + (last - first) * one.step, one.step))
            if all(cut.start < cut.stop for cut in here):
                self._check(path, checksum)
                with _opened(path) as piece:
                    part = piece[self.data.name][(*channels, *there)]
                out[(slice(None),) * len(channels) + tuple(here)] = part
        whole = tuple(slice(None) if isinstance(one, slice) else 0 for one in index)
        values: npt.NDArray[Any] = out[whole]
        return values

    def _check(self, path: Path, checksum: str) -> None:
        where = f"{self.data.file.filename}: piece {str(path)!r}"
        if not path.is_file():
            raise InputError(f"{where} is missing; make it again")
        if sha256(path) != checksum:
            raise InputError(f"{where} has changed since; join the pieces again")


def _datasets(file: h5py.File) -> dict[str, h5py.Dataset]:
    found = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and name.startswith(VOLUMES):
            found[name] = item

    file.visititems(note)
    return found


def _opened(path: Path) -> h5py.File:
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise InputError(
            f"{str(path)!r} cannot be read as HDF5, it may be truncated ({error}); make it again"
        ) from error
