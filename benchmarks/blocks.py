"""What blocks change: VOI between a segmentation by blocks and that of the whole volume.

``FGNET_DATA=... python benchmarks/blocks.py`` makes noisy affinities of FIB-25's labels (168 x 250
x 250), agglomerates them in one block and in several, and prints a Markdown table. It also draws
``docs/images/blocks.png``: a section that the faces of blocks cross, segmented both ways.
"""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import h5py
import matplotlib
import numpy as np

from fgnet import affinities, metrics, segmentation, volume
from fgnet.affinities import NEAREST
from fgnet.agglomerate import stage
from fgnet.report import colours

matplotlib.use("Agg")
from matplotlib import pyplot as plt

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "blocks.png"
SIZES = ((84, 250, 250), (168, 125, 125), (84, 84, 84))
SHOWN = (0.05, 0.19, 0.3)


def sweep(source: Path, settings: dict[str, Any]) -> tuple[Any, list[float], list[Any]]:
    """Numbered fragments, thresholds, and the table of each."""
    output = source.with_name("out.h5")
    stage.run(source, output, json.dumps(settings))
    with volume.opened(output) as file:
        ids = segmentation.fragments(file)
        fragments = segmentation.numbered(file[volume.FRAGMENTS][:], ids)
        known = segmentation.thresholds(file)
        return fragments, known, [segmentation.table(file, t) for t in known]


def draw(whole: Any, cut: Any, size: tuple[int, int, int]) -> None:
    """A section of both, in the colours of the first; the faces of blocks as ticks."""
    z = size[0]  # the first section of the second layer of blocks
    table = metrics.count(cut[z], whole[z] + 1)
    pair = table.counts.tocoo()
    best = {}
    for place in np.argsort(pair.data):  # the largest overlap of each stays
        best[int(table.segments[pair.row[place]])] = int(table.neurons[pair.col[place]]) - 1
    named = np.vectorize(best.get)(cut[z])
    names = colours.assign([whole[z]])
    grey = np.full(whole[z].shape, 255, np.uint8)
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.6), layout="constrained")
    for axis, labels, title in (
        (axes[0], whole[z], "the whole volume at once"), (axes[1], named, f"blocks of {size}"),
    ):  # fmt: skip
        axis.imshow(colours.paint(labels, names, grey, 1.0))
        axis.set_title(title, fontsize=10)
        axis.set_xticks(range(size[2], labels.shape[1], size[2]))
        axis.set_yticks(range(size[1], labels.shape[0], size[1]))
    figure.savefig(PICTURE, dpi=110)


def main() -> None:
    with h5py.File(Path(os.environ["FGNET_DATA"]) / "fib25_ts2_z000-168.h5") as file:
        labels = file[volume.LABELS][:]
    walls = affinities.widen_borders(labels, in_plane_only=False)
    values = affinities.degraded(walls, NEAREST, 1.0, 0.1, 0)
    print("| smoothing | halo | blocks | " + " | ".join(f"{t:g}" for t in SHOWN)
          + " | from half the best up, at most | at the best |")  # fmt: skip
    print("| ---: | ---: | --- |" + " ---: |" * (len(SHOWN) + 2))
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in.h5"
        with volume.create(source, "infer", {}, []) as file:
            data = volume.add(file, volume.AFFINITIES, values.shape, np.uint8, (10, 10, 10))
            data[:] = values
            data.attrs["offsets"] = NEAREST
        for smoothing in (5.5, 2.0):
            base = {"fragments": {"method": "watershed", "smoothing": smoothing}}
            whole, known, tables = sweep(source, base | {"blocks": {"size": labels.shape}})
            counted = metrics.count(whole, labels)
            against = [metrics.score(counted.merged(segments=t)).voi_sum for t in tables]
            best = int(np.argmin(against))
            for halo in (32, 16):
                for size in SIZES:
                    blocks = {"size": size, "halo": [halo] * 3}
                    cut, _, others = sweep(source, base | {"blocks": blocks})
                    pairs = metrics.count(whole, cut + 1)
                    voi = [metrics.score(pairs.merged(segments=a, neurons=np.r_[0, b + 1])).voi_sum
                           for a, b in zip(tables, others, strict=True)]  # fmt: skip
                    upper = max(v for t, v in zip(known, voi, strict=True) if t >= known[best] / 2)
                    shown = [voi[known.index(t)] for t in SHOWN]
                    figures = " | ".join(f"{v:.3f}" for v in (*shown, upper, voi[best]))
                    size_text = " x ".join(map(str, size))
                    print(f"| {smoothing:g} | {halo} | {size_text} | {figures} |", flush=True)
                    if (smoothing, halo, size) == (5.5, 32, SIZES[-1]):
                        draw(tables[best][whole], others[best][cut], size)
            print(f"best threshold {known[best]:g}, VOI {against[best]:.3f}", flush=True)


if __name__ == "__main__":
    main()
