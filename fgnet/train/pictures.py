"""Whole 2-D images for training: brought to one size, changed at random, with their masks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fgnet import imageset
from fgnet.errors import InputError
from fgnet.imageset import UNLABELLED, ImageSet
from fgnet.resized import image, labels_of
from fgnet.settings.train import Augment, Training
from fgnet.train import geometry
from fgnet.train.augment import augment
from fgnet.train.crops import Cut, Sample


@dataclass(frozen=True)
class Part:
    """Some images of a set with masks.

    Attributes:
        numbers: of the images in the file.
    """

    path: Path
    numbers: tuple[int, ...]
    classes: tuple[str, ...]
    voxel_size: tuple[float, float, float] = (1.0, 1.0, 1.0)  # of images nobody asks for it


def part(path: Path, ranges: Sequence[tuple[int, int]] | None) -> Part:
    """Check that images can be trained on. Raises InputError where they have no masks."""
    with imageset.opened(path) as images:
        if not images.labelled:
            raise InputError(f"{path}: holds no masks to train on; give the set `masks`")
        return Part(path, tuple(images.numbers(ranges)), tuple(images.classes))


def shots(parts: list[Part], count: int, seed: int) -> list[Part]:
    """So many images of each class, drawn by the seed; what else they show stays labelled.

    Raises:
        InputError: a class is on fewer images.
    """
    classes = parts[0].classes
    shown: list[list[tuple[int, int]]] = [[] for _ in classes]
    for place, one in enumerate(parts):
        with imageset.opened(one.path) as images:
            for number in one.numbers:
                labels = images[number].labels
                assert labels is not None, "see part"
                for index in range(len(classes)):
                    if (labels == index + 1).any():
                        shown[index].append((place, number))
    random = np.random.default_rng((seed, 2))
    taken: set[tuple[int, int]] = set()
    # of the rarest class first, as its images may show others
    for index in sorted(range(len(classes)), key=lambda index: len(shown[index])):
        lacking = count - len(taken & set(shown[index]))
        free = [one for one in shown[index] if one not in taken]
        if lacking > len(free):
            raise InputError(
                f"train.shots: {count} images of {classes[index]!r} are asked for, and "
                f"{len(shown[index])} show it; lower shots"
            )
        if lacking > 0:
            taken |= {free[n] for n in random.permutation(len(free))[:lacking]}
    kept = [
        replace(one, numbers=tuple(number for place, number in sorted(taken) if place == index))
        for index, one in enumerate(parts)
    ]
    return [one for one in kept if one.numbers]


class Pictures:
    """Image number k of a training, the same whenever it is asked for: changes come from (seed, k).

    Images that are not augmented are those of validations and come in one order. Every image comes
    once before any comes again, of a training in an order of its own each time.
    """

    def __init__(self, parts: list[Part], settings: Training, augmented: bool) -> None:
        self.regions = parts
        self.settings = settings
        self.augmented = augmented
        places = [(one.path, number) for one in parts for number in one.numbers]
        # neighbours are often alike, as of one video: the first are not what a set is like
        order = np.random.default_rng((settings.seed, 3)).permutation(len(places))
        self.places = places if augmented else [places[number] for number in order]
        self.classes = len(parts[0].classes)
        self.files: dict[Path, ImageSet] = {}

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> Sample:
        """raw (3, 1, H, W) float32 in about [0, 1]; masks, known pixels (C, 1, H, W) bool."""
        cut = self.cut(index)
        target = np.stack([cut.labels == number + 1 for number in range(self.classes)])
        known = np.broadcast_to(cut.valid, target.shape)
        return (
            torch.from_numpy(np.ascontiguousarray(cut.raw))[:, None],
            torch.from_numpy(target)[:, None],
            torch.from_numpy(known.copy())[:, None],
        )

    def cut(self, index: int) -> Cut:
        """Image number ``index``, (3, H, W) in [0, 1], its labels and where they are known."""
        path, number = self.place(index)
        picture = self.file(path)[number]
        size = self.settings.crop[1:]
        assert picture.labels is not None, "see part"
        raw, labels = image(picture.raw, size).numpy(), labels_of(picture.labels, size)
        valid = labels != UNLABELLED
        if self.augmented:
            random = np.random.default_rng((self.settings.seed, 1, index))
            raw, labels, valid = self.changed(raw, labels, valid, random)
        return Cut(f"{path}, {picture.name}", raw, np.where(valid, labels, 0), valid)

    def place(self, index: int) -> tuple[Path, int]:
        """Where image number ``index`` lies."""
        round_, position = divmod(index, len(self.places))
        if self.augmented:
            order = np.random.default_rng((self.settings.seed, 0, round_))
            position = int(order.permutation(len(self.places))[position])
        return self.places[position]

    def changed(
        self, raw: npt.NDArray[np.float32], labels: npt.NDArray[np.uint8],
        valid: npt.NDArray[np.bool_], random: np.random.Generator,
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:  # fmt: skip
        """Turned, bent, mirrored; lighter, darker, of other colours, noisy.

        Colours stand where a volume has sections, so that what changes single sections changes
        colours; sections that slip or are lost have no counterpart.
        """
        changes = self.settings.augment.model_copy(
            update={"misalign": 0.0, "missing": 0.0, "dark": 0.0, "blur": 0.0}
        )
        warp = geometry.draw((1, *labels.shape), changes, random)
        if warp is not None:
            three = geometry.Warp(np.repeat(warp.y, 3, 0), np.repeat(warp.x, 3, 0))
            raw = geometry.sampled(raw, three, order=1)
            labels, valid = (
                geometry.sampled(one[None], warp, order=0)[0]
                for one in (labels, valid.astype(np.uint8))
            )
            valid = valid > 0
        mirrored = tuple(axis for axis in geometry.mirrors(changes, random) if axis > 0)
        if mirrored:
            flat = tuple(axis - 1 for axis in mirrored)
            raw, labels, valid = np.flip(raw, mirrored), np.flip(labels, flat), np.flip(valid, flat)
        return augment(raw.copy(), changes, random), labels.copy(), valid.copy()

    def whole(self, index: int) -> tuple[Tensor, npt.NDArray[np.uint8]]:
        """Image number ``index``, (3, 1, H, W), and its labels at their own size, (y, x)."""
        path, number = self.places[index]
        picture = self.file(path)[number]
        assert picture.labels is not None, "see part"
        return image(picture.raw, self.settings.crop[1:])[:, None], picture.labels

    def changed_by(self, augment: Augment) -> "Pictures":
        """The same crops, changed at random in another way."""
        return Pictures(self.regions, self.settings.model_copy(update={"augment": augment}), True)

    def file(self, path: Path) -> ImageSet:
        """The open file; each process opens its own."""
        if path not in self.files:
            self.files[path] = ImageSet(h5py.File(path, "r"))
        return self.files[path]

    def batch(self, indices: list[int]) -> Sample:
        """Several images stacked along a first axis."""
        raw, target, known = zip(*(self[index] for index in indices), strict=True)
        return torch.stack(raw), torch.stack(target), torch.stack(known)
