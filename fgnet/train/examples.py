"""What a model makes of a few crops at the end of its training, for the report."""

from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from fgnet import volume
from fgnet.affinities import nearest_channels
from fgnet.precision import autocast
from fgnet.settings.base import Precision
from fgnet.settings.train import Model
from fgnet.train.crops import Crops
from fgnet.train.data import Material
from fgnet.train.pictures import Pictures
from fgnet.train.sheet import grey

# crops of the training volumes, and as many held back; no more than validations drew, so that none
# is found to lack labels when the training is over
NUMBER = 2
AFFINITIES = ("refined", "coarse")  # maps that are shown of volumes


def write(
    path: Path, network: nn.Module, material: Material, model: Model, device: torch.device,
) -> None:  # fmt: skip
    """Crops as they are, without augmentation, and all maps that the network makes of them.

    The file holds a group for each crop, in order, named "0 training" and so on. Of images it has
    ``raw`` (y, x, 3), ``labels`` (y, x), 0 where unknown, and each map (channels, y, x), all uint8.
    Of volumes it has an attribute ``voxel_size`` (nm along z, y, x), and of the middle section,
    (y, x), ``raw`` (uint8), ``labels`` (uint32, from 1 on, 0 unknown), and (3, y, x) uint8, 255 is
    1, along z, y, x: ``target``, ``known`` (edges that are learnt from), ``refined`` and, of a
    network with two decoders, ``coarse``. The same of the middle row, (z, x), ends in ``_xz``.

    Args:
        network: with the weights that are handed on, on ``device``.
    """
    with volume.create(path, "train", model.model_dump(mode="json"), []) as file:
        for name, crops in (("training", material.training), ("validation", material.held_back)):
            if crops is None:
                continue
            plain = type(crops)(crops.regions, model, False)  # type: ignore[arg-type]
            for index in range(min(NUMBER, model.validation_crops, most(plain))):
                group = file.create_group(f"{len(file)} {name}")
                if isinstance(plain, Crops):
                    group.attrs["voxel_size"] = plain.regions[0].voxel_size
                    add_crop(group, network, plain, index, device)
                else:
                    add_picture(group, network, plain, index, device)


def most(crops: Crops | Pictures) -> int:
    """How many there are to show; crops of a volume are without end."""
    return len(crops) if isinstance(crops, Pictures) else NUMBER


@torch.no_grad()
def maps_of(
    network: nn.Module, raw: Tensor, precision: Precision, device: torch.device
) -> dict[str, Tensor]:
    """What a network makes of one crop: (C, D, H, W) in [0, 1] by name."""
    with autocast(device, precision):
        maps = network.eval()(raw[None].to(device))
    return {name: torch.sigmoid(logits[0].float()).cpu() for name, logits in maps.items()}


def add_crop(
    group: h5py.Group, network: nn.Module, crops: Crops, index: int, device: torch.device
) -> None:
    """Write crop number ``index`` of volumes."""
    channels = nearest_channels(crops.settings.offsets)
    cut = crops.cut(index)
    raw, target, known = crops[index]
    labels = np.where(cut.valid, cut.labels, 0)
    names, places = np.unique(labels, return_inverse=True)
    numbers = np.arange(len(names)) + (names[0] != 0)
    parts: dict[str, npt.NDArray[np.generic]] = {
        "raw": grey(cut.raw),
        "labels": numbers[places.reshape(labels.shape)].astype(np.uint32),
        "target": target[channels].numpy().astype(np.uint8) * 255,
        "known": known[channels].numpy().astype(np.uint8) * 255,
    }
    for name, found in maps_of(network, raw, crops.settings.precision, device).items():
        if name in AFFINITIES:
            parts[name] = grey(found[channels].numpy())  # (3, D, H, W)
    middle, row = (size // 2 for size in cut.raw.shape[:2])
    for name, part in parts.items():
        for end, flat in (("", part[..., middle, :, :]), ("_xz", part[..., row, :])):
            group.create_dataset(f"{name}{end}", data=flat, compression="gzip")


def add_picture(
    group: h5py.Group, network: nn.Module, pictures: Pictures, index: int, device: torch.device
) -> None:
    """Write image number ``index``."""
    cut = pictures.cut(index)
    raw, _, _ = pictures[index]
    parts = {"raw": np.moveaxis(grey(cut.raw), 0, -1), "labels": cut.labels}
    for name, found in maps_of(network, raw, pictures.settings.precision, device).items():
        parts[name] = grey(found[:, 0].numpy())  # (C, H, W)
    for name, part in parts.items():
        group.create_dataset(name, data=part, compression="gzip")
