"""Skeletons derived from labels: the centre lines of the neurons in a box, drawn by kimimaro.

kimimaro (TEASAR; Sato et al. 2000, doi 10.1109/PCCGA.2000.883951) is GPL and stands in an
environment of its own (envs/skeletons.yaml); it is called as a program, never imported. It gets the
labels on a coarse isotropic grid, whose step is its unit of length.
"""

import logging
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from fgnet import ledger, programs, skeletons, volume
from fgnet.blocks import tiles
from fgnet.progress import track
from fgnet.settings.base import Box
from fgnet.settings.evaluate import Derived
from fgnet.skeletons import ROUNDING, Index

LOG = logging.getLogger(__name__)
PROGRAM = "kimimaro"
BLOCK = (64, 512, 512)  # voxels read at a time
STEPS = 4  # voxels along the finest axis in a step of the grid
FINE = 40.0  # nm: a longer step, which thin neurites slip through, only where an axis is coarser
# nm, igneous's own, so that lines of labels are drawn as those of exported segmentations
SOMA = {"soma-detect": 1100.0, "soma-accept": 3500.0, "soma-const": 300.0}


def run(labels: Path, output: Path, settings: str, box: str = "{}", workers: int = 1) -> None:
    """Write the centre lines of a volume's labels in the form of :mod:`fgnet.skeletons`.

    Every node lies on a voxel of its neuron. The record says how many neurons there are, how many
    of them have no line, and their share of the labelled voxels.

    Args:
        labels: normalised file with labels, and perhaps a mask.
        output: HDF5 file to write.
        settings: JSON of :class:`fgnet.settings.evaluate.Derived`.
        box: JSON of :class:`fgnet.settings.base.Box`, the part of the volume that is scored.
        workers: processes.

    Raises:
        InputError: no labels, a box that leaves the volume, or the program is missing or fails.
    """
    wanted, program = Derived.from_json(settings), programs.located(PROGRAM)
    output.parent.mkdir(parents=True, exist_ok=True)
    with (
        volume.opened(labels) as file,
        tempfile.TemporaryDirectory(dir=output.parent, prefix=".skeletons.") as work,
    ):
        data = volume.dataset(file, volume.LABELS, kind="u")
        size, region = volume.voxel_size(data), Box.from_json(box).slices(data.shape, labels.name)
        step = wanted.grid or max(max(size), min(STEPS * min(size), FINE))
        places = [points(cut, nm, step) for cut, nm in zip(region, size, strict=True)]
        index = [np.floor(own / size[k] + ROUNDING).astype(int) for k, own in enumerate(places)]
        # in kimimaro's order, x first; a file, so that memory holds it once
        shape = tuple(len(along) for along in reversed(index))
        path = Path(work) / "grid.npy"
        grid = np.lib.format.open_memmap(path, "w+", data.dtype, shape, fortran_order=True).T
        voxels = sample(data, file.get(volume.MASK), region, index, grid)
        grid.flush()
        ledger.voxels(voxels.total())
        programs.call([program, *forge(wanted, step, workers)], path.parent)
        first = np.array(volume.offset(data)) + [along[0] for along in places]
        lines = []
        for drawn in sorted(path.parent.glob("lines/*.swc"), key=lambda path: int(path.stem)):
            nodes, edges = line(drawn, grid)
            lines.append((int(drawn.stem), nodes * step + first, edges))
    with_line = {neuron for neuron, _, edges in lines if len(edges)}
    small = [count for neuron, count in voxels.items() if neuron not in with_line]
    record = {
        "from": "labels", "by": PROGRAM, **wanted.model_dump(mode="json"), "grid": step,
        "neurons": len(voxels), "without_line": len(small),
        "share_without_line": sum(small) / max(voxels.total(), 1),
    }  # fmt: skip
    found = skeletons.gathered(lines, record)
    LOG.info("%.1f um of centre lines: %s", found.lengths().sum() / 1000, record)
    with volume.create(output, "evaluate", wanted.model_dump(mode="json"), [labels]) as file:
        skeletons.write(file, found)


def points(cut: slice, size: float, step: float) -> npt.NDArray[np.float64]:
    """Where a grid's points lie along an axis, in the middle of a cut; nm from the first voxel."""
    extent = (cut.stop - cut.start) * size
    count = max(int(extent / step + ROUNDING), 1)
    margin = (extent - count * step) / 2
    return np.asarray(cut.start * size + margin + (np.arange(count) + 0.5) * step, np.float64)


def sample(
    labels: Any, mask: Any, region: Sequence[slice], index: Sequence[Index], grid: Any
) -> Counter[int]:
    """Give every point of a grid (z, y, x) the voxel that it lies in, block by block.

    ``index`` holds the voxels of the points along each axis, ascending; the mask is 0 where nobody
    labelled. Returns how many voxels of the box each neuron has.
    """
    voxels: Counter[int] = Counter()
    for tile in track(tiles([cut.stop - cut.start for cut in region], BLOCK), "sample labels"):
        corner = [cut.start + whole.start for cut, whole in zip(tile, region, strict=True)]
        ends = [cut.stop + whole.start for cut, whole in zip(tile, region, strict=True)]
        place = tuple(map(slice, corner, ends))
        block = labels[place] if mask is None else np.where(mask[place] > 0, labels[place], 0)
        ids, counts = np.unique(block, return_counts=True)
        voxels.update(dict(zip(ids.tolist(), counts.tolist(), strict=True)))
        here = tuple(
            slice(*np.searchsorted(along, pair))
            for along, *pair in zip(index, corner, ends, strict=True)
        )
        inner = [along[cut] - low for along, cut, low in zip(index, here, corner, strict=True)]
        grid[here] = block[np.ix_(*inner)]
    del voxels[0]
    return voxels


def forge(wanted: Derived, step: float, workers: int) -> list[str]:
    """The arguments that draw lines into files lines/ID.swc, in steps of the grid.

    Holes are not filled, as neurons that lie in another one would go with them.
    """
    lengths = {key: nm / step for key, nm in {"const": wanted.const, **SOMA}.items()}
    counts = {"dust": wanted.min_voxels - 1, "parallel": workers}  # what has more is drawn
    values = {"scale": wanted.scale, "soma-scale": 1, **lengths, **counts, "outdir": "lines"}
    options = [f"--{key}={value}" for key, value in values.items()]
    return ["forge", "grid.npy", "--no-fill-holes", *options]


def line(path: Path, grid: Any) -> tuple[Index, Index]:
    """Nodes (n, 3) on points of the grid, and edges (m, 2), of the file of a neuron."""
    rows = [row.split() for row in path.read_text().splitlines() if row[:1].isdigit()]
    table = np.array(rows, np.float64).reshape(-1, 7).astype(np.int64)
    nodes, child = table[:, [4, 3, 2]], np.flatnonzero(table[:, 6] > 0)
    # kimimaro fills the holes of what may be a soma after all
    astray = grid[tuple(nodes.T)] != int(path.stem)
    if astray.any():
        own = np.argwhere(grid == int(path.stem))
        nodes[astray] = own[cKDTree(own).query(nodes[astray])[1]]
    return nodes, np.stack([table[child, 6] - 1, child], 1)
