"""What is exported: one layer of a volume, read box by box whatever file it comes from."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from fgnet import affinities, scores, segmentation, volume
from fgnet.blocks import tiles
from fgnet.export import provenance
from fgnet.progress import track
from fgnet.settings.base import Box
from fgnet.settings.export import IDS, LayerName
from fgnet.volume import Array, Triple

# voxels (z, y, x) held at a time: whole chunks of every format that has chunks
BLOCK = (64, 512, 512)
Shape = tuple[int, int, int]
Slices = tuple[slice, ...]


@dataclass(frozen=True)
class Layer:
    """A layer to be exported.

    Attributes:
        name: what it is.
        shape: (z, y, x).
        dtype: uint8 for the image and affinities (affinity times 255), uint32 or uint64 for ids.
        channels: 1, or 3 for affinities to the nearest voxel along z, y, x.
        voxel_size, offset: nm along z, y, x; the offset is that of the first voxel.
        read: a box of it, as (channels, z, y, x).
        record: where it comes from, see :mod:`fgnet.export.provenance`.
    """

    name: LayerName
    shape: Shape
    dtype: np.dtype[Any]
    channels: int
    voxel_size: Triple
    offset: Triple
    read: Callable[[Slices], Array]
    record: dict[str, Any]

    @property
    def ids(self) -> bool:
        """Whether the values are ids of segments, which must not be averaged."""
        return self.name in IDS

    def blocks(self, what: str) -> Iterator[tuple[Slices, Array]]:
        """The whole layer in blocks: where each lies, and its values (channels, z, y, x)."""
        for box in track(tiles(self.shape, BLOCK), what):
            yield box, self.read(box)


@contextmanager
def opened(
    name: LayerName, input: Path, box: Box, threshold: Path | None, settings: Any
) -> Iterator[Layer]:
    """Open a layer.

    Args:
        input: HDF5 file: a normalised volume, affinities, or a segmentation.
        box: the part of a normalised volume that is exported; the others are that part.
        threshold: the choice of the evaluate stage, which a segmentation needs.
        settings: of the export, for the record.

    Raises:
        InputError: a file is missing or broken, holds no such layer, or the box leaves it.
    """
    with volume.opened(input) as file:
        data = _dataset(name, file)
        cut = box.slices(data.shape, str(input)) if name in ("image", "labels") else None
        size, offset = volume.voxel_size(data), volume.offset(data)
        shape = data.shape[-3:]
        if cut is not None:
            shape = tuple(part.stop - part.start for part in cut)
            starts = [
                first + part.start * nm for first, part, nm in zip(offset, cut, size, strict=True)
            ]
            offset = (starts[0], starts[1], starts[2])
        read, dtype, inputs = _whole(data), data.dtype, [input]
        parameters = {"layer": name, "settings": settings}
        if name == "affinities":
            read, dtype = _nearest(data), np.dtype(np.uint8)
        elif name == "segmentation":
            assert threshold is not None, "the rules see to it"
            value = scores.read(threshold, scores.Choice).threshold
            parameters["threshold"] = value
            inputs.append(threshold)
            read, dtype = _merged(data, value), np.dtype(np.uint32)
        elif name == "labels":
            dtype = np.dtype(np.uint32 if dtype.itemsize <= 4 else np.uint64)
        yield Layer(
            name, shape, dtype, 3 if name == "affinities" else 1, size, offset,
            _shifted(read, cut, dtype), provenance.record(name, inputs, parameters),
        )  # fmt: skip


def _dataset(name: LayerName, file: h5py.File) -> h5py.Dataset:
    path, axes, kind = {
        "image": (volume.RAW, "zyx", "u"),
        "labels": (volume.LABELS, "zyx", "u"),
        "affinities": (volume.AFFINITIES, "czyx", "uf"),
        "segmentation": (volume.FRAGMENTS, "zyx", "u"),
    }[name]
    return volume.dataset(file, path, axes, kind)


def _whole(data: h5py.Dataset) -> Callable[[Slices], Array]:
    return lambda box: np.asarray(data[box])[None]


def _nearest(data: h5py.Dataset) -> Callable[[Slices], Array]:
    """Three channels of affinities as bytes, which is how viewers take colours."""
    channels = affinities.nearest_channels(data.attrs["offsets"])

    def read(box: Slices) -> Array:
        values = np.stack([data[(channel, *box)] for channel in channels])
        if data.dtype == np.uint8:
            return values
        scaled: Array = np.rint(values.astype(np.float32).clip(0, 1) * 255).astype(np.uint8)
        return scaled

    return read


def _merged(data: h5py.Dataset, threshold: float) -> Callable[[Slices], Array]:
    """Segments: the fragments through the table of what they are at the threshold."""
    ids = segmentation.fragments(data.file)
    table = segmentation.table(data.file, threshold)
    return lambda box: np.asarray(table[segmentation.numbered(data[box], ids)])[None]


def _shifted(
    read: Callable[[Slices], Array], cut: Slices | None, dtype: npt.DTypeLike
) -> Callable[[Slices], Array]:
    def part(box: Slices) -> Array:
        if cut is not None:
            box = tuple(
                slice(inner.start + outer.start, inner.stop + outer.start)
                for inner, outer in zip(box, cut, strict=True)
            )
        return read(box).astype(dtype, copy=False)

    return part
