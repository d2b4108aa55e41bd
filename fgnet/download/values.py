"""Values as every later stage expects them: grey values without a sign, ids without a loss."""

import functools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fgnet.download.layers import Layer, Slices
from fgnet.errors import InputError
from fgnet.progress import track
from fgnet.volume import Array


@dataclass(frozen=True)
class Grey:
    """How grey values become uint8 or uint16: ``(value - low) / step``, rounded."""

    dtype: np.dtype[np.unsignedinteger]
    low: float = 0.0
    step: float = 1.0

    def __call__(self, block: Array) -> Array:
        """The block's values in the new dtype."""
        if (self.low, self.step) == (0.0, 1.0):
            return block.astype(self.dtype, copy=False)
        return np.rint((block.astype(np.float64) - self.low) / self.step).astype(self.dtype)


def grey(layer: Layer, boxes: Iterable[Slices]) -> Grey:
    """How a layer's grey values are kept.

    uint8 and uint16 stay as they are. Other whole numbers are kept where they fit 16 bits, and
    shifted where they begin below 0; all else is scaled linearly to 16 bits, which takes a pass
    over the values.

    Raises:
        InputError: the layer holds no numbers, or some are not finite.
    """
    kind, size = layer.dtype.kind, layer.dtype.itemsize
    if kind == "u" and size <= 2:
        return Grey(np.dtype(f"u{size}"))
    if kind not in "uif":
        raise InputError(f"{layer.name} holds {layer.dtype}; grey values are numbers")
    low, high, whole = np.inf, -np.inf, True
    for box in track(boxes, f"find the range of {layer.name}"):
        block = layer.read(box)
        if kind == "f":
            if not np.isfinite(block).all():
                raise InputError(
                    f"{layer.name} holds {int((~np.isfinite(block)).sum())} voxels without a "
                    f"finite value (NaN or infinity) in the box {text(box)}; fill them"
                )
            whole = whole and bool((block == np.rint(block)).all())
        low, high = min(low, float(block.min())), max(high, float(block.max()))
    if whole and low >= 0 and high <= 65535:
        return Grey(np.dtype(np.uint8 if high <= 255 else np.uint16))
    if whole and high - low <= 65535:
        return Grey(np.dtype(np.uint16), low)
    return Grey(np.dtype(np.uint16), low, (high - low) / 65535 or 1.0)


def text(box: Slices) -> str:
    """A box in words."""
    return ", ".join(
        f"{axis} {cut.start} to {cut.stop}" for axis, cut in zip("zyx", box, strict=True)
    )


def id_type(dtype: npt.DTypeLike, name: str) -> np.dtype[np.unsignedinteger]:
    """uint32 where every id of the dtype fits, else uint64. Raises InputError for no integers."""
    dtype = np.dtype(dtype)
    if dtype.kind not in "uib":
        raise InputError(f"{name} holds {dtype}; labels are whole numbers: convert them")
    return np.dtype(np.uint32 if dtype.itemsize <= 4 else np.uint64)


def as_ids(block: Array, dtype: npt.DTypeLike, name: str) -> Array:
    """Label ids as unsigned integers, values kept. Raises InputError for a negative one."""
    if block.dtype.kind == "i" and block.min() < 0:
        raise InputError(
            f"{name}: holds the negative label {block.min()}, ids start at 0 (no label); "
            "renumber the labels"
        )
    return block.astype(dtype, copy=False)


@functools.cache
def _sorted(ids: tuple[int, ...]) -> Array:
    return np.array(sorted(ids), np.uint64)


def among(block: Array, ids: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Where a block of ids is one of these."""
    return np.isin(block, _sorted(ids))
