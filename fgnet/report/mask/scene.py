"""What the pages read of the masks of one set: images, masks that were drawn, probabilities."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fgnet import imageset
from fgnet.errors import InputError
from fgnet.imageset import Chances, ImageSet, Picture, Pixels
from fgnet.settings.base import Range, Section

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Scene:
    """Some images of a set, and what a model makes of them, in the same order.

    Attributes:
        numbers: of the images in the set.
        threshold: from which probability on a pixel is in a mask.
    """

    images: ImageSet
    numbers: list[int]
    chances: Chances
    threshold: float

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def classes(self) -> list[str]:
        """Of the model."""
        return self.chances.classes

    @property
    def names(self) -> list[str]:
        """Of the images."""
        return self.chances.names

    def picture(self, place: int) -> Picture:
        """An image, with the masks that were drawn if there are any."""
        return self.images[self.numbers[place]]

    def found(self, place: int) -> tuple[Pixels, list[Flags]]:
        """Probabilities (classes, y, x) times 255, and the mask (y, x) of each class."""
        chances = self.chances[place]
        return chances, [imageset.above(one, self.threshold) for one in chances]


class Files(Section):
    """The files that a scene is read from.

    Attributes:
        set: the images, and their masks where there are any.
        ranges: of the set, those that the chances are of; None for all.
        chances: see :mod:`fgnet.imageset`.
    """

    set: Path
    ranges: tuple[Range, ...] | None = None
    chances: Path
    threshold: float

    @contextmanager
    def opened(self) -> Iterator[Scene]:
        """The scene, as long as its files are open.

        Raises:
            InputError: a file is none of these, or the two are not of the same images.
        """
        with imageset.opened(self.set) as images, imageset.opened_chances(self.chances) as chances:
            numbers = images.numbers(self.ranges)
            if [images.names[number] for number in numbers] != chances.names:
                raise InputError(
                    f"{self.chances}: holds chances of other images than the ranges "
                    f"{self.ranges and list(self.ranges)} of {self.set}; run infer again"
                )
            yield Scene(images, numbers, chances, self.threshold)
