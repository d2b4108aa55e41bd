"""A network's weights, made ready for inference: nothing of this changes what it computes."""

import torch
from torch import nn

CAST = (nn.Linear, nn.Conv2d, nn.Conv3d, nn.ConvTranspose3d)  # autocast computes them in bfloat16
LAYOUTS = {4: torch.channels_last, 5: torch.channels_last_3d}


def channels_last(network: nn.Module) -> None:
    """Lay out the weights of convolutions channels last, and so all that they compute."""
    for parameter in network.parameters():
        if parameter.dim() in LAYOUTS:
            parameter.data = parameter.data.contiguous(memory_format=LAYOUTS[parameter.dim()])


def bfloat16(network: nn.Module) -> None:
    """Cast once the weights that autocast would cast for every batch."""
    for module in network.modules():
        if isinstance(module, CAST):
            for parameter in module.parameters(recurse=False):
                parameter.data = parameter.data.bfloat16()
