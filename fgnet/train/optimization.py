"""How weights move: optimizers with their presets, learning rates over time, the moving average."""

import math
import re
from itertools import compress
from typing import Any

import torch
from torch import nn

from fgnet.settings.train import Training
from fgnet.train.muon import Muon, Together

# parameters with a learning rate of their own: an encoder's, but for what was put into it
ENCODER = re.compile(r"(sam2\.)?encoder\.(?!.*\bprompt\.)")


def optimizer(network: nn.Module, settings: Training) -> torch.optim.Optimizer | Together:
    """The optimizer of the parameters that are trained; each group keeps its ``base`` rate."""
    named = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    sam2 = [p for name, p in named if ENCODER.match(name)]
    rest = [p for name, p in named if not ENCODER.match(name)]

    def groups(parameters: list[nn.Parameter], rate: float) -> list[dict[str, Any]]:
        return [{"params": parameters, "lr": rate, "base": rate}] if parameters else []

    encoder = groups(sam2, settings.sam2_learning_rate)
    if settings.optimizer == "muon":
        # AdamW for what is no matrix, and for an encoder, which AdamW has trained before
        turned = {id(p) for p in matrices(network)}
        by_muon = groups([p for p in rest if id(p) in turned], settings.learning_rate)
        by_adamw = groups([p for p in rest if id(p) not in turned], settings.learning_rate)
        each: list[tuple[Any, list[dict[str, Any]]]] = [
            (torch.optim.AdamW, encoder + by_adamw), (Muon, by_muon)
        ]  # fmt: skip
        return Together(
            *(of(some, weight_decay=settings.weight_decay) for of, some in each if some)
        )
    both = encoder + groups(rest, settings.learning_rate)
    if settings.optimizer == "adam":
        # as weih527/SuperHuman
        return torch.optim.Adam(both, eps=0.01, weight_decay=settings.weight_decay, amsgrad=True)
    return torch.optim.AdamW(both, weight_decay=settings.weight_decay)


def matrices(network: nn.Module) -> list[nn.Parameter]:
    """Weights that map several numbers to several: no biases, scales or depthwise kernels."""
    return [
        p
        for module in network.modules()
        for p in module.parameters(recurse=False)
        if p.dim() > 1 and min(len(p), p[0].numel()) > 1 and getattr(module, "groups", 1) == 1
    ]


def rate(settings: Training, step: int, progress: float) -> float:
    """The learning rate's factor: warm-up by steps, then constant or a cosine to 1 %."""
    warm = min(1.0, (step + 1) / settings.warmup) if settings.warmup else 1.0
    if settings.schedule == "constant":
        return warm
    return warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))))


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move the average towards the network; the decay grows from 0.1 so that the start fades.

    What is not trained is the same in both and stays.
    """
    decay = min(decay, (1 + step) / (10 + step))
    trained = [p.requires_grad for p in network.parameters()]
    moving = [*compress(average.parameters(), trained), *average.buffers()]
    values = [*compress(network.parameters(), trained), *network.buffers()]
    for mean, value in zip(moving, values, strict=True):
        if value.is_floating_point():
            mean.lerp_(value, 1 - decay)
        else:
            mean.copy_(value)
