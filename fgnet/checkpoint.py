"""A trained model as one file: weights, and all that is needed to use them rightly."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from fgnet import pickled
from fgnet.errors import InputError
from fgnet.settings.base import Offset
from fgnet.settings.network import Network
from fgnet.whole import whole_or_nothing

if TYPE_CHECKING:  # who takes a checkpoint does without torch, and imports it where it is used
    from torch import Tensor, nn

FORMAT = "fgnet checkpoint 1"
NETWORK: TypeAdapter[Any] = TypeAdapter(Network)


@dataclass(frozen=True)
class Checkpoint:
    """What inference must know of a model.

    Attributes:
        network: settings of the network, as plain values.
        offsets: edge of every affinity channel; none of a model of masks.
        crop: the training crop (z, y, x) in voxels.
        voxel_size: of the training volumes, nm along z, y, x.
        normalize: settings by which the training volumes were normalised, as plain values.
        training: all settings of the training, as plain values.
        step: optimizer steps taken.
        weights: the network's state.
        inputs: channels of its crops: 1 grey, 3 colour.
        classes: of every channel of a model of masks.
    """

    network: dict[str, Any]
    offsets: list[Offset]
    crop: tuple[int, int, int]
    voxel_size: tuple[float, float, float]
    normalize: dict[str, Any]
    training: dict[str, Any]
    step: int
    weights: dict[str, Tensor]
    inputs: int = 1
    classes: list[str] = field(default_factory=list)

    def model(self) -> nn.Module:
        """The network with its weights, ready for inference on the CPU."""
        from fgnet.model.build import build

        outputs = len(self.offsets) + len(self.classes)
        network = build(NETWORK.validate_python(self.network), outputs, self.inputs)
        network.load_state_dict(self.weights)
        return network.eval()


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint whole or not at all."""
    from fgnet import tensors

    with whole_or_nothing(path) as partial:
        tensors.save({"format": FORMAT, **asdict(checkpoint)}, partial)


def load(path: Path) -> Checkpoint:
    """Read a checkpoint. Raises InputError for a file that is none, or is damaged."""
    from fgnet import tensors

    if not path.is_file():
        raise InputError(f"checkpoint: there is no file {str(path)!r}; check the path")
    try:
        values = tensors.load(path)
    except ValueError as error:
        raise InputError(
            f"checkpoint: {str(path)!r} cannot be read ({error}); copy or train it again"
        ) from error
    if not isinstance(values, dict) or values.pop("format", None) != FORMAT:
        raise InputError(
            f"checkpoint: {str(path)!r} was not written by fgnet; name a checkpoint.pt of a "
            "results/train folder"
        )
    try:
        return Checkpoint(**values)
    except TypeError as error:
        raise InputError(
            f"checkpoint: {str(path)!r} has not what a checkpoint has ({error}); train it again"
        ) from error


def without_weights(path: Path) -> Checkpoint:
    """A checkpoint with no weights, read without torch where it can be; raises as :func:`load`."""
    values = pickled.read(path)
    if isinstance(values, dict) and values.pop("format", None) == FORMAT:
        try:
            return replace(Checkpoint(**values), weights={})
        except TypeError:  # told below
            pass
    return replace(load(path), weights={})
