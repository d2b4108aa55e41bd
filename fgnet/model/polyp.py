"""Polyp segmentation: a prompted SAM2 encoder and a full-scale decoder with channel attention.

"Fine-Tuning SAM2 for Generalizable Polyp Segmentation with a Channel Attention-Enhanced Decoder":
prompt layers in the encoder's blocks, full-scale skip connections and channel attention are its
abstract's; how they are made is our reconstruction, the decoder after UNet 3+ (arXiv 2004.08790).

crop ── sections ── SAM2 trunk with prompt layers ── four scales ══ full-scale decoder ── logits
                                                                     each node: all scales, gated
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fgnet.model.folding import fold, unfold
from fgnet.model.gates import gate
from fgnet.model.layers import conv2d
from fgnet.model.sam2 import Sam2Encoder
from fgnet.settings.network import PolypNetwork


def onto(x: Tensor, grid: torch.Size) -> Tensor:
    """A map (N, C, h, w) on another scale's grid: the maximum downwards, bilinear upwards."""
    if x.shape[2] > grid[0]:
        return nn.functional.max_pool2d(x, x.shape[2] // grid[0])
    return x if x.shape[2:] == grid else nn.functional.interpolate(x, size=grid, mode="bilinear")


class Node(nn.Module):
    """A node of the decoder: every scale on its own grid, concatenated, gated and mixed."""

    def __init__(self, sources: Sequence[int], settings: PolypNetwork) -> None:
        super().__init__()
        width = settings.sam2.channels
        self.enter = nn.ModuleList(conv2d(channels, width) for channels in sources)
        self.gate = gate(settings.attention, width * len(sources))
        self.leave = conv2d(width * len(sources), width)

    def forward(self, maps: Sequence[Tensor], grid: torch.Size) -> Tensor:
        """A map (N, sources[i], h_i, w_i) of every scale -> (N, width, *grid)."""
        scales = [
            enter(onto(m, grid)) for enter, m in zip(self.enter, maps, strict=True)
        ]  # (N, width, *grid) each
        out: Tensor = self.leave(self.gate(torch.cat(scales, dim=1)))
        return out


class FullScaleDecoder(nn.Module):
    """A node at every scale, coarsest first; each is fed by all scales.

    Scales as fine as a node's or finer come from the encoder, coarser ones from their own nodes,
    which have seen all of the encoder; the coarsest node is fed by the encoder alone.
    """

    def __init__(self, channels: Sequence[int], settings: PolypNetwork) -> None:
        super().__init__()
        width, last = settings.sam2.channels, len(channels) - 1
        self.nodes = nn.ModuleList(
            Node([*channels[: index + 1], *[width] * (last - index)], settings)
            for index in range(len(channels))
        )

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """The encoder's maps (N, channels[i], h_i, w_i) -> nodes (N, width, h_i, w_i).

        Finest first.
        """
        found: list[Tensor] = []
        for index in reversed(range(len(maps))):
            sources = [*maps[: index + 1], *found]
            found.insert(0, self.nodes[index](sources, maps[index].shape[2:]))
        return found


class Polyp(nn.Module):
    """From the sections of a crop, or a colour image, to logits, section by section."""

    def __init__(self, settings: PolypNetwork, outputs: int) -> None:
        super().__init__()
        self.sections = settings.sections
        self.encoder = Sam2Encoder(settings.sam2)
        self.decoder = FullScaleDecoder(self.encoder.channels, settings)
        count = len(self.encoder.channels) if settings.side_outputs else 1
        self.heads = nn.ModuleList(
            nn.Conv2d(settings.sam2.channels, outputs, 3, padding="same") for _ in range(count)
        )

    def forward(self, crop: Tensor) -> dict[str, Tensor]:
        """Logits of a crop (B, C, D, H, W) in [0, 1]; C is 1 or 3, H and W multiples of 32.

        Returns:
            ``refined`` of the finest node and, with side outputs, ``deep1``, ``deep2`` and
            ``deep3`` of the coarser ones, each (B, outputs, D, H, W).
        """
        images = fold(crop, self.sections)  # (B*D, 3, H, W)
        maps = [m[:, :, 0] for m in self.encoder(images[:, :, None])]  # (B*D, c_i, h_i, w_i)
        found = {}
        # without side outputs the finest node alone has a head
        for index, (head, node) in enumerate(zip(self.heads, self.decoder(maps), strict=False)):
            logits = onto(head(node), images.shape[2:])  # (B*D, outputs, H, W)
            found[f"deep{index}" if index else "refined"] = unfold(logits, len(crop))
        return found
