"""SAM2's image encoder on the sections of a 3-D crop.

The Hiera trunk of the sam2 package (facebookresearch/sam2, Apache-2.0), with the package's own
configurations and the layout of Meta's official checkpoints.
"""

from importlib import resources
from pathlib import Path

import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from fgnet.errors import InputError
from fgnet.settings.network import Sam2

STRIDES = (4, 8, 16, 32)
LETTER = {"tiny": "t", "small": "s", "base_plus": "b+", "large": "l"}
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Sam2Encoder(nn.Module):
    """Features of every section of a crop, at four in-plane strides, lifted to 3-D.

    A section is repeated to three channels and normalised as ImageNet's images are. The trunk
    sees each section alone; its maps (``channels[i]`` at stride 4, 8, 16, 32) are returned with
    the sections stacked again along z.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, settings: Sam2) -> None:
        super().__init__()
        self.frozen = settings.mode == "frozen"
        self.trunk = build_trunk(settings)
        # the package lists channels from the coarsest map to the finest
        self.channels = tuple(reversed([int(c) for c in self.trunk.channel_list]))  # type: ignore[union-attr]
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))
        if self.frozen:
            self.trunk.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> "Sam2Encoder":
        """Training mode, except that a frozen trunk stays in evaluation mode."""
        super().train(mode)
        if self.frozen:
            self.trunk.eval()
        return self

    def forward(self, crop: Tensor) -> list[Tensor]:
        """Encode a crop (B, 1, D, H, W) in [0, 1]; H and W are multiples of 32.

        Returns:
            Four maps (B, channels[i], D, H / stride, W / stride), finest first.
        """
        batch, _, depth, height, width = crop.shape
        sections = crop.transpose(1, 2).reshape(batch * depth, 1, height, width)  # (B*D, 1, H, W)
        sections = (sections.expand(-1, 3, -1, -1) - self.mean) / self.std  # (B*D, 3, H, W)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            maps = self.trunk(sections)  # each (B*D, C, h, w)
        return [m.unflatten(0, (batch, depth)).transpose(1, 2) for m in maps]  # (B, C, D, h, w)

    def load_official(self, path: Path) -> None:
        """Load the trunk's weights from a checkpoint in Meta's layout.

        Raises:
            InputError: the file is no such checkpoint, or one of another size.
        """
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)["model"]
        except Exception as error:  # torch raises many kinds for a file that is no checkpoint
            raise InputError(
                f"{str(path)!r} is not a SAM2 checkpoint ({error}); download it again"
            ) from error
        prefix = "image_encoder.trunk."
        trunk = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        own = self.trunk.state_dict()
        if {k: v.shape for k, v in trunk.items()} != {k: v.shape for k, v in own.items()}:
            raise InputError(
                f"{str(path)!r} holds another SAM2 encoder than network.sam2.size asks for; "
                "name the size of the checkpoint or download the right one"
            )
        self.trunk.load_state_dict(trunk)


def build_trunk(settings: Sam2) -> nn.Module:
    """The package's Hiera trunk for a version and size, with random weights."""
    from hydra.utils import instantiate  # slow to import and needed here alone

    folder, stem = (
        ("sam2.1", "sam2.1_hiera_") if settings.version == "2.1" else ("sam2", "sam2_hiera_")
    )
    name = f"configs/{folder}/{stem}{LETTER[settings.size]}.yaml"
    with resources.as_file(resources.files("sam2") / name) as path:
        config = OmegaConf.load(path)
    trunk: nn.Module = instantiate(config.model.image_encoder.trunk)
    return trunk
