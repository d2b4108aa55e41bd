"""From the settings of a network to the network."""

from pathlib import Path

from torch import nn

from fgnet.model.fgnet import Features, FGNet, Sam2Decoder
from fgnet.model.mala import Mala
from fgnet.model.superhuman import SuperHuman
from fgnet.settings.network import (
    FGNetNetwork,
    MalaNetwork,
    Sam2DecoderNetwork,
    SuperHumanNetwork,
)

Settings = FGNetNetwork | Sam2DecoderNetwork | SuperHumanNetwork | MalaNetwork


def build(settings: Settings, outputs: int) -> nn.Module:
    """The network with random weights; ``outputs`` is the number of affinity channels."""
    match settings:
        case FGNetNetwork():
            return FGNet(settings, outputs)
        case Sam2DecoderNetwork():
            return Sam2Decoder(settings, outputs)
        case SuperHumanNetwork():
            return SuperHuman(settings, outputs)
        case MalaNetwork():
            return Mala(settings, outputs)


def load_official(network: nn.Module, path: Path) -> None:
    """Give the network's SAM2 encoder the weights of Meta's checkpoint."""
    features = network.get_submodule("sam2")
    assert isinstance(features, Features), "only networks with an encoder name a checkpoint"
    features.encoder.load_official(path)
