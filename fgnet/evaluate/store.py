"""What a pass over the voxels found, as a file: all scores can be made from it anew.

The group ``overlaps`` holds the fields of :class:`fgnet.evaluate.shared.Shared` under their own
names (``components`` for the neurons; fragments are numbered as in :mod:`fgnet.segmentation`),
``owners`` (the ground truth's id of each component, from component 0 on, which is none), and under
``boundaries`` the tables of :class:`fgnet.metrics.boundary.Boundaries`. Its attributes say which
voxels were scored.
"""

from dataclasses import dataclass

import h5py

from fgnet.evaluate.overlaps import Overlaps
from fgnet.evaluate.shared import Shared
from fgnet.metrics.boundary import Boundaries
from fgnet.volume import Triple

GROUP = "overlaps"
PAIRS = {
    "fragments": "fragments", "components": "neurons", "voxels": "voxels", "run": "run",
    "middle": "middle", "low": "low", "high": "high",
}  # fmt: skip
EDGES = ("fragments", "edges", "inside", "outside")
COUNTS = ("voxels", "unlabelled", "near_border")


@dataclass(frozen=True)
class Frame:
    """Where the scored box lies.

    Attributes:
        start: its first voxel in the volume, z, y, x.
        size: of a voxel, nm.
        offset: of the volume's first voxel, nm.
        border: nm around borders that were not scored.
    """

    start: tuple[int, int, int]
    size: Triple
    offset: Triple
    border: float


def write(file: h5py.File, found: Overlaps, frame: Frame) -> None:
    """Store what was found in the group ``overlaps``."""
    group = file.create_group(GROUP)
    columns = {name: getattr(found.shared, field) for name, field in PAIRS.items()}
    columns["owners"] = found.owners
    columns.update({f"boundaries/{name}": getattr(found.boundaries, name) for name in EDGES})
    for name, values in columns.items():
        # nothing to compress in an empty table
        packed = {"compression": "gzip", "shuffle": True} if values.size else {}
        group.create_dataset(name, data=values, **packed)
    for name in COUNTS:
        group.attrs[name] = getattr(found, name)
    for name in ("start", "size", "offset", "border"):
        group.attrs[name] = getattr(frame, name)


def read(file: h5py.File) -> tuple[Overlaps, Frame]:
    """What :func:`write` stored."""
    group = file[GROUP]
    found = Overlaps(
        shared=Shared(**{field: group[name][:] for name, field in PAIRS.items()}),
        owners=group["owners"][:],
        boundaries=Boundaries(*(group[f"boundaries/{name}"][:] for name in EDGES)),
        **{name: int(group.attrs[name]) for name in COUNTS},
    )
    z, y, x = group.attrs["start"].tolist()
    size, offset = (tuple(group.attrs[name].tolist()) for name in ("size", "offset"))
    return found, Frame((z, y, x), size, offset, float(group.attrs["border"]))
