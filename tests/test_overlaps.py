"""The pass over the voxels: tables, boundaries, borders and places, block by block."""

import itertools
from dataclasses import astuple
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from skimage.measure import label
from sklearn.metrics import precision_recall_fscore_support

from fgnet import affinities, metrics, volume
from fgnet.evaluate import faces, overlaps, store
from fgnet.evaluate.overlaps import Overlaps, measure

Labels = npt.NDArray[Any]
FIB25 = "fib25_ts2_z000-168.h5"
SHAPE = (3, 4, 5)


def measured(
    fragments: Labels, truth: Labels, mask: Labels | None = None, **options: Any
) -> Overlaps:
    with h5py.File.in_memory() as file:
        volume.add(file, "fragments", fragments.shape, "u8", (40, 4, 4))[:] = fragments
        volume.add(file, "truth", truth.shape, "u8", options.pop("size", (40, 4, 4)))[:] = truth
        if mask is not None:
            file["mask"] = mask
        region = tuple(slice(0, size) for size in truth.shape)
        return measure(file["fragments"], file["truth"], region, file.get("mask"), **options)


def edges(fragments: Labels, truth: Labels) -> tuple[Labels, Labels]:
    """Of every edge with ground truth at both ends: cut in truth, cut by the fragments."""
    cut: tuple[list[Labels], list[Labels]] = [], []
    for axis in range(3):
        ends = [np.moveaxis(one, axis, 0) for one in (fragments, truth)]
        known = (ends[1][1:] > 0) & (ends[1][:-1] > 0)
        cut[0].append((ends[1][1:] != ends[1][:-1])[known])
        differ = (ends[0][1:] != ends[0][:-1]) | (ends[0][1:] == 0)
        cut[1].append(differ[known])
    return np.concatenate(cut[0]), np.concatenate(cut[1])


def volumes(lowest: int, highest: int = 3) -> st.SearchStrategy[Labels]:
    return arrays(np.uint64, SHAPE, elements=st.integers(lowest, highest))


@settings(max_examples=60, deadline=None)
@given(volumes(0), volumes(0), st.tuples(*(st.integers(1, size) for size in SHAPE)))
def test_blocks_change_nothing(fragments: Labels, truth: Labels, block: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlaps, "BLOCK", block)
        found = measured(fragments << 40, truth << 40)
    fragments, truth = fragments << 40, truth << 40
    expected = metrics.count(fragments, truth)
    assert np.array_equal(found.ids.segments, expected.segments)
    assert np.array_equal(found.ids.neurons, expected.neurons)
    assert np.array_equal(found.ids.counts.toarray(), expected.counts.toarray())
    assert (found.voxels, found.unlabelled) == (truth.size, np.count_nonzero(truth == 0))
    # components are the same sets of voxels; scikit-image takes no background for a label
    components = label(truth, background=0, connectivity=1)
    assert found.components.neurons.size == components.max()
    if components.any():
        whole = metrics.score(metrics.count(fragments, components))
        assert astuple(metrics.score(found.components)) == pytest.approx(astuple(whole), abs=1e-12)
    in_truth, in_fragments = edges(fragments, truth)
    sums = found.boundaries.edges.sum(0) + found.boundaries.outside
    assert sums.tolist() == [np.sum(in_fragments & ~in_truth), np.sum(in_fragments & in_truth)]
    assert found.boundaries.inside.tolist() == [
        np.sum(~in_fragments & ~in_truth), np.sum(~in_fragments & in_truth)
    ]  # fmt: skip
    ids = found.shared.merged(neurons=found.owners)
    for row, (fragment, neuron) in enumerate(zip(ids.fragments, ids.neurons, strict=True)):
        both = (fragments == fragment) & (truth == neuron)
        assert both[tuple(ids.middle[row])] and ids.voxels[row] == both.sum()
        places = np.argwhere(both)
        assert ids.low[row].tolist() == places.min(0).tolist()
        assert ids.high[row].tolist() == places.max(0).tolist()


def test_the_place_of_an_overlap_is_the_middle_of_its_longest_run() -> None:
    fragments, truth = np.ones((2, 3, 9), np.uint64), np.full((2, 3, 9), 7, np.uint64)
    truth[0, 1, 4] = 0
    truth[1, 2, :2] = 0
    truth[:, 0] = truth[1, 1] = truth[0, 2] = 8
    found = measured(fragments, truth)
    ids = found.shared.merged(neurons=found.owners)
    assert (ids.neurons.tolist(), ids.run.tolist()) == ([7, 8], [7, 9])
    assert ids.middle.tolist() == [[1, 2, 5], [0, 0, 4]]


def near(truth: Labels, pixels: float) -> Labels:
    """The border mask of CREMI's evaluation as it is described: distances in pixels."""
    found = []
    for section in truth:
        padded = np.pad(section, 1, mode="edge")
        shifted = padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]
        away = np.logical_and.reduce([section == one for one in shifted])
        distance = ndimage.distance_transform_edt(away)
        found.append(distance <= pixels if (~away).any() else ~away)
    return np.array(found)


@pytest.mark.parametrize("border", [4, 25])
def test_border_equals_that_of_cremi(
    data: Path, border: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    with h5py.File(data / FIB25) as file:
        truth = file[volume.LABELS][:5, :120, :130].astype(np.uint64)
        fragments = file["volumes/labels/supervoxels"][:5, :120, :130].astype(np.uint64)
    monkeypatch.setattr(overlaps, "BLOCK", (2, 31, 47))
    found = measured(fragments, truth, border=border)
    left_out = near(truth, border / 4)
    expected = metrics.count(fragments, np.where(left_out, 0, truth))
    assert np.array_equal(found.ids.counts.toarray(), expected.counts.toarray())
    assert 0 < found.near_border == np.count_nonzero(left_out & (truth > 0))
    assert found.unlabelled == np.count_nonzero(truth == 0)
    # components and boundaries are those of all labels
    plain = measured(fragments, truth)
    assert np.array_equal(found.owners, plain.owners)
    assert found.boundaries.score() == plain.boundaries.score()


def test_border_is_round_in_nm() -> None:
    truth = np.ones((1, 21, 21), np.uint64)
    truth[0, 10, 10] = 2
    found = measured(truth, truth, border=8, size=(40, 8, 4))
    y, x = np.indices((21, 21)) - 10
    on_border = np.abs(y) + np.abs(x) <= 1
    nearest = [
        np.min(np.hypot(8 * (y - a), 4 * (x - b))[on_border]) for a in range(-10, 11)
        for b in range(-10, 11)
    ]  # fmt: skip
    assert found.near_border == np.count_nonzero(np.array(nearest) <= 8)


def test_boundaries_equal_scikit_learn_on_real_data(data: Path) -> None:
    with h5py.File(data / FIB25) as file:
        truth = file[volume.LABELS][:24].astype(np.uint64)
        fragments = file["volumes/labels/ffn_segmentation"][:24].astype(np.uint64)
    table = measured(fragments, truth).boundaries
    joined, _ = affinities.from_labels(truth, affinities.NEAREST)
    whole, _ = affinities.from_labels(fragments, affinities.NEAREST)
    labelled = np.zeros(joined.shape, bool)
    for channel, axis in enumerate(range(3)):
        both = np.moveaxis(labelled[channel], axis, 0)
        ends = np.moveaxis(truth, axis, 0) > 0
        both[1:] = ends[1:] & ends[:-1]
    cut = [1 - one[labelled].astype(int) for one in (joined, whole)]
    expected = precision_recall_fscore_support(*cut, average="binary")[:3]
    assert table.score() == pytest.approx(expected, abs=1e-12)
    # merging all fragments but background leaves the edges at background
    lookup = np.minimum(np.arange(fragments.max() + 1), 1)
    merged = table.merged(lookup).score()
    one, two = edges(np.minimum(fragments, 1), truth)
    expected = precision_recall_fscore_support(one, two, average="binary")[:3]
    assert merged == pytest.approx(expected, abs=1e-12)


def test_boundaries_of_one_label() -> None:
    one = np.ones((2, 3, 4), np.uint64)
    assert measured(one, one).boundaries.score() == (1.0, 1.0, 1.0)
    two = one.copy()
    two[1] = 2
    assert measured(two, one).boundaries.score() == (0.0, 1.0, 0.0)
    assert measured(one, two).boundaries.score() == (1.0, 0.0, 0.0)
    # a gap between two labels is no boundary
    two[1, 1], two[0] = 0, 0
    assert measured(one, two).boundaries.score() == (1.0, 1.0, 1.0)


def test_masked_voxels_have_no_edges_and_join_no_components() -> None:
    truth, mask = np.full((1, 1, 7), 5, np.uint64), np.ones((1, 1, 7), np.uint8)
    mask[..., 3] = 0
    found = measured(truth, truth, mask)
    assert found.owners.tolist() == [0, 5, 5]
    assert (found.boundaries.inside.tolist(), found.unlabelled) == ([4, 0], 1)


@pytest.mark.parametrize("known", [True, False])
def test_what_is_stored_is_what_is_read(known: bool) -> None:
    random = np.random.default_rng(1)
    truth = random.integers(0, 3, SHAPE) * known
    found = measured(random.integers(0, 5, SHAPE), truth)
    frame = store.Frame((1, 2, 3), (40.0, 4.0, 4.0), (0.0, 8.0, 0.0), 25.0)
    with h5py.File.in_memory() as file:
        store.write(file, found, frame)
        again, where = store.read(file)
    assert where == frame
    assert np.array_equal(again.owners, found.owners) and again.voxels == found.voxels
    for part in ("shared", "boundaries"):
        for name, values in vars(getattr(found, part)).items():
            assert np.array_equal(vars(getattr(again, part))[name], values), name


def test_no_face_waits_after_the_last_block() -> None:
    kept, block = faces.Faces((2, 1, 3)), np.ones((2, 2, 2), np.uint64)
    for index in itertools.product(range(2), range(1), range(3)):
        before = kept.before(index, block.shape)
        assert [bool(one.truth.any()) for one in before] == [place > 0 for place in index]
        kept.keep(index, block, block, block)
    assert not kept.waiting
