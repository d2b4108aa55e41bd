"""What agglomeration costs: seconds and memory a gigavoxel, and how both grow with the volume.

``FGNET_DATA=... python benchmarks/scale.py`` times each step on FIB-25's labels as noisy affinities
(10.5 million voxels, one core) beside what one would use instead. With ``--folder SCRATCH
--shape Z Y X`` it tiles these affinities to a volume of that shape there, in HDF5, once whole and
cut to a half, a quarter and so on, and sends each through the jobs of the workflow.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import mwatershed
import numpy as np
import waterz
from scipy import ndimage
from skimage.segmentation import watershed

from fgnet import affinities, scores, volume
from fgnet.affinities import NEAREST
from fgnet.agglomerate import fragments, hierarchy, regions
from fgnet.agglomerate.merge import scoring_function
from fgnet.progress import silenced
from fgnet.settings.agglomerate import Method

METHOD = Method.checked({"thresholds": [0.1, 0.3, 0.5, 0.7, 0.9]})
LONG = (*NEAREST, (-9, 0, 0), (0, -9, 0), (0, 0, -9))
SIZE = (10.0, 10.0, 10.0)
CHOSEN = scores.Choice(threshold=0.5, reason="", chosen_by="fixed", criterion="voi",
                       ground_truth="ids", mean=[], made_by={})  # fmt: skip
STEP = """
import json, resource, sys
from pathlib import Path
from fgnet.agglomerate import __main__ as steps
from fgnet.export.__main__ import run_layer
name, paths, values = sys.argv[1], map(Path, json.loads(sys.argv[2])), json.loads(sys.argv[3])
if name == "export":
    segmentation, threshold, output = paths
    run_layer("segmentation", segmentation, "{}", threshold, "{}", output)
else:
    getattr(steps, name)(*paths, *values)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def tissue(channels: Any = NEAREST) -> tuple[Any, Any]:
    """Labels of FIB-25, and affinities such as a network might predict."""
    with h5py.File(Path(os.environ["FGNET_DATA"]) / "fib25_ts2_z000-168.h5") as source:
        labels = source[volume.LABELS][:]
    walls = affinities.widen_borders(labels, in_plane_only=False)
    return labels, affinities.degraded(walls, channels, 1.0, 0.1, 0)


def steps() -> None:
    """Seconds of processor time a gigavoxel, each step beside its alternatives."""
    _, values = tissue(LONG)
    near, voxels = np.ascontiguousarray(values[:3]), values[0].size
    floats = (values / np.float32(255)).astype(np.float32)
    mean = floats[:3].mean(axis=0)
    settings = METHOD.fragments
    assert settings is not None

    def usual() -> Any:
        distance = ndimage.distance_transform_edt(mean > 0.5)
        peaks = (ndimage.maximum_filter(distance, 3) == distance) & (distance > 0)
        return watershed(-distance, ndimage.label(peaks)[0])

    def library(pieces: Any | None) -> None:
        with silenced():
            for _ in waterz.agglomerate(
                floats[:3], [0.5], fragments=None if pieces is None else pieces.astype(np.uint64),
                scoring_function=scoring_function("mean"), discretize_queue=256,
            ):  # fmt: skip
                pass

    found: dict[str, Any] = {}

    def timed(step: str, way: str, run: Callable[[], Any]) -> None:
        start = time.process_time()
        found[way] = run()
        seconds = time.process_time() - start
        print(f"| {step} | {way} | {seconds:.2f} | {seconds / voxels * 1e9:.0f} |", flush=True)

    # compile before the clock runs
    corner = np.ascontiguousarray(near[:, :20, :40, :40])
    warm = fragments.make(corner, settings, SIZE).numbered()
    hierarchy.agglomerate(regions.of_block(corner, warm.labels), "mean", [0.5])
    print(f"{values[0].shape}, {voxels / 1e6:.1f} Mvoxel, one core\n")
    print("| step | way | s | s a gigavoxel |\n| --- | --- | ---: | ---: |")
    timed("fragments", "fgnet", lambda: fragments.make(near, settings, SIZE).numbered().labels)
    timed("fragments", "scipy distance, maxima, scikit-image watershed", usual)
    pieces = found["fgnet"]
    timed("graph", "fgnet, mean", lambda: regions.of_block(near, pieces))
    timed("graph", "fgnet, histograms", lambda: regions.of_block(near, pieces, histograms=True))
    for score, way in (("mean", "fgnet, mean"), ("quantile_50", "fgnet, histograms")):
        graph = found[way]
        timed("merge", f"fgnet, {score}",
              lambda g=graph, s=score: hierarchy.agglomerate(g, s, METHOD.thresholds))  # fmt: skip
    timed("graph and merge", "waterz, mean, the same fragments", lambda: library(pieces))
    timed("all", "waterz, its own fragments", lambda: library(None))
    timed("all", "mwatershed, 3 nearest and 3 at distance 9",
          lambda: mwatershed.agglom(floats.astype(np.float64) - 0.5, [list(o) for o in LONG],
                                    strides=[[1, 1, 1]] * 3 + [[2, 2, 2]] * 3))  # fmt: skip
    print(f"\nfragments: {pieces.max()}; peak of this process, all arrays at once: "
          f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GB")  # fmt: skip


def tiled(path: Path, shape: tuple[int, int, int]) -> None:
    """Affinities of the tissue again and again, each copy mirrored against the one before."""
    _, values = tissue()
    with volume.create(path, "infer", {}, []) as file:
        data = volume.add(file, volume.AFFINITIES, (3, *shape), np.uint8, SIZE)
        data.attrs["offsets"] = NEAREST
        depth = values.shape[1]
        row = values
        for axis in (2, 3):
            reach = -(-shape[axis - 1] // row.shape[axis])
            flipped = mirrored(row, axis)
            row = np.concatenate([(row, flipped)[n % 2] for n in range(reach)], axis)
            row = np.take(row, range(shape[axis - 1]), axis)
        for number, z in enumerate(range(0, shape[0], depth)):
            layer = mirrored(row, 1) if number % 2 else row
            data[:, z : z + depth] = layer[:, : shape[0] - z]


def mirrored(values: Any, axis: int) -> Any:
    """Affinities of the mirrored tissue: an edge along the axis goes to its other end."""
    flipped = np.flip(values, axis).copy()
    channel = flipped[axis - 1]
    channel[:] = np.roll(channel, 1, axis - 1)
    return flipped


def scaled(folder: Path, shape: tuple[int, int, int], parts: int, block: Any) -> None:
    """Every step of the workflow on the volume, and on parts of it."""
    settings = METHOD.model_dump(mode="json") | {"blocks": block}
    method = Method.checked(settings)
    print(f"blocks {method.blocks.size}, halo {method.blocks.halo}, one job of a core at a time\n")
    print("| Gvoxel | step | s | s a gigavoxel | peak GB | written MB |")
    print("| ---: | --- | ---: | ---: | ---: | ---: |")
    sizes = [shape]
    for _ in range(parts - 1):
        # half of it, in whole blocks as long as there are several
        axis = int(np.argmax(np.array(sizes[0]) / method.blocks.size))
        z, y, x = (length // 2 if axis == n else length for n, length in enumerate(sizes[0]))
        sizes.insert(0, (z, y, x))
    for size in sizes:
        source, work = folder / "affinities.h5", folder / "work"
        tiled_apart(source, size)
        voxels = float(np.prod(size))
        fragment, graph = method.fragment_step().canonical(), method.graph_step().canonical()
        first, index = work / "fragments/0-of-1.h5", work / "fragments.h5"
        graphs, output = work / "graph/0-of-1.h5", work / "out.h5"
        ways: list[tuple[str, list[Path], list[Any], Path]] = [
            ("run_fragments", [source, first], [fragment, 0, 1], first),
            ("run_index", [first, index], [], index),
            ("run_graph", [source, index, graphs], [graph, 0, 1], graphs),
            ("run_merge", [first, graphs, index, output], [json.dumps(settings)], output),
            ("export", [output, work / "chosen.json", work / "labels.h5"], [], work / "labels.h5"),
        ]
        scores.write(work / "chosen.json", CHOSEN)
        total, highest = 0.0, 0.0
        for name, paths, values, made in ways:
            seconds, peak = apart(name, paths, values)
            total, highest = total + seconds, max(highest, peak)
            report(voxels, name.removeprefix("run_"), seconds, peak, made)
        with h5py.File(output) as file:
            count = len(file["segmentation/fragments"])
        report(voxels, f"all; {count} fragments", total, highest, source)
        shutil.rmtree(work)
        source.unlink()


def report(voxels: float, step: str, seconds: float, peak: float, made: Path) -> None:
    print(f"| {voxels / 1e9:.2f} | {step} | {seconds:.0f} | {seconds / voxels * 1e9:.0f} | "
          f"{peak:.2f} | {made.stat().st_size / 1e6:.0f} |", flush=True)  # fmt: skip


def apart(name: str, paths: list[Path], values: list[Any]) -> tuple[float, float]:
    """Seconds and peak memory (GB) of a step in a process of its own."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", STEP, name, json.dumps([str(path) for path in paths]),
         json.dumps(values)], stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return time.perf_counter() - start, int(done.stdout) / 2**20


def tiled_apart(path: Path, shape: tuple[int, int, int]) -> None:
    """In a process of its own, as one begins with the memory of the one that started it."""
    command = [sys.executable, __file__, "--tile", str(path), "--shape", *map(str, shape)]
    subprocess.run(command, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where there is room")
    parser.add_argument("--shape", type=int, nargs=3, default=(2048, 1024, 1024))
    parser.add_argument("--parts", type=int, default=4, help="the last is a 2**(parts - 1)th")
    parser.add_argument("--block", type=int, nargs=3, default=METHOD.blocks.size)
    parser.add_argument("--tile", type=Path, help="only write the affinities there")
    given = parser.parse_args()
    shape = (given.shape[0], given.shape[1], given.shape[2])
    if given.tile:
        tiled(given.tile, shape)
    elif given.folder:
        scaled(given.folder, shape, given.parts, {"size": given.block})
    else:
        steps()


if __name__ == "__main__":
    main()
