"""What a model makes of a few crops at the end of its training, for the report."""

from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from fgnet import device as devices
from fgnet import volume
from fgnet.affinities import nearest_channels
from fgnet.settings.train import Model
from fgnet.train.crops import Crops, Region
from fgnet.train.sheet import grey

# crops of the training volumes, and as many held back; no more than validations drew, so that none
# is found to lack labels when the training is over
NUMBER = 2


def write(
    path: Path, network: nn.Module | None, training: list[Region], held_back: list[Region],
    model: Model, device: torch.device,
) -> None:  # fmt: skip
    """Crops as they are, without augmentation, and both affinity maps of them.

    The file holds a group for each crop, in order, named "0 training" and so on, with an attribute
    ``voxel_size`` (nm along z, y, x). Of the middle section, (y, x), it has ``raw`` (uint8),
    ``labels`` (uint32, from 1 on, 0 unknown), and (3, y, x) uint8, 255 is 1, along z, y, x:
    ``target``, ``known`` (edges that are learnt from), ``refined`` and, of a network with two
    decoders, ``coarse``. The same of the middle row, (z, x), ends in ``_xz``.

    Args:
        network: with the weights that are handed on, on ``device``; None leaves the file empty.
    """
    with volume.create(path, "train", model.model_dump(mode="json"), []) as file:
        if network is None:
            return
        channels = nearest_channels(model.offsets)
        for name, regions in (("training", training), ("validation", held_back)):
            if not regions:
                continue
            crops = Crops(regions, model, augmented=False)
            for index in range(min(NUMBER, model.validation_crops)):
                group = file.create_group(f"{len(file)} {name}")
                group.attrs["voxel_size"] = regions[0].voxel_size
                add(group, network, crops, index, channels, device)


@torch.no_grad()
def add(
    group: h5py.Group, network: nn.Module, crops: Crops, index: int, channels: list[int],
    device: torch.device,
) -> None:  # fmt: skip
    """Write crop number ``index``."""
    cut = crops.cut(index)
    raw, target, known = crops[index]
    with devices.autocast(device, crops.settings.precision):
        maps = network.eval()(raw[None].to(device))
    labels = np.where(cut.valid, cut.labels, 0)
    names, places = np.unique(labels, return_inverse=True)
    numbers = np.arange(len(names)) + (names[0] != 0)
    parts: dict[str, npt.NDArray[np.generic]] = {
        "raw": grey(cut.raw),
        "labels": numbers[places.reshape(labels.shape)].astype(np.uint32),
        "target": target[channels].numpy().astype(np.uint8) * 255,
        "known": known[channels].numpy().astype(np.uint8) * 255,
    }
    for name, logits in maps.items():
        found = torch.sigmoid(logits[0, channels].float())  # (3, D, H, W)
        parts[name] = grey(found.cpu().numpy())
    middle, row = (size // 2 for size in cut.raw.shape[:2])
    for name, part in parts.items():
        for end, flat in (("", part[..., middle, :, :]), ("_xz", part[..., row, :])):
            group.create_dataset(f"{name}{end}", data=flat, compression="gzip")
