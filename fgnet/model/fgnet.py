"""FGNet whole (arXiv 2511.13063): SAM2 encoder, guidance, fine-grained encoder, two decoders.

crop ── SAM2 trunk ── reduce ──┬── coarse decoder ──────────── A_s
 │                             │ guides
 └──── fine-grained encoder ◄──┘ ── refined decoder ────────── A_r
"""

from collections.abc import Sequence

from torch import Tensor, nn

from fgnet.model.attention import guidance
from fgnet.model.decoders import CoarseDecoder, RefinedDecoder
from fgnet.model.fine_grained import FineGrainedEncoder, in_plane_strides
from fgnet.model.layers import conv
from fgnet.model.sam2 import STRIDES, Sam2Encoder
from fgnet.settings.network import FGNetNetwork, Sam2, Sam2DecoderNetwork


class Features(nn.Module):
    """SAM2's four maps, each reduced to the same few channels."""

    def __init__(self, settings: Sam2) -> None:
        super().__init__()
        self.encoder = Sam2Encoder(settings)
        self.reduce = nn.ModuleList(
            conv(channels, settings.channels, kernel=1) for channels in self.encoder.channels
        )

    def forward(self, crop: Tensor) -> list[Tensor]:
        """(B, 1, D, H, W) -> four maps (B, channels, D, H/s, W/s), s = 4, 8, 16, 32."""
        return [reduce(m) for reduce, m in zip(self.reduce, self.encoder(crop), strict=True)]


class FGNet(nn.Module):
    """From a raw crop to coarse and refined affinities."""

    def __init__(self, settings: FGNetNetwork, outputs: int) -> None:
        super().__init__()
        self.sam2: Features | None = None
        self.coarse: CoarseDecoder | None = None
        self.attention = nn.ModuleList()
        if settings.sam2 is not None:
            width = settings.sam2.channels
            self.sam2 = Features(settings.sam2)
            if settings.decoders == "dual":
                self.coarse = CoarseDecoder(width, len(STRIDES), outputs)
            if settings.attention != "none":
                self.attention.extend(
                    guidance(fine, width, settings.attention) for fine in settings.filters
                )
            # every level is guided by the SAM2 map nearest to it in stride
            self.guide_of = [
                nearest(stride, self.sam2.encoder.strides)
                for stride in in_plane_strides(settings.strides)
            ]
        self.fine = FineGrainedEncoder(settings.filters, settings.strides)
        self.refined = RefinedDecoder(settings.filters, outputs)

    def forward(self, crop: Tensor) -> dict[str, Tensor]:
        """Affinity logits of a crop (B, 1, D, H, W) in [0, 1]; H and W multiples of 32.

        Returns:
            ``refined`` (A_r) and, with both decoders, ``coarse`` (A_s), each
            (B, outputs, D, H, W).
        """
        found: dict[str, Tensor] = {}
        guides: list[Tensor] = []
        if self.sam2 is not None:
            maps = self.sam2(crop)  # (B, width, D, H/s, W/s), s = 4, 8, 16, 32
            guides = [maps[i] for i in self.guide_of]
            if self.coarse is not None:
                found["coarse"] = self.coarse(maps, crop)  # (B, outputs, D, H, W)
        fine = self.fine(crop, guides, list(self.attention))  # (B, filters[i], D_i, H_i, W_i)
        return {"refined": self.refined(fine), **found}


class Sam2Decoder(nn.Module):
    """SAM2's features and the coarse decoder alone, without a Fine-Grained Encoder."""

    def __init__(self, settings: Sam2DecoderNetwork, outputs: int) -> None:
        super().__init__()
        self.sam2 = Features(settings.sam2)
        self.coarse = CoarseDecoder(settings.sam2.channels, len(STRIDES), outputs)

    def forward(self, crop: Tensor) -> dict[str, Tensor]:
        """Its only map of a crop (B, 1, D, H, W), as ``refined`` (B, outputs, D, H, W)."""
        return {"refined": self.coarse(self.sam2(crop), crop)}


def nearest(stride: int, strides: Sequence[int]) -> int:
    """Index of the SAM2 map whose stride is nearest to an in-plane stride."""
    return min(range(len(strides)), key=lambda i: abs(strides[i] - stride))
