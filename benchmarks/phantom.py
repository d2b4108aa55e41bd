"""How trivial is the phantom? And its picture for the README.

Watershed on the raw intensities alone, with smoothing, seed height, and merge threshold picked
by an oracle that knows the labels, must fail on the phantom. ``python benchmarks/phantom.py``
prints that table for three seeds and draws ``docs/images/phantom.png``.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt
import waterz
from scipy import ndimage
from scipy.sparse import coo_matrix, csr_matrix
from skimage.measure import label
from skimage.morphology import reconstruction
from skimage.segmentation import watershed

from fgnet.phantom import phantom
from fgnet.settings.phantom import Phantom

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.colors import hsv_to_rgb

SMOOTHING = (0.5, 1.0, 2.0, 3.0)  # voxels
HEIGHTS = (0.05, 0.1, 0.2)  # of the range of grey levels
THRESHOLDS = tuple(np.linspace(0.4, 0.85, 16))
SCORING = "OneMinus<MeanAffinity<RegionGraphType, ScoreValue>>"


def best_watershed(
    raw: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.uint32],
    voxel_size: Sequence[float],
    smoothing: Sequence[float] = SMOOTHING,
    heights: Sequence[float] = HEIGHTS,
    kinds: Sequence[str] = ("raw", "evened"),
) -> tuple[float, str]:
    """The lowest ARAND that watershed on the raw intensities can reach, and how.

    Seeds are minima deeper than ``heights``; fragments are merged by mean boundary intensity
    (waterz) and every threshold is scored. Smoothing is tried with the same number of voxels
    on all axes and with the same nm, and intensities as they are (``raw``) and with the same
    median and spread in every section (``evened``).
    """
    best = (1.0, "nothing")
    for kind in kinds:
        image = raw.astype(float)
        if kind == "evened":
            image -= np.median(image, axis=(1, 2), keepdims=True)
            image /= np.abs(image).mean(axis=(1, 2), keepdims=True)
        for sigma in smoothing:
            for flat in (1.0, voxel_size[2] / voxel_size[0]):
                smooth = ndimage.gaussian_filter(image, (sigma * flat, sigma, sigma))
                low, high = np.percentile(smooth, (1, 99))
                dark = 1 - np.clip((smooth - low) / (high - low), 0, 1)
                for height in heights:
                    arand, threshold = _sweep(dark, height, labels)
                    text = f"{kind}, smoothing {sigma:g} (z {sigma * flat:.2g}), "
                    text += f"seed height {height:g}, threshold {threshold:.2f}"
                    best = min(best, (arand, text))
    return best


def _sweep(
    dark: npt.NDArray[np.float64], height: float, labels: npt.NDArray[np.uint32]
) -> tuple[float, float]:
    """The best ARAND over the merge thresholds from the minima deeper than ``height``."""
    filled = reconstruction(dark + height, dark, method="erosion")
    seeds = label(filled - dark >= height - 1e-6, connectivity=1)
    fragments = watershed(dark, seeds).astype(np.uint64)
    affinities = np.zeros((3, *dark.shape), np.float32)
    for axis in range(3):
        lines = np.moveaxis(dark, axis, 0)
        np.moveaxis(affinities[axis], axis, 0)[1:] = 1 - np.maximum(lines[1:], lines[:-1])
    flat = fragments.ravel().astype(np.int64)
    overlap = coo_matrix((np.ones(flat.size), (flat, labels.ravel().astype(np.int64)))).tocsr()
    ids, member = np.unique(flat, return_index=True)
    best = (_arand(overlap[ids], np.arange(len(ids))), 0.0)
    with _silent():
        merged = waterz.agglomerate(
            affinities, THRESHOLDS, fragments=fragments, scoring_function=SCORING
        )
        for threshold, segmentation in zip(THRESHOLDS, merged, strict=True):
            error = _arand(overlap[ids], segmentation.ravel()[member])
            best = min(best, (error, float(threshold)))
    return best


def _arand(overlap: csr_matrix, segment: npt.NDArray[np.integer]) -> float:
    """Adapted Rand error, 1 - F, from voxels of fragments x labels and a fragment's segment."""
    _, row = np.unique(segment, return_inverse=True)
    gather = coo_matrix((np.ones(row.size), (row, np.arange(row.size)))).tocsr()
    joint = gather @ overlap
    sizes = [float((np.asarray(joint.sum(axis)) ** 2).sum()) for axis in (0, 1)]
    return 1 - 2 * float((joint.data**2).sum()) / sum(sizes)


@contextmanager
def _silent() -> Iterator[None]:
    """waterz tells every step on standard output, from Python and past it."""
    sys.stdout.flush()
    saved = os.dup(1)
    try:
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
            os.dup2(nowhere.fileno(), 1)
            yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)


def draw(path: Path, settings: Phantom) -> None:
    """Raw sections beside their labels: in plane above, cut along z below."""
    raw, labels = phantom(settings)
    hues = np.random.default_rng(1).uniform((0, 0.45, 0.7), 1, (int(labels.max()) + 1, 3))
    colours = hsv_to_rgb(hues)
    z, y = raw.shape[0] // 2, raw.shape[1] // 2
    aspect = settings.voxel_size[0] / settings.voxel_size[2]
    tall = raw.shape[0] * aspect / raw.shape[1]
    figure, axes = plt.subplots(
        2, 3, figsize=(12, 4 * (1 + tall)), height_ratios=(1, tall), layout="constrained"
    )
    for row, (cut, ratio) in enumerate(((np.s_[z], 1.0), (np.s_[:, y], aspect))):
        grey, ids = raw[cut], colours[labels[cut]]
        mixed = 0.6 * grey[..., None] / 255 + 0.4 * ids
        for axis, picture in zip(axes[row], (grey, mixed, ids), strict=True):
            axis.imshow(picture, cmap="gray", vmin=0, vmax=255, aspect=ratio)
            axis.axis("off")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)


def main() -> None:
    """Print the table and draw the picture."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--picture", type=Path, default=Path("docs/images/phantom.png"))
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = arguments.parse_args()
    print("| seed | neurites | seconds | best ARAND of watershed on raw | with |")
    print("|---|---|---|---|---|")
    for seed in given.seeds:
        settings = Phantom(seed=seed)
        start = time.perf_counter()
        raw, labels = phantom(settings)
        seconds = time.perf_counter() - start
        arand, how = best_watershed(raw, labels, settings.voxel_size)
        print(f"| {seed} | {labels.max()} | {seconds:.1f} | {arand:.3f} | {how} |", flush=True)
    draw(given.picture, Phantom(shape=(32, 256, 256), seed=given.seeds[0]))


if __name__ == "__main__":
    main()
