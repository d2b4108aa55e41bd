"""What exporting costs: seconds, peak memory and room of each format.

``python benchmarks/export.py --folder SCRATCH`` repeats a phantom to a volume there (0.5 Gvoxel,
every copy of a neuron with an id of its own), writes its image and its labels in every format,
prints a Markdown table and removes what it wrote.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from fgnet import volume
from fgnet.blocks import tiles
from fgnet.phantom import phantom
from fgnet.settings.export import SUFFIX
from fgnet.settings.phantom import Phantom

PIECE = (64, 256, 256)
WAYS: list[tuple[str, Any, dict[str, Any]]] = [
    *(("image", kind, {}) for kind in SUFFIX),
    *(("labels", kind, {}) for kind in SUFFIX),
    ("labels", "precomputed", {"meshes": True, "mesh_mip": 0, "mesh_faces": 1}),
    ("labels", "precomputed", {"meshes": True, "mesh_mip": 0}),
    ("labels", "precomputed", {"meshes": True}),
]


def generate(path: Path, shape: tuple[int, int, int]) -> None:
    """The same piece of tissue again and again."""
    raw, labels = phantom(Phantom.checked({"shape": PIECE, "seed": 1}))
    with volume.create(path, "normalize", {}, []) as file:
        image = volume.add(file, volume.RAW, shape, np.uint8, (30, 8, 8))
        ids = volume.add(file, volume.LABELS, shape, np.uint32, (30, 8, 8))
        for copy, box in enumerate(tiles(shape, PIECE)):
            part = tuple(slice(0, cut.stop - cut.start) for cut in box)
            image[box] = raw[part]
            ids[box] = labels[part] + np.uint32(copy * (labels.max() + 1)) * (labels[part] > 0)


def measure(
    layer: str, settings: dict[str, Any], source: Path, output: Path
) -> tuple[float, float]:
    """Seconds and peak resident memory in MB of one export in a process of its own."""
    command = [
        sys.executable, "-m", "fgnet.export", "layer", "--layer", layer, "--input", str(source),
        "--settings", json.dumps(settings), "--output", str(output),
    ]  # fmt: skip
    start = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def room(path: Path) -> float:
    """MB that a file, or a folder with all in it, takes."""
    files = [path, *path.rglob("*")] if path.is_dir() else [path]
    return sum(one.stat().st_size for one in files) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where there is room")
    parser.add_argument("--shape", type=int, nargs=3, default=(512, 1024, 1024))
    given = parser.parse_args()
    shape: Any = tuple(given.shape)
    source = given.folder / "source.h5"
    # a process begins with the peak of the one that started it, so this one stays small
    maker = get_context("spawn").Process(target=generate, args=(source, shape))
    maker.start()
    maker.join()
    voxels = np.prod(shape) / 1e6
    print(f"{' x '.join(map(str, shape))}, {voxels:.0f} Mvoxel\n")
    print("| layer | format | seconds | Mvoxel/s | peak MB | written MB |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for layer, kind, settings in WAYS:
        output = given.folder / f"{layer}.{SUFFIX[kind]}"
        seconds, peak = measure(layer, settings, source, output)
        name = ", ".join([kind, *(f"{key}: {value}" for key, value in settings.items())])
        print(f"| {layer} | {name} | {seconds:.0f} | {voxels / seconds:.1f} | {peak:.0f} | "
              f"{room(output):.0f} |", flush=True)  # fmt: skip
        shutil.rmtree(output) if output.is_dir() else output.unlink()
    source.unlink()


if __name__ == "__main__":
    main()
