"""What a network learns, and by what its validations judge it: affinities, or masks of classes."""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from fgnet.errors import InputError
from fgnet.imageset import UNLABELLED
from fgnet.metrics import masks as scores
from fgnet.model import mask_losses
from fgnet.model.losses import affinity_loss
from fgnet.precision import autocast
from fgnet.resized import back
from fgnet.settings.base import NEAREST
from fgnet.settings.train import Training
from fgnet.train import validation
from fgnet.train.pictures import Pictures

EDGE = "edge"  # the map of a network that finds borders besides; every other learns the target
NUMBERS = ("voi", "arand", "dice")  # what validations may measure besides the loss


class Objective(Protocol):
    """What the engine asks of it."""

    def losses(self, maps: dict[str, Tensor], target: Tensor, known: Tensor) -> dict[str, Tensor]:
        """The loss of every map of a network, under its name.

        Args:
            maps: logits (B, C, D, H, W); ``edge`` has one channel.
            target, known: (B, C, D, H, W) in {0, 1}.
        """

    def measure(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        """What a validation finds besides the loss, of NUMBERS."""


@dataclass(frozen=True)
class Affinities:
    """Affinities of edges; a block of a validation volume is cut into neurons."""

    settings: Training
    block: validation.Block | None

    def losses(self, maps: dict[str, Tensor], target: Tensor, known: Tensor) -> dict[str, Tensor]:
        """See :class:`Objective`."""
        found = {}
        for name, logits in maps.items():
            if name == EDGE:
                edge, sure = self.borders(target, known)
                found[name] = mask_losses.edge_loss(logits, edge, sure)
            else:
                assert self.settings.loss != "structure", "the config sees to it"
                found[name] = affinity_loss(logits, target, known, self.settings.loss)
        return found

    def borders(self, target: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """Where a nearest edge within the section is cut, and where that is known: (B, 1, D, H, W).

        Of a network that learns none of these edges, where the first one it learns is.
        """
        offsets = self.settings.offsets
        near = [offsets.index(one) for one in NEAREST[1:] if one in offsets] or [0]
        cut = (1 - target[:, near]) * known[:, near]
        return cut.amax(1, keepdim=True), known[:, near].amax(1, keepdim=True)

    def measure(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        """See :class:`Objective`."""
        if self.block is None:
            return {}
        score = validation.neurons(network, self.block, self.settings, device)
        return {} if score is None else {"voi": score.voi_sum, "arand": score.arand}


@dataclass(frozen=True)
class Masks:
    """Masks of classes; images of the validation set are segmented whole."""

    settings: Training
    held_back: Pictures | None

    def losses(self, maps: dict[str, Tensor], target: Tensor, known: Tensor) -> dict[str, Tensor]:
        """See :class:`Objective`."""
        found = {}
        for name, logits in maps.items():
            if name == EDGE:
                found[name] = mask_losses.edge_loss(logits, *mask_losses.edges(target, known))
            elif self.settings.loss == "structure":
                found[name] = mask_losses.structure_loss(logits, target, known)
            else:
                found[name] = mask_losses.dice_bce(logits, target, known)
        return found

    @torch.no_grad()
    def measure(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        """Mean Dice over classes and the first ``validation_crops`` images, at 0.5.

        Images without a labelled pixel do not count, as in scores.
        """
        if self.held_back is None:
            return {}
        found = []
        for index in range(min(len(self.held_back), self.settings.validation_crops)):
            raw, labels = self.held_back.whole(index)
            known = labels != UNLABELLED
            if not known.any():
                continue
            with autocast(device, self.settings.precision):
                logits = network(raw[None].to(device))["refined"].float()  # (1, C, 1, H, W)
            y, x = labels.shape
            chances = back(torch.sigmoid(logits[0, :, 0]), (y, x))  # (C, y, x)
            for number, chance in enumerate(chances.cpu().numpy(), 1):
                found.append(scores.dice(chance[known] >= 0.5, labels[known] == number))
        return {"dice": math.fsum(found) / len(found)} if found else {}


def check(objective: Objective, settings: Training) -> None:
    """Raise InputError where a setting needs what validations cannot measure."""
    match objective:
        case Affinities(block=block):
            validation.check(block, settings)
        case Masks(held_back=None) if settings.best_by != "loss" or settings.patience is not None:
            raise InputError(
                "train.best_by: there is no validation set to measure on; give one that split"
            )
