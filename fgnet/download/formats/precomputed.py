"""Opening a Neuroglancer precomputed layer, which cloud-volume reads."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fgnet.download.formats.pyramids import chosen
from fgnet.download.layers import Layer, Shape, oriented
from fgnet.errors import InputError
from fgnet.settings.sources import Source
from fgnet.volume import Array, Triple

# compressed chunks kept, because boxes do not follow the layer's own chunks
KEPT_BYTES = 1 << 28


@contextmanager
def open_precomputed(source: Source, size: Triple | None) -> Iterator[Layer]:
    """Open a layer at one of its scales.

    Args:
        size: the image's voxel size in nm, by which the scale of another layer is chosen where
            `mip` is null.

    Raises:
        InputError: there is no layer or no such scale, or it has several channels.
    """
    layer = _open(source, 0)
    sizes = [_zyx(layer.mip_resolution(mip)) for mip in layer.available_mips]
    layer = _open(source, chosen(list(sizes), source, size))
    own, first = _zyx(layer.resolution), _shape(layer.voxel_offset)
    offset = (first[0] * own[0], first[1] * own[1], first[2] * own[2])
    shape = [int(length) for length in layer.shape]
    opened = oriented(source.path, shape, layer.dtype, "xyzc", _reader(layer, source.path, first))
    info = Path(source.path.removeprefix("file://")) / "info"
    yield replace(
        opened,
        voxel_size=own,
        offset=offset,
        first=first,
        files=(info,) if _local(source.path) else (),
        remote=None if _local(source.path) else f"{source.path}#mip={layer.mip}",
        chunks=_shape(layer.chunk_size),
    )


def _local(path: str) -> bool:
    return "://" not in path or path.startswith("file://")


def _open(source: Source, mip: int) -> Any:
    from cloudvolume import CloudVolume, exceptions

    path = source.path
    try:
        return CloudVolume(
            path if "://" in path else f"file://{Path(path).absolute()}",
            mip=mip,
            progress=False,
            use_https=source.public and path.startswith(("gs://", "s3://")),
            lru_bytes=KEPT_BYTES,
        )
    except exceptions.InfoUnavailableError as error:
        raise InputError(
            f"{path!r} has no info file, so it is no precomputed layer; check the path"
        ) from error
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(
            f"{path!r} has an info file that is none of a precomputed layer ({error}); mend it"
        ) from error


def _zyx(values: Any) -> Triple:
    x, y, z = (float(value) for value in values)
    return z, y, x


def _shape(values: Any) -> Shape:
    x, y, z = (int(value) for value in values)
    return z, y, x


def _reader(layer: Any, name: str, first: Shape) -> Any:
    from cloudvolume import exceptions

    def read(box: tuple[slice, ...]) -> Array:
        cut = tuple(
            slice(part.start + low, part.stop + low)
            for part, low in zip(box, reversed(first), strict=False)
        )
        try:
            return np.asarray(layer[cut])
        except exceptions.EmptyVolumeException as error:
            packed = (
                ", or, where they lie there as *.gz, let the server send them by their plain names"
                if name.startswith("http")
                else ""
            )
            raise InputError(
                f"{name!r} lacks chunks in the part that is read ({error}); move the crop{packed}"
            ) from error
        except (ImportError, NotImplementedError) as error:
            raise InputError(
                f"{name!r} has chunks that cannot be unpacked here ({error}); install what does, "
                "or take a copy of the layer in another encoding"
            ) from error
        except Exception as error:  # whatever the decoders of its many encodings raise
            if not _local(name):
                raise  # the network may be at fault, and another try may help
            raise InputError(f"{name!r}: a chunk cannot be read ({error}); get it anew") from error

    return read
