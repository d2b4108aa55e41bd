"""What the pages read of one segmentation: the image below it, the labels beside it, box by box."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from fgnet import affinities, scores, segmentation, volume
from fgnet.report import words
from fgnet.report.pictures import as_bytes
from fgnet.settings.base import Section

Array = npt.NDArray[Any]
Box = tuple[slice, ...]
MAPS = {"coarse": volume.COARSE_AFFINITIES, "refined": volume.AFFINITIES}


@dataclass(frozen=True)
class Scene:
    """A segmentation at one threshold; every box is in its voxels, (z, y, x).

    Attributes:
        fragments: dataset of ids.
        known: the ids of all fragments, ascending.
        table: the segment of every fragment.
        raw: dataset in which the segmentation may be a box.
        labels: neurons in the same volume as raw, if they are known.
        mask: where they are known, if not everywhere.
        maps: affinities (channels, z, y, x) by their title.
    """

    fragments: h5py.Dataset
    known: npt.NDArray[np.uint64]
    table: npt.NDArray[np.uint32]
    raw: h5py.Dataset
    labels: h5py.Dataset | None
    mask: h5py.Dataset | None
    maps: dict[str, h5py.Dataset]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(z, y, x) in voxels."""
        z, y, x = self.fragments.shape
        return z, y, x

    @property
    def voxel_size(self) -> volume.Triple:
        """In nm along z, y, x."""
        return volume.voxel_size(self.fragments)

    @property
    def first(self) -> tuple[int, int, int]:
        """Where the first voxel lies, in voxels from the origin that viewers count from."""
        start = volume.offset(self.fragments)
        z, y, x = (round(a / nm) for a, nm in zip(start, self.voxel_size, strict=True))
        return z, y, x

    @property
    def start(self) -> tuple[int, int, int]:
        """Where the first voxel lies in the image's own file, in its voxels."""
        z, y, x = (cut.start for cut in volume.region(self.raw, self.fragments))
        return z, y, x

    def grey(self, box: Box) -> Array:
        """The image, uint8."""
        return self._of(self.raw, box)

    def pieces(self, box: Box) -> npt.NDArray[np.uint32]:
        """Fragments, numbered."""
        return segmentation.numbered(self.fragments[box], self.known)

    def neurons(self, box: Box) -> Array:
        """The ground truth; 0 where it is not known, or there is none."""
        if self.labels is None:
            return np.zeros([cut.stop - cut.start for cut in box], np.uint8)
        found = self._of(self.labels, box)
        return found if self.mask is None else np.where(self._of(self.mask, box) > 0, found, 0)

    def affinities(self, title: str, box: Box) -> npt.NDArray[np.uint8]:
        """A map's edges along z, y, x: (3, z, y, x)."""
        data = self.maps[title]
        shown = affinities.nearest_channels(data.attrs["offsets"])
        return as_bytes(self._of(data, box)[shown])

    def _of(self, data: h5py.Dataset, box: Box) -> Array:
        region = volume.region(data, self.fragments)
        place = (
            slice(cut.start + whole.start, cut.stop + whole.start)
            for cut, whole in zip(box, region, strict=True)
        )
        found: Array = data[(..., *place)]
        return found


class Files(Section):
    """The files that a scene is read from.

    Attributes:
        image: raw, and labels where there are any.
        affinities: predicted, perhaps by both decoders.
        segmentation: see :mod:`fgnet.segmentation`; may be a box of the image.
        threshold: which of its segmentations is shown, as the evaluate stage chose.
    """

    image: Path
    affinities: Path
    segmentation: Path
    threshold: Path

    @property
    def choice(self) -> scores.Choice:
        """The threshold, and why it was chosen."""
        return scores.read(self.threshold, scores.Choice)

    @contextmanager
    def opened(self) -> Iterator[Scene]:
        """The scene, as long as its files are open."""
        with (
            volume.opened(self.image) as source,
            volume.opened(self.affinities) as predicted,
            volume.opened(self.segmentation) as segmented,
        ):
            found = words.maps([name for name, path in MAPS.items() if path in predicted])
            known = segmentation.fragments(segmented)
            yield Scene(
                fragments=volume.dataset(segmented, volume.FRAGMENTS, kind="u"),
                known=known,
                table=segmentation.table(segmented, self.choice.threshold),
                raw=volume.dataset(source, volume.RAW),
                labels=_if_there(source, volume.LABELS),
                mask=_if_there(source, volume.MASK),
                maps={title: volume.dataset(predicted, MAPS[name], "czyx")
                      for name, title in found.items()},
            )  # fmt: skip


def _if_there(file: h5py.File, name: str) -> h5py.Dataset | None:
    return volume.dataset(file, name) if name in file else None
