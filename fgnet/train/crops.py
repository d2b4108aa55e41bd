"""Training crops, cut from HDF5 volumes as they are needed."""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from fgnet import volume
from fgnet.affinities import from_labels, widen_borders
from fgnet.errors import InputError
from fgnet.settings.base import Box
from fgnet.settings.train import Training
from fgnet.train.augment import augment

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


def region(path: Path, box: Box, crop: tuple[int, int, int], shrink: bool = False) -> Region:
    """Check that a file can be trained on and a crop fits its box.

    Args:
        shrink: make the crop smaller where the box is, which validation may do.

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
        room = [c.stop - c.start for c in cut]
        if shrink:
            # y and x stay multiples of 32, as SAM2 needs
            fits = [
                min(crop[0], room[0]),
                *(min(c, r // 32 * 32) for c, r in zip(crop[1:], room[1:], strict=True)),
            ]
            crop = (fits[0], fits[1] or crop[1], fits[2] or crop[2])
        found = Region(path, cut, volume.voxel_size(raw), crop)
    for axis, size, voxels in zip("zyx", crop, found.shape, strict=True):
        if size > voxels:
            raise InputError(
                f"train.crop: {axis} is {size}, but the box of {path} has only {voxels} voxels "
                "there; use a smaller crop or a larger box"
            )
    return found


class Crops(Dataset[Sample]):
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
        cut = []
        for box, size in zip(region.box, region.crop, strict=True):
            start = int(random.integers(box.start, box.stop - size + 1))
            cut.append(slice(start, start + size))
        if region.path not in self.files:
            self.files[region.path] = h5py.File(region.path, "r")
        file = self.files[region.path]
        raw = file[volume.RAW][tuple(cut)].astype(np.float32) / 255
        labels = file[volume.LABELS][tuple(cut)]
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
