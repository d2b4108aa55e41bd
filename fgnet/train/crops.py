"""Training crops, cut from HDF5 volumes as they are needed."""

from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor

from fgnet import volume
from fgnet.affinities import from_labels, widen_borders
from fgnet.errors import InputError
from fgnet.settings.base import Box
from fgnet.settings.train import Training
from fgnet.train.augment import augment, move_axes

Sample = tuple[Tensor, Tensor, Tensor]


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
    """Check that a file can be trained on and a crop fits its box.

    Args:
        validation: a crop keeps its axes, and is made smaller where the box is.

    Raises:
        InputError: no labels, another dtype, labels and raw of different shape, small box.
    """
    with volume.opened(path) as file:
        raw = volume.dataset(file, volume.RAW, "zyx", "u")
        labels = volume.dataset(file, volume.LABELS, "zyx", "iu")
        if raw.shape != labels.shape:
            raise InputError(
                f"{path}: raw has shape {raw.shape} and labels {labels.shape}; they must agree"
            )
        cut = box.slices(raw.shape, str(path))
        found = Region(path, cut, volume.voxel_size(raw), settings.crop)
    z, y, x = settings.crop
    if validation:
        depth, height, width = found.shape
        # y and x stay multiples of 32, as SAM2 needs
        crop = needed = (
            min(z, depth), min(y, max(height // 32 * 32, 32)), min(x, max(width // 32 * 32, 32))
        )  # fmt: skip
    else:
        crop = settings.crop
        needed = {
            "none": crop,
            "in_plane": (z, max(y, x), max(y, x)),
            "all": (max(crop), max(crop), max(crop)),
        }[settings.augment.transpose]
    for axis, size, room in zip("zyx", needed, found.shape, strict=True):
        if size > room:
            raise InputError(
                f"train.crop: {axis} is {size}, counting swapped axes, but the box of {path} has "
                f"only {room} voxels there; use a smaller crop or a larger box"
            )
    return replace(found, crop=crop)


class Crops:
    """Crop number k, the same whenever it is asked for: place and changes come from (seed, k).

    Volumes are drawn in proportion to the number of places that a crop fits.
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
        """raw (1, D, H, W) in about [0, 1], affinities and known edges (C, D, H, W), float32."""
        # validation crops have a stream of their own
        random = np.random.default_rng((self.settings.seed, int(self.augmented), index))
        region = self.regions[random.choice(len(self.regions), p=self.share)]
        axes = move_axes(self.settings.augment, random) if self.augmented else (0, 1, 2)
        sizes = dict(zip(axes, region.crop, strict=True))
        cut = []
        for axis, box in enumerate(region.box):
            start = int(random.integers(box.start, box.stop - sizes[axis] + 1))
            cut.append(slice(start, start + sizes[axis]))
        if region.path not in self.files:
            self.files[region.path] = h5py.File(region.path, "r")
        file = self.files[region.path]
        raw = file[volume.RAW][tuple(cut)].transpose(axes).astype(np.float32) / 255
        labels = file[volume.LABELS][tuple(cut)].transpose(axes)
        if self.augmented:
            raw, labels = augment(raw, labels, self.settings.augment, random)
        if self.settings.widen_borders != "none":
            labels = widen_borders(labels, self.settings.widen_borders == "in_plane")
        target, known = from_labels(labels, self.settings.offsets)
        return (
            torch.from_numpy(np.ascontiguousarray(raw))[None],
            torch.from_numpy(target),
            torch.from_numpy(known.astype(np.float32)),
        )

    def batch(self, indices: list[int]) -> Sample:
        """Several crops stacked along a first axis."""
        raw, target, known = zip(*(self[index] for index in indices), strict=True)
        return torch.stack(raw), torch.stack(target), torch.stack(known)
