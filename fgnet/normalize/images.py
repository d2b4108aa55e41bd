"""Sets of 2-D images: as they are, or each stretched between two percentiles."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from fgnet import imageset, ledger, volume
from fgnet.imageset import ImageSet, Picture, Pixels
from fgnet.progress import track
from fgnet.settings.normalize import ImagesNormalize


def run(input: Path, output: Path, settings: str) -> None:
    """Normalise a downloaded set of images.

    Args:
        input, output: see :mod:`fgnet.imageset`; masks are copied.
        settings: JSON of :class:`fgnet.settings.normalize.ImagesNormalize`.
    """
    wanted = ImagesNormalize.from_json(settings)
    with (
        imageset.opened(input) as images,
        volume.create(output, "normalize", wanted.model_dump(mode="json"), [input]) as file,
    ):
        ledger.voxels(sum(y * x for y, x in images.sizes))
        pictures = track(looked(images, wanted), f"normalize {input.name}", total=len(images))
        imageset.write(file, pictures, images.sizes, images.classes, images.labelled)


def looked(images: ImageSet, settings: ImagesNormalize) -> Iterator[Picture]:
    """The images of a set, normalised."""
    for number in range(len(images)):
        picture = images[number]
        if settings.stretch is None:
            yield picture
        else:
            yield replace(picture, raw=stretched(picture.raw, *settings.stretch))


def stretched(raw: Pixels, low: float, high: float) -> Pixels:
    """An image (y, x, 3) whose percentiles over all colours become 0 and 255; flat ones stay."""
    dark, bright = np.percentile(raw, [low, high])
    if dark == bright:
        return raw
    scaled = (raw.astype(np.float32) - dark) / (bright - dark)
    result: Pixels = np.rint(np.clip(scaled, 0, 1) * 255).astype(np.uint8)
    return result
