"""The Fine-Grained Encoder: a lightweight residual 3-D encoder of the raw crop.

It keeps the detail that SAM2 loses to its stride of four. Residual blocks and anisotropic
strides follow the field's U-Nets (Lee et al. 2017, arXiv 1706.00120); depth and width are our
reconstruction and set in the config.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from fgnet.model.layers import Residual

Stride = tuple[int, int, int]


class FineGrainedEncoder(nn.Module):
    """Levels of residual blocks; each level's map may be guided before it goes on."""

    def __init__(self, filters: Sequence[int], strides: Sequence[Stride], inputs: int = 1) -> None:
        super().__init__()
        before = (inputs, *filters[:-1])
        self.levels = nn.ModuleList(Residual(i, o) for i, o in zip(before, filters, strict=True))
        self.down = nn.ModuleList(nn.MaxPool3d(stride, stride) for stride in strides)

    def forward(
        self, crop: Tensor, guides: Sequence[Tensor], attention: Sequence[nn.Module]
    ) -> list[Tensor]:
        """Encode a crop (B, inputs, D, H, W).

        Args:
            guides: a map of SAM2 features for each level, or empty for no guidance.
            attention: the module that lets each guide steer its level.

        Returns:
            One map (B, filters[i], D_i, H_i, W_i) a level, finest first.
        """
        maps: list[Tensor] = []
        x = crop
        for index, level in enumerate(self.levels):
            x = level(x if index == 0 else self.down[index - 1](x))
            if attention:
                x = attention[index](x, guides[index])
            maps.append(x)
        return maps


def in_plane_strides(strides: Sequence[Stride]) -> list[int]:
    """In-plane stride of every level, from 1 at the finest."""
    total = [1]
    for _, _, x in strides:
        total.append(total[-1] * x)
    return total
