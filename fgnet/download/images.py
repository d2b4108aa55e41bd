"""A set of 2-D images and their masks, read from folders or archives and stored as one file."""

import io
import logging
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np
import numpy.typing as npt
from PIL import Image

from fgnet import image_phantom, imageset, ledger, volume
from fgnet.download.cache import Cache
from fgnet.download.formats.images import ENDINGS, named, natural
from fgnet.errors import Damaged, InputError
from fgnet.imageset import UNLABELLED, Picture, Pixels
from fgnet.progress import track
from fgnet.settings.images import ImageSet, ImageSource, MaskSource

LOG = logging.getLogger(__name__)
NAMED = 5  # files that a message names
HALF = 128  # grey value from which on a mask of one class shows it
COLOURS = ("RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "I;16", "I;16B")


@dataclass(frozen=True)
class File:
    """An image where it lies: a file, or a member of an archive.

    Attributes:
        name: without folder and ending.
    """

    name: str
    path: Path
    member: str | None = None

    @property
    def words(self) -> str:
        """What messages call it."""
        return f"{str(self.path)!r}" + (f", member {self.member!r}" if self.member else "")

    @contextmanager
    def opened(self) -> Iterator[Image.Image]:
        """The image. Raises InputError where it is none."""
        try:
            with self._stream() as stream, Image.open(stream) as image:
                yield image
        except (OSError, ValueError, RuntimeError, zipfile.BadZipFile) as error:
            raise Damaged(
                f"{self.words} cannot be read as an image ({error}); get it anew"
            ) from error

    @contextmanager
    def _stream(self) -> Iterator[IO[bytes]]:
        if self.member is None:
            with self.path.open("rb") as stream:
                yield stream
            return
        with zipfile.ZipFile(self.path) as archive:
            yield io.BytesIO(archive.read(self.member))


def store(entry: ImageSet, cache: Cache, output: Path, record: object) -> None:
    """Write one set of images.

    Args:
        record: what goes into the file as the settings that made it.

    Raises:
        InputError: there are no images, one is broken, has no mask, or one of another size.
    """
    if entry.phantom is not None:
        pictures = image_phantom.pictures(entry.phantom, len(entry.classes))
        sizes = [(one.raw.shape[0], one.raw.shape[1]) for one in pictures]
        _write(output, record, [], iter(pictures), sizes, entry, labelled=True)
        return
    assert entry.source is not None, "settings hold exactly one origin"
    images = listed(entry.source, cache)
    masks = None if entry.masks is None else paired(images, listed(entry.masks, cache), entry.masks)
    sizes = []
    for number, image in enumerate(track(images, "sizes")):
        sizes.append(size(image))
        if masks is not None and size(masks[number]) != sizes[-1]:
            raise InputError(
                f"{masks[number].words} has {_pixels(size(masks[number]))}, its image "
                f"{image.words} {_pixels(sizes[-1])}; they must agree"
            )
    inputs = list(dict.fromkeys(one.path for one in [*images, *(masks or [])]))
    read = _read(images, masks, entry)
    _write(output, record, inputs, read, sizes, entry, labelled=masks is not None)


def _write(
    output: Path, record: object, inputs: Sequence[Path], pictures: Iterator[Picture],
    sizes: list[tuple[int, int]], entry: ImageSet, labelled: bool,
) -> None:  # fmt: skip
    ledger.voxels(sum(y * x for y, x in sizes))
    with volume.create(output, "download", record, inputs) as file:
        shown = track(pictures, f"write {output.name}", total=len(sizes))
        imageset.write(file, shown, sizes, entry.classes, labelled)


def _read(images: list[File], masks: list[File] | None, entry: ImageSet) -> Iterator[Picture]:
    for number, image in enumerate(images):
        labels = None
        if masks is not None:
            assert entry.masks is not None
            labels = classes(grey(masks[number]), entry.masks, len(entry.classes), masks[number])
        yield Picture(image.name, colours(image), labels)


def listed(source: ImageSource, cache: Cache) -> list[File]:
    """The images of a folder, a pattern or an archive, in natural order of their names."""
    path = source.path
    if path.lower().split("?")[0].endswith(".zip"):
        archive = cache.fetched(path, source.checksum, source.mirrors)
        with cache.using(path, archive):
            found = [File(_name(one), archive, one) for one in members(archive, source.folder)]
    else:
        found = [File(_name(one), cache.local(one)) for one in named(path.removeprefix("file://"))]
    seen: dict[str, File] = {}
    for file in found:
        if (other := seen.setdefault(file.name, file)) is not file:
            raise InputError(
                f"{file.words} and {other.words} have one name; give each image a name of its own"
            )
    return found


def members(archive: Path, folder: str) -> list[str]:
    """The images in a folder of a .zip archive, in natural order."""
    try:
        with zipfile.ZipFile(archive) as opened:
            names = opened.namelist()
    except zipfile.BadZipFile as error:
        raise Damaged(f"{str(archive)!r} is no .zip archive ({error}); get it anew") from error
    inside = PurePosixPath(folder)
    found = [
        name
        for name in names
        if PurePosixPath(name).parent == inside
        and PurePosixPath(name).suffix.lower() in ENDINGS
        and not PurePosixPath(name).name.startswith(".")
    ]
    if not found:
        folders = sorted({str(PurePosixPath(name).parent) for name in names})
        raise InputError(
            f"{str(archive)!r} holds no images in the folder {folder!r}; it has the folders "
            f"{', '.join(folders)}: set `folder` to one of them"
        )
    return sorted(found, key=lambda name: natural(Path(name)))


def paired(images: list[File], masks: list[File], source: MaskSource) -> list[File]:
    """The mask of each image, by its name. Raises InputError where one has none."""
    by_name = {mask.name: mask for mask in masks}
    wanted = [f"{image.name}{source.suffix}" for image in images]
    lacking = [name for name in wanted if name not in by_name]
    if lacking:
        more = ", …" if len(lacking) > NAMED else ""
        raise InputError(
            f"{source.path!r} has no mask for {len(lacking)} of {len(images)} images "
            f"({', '.join(lacking[:NAMED])}{more}); a mask is named like its image, plus "
            "`masks: suffix`"
        )
    if unused := len(by_name.keys() - set(wanted)):
        LOG.warning("%s: %d masks belong to no image and are left out", source.path, unused)
    return [by_name[name] for name in wanted]


def size(file: File) -> tuple[int, int]:
    """Pixels of an image along y and x, from its header."""
    with file.opened() as image:
        if image.mode not in COLOURS:
            raise InputError(
                f"{file.words} has pixels of the kind {image.mode!r}; give 8 or 16 bits, grey or "
                "colour"
            )
        return image.height, image.width


def colours(file: File) -> Pixels:
    """An image as (y, x, 3) uint8; 16 bits keep their upper half."""
    with file.opened() as image:
        if image.mode.startswith("I;16"):
            high = (np.asarray(image) >> 8).astype(np.uint8)
            return np.repeat(high[..., None], 3, axis=2)
        return np.asarray(image.convert("RGB"))


def grey(file: File) -> npt.NDArray[np.integer]:
    """A mask as (y, x); of a palette its numbers are meant."""
    with file.opened() as image:
        if image.mode in ("L", "P", "1") or image.mode.startswith("I;16"):
            return np.asarray(image).astype(np.uint16)
        values = np.asarray(image.convert("RGB"))
    if (values != values[..., :1]).any():
        raise InputError(
            f"{file.words} is a mask in colours; masks are grey: convert each class to a grey value"
        )
    return values[..., 0].astype(np.uint16)


def classes(values: npt.NDArray[np.integer], source: MaskSource, count: int, file: File) -> Pixels:
    """Grey values as class labels: 0, 1 to ``count``, or UNLABELLED.

    Raises:
        InputError: a value stands for nothing.
    """
    unlabelled = np.isin(values, source.unlabelled)
    if source.values is None and count == 1:
        # masks of 0 and 1 are common too
        threshold = HALF if values.max(initial=0) > 1 else 1
        labels = (values >= threshold).astype(np.uint8)
    else:
        meant = source.values or tuple(range(1, count + 1))
        known = np.isin(values, (0, *meant)) | unlabelled
        if not known.all():
            strange = ", ".join(map(str, np.unique(values[~known])[:NAMED]))
            raise InputError(
                f"{file.words} has pixels of {strange}, which stand for no class; "
                f"they are {', '.join(map(str, meant))}, or list them in `masks: unlabelled`"
            )
        labels = np.zeros(values.shape, np.uint8)
        for number, value in enumerate(meant, 1):
            labels[values == value] = number
    labels[unlabelled] = UNLABELLED
    return labels


def _name(place: str) -> str:
    return re.sub(r"\.[^.]*$", "", place.rsplit("/", 1)[-1])


def _pixels(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]} pixels"
