"""Opening an MRC file, with mrcfile."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import mrcfile

from fgnet.download.layers import Layer, guessed, oriented
from fgnet.errors import InputError
from fgnet.settings.sources import Source
from fgnet.volume import Triple


@contextmanager
def open_mrc(path: Path, source: Source) -> Iterator[Layer]:
    """Open an MRC file as it lies on disk; its Ångström become nm."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            file = mrcfile.mmap(path, "r")
    except (ValueError, OSError) as error:
        raise InputError(f"{str(path)!r} cannot be read as MRC ({error}); get it anew") from error
    with file:
        data = file.data
        axes = source.axes or guessed(data.shape, str(path))
        layer = oriented(str(path), data.shape, data.dtype, axes, lambda box: data[box])
        size, origin = (_nm(values) for values in (file.voxel_size, file.header.origin))
        # a file that records none of them holds zeros
        yield replace(layer, voxel_size=size if all(size) else None,
                      offset=origin if any(origin) else None)  # fmt: skip


def _nm(angstrom: object) -> Triple:
    z, y, x = (round(float(getattr(angstrom, axis)) / 10, 6) for axis in "zyx")
    return z, y, x
