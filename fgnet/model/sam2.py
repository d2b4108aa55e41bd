"""SAM2's image encoder on the sections of a 3-D crop.

The Hiera trunk of the sam2 package (facebookresearch/sam2, Apache-2.0), with the package's own
configurations and the layout of Meta's official checkpoints.
"""

from importlib import resources
from pathlib import Path

import torch
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from fgnet import tensors
from fgnet.errors import InputError
from fgnet.model import prompts
from fgnet.model.windows import unpadded
from fgnet.settings.encoders import Sam2

STRIDES = (4, 8, 16, 32)
LETTER = {"tiny": "t", "small": "s", "base_plus": "b+", "large": "l"}
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
ADAPTED = r".*attn\.(qkv|proj)"  # layers that LoRA adapts: those of every attention
WRAPPED = ".base_layer"  # what peft puts into the name of an adapted layer's own weights


class Sam2Encoder(nn.Module):
    """Features of every section of a crop, at four in-plane strides, lifted to 3-D.

    A grey section is repeated to three channels; all are normalised as ImageNet's images are. The
    trunk sees each section alone; its maps (``channels[i]`` at ``strides[i]`` of the crop) are
    returned with the sections stacked again along z.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, settings: Sam2) -> None:
        super().__init__()
        self.settings = settings
        self.frozen = settings.mode == "frozen"
        self.trunk = build_trunk(settings)
        choose_trained(self.trunk, settings)
        # the package lists channels from the coarsest map to the finest
        self.channels = tuple(reversed([int(c) for c in self.trunk.channel_list]))  # type: ignore[union-attr]
        self.strides = tuple(max(1, stride // settings.upscale) for stride in STRIDES)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))
        self.train(self.training)

    def train(self, mode: bool = True) -> "Sam2Encoder":
        """Training mode, except that a frozen trunk stays in evaluation mode."""
        super().train(mode)
        if self.frozen:
            self.trunk.eval()
        return self

    def forward(self, crop: Tensor) -> list[Tensor]:
        """Encode a crop (B, C, D, H, W) in [0, 1]; C is 1 or 3, H and W are multiples of 32.

        Returns:
            Four maps (B, channels[i], D, H / strides[i], W / strides[i]), finest first.
        """
        batch, _, depth = crop.shape[:3]
        sections = crop.transpose(1, 2).flatten(0, 1)  # (B*D, C, H, W)
        if self.settings.upscale > 1:
            sections = nn.functional.interpolate(
                sections, scale_factor=self.settings.upscale, mode="bicubic"
            )  # (B*D, C, H*upscale, W*upscale)
        sections = (sections.expand(-1, 3, -1, -1) - self.mean) / self.std  # (B*D, 3, ...)
        groups = torch.split(sections, self.settings.sections or len(sections))
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            encoded = [self.encode(group) for group in groups]  # each four (b, C, h, w)
        maps = [torch.cat(same) for same in zip(*encoded, strict=True)]  # each (B*D, C, h, w)
        return [
            m.reshape(batch, depth, *m.shape[1:]).transpose(1, 2) for m in maps
        ]  # (B, C, D, h, w)

    def encode(self, sections: Tensor) -> list[Tensor]:
        """The trunk's four maps of sections (b, 3, H, W)."""
        if self.settings.recompute and torch.is_grad_enabled():
            maps: list[Tensor] = checkpoint(self.trunk, sections, use_reentrant=False)
        else:
            maps = self.trunk(sections)
        return maps

    def load_official(self, path: Path) -> None:
        """Load the trunk's weights from a checkpoint in Meta's layout.

        Raises:
            InputError: the file is no such checkpoint, or one of another size.
        """
        try:
            state = tensors.load(path)["model"]
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise InputError(
                f"{str(path)!r} is not a SAM2 checkpoint ({error}); download it again"
            ) from error
        prefix = "image_encoder.trunk."
        given = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        # what was put into the trunk for training is not in the file and stays as it is
        put_in = ("lora_", f".{prompts.NAME}.")
        own = {
            k.replace(WRAPPED, ""): k
            for k in self.trunk.state_dict() if not any(part in k for part in put_in)
        }  # fmt: skip
        shapes = {k: self.trunk.state_dict()[name].shape for k, name in own.items()}
        if {k: v.shape for k, v in given.items()} != shapes:
            raise InputError(
                f"{str(path)!r} holds another SAM2 encoder than network.sam2.size asks for; "
                "name the size of the checkpoint or download the right one"
            )
        self.trunk.load_state_dict({own[k]: v for k, v in given.items()}, strict=False)


def build_trunk(settings: Sam2) -> nn.Module:
    """The package's Hiera trunk for a version and size, with random weights.

    It attends as the package's own does, without the padding of maps smaller than a window.
    """
    from hydra.utils import instantiate  # slow to import and needed here alone

    folder, stem = (
        ("sam2.1", "sam2.1_hiera_") if settings.version == "2.1" else ("sam2", "sam2_hiera_")
    )
    name = f"configs/{folder}/{stem}{LETTER[settings.size]}.yaml"
    with resources.as_file(resources.files("sam2") / name) as path:
        config = OmegaConf.load(path)
    trunk: nn.Module = instantiate(config.model.image_encoder.trunk)
    unpadded(trunk)
    return trunk


def choose_trained(trunk: nn.Module, settings: Sam2) -> None:
    """Let gradients reach what ``sam2.mode`` trains; put adapters or prompt layers in for it."""
    if settings.mode == "finetuned":
        return
    trunk.requires_grad_(False)
    blocks = list(trunk.blocks)  # type: ignore[arg-type]
    if settings.mode == "last_blocks":
        if settings.blocks > len(blocks):
            raise InputError(
                f"network.sam2.blocks: {settings.blocks} blocks are to be trained, but the "
                f"{settings.size} encoder has {len(blocks)}; use fewer, or mode: finetuned"
            )
        for block in blocks[-settings.blocks :]:
            block.requires_grad_(True)
    if settings.mode == "lora":
        from peft import LoraConfig, inject_adapter_in_model  # slow to import, needed here alone

        low_rank = LoraConfig(r=settings.rank, lora_alpha=settings.rank, target_modules=ADAPTED)
        inject_adapter_in_model(low_rank, trunk)
    if settings.mode == "prompts":
        prompts.prompt(blocks, [int(block.dim) for block in blocks], settings.hidden)
