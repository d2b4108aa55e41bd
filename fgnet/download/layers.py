"""What a source looks like once opened: an image or label volume that is read box by box."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from fgnet.errors import InputError
from fgnet.volume import Array, Triple

Shape = tuple[int, int, int]
Slices = tuple[slice, slice, slice]
Role = Literal["image", "labels", "mask"]
CREMI = {
    "image": "volumes/raw",
    "labels": "volumes/labels/neuron_ids",
    "mask": "volumes/labels/mask",
}


def nothing(box: Slices) -> tuple[Path, ...]:
    """What :attr:`Layer.prepare` does for a layer that is at hand."""
    return ()


@dataclass(frozen=True)
class Layer:
    """An opened source.

    Attributes:
        name: for messages.
        shape: z, y, x.
        dtype: of the values, in the machine's byte order.
        read: the values of a box, counted from the layer's first voxel.
        voxel_size: nm along z, y, x as the source records it, or None.
        offset: place of the first voxel in nm along z, y, x, or None where none is recorded.
        first: what the source's own viewers call the first voxel.
        files: the local files that are read, for the record.
        prepare: brings what a box needs to this machine before it is read, resuming what an
            earlier run brought; returns the further files that are read.
        remote: what identifies the values where they come over a network box by box.
        chunks: size of the chunks (z, y, x) in which they come.
    """

    name: str
    shape: Shape
    dtype: np.dtype[np.generic]
    read: Callable[[Slices], Array]
    voxel_size: Triple | None = None
    offset: Triple | None = None
    first: Shape = (0, 0, 0)
    files: tuple[Path, ...] = ()
    prepare: Callable[[Slices], tuple[Path, ...]] = nothing
    remote: str | None = None
    chunks: Shape | None = None


class Unreadable(InputError):
    """Reading failed, perhaps only for now: over a network it is worth another try."""


def oriented(
    name: str,
    shape: Sequence[int],
    dtype: npt.DTypeLike,
    axes: str,
    read: Callable[[tuple[slice, ...]], Array],
) -> Layer:
    """A layer (z, y, x) from an array of any order of axes.

    Args:
        axes: a letter for each axis of ``shape``; those other than z, y, x must have length 1.
        read: the values of slices in the array's own order.

    Raises:
        InputError: there is no z, y or x axis, or another axis is longer than 1.
    """
    if len(axes) != len(shape):
        raise InputError(
            f"{name} has {len(shape)} axes of shape {tuple(shape)}, not {len(axes)} "
            f"({','.join(axes)}); give `axes`"
        )
    for letter, length in zip(axes, shape, strict=True):
        if letter not in "zyx" and length != 1:
            raise InputError(
                f"{name} has {length} channels (shape {tuple(shape)}, axes {','.join(axes)}); an "
                "EM image has one grey value, and labels one id a voxel: convert it"
            )
    order = [axes.index(letter) for letter in "zyx"]
    native = np.dtype(dtype).newbyteorder("=")

    def read_zyx(box: Slices) -> Array:
        wanted = [slice(0, 1)] * len(axes)
        for place, cut in zip(order, box, strict=True):
            wanted[place] = cut
        values = np.asarray(read(tuple(wanted)))
        rest = [place for place in range(len(axes)) if place not in order]
        turned = values.transpose([*rest, *order])
        return turned.reshape(turned.shape[-3:]).astype(native, copy=False)

    z, y, x = (int(shape[place]) for place in order)
    return Layer(name, (z, y, x), native, read_zyx)


def guessed(shape: Sequence[int], name: str, order: str = "zyx") -> str:
    """The axes of an array whose file does not name them: axes of length 1 may come beside three.

    Args:
        order: the order of z, y, x that the format has.

    Raises:
        InputError: fewer or more than three axes are longer than 1, or colour is the last.
    """
    if len(shape) == 3 and shape[-1] not in (3, 4):
        return order
    if len(shape) < 3:
        raise InputError(
            f"{name} has {len(shape)} axes of shape {tuple(shape)}; a volume has three, z, y and x"
        )
    if shape[-1] in (3, 4) and len(shape) > 2:
        raise InputError(
            f"{name} has the shape {tuple(shape)}, whose last axis looks like colour; an EM "
            "image has one grey value a voxel: convert it (or give `axes` if it is none)"
        )
    long = [place for place, length in enumerate(shape) if length > 1]
    if len(long) != 3:
        raise InputError(
            f"{name} has {len(shape)} axes of shape {tuple(shape)}; a volume has three, z, y and "
            "x, and else only axes of length 1: choose one channel or time, or give `axes`"
        )
    spare = iter("abcdefgh")
    letters = iter(order)
    return "".join(next(letters) if place in long else next(spare) for place in range(len(shape)))


def part(layer: Layer, start: Shape, shape: Shape) -> Layer:
    """The box of a layer that begins at ``start``."""

    def shifted(box: Slices) -> Slices:
        z, y, x = (
            slice(cut.start + low, cut.stop + low) for cut, low in zip(box, start, strict=True)
        )
        return z, y, x

    return replace(
        layer,
        shape=shape,
        read=lambda box: layer.read(shifted(box)),
        prepare=lambda box: layer.prepare(shifted(box)),
    )
