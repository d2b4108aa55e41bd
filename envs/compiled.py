"""Compile the loops of agglomerate and evaluate at installation, so that no job waits for it.

    PYTHONPATH=. python envs/compiled.py

Numba compiles a function at its first call, and keeps the result beside the function's module. So
both stages run here once, on a small volume.
"""

import tempfile
from pathlib import Path

import numpy as np

from fgnet import affinities, volume
from fgnet.agglomerate import stage
from fgnet.evaluate import choose, neurons, score
from fgnet.settings.agglomerate import Method
from fgnet.settings.evaluate import Choosing, Scoring

SHAPE, VOXEL_SIZE = (8, 48, 48), (30, 8, 8)


def run(folder: Path) -> None:
    """Agglomerate and evaluate a small volume in ``folder``, as jobs do."""
    labels = np.kron(np.arange(1, 19).reshape(2, 3, 3), np.ones((4, 16, 16))).astype(np.uint32)
    ideal = affinities.from_labels(labels, affinities.NEAREST)[0]
    noise = np.random.default_rng(0).integers(0, 64, ideal.shape)
    names = ("truth.h5", "affinities.h5", "segmentation.h5", "overlaps.h5")
    truth, edges, segmented, overlaps = (folder / name for name in names)
    swept, threshold = folder / "scores.json", folder / "threshold.json"
    with volume.create(truth, "normalize", {}, []) as file:
        volume.add(file, volume.LABELS, SHAPE, labels.dtype, VOXEL_SIZE)[:] = labels
    with volume.create(edges, "infer", {}, []) as file:
        data = volume.add(file, volume.AFFINITIES, ideal.shape, np.dtype(np.uint8), VOXEL_SIZE)
        data[:] = np.where(ideal, 255 - noise, noise)
        data.attrs["offsets"] = np.array(affinities.NEAREST)
    for per in ("volume", "section"):
        method = Method.checked({"fragments": {"method": "watershed", "per": per}})
        stage.run(edges, segmented, method.canonical())
    score.run(segmented, truth, swept, overlaps, Scoring.checked({}))
    choose.run([swept], threshold, Choosing.checked({}))
    neurons.run(overlaps, segmented, swept, threshold, folder / "neurons.json", 0.01)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        run(Path(name))
