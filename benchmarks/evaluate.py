"""What scores cost: the pass over the voxels and 100 thresholds, beside one call of scikit-image.

``FGNET_DATA=... python benchmarks/evaluate.py`` agglomerates FIB-25's labels as noisy affinities
(10.5 million voxels) and prints Markdown tables: seconds, the largest difference to scikit-image on
whole segmentations, and the peak memory of the pass over a volume 1 to 4 times as deep. Both are
timed on arrays, in CPU seconds, as both are one thread.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from skimage.metrics import adapted_rand_error, variation_of_information

from fgnet import affinities, metrics, segmentation, volume
from fgnet.affinities import NEAREST
from fgnet.agglomerate import stage
from fgnet.agglomerate.source import opened
from fgnet.evaluate import overlaps, score, sweep
from fgnet.metrics import bootstrap
from fgnet.settings.agglomerate import Method

THRESHOLDS = [round(0.01 * place, 2) for place in range(1, 101)]
# small fragments, as those of a real prediction are
FRAGMENTS = {"method": "watershed", "smoothing": 1.0, "inside": 0.5, "rescue": 0}
METHOD = Method.checked({"thresholds": THRESHOLDS, "fragments": FRAGMENTS})
SIZE = (10.0, 10.0, 10.0)
TIMES = 5
CHECKED = 10  # every so many thresholds, as each takes scikit-image seconds
STEP = """
import re, sys
from pathlib import Path
import h5py
from fgnet.evaluate import overlaps
# not what getrusage says, which starts from the peak of the process that started this one
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
with h5py.File(sys.argv[1]) as file:
    names = "fragments", "labels"
    region = tuple(slice(0, size) for size in file["labels"].shape)
    before = peak()
    if sys.argv[2] == "ours":
        overlaps.measure(file["fragments"], file["labels"], region)
    elif sys.argv[2] == "scikit-image":
        from skimage.metrics import variation_of_information
        arrays = [file[name][:] for name in ("labels", "segments")]
        variation_of_information(*arrays, ignore_labels=(0,))
print(before, peak())
"""


def fastest(run: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of the fastest of several runs, after one that compiles, and what it gives."""
    result = run()
    seconds = []
    for _ in range(TIMES):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return min(seconds), result


def prepare(folder: Path) -> Path:
    """A file with labels, fragments and their merges at 100 thresholds."""
    with h5py.File(Path(os.environ["FGNET_DATA"]) / "fib25_ts2_z000-168.h5") as source:
        labels = source[volume.LABELS][:]
    walls = affinities.widen_borders(labels, in_plane_only=False)
    edges = affinities.degraded(walls, NEAREST, 1.0, 0.1, 0)
    path = folder / "one.h5"
    with h5py.File.in_memory() as source, h5py.File(path, "w") as file:
        data = volume.add(source, volume.AFFINITIES, edges.shape, np.uint8, SIZE)
        data[:] = edges
        data.attrs["offsets"] = NEAREST
        stage.segment(opened(source, stage.shortest(METHOD)), file, METHOD)
        volume.add(file, "labels", labels.shape, labels.dtype, SIZE)[:] = labels
    return path


def compare(path: Path) -> None:
    """Seconds of everything, and how far scores are from scikit-image's."""
    with h5py.File(path) as file:
        stored = file[volume.FRAGMENTS], file["labels"]
        reading, (fragments, truth) = fastest(lambda: [data[:] for data in stored])
        region = tuple(slice(0, size) for size in truth.shape)
        known = segmentation.fragments(file)
        pieces = segmentation.numbered(fragments, known)
        one = segmentation.table(file, 0.5)[pieces]
        theirs, _ = fastest(lambda: variation_of_information(truth, one, ignore_labels=(0,)))
        passed, found = fastest(lambda: overlaps.measure(fragments, truth, region))
        found = score.numbered(found, known)
        tables = found.ids, found.components, found.boundaries
        swept, (rows, _) = fastest(lambda: sweep.scored(tables, segmentation.tables(file)))
        drawn, _ = fastest(lambda: bootstrap.resampled(found.ids))
        print(
            f"\n{truth.size / 1e6:.1f} million voxels, {known.size} fragments, "
            f"{found.shared.voxels.size} pairs with components, "
            f"{len(found.boundaries.edges)} pairs that touch, {len(rows)} thresholds\n"
        )
        print("| | CPU s | of one call of scikit-image |\n|---|---|---|")
        for name, seconds in (
            ("scikit-image, VOI of one segmentation", theirs),
            ("the pass", passed),
            ("all scores at all thresholds, against ids and components", swept),
            ("pass and thresholds", passed + swept),
            ("reading what the pass reads, HDF5 with gzip", reading),
            (f"{bootstrap.RESAMPLES} resamples of the neurons, unmerged", drawn),
        ):
            print(f"| {name} | {seconds:.2f} | {seconds / theirs:.2f} |")
        ours = others = 0.0
        for row in rows[::CHECKED]:
            whole = segmentation.table(file, row.threshold)[pieces]
            mine = row.voi_split, row.voi_merge, row.arand
            same = metrics.score(metrics.count(whole, truth))
            exact = same.voi_split, same.voi_merge, same.arand
            ours = max(ours, *np.abs(np.subtract(mine, exact)))
            split, merge = variation_of_information(truth, whole, ignore_labels=(0,))
            arand = adapted_rand_error(truth, whole, ignore_labels=(0,))[0]
            others = max(others, *np.abs(np.subtract(mine, (split, merge, arand))))
        print(
            f"\nLargest difference of VOI and ARAND at every {CHECKED}th threshold to the whole "
            f"segmentation, scored by us: {ours:.1e}; by scikit-image, which adds 1/n for each of "
            f"n voxels and so rounds: {others:.1e}"
        )


def memory(path: Path, folder: Path) -> None:
    """Peak memory of volumes of rising depth, each in a process of its own."""
    print("\n| million voxels | MB of arrays | pass, MB | scikit-image, MB |\n|---|---|---|---|")
    with h5py.File(path) as file:
        labels, fragments = file["labels"][:], file[volume.FRAGMENTS][:]
        segments = segmentation.table(file, 0.5)[
            segmentation.numbered(fragments, segmentation.fragments(file))
        ]
    for times in (1, 2, 4):
        tiled = folder / f"{times}.h5"
        with h5py.File(tiled, "w") as file:
            for name, one in (("labels", labels), ("fragments", fragments), ("segments", segments)):
                shape = (times * one.shape[0], *one.shape[1:])
                data = volume.add(file, name, shape, one.dtype, SIZE)
                for start in range(0, shape[0], one.shape[0]):
                    data[start : start + one.shape[0]] = one
        peaks = []
        for what in ("ours", "scikit-image"):
            done = subprocess.run(
                [sys.executable, "-c", STEP, tiled, what],
                capture_output=True,
                text=True,
                check=True,
            )
            before, peak = map(int, done.stdout.split())
            peaks.append((peak - before) / 1024)
        size = (labels.nbytes + fragments.nbytes) * times / 2**20
        voxels = labels.size * times / 1e6
        print(f"| {voxels:.1f} | {size:.0f} | {peaks[0]:.0f} | {peaks[1]:.0f} |", flush=True)
        tiled.unlink()


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = prepare(folder)
        compare(path)
        memory(path, folder)


if __name__ == "__main__":
    main()
