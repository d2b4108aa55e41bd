"""The affinities that a method works on, read box by box as bytes."""

from collections.abc import Sequence
from dataclasses import dataclass

import h5py
import numpy as np
import numpy.typing as npt

from fgnet import volume
from fgnet.affinities import NEAREST
from fgnet.errors import InputError
from fgnet.settings.base import Offset

Bytes = npt.NDArray[np.uint8]
Box = Sequence[slice]


@dataclass(frozen=True)
class Affinities:
    """Channels of a dataset of affinities.

    Attributes:
        data: (channels, z, y, x); of h5py, or :class:`fgnet.joined.Joined`.
        channels: those that are read; the nearest three come first.
        offsets: one (z, y, x) a channel that is read.
    """

    data: h5py.Dataset
    channels: list[int]
    offsets: list[Offset]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the volume (z, y, x)."""
        z, y, x = self.data.shape[1:]
        return int(z), int(y), int(x)

    def read(self, box: Box, nearest: bool = False) -> Bytes:
        """A box (channels, z, y, x) as uint8, 255 is 1; of the nearest three, or of all.

        Raises:
            InputError: floats are not from 0 to 1.
        """
        channels = self.channels[:3] if nearest else self.channels
        out = np.empty((len(channels), *(cut.stop - cut.start for cut in box)), np.uint8)
        for target, channel in zip(out, channels, strict=True):
            values = self.data[(channel, *box)]
            if values.dtype.kind == "f":
                if not (values.min() >= 0 and values.max() <= 1):
                    raise InputError(
                        f"{self.data.file.filename}: {volume.AFFINITIES}: values from "
                        f"{values.min()} to {values.max()}, needs floats from 0 to 1; infer again"
                    )
                values = np.rint(values.astype(np.float32) * 255)
            elif values.dtype != np.uint8:
                values = values // (np.iinfo(values.dtype).max // 255)
            target[:] = values
        return out


def opened(file: h5py.File, shortest: int | None) -> Affinities:
    """The nearest three affinities of a file, and those at longer range.

    Args:
        shortest: length in voxels from which on long-range affinities are read; None for none.

    Raises:
        InputError: there are none, the attribute ``offsets`` is missing or does not fit, or an
            edge is missing.
    """
    data = volume.dataset(file, volume.AFFINITIES, "czyx", "uf")
    where = f"{file.filename}: {volume.AFFINITIES}"
    offsets = np.asarray(data.attrs.get("offsets", ()))
    if offsets.shape != (data.shape[0], 3):
        raise InputError(
            f"{where}: attribute 'offsets' has shape {offsets.shape}, needs {(data.shape[0], 3)}, "
            "one (z, y, x) a channel; infer again"
        )
    have = [(int(z), int(y), int(x)) for z, y, x in offsets]
    missing = [offset for offset in NEAREST if offset not in have]
    if missing:
        raise InputError(
            f"{where}: has no channel for the offsets {missing}, only {have}; "
            "train the model with the nearest three"
        )
    channels = [have.index(offset) for offset in NEAREST]
    if shortest is not None:
        far = [c for c, offset in enumerate(have) if max(map(abs, offset)) >= shortest]
        if not far:
            raise InputError(
                f"{where}: has no offset of {shortest} voxels or more, which the mutex "
                f"watershed needs, only {have}; train the model with long-range offsets "
                "or take another merge.method"
            )
        channels += far
    return Affinities(data, channels, [have[channel] for channel in channels])
