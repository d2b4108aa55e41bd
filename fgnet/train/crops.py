"""Training crops, cut from HDF5 volumes as they are needed."""

from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fgnet import volume
from fgnet.affinities import from_labels, widen_borders
from fgnet.errors import InputError
from fgnet.settings.base import Box
from fgnet.settings.train import Augment, Training
from fgnet.train import geometry
from fgnet.train.augment import augment

Sample = tuple[Tensor, Tensor, Tensor]
# raw (z, y, x) in [0, 1], labels, and where there is ground truth
Layers = tuple[npt.NDArray[np.float32], npt.NDArray[np.integer], npt.NDArray[np.bool_]]
TRIES = 100  # draws of a crop before the volumes are said to hold too few labels


@dataclass(frozen=True)
class Region:
    """A box of a normalised volume with labels."""

    path: Path
    box: tuple[slice, slice, slice]
    voxel_size: volume.Triple
    crop: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(z, y, x) in voxels."""
        z, y, x = (cut.stop - cut.start for cut in self.box)
        return z, y, x


def region(path: Path, box: Box, settings: Training, validation: bool = False) -> Region:
    """Check that a file can be trained on and a crop fits its box, see :func:`fitted`.

    Raises:
        InputError: no labels, another dtype, labels, mask and raw of different shape, small box.
    """
    with volume.opened(path) as file:
        raw = volume.dataset(file, volume.RAW, "zyx", "u")
        kinds = {volume.LABELS: "iu"} | ({volume.MASK: "u"} if volume.MASK in file else {})
        for name, kind in kinds.items():
            other = volume.dataset(file, name, "zyx", kind)
            if raw.shape != other.shape:
                raise InputError(
                    f"{path}: raw has shape {raw.shape} and {name} {other.shape}; they must agree"
                )
        cut = box.slices(raw.shape, str(path))
        found = Region(path, cut, volume.voxel_size(raw), settings.crop)
    return fitted(found, settings, validation)


def fitted(found: Region, settings: Training, validation: bool = False) -> Region:
    """The region with the crop that fits it; knows nothing of its file.

    Args:
        validation: a crop keeps its axes, and is made smaller where the box is.

    Raises:
        InputError: the box is too small, for a crop of swapped axes, too.
    """
    if validation:
        return replace(found, crop=within(settings.crop, found, "train.crop"))
    z, y, x = settings.crop
    needed = {
        "none": settings.crop,
        "in_plane": (z, max(y, x), max(y, x)),
        "all": (max(settings.crop),) * 3,
    }[settings.augment.transpose]
    for axis, size, room in zip("zyx", needed, found.shape, strict=True):
        if size > room:
            raise InputError(
                f"train.crop: {axis} is {size}, counting swapped axes, but the box of {found.path} "
                f"has only {room} voxels there; use a smaller crop or a larger box"
            )
    return found


def within(wanted: tuple[int, int, int], place: Region, key: str) -> tuple[int, int, int]:
    """A box made so small that it fits a region, y and x still multiples of 32 (SAM2 needs it)."""
    sizes = [min(wanted[0], place.shape[0])]
    for axis, size, room in zip("yx", wanted[1:], place.shape[1:], strict=True):
        if room < 32:
            raise InputError(
                f"{key}: the box of {place.path} has only {room} voxels along {axis}, and a crop "
                "needs 32; use a larger box"
            )
        sizes.append(min(size, room // 32 * 32))
    return sizes[0], sizes[1], sizes[2]


@dataclass(frozen=True)
class Cut:
    """A crop as it was drawn: raw (z, y, x) in [0, 1], labels, which voxels have ground truth."""

    where: str
    raw: npt.NDArray[np.float32]
    labels: npt.NDArray[np.integer]
    valid: npt.NDArray[np.bool_]


class Crops:
    """Crop number k, the same whenever it is asked for: place and changes come from (seed, k).

    Crops that are not augmented are those of validations, and the same for every seed.

    Volumes are drawn in proportion to the number of places that a crop fits; a crop with too few
    labels is drawn again.
    """

    def __init__(self, regions: list[Region], settings: Training, augmented: bool) -> None:
        self.regions = regions
        self.settings = settings
        self.augmented = augmented
        places = [
            np.prod([r - c + 1 for r, c in zip(region.shape, region.crop, strict=True)])
            for region in regions
        ]
        self.share = np.array(places, float) / np.sum(places)
        self.files: dict[Path, h5py.File] = {}

    def __getitem__(self, index: int) -> Sample:
        """raw (1, D, H, W) float32 in about [0, 1]; affinities, known edges (C, D, H, W) bool."""
        cut = self.cut(index)
        labels = cut.labels
        if self.settings.widen_borders != "none":
            labels = widen_borders(labels, self.settings.widen_borders == "in_plane")
        target, known = from_labels(labels, self.settings.offsets, cut.valid)
        return (
            torch.from_numpy(np.ascontiguousarray(cut.raw))[None],
            torch.from_numpy(target),
            torch.from_numpy(known),
        )

    def cut(self, index: int) -> Cut:
        """Crop number ``index``. Raises InputError when hardly any place has labels."""
        # validation crops are the same for every seed, so that losses can be compared
        stream = (self.settings.seed, 1) if self.augmented else (0, 0)
        random = np.random.default_rng((*stream, index))
        for _ in range(TRIES):
            cut = self.draw(random)
            if (cut.valid & (cut.labels > 0)).mean() >= self.settings.labelled:
                return cut
        raise InputError(
            f"train.labelled: {TRIES} crops in a row, the last at {cut.where}, had less than "
            f"{self.settings.labelled:g} of their voxels in a neuron; lower it, or train on boxes "
            "with labels"
        )

    def draw(self, random: np.random.Generator) -> Cut:
        """A crop at a random place, changed at random if these crops are augmented."""
        region = self.regions[random.choice(len(self.regions), p=self.share)]
        changes = self.settings.augment
        axes = geometry.move_axes(changes, random) if self.augmented else (0, 1, 2)
        box = [region.box[axis] for axis in axes]
        starts = [
            int(random.integers(cut.start, cut.stop - size + 1))
            for cut, size in zip(box, region.crop, strict=True)
        ]
        warp = geometry.draw(region.crop, changes, random) if self.augmented else None
        raw, labels, valid = self.read(region, axes, starts, warp)
        if self.augmented:
            mirrored = geometry.mirrors(changes, random)
            raw = augment(np.flip(raw, mirrored), changes, random)
            labels, valid = np.flip(labels, mirrored), np.flip(valid, mirrored)
        ends = (start + size for start, size in zip(starts, region.crop, strict=True))
        place = ", ".join(
            f"{'zyx'[axis]} {start}-{end}"
            for axis, start, end in zip(axes, starts, ends, strict=True)
        )
        return Cut(f"{region.path}, {place}", raw, labels, valid)

    def read(
        self, region: Region, axes: tuple[int, int, int], starts: list[int],
        warp: geometry.Warp | None,
    ) -> Layers:  # fmt: skip
        """A crop whose axes are ``axes`` of the volume.

        A warped crop may reach beyond the region: there the image is reflected, and nothing is
        known of its labels.
        """
        box = [region.box[axis] for axis in axes]
        cut = [slice(s, s + size) for s, size in zip(starts, region.crop, strict=True)]
        if warp is not None:
            for axis, places in ((1, warp.y), (2, warp.x)):
                low, high = (int(np.floor(places.min())), int(np.ceil(places.max())) + 1)
                cut[axis] = slice(
                    max(starts[axis] + low, box[axis].start),
                    min(starts[axis] + high, box[axis].stop),
                )
        file = self.file(region.path)
        place = tuple(cut[i] for i in np.argsort(axes))
        raw = file[volume.RAW][place].transpose(axes).astype(np.float32) / np.float32(255)
        labels = file[volume.LABELS][place].transpose(axes)
        valid = np.ones(labels.shape, np.bool_)
        if volume.MASK in file:
            valid = file[volume.MASK][place].transpose(axes) > 0
        if warp is None:
            return raw, labels, valid
        y, x = (
            places + np.float32(start - part.start)
            for places, start, part in ((warp.y, starts[1], cut[1]), (warp.x, starts[2], cut[2]))
        )
        moved = geometry.Warp(y, x)
        inside = (y >= 0) & (y <= raw.shape[1] - 1) & (x >= 0) & (x <= raw.shape[2] - 1)
        known = geometry.sampled(valid.astype(np.uint8), moved, order=0) > 0
        return (
            geometry.sampled(raw, moved, order=1),
            geometry.sampled(labels, moved, order=0),
            known & inside,
        )

    def changed_by(self, augment: Augment) -> "Crops":
        """The same crops, changed at random in another way."""
        return Crops(self.regions, self.settings.model_copy(update={"augment": augment}), True)

    def file(self, path: Path) -> h5py.File:
        """The open file; each process opens its own."""
        if path not in self.files:
            self.files[path] = h5py.File(path, "r")
        return self.files[path]

    def batch(self, indices: list[int]) -> Sample:
        """Several crops stacked along a first axis."""
        raw, target, known = zip(*(self[index] for index in indices), strict=True)
        return torch.stack(raw), torch.stack(target), torch.stack(known)
