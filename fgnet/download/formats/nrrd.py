"""Opening an NRRD file, with pynrrd."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import nrrd
import numpy as np

from fgnet.download.formats.units import NANOMETRES
from fgnet.download.layers import Layer, guessed, oriented
from fgnet.errors import InputError
from fgnet.settings.sources import Source
from fgnet.volume import Triple


@contextmanager
def open_nrrd(path: Path, source: Source) -> Iterator[Layer]:
    """Open an NRRD; one that is compressed is read into memory, the format has no chunks.

    Voxel size and offset are taken from the header where it names a unit of length.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = nrrd.read_header(str(path))
            data = mapped(path, header)
            if data is None:
                data, header = nrrd.read(str(path), index_order="F")
    except (nrrd.NRRDError, OSError, ValueError, EOFError) as error:
        raise InputError(f"{str(path)!r} cannot be read as NRRD ({error}); get it anew") from error
    # NRRD counts the fastest axis first
    axes = source.axes or guessed(data.shape, str(path), "xyz")
    layer = oriented(str(path), data.shape, data.dtype, axes, lambda box: data[box])
    size, offset = metadata(header)
    order = [axes.replace("c", "").index(letter) for letter in "zyx"] if len(axes) == 3 else None
    yield (
        layer
        if order is None
        else replace(layer, voxel_size=turned(size, order), offset=turned(offset, order))
    )


def mapped(path: Path, header: dict[str, Any]) -> np.ndarray[Any, Any] | None:
    """The values as they lie in the file, or None where they are compressed or elsewhere."""
    if header.get("encoding") != "raw" or "data file" in header or "datafile" in header:
        return None
    if header.get("line skip") or header.get("byte skip"):
        return None
    dtype = np.dtype(nrrd.reader._determine_datatype(header))
    shape = tuple(int(size) for size in header["sizes"])
    length = int(np.prod(shape)) * dtype.itemsize
    with path.open("rb") as stream:
        text = stream.read(1 << 16)
    start = text.index(b"\n\n") + 2 if b"\n\n" in text else text.index(b"\r\n\r\n") + 4
    if path.stat().st_size < start + length:
        raise ValueError(f"{path.stat().st_size - start} of {length} bytes of values")
    return np.memmap(path, dtype, "r", start, shape, order="F")


def metadata(header: dict[str, Any]) -> tuple[Triple | None, Triple | None]:
    """Voxel size and offset in nm in the order of the file's axes."""
    units = header.get("space units") or header.get("units") or []
    factors = [NANOMETRES.get(str(unit)) for unit in units]
    if len(factors) != 3 or any(factor is None for factor in factors):
        return None, None
    if (directions := header.get("space directions")) is not None:
        lengths = np.linalg.norm(np.asarray(directions, float), axis=1)
    elif (spacings := header.get("spacings")) is not None:
        lengths = np.asarray(spacings, float)
    else:
        return None, None
    if lengths.shape != (3,) or not np.isfinite(lengths).all():
        return None, None
    origin = header.get("space origin")
    scale = np.array(factors, float)
    return _triple(lengths * scale), None if origin is None else _triple(origin * scale)


def _triple(values: Any) -> Triple:
    one, two, three = (round(float(value), 6) for value in values)
    return one, two, three


def turned(values: Triple | None, order: list[int]) -> Triple | None:
    """Three numbers in the order z, y, x."""
    if values is None:
        return None
    z, y, x = (values[place] for place in order)
    return z, y, x
