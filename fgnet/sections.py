"""What normalisation saw and did, section by section, as it stands in the normalised file.

The group ``normalization`` holds

- ``sections`` (z,): a table with the columns of :data:`COLUMNS`,
- ``before`` (256 or 65536,) and ``after`` (256,): how many voxels have each grey value,
- ``border`` (z, y', x') uint8, where a section is bordered: on every n-th row and column, so that
  no side is longer than :data:`SAMPLE`, 1 where the border is black and 2 where it is white. A
  voxel belongs to the border where it has the section's darkest or brightest value there.
"""

from collections.abc import Sequence
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from fgnet import volume

TABLE = "normalization/sections"
BEFORE = "normalization/before"
AFTER = "normalization/after"
BORDER = "normalization/border"

SAMPLE = 1024
SOUND, LOST, BORDERED = range(3)
KEPT, INTERPOLATED, COPIED = range(3)
BLACK, WHITE = 1, 2
KINDS = ("sound", "lost", "bordered")
DEEDS = ("kept", "interpolated", "copied")


def _words(names: Sequence[str]) -> np.dtype[Any]:
    kind: np.dtype[Any] = h5py.enum_dtype(
        {name: place for place, name in enumerate(names)}, basetype="u1"
    )
    return kind


# mean, std, min, max: of all grey values as downloaded; bad: share of lost or border pixels, done:
# to these; low, high: grey values that became 0 and 255 (where a reference was matched: the
# percentiles); mean_after, std_after: of the normalised section
COLUMNS = np.dtype(
    [
        ("mean", "f8"), ("std", "f8"), ("min", "u2"), ("max", "u2"),
        ("kind", _words(KINDS)), ("bad", "f8"), ("done", _words(DEEDS)),
        ("low", "u2"), ("high", "u2"), ("mean_after", "f8"), ("std_after", "f8"),
    ]
)  # fmt: skip
Rows = npt.NDArray[np.void]


def empty(depth: int) -> Rows:
    """A table of so many sections, all 0."""
    return np.zeros(depth, COLUMNS)


def moments(counts: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Mean and standard deviation of grey values that occur so often."""
    values = np.arange(len(counts))
    mean = float(values @ counts / counts.sum())
    return mean, float(np.sqrt((values - mean) ** 2 @ counts / counts.sum()))


def write(
    file: h5py.File, rows: Rows, before: npt.NDArray[np.int64], after: npt.NDArray[np.int64]
) -> None:
    """Store the table and the histograms of the whole volume."""
    file[TABLE] = rows
    file.create_dataset(BEFORE, data=before, compression="gzip")
    file.create_dataset(AFTER, data=after, compression="gzip")


def read(file: h5py.File) -> Rows:
    """The table. Raises InputError where the file holds none."""
    rows: Rows = volume.dataset(file, TABLE, "z")[:]
    return rows


def steps(shape: Sequence[int]) -> tuple[int, int]:
    """Every how many rows and columns of a volume (z, y, x) are in the sample."""
    return -(-shape[1] // SAMPLE), -(-shape[2] // SAMPLE)


def add_border(file: h5py.File, shape: Sequence[int]) -> h5py.Dataset:
    """Add the dataset of the borders of a volume (z, y, x); sections not written take no room."""
    y, x = (-(-size // step) for size, step in zip(shape[1:], steps(shape), strict=True))
    return file.create_dataset(
        BORDER, (shape[0], y, x), np.uint8, chunks=(1, y, x), compression="gzip"
    )
