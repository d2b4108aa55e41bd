"""SAM2's features of every section of every tile, encoded once.

Crops that overlap along z share sections. A tile is a place (y, x) of the grid in plane: crops of
one tile see the very same sections, whose features are kept in a rolling window until no later
crop needs them.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from fgnet.infer.stream import Place, Plan

LOG = logging.getLogger(__name__)
SHARE = 0.3  # of a GPU's free memory that the window may take; a larger one lies on the host
Encode = Callable[[Tensor], list[Tensor]]
Section = tuple[int, int, int]  # z, and the tile's y and x


@dataclass(frozen=True)
class Fresh:
    """Sections encoded for a batch: which they are, and their maps (n, channels, h, w)."""

    view: int
    origins: Sequence[Place]
    sections: dict[Section, int]
    maps: list[Tensor]


class Window:
    """The rolling window: for each tile, the sections that its next crop shares with its last.

    It holds ``tiles * views * shared`` sections at most, ``shared`` being the sections that two
    crops have in common along z; see docs/scale.md for the bytes.

    Attributes:
        encoded: sections that went through the encoder.
    """

    def __init__(self, plan: Plan, encode: Encode, views: int = 1) -> None:
        rows, depth, size = plan.origins[0], plan.crop[0], plan.shape[0]
        self.encode = encode
        self.next_row = dict(pairwise(rows))
        self.end = size
        # a volume thinner than a crop is reflected: the same sections again
        inside = np.arange(min(depth, size))
        self.depths: list[int] = np.pad(inside, (0, depth - len(inside)), mode="reflect").tolist()
        shared = max((depth - (b - a) for a, b in pairwise(rows)), default=0)
        self.capacity = plan.tiles * views * max(shared, 0)
        self.spare = list(range(self.capacity))
        self.held: dict[tuple[int, int, int], dict[int, int]] = {}  # view, y, x -> z -> slot
        self.pool: list[Tensor] = []  # (capacity, channels * h * w) a map
        self.encoded = 0

    def maps(
        self, crops: Tensor, origins: Sequence[Place], view: int = 0
    ) -> tuple[list[Tensor], Fresh]:
        """The encoder's maps of crops; sections that are not in the window are encoded together.

        Args:
            crops: (B, D, H, W), as the network sees them.
            origins: of the crops in the volume.
            view: number of the flip or transposition in which the crops are seen.

        Returns:
            Maps (B, channels, D, h, w), and what :meth:`keep` takes once the batch has passed.
        """
        depth = len(self.depths)
        fresh: dict[Section, int] = {}
        chosen: list[int] = []  # sections to encode, numbered through the batch
        new: tuple[list[int], list[int]] = ([], [])  # section of the batch, row of the fresh maps
        old: tuple[list[int], list[int]] = ([], [])  # section of the batch, slot of the pool
        for number, (z, y, x) in enumerate(origins):
            held = self.held.get((view, y, x), {})
            for index, below in enumerate(self.depths):
                here, key = number * depth + index, (z + below, y, x)
                if key[0] in held:
                    old[0].append(here)
                    old[1].append(held[key[0]])
                    continue
                if key not in fresh:
                    fresh[key] = len(fresh)
                    chosen.append(here)
                new[0].append(here)
                new[1].append(fresh[key])
        device = crops.device
        to, row, to_kept, slot = (torch.tensor(each, device=device) for each in (*new, *old))
        sections = crops.flatten(0, 1)[torch.tensor(chosen, device=device)]  # (n, H, W)
        encoded = [m[0].transpose(0, 1) for m in self.encode(sections[None, None])]
        self.encoded += len(chosen)
        maps = []
        for level, m in enumerate(encoded):  # (n, channels, h, w)
            out = m.new_empty(len(origins) * depth, *m.shape[1:])
            out[to] = m[row]
            if old[0]:
                kept = self.pool[level][slot.to(self.pool[level].device)].to(device)
                out[to_kept] = kept.view(-1, *m.shape[1:])
            maps.append(out.view(len(origins), depth, *m.shape[1:]).transpose(1, 2))
        return maps, Fresh(view, origins, fresh, encoded)

    def keep(self, fresh: Fresh) -> None:
        """Let go of the sections that no later crop needs and take in those that one does."""
        needed = {(y, x): self.next_row.get(z, self.end) for z, y, x in fresh.origins}
        for (y, x), first in needed.items():
            held = self.held.setdefault((fresh.view, y, x), {})
            for z in [z for z in held if z < first]:
                self.spare.append(held.pop(z))
        stay = [(key, row) for key, row in fresh.sections.items() if key[0] >= needed[key[1:]]]
        if not stay:
            return
        if not self.pool:
            self.allocate(fresh.maps)
        slots = [self.spare.pop() for _ in stay]
        for ((z, y, x), _), slot in zip(stay, slots, strict=True):
            self.held[fresh.view, y, x][z] = slot
        rows = [row for _, row in stay]
        for pool, m in zip(self.pool, fresh.maps, strict=True):
            values = m[rows].flatten(1).to(pool.device)  # (n, channels * h * w)
            pool[torch.tensor(slots, device=pool.device)] = values

    def allocate(self, maps: Sequence[Tensor]) -> None:
        """Make room for the window on the maps' device or, where that is too small, on the host."""
        sizes = [m[0].numel() for m in maps]
        size = self.capacity * sum(sizes) * maps[0].element_size()
        device = maps[0].device
        if device.type == "cuda" and size > SHARE * torch.cuda.mem_get_info(device)[0]:
            device = torch.device("cpu")
        LOG.info("window of encoded sections: %d, %.3f GB on %s", self.capacity, size / 1e9, device)
        self.pool = [
            torch.empty(self.capacity, each, dtype=m.dtype, device=device)
            for each, m in zip(sizes, maps, strict=True)
        ]
