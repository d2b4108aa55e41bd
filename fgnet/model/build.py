"""From the settings of a network to the network."""

from torch import nn

from fgnet.model.fgnet import FGNet
from fgnet.model.unet import UNet
from fgnet.settings.network import FGNetNetwork, UNetNetwork


def build(settings: FGNetNetwork | UNetNetwork, outputs: int) -> nn.Module:
    """The network with random weights; ``outputs`` is the number of affinity channels."""
    if isinstance(settings, FGNetNetwork):
        return FGNet(settings, outputs)
    return UNet(settings, outputs)
