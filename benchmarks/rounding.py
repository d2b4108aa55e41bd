"""What storing affinities in few bits does to VOI: ``infer.dtype`` against float32.

``python benchmarks/rounding.py --affinities A.h5 --labels L.h5`` takes affinities that were stored
with ``infer: {dtype: float32}`` and labels of the same shape. Each row is segmented as the default
method does it, once whole and once from the fragments of the exact affinities, and compared with
these over all thresholds. Random errors as large as those of uint8 stand beside it: what they move
is how steady the segmentation is.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from fgnet import metrics, volume
from fgnet.affinities import nearest_channels
from fgnet.agglomerate import fragments, merge
from fgnet.settings.agglomerate import Method, Watershed

METHOD = Method.checked({})
NEAR = 3  # thresholds on both sides of the best


def stored(exact: Any) -> dict[str, Any]:
    """The affinities as they come back from a file, and with random errors."""
    random = np.random.default_rng(0)
    found = {"uint8": np.rint(exact * 255) / 255, "float16": exact.astype(np.float16)}
    for number in (1, 2, 3):
        errors = random.uniform(-1 / 510, 1 / 510, exact.shape)
        found[f"float32, errors up to 1/510, {number}"] = np.clip(exact + errors, 0, 1)
    return {name: each.astype(np.float32) for name, each in found.items()}


def sweep(affinities: Any, pieces: Any, labels: Any) -> Any:
    """VOI at every threshold, from given fragments."""
    merges, counts = merge.waterz(affinities, pieces, "mean", METHOD.thresholds)
    shared = metrics.count(pieces, labels)
    found = []
    for count in counts:
        parent = np.arange(int(pieces.max()) + 1)
        for a, b in merges[:count]:
            parent[parent == parent[b]] = parent[a]
        found.append(metrics.score(shared.merged(segments=parent)).voi_sum)
    return np.array(found)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--affinities", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True)
    given = parser.parse_args()
    with volume.opened(given.affinities) as file:
        data = file[volume.AFFINITIES]
        exact = np.stack([data[channel] for channel in nearest_channels(data.attrs["offsets"])])
        size = volume.voxel_size(data)
    with volume.opened(given.labels) as file:
        labels = file[volume.LABELS][:]

    def watershed(affinities: Any) -> Any:
        assert isinstance(METHOD.fragments, Watershed)
        return fragments.watershed(affinities, METHOD.fragments, size)

    pieces = watershed(exact)
    before = sweep(exact, pieces, labels)
    best = int(before.argmin())
    near = slice(max(0, best - NEAR), best + NEAR + 1)
    print(f"VOI {before[best]:.4f} at {METHOD.thresholds[best]}, {pieces.max()} fragments\n")
    print(
        "| affinities | fragments | at its best | at that threshold | near it, at most | anywhere |"
    )
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for name, affinities in stored(exact).items():
        for whose, own in (("the same", pieces), ("their own", watershed(affinities))):
            change = sweep(affinities, own, labels)
            moved = change - before
            print(f"| {name} | {whose}, {own.max()} | {change.min() - before.min():+.5f} | "
                  f"{moved[best]:+.5f} | {abs(moved[near]).max():.5f} | {abs(moved).max():.5f} |",
                  flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
