"""The first SAM's image encoder: features from several depths of its vision transformer.

The encoder of the transformers package, in the layout of Meta's weights there (facebook/sam-vit-*).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fgnet import pretrained
from fgnet.errors import InputError
from fgnet.model.sam2 import IMAGENET_MEAN, IMAGENET_STD
from fgnet.settings.encoders import Sam1

PATCH = 16
NECK = 256  # channels of the neck's map, of every size
SPREAD = 0.02  # of random weights; the package's own 1e-10 would make every feature the same


@dataclass(frozen=True)
class Size:
    """A vision transformer; every quarter of it ends with a block of global attention.

    ``taps`` are the blocks whose outputs are used where the settings name none: in ViT-B those of
    MASG-SAM's repository, in others the last of each quarter.
    """

    width: int
    depth: int
    heads: int
    taps: tuple[int, ...]


SIZES = {
    "tiny": Size(32, 4, 2, (0, 1, 2, 3)),
    "base": Size(768, 12, 12, (3, 5, 7, 11)),
    "large": Size(1024, 24, 16, (5, 11, 17, 23)),
    "huge": Size(1280, 32, 16, (7, 15, 23, 31)),
}


class Sam1Encoder(nn.Module):
    """Maps of images, all at stride 16: outputs of some blocks, and the neck's.

    Attributes:
        channels: of each map.
        stride: of all maps on the image that the encoder is given.
    """

    mean: Tensor
    std: Tensor
    stride = PATCH

    def __init__(self, settings: Sam1) -> None:
        super().__init__()
        self.settings = settings
        self.frozen = settings.mode == "frozen"
        size = SIZES[settings.size]
        self.trunk: Any = build_trunk(size)
        self.taps = size.taps if settings.taps is None else settings.taps
        if any(tap >= size.depth for tap in self.taps):
            raise InputError(
                f"network.sam1.taps: {list(self.taps)}, but the {settings.size} encoder has blocks "
                f"0 to {size.depth - 1}; leave the others out"
            )
        self.channels = (*[size.width] * len(self.taps), NECK)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))
        if self.frozen:
            self.trunk.requires_grad_(False)

    def train(self, mode: bool = True) -> "Sam1Encoder":
        """Training mode, except that a frozen trunk stays in evaluation mode."""
        super().train(mode)
        if self.frozen:
            self.trunk.eval()
        return self

    def forward(self, images: Tensor) -> list[Tensor]:
        """Images (N, 3, H, W) in [0, 1] -> maps (N, channels[i], h, w), the neck's last.

        h and w are a sixteenth of the sides that ``sam1.image`` resizes H and W to.
        """
        images = (self.resized(images) - self.mean) / self.std
        groups = torch.split(images, self.settings.sections or len(images))
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            encoded = [self.encode(group) for group in groups]
        return [torch.cat(same) for same in zip(*encoded, strict=True)]

    def resized(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) at the encoder's size, both sides multiples of 16."""
        sides = images.shape[2:]
        scale = (self.settings.image or max(sides)) / max(sides)
        grid = tuple(max(1, round(side * scale / PATCH)) * PATCH for side in sides)
        if grid == tuple(sides):
            return images
        return nn.functional.interpolate(images, size=grid, mode="bilinear", antialias=True)

    def encode(self, images: Tensor) -> list[Tensor]:
        """The trunk's maps of images (n, 3, H, W), normalised."""
        trunk, found = self.trunk, {}
        x = trunk.patch_embed.projection(images)  # (n, width, h, w)
        places = trunk.pos_embed.permute(0, 3, 1, 2)  # learnt for 64 x 64 patches
        if places.shape[2:] != x.shape[2:]:
            places = nn.functional.interpolate(places, size=x.shape[2:], mode="bicubic")
        x = (x + places).permute(0, 2, 3, 1)  # (n, h, w, width)
        for index, block in enumerate(trunk.layers):
            x = block(x)
            found[index] = x
        return [*[found[tap].permute(0, 3, 1, 2) for tap in self.taps], trunk.neck(x)]

    def load_official(self, path: Path) -> None:
        """Load the trunk's weights from a folder in the layout of transformers.

        Raises:
            InputError: it holds no SAM, or one of another size.
        """
        from transformers import SamVisionModel  # slow to import

        try:
            given = pretrained.opened(SamVisionModel, path)
            self.trunk.load_state_dict(given.vision_encoder.state_dict())
        except Exception as error:  # the package raises many kinds for a folder that is no model
            raise InputError(
                f"{str(path)!r} does not hold the SAM encoder that network.sam1.size asks for "
                f"({str(error)[:200]}); name the size of the weights or download them again"
            ) from error


def build_trunk(size: Size) -> nn.Module:
    """The package's encoder with random weights."""
    from transformers import SamVisionConfig  # slow to import, needed with this encoder alone
    from transformers.models.sam.modeling_sam import SamVisionEncoder

    quarter = size.depth // 4
    trunk: nn.Module = SamVisionEncoder(
        SamVisionConfig(
            hidden_size=size.width,
            num_hidden_layers=size.depth,
            num_attention_heads=size.heads,
            output_channels=NECK,
            global_attn_indexes=tuple(range(quarter - 1, size.depth, quarter)),
            initializer_range=SPREAD,
        )
    )
    return trunk
