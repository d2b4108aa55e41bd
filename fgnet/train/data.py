"""What a training is made of: crops of volumes and their affinities, or images and their masks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fgnet import imageset, volume
from fgnet.errors import InputError
from fgnet.settings.base import Box, Offset
from fgnet.settings.train import Model
from fgnet.train import validation
from fgnet.train.crops import Crops, Region, region
from fgnet.train.objective import Affinities, Masks, Objective
from fgnet.train.pictures import Part, Pictures, part, shots


@dataclass(frozen=True)
class Material:
    """What is learnt from, and what a checkpoint must say of it.

    Attributes:
        inputs: channels of a crop: 1 for grey volumes, 3 for colour images.
        offsets: edges whose affinity is learnt; none of images.
        classes: whose masks are learnt; none of volumes.
        normalize: how grey values look, see :func:`fgnet.volume.look`.
    """

    training: Crops | Pictures
    held_back: Crops | Pictures | None
    objective: Objective
    inputs: int
    offsets: tuple[Offset, ...]
    classes: tuple[str, ...]
    voxel_size: volume.Triple
    normalize: dict[str, Any]

    @property
    def outputs(self) -> int:
        """Channels of the network's logits."""
        return len(self.offsets) + len(self.classes)


def gathered(
    training: list[Path], held_back: list[Path], places: dict[str, list[Any]], model: Model
) -> Material:
    """Open and check what a model learns from.

    Args:
        places: of ``train`` and of ``validation``: the box of each volume, the ranges of each set.

    Raises:
        InputError: there is nothing to learn from, or what there is does not fit the settings.
    """
    if not training:
        raise InputError(
            "train: no volume to train on; give one the split 'train', or name a checkpoint"
        )
    normalize = agreed_normalization([*training, *held_back])
    with volume.opened(training[0]) as file:
        pictures = imageset.is_set(file)
    gather = of_images if pictures else of_volumes
    return gather(
        list(zip(training, places["train"], strict=True)),
        list(zip(held_back, places["validation"], strict=True)),
        model,
        normalize,
    )


def of_volumes(
    training: Sequence[tuple[Path, Any]], held_back: Sequence[tuple[Path, Any]], model: Model,
    normalize: dict[str, Any],
) -> Material:  # fmt: skip
    """Crops of volumes with neurons."""
    mine = regions(training, model)
    theirs = regions(held_back, model, held_back=True)
    block = validation.block(theirs[0], model) if theirs else None
    return Material(
        training=Crops(mine, model, augmented=True),
        held_back=Crops(theirs, model, augmented=False) if theirs else None,
        objective=Affinities(model, block),
        inputs=1,
        offsets=model.offsets,
        classes=(),
        voxel_size=mine[0].voxel_size,
        normalize=normalize,
    )


def regions(
    places: Sequence[tuple[Path, Any]], model: Model, held_back: bool = False
) -> list[Region]:
    """The boxes of the files, each checked against the crop."""
    return [region(path, Box.checked(box), model, held_back) for path, box in places]


def of_images(
    training: Sequence[tuple[Path, Any]], held_back: Sequence[tuple[Path, Any]], model: Model,
    normalize: dict[str, Any],
) -> Material:  # fmt: skip
    """Images with masks, all of them or a few shots."""
    mine, theirs = parts(training), parts(held_back)
    classes = mine[0].classes
    for one in mine + theirs:
        if one.classes != classes:
            raise InputError(
                f"{one.path}: shows {', '.join(one.classes)}, {mine[0].path} "
                f"{', '.join(classes)}; a model learns one list of classes"
            )
    if model.shots is not None:
        mine = shots(mine, model.shots, model.seed)
    pictures = Pictures(theirs, model, augmented=False) if theirs else None
    return Material(
        training=Pictures(mine, model, augmented=True),
        held_back=pictures,
        objective=Masks(model, pictures),
        inputs=3,
        offsets=(),
        classes=classes,
        voxel_size=(1.0, 1.0, 1.0),
        normalize=normalize,
    )


def parts(places: Sequence[tuple[Path, Any]]) -> list[Part]:
    """The images of each file that are meant, by their ranges."""
    return [part(path, wanted) for path, wanted in places]


def agreed_normalization(paths: list[Path]) -> dict[str, Any]:
    """The settings by which all files were normalised. Raises InputError where they differ."""
    found: dict[str, Any] | None = None
    for path in paths:
        with volume.opened(path) as file:
            settings = volume.look(file)
        if found is not None and settings != found:
            raise InputError(
                f"{path}: normalised by {settings}, other volumes of this model by {found}; "
                "normalise all of them alike"
            )
        found = settings
    return found or {}
