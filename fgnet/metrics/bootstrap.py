"""Confidence intervals by resampling neurons.

Every score here is made of sums over neurons: what each adds to VOI, and how many pairs of voxels
with an end in it lie together. A resample draws as many neurons as there are, with replacement, and
takes the sums over those, so a neuron brings along what happened to it in this volume, its mergers
with neurons that were not drawn included. (Were whole voxels drawn and scored, a third of the
neurons would be missing from each resample, and with them mergers: every interval would lie low.)

Weights depend on the seed and on the number of neurons alone, and belong to them in the order of
their ids, so that all models on one volume are scored on the same resamples: their differences can
be taken pair by pair, where what makes a resample hard is hard for both.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

from fgnet.metrics import voi
from fgnet.metrics.contingency import Contingency, Counts, Floats

RESAMPLES = 1000
SEED = 0
LEVEL = 0.95
# entries of a matrix of resamples and neurons at a time
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


@dataclass(frozen=True)
class ResampledRuns:
    """The run lengths of every resample, each (resamples,): expected, nm, and normalised."""

    expected: Floats
    normalised: Floats


def resampled(table: Contingency, resamples: int = RESAMPLES, seed: int = SEED) -> Resampled:
    """The scores of the neurons that each resample draws.

    Raises:
        ValueError: the table is empty.
    """
    return scored(drawn(parts(table), resamples, seed))


def run_lengths(
    path: Floats, squares: Floats, resamples: int = RESAMPLES, seed: int = SEED
) -> ResampledRuns:
    """The run lengths of the neurons that each resample draws.

    Args:
        path, squares: of :class:`fgnet.metrics.run_length.Runs`; neurons without path do not count.

    Raises:
        ValueError: there is no path.
    """
    if not (path > 0).any():
        raise ValueError("no neuron has a path, so there is no run length")
    own = np.stack([path, path**2, squares], 1)[path > 0]
    length, perfect, squared = drawn(own, resamples, seed).T
    return ResampledRuns(squared / length, squared / perfect)


def drawn(own: Floats, resamples: int, seed: int) -> Floats:
    """The sums (resamples, k) over the neurons drawn, from what each adds to them (neurons, k)."""
    return np.concatenate([w @ own for w in weights(len(own), resamples, seed)])


def parts(table: Contingency) -> Floats:
    """What each neuron adds to the sums that scores are made of, (neurons, 5).

    Columns: bits of VOI split and of merge, times voxels; voxels; ordered pairs of distinct voxels,
    the first in the neuron, that lie in one segment and one neuron; those that lie in one segment,
    and those that lie in one neuron, together.
    """
    shared = table.pairs
    size = shared.neuron

    def by_neuron(values: Floats) -> Floats:
        found: Floats = np.bincount(shared.column, values, size.size).astype(np.float64, copy=False)
        return found

    together = by_neuron(shared.voxels**2) - size
    segment = by_neuron(shared.voxels * shared.segment[shared.row]) - size
    either = segment + size**2 - size
    bits = [each(shared) * shared.total for each in (voi.split, voi.merge)]
    return np.stack([*bits, size, together, either], 1)


def scored(sums: Floats) -> Resampled:
    """The scores from sums over neurons, (resamples, 5), see :func:`parts`."""
    split, merge, voxels, together, either = sums.T
    split, merge = split / voxels, merge / voxels
    right = np.divide(2 * together, either, out=np.ones_like(together), where=either > 0)
    # max: a perfect score must not come out as -0.0
    arand = np.maximum(1 - right, 0.0)
    return Resampled(split, merge, split + merge, arand, np.sqrt((split + merge) * arand))


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
