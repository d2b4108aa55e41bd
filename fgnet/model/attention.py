"""Feature-Guided Attention: SAM2's features steer the fine-grained encoder.

The abstract of FGNet (arXiv 2511.13063) names the module and its purpose; its formula was not
available to us. The forms below are our reconstruction, chosen by ``network.attention``.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from fgnet.model.layers import resize


class FeatureGuidedAttention(nn.Module):
    """Guide a fine map F by a coarser map S of general features.

    gate: F + sigmoid(conv[F, S]) * F, so that guidance can stress a place but not erase it.
    concatenate: conv[F, S].

    A 1x1x1 convolution of the concatenation is the sum of one on F and one on S, and commutes
    with resampling: S is projected on its own small grid and only then resampled.
    """

    def __init__(self, fine: int, guide: int, form: Literal["gate", "concatenate"]) -> None:
        super().__init__()
        self.form = form
        self.from_fine = nn.Conv3d(fine, fine, 1)
        self.from_guide = nn.Conv3d(guide, fine, 1, bias=False)

    def forward(self, fine: Tensor, guide: Tensor) -> Tensor:
        """fine (B, F, D, H, W), guide (B, G, d, h, w) -> (B, F, D, H, W)."""
        mixed: Tensor = self.from_fine(fine) + resize(self.from_guide(guide), fine)
        if self.form == "concatenate":
            return mixed
        return fine + torch.sigmoid(mixed) * fine
