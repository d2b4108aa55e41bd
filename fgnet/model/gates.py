"""Attention that weighs the channels and the places of a 2-D map, as published.

Squeeze and excitation (arXiv 1709.01507), efficient channel attention (arXiv 1910.03151) and CBAM
(arXiv 1807.06521). Every weight lies between 0 and 1.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn

REDUCTION = 16  # of channels inside, as published
FEWEST = 4  # channels inside


class Gate(nn.Module):
    """x * weights(x)."""

    def weights(self, x: Tensor) -> Tensor:
        """Weights in (0, 1) of a map (N, C, H, W), on its grid or with axes of length one."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return x * self.weights(x)


class Squeeze(Gate):
    """A weight for each channel from its mean and, for CBAM, its maximum."""

    def __init__(self, channels: int, maximum: bool = False) -> None:
        super().__init__()
        hidden = max(FEWEST, channels // REDUCTION)
        self.maximum = maximum
        self.mix = nn.Sequential(
            nn.Linear(channels, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, channels)
        )

    def weights(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, 1, 1)."""
        found = self.mix(x.mean(dim=(2, 3)))  # (N, C)
        if self.maximum:
            found = found + self.mix(x.amax(dim=(2, 3)))
        return torch.sigmoid(found)[:, :, None, None]


class Efficient(Gate):
    """A weight for each channel from the means of its neighbours in the list of channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        size = int(abs((math.log2(channels) + 1) / 2))  # as published, and odd
        self.mix = nn.Conv1d(1, 1, size + 1 - size % 2, padding="same", bias=False)

    def weights(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, 1, 1)."""
        found = self.mix(x.mean(dim=(2, 3))[:, None])  # (N, 1, C)
        return torch.sigmoid(found)[:, 0, :, None, None]


class Places(Gate):
    """A weight for each place from the mean and maximum of its channels."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(2, 1, 7, padding="same")

    def weights(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, 1, H, W)."""
        both = torch.cat([x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)], dim=1)
        return torch.sigmoid(self.mix(both))


def gate(form: Literal["se", "eca", "cbam", "none"], channels: int) -> nn.Module:
    """The gate of a map of so many channels."""
    match form:
        case "se":
            return Squeeze(channels)
        case "eca":
            return Efficient(channels)
        case "cbam":
            return nn.Sequential(Squeeze(channels, maximum=True), Places())
        case "none":
            return nn.Identity()
