"""A 3-D convolution that is right and fast on a processor, too.

In float32 torch (aten/native/Convolution.cpp, ``use_mkldnn``) hands a single crop whose channels,
sections and rows are few to a slow kernel of its own, not to oneDNN (on AVX2 a training step took
twice as long), and computes kernels of one voxel slower than a matrix product does. In bfloat16
the gradient of the weights is wrong (torch 2.13, oneDNN) where an image is shorter than the
kernel, such as 2 sections under a kernel of 3; such a convolution runs in float32. All else
differs by rounding alone.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

LAYOUTS = {4: torch.channels_last, 5: torch.channels_last_3d}
SMALL = 20480  # channels x sections x rows of a single crop up to which torch avoids oneDNN


class Conv3d(nn.Conv3d):
    """torch's Conv3d of stride 1 that keeps the shape, with the same parameters."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int | tuple[int, int, int], bias: bool = True
    ) -> None:
        super().__init__(inputs, outputs, kernel, padding="same", bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, D, H, W) -> (B, outputs, D, H, W)."""
        if x.device.type != "cpu":
            return super().forward(x)
        if self.kernel_size == (1, 1, 1):
            # voxels are rows of a matrix; as a view where channels lie last
            rows = functional.linear(x.permute(0, 2, 3, 4, 1), self.weight.flatten(1), self.bias)
            return rows.permute(0, 4, 1, 2, 3)
        if torch.is_autocast_enabled("cpu"):
            shapes = zip(x.shape[2:], self.kernel_size, strict=True)
            if not torch.is_grad_enabled() or all(size >= kernel for size, kernel in shapes):
                return super().forward(x)
            with torch.autocast("cpu", enabled=False):
                return super().forward(x.float())
        if x.dtype == torch.float32 and len(x) == 1 and x[0, ..., 0].numel() <= SMALL:
            return self.by_halves(x)
        return super().forward(x)

    def by_halves(self, x: Tensor) -> Tensor:
        """The upper and the lower rows of a single crop as a batch of two."""
        depth, height, width = (size // 2 for size in self.kernel_size)
        rows = x.shape[3]
        half = -(-rows // 2)
        # an odd number of rows gets one more at the end, which is cut off again
        ends = (width, width, height, height + 2 * half - rows, depth, depth)
        padded = functional.pad(x, ends)  # (1, inputs, D + 2 depth, 2 half + 2 height, ...)
        both = torch.cat([padded[:, :, :, : half + 2 * height], padded[:, :, :, half:]])
        upper, lower = functional.conv3d(both, self.weight, self.bias)
        return torch.cat([upper, lower], dim=2)[None, :, :, :rows]


def channels_last(network: nn.Module) -> None:
    """Lay out the weights of convolutions channels last, and so all that they compute."""
    for parameter in network.parameters():
        if parameter.dim() in LAYOUTS:
            parameter.data = parameter.data.contiguous(memory_format=LAYOUTS[parameter.dim()])
