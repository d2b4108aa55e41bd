"""How much memory normalisation takes: peak and seconds on a volume larger than it may hold.

``python benchmarks/normalize.py --folder SCRATCH`` generates a compressible volume there (4 GB,
with lost sections and black wedges), normalises it in every way, prints a Markdown table and
removes what it wrote.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from fgnet import volume

WAYS: dict[str, dict[str, Any]] = {
    "per volume": {},
    "per section": {"per": "section"},
    "defects interpolated": {"defects": "interpolate"},
    "per section, matched, defects interpolated": {
        "per": "section", "match": "itself", "defects": "interpolate",
    },
    "CLAHE": {"clahe": 0.01},
}  # fmt: skip


def generate(path: Path, shape: tuple[int, int, int], dtype: str) -> None:
    """A smooth texture whose contrast jitters; of 100 sections 2 are lost, 4 have a wedge."""
    rng = np.random.default_rng(0)
    texture = ndimage.gaussian_filter(rng.normal(size=shape[1:]), 6, mode="wrap")
    texture = np.round(np.clip(texture / texture.std() * 25, -75, 75)) + 76
    scale = 1 if dtype == "uint8" else 256
    rows, columns = np.indices(shape[1:])
    wedge = rows > 8 * columns
    with volume.create(path, "download", {}, []) as file:
        data = volume.add(file, volume.RAW, shape, dtype, (40, 4, 4))
        for first in range(0, shape[0], volume.CHUNK[0]):
            count = min(volume.CHUNK[0], shape[0] - first)
            slab = np.empty((count, *shape[1:]), dtype)
            for z, section in enumerate(slab, first):
                section[:] = (texture + rng.integers(0, 100)) * scale
                if z % 100 in (40, 41):
                    section[:] = 0
                elif z % 25 == 10:
                    section[wedge] = 0
            data[first : first + count] = slab


def measure(settings: dict[str, Any], source: Path, output: Path) -> tuple[float, float]:
    """Seconds and peak resident memory in MB of one normalisation in a process of its own."""
    command = [
        sys.executable, "-m", "fgnet.normalize", "--input", str(source), "--output", str(output),
        "--settings", json.dumps(settings),
    ]  # fmt: skip
    if "match" in settings:
        command += ["--reference", str(source)]
    start = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where there is room")
    parser.add_argument("--shape", type=int, nargs=3, default=(1000, 2048, 2048))
    parser.add_argument("--dtype", choices=("uint8", "uint16"), default="uint8")
    given = parser.parse_args()
    shape: Any = tuple(given.shape)
    source, output = given.folder / "source.h5", given.folder / "output.h5"
    # a process begins with the peak of the one that started it, so this one stays small
    maker = get_context("spawn").Process(target=generate, args=(source, shape, given.dtype))
    maker.start()
    maker.join()
    size = np.prod(shape) * np.dtype(given.dtype).itemsize
    print(f"{' x '.join(map(str, shape))} {given.dtype}, {size / 1e9:.1f} GB, "
          f"{source.stat().st_size / 1e9:.1f} GB compressed\n")  # fmt: skip
    print("| way | seconds | peak MB |\n| --- | ---: | ---: |")
    for name, settings in WAYS.items():
        seconds, peak = measure(settings, source, output)
        print(f"| {name} | {seconds:.0f} | {peak:.0f} |", flush=True)
        output.unlink()
    source.unlink()


if __name__ == "__main__":
    main()
