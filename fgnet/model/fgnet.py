"""FGNet whole (arXiv 2511.13063): SAM2 encoder, guidance, fine-grained encoder, two decoders.

crop ── SAM2 trunk ── reduce ──┬── coarse decoder ──────────── A_s
 │                             │ guides
 └──── fine-grained encoder ◄──┘ ── refined decoder ────────── A_r
"""

from torch import Tensor, nn

from fgnet.model.attention import FeatureGuidedAttention
from fgnet.model.decoders import CoarseDecoder, RefinedDecoder
from fgnet.model.fine_grained import FineGrainedEncoder, in_plane_strides
from fgnet.model.layers import conv
from fgnet.model.sam2 import STRIDES, Sam2Encoder
from fgnet.settings.network import FGNetNetwork


class FGNet(nn.Module):
    """From a raw crop to coarse and refined affinities."""

    def __init__(self, settings: FGNetNetwork, outputs: int) -> None:
        super().__init__()
        width = settings.sam2.channels
        self.sam2 = Sam2Encoder(settings.sam2)
        self.reduce = nn.ModuleList(conv(c, width, kernel=1) for c in self.sam2.channels)
        self.coarse = CoarseDecoder(width, len(STRIDES), outputs)
        self.fine = FineGrainedEncoder(settings.filters, settings.strides)
        self.attention = nn.ModuleList()
        if settings.attention != "none":
            self.attention.extend(
                FeatureGuidedAttention(fine, width, settings.attention) for fine in settings.filters
            )
        # every level is guided by the SAM2 map nearest to it in stride
        self.guide_of = [nearest(stride) for stride in in_plane_strides(settings.strides)]
        self.refined = RefinedDecoder(settings.filters, outputs)

    def forward(self, crop: Tensor) -> dict[str, Tensor]:
        """Affinity logits of a crop (B, 1, D, H, W) in [0, 1]; H and W multiples of 32.

        Returns:
            ``refined`` (A_r) and ``coarse`` (A_s), each (B, outputs, D, H, W).
        """
        maps = self.sam2(crop)  # (B, C_i, D, H/s_i, W/s_i), s = 4, 8, 16, 32
        maps = [reduce(m) for reduce, m in zip(self.reduce, maps, strict=True)]  # (B, width, ...)
        coarse = self.coarse(maps, crop)  # (B, outputs, D, H, W)
        guides = [maps[i] for i in self.guide_of]
        fine = self.fine(crop, guides, list(self.attention))  # (B, filters[i], D_i, H_i, W_i)
        return {"refined": self.refined(fine), "coarse": coarse}


def nearest(stride: int) -> int:
    """Index of the SAM2 map whose stride is nearest to an in-plane stride."""
    return min(range(len(STRIDES)), key=lambda i: abs(STRIDES[i] - stride))
