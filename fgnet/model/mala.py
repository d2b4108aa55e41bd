"""MALA's network: the U-Net of Funke et al. 2018 (arXiv 1709.02974).

Layers and channels as published (12 channels, five times as many at each level), 84,020,475
parameters with three outputs. Published, its convolutions shrink a crop of 53 x 268 x 268 to
25 x 56 x 56; here they are padded, so that all models see the same crops and give the same grid.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from fgnet.model.convolution import Conv3d
from fgnet.model.layers import fit
from fgnet.settings.network import MalaNetwork, Stride

SLOPE = 0.005  # of the leaky ReLU, as published


def double(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3x3x3 convolutions."""
    return nn.Sequential(
        Conv3d(inputs, outputs, 3), nn.LeakyReLU(SLOPE, inplace=True),
        Conv3d(outputs, outputs, 3), nn.LeakyReLU(SLOPE, inplace=True),
    )  # fmt: skip


def up(coarse: int, fine: int, stride: Stride) -> nn.Sequential:
    """To the finer grid by a transposed convolution of each channel."""
    return nn.Sequential(
        nn.ConvTranspose3d(coarse, coarse, stride, stride, groups=coarse, bias=False),
        Conv3d(coarse, fine, 1),
    )


class Mala(nn.Module):
    """Encoder and decoder of double convolutions without normalisation."""

    def __init__(self, settings: MalaNetwork, outputs: int, inputs: int = 1) -> None:
        super().__init__()
        filters = settings.filters
        self.strides = settings.strides
        self.encode = nn.ModuleList(
            double(i, o) for i, o in zip((inputs, *filters[:-1]), filters, strict=True)
        )
        self.up = nn.ModuleList(
            up(coarse, fine, stride)
            for (fine, coarse), stride in zip(pairwise(filters), self.strides, strict=True)
        )
        self.decode = nn.ModuleList(double(2 * fine, fine) for fine in filters[:-1])
        self.head = Conv3d(filters[0], outputs, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv3d | nn.ConvTranspose3d):
                nn.init.kaiming_normal_(module.weight, SLOPE)

    def forward(self, crop: Tensor) -> dict[str, Tensor]:
        """Logits ``refined`` (B, outputs, D, H, W) of a crop (B, inputs, D, H, W)."""
        x = fit(crop, self.strides)
        skips: list[Tensor] = []
        for index, level in enumerate(self.encode):
            x = level(x)  # (B, filters[i], D_i, H_i, W_i)
            if index < len(self.strides):
                skips.append(x)
                x = nn.functional.max_pool3d(x, self.strides[index], self.strides[index])
        for index in reversed(range(len(self.decode))):
            x = self.decode[index](torch.cat([self.up[index](x), skips[index]], dim=1))
        depth, height, width = crop.shape[2:]
        return {"refined": self.head(x)[:, :, :depth, :height, :width]}  # (B, outputs, D, H, W)
