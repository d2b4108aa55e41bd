"""Opening a layer that lies in an HDF5 file, or in the arrays of another container."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from fgnet import volume
from fgnet.download.layers import CREMI, Layer, Role, Slices, guessed, oriented
from fgnet.errors import InputError
from fgnet.settings.sources import Labels, Source
from fgnet.volume import Array, Triple


@contextmanager
def open_hdf5(path: Path, source: Source, role: Role) -> Iterator[Layer]:
    """Open one dataset of a file.

    Voxel size and offset are taken from the attributes ``resolution`` and ``offset`` (nm, as
    CREMI has them) or ``element_size_um``.

    Raises:
        InputError: the file is no HDF5, or it has no dataset of that name, or several and none
            has the name that CREMI gives this layer.
    """
    with volume.opened(path) as file:
        name = source.dataset or default(volume.names(file), role, str(path))
        if name not in file or not isinstance(file[name], h5py.Dataset):
            raise InputError(
                f"{path}: {name}: no such dataset; the file holds "
                f"{', '.join(volume.names(file)) or 'none'}: name one with `dataset`"
            )
        data = file[name]
        where = f"{path}: {name}"
        axes = source.axes or guessed(data.shape, where)
        layer = oriented(where, data.shape, data.dtype, axes, lambda box: data[box])
        table = source.mapping if isinstance(source, Labels) else None
        if table is not None:
            layer = mapped(layer, volume.dataset(file, table, "rc", "iu"))
        yield recorded(layer, data.attrs)


def default(names: Sequence[str], role: Role, where: str) -> str:
    """The array that is meant where the config names none."""
    if CREMI[role] in names:
        return CREMI[role]
    if len(names) == 1:
        return names[0]
    raise InputError(
        f"{where} holds {', '.join(names) or 'no array'}; say with `dataset` which is the {role}"
    )


def recorded(layer: Layer, attributes: Mapping[str, Any]) -> Layer:
    """The layer with the voxel size and offset that its attributes record."""
    size = triple(attributes, "resolution", layer.name)
    if size is None:
        micrometres = triple(attributes, "element_size_um", layer.name)
        size = None if micrometres is None else scaled(micrometres, 1000.0)
    return replace(layer, voxel_size=size, offset=triple(attributes, "offset", layer.name))


def triple(attributes: Mapping[str, Any], key: str, name: str) -> Triple | None:
    """Three numbers of an attribute, or None where there is no such attribute."""
    if key not in attributes:
        return None
    values = np.ravel(attributes[key])
    if len(values) != 3 or values.dtype.kind not in "uif" or not np.isfinite(values).all():
        raise InputError(
            f"{name}: its attribute {key!r} is {attributes[key]!r}, needs three numbers along "
            "z, y, x; correct it"
        )
    z, y, x = (float(value) for value in values)
    return z, y, x


def scaled(values: Triple, factor: float) -> Triple:
    """Three numbers times a factor, without the noise of the product's last digits."""
    z, y, x = (round(value * factor, 6) for value in values)
    return z, y, x


def mapped(layer: Layer, data: h5py.Dataset) -> Layer:
    """The labels of a layer with the ids that a table gives them: id as stored, id of the body."""
    stored, body = mapping(data)
    small = layer.dtype.itemsize <= 4 and body.max(initial=0) < 2**32
    dtype = np.dtype(np.uint32 if small else np.uint64)

    def read(box: Slices) -> Array:
        block = layer.read(box)
        ids, inverse = np.unique(block, return_inverse=True)
        bodies = ids.astype(np.uint64)
        place = np.searchsorted(stored, bodies).clip(max=max(len(stored) - 1, 0))
        if len(stored):
            bodies = np.where(stored[place] == bodies, body[place], bodies)
        return bodies.astype(dtype)[inverse].reshape(block.shape)

    return replace(layer, dtype=dtype, read=read)


def mapping(data: h5py.Dataset) -> tuple[Array, Array]:
    """Stored ids, sorted, and the body of each, from a table of two columns or two rows."""
    table = data[()]
    if 2 not in table.shape:
        raise InputError(
            f"{data.file.filename}: {data.name}: has the shape {table.shape}; "
            "a table of labels has two columns of whole numbers, stored id and body"
        )
    stored, body = (table.T if table.shape[1] == 2 else table).astype(np.uint64)
    order = np.argsort(stored, kind="stable")
    return stored[order], body[order]
