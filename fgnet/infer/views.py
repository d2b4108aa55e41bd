"""Test-time augmentation: a crop seen in sixteen ways, and the mean of what was seen.

Flips along z, y and x and the transposition of y and x are the symmetries of sections thicker than
a voxel is wide. In a view an edge points elsewhere: the affinity of v and v + o found there may be
another channel's here, and may belong to the voxel at its other end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from fgnet.affinities import edge_slices
from fgnet.settings.base import Offset


@dataclass(frozen=True)
class View:
    """Flips along y and x, then y and x swapped; a flip along z comes on its own."""

    flip_y: bool = False
    flip_x: bool = False
    transpose: bool = False

    def of(self, crops: Tensor) -> Tensor:
        """Crops (..., H, W) as this view shows them, (..., W, H) where transposed."""
        axes = [axis for axis, on in ((-2, self.flip_y), (-1, self.flip_x)) if on]
        seen = crops.flip(axes) if axes else crops
        return seen.transpose(-1, -2) if self.transpose else seen

    def back(self, seen: Tensor) -> Tensor:
        """The reverse of :meth:`of`."""
        crops = seen.transpose(-1, -2) if self.transpose else seen
        axes = [axis for axis, on in ((-2, self.flip_y), (-1, self.flip_x)) if on]
        return crops.flip(axes) if axes else crops

    def edge(self, offset: Offset, flip_z: bool) -> Offset:
        """Where an edge of the view points in the volume."""
        z, y, x = offset
        if self.transpose:
            y, x = x, y
        return (-z if flip_z else z, -y if self.flip_y else y, -x if self.flip_x else x)


AS_IT_IS = (View(),)
ALL = tuple(View(*on) for on in product((False, True), repeat=3))


def partners(offsets: Sequence[Offset], view: View, flip_z: bool) -> list[tuple[int, bool] | None]:
    """For each channel, the channel of a view that knows its edges; None where none does.

    The flag says that the view knows an edge at its other end.
    """
    seen = [view.edge(offset, flip_z) for offset in offsets]
    found: list[tuple[int, bool] | None] = []
    for z, y, x in offsets:
        if (z, y, x) in seen:
            found.append((seen.index((z, y, x)), False))
        elif (-z, -y, -x) in seen:
            found.append((seen.index((-z, -y, -x)), True))
        else:
            found.append(None)
    return found


class Mean:
    """The mean over views of the affinities of crops, for each edge over the views that know it."""

    def __init__(self, offsets: Sequence[Offset], shape: Sequence[int], device: torch.device):
        """``shape`` is that of the crops' affinities, (B, C, D, H, W)."""
        self.offsets = offsets
        self.total = torch.zeros(*shape, device=device)
        self.count = torch.zeros(*shape[1:], device=device)

    def add(self, affinities: Tensor, view: View, flip_z: bool) -> None:
        """Take in the affinities of a view, (B, C, D, H, W) as it shows them."""
        here_again = view.back(affinities.flip(2) if flip_z else affinities)
        for channel, partner in enumerate(partners(self.offsets, view, flip_z)):
            if partner is None:
                continue
            source, at_other_end = partner
            known: tuple[slice, ...] = (slice(None),) * 3
            values = known
            if at_other_end:
                known, values = edge_slices(self.offsets[channel])
            self.total[:, channel][:, *known] += here_again[:, source][:, *values]
            self.count[channel][known] += 1

    def value(self) -> Tensor:
        """The mean (B, C, D, H, W)."""
        return self.total / self.count
