"""A network's weights, made ready for inference: nothing of this changes what it computes."""

from torch import nn

CAST = (nn.Linear, nn.Conv2d, nn.Conv3d, nn.ConvTranspose3d)  # autocast computes them in bfloat16


def bfloat16(network: nn.Module) -> None:
    """Cast once the weights that autocast would cast for every batch."""
    for module in network.modules():
        if isinstance(module, CAST):
            for parameter in module.parameters(recurse=False):
                parameter.data = parameter.data.bfloat16()
