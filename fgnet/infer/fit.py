"""Checks that a model fits a volume; chooses its device, its precision and the maps to keep."""

import json
import logging

import h5py
import torch

from fgnet import device, processors, volume
from fgnet.checkpoint import Checkpoint
from fgnet.errors import InputError
from fgnet.precision import settled
from fgnet.settings.infer import Inference

LOG = logging.getLogger(__name__)
DATASET = {"refined": volume.AFFINITIES, "coarse": volume.COARSE_AFFINITIES}


def prepared(settings: Inference, threads: int) -> tuple[Inference, torch.device]:
    """The settings with the precision that suits the device, and the device."""
    threads = processors.threads(threads)
    torch.set_num_threads(threads)
    where = device.choose(settings.device)
    LOG.info("inference on %s, %d threads", where, threads)
    precision = settled(settings.precision, where)
    return settings.model_copy(update={"precision": precision}), where


def wanted(model: Checkpoint, settings: Inference) -> list[str]:
    """The maps to keep, of those that the network has."""
    names = ["refined"]
    if settings.maps == "both":
        if model.network.get("decoders") != "dual":
            LOG.info("maps: this network has no coarse affinities; the refined ones are kept")
        else:
            names.append("coarse")
    return names


def check(raw: h5py.Dataset, model: Checkpoint, settings: Inference) -> None:
    """Raise InputError where the volume is not one that the model can be used on."""
    if model.classes:
        raise InputError(
            f"{raw.file.filename}: is a volume, and the model finds {', '.join(model.classes)} in "
            "images; train one on volumes"
        )
    size = volume.voxel_size(raw)
    ratios = [here / there for here, there in zip(size, model.voxel_size, strict=True)]
    if any(abs(ratio - 1) > settings.voxel_size_tolerance for ratio in ratios):
        here, there = ([f"{nm:g}" for nm in one] for one in (size, model.voxel_size))
        raise InputError(
            f"{raw.file.filename}: voxels are [{', '.join(here)}] nm along z, y, x, those that the "
            f"model was trained on [{', '.join(there)}]; correct the volume's voxel_size if it is "
            f"wrong, else give the volume `resample: [{', '.join(there)}]`, train a model at its "
            "voxel size, or raise infer.voxel_size_tolerance"
        )
    here_made = volume.look(raw.file)
    if model.normalize and here_made != model.normalize:
        raise InputError(
            f"{raw.file.filename}: normalised by {json.dumps(here_made)}, the model's training "
            f"volumes by {json.dumps(model.normalize)}; use the same section normalize"
        )
