"""What a validation measures: the loss on fixed crops, and neurons in a block.

The block's segmentation is a quick one, made to follow a training: seeded watershed and mean
affinity by waterz. It is not the stage agglomerate, so that an edit of that trains nothing anew.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import waterz
from bioimage_cpp.segmentation import watershed
from scipy import ndimage
from torch import nn

from fgnet import metrics, volume
from fgnet.affinities import NEAREST
from fgnet.errors import InputError
from fgnet.precision import autocast
from fgnet.progress import silenced
from fgnet.settings.train import Training
from fgnet.train.crops import Region, within

BLOCK = (24, 192, 192)
THRESHOLDS = tuple(round(0.1 * i, 1) for i in range(1, 10))  # 1 - affinity
SCORE = "OneMinus<MeanAffinity<RegionGraphType, ScoreValue>>"
FLAT = 2.0  # voxels so many times longer in z are segmented section by section


@dataclass(frozen=True)
class Block:
    """A piece of a validation volume: raw (z, y, x) in [0, 1], labels, voxel size in nm."""

    raw: npt.NDArray[np.float32]
    labels: npt.NDArray[np.integer]
    voxel_size: volume.Triple


def block(region: Region, settings: Training) -> Block:
    """The middle of a validation region."""
    size = within(settings.validation_block or BLOCK, region, "train.validation_block")
    cut = []
    for part, length, room in zip(region.box, size, region.shape, strict=True):
        start = part.start + (room - length) // 2
        cut.append(slice(start, start + length))
    with volume.opened(region.path) as file:
        raw = file[volume.RAW][tuple(cut)].astype(np.float32) / np.float32(255)
        labels = file[volume.LABELS][tuple(cut)]
        if volume.MASK in file:
            labels = np.where(file[volume.MASK][tuple(cut)] > 0, labels, 0)
    return Block(raw, labels, region.voxel_size)


def check(block: Block | None, settings: Training) -> None:
    """Raise InputError where a setting needs what validations cannot measure."""
    asked = [key for key, on in (("best_by", settings.best_by != "loss"),
                                 ("patience", settings.patience is not None)) if on]  # fmt: skip
    if asked and block is None:
        raise InputError(
            f"train.{asked[0]}: there is no validation volume to measure on; give one that split"
        )
    if block is not None and settings.best_by != "loss" and not block.labels.any():
        raise InputError(
            f"train.best_by: {settings.best_by} cannot be measured, as the validation block holds "
            "no labels; name another validation volume first, or change validation_block"
        )


@torch.no_grad()
def neurons(
    network: nn.Module, block: Block, settings: Training, device: torch.device
) -> metrics.Score | None:
    """The best score of a block's segmentation over all thresholds, by VOI.

    None where the network does not learn the nearest three affinities, or nothing is labelled.
    """
    if not set(NEAREST) <= set(settings.offsets) or not block.labels.any():
        return None
    raw = torch.from_numpy(block.raw)[None, None].to(device)  # (1, 1, D, H, W)
    with autocast(device, settings.precision):
        logits = network(raw)["refined"][0]  # (C, D, H, W)
    channels = [settings.offsets.index(offset) for offset in NEAREST]
    affinities = torch.sigmoid(logits[channels].float()).cpu().numpy()
    scores = []
    fragments = cut_up(affinities, block.voxel_size)
    with silenced():
        for segmentation in waterz.agglomerate(
            affinities, THRESHOLDS, fragments=fragments.astype(np.uint64), scoring_function=SCORE,
            discretize_queue=256,
        ):  # fmt: skip
            scores.append(metrics.score(metrics.count(np.asarray(segmentation), block.labels)))
    return min(scores, key=lambda score: score.voi_sum)


def cut_up(affinities: npt.NDArray[np.float32], size: volume.Triple) -> npt.NDArray[np.uint32]:
    """Fragments (z, y, x) of nearest affinities (3, z, y, x), in 3-D or section by section."""
    if size[0] < FLAT * size[2]:
        return basins(affinities.mean(axis=0))
    out = np.zeros(affinities.shape[1:], np.uint32)
    last = 0
    for z, section in enumerate(affinities[1:].mean(axis=0)):
        out[z] = basins(section) + last
        last = int(out[z].max())
    return out


def basins(inside: npt.NDArray[np.float32]) -> npt.NDArray[np.uint32]:
    """Watershed of the mean affinity, from the maxima of the distance to a border."""
    distance = ndimage.distance_transform_edt(inside > 0.5)
    distance = ndimage.gaussian_filter(distance, 1.0)
    peaks = (ndimage.maximum_filter(distance, 5) == distance) & (inside > 0.5)
    seeds, count = ndimage.label(peaks, np.ones((3,) * inside.ndim))
    if not count:
        return np.ones(inside.shape, np.uint32)
    labels: npt.NDArray[np.uint32] = watershed(1 - inside, seeds.astype(np.uint32))
    return labels
