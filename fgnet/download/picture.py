"""One image of a set, or its mask, as pixels: upright, 8 bits, nothing guessed in silence."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps

from fgnet.download.formats.images import KINDS
from fgnet.errors import Damaged, InputError
from fgnet.imageset import UNLABELLED, Pixels
from fgnet.settings.images import MaskSource

NAMED = 5  # grey values that a message names
COLOURS = ("RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "I;16", "I;16B")
SIDEWAYS = (5, 6, 7, 8)  # orientations by which a camera turns an image by 90 degrees
FAINT = 32  # grey values below are what JPEG leaves of black
GREY = 0.05  # of the pixels inside of objects may be neither dark nor bright
BROKEN = (
    OSError, ValueError, RuntimeError, SyntaxError, EOFError, struct.error, zlib.error,
    zipfile.BadZipFile,
)  # fmt: skip


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
        """The image. Raises InputError where it is none, or one of several in the file."""
        try:
            # of other kinds Pillow knows some for which it starts other programs
            with self._stream() as stream, Image.open(stream, formats=(*KINDS, "TIFF")) as image:
                if image.format == "TIFF" and getattr(image, "n_frames", 1) > 1:
                    raise InputError(
                        f"{self.words} holds {getattr(image, 'n_frames', 1)} pages or channels; a "
                        "set has a file for each image, grey or of three colours: save them so"
                    )
                if image.mode not in COLOURS:
                    raise InputError(
                        f"{self.words} has pixels of the kind {image.mode!r}; give 8 or 16 bits, "
                        "grey or colour"
                    )
                yield image
        except BROKEN as error:
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


def size(file: File) -> tuple[int, int]:
    """Pixels of an upright image along y and x, from its header."""
    with file.opened() as image:
        turned = image.getexif().get(ExifTags.Base.Orientation) in SIDEWAYS
        # Pillow turns TIFF itself
        if turned and image.format != "TIFF":
            return image.width, image.height
        return image.height, image.width


def bits(file: File) -> int:
    """How many bits the grey values of an image need; 8 unless it has 16."""
    with file.opened() as image:
        if not image.mode.startswith("I;16"):
            return 8
        return max(8, int(np.asarray(image).max()).bit_length())


def colours(file: File, depth: int) -> Pixels:
    """An image as (y, x, 3) uint8; of 16 bits the upper eight of the ``depth`` that are used."""
    with file.opened() as image:
        image = upright(image)
        if image.mode.startswith("I;16"):
            high = (np.asarray(image) >> (depth - 8)).astype(np.uint8)
            return np.repeat(high[..., None], 3, axis=2)
        _opaque(image, file)
        return np.asarray(image.convert("RGB"))


def grey(file: File) -> npt.NDArray[np.uint16]:
    """A mask as (y, x); of a palette its numbers are meant."""
    with file.opened() as image:
        image = upright(image)
        if image.mode in ("L", "P", "1") or image.mode.startswith("I;16"):
            return np.asarray(image).astype(np.uint16)
        _opaque(image, file)
        values = np.asarray(image.convert("RGB"))
    if (values != values[..., :1]).any():
        raise InputError(
            f"{file.words} is a mask in colours; masks are grey: convert each class to a grey value"
        )
    return values[..., 0].astype(np.uint16)


def upright(image: Image.Image) -> Image.Image:
    """As viewers show it: turned as the camera noted."""
    image.load()
    return ImageOps.exif_transpose(image)


def _opaque(image: Image.Image, file: File) -> None:
    """Raise InputError where pixels are transparent, as any colour may lie beneath."""
    if image.has_transparency_data:
        alpha = np.asarray(image.convert("RGBA"))[..., 3]
        if (alpha < 255).any():
            raise InputError(
                f"{file.words} has transparent pixels, beneath which any colour may lie; save it "
                "without transparency"
            )


def classes(values: npt.NDArray[np.uint16], source: MaskSource, count: int, file: File) -> Pixels:
    """Grey values as class labels: 0, 1 to ``count``, or UNLABELLED.

    Raises:
        InputError: a value stands for nothing, or may stand for this or that.
    """
    unlabelled = np.isin(values, source.unlabelled)
    if source.values is None and count == 1:
        labels = (values >= _from(np.where(unlabelled, 0, values), file)).astype(np.uint8)
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


def _from(values: npt.NDArray[np.uint16], file: File) -> int:
    """The grey value from which on a mask (y, x) of one class shows it: 1 of 0 and 1, else half."""
    top = int(values.max(initial=0))
    if top <= 1:
        return 1
    full = 256 if top < 256 else 1 << 16
    lossy = (file.member or file.path.name).lower().endswith((".jpg", ".jpeg"))
    if lossy and top < FAINT:
        return full // 2
    # at blurred edges there is grey, but not the same on neighbours both ways, as in an object
    # that is painted with its number
    here = values[:-1, :-1]
    flat = here[(here == values[1:, :-1]) & (here == values[:-1, 1:]) & (here > 0)]
    margin = full * FAINT // 256
    grey = np.count_nonzero((flat >= margin) & (flat < full - margin))
    if top < full // 2 or grey > GREY * flat.size:
        raise InputError(
            f"{file.words} has grey values up to {top} that are neither dark nor bright; a mask of "
            "one class is 0 and 1, or black and white: name its grey value in `masks: values`, or "
            "make objects of many numbers white"
        )
    return full // 2
