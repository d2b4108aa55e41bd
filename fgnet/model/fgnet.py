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
from fgnet.settings.encoders import Sam2
from fgnet.settings.network import FGNetNetwork, Sam2DecoderNetwork


class Features(nn.Module):
    """SAM2's four maps, each reduced to the same few channels.

    Trunk and reducing convolution see each section alone, so that :meth:`encode` serves every crop
    that a section lies in. What follows the convolution is normalised over the whole crop, by
    :meth:`finish`.
    """

    def __init__(self, settings: Sam2) -> None:
        super().__init__()
        self.encoder = Sam2Encoder(settings)
        self.reduce = nn.ModuleList(
            conv(channels, settings.channels, kernel=1) for channels in self.encoder.channels
        )

    def forward(self, crop: Tensor) -> list[Tensor]:
        """(B, 1 or 3, D, H, W) -> four maps (B, channels, D, H/s, W/s), s = 4, 8, 16, 32."""
        return [reduce(m) for reduce, m in zip(self.reduce, self.encoder(crop), strict=True)]

    def encode(self, sections: Tensor) -> list[Tensor]:
        """What hangs on each section alone: (1, 1, n, H, W) -> four (1, channels, n, H/s, W/s)."""
        maps = self.encoder(sections)
        return [reduce[0](m) for reduce, m in zip(self.reduce, maps, strict=True)]  # type: ignore[index]

    def finish(self, encoded: Sequence[Tensor]) -> list[Tensor]:
        """The features from :meth:`encode`'s four maps, stacked to (B, channels, D, H/s, W/s)."""
        pairs = zip(self.reduce, encoded, strict=True)
        return [reduce[1:](m) for reduce, m in pairs]  # type: ignore[index]


class FGNet(nn.Module):
    """From a raw crop to coarse and refined affinities."""

    def __init__(self, settings: FGNetNetwork, outputs: int, inputs: int = 1) -> None:
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
        self.fine = FineGrainedEncoder(settings.filters, settings.strides, inputs)
        self.refined = RefinedDecoder(settings.filters, outputs)

    def forward(self, crop: Tensor, encoded: Sequence[Tensor] | None = None) -> dict[str, Tensor]:
        """Logits of a crop (B, inputs, D, H, W) in [0, 1]; H and W multiples of 32.

        Args:
            encoded: the crop's sections, where :meth:`Features.encode` has been through them.

        Returns:
            ``refined`` (A_r) and, with both decoders, ``coarse`` (A_s), each
            (B, outputs, D, H, W).
        """
        found: dict[str, Tensor] = {}
        guides: list[Tensor] = []
        if self.sam2 is not None:
            # (B, width, D, H/s, W/s), s = 4, 8, 16, 32
            maps = self.sam2(crop) if encoded is None else self.sam2.finish(encoded)
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

    def forward(self, crop: Tensor, encoded: Sequence[Tensor] | None = None) -> dict[str, Tensor]:
        """Its only map of a crop (B, 1 or 3, D, H, W), as ``refined`` (B, outputs, D, H, W).

        Args:
            encoded: the crop's sections, where :meth:`Features.encode` has been through them.
        """
        maps = self.sam2(crop) if encoded is None else self.sam2.finish(encoded)
        return {"refined": self.coarse(maps, crop)}


def nearest(stride: int, strides: Sequence[int]) -> int:
    """Index of the SAM2 map whose stride is nearest to an in-plane stride."""
    return min(range(len(strides)), key=lambda i: abs(strides[i] - stride))
