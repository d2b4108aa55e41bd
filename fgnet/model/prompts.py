"""Prompt layers: what a frozen encoder's blocks are told about the new task.

A bottleneck before every transformer block adds to what enters it. After the prompt layers of
"Fine-Tuning SAM2 for Generalizable Polyp Segmentation" (abstract alone known to us) and the
adapters of SAM2-UNet (arXiv 2408.08870); ours start at zero, so that training begins at the
encoder's own features.
"""

from collections.abc import Sequence

from torch import Tensor, nn

NAME = "prompt"  # of a block's prompt layer among its parts


class PromptLayer(nn.Module):
    """What is added to a block's input: a small network of each place alone, zero at first."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.down = nn.Linear(channels, hidden)
        self.up = nn.Linear(hidden, channels)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(..., channels) -> (..., channels)."""
        out: Tensor = self.up(nn.functional.gelu(self.down(x)))
        return out


def prompt(blocks: Sequence[nn.Module], widths: Sequence[int], hidden: int) -> None:
    """Put a prompt layer before each block; the blocks' own parameters keep their names.

    Args:
        blocks: transformer blocks that are called with a map (..., channels).
        widths: channels that enter each of them.
        hidden: width of the bottlenecks.
    """
    for block, width in zip(blocks, widths, strict=True):
        block.add_module(NAME, PromptLayer(width, hidden))
        block.register_forward_pre_hook(_add_prompt)


def _add_prompt(block: nn.Module, given: tuple[Tensor]) -> tuple[Tensor]:
    # the layer is found in the block that is called: a copy of the network calls its own
    (x,) = given
    return (x + block.get_submodule(NAME)(x),)
