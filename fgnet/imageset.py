"""Sets of 2-D images as HDF5 files: images of any size side by side, each with its class labels.

``images/raw`` (n, y, x, 3) uint8 and ``images/labels`` (n, y, x) uint8 hold every image in the
corner of a frame as large as the largest; ``images/sizes`` (n, 2) says how large it is, and
``images/names`` what its file was called. Labels are 0 outside of all classes, k for the k-th class
of the attribute ``classes``, and 255 where nobody labelled.

What a model makes of a set has ``images/chances`` (n, classes, y, x) uint8 in place of these: how
probable each class is at each pixel, times 255, in the same frames.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import h5py
import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError

from fgnet import volume
from fgnet.errors import InputError
from fgnet.settings.base import Range

RAW = "images/raw"
LABELS = "images/labels"
CHANCES = "images/chances"
SIZES = "images/sizes"
NAMES = "images/names"
UNLABELLED = 255
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Picture:
    """One image.

    Attributes:
        raw: (y, x, 3) uint8.
        labels: (y, x) uint8, see above; None where the set has none.
    """

    name: str
    raw: Pixels
    labels: Pixels | None


class Frames:
    """An open file of images of any size, each in the corner of a frame."""

    needed: ClassVar[str]
    what: ClassVar[str]

    def __init__(self, file: h5py.File) -> None:
        for name in (self.needed, SIZES, NAMES):
            if name not in file:
                raise InputError(
                    f"{file.filename}: {name}: no such dataset, so this is no set of {self.what}; "
                    f"the file holds {', '.join(volume.names(file)) or 'none'}"
                )
        self.file = file
        self.names = [name.decode() for name in file[NAMES][:]]
        self.sizes: list[tuple[int, int]] = [(int(y), int(x)) for y, x in file[SIZES][:]]
        self.classes: list[str] = json.loads(file.attrs["classes"])

    def __len__(self) -> int:
        return len(self.names)


class ImageSet(Frames):
    """An open file of images."""

    needed = RAW
    what = "images"

    def __init__(self, file: h5py.File) -> None:
        super().__init__(file)
        self.labelled = LABELS in file

    def __getitem__(self, number: int) -> Picture:
        y, x = self.sizes[number]
        labels = self.file[LABELS][number, :y, :x] if self.labelled else None
        return Picture(self.names[number], self.file[RAW][number, :y, :x], labels)

    def numbers(self, ranges: Sequence[tuple[int, int]] | None) -> list[int]:
        """The numbers of the images of some ranges, of all by default.

        Raises:
            InputError: a range is empty or leaves the set, or an image lies in two.
        """
        if ranges is None:
            return list(range(len(self)))
        for first, last in ranges:
            if not 0 <= first < last <= len(self):
                raise InputError(
                    f"{self.file.filename}: the range [{first}, {last}] does not lie in the set, "
                    f"whose images run from 0 to {len(self)}; change ranges"
                )
        found = [number for first, last in ranges for number in range(first, last)]
        if len(set(found)) < len(found):
            raise InputError(
                f"{self.file.filename}: an image lies in two of the ranges {list(ranges)}; change "
                "ranges"
            )
        return found


class Chances(Frames):
    """An open file of what a model made of images."""

    needed = CHANCES
    what = "chances"

    def __getitem__(self, number: int) -> Pixels:
        """How probable each class is at each pixel, times 255: (classes, y, x) uint8."""
        y, x = self.sizes[number]
        found: Pixels = self.file[CHANCES][number, :, :y, :x]
        return found


def ranges(text: str) -> tuple[Range, ...] | None:
    """The ranges of :meth:`ImageSet.numbers` from JSON text. Raises InputError."""
    try:
        return TypeAdapter(tuple[Range, ...] | None).validate_json(text)
    except ValidationError as error:
        raise InputError(
            f"--ranges: {text!r} names no images; give the first image and the one after the last "
            "of each range, such as [[40, 50]], or null for all"
        ) from error


def above(chances: Pixels, threshold: float) -> npt.NDArray[np.bool_]:
    """Where probabilities, uint8 times 255, are at least so high."""
    return chances >= threshold * 255


def is_set(file: h5py.File) -> bool:
    """Whether a file holds images rather than a volume."""
    return RAW in file


@contextmanager
def opened(path: Path) -> Iterator[ImageSet]:
    """Open a set for reading. Raises InputError where the file is none."""
    with volume.opened(path) as file:
        yield ImageSet(file)


@contextmanager
def opened_chances(path: Path) -> Iterator[Chances]:
    """Open a file of chances for reading. Raises InputError where it is none."""
    with volume.opened(path) as file:
        yield Chances(file)


def write(
    file: h5py.File,
    pictures: Iterable[Picture],
    sizes: list[tuple[int, int]],
    classes: Iterable[str],
    labelled: bool,
) -> None:
    """Store images, one at a time.

    Args:
        pictures: in the order of ``sizes``, (y, x) in pixels.
    """
    raw = _frames(file, RAW, sizes, last=(3,))
    labels = _frames(file, LABELS, sizes, fill=UNLABELLED) if labelled else None
    names = []
    for number, picture in enumerate(pictures):
        height, width = sizes[number]
        raw[number, :height, :width] = picture.raw
        if labels is not None and picture.labels is not None:
            labels[number, :height, :width] = picture.labels
        names.append(picture.name)
    _describe(file, names, sizes, classes)


def write_chances(
    file: h5py.File,
    names: list[str],
    sizes: list[tuple[int, int]],
    classes: list[str],
    maps: Iterable[Pixels],
) -> None:
    """Store what a model made of images, one at a time.

    Args:
        names, sizes: of the images, as in their set; (y, x) in pixels.
        classes: of the model.
        maps: (classes, y, x) uint8 of each image, probabilities times 255.
    """
    chances = _frames(file, CHANCES, sizes, first=(len(classes),))
    for number, (found, (height, width)) in enumerate(zip(maps, sizes, strict=True)):
        chances[number, :, :height, :width] = found
    _describe(file, names, sizes, classes)


def _frames(
    file: h5py.File, name: str, sizes: list[tuple[int, int]], first: tuple[int, ...] = (),
    last: tuple[int, ...] = (), fill: int = 0,
) -> h5py.Dataset:  # fmt: skip
    frame = (*first, *(max(size[axis] for size in sizes) for axis in (0, 1)), *last)
    return file.create_dataset(
        name, (len(sizes), *frame), "u1", chunks=(1, *frame), fillvalue=fill,
        compression="gzip", compression_opts=1,
    )  # fmt: skip


def _describe(
    file: h5py.File, names: list[str], sizes: list[tuple[int, int]], classes: Iterable[str]
) -> None:
    file[SIZES] = np.array(sizes, np.int64)
    file.create_dataset(NAMES, data=names, dtype=h5py.string_dtype())
    file.attrs["classes"] = json.dumps(list(classes), ensure_ascii=False)
