"""Volumes as HDF5 files in the manner of CREMI: names, attributes, checks, whole-or-not writing.

Axes are z, y, x. Every dataset carries ``resolution`` (voxel size in nm) and ``offset`` (nm);
the file carries ``made_by``, a JSON record of the stage, its settings and its inputs.
"""

import json
import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from fgnet import __version__, joined
from fgnet.checksum import sha256
from fgnet.errors import Damaged, InputError

# for its users these are a volume's, too; they stand apart for what must do without HDF5
from fgnet.whole import whole_or_nothing

RAW = "volumes/raw"
LABELS = "volumes/labels/neuron_ids"
MASK = "volumes/labels/mask"  # 1 where there is ground truth; absent: everywhere
AFFINITIES = "volumes/predictions/affinities"
COARSE_AFFINITIES = "volumes/predictions/coarse_affinities"
FRAGMENTS = "volumes/labels/fragments"

LOOK = ("low", "high", "per", "clahe", "stretch")  # settings of normalize, see look
CHUNK = (16, 64, 64)
# packages that decide what comes out: as imported, and as installed
LIBRARIES = {
    "numpy": "numpy", "scipy": "scipy", "h5py": "h5py", "skimage": "scikit-image",
    "torch": "torch", "sam2": "sam2", "waterz": "waterz", "numba": "numba", "elf": "python-elf",
    "bioimage_cpp": "bioimage-cpp", "cc3d": "connected-components-3d",
    "cloudvolume": "cloud-volume", "tensorstore": "tensorstore", "tifffile": "tifffile",
}  # fmt: skip
Array = npt.NDArray[Any]
Triple = tuple[float, float, float]


@contextmanager
def create(path: Path, stage: str, settings: Any, inputs: Sequence[Path]) -> Iterator[h5py.File]:
    """Create an HDF5 file that appears whole or not at all, with a record of what made it."""
    with whole_or_nothing(path) as partial, h5py.File(partial, "w") as file:
        yield file
        # at the end, when every package that took part has been imported
        file.attrs["made_by"] = json.dumps(record(stage, settings, inputs), sort_keys=True)


def record(stage: str, settings: Any, inputs: Sequence[Path]) -> dict[str, Any]:
    """What made a file: the stage, its settings, the checksums of its inputs, the versions."""
    return {
        "stage": stage,
        "fgnet": __version__,
        "settings": settings,
        "inputs": {str(name): sha256(name) for name in inputs},
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Versions of Python and of the packages imported so far that decide what comes out."""
    found = {"python": platform.python_version()}
    for module, package in LIBRARIES.items():
        if module in sys.modules:
            found[package] = metadata.version(package)
    return found


def made_by(file: h5py.File) -> dict[str, Any]:
    """The record that :func:`create` left: stage, fgnet version, settings, inputs' checksums."""
    record: dict[str, Any] = json.loads(file.attrs["made_by"])
    for name, checksum in joined.checksums(file).items():
        record["inputs"][str(Path(file.filename).parent / name)] = checksum
    return record


def look(file: h5py.File) -> dict[str, Any]:
    """The settings that decide how the grey values of a normalised file look.

    Files that agree in them can share a model: what was done to inverted contrast, to defects or
    to meet a reference brought the volume to this look.
    """
    settings = made_by(file)["settings"]
    return {key: settings[key] for key in LOOK if key in settings}


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading. Raises InputError when it is missing or truncated."""
    if not path.is_file():
        raise InputError(f"there is no file {str(path)!r}; check the path in the config")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise Damaged(
            f"{str(path)!r} cannot be read as HDF5, it may be truncated or of another format "
            f"({error}); fetch or make it again"
        ) from error
    with file:
        yield file


def dataset(file: h5py.File, name: str, axes: str = "zyx", kind: str | None = None) -> h5py.Dataset:
    """A dataset of the file after checking that it exists and has the axes and dtype asked for.

    One that is made of other files is read as :class:`fgnet.joined.Joined`.

    Args:
        axes: one letter an axis; the number of axes must agree.
        kind: numpy kinds allowed, as in ``np.dtype.kind`` ("u", "iu", "f").

    Raises:
        InputError: names the file, the dataset and what it holds instead.
    """
    where = f"{file.filename}: {name}"
    if name not in file or not isinstance(file[name], h5py.Dataset):
        raise InputError(
            f"{where}: no such dataset; the file holds {', '.join(names(file)) or 'none'}"
        )
    data = file[name]
    if data.ndim != len(axes):
        raise InputError(
            f"{where}: has {data.ndim} axes of shape {data.shape}, "
            f"needs {len(axes)} ({','.join(axes)})"
        )
    if kind is not None and data.dtype.kind not in kind:
        words = {"u": "unsigned integers", "i": "signed integers", "f": "floats"}
        wanted = " or ".join(words[letter] for letter in kind)
        raise InputError(f"{where}: holds {data.dtype}, needs {wanted}")
    return joined.Joined(data) if data.is_virtual else data


def names(file: h5py.File) -> list[str]:
    """The paths of all datasets of a file."""
    found: list[str] = []

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found.append(name)

    file.visititems(note)
    return sorted(found)


def add(
    file: h5py.File,
    name: str,
    shape: Sequence[int],
    dtype: npt.DTypeLike,
    voxel_size: Sequence[float],
    offset: Sequence[float] = (0.0, 0.0, 0.0),
) -> h5py.Dataset:
    """Add a chunked, compressed dataset to a file; leading axes are channels.

    Args:
        shape: ``(z, y, x)`` or ``(channels, z, y, x)``.
        voxel_size: nm along z, y, x.
        offset: of the first voxel, in nm along z, y, x.
    """
    channels = (1,) * (len(shape) - 3)
    chunks = channels + tuple(min(c, s) for c, s in zip(CHUNK, shape[-3:], strict=True))
    data = file.create_dataset(
        name, shape=tuple(shape), dtype=dtype, chunks=chunks, compression="gzip",
        compression_opts=1, shuffle=np.dtype(dtype).itemsize > 1,
    )  # fmt: skip
    data.attrs["resolution"] = [float(size) for size in voxel_size]
    data.attrs["offset"] = [float(start) for start in offset]
    return data


def voxel_size(data: h5py.Dataset) -> Triple:
    """Voxel size of a dataset in nm along z, y, x."""
    if "resolution" not in data.attrs:
        raise InputError(f"{data.file.filename}: {data.name} has no attribute 'resolution' (nm)")
    z, y, x = (float(size) for size in data.attrs["resolution"])
    return z, y, x


def offset(data: h5py.Dataset) -> Triple:
    """Offset of a dataset's first voxel in nm along z, y, x."""
    z, y, x = (float(start) for start in data.attrs.get("offset", (0.0, 0.0, 0.0)))
    return z, y, x


def region(whole: h5py.Dataset, part: h5py.Dataset) -> tuple[slice, slice, slice]:
    """Where ``part`` lies in ``whole``, from their offsets and voxel sizes, as z, y, x slices.

    Raises:
        InputError: the voxel sizes differ or the part leaves the whole.
    """
    size = voxel_size(whole)
    where = f"{part.file.filename}: {part.name} against {whole.file.filename}: {whole.name}"
    if not np.allclose(size, voxel_size(part), rtol=1e-3):
        raise InputError(
            f"{where}: voxel size {voxel_size(part)} nm differs from {size} nm; "
            "both must come from one volume"
        )
    cut = []
    for first, second, nm, long, short in zip(
        offset(whole), offset(part), size, whole.shape[-3:], part.shape[-3:], strict=True
    ):
        start = round((second - first) / nm)
        if not 0 <= start <= start + short <= long:
            raise InputError(
                f"{where}: voxels {start} to {start + short} along an axis of {long} voxels; "
                "both must come from one volume"
            )
        cut.append(slice(start, start + short))
    return cut[0], cut[1], cut[2]
