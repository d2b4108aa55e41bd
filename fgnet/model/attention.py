"""Feature-Guided Attention: SAM2's features steer the fine-grained encoder.

The abstract of FGNet (arXiv 2511.13063) names the module and its purpose; its formula was not
available to us. The forms below are our reconstruction, chosen by ``network.attention``.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from fgnet.model.convolution import Conv3d
from fgnet.model.layers import groups, resize


def guidance(fine: int, guide: int, form: Literal["gate", "cross", "concatenate"]) -> nn.Module:
    """The module by which a map of ``guide`` channels steers one of ``fine`` channels."""
    if form == "gate":
        return Gate(fine, guide)
    return Cross(fine, guide) if form == "cross" else Concatenate(fine, guide)


class Concatenate(nn.Module):
    """conv[F, S], a 1x1x1 convolution of both maps.

    It is the sum of a convolution of F and one of S, and commutes with resampling: S is
    projected on its own small grid and only then resampled.
    """

    def __init__(self, fine: int, guide: int) -> None:
        super().__init__()
        self.from_fine = Conv3d(fine, fine, 1)
        self.from_guide = Conv3d(guide, fine, 1, bias=False)

    def forward(self, fine: Tensor, guide: Tensor) -> Tensor:
        """fine (B, F, D, H, W), guide (B, G, d, h, w) -> (B, F, D, H, W)."""
        mixed: Tensor = self.from_fine(fine) + resize(self.from_guide(guide), fine)
        return mixed


class Gate(Concatenate):
    """F + sigmoid(conv[F, S]) * F, so that guidance can stress a place but not erase it."""

    def forward(self, fine: Tensor, guide: Tensor) -> Tensor:
        """fine (B, F, D, H, W), guide (B, G, d, h, w) -> (B, F, D, H, W)."""
        return fine + torch.sigmoid(super().forward(fine, guide)) * fine


class Cross(nn.Module):
    """F + attention with F as query and S as key and value, section by section.

    Queries are taken on the guide's grid (F pooled in plane), since every voxel of a fine level
    asking every place of a section would cost the square of its size.
    """

    def __init__(self, fine: int, guide: int) -> None:
        super().__init__()
        self.heads = groups(fine)
        self.norm = nn.GroupNorm(groups(fine), fine)
        self.query = Conv3d(fine, fine, 1)
        self.key_value = Conv3d(guide, 2 * fine, 1)
        self.out = Conv3d(fine, fine, 1)

    def forward(self, fine: Tensor, guide: Tensor) -> Tensor:
        """fine (B, F, D, H, W), guide (B, G, d, h, w) -> (B, F, D, H, W)."""
        height, width = (min(a, b) for a, b in zip(fine.shape[3:], guide.shape[3:], strict=True))
        grid = (fine.shape[2], height, width)
        query = functional.adaptive_avg_pool3d(self.query(self.norm(fine)), grid)  # (B, F, D, h, w)
        guide = functional.adaptive_avg_pool3d(guide, (grid[0], None, None))
        key, value = self.key_value(guide).chunk(2, dim=1)  # (B, F, D, h, w) each
        mixed = functional.scaled_dot_product_attention(
            self.tokens(query), self.tokens(key), self.tokens(value)
        )  # (B*D, heads, h*w, F/heads)
        mixed = mixed.transpose(2, 3).reshape(len(fine), grid[0], -1, *grid[1:])  # (B, D, F, h, w)
        return fine + resize(self.out(mixed.transpose(1, 2)), fine)

    def tokens(self, x: Tensor) -> Tensor:
        """(B, F, D, h, w) -> (B*D, heads, h*w, F/heads)."""
        sections = x.transpose(1, 2).flatten(0, 1).flatten(2)  # (B*D, F, h*w)
        split = sections.reshape(len(sections), self.heads, -1, sections.shape[2])
        return split.transpose(2, 3)
