"""A model of masks over the images of a set, each brought to the model's size and back."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fgnet import resized, volume
from fgnet.checkpoint import Checkpoint
from fgnet.errors import InputError
from fgnet.imageset import ImageSet
from fgnet.infer import weights
from fgnet.infer.batch import Batch
from fgnet.infer.stream import Crop
from fgnet.model.convolution import channels_last
from fgnet.precision import autocast
from fgnet.progress import track
from fgnet.settings.infer import Inference

# mirrored along y and x, as tensors (B, C, 1, H, W)
VIEWS: tuple[tuple[int, ...], ...] = ((), (3,), (4,), (3, 4))


class Predictor:
    """A network that is called with images and gives chances at their own sizes."""

    def __init__(self, model: Checkpoint, settings: Inference, device: torch.device) -> None:
        self.network = model.model().to(device).eval()
        channels_last(self.network)
        if settings.precision == "bfloat16":
            weights.bfloat16(self.network)
        self.device, self.precision = device, settings.precision
        crop = settings.crop or model.crop
        self.size = crop[1], crop[2]
        self.views = VIEWS if settings.flips else VIEWS[:1]

    @torch.inference_mode()
    def __call__(self, raws: Sequence[npt.NDArray[np.uint8]]) -> list[npt.NDArray[np.uint8]]:
        """Images (y, x, 3), each of its size -> chances (classes, y, x) of each, times 255."""
        crops = torch.stack([resized.image(raw, self.size) for raw in raws])[:, :, None]
        crops = crops.to(self.device)  # (B, 3, 1, H, W)
        total: Tensor | None = None
        for view in self.views:
            with autocast(self.device, self.precision):
                logits = self.network(crops.flip(view))["refined"].float()  # (B, C, 1, H, W)
            found = torch.sigmoid(logits).flip(view)
            total = found if total is None else total + found
        assert total is not None, "there is one view at least"
        maps = (total / len(self.views))[:, :, 0].cpu()  # (B, C, H, W)
        sizes = [(raw.shape[0], raw.shape[1]) for raw in raws]
        return [
            np.rint(resized.back(one, size).numpy() * 255).astype(np.uint8)
            for one, size in zip(maps, sizes, strict=True)
        ]

    def of_crops(self, crops: Sequence[Crop]) -> list[npt.NDArray[np.uint8]]:
        """The same of images as crops of no volume."""
        return self([crop.image for crop in crops if crop.image is not None])


def chances(
    images: ImageSet, numbers: Sequence[int], predictor: Predictor, batch: Batch
) -> Iterator[npt.NDArray[np.uint8]]:
    """What the model makes of each image, one after another."""
    group: list[Crop] = []
    for number in track(numbers, "infer"):
        group.append(Crop((0, 0, 0), images[number].raw))
        if len(group) >= batch.size or number == numbers[-1]:
            yield from batch.run(predictor.of_crops, group)
            group = []


def check(images: ImageSet, model: Checkpoint) -> None:
    """Raise InputError where the images are not such as the model can be used on."""
    where = images.file.filename
    if not model.classes:
        raise InputError(
            f"{where}: is a set of images, and the model finds affinities in volumes; train one "
            "on images"
        )
    if images.labelled and images.classes != model.classes:
        raise InputError(
            f"{where}: its masks show {', '.join(images.classes)}, and the model finds "
            f"{', '.join(model.classes)}; correct `classes`, or train another model"
        )
    here = volume.look(images.file)
    if model.normalize != here:
        raise InputError(
            f"{where}: normalised by {here}, the model's training images by {model.normalize}; use "
            "the same section normalize"
        )
