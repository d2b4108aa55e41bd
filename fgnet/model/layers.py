"""Convolution blocks that the networks share."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fgnet.model.convolution import Conv3d


def groups(channels: int) -> int:
    """Groups for GroupNorm: eight where that divides, else fewer."""
    return next(count for count in (8, 4, 2, 1) if channels % count == 0)


def conv(
    inputs: int, outputs: int, kernel: int | tuple[int, int, int] = 3, relu: bool = True
) -> nn.Sequential:
    """3-D convolution that keeps the shape, GroupNorm and, if wanted, ReLU."""
    size = (kernel,) * 3 if isinstance(kernel, int) else kernel
    layers: list[nn.Module] = [
        Conv3d(inputs, outputs, size, bias=False),
        nn.GroupNorm(groups(outputs), outputs),
    ]
    return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if relu else []))


def conv2d(inputs: int, outputs: int, kernel: int = 3) -> nn.Sequential:
    """2-D convolution that keeps the shape, GroupNorm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding="same", bias=False),
        nn.GroupNorm(groups(outputs), outputs), nn.ReLU(inplace=True),
    )  # fmt: skip


class Residual(nn.Module):
    """Two 3x3x3 convolutions with a shortcut around them."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(inputs, outputs), conv(outputs, outputs, relu=False))
        self.shortcut = (
            nn.Identity() if inputs == outputs else Conv3d(inputs, outputs, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, D, H, W) -> (B, outputs, D, H, W)."""
        out: Tensor = torch.relu(self.body(x) + self.shortcut(x))
        return out


def resize(x: Tensor, like: Tensor) -> Tensor:
    """Trilinear resampling of (B, C, d, h, w) to the grid (D, H, W) of another tensor."""
    if x.shape[2:] == like.shape[2:]:
        return x
    return nn.functional.interpolate(x, size=like.shape[2:], mode="trilinear")


def fit(crop: Tensor, strides: Sequence[Sequence[int]]) -> Tensor:
    """Pad a crop (B, C, D, H, W) at its ends until all strides divide it."""
    wanted = [math.prod(stride[axis] for stride in strides) for axis in range(3)]
    ends = [-size % step for size, step in zip(crop.shape[2:], wanted, strict=True)]
    if not any(ends):
        return crop
    depth, height, width = ends
    return nn.functional.pad(crop, (0, width, 0, height, 0, depth), mode="replicate")
