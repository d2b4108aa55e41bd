"""Region graphs as files, one of each job.

The groups ``near`` and ``far`` hold the arrays of :class:`fgnet.agglomerate.regions.Graph`, and
``same`` the fragments that are one; see :class:`fgnet.agglomerate.blockwise.Contacts`.
"""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import h5py
import numpy as np

from fgnet import volume
from fgnet.agglomerate.blockwise import Contacts
from fgnet.agglomerate.regions import Graph, added

GROUPS = ("near", "far")


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
