"""Opening a volume that lies as a series of images, with labels in an HDF5 file."""

import functools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import h5py
import numpy as np
from PIL import Image

from fgnet import volume
from fgnet.download.cache import Cache
from fgnet.download.hdf5 import opened
from fgnet.download.layers import Layer, Layers, Shape, Slices
from fgnet.errors import InputError
from fgnet.progress import track
from fgnet.settings.base import Box
from fgnet.settings.volumes import RANGE, ImagesSource
from fgnet.volume import Array

# a section of EM is larger than what Pillow takes for an attack
Image.MAX_IMAGE_PIXELS = None
DTYPES = {"L": np.uint8, "I;16": np.uint16, "I;16B": np.uint16, "I": np.int32, "F": np.float32}


@contextmanager
def open_images(source: ImagesSource, cache: Cache, crop: Box) -> Iterator[Layers]:
    """Fetch and open the sections that the crop needs, and the labels.

    Raises:
        InputError: a file is missing, not in the list of checksums or different from it, a
            section is no greyscale image or of another size, or labels and sections differ.
    """
    with ExitStack() as stack:
        sums = checksums(cache.local(source.checksums)) if source.checksums else None
        places = sections(source.images)
        labels, files = None, []
        if source.labels is not None:
            files.append(cache.local(source.labels, _sum_of(source.labels, sums)))
            file = stack.enter_context(opened(files[0], cache))
            labels = volume.dataset(file, source.labels_dataset, "zyx", "ui")
            if labels.shape[0] != len(places):
                raise InputError(
                    f"{labels.file.filename}: {labels.name} has {labels.shape[0]} sections and "
                    f"{source.images!r} {len(places)}; correct the range in the pattern"
                )
        span = Box.checked({"z": crop.z}).slices((len(places), 1, 1), "crop")[0]
        with ThreadPoolExecutor(cache.settings.connections) as pool:
            wanted = places[span]
            found = pool.map(lambda place: cache.local(place, _sum_of(place, sums)), wanted)
            paths = list(track(found, f"fetch {source.images}", total=len(wanted)))
        dtype, height, width = _one_kind(paths)
        raw = _stack(paths, source.images, span.start, (len(places), height, width), dtype)
        if labels is not None and labels.shape != raw.shape:
            raise InputError(
                f"{labels.file.filename}: {labels.name} has the shape {labels.shape}, the images "
                f"{source.images!r} have {raw.shape}; they must agree"
            )
        table = source.labels_mapping
        yield Layers(
            raw, None if labels is None else _labels(labels, table), files=(*files, *paths)
        )


def sections(pattern: str) -> list[str]:
    """The addresses of a pattern with one range, such as ``iso.{2600..2849}.png``."""
    match = RANGE.search(pattern)
    assert match is not None  # settings hold no other pattern
    first, last = match.groups()
    width = len(first) if first.startswith("0") else 0
    return [
        f"{pattern[: match.start()]}{number:0{width}d}{pattern[match.end() :]}"
        for number in range(int(first), int(last) + 1)
    ]


def checksums(path: Path) -> dict[str, str]:
    """File name -> SHA-256 from a list as sha256sum writes it."""
    sums: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip():
            continue
        digest, _, name = line.strip().partition(" ")
        name = name.strip().removeprefix("*").rsplit("/", 1)[-1]
        if len(digest) != 64 or sums.setdefault(name, digest.lower()) != digest.lower():
            raise InputError(
                f"{str(path)!r}: the line {line!r} is no SHA-256 checksum and file name, or the "
                "name came before with another checksum; correct the list"
            )
    return sums


def mapping(data: h5py.Dataset) -> tuple[Array, Array]:
    """Stored ids, sorted, and the body of each, from a table of two columns or two rows."""
    table = data[()]
    if table.ndim != 2 or 2 not in table.shape or table.dtype.kind not in "iu":
        raise InputError(
            f"{data.file.filename}: {data.name}: has the shape {table.shape} and {table.dtype}; "
            "a table of labels has two columns of whole numbers, stored id and body"
        )
    stored, body = (table.T if table.shape[1] == 2 else table).astype(np.uint64)
    order = np.argsort(stored, kind="stable")
    return stored[order], body[order]


def _labels(data: h5py.Dataset, table: str | None) -> Layer:
    name = f"{data.file.filename}: {data.name}"
    if table is None:
        return Layer(name, data.shape, data.dtype, lambda box: data[box])
    stored, body = mapping(volume.dataset(data.file, table, "rc", "iu"))
    small = data.dtype.itemsize <= 4 and body.max(initial=0) < 2**32
    dtype = np.dtype(np.uint32 if small else np.uint64)

    def read(box: Slices) -> Array:
        ids, inverse = np.unique(data[box], return_inverse=True)
        bodies = ids.astype(np.uint64)
        place = np.searchsorted(stored, bodies).clip(max=max(len(stored) - 1, 0))
        if len(stored):
            bodies = np.where(stored[place] == bodies, body[place], bodies)
        return bodies.astype(dtype)[inverse].reshape(tuple(c.stop - c.start for c in box))

    return Layer(name, data.shape, dtype, read)


def _sum_of(place: str, sums: dict[str, str] | None) -> str | None:
    if sums is None:
        return None
    name = unquote(urlsplit(place).path).rsplit("/", 1)[-1] if "://" in place else Path(place).name
    if name not in sums:
        raise InputError(f"the list of checksums has no line for {name!r}; add it")
    return sums[name]


def _one_kind(paths: Sequence[Path]) -> tuple[np.dtype[np.generic], int, int]:
    """Dtype, height and width that all images share, from their headers."""
    seen: dict[tuple[str, int, int], Path] = {}
    for path in paths:
        try:
            with Image.open(path) as image:
                seen.setdefault((image.mode, image.height, image.width), path)
        except OSError as error:
            raise InputError(f"{str(path)!r} is no image ({error}); get it anew") from error
    (mode, height, width), path = next(iter(seen.items()))
    if mode not in DTYPES:
        raise InputError(
            f"{str(path)!r} has the pixels {mode!r}; sections must be greyscale, convert them"
        )
    if len(seen) > 1:
        other = list(seen.items())[1]
        raise InputError(
            f"{str(other[1])!r} is {other[0]} (kind, height, width), {str(path)!r} is "
            f"{(mode, height, width)}; all sections must agree"
        )
    return np.dtype(DTYPES[mode]), height, width


def _stack(
    paths: Sequence[Path], name: str, first: int, shape: Shape, dtype: np.dtype[np.generic]
) -> Layer:
    @functools.lru_cache(maxsize=volume.CHUNK[0])
    def section(index: int) -> Array:
        try:
            with Image.open(paths[index]) as image:
                return np.asarray(image)
        except OSError as error:
            raise InputError(
                f"{str(paths[index])!r} cannot be read ({error}), it may be truncated; get it anew"
            ) from error

    def read(box: Slices) -> Array:
        numbers = range(box[0].start - first, box[0].stop - first)
        return np.stack([section(number)[box[1], box[2]] for number in numbers])

    return Layer(name, shape, dtype, read)
