"""What the fragments cost: every method on the ideal affinities of real neurons.

The best VOI over all thresholds against the labels' 6-connected components; what is not 0 is
lost by fragments or merges alone. ``FGNET_DATA=... python benchmarks/agglomerate.py`` prints a
Markdown table.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cc3d
import h5py
import numpy as np

from fgnet import affinities, metrics, segmentation, volume
from fgnet.affinities import NEAREST
from fgnet.agglomerate import stage
from fgnet.agglomerate.source import opened
from fgnet.agglomerate.stage import segment
from fgnet.settings.agglomerate import Method

LONG = (*NEAREST, *((-d * z, -d * y, -d * x) for d in (3, 9) for z, y, x in np.eye(3, dtype=int)))
FILES = {
    "FIB-25, z 144-168": ("fib25_ts2_z000-168.h5", np.s_[144:168]),
    "pinky40, 100 x 256 x 256": ("pinky40_labels_z000-200.h5", np.s_[:100, :256, :256]),
}
PLAIN: dict[str, Any] = {"method": "watershed", "smoothing": 1.0, "inside": 0.5, "rescue": 0}
METHODS: dict[str, dict[str, Any]] = {
    "components": {"fragments": {"method": "components"}},
    "watershed (the default)": {},
    "watershed, no rescue": {"fragments": {"method": "watershed", "rescue": 0}},
    "watershed, smoothing 1, inside 0.5, no rescue": {"fragments": PLAIN},
    "watershed, smallest 300": {"fragments": {"method": "watershed", "smallest": 300}},
    "watershed, 95 % quantile": {"merge": {"method": "hierarchical", "score": "quantile_95"}},
    "watershed per section, mean": {
        "fragments": {"method": "watershed", "per": "section"},
        "merge": {"method": "hierarchical", "score": "mean"},
    },
    "watershed, waterz": {"merge": {"method": "waterz"}},
    "watershed, multicut": {"merge": {"method": "multicut"}},
    "watershed, mutex on the graph": {"merge": {"method": "mutex_graph"}, "thresholds": [0.5]},
    "mutex, strides 1": {"merge": {"method": "mutex", "strides": [1, 1, 1]}, "thresholds": [0.5]},
    "mutex (its default)": {"merge": {"method": "mutex"}, "thresholds": [0.5]},
}


def rows(labels: np.ndarray) -> Iterator[tuple[str, metrics.Score, int, float]]:
    """Each method's best score, number of fragments, and seconds."""
    ideal = affinities.from_labels(labels, LONG)[0].astype(np.uint8) * np.uint8(255)
    truth = cc3d.connected_components(labels, connectivity=6)
    for name, settings in METHODS.items():
        method = Method.checked(settings)
        with h5py.File.in_memory() as source, h5py.File.in_memory() as file:
            data = volume.add(source, volume.AFFINITIES, ideal.shape, np.uint8, (10, 10, 10))
            data[:] = ideal
            data.attrs["offsets"] = LONG
            start = time.perf_counter()
            segment(opened(source, stage.shortest(method)), file, method)
            seconds = time.perf_counter() - start
            ids = segmentation.fragments(file)
            pieces = segmentation.numbered(file[volume.FRAGMENTS][:], ids)
            table = metrics.count(pieces, truth)
            tables = [segmentation.table(file, t) for t in method.thresholds]
        scores = [metrics.score(table.merged(segments=lookup)) for lookup in tables]
        yield name, min(scores, key=lambda s: s.voi_sum), int(pieces.max()), seconds


def main() -> None:
    folder = Path(os.environ["FGNET_DATA"])
    for title, (file, box) in FILES.items():
        with h5py.File(folder / file) as source:
            labels = source["volumes/labels/neuron_ids"][box]
        print(f"\n| {title} | VOI split | merge | sum | ARAND | fragments | s |")
        print("|---|---|---|---|---|---|---|")
        for name, score, count, seconds in rows(labels):
            figures = (score.voi_split, score.voi_merge, score.voi_sum, score.arand)
            cells = " | ".join(f"{abs(figure):.4f}" for figure in figures)
            print(f"| {name} | {cells} | {count} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
