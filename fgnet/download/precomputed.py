"""Opening a volume that lies as precomputed layers, which cloud-volume reads."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fgnet.download.layers import Layer, Layers, Shape, Slices
from fgnet.errors import InputError
from fgnet.settings.base import Box
from fgnet.settings.volumes import PrecomputedSource
from fgnet.volume import Array, Triple

# compressed chunks kept, because boxes do not follow the layer's own chunks
KEPT_BYTES = 1 << 28


@contextmanager
def open_precomputed(source: PrecomputedSource, crop: Box) -> Iterator[Layers]:
    """Open an image layer at a scale and the segmentation layer at the same voxel size.

    A crop is given in the layer's own coordinates at that scale, as viewers show them.

    Raises:
        InputError: a layer or scale is missing, has several channels, or the labels do not
            cover the crop.
    """
    image = _open(source.precomputed, source.mip, source.public)
    size, first = _zyx(image.resolution), _first(image)
    raw = _layer(image, source.precomputed)
    labels = None
    if source.labels is not None:
        segmentation = _at_size(source.labels, size, source.public)
        origin = _first(segmentation)
        wanted = crop.slices(raw.shape, f"{source.precomputed}: crop", first)
        region = Box.checked(
            {
                axis: (cut.start + low, cut.stop + low)
                for axis, cut, low in zip("zyx", wanted, first, strict=True)
            }
        )
        whole = _layer(segmentation, source.labels)
        if np.dtype(whole.dtype).kind not in "ui":
            raise InputError(
                f"{source.labels!r} holds {whole.dtype}, labels are whole numbers; "
                "choose a segmentation layer"
            )
        region.slices(whole.shape, f"{source.labels}: crop", origin)
        labels = _shifted(whole, raw.shape, first, origin)
    offset = tuple(low * nm for low, nm in zip(first, size, strict=True))
    yield Layers(raw, labels, size, (offset[0], offset[1], offset[2]), first)


def _open(place: str, mip: int, public: bool) -> Any:
    from cloudvolume import CloudVolume, exceptions

    try:
        layer = CloudVolume(
            place if "://" in place else f"file://{Path(place).resolve()}",
            mip=mip,
            progress=False,
            use_https=public and place.startswith(("gs://", "s3://")),
            lru_bytes=KEPT_BYTES,
        )
    except exceptions.InfoUnavailableError as error:
        raise InputError(
            f"{place!r} has no info file, so it is no precomputed layer; check the path"
        ) from error
    except exceptions.ScaleUnavailableError as error:
        raise InputError(f"{place!r} has no scale {mip}; choose a smaller mip") from error
    if layer.num_channels != 1:
        raise InputError(f"{place!r} has {layer.num_channels} channels, needs 1; choose another")
    return layer


def _at_size(place: str, size: Triple, public: bool) -> Any:
    """The layer at the scale of this voxel size."""
    layer = _open(place, 0, public)
    sizes = [_zyx(layer.mip_resolution(mip)) for mip in layer.available_mips]
    for mip, own in enumerate(sizes):
        if np.allclose(own, size, rtol=1e-2):
            return _open(place, mip, public)
    raise InputError(
        f"{place!r} has no scale of the image's voxel size {size} nm (z, y, x), only "
        f"{', '.join(map(str, sizes))}; choose another mip for the image"
    )


def _zyx(values: Any) -> Triple:
    x, y, z = (float(value) for value in values)
    return z, y, x


def _first(layer: Any) -> Shape:
    x, y, z = (int(value) for value in layer.voxel_offset)
    return z, y, x


def _layer(layer: Any, name: str) -> Layer:
    from cloudvolume import exceptions

    x, y, z = (int(size) for size in layer.shape[:3])
    first = _first(layer)

    def read(box: Slices) -> Array:
        cut = tuple(
            slice(part.start + low, part.stop + low)
            for part, low in zip(reversed(box), reversed(first), strict=True)
        )
        try:
            block = np.asarray(layer[cut])
        except exceptions.EmptyVolumeException as error:
            raise InputError(f"{name!r} lacks chunks in the crop ({error}); move it") from error
        return block[..., 0].T

    return Layer(name, (z, y, x), layer.dtype, read)


def _shifted(layer: Layer, shape: Shape, first: Shape, origin: Shape) -> Layer:
    """A layer read with the box of another that begins elsewhere."""

    def read(box: Slices) -> Array:
        z, y, x = (
            slice(part.start + ours - theirs, part.stop + ours - theirs)
            for part, ours, theirs in zip(box, first, origin, strict=True)
        )
        return layer.read((z, y, x))

    return Layer(layer.name, shape, layer.dtype, read)
