"""MASG-SAM: hierarchical attention, boundary enhancement and semantic fusion on a SAM encoder.

Zhou et al., IEEE JBHI 2025. What its three modules are for is the abstract's; the depths that
features are taken from are known from the public repository, whose modules are empty. So every
formula here is our reconstruction.

crop ── sections ── SAM ══ maps ── HAE ── BFE ── DSF ── upwards ── logits
                                           │      └ prompts
                                           └── edge
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from fgnet.model.folding import fold, unfold
from fgnet.model.gates import gate
from fgnet.model.layers import conv2d
from fgnet.model.sam1 import Sam1Encoder
from fgnet.model.sam2 import Sam2Encoder
from fgnet.model.text import WIDTHS, Prompts
from fgnet.settings.network import MasgNetwork

STRIDE = 4  # of the logits on the image that the encoder sees, as of SAM's own masks
FLAT = 1e-6  # added under the root of Sobel's slope, whose gradient has none at 0


class HierarchicalAttention(nn.Module):
    """HAE: each map weighed by its channels and places (CBAM), then summed by shares.

    The shares are found from the maps' means, image by image, and add up to one; they are equal
    at first.
    """

    def __init__(self, channels: int, maps: int) -> None:
        super().__init__()
        self.gates = nn.ModuleList(gate("cbam", channels) for _ in range(maps))
        self.score = nn.ModuleList(nn.Linear(channels, 1) for _ in range(maps))
        for parameter in self.score.parameters():
            nn.init.zeros_(parameter)

    def shares(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps (N, C, h, w) -> (N, maps), each row adding up to one."""
        scores = [s(m.mean(dim=(2, 3))) for s, m in zip(self.score, maps, strict=True)]
        return torch.cat(scores, dim=1).softmax(dim=1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps (N, C, h, w) on one grid -> (N, C, h, w)."""
        gated = [each(m) for each, m in zip(self.gates, maps, strict=True)]
        shares = self.shares(gated)
        whole = torch.zeros_like(maps[0])
        for number, m in enumerate(gated):
            whole = whole + shares[:, number, None, None, None] * m
        return whole


class BoundaryEnhancement(nn.Module):
    """BFE: F + sigmoid(conv(edges of F)) * F, and the logits of an edge map."""

    def __init__(self, channels: int, form: Literal["pooled", "sobel"]) -> None:
        super().__init__()
        self.form = form
        self.mix = conv2d(channels, channels)
        self.gate = nn.Conv2d(channels, channels, 1)
        self.head = nn.Conv2d(channels, 1, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C, h, w) -> the stressed map, same shape, and edge logits (N, 1, h, w)."""
        mixed = self.mix(pooled(x) if self.form == "pooled" else sobel(x))
        return x + torch.sigmoid(self.gate(mixed)) * x, self.head(mixed)


def pooled(x: Tensor) -> Tensor:
    """A map (N, C, h, w) less its mean over 3x3 places, those of the border repeated outside."""
    around = nn.functional.pad(x, (1, 1, 1, 1), mode="replicate")
    return x - nn.functional.avg_pool2d(around, 3, stride=1)


def sobel(x: Tensor) -> Tensor:
    """Sobel's slope of a map (N, C, h, w), a step of one giving one; borders are repeated."""
    p = nn.functional.pad(x, (1, 1, 1, 1), mode="replicate")
    across = p[..., 2:] - p[..., :-2]  # (N, C, h + 2, w)
    down = p[..., 2:, :] - p[..., :-2, :]  # (N, C, h, w + 2)
    along_x = (across[..., :-2, :] + 2 * across[..., 1:-1, :] + across[..., 2:, :]) / 4
    along_y = (down[..., :-2] + 2 * down[..., 1:-1] + down[..., 2:]) / 4
    return (along_x.square() + along_y.square() + FLAT**2).sqrt()


class SemanticFusion(nn.Module):
    """DSF: F + alpha * place(F) * words(F), where ``words`` is FiLM or attention to the prompts.

    ``alpha`` is learnt and 0 at first, as of a network without words; ``place`` in (0, 1) says
    where the words matter.
    """

    def __init__(self, channels: int, width: int, form: Literal["film", "cross"]) -> None:
        super().__init__()
        self.form = form
        self.words = nn.Sequential(
            nn.Linear(width, channels), nn.GELU(), nn.Linear(channels, 2 * channels)
        )
        self.query = nn.Conv2d(channels, channels, 1) if form == "cross" else None
        self.place = nn.Conv2d(channels, 1, 3, padding="same")
        self.alpha = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, embeddings: Tensor) -> Tensor:
        """(N, C, h, w), the prompts' (P, width) -> (N, C, h, w)."""
        if self.query is None:
            scale, shift = self.words(embeddings.mean(dim=0)).chunk(2)  # (C,) each
            told = scale[:, None, None] * x + shift[:, None, None]
        else:
            key, value = self.words(embeddings).chunk(2, dim=1)  # (P, C) each
            asked = torch.einsum("nchw,pc->nphw", self.query(x), key) / x.shape[1] ** 0.5
            told = torch.einsum("nphw,pc->nchw", asked.softmax(dim=1), value)
        out: Tensor = x + self.alpha * torch.sigmoid(self.place(x)) * told
        return out


class Upwards(nn.Module):
    """To stride four by convolutions and bilinear steps of two, and a head."""

    def __init__(self, channels: int, stride: int, outputs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        while stride > STRIDE:
            half = max(outputs, channels // 2)
            layers += [conv2d(channels, half), nn.Upsample(scale_factor=2, mode="bilinear")]
            channels, stride = half, stride // 2
        self.steps = nn.Sequential(*layers, conv2d(channels, channels))
        self.head = nn.Conv2d(channels, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, h, w) -> logits (N, outputs, h', w')."""
        out: Tensor = self.head(self.steps(x))
        return out


class Masg(nn.Module):
    """From the sections of a crop, or a colour image, to logits, section by section."""

    def __init__(self, settings: MasgNetwork, outputs: int) -> None:
        super().__init__()
        self.sections = settings.sections
        self.encoder: Sam1Encoder | Sam2Encoder
        if settings.sam1 is not None:
            self.encoder, width = Sam1Encoder(settings.sam1), settings.sam1.channels
            stride = self.encoder.stride
        else:
            assert settings.sam2 is not None, "the settings see to it that there is one"
            self.encoder, width = Sam2Encoder(settings.sam2), settings.sam2.channels
            stride = self.encoder.strides[0]
        self.reduce = nn.ModuleList(nn.Conv2d(c, width, 1) for c in self.encoder.channels)
        self.hierarchy = (
            HierarchicalAttention(width, len(self.reduce))
            if settings.hierarchy == "attended"
            else None
        )
        self.boundary = (
            None if settings.edges == "none" else BoundaryEnhancement(width, settings.edges)
        )
        self.text: Prompts | None = None
        self.fusion: SemanticFusion | None = None
        if settings.text is not None:
            self.text = Prompts(settings.text)
            self.fusion = SemanticFusion(width, WIDTHS[settings.text.model], settings.text.fusion)
        self.up = Upwards(width, stride, outputs)

    def forward(self, crop: Tensor) -> dict[str, Tensor]:
        """Logits of a crop (B, C, D, H, W) in [0, 1]; C is 1 or 3, H and W multiples of 32.

        Returns:
            ``refined`` (B, outputs, D, H, W) and, with boundary enhancement, ``edge``
            (B, 1, D, H, W).
        """
        images = fold(crop, self.sections)  # (B*D, 3, H, W)
        maps = [reduce(m) for reduce, m in zip(self.reduce, self.encode(images), strict=True)]
        maps = [resize2d(m, maps[0].shape[2:]) for m in maps]  # (B*D, width, h, w) each
        x = torch.stack(maps).mean(dim=0) if self.hierarchy is None else self.hierarchy(maps)
        found = {}
        if self.boundary is not None:
            x, found["edge"] = self.boundary(x)
        if self.fusion is not None and self.text is not None:
            x = self.fusion(x, self.text())
        found["refined"] = self.up(x)
        return {
            name: unfold(resize2d(logits, images.shape[2:]), len(crop))
            for name, logits in found.items()
        }

    def encode(self, images: Tensor) -> list[Tensor]:
        """The encoder's maps (N, c_i, h_i, w_i) of images (N, 3, H, W)."""
        if isinstance(self.encoder, Sam1Encoder):
            return self.encoder(images)  # type: ignore[no-any-return]
        return [m[:, :, 0] for m in self.encoder(images[:, :, None])]


def resize2d(x: Tensor, grid: torch.Size) -> Tensor:
    """Bilinear resampling of (N, C, h, w) to another grid."""
    if x.shape[2:] == grid:
        return x
    return nn.functional.interpolate(x, size=grid, mode="bilinear")
