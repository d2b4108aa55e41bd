"""The step that follows neurons along skeletons: boxes, thresholds, intervals, none to follow."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fgnet import scores, segmentation, skeletons, volume
from fgnet.evaluate import nodes, run_lengths
from fgnet.evaluate.nodes import fragments_at
from fgnet.metrics import bootstrap
from fgnet.metrics.run_length import sweep
from fgnet.skeletons import Skeletons

VOXEL = (40.0, 4.0, 4.0)


def follow(folder: Path, lines: Sequence[Any], threshold: float, origin: str) -> scores.RunLengths:
    """Two segments of 6 voxels, the first of which lacks its last one; merged at 0.5."""
    segmented, drawn, chosen = (folder / name for name in ("seg.h5", "lines.h5", "chosen.json"))
    ids = np.zeros((1, 3, 6), np.uint64)
    ids[0, 0, :-1], ids[0, 2] = 2**40, 2**41
    with volume.create(segmented, "agglomerate", {}, []) as file:
        volume.add(file, volume.FRAGMENTS, ids.shape, "u8", VOXEL, (0, 0, 8))[:] = ids
        segmentation.write_fragments(file, np.array([2**40, 2**41], np.uint64))
        segmentation.write_merges(file, [0.1, 0.5], np.array([[1, 2]], np.uint32), [0, 1])
    with volume.create(drawn, "download", {}, []) as file:
        skeletons.write(file, skeletons.gathered(lines, {"from": origin}))
    choice = scores.Choice(
        threshold=threshold, reason="", chosen_by="fixed", criterion="voi", ground_truth="ids",
        mean=[], made_by={},
    )  # fmt: skip
    scores.write(chosen, choice)
    run_lengths.run(segmented, drawn, chosen, folder / "runs.json", 8)
    return scores.read(folder / "runs.json", scores.RunLengths)


def row_of_voxels(neuron: int, y: float) -> Any:
    """A neuron of 8 voxels in a row along x, of which a box from 8 nm on holds the last 6."""
    x = np.arange(8) * 4 + 2.0
    places = np.stack([np.full(8, 20.0), np.full(8, y), x], 1)
    return neuron, places, np.stack([np.arange(7), np.arange(1, 8)], 1)


def test_run_lengths_over_thresholds(tmp_path: Path) -> None:
    found = follow(tmp_path, [row_of_voxels(5, 2), row_of_voxels(9, 10)], 0.1, "given")
    assert (found.neurons, found.micrometres, found.tolerance) == (2, 0.04, 8)
    assert found.skeletons == {"from": "given"} and "at least 8 nm" in found.words
    assert found.words.startswith("Along skeletons that were given")
    apart, merged = found.sweep
    # runs of 16 and 20 nm, of 20 and 20
    assert apart.expected == pytest.approx((16**2 + 20**2) / 40 / 1000)
    assert apart.normalised == pytest.approx((16**2 + 20**2) / (2 * 20**2))
    assert (apart.correct, apart.omitted, apart.mergers) == (0.9, 0.1, 0)
    assert (merged.expected, merged.mergers, merged.merged) == (0, 1, 0.9)
    assert merged.with_mergers == apart.expected
    assert found.chosen == apart and found.intervals is not None
    # a resample of one neuron alone, or of both
    assert found.intervals.expected == pytest.approx((16**2 / 20 / 1000, 20 / 1000))
    assert found.intervals.normalised == pytest.approx((16**2 / 20**2, 1))


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([row_of_voxels(5, 14)], "no edge of them lies in this volume"),
        ([(5, [[20, 2, 18]], [])], "they have no edge"),
        ([], "they have no edge"),
    ],
)
def test_a_volume_in_which_no_skeleton_lies_says_so(
    tmp_path: Path, lines: Sequence[Any], words: str
) -> None:
    found = follow(tmp_path, lines, 0.5, "labels")
    assert found.words == f"There is no run length along the centre lines of the labels: {words}."
    assert (found.chosen, found.intervals, found.sweep, found.micrometres) == (None, None, [], 0)


def test_one_neuron_has_no_interval(tmp_path: Path) -> None:
    found = follow(tmp_path, [row_of_voxels(5, 2)], 0.5, "given")
    assert found.chosen is not None and found.chosen.normalised == pytest.approx(16**2 / 20**2)
    assert found.intervals is None


@given(
    st.integers(0, 2**32 - 1), st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 6))
)
def test_fragments_are_those_at_the_places(seed: int, block: Any) -> None:
    random = np.random.default_rng(seed)
    values = random.integers(0, 2**63, (3, 4, 5), np.uint64)
    places = random.integers(0, values.shape, (random.integers(0, 9), 3))
    with h5py.File.in_memory() as file, pytest.MonkeyPatch.context() as patch:
        file["ids"] = values
        patch.setattr(nodes, "BLOCK", block)
        assert np.array_equal(fragments_at(file["ids"], places), values[tuple(places.T)])
        with pytest.raises(ValueError, match=r"outside of the volume of shape \(3, 4, 5\)"):
            fragments_at(file["ids"], np.array([[0, 4, 0]]))


def test_resamples_are_those_of_the_other_scores() -> None:
    """Neurons drawn twice count twice, in sums and in the perfect run length."""
    path, squares = np.array([10.0, 0, 30, 20]), np.array([100.0, 0, 450, 0])
    found = bootstrap.run_lengths(path, squares, 50)
    drawn = np.concatenate([*bootstrap.weights(3, 50)])
    for times, expected, normalised in zip(drawn, found.expected, found.normalised, strict=True):
        lines = np.repeat([0, 2, 3], times)  # the one without path does not count
        assert expected == pytest.approx(squares[lines].sum() / path[lines].sum())
        assert normalised == pytest.approx(squares[lines].sum() / (path[lines] ** 2).sum())
    with pytest.raises(ValueError, match="no neuron has a path"):
        bootstrap.run_lengths(np.zeros(2), np.zeros(2))


def expectation(lines: Skeletons, segments: Any, tolerance: float) -> dict[str, float]:
    """Point by point: the mean over the path of the length of the run that a point lies in."""
    neuron_of, ends = lines.neurons.tolist(), lines.edges.tolist()
    at, lengths = [int(one) for one in segments], lines.lengths().tolist()
    pieces: dict[tuple[int, int], float] = {}
    held: dict[int, dict[int, float]] = {}
    whole: dict[int, float] = {}
    for (a, b), length in zip(ends, lengths, strict=True):
        neuron = neuron_of[a]
        whole[neuron] = whole.get(neuron, 0) + length
        for node in (a, b):
            own = held.setdefault(at[node], {})
            own[neuron] = own.get(neuron, 0) + length / 2
        if at[a] == at[b]:
            pieces[neuron, at[a]] = pieces.get((neuron, at[a]), 0) + length
    bad = {0} | {s for s, own in held.items() if sum(p >= tolerance for p in own.values()) > 1}
    total = sum(lengths)
    runs = perfect = omitted = 0.0
    for (a, b), length in zip(ends, lengths, strict=True):
        right = at[a] == at[b] and at[a] not in bad
        runs += length / total * (pieces[neuron_of[a], at[a]] if right else 0)
        perfect += length / total * whole[neuron_of[a]]
        omitted += length / total * (at[a] == 0 or at[b] == 0)
    return {"erl": runs, "perfect": perfect, "omitted": omitted, "mergers": len(bad) - 1}


@pytest.mark.parametrize("layer", ["ffn_segmentation", "supervoxels"])
@pytest.mark.parametrize("tolerance", [0, 100])
def test_run_lengths_of_real_segmentations(data: Path, layer: str, tolerance: float) -> None:
    """FIB-25, along chains through the neurons' voxels, against the mean over points."""
    with h5py.File(data / "fib25_ts2_z000-168.h5") as file:
        truth = file["volumes/labels/neuron_ids"][::8, ::4, ::4]
        other = file[f"volumes/labels/{layer}"][::8, ::4, ::4]
    places = np.argwhere(truth)
    ids = truth[tuple(places.T)]
    drawn = []
    for neuron in np.unique(ids):
        own = places[ids == neuron][::20]
        chain = np.arange(len(own))
        drawn.append((int(neuron), own * (80, 40, 40), np.stack([chain[:-1], chain[1:]], 1)))
    lines = skeletons.gathered(drawn, {})
    assert len(lines.edges) > 1000
    where = np.concatenate([places[ids == neuron][::20] for neuron in np.unique(ids)])
    known, fragments = np.unique(np.append(other[tuple(where.T)], 0), return_inverse=True)
    (found,) = sweep(lines, fragments[:-1], [np.arange(known.size)], tolerance)
    wanted = expectation(lines, fragments[:-1], tolerance)
    assert found.erl() == pytest.approx(wanted["erl"], rel=1e-12)
    assert found.normalised() == pytest.approx(wanted["erl"] / wanted["perfect"], rel=1e-12)
    assert found.shares()["omitted"] == pytest.approx(wanted["omitted"], rel=1e-12)
    assert found.mergers == wanted["mergers"] > 0 and found.erl() > 0
