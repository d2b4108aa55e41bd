"""The two affinity decoders: coarse from SAM2's features, refined from the guided ones."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from fgnet.model.convolution import Conv3d
from fgnet.model.layers import Residual, conv, resize


class CoarseDecoder(nn.Module):
    """A_s: SAM2's four maps, from the coarsest up, to coarse affinities at stride four.

    Each step adds the resampled coarser map and mixes neighbouring sections, which the trunk
    saw one by one. The logits are resampled to the crop at the end.
    """

    def __init__(self, channels: int, scales: int, outputs: int) -> None:
        super().__init__()
        self.mix = nn.ModuleList(conv(channels, channels) for _ in range(scales))
        self.head = Conv3d(channels, outputs, 1)

    def forward(self, maps: Sequence[Tensor], crop: Tensor) -> Tensor:
        """Maps (B, C, D, h, w), finest first -> logits (B, outputs, D, H, W) on the crop's grid."""
        x = self.mix[-1](maps[-1])
        for mix, finer in zip(list(self.mix)[-2::-1], maps[-2::-1], strict=True):
            x = mix(finer + resize(x, finer))
        return resize(self.head(x), crop)  # (B, outputs, D, H, W)


class RefinedDecoder(nn.Module):
    """A_r: the encoder's maps, from the coarsest up, to affinities at full resolution."""

    def __init__(self, filters: Sequence[int], outputs: int) -> None:
        super().__init__()
        self.up = nn.ModuleList(Residual(fine + coarse, fine) for fine, coarse in pairwise(filters))
        self.head = Conv3d(filters[0], outputs, 1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps (B, filters[i], D_i, H_i, W_i), finest first -> logits (B, outputs, D, H, W)."""
        x = maps[-1]
        for up, skip in zip(list(self.up)[::-1], maps[-2::-1], strict=True):
            x = up(torch.cat([skip, resize(x, skip)], dim=1))
        out: Tensor = self.head(x)
        return out
