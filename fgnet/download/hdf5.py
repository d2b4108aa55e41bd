"""Opening a volume that lies in HDF5 files."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import h5py

from fgnet import volume
from fgnet.download.cache import Cache
from fgnet.download.layers import Layer, Layers, Shape, part
from fgnet.errors import InputError
from fgnet.settings.volumes import Hdf5Source
from fgnet.volume import Triple


@contextmanager
def open_hdf5(source: Hdf5Source, cache: Cache, size: Triple | None) -> Iterator[Layers]:
    """Fetch and open the file or files of a volume.

    Where labels cover a part of the image and say by their ``offset`` which, the volume is
    that part.

    Args:
        size: voxel size in nm for a file that records none.

    Raises:
        InputError: a file or dataset is missing or of the wrong axes or dtype, or labels and
            raw do not fit together.
    """
    with ExitStack() as stack:
        path = cache.local(source.file, source.sha256, source.member)
        file = stack.enter_context(opened(path, cache))
        files = [path]
        raw = volume.dataset(file, source.raw, "zyx", "uif")
        recorded = volume.voxel_size(raw) if "resolution" in raw.attrs else None
        if source.labels is None:
            yield Layers(_layer(raw), None, recorded, volume.offset(raw), files=tuple(files))
            return
        if source.labels_file is not None:
            path = cache.local(source.labels_file, source.labels_sha256, source.labels_member)
            file = stack.enter_context(opened(path, cache))
            files.append(path)
        if source.labels not in file:
            raise InputError(
                f"{file.filename}: {source.labels}: no such dataset; the file holds "
                f"{', '.join(volume.names(file))}; name one, or set labels: null for a volume "
                "without labels"
            )
        labels = volume.dataset(file, source.labels, "zyx", "ui")
        start = labelled_part(raw, labels, recorded or size)
        offset = volume.offset(labels if "offset" in labels.attrs else raw)
        yield Layers(
            part(_layer(raw), start, labels.shape),
            _layer(labels),
            recorded,
            offset,
            files=tuple(files),
        )


@contextmanager
def opened(path: Path, cache: Cache) -> Iterator[h5py.File]:
    """Open an HDF5 file; a fetched one that is none (an error page, say) is not kept."""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(volume.opened(path))
        except InputError:
            cache.forget(path)
            raise
        yield file


def labelled_part(raw: h5py.Dataset, labels: h5py.Dataset, size: Triple | None) -> Shape:
    """Voxel of the image at which labels begin, from the offsets; InputError if they do not fit."""
    where = f"{labels.file.filename}: {labels.name} has the shape {labels.shape}, {raw.name}"
    if "offset" not in labels.attrs or size is None:
        if raw.shape != labels.shape:
            raise InputError(
                f"{where} has {raw.shape}; they must agree, or the labels carry an attribute "
                "'offset' (nm) that says where they lie in an image of known voxel size"
            )
        return 0, 0, 0
    steps = [
        (inner - outer) / nm
        for inner, outer, nm in zip(volume.offset(labels), volume.offset(raw), size, strict=True)
    ]
    z, y, x = (round(step) for step in steps)
    inside = all(
        low >= 0 and low + short <= long
        for low, short, long in zip((z, y, x), labels.shape, raw.shape, strict=True)
    )
    if not inside or any(abs(step - round(step)) > 0.05 for step in steps):
        raise InputError(
            f"{where} has {raw.shape}, and by their offsets the labels begin at voxel "
            f"{tuple(round(step, 2) for step in steps)} of it; correct the attribute 'offset' (nm)"
        )
    return z, y, x


def _layer(data: h5py.Dataset) -> Layer:
    return Layer(
        f"{data.file.filename}: {data.name}", data.shape, data.dtype, lambda box: data[box]
    )
