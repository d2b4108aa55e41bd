"""Scales of a layer: which axes are halved when, and where their voxels lie.

A coarse voxel covers the fine voxels whose absolute coordinates (offset / voxel size) it covers,
so that a layer that begins at an odd voxel is not shifted by half of one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorstore as ts

from fgnet.blocks import tiles
from fgnet.export.source import BLOCK, Layer, Shape, Slices
from fgnet.progress import track
from fgnet.volume import Array, Triple


@dataclass(frozen=True)
class Scale:
    """One scale of a layer; all triples are z, y, x.

    Attributes:
        factor: how many voxels of the scale before it one voxel takes the place of.
        total: how many voxels of the layer.
        first: absolute coordinate of the first voxel, in voxels of this scale.
        shape: in voxels.
        voxel_size: nm.
    """

    factor: Shape
    total: Shape
    first: Shape
    shape: Shape
    voxel_size: Triple


def scales(layer: Layer, first: Shape, count: int) -> list[Scale]:
    """The scales of a layer whose first voxel has this absolute coordinate, the finest first.

    Each next one halves the axes along which voxels are shorter than the longest by more than a
    factor of the square root of 2, or all when there are none, which brings them towards cubes.
    """
    one = (1, 1, 1)
    made = [Scale(one, one, first, layer.shape, layer.voxel_size)]
    while len(made) < count:
        last = made[-1]
        short = [size < max(last.voxel_size) / 2**0.5 for size in last.voxel_size]
        factor = _triple(2 if halve or not any(short) else 1 for halve in short)
        start = _triple(a // f for a, f in zip(last.first, factor, strict=True))
        stop = (-(-(a + n) // f) for a, n, f in zip(last.first, last.shape, factor, strict=True))
        made.append(
            Scale(
                factor,
                _triple(a * f for a, f in zip(last.total, factor, strict=True)),
                start,
                _triple(b - a for a, b in zip(start, stop, strict=True)),
                _triple(nm * f for nm, f in zip(last.voxel_size, factor, strict=True)),
            )
        )
    return made


def _triple(values: Any) -> Any:
    z, y, x = values
    return z, y, x


def blocks(layer: Layer, finer: Any, scale: Scale, what: str) -> Iterator[tuple[Slices, Array]]:
    """A coarse scale in blocks: where each lies from 0, and its values (channels, z, y, x).

    Args:
        finer: the scale before as a tensorstore (channels, z, y, x) at absolute coordinates.
    """
    # the mean rounds halves to even; of ids that are equally frequent the least is taken
    method: ts.DownsampleMethod = "mode" if layer.ids else "mean"
    coarse = ts.downsample(finer, [1, *scale.factor], method)
    for box in track(tiles(scale.shape, BLOCK), what):
        place = tuple(
            slice(part.start + a, part.stop + a) for part, a in zip(box, scale.first, strict=True)
        )
        yield box, np.asarray(coarse[(slice(None), *place)].read().result())


def fill(
    layer: Layer,
    levels: Sequence[Scale],
    opened: Callable[[int], Any],
    write: Callable[[int, Slices, Array], None],
    seen: Callable[[Array], None] = lambda block: None,
) -> None:
    """Write every scale, each one from the one before.

    Args:
        opened: a scale that has been written, as :func:`blocks` needs it.
        write: puts a block (channels, z, y, x) into a scale at a place that counts from 0.
        seen: is shown every block of the finest scale.
    """
    for index, scale in enumerate(levels):
        what = f"{layer.name}, scale {index}"
        parts = layer.blocks(what) if index == 0 else blocks(layer, opened(index - 1), scale, what)
        for box, block in parts:
            write(index, box, block)
            if index == 0:
                seen(block)
