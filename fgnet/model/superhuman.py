"""SuperHuman's network: the residual symmetric U-Net of Lee et al. 2017 (arXiv 1706.00120).

Layer for layer as in the PyTorch code that weih527/SuperHuman published: 5x5 convolutions in
plane at both ends, residual blocks whose first convolution is in plane, depthwise transposed
convolutions upwards, skips by addition. With three outputs it has 1,478,799 parameters.
"""

from itertools import pairwise

from torch import Tensor, nn

from fgnet.model.convolution import Conv3d
from fgnet.model.layers import fit
from fgnet.settings.network import Stride, SuperHumanNetwork


class Block(nn.Module):
    """A convolution in plane, then two in 3-D with a shortcut around them."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.enter = nn.Sequential(
            Conv3d(inputs, outputs, (1, 3, 3), bias=False),
            nn.BatchNorm3d(outputs),
            nn.ELU(inplace=True),
        )
        self.body = nn.Sequential(
            Conv3d(outputs, outputs, 3, bias=False), nn.BatchNorm3d(outputs),
            nn.ELU(inplace=True), Conv3d(outputs, outputs, 3, bias=False),
        )  # fmt: skip
        self.leave = nn.Sequential(nn.BatchNorm3d(outputs), nn.ELU(inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, D, H, W) -> (B, outputs, D, H, W)."""
        x = self.enter(x)
        out: Tensor = self.leave(x + self.body(x))
        return out


class Up(nn.Module):
    """To the finer grid by a transposed convolution of each channel, plus the skip, and a block."""

    def __init__(self, coarse: int, fine: int, stride: Stride) -> None:
        super().__init__()
        self.up = nn.Sequential(
            nn.ConvTranspose3d(coarse, coarse, stride, stride, groups=coarse),
            Conv3d(coarse, fine, 1),
        )
        self.norm = nn.Sequential(nn.BatchNorm3d(fine), nn.ELU(inplace=True))
        self.block = Block(fine, fine)

    def forward(self, coarse: Tensor, skip: Tensor) -> Tensor:
        """(B, coarse, d, h, w) and (B, fine, D, H, W) -> (B, fine, D, H, W)."""
        out: Tensor = self.block(self.norm(self.up(coarse) + skip))
        return out


class SuperHuman(nn.Module):
    """Encoder and decoder of residual blocks, symmetric."""

    def __init__(self, settings: SuperHumanNetwork, outputs: int, inputs: int = 1) -> None:
        super().__init__()
        filters = settings.filters
        self.strides = settings.strides
        first = filters[0]
        self.embed = nn.Sequential(Conv3d(inputs, first, (1, 5, 5)), nn.ELU(inplace=True))
        self.down = nn.ModuleList(
            Block(i, o) for i, o in zip((first, *filters[:-1]), filters, strict=True)
        )
        self.up = nn.ModuleList(
            Up(coarse, fine, stride)
            for (fine, coarse), stride in zip(pairwise(filters), self.strides, strict=True)
        )
        self.head = nn.Sequential(
            Conv3d(first, first, (1, 5, 5)), nn.ELU(inplace=True),
            Conv3d(first, outputs, 1),
        )  # fmt: skip
        for module in self.modules():
            if isinstance(module, nn.BatchNorm3d):
                module.momentum = settings.momentum

    def forward(self, crop: Tensor) -> dict[str, Tensor]:
        """Logits ``refined`` (B, outputs, D, H, W) of a crop (B, inputs, D, H, W)."""
        x = self.embed(fit(crop, self.strides))
        skips: list[Tensor] = []
        for index, block in enumerate(self.down):
            x = block(x)  # (B, filters[i], D_i, H_i, W_i)
            if index < len(self.strides):
                skips.append(x)
                x = nn.functional.max_pool3d(x, self.strides[index], self.strides[index])
        for up, skip in zip(list(self.up)[::-1], skips[::-1], strict=True):
            x = up(x, skip)
        depth, height, width = crop.shape[2:]
        logits: Tensor = self.head(x)[:, :, :depth, :height, :width]
        return {"refined": logits}
