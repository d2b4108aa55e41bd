"""A plain 3-D U-Net with GroupNorm: the baseline that FGNet is compared with on equal terms."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from fgnet.model.layers import conv
from fgnet.settings.network import UNetNetwork


def double(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3x3x3 convolutions."""
    return nn.Sequential(conv(inputs, outputs), conv(outputs, outputs))


class UNet(nn.Module):
    """Encoder and decoder of double convolutions with skips by concatenation."""

    def __init__(self, settings: UNetNetwork, outputs: int) -> None:
        super().__init__()
        filters = settings.filters
        self.encode = nn.ModuleList(
            double(i, o) for i, o in zip((1, *filters[:-1]), filters, strict=True)
        )
        self.down = nn.ModuleList(nn.MaxPool3d(s, s) for s in settings.strides)
        self.decode = nn.ModuleList(double(f + c, f) for f, c in pairwise(filters))
        self.head = nn.Conv3d(filters[0], outputs, 1)

    def forward(self, crop: Tensor) -> dict[str, Tensor]:
        """Affinity logits ``refined`` (B, outputs, D, H, W) of a crop (B, 1, D, H, W)."""
        maps: list[Tensor] = []
        x = crop
        for index, level in enumerate(self.encode):
            x = level(x if index == 0 else self.down[index - 1](x))
            maps.append(x)  # (B, filters[i], D_i, H_i, W_i)
        for index in reversed(range(len(self.decode))):
            skip = maps[index]
            x = nn.functional.interpolate(x, size=skip.shape[2:], mode="nearest")
            x = self.decode[index](torch.cat([skip, x], dim=1))
        return {"refined": self.head(x)}  # (B, outputs, D, H, W)
