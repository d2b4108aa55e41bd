"""How a network of images sees a crop: its sections as images of three colours, in one batch."""

from typing import Literal

import torch
from torch import Tensor


def fold(crop: Tensor, sections: Literal["copies", "neighbours"]) -> Tensor:
    """Sections of a crop (B, C, D, H, W) as images (B*D, 3, H, W); C is 1 or 3.

    Three colours stay as they are. Of a grey crop a section is its own three colours (copies),
    or the section before, itself and the one after are (neighbours; at the ends itself again).
    """
    if crop.shape[1] == 1:
        if sections == "copies":
            crop = crop.expand(-1, 3, -1, -1, -1)
        else:
            before = torch.cat([crop[:, :, :1], crop[:, :, :-1]], dim=2)
            after = torch.cat([crop[:, :, 1:], crop[:, :, -1:]], dim=2)
            crop = torch.cat([before, crop, after], dim=1)  # (B, 3, D, H, W)
    return crop.transpose(1, 2).flatten(0, 1)


def unfold(images: Tensor, batch: int) -> Tensor:
    """Maps of images (B*D, C, H, W) as those of crops (B, C, D, H, W)."""
    return images.reshape(batch, -1, *images.shape[1:]).transpose(1, 2)
