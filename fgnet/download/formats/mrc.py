"""Opening an MRC file, with mrcfile."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np

from fgnet.download.layers import Layer, guessed, oriented
from fgnet.errors import Damaged
from fgnet.settings.sources import Source
from fgnet.volume import Triple

AXES = {1: "x", 2: "y", 3: "z"}
IMOD = 1146047817  # "IMOD" in the header: its own flags follow
SIGNED = 1


@contextmanager
def open_mrc(path: Path, source: Source) -> Iterator[Layer]:
    """Open an MRC file as it lies on disk; its Ångström become nm.

    Axes are those of the header, and bytes have no sign where IMOD wrote them so
    (bio3d.colorado.edu/imod/doc/mrc_format.txt).
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            file = mrcfile.mmap(path, "r")
            size, origin = (_nm(values) for values in (file.voxel_size, file.header.origin))
    except (ValueError, OSError) as error:
        raise Damaged(f"{str(path)!r} cannot be read as MRC ({error}); get it anew") from error
    with file:
        data, header = file.data, file.header
        if data.dtype == np.int8 and unsigned_bytes(header):
            data = data.view(np.uint8)
        order = "".join(AXES.get(int(header[key]), "?") for key in ("maps", "mapr", "mapc"))
        known = data.ndim == 3 and {*order} == {*"zyx"}
        axes = source.axes or (order if known else guessed(data.shape, str(path)))
        layer = oriented(str(path), data.shape, data.dtype, axes, lambda box: data[box])
        # 1 Å is what programs write that know no size, and no voxel of EM has it
        recorded = all(0 < nm < np.inf for nm in size) and size != (0.1, 0.1, 0.1)
        yield replace(layer, voxel_size=size if recorded else None,
                      offset=origin if any(origin) else None)  # fmt: skip


def unsigned_bytes(header: Any) -> bool:
    """Whether a header says that the values of mode 0 have no sign."""
    words = np.frombuffer(header.tobytes()[152:160], header["mode"].dtype)
    return bool(words[0] == IMOD and not words[1] & SIGNED)


def _nm(angstrom: object) -> Triple:
    z, y, x = (round(float(getattr(angstrom, axis)) / 10, 6) for axis in "zyx")
    return z, y, x
