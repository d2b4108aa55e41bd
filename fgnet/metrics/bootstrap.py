"""Confidence intervals by resampling neurons.

A resample draws as many neurons as there are, with replacement, and every voxel of a neuron that
was drawn w times counts w times: a weight on its column of the table. The copies stay one neuron.
Were they neurons of their own, every segment would hold several of them, and the resample would
be full of mergers that the segmentation never made.

Weights depend on the seed and on the number of neurons alone, and belong to them in the order of
their ids, so that all models on one volume are scored on the same resamples: their differences can
be taken pair by pair, where what makes a resample hard is hard for both.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from scipy.special import xlogy

from fgnet.metrics.contingency import Contingency, Counts, Floats

RESAMPLES = 1000
SEED = 0
LEVEL = 0.95
# entries of a dense matrix of resamples and neurons or segments at a time
MEMORY = 1 << 22


@dataclass(frozen=True)
class Resampled:
    """The scores of every resample, each (resamples,); VOI in bits."""

    voi_split: Floats
    voi_merge: Floats
    voi_sum: Floats
    arand: Floats
    cremi: Floats

    def intervals(self) -> dict[str, tuple[float, float]]:
        """The interval of each score, see :func:`interval`."""
        return {field.name: interval(getattr(self, field.name)) for field in fields(self)}


def weights(neurons: int, resamples: int = RESAMPLES, seed: int = SEED) -> Iterator[Counts]:
    """How often each resample draws each neuron: (some resamples, neurons) at a time."""
    random = np.random.default_rng(seed)
    step = max(1, MEMORY // neurons)
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        yield random.multinomial(neurons, np.full(neurons, 1 / neurons), count)


def resampled(table: Contingency, resamples: int = RESAMPLES, seed: int = SEED) -> Resampled:
    """The scores of the table with its columns weighted by each resample.

    Only the sizes of segments change from resample to resample by more than the weights of whole
    columns; they are a product of a sparse and a dense matrix.

    Raises:
        ValueError: the table is empty.
    """
    shared = table.pairs
    columns = table.neurons.size

    def by_neuron(values: Floats) -> Floats:
        return np.bincount(shared.column, values, columns).astype(np.float64, copy=False)

    share = shared.voxels / shared.neuron[shared.column]
    bits = by_neuron(-shared.voxels * np.log2(share))
    entropy = by_neuron(xlogy(shared.voxels, shared.voxels))
    squares = by_neuron(shared.voxels**2)
    step = max(1, MEMORY // max(table.segments.size, 1))
    split, merge, arand = [], [], []
    for chunk in weights(columns, resamples, seed):
        for start in range(0, len(chunk), step):
            w = chunk[start : start + step].astype(np.float64)  # (resamples, columns)
            sizes = table.counts @ w.T  # (segments, resamples)
            voxels = w @ shared.neuron
            split.append(np.maximum(w @ bits / voxels, 0.0))
            # sum of n log n over pairs of a segment and a neuron, n counted w times
            within = w @ entropy + xlogy(w, w) @ shared.neuron
            across = xlogy(sizes, sizes).sum(0) - within
            merge.append(np.maximum(across / voxels / np.log(2), 0.0))
            # pairs of distinct voxels that lie together, twice: in both, and in either
            both = w**2 @ squares - voxels
            either = w**2 @ shared.neuron**2 + (sizes**2).sum(0) - 2 * voxels
            right = np.divide(2 * both, either, out=np.ones_like(both), where=either > 0)
            arand.append(np.maximum(1 - right, 0.0))
    splits, merges, arands = (np.concatenate(parts) for parts in (split, merge, arand))
    total = splits + merges
    return Resampled(splits, merges, total, arands, np.sqrt(total * arands))


def interval(values: Floats, level: float = LEVEL) -> tuple[float, float]:
    """Percentile interval: the middle ``level`` of what the resamples, (resamples,), give."""
    low, high = np.percentile(values, [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)


def difference(first: Floats, second: Floats) -> tuple[float, float]:
    """The interval of a score of one segmentation minus that of another, resample by resample.

    Args:
        first, second: (resamples,) of both, from tables of the same neurons.

    Raises:
        ValueError: they are not of the same resamples.
    """
    if first.shape != second.shape:
        raise ValueError(f"{first.size} resamples of one and {second.size} of the other")
    return interval(first - second)
