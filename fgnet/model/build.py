"""From the settings of a network to the network."""

from pathlib import Path
from typing import Literal

from torch import nn

from fgnet.model.fgnet import FGNet, Sam2Decoder
from fgnet.model.mala import Mala
from fgnet.model.masg import Masg
from fgnet.model.polyp import Polyp
from fgnet.model.sam1 import Sam1Encoder
from fgnet.model.sam2 import Sam2Encoder
from fgnet.model.superhuman import SuperHuman
from fgnet.model.text import Prompts
from fgnet.settings.network import (
    FGNetNetwork,
    MalaNetwork,
    MasgNetwork,
    PolypNetwork,
    Sam2DecoderNetwork,
    SuperHumanNetwork,
)

Settings = (
    FGNetNetwork | Sam2DecoderNetwork | SuperHumanNetwork | MalaNetwork | PolypNetwork | MasgNetwork
)
Elsewhere = type[Sam2Encoder] | type[Sam1Encoder] | type[Prompts]
Part = Literal["sam2", "sam1", "text"]
TRAINED_ELSEWHERE: dict[str, Elsewhere] = {
    "sam2": Sam2Encoder,
    "sam1": Sam1Encoder,
    "text": Prompts,
}


def build(settings: Settings, outputs: int, inputs: int = 1) -> nn.Module:
    """The network with random weights.

    Args:
        outputs: channels of its logits: affinities, or classes.
        inputs: channels of its crops: 1 for grey volumes, 3 for colour images. Networks that see
            sections through a SAM encoder alone take either, whatever is said here.
    """
    match settings:
        case FGNetNetwork():
            return FGNet(settings, outputs, inputs)
        case Sam2DecoderNetwork():
            return Sam2Decoder(settings, outputs)
        case SuperHumanNetwork():
            return SuperHuman(settings, outputs, inputs)
        case MalaNetwork():
            return Mala(settings, outputs, inputs)
        case PolypNetwork():
            return Polyp(settings, outputs)
        case MasgNetwork():
            return Masg(settings, outputs)


def load_official(network: nn.Module, path: Path, part: Part = "sam2") -> None:
    """Give a part of the network the weights that others trained, or what they make of its prompts.

    Args:
        path: Meta's checkpoint of SAM2, or a folder of what :mod:`fgnet.pretrained` names.

    Raises:
        InputError: the path holds something else.
    """
    kind = TRAINED_ELSEWHERE[part]
    (found,) = (module for module in network.modules() if isinstance(module, kind))
    found.load_official(path)
