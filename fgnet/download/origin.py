"""The layers of a volume, read from its files of any format or generated as a phantom."""

from contextlib import ExitStack

from fgnet.download.cache import Cache
from fgnet.download.layers import Layer
from fgnet.settings.phantom import Phantom
from fgnet.settings.volumes import Volume

# files and phantoms are made by other libraries, each imported where it is used


def opened(
    entry: Volume, cache: Cache, stack: ExitStack
) -> tuple[Layer, Layer | None, Layer | None]:
    """Image, labels and mask of a volume, whatever their formats; closed with the stack."""
    if entry.phantom is not None:
        return generated(entry.phantom)
    from fgnet.download.formats.open import open_layer

    assert entry.source is not None  # settings hold exactly one origin
    image = stack.enter_context(open_layer(entry.source, "image", cache))
    size = image.voxel_size or entry.voxel_size
    labels = mask = None
    if entry.labels is not None:
        labels = stack.enter_context(open_layer(entry.labels, "labels", cache, size))
    if entry.mask is not None:
        mask = stack.enter_context(open_layer(entry.mask, "mask", cache, size))
    return image, labels, mask


def generated(settings: Phantom) -> tuple[Layer, Layer, None]:
    """The layers of a phantom."""
    from fgnet.phantom import phantom

    raw, labels = phantom(settings)
    shape, size = settings.shape, settings.voxel_size
    return (
        Layer("phantom", shape, raw.dtype, lambda box: raw[box], size),
        Layer("phantom labels", shape, labels.dtype, lambda box: labels[box], size),
        None,
    )
