"""SAM2's windowed attention without the work on padding.

The sam2 package fills a map up to whole windows with zeros. A crop's map is often smaller than one
window: 8 x 8 tokens in a window of 14 x 14, of which two thirds are padding. All padded tokens
are alike. So one of them stands for all, weighted by their number: the same attention to rounding.
A map of several windows is padded as before. On a GPU this was not timed.
"""

import math

import torch
from sam2.modeling.backbones.hieradet import MultiScaleAttention, MultiScaleBlock, do_pool
from torch import Tensor, nn
from torch.nn import functional


class Block(MultiScaleBlock):  # type: ignore[misc]
    """The package's block; a map that fits into one window with room to spare is not padded."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, dim) -> (B, H / stride, W / stride, dim_out); 2 is the stride of pooling."""
        height, width = x.shape[1:3]
        padded = self.window_size**2 - height * width
        stride = self.q_stride[0] if self.q_stride else 1
        fits = max(height, width) <= self.window_size and padded > 0
        if not fits or height % stride or width % stride or self.window_size % stride:
            whole: Tensor = super().forward(x)
            return whole
        normed = self.norm1(x)
        shortcut = x
        if self.dim != self.dim_out:
            shortcut = do_pool(self.proj(normed), self.pool)
        x = shortcut + self.drop_path(attend(self.attn, normed, padded))
        out: Tensor = x + self.drop_path(self.mlp(self.norm2(x)))
        return out


def attend(attention: MultiScaleAttention, x: Tensor, padded: int) -> Tensor:
    """Attention within one window: tokens (B, H, W, C), which ``padded`` zero tokens fill up."""
    batch, height, width, channels = x.shape
    tokens = attention.qkv(x).reshape(batch, height * width, 3, attention.num_heads, -1)
    nothing = attention.qkv(x.new_zeros(1, channels)).reshape(1, 1, 3, attention.num_heads, -1)
    query = tokens[:, :, 0]  # (B, H*W, heads, c)
    if attention.q_pool:
        query = do_pool(query.reshape(batch, height, width, -1), attention.q_pool)
        height, width = query.shape[1:3]
        query = query.reshape(batch, height * width, attention.num_heads, -1)
    key, value = (
        torch.cat([tokens[:, :, part], nothing[:, :, part].expand(batch, -1, -1, -1)], dim=1)
        for part in (1, 2)
    )  # (B, H*W + 1, heads, c)
    weight = query.new_zeros(1, 1, 1, key.shape[1])
    weight[..., -1] = math.log(padded)
    mixed = functional.scaled_dot_product_attention(
        query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), attn_mask=weight
    )
    out: Tensor = attention.proj(mixed.transpose(1, 2).reshape(batch, height, width, -1))
    return out


def unpadded(trunk: nn.Module) -> None:
    """Let the blocks of a Hiera trunk do without padding; parameters stay as they are."""
    for block in trunk.blocks:  # type: ignore[union-attr]
        block.__class__ = Block
