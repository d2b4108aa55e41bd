"""Region graphs as files, one of each job.

The groups ``near`` and ``far`` hold the arrays of :class:`fgnet.agglomerate.regions.Graph`, and
``same`` the fragments that are one; see :class:`Contacts`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from fgnet import volume
from fgnet.agglomerate.regions import Graph, added

GROUPS = ("near", "far")


@dataclass(frozen=True)
class Contacts:
    """Which fragments touch, and which are one.

    A block sees a fragment whose seed lies beyond its halo from the place where it comes in, and
    takes that for the seed. The block in which the place lies knows better: what it has there is
    the same fragment.

    Attributes:
        near: the region graph over nearest affinities.
        far: over those at longer range.
        same: (m, 2) int64, numbers of fragments that are one.
    """

    near: Graph
    far: Graph
    same: npt.NDArray[np.int64]


def write(file: h5py.File, contacts: Contacts) -> None:
    """Store what a job found."""
    arrays = {"same": contacts.same}
    for group in GROUPS:
        graph = getattr(contacts, group)
        arrays |= {f"{group}/{field.name}": getattr(graph, field.name) for field in fields(graph)}
    for name, values in arrays.items():
        file.create_dataset(name, data=values, compression="gzip", compression_opts=1, shuffle=True)


def total(paths: Sequence[Path]) -> Contacts:
    """What all jobs found."""
    near: list[Graph] = []
    far: list[Graph] = []
    same = []
    for path in paths:
        with volume.opened(path) as file:
            for group, graphs in zip(GROUPS, (near, far), strict=True):
                names = [field.name for field in fields(Graph)]
                graphs.append(Graph(**{name: file[group][name][:] for name in names}))
            same.append(file["same"][:])
    return Contacts(added(near), added(far), np.concatenate(same))
