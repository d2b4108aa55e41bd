"""Scores against known answers, scikit-image and the figures published with the real data."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest
from elf.evaluation import cremi_score, mean_segmentation_accuracy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from skimage.metrics import adapted_rand_error, variation_of_information
from sklearn.metrics.cluster import pair_confusion_matrix

from fgnet import metrics
from fgnet.metrics import bootstrap, contingency, voi
from fgnet.metrics.detection import TWENTIETHS, average_precision

Labels = npt.NDArray[Any]
FIB25 = "fib25_ts2_z000-168.h5"


def measured(segmentation: Labels, truth: Labels) -> tuple[float, float, float]:
    score = metrics.score(metrics.count(segmentation, truth))
    return score.voi_split, score.voi_merge, score.arand


def labels(lowest: int, highest: int = 4) -> st.SearchStrategy[Labels]:
    return arrays(np.uint32, (2, 3, 4), elements=st.integers(lowest, highest))


# split, merge and ARAND as data/README.md gives them
PUBLISHED = [
    ("fib25_gala_train.h5", "supervoxels", False, (1.3356, 0.1212, 0.2496)),
    (FIB25, "supervoxels", False, (2.3632, 0.3181, 0.3181)),
    (FIB25, "ffn_segmentation", False, (0.8143, 0.7855, 0.1750)),
    (FIB25, "ffn_segmentation", True, (0.5398, 0.2400, 0.0848)),
]


@pytest.mark.parametrize(("file", "name", "only_segmented", "published"), PUBLISHED)
def test_published_figures(
    data: Path, file: str, name: str, only_segmented: bool, published: tuple[float, ...]
) -> None:
    with h5py.File(data / file) as volume:
        segmentation = volume[f"volumes/labels/{name}"][:]
        truth = volume["volumes/labels/neuron_ids"][:]
    if only_segmented:
        truth[segmentation == 0] = 0
    assert measured(segmentation, truth) == pytest.approx(published, abs=5.0001e-5)


def test_known_answers() -> None:
    truth = np.array([[1, 1, 2, 2]])
    assert measured(np.array([[1, 2, 3, 4]]), truth) == (1.0, 0.0, 1.0)
    assert measured(np.array([[7, 7, 7, 7]]), truth) == (0.0, 1.0, 0.5)
    # half right: only voxels 0 and 1 lie together in both
    assert measured(np.array([[1, 1, 2, 3]]), truth) == (0.5, 0.0, 1 - 2 * 2 / (2 + 4))
    # the ignored voxels change nothing; segment 0 is a segment
    assert measured(np.array([[0, 0, 5, 5, 5]]), np.array([[1, 1, 2, 2, 0]])) == (0.0, 0.0, 0.0)


def test_single_voxels_that_all_agree_are_perfect() -> None:
    assert measured(np.array([1, 2, 3]), np.array([4, 5, 6])) == (0.0, 0.0, 0.0)


def test_a_nearly_perfect_score_of_many_voxels_is_not_below_zero() -> None:
    """Sums of squares beyond 2^53 are rounded, in another order for segments than for neurons."""
    random = np.random.default_rng(0)
    for _ in range(100):
        sizes = random.integers(10**8, 10**9, random.integers(3, 60))
        ids = np.arange(1, len(sizes) + 1, dtype=np.uint64)
        segments = np.append(ids, ids[0])
        table = contingency.of(segments, np.append(ids, ids[1]), np.append(sizes, 2))
        found = metrics.score(table)
        assert found.arand >= 0 and 0 < found.cremi < 1e-3


def test_ids_up_to_2_to_the_40() -> None:
    segmentation = np.array([1, 1, 2, 3], np.uint64)
    truth = np.array([1, 1, 2, 2], np.uint64)
    far = np.uint64(2**40)
    assert measured(segmentation + far, truth * far) == measured(segmentation, truth)


def test_nothing_to_score() -> None:
    with pytest.raises(ValueError, match="no voxel has ground truth"):
        measured(np.ones((2, 2), np.uint8), np.zeros((2, 2), np.uint8))
    with pytest.raises(ValueError, match="shapes differ"):
        measured(np.ones((2, 2), np.uint8), np.zeros((2, 3), np.uint8))


@settings(deadline=None)
@given(labels(0), labels(0))
def test_equals_scikit_image(segmentation: Labels, truth: Labels) -> None:
    truth[0, 0, :2], segmentation[0, 0, :2] = 1, 1  # something to score, and no 0 / 0
    split, merge = variation_of_information(truth, segmentation, ignore_labels=(0,))
    arand = adapted_rand_error(truth, segmentation, ignore_labels=(0,))[0]
    assert measured(segmentation, truth) == pytest.approx((split, merge, arand), abs=1e-12)


@settings(deadline=None)
@given(labels(0), labels(1))
def test_rand_equals_scikit_learn(segmentation: Labels, truth: Labels) -> None:
    segmentation[0, 0, :2], truth[0, 0, :2] = 1, 1
    (_, merged), (alone, together) = pair_confusion_matrix(truth.ravel(), segmentation.ravel())
    found = metrics.score(metrics.count(segmentation, truth))
    assert found.rand_precision == pytest.approx(together / (together + merged), abs=1e-12)
    assert found.rand_recall == pytest.approx(together / (together + alone), abs=1e-12)


@pytest.mark.parametrize("layer", ["ffn_segmentation", "supervoxels"])
def test_rand_equals_scikit_learn_on_real_data(data: Path, layer: str) -> None:
    with h5py.File(data / FIB25) as file:
        truth, segmentation = (file[f"volumes/labels/{name}"][:] for name in ("neuron_ids", layer))
    known = truth > 0
    (_, merged), (alone, together) = pair_confusion_matrix(truth[known], segmentation[known])
    found = metrics.score(metrics.count(segmentation, truth))
    assert found.rand_precision == pytest.approx(together / (together + merged), abs=1e-12)
    assert found.rand_recall == pytest.approx(together / (together + alone), abs=1e-12)
    assert 0.1 < found.rand_precision != found.rand_recall < 1


@settings(deadline=None)
@given(labels(0), labels(0))
def test_average_precision_by_counting(segmentation: Labels, truth: Labels) -> None:
    truth[0, 0, 0] = 1
    known = truth > 0
    objects = [
        [set(np.flatnonzero(known.ravel() & (values.ravel() == name))) for name in names if name]
        for values, names in ((a, np.unique(a[known])) for a in (segmentation, truth))
    ]
    for tenth, found in enumerate(average_precision(metrics.count(segmentation, truth))):
        threshold = Fraction(10 + tenth, 20)
        matches = sum(
            len(one & two) > threshold * len(one | two) for one in objects[0] for two in objects[1]
        )
        assert found == matches / (len(objects[0]) + len(objects[1]) - matches)


def test_average_precision_of_known_overlaps() -> None:
    truth = np.repeat([1, 2, 3], [10, 10, 10])
    # half of the first is no match; 9 of 10 of the second is up to 0.85; the third is background
    segmentation = np.repeat([1, 4, 2, 4, 0], [5, 5, 9, 1, 10])
    found = average_precision(metrics.count(segmentation, truth))
    assert found.tolist() == [1 / 5] * 8 + [0, 0]
    assert average_precision(metrics.count(truth * 7, truth)).tolist() == [1] * 10


@pytest.mark.parametrize(("file", "name", "only_segmented", "published"), PUBLISHED[:3])
def test_equals_elf_on_real_data(
    data: Path, file: str, name: str, only_segmented: bool, published: tuple[float, ...]
) -> None:
    with h5py.File(data / file) as volume:
        segmentation = volume[f"volumes/labels/{name}"][:].astype(np.uint64)
        truth = volume["volumes/labels/neuron_ids"][:].astype(np.uint64)
    known = truth > 0
    segmentation, truth = segmentation[known], truth[known]
    table = metrics.count(segmentation, truth)
    found = metrics.score(table)
    split, merge, arand, cremi = cremi_score(segmentation, truth)
    assert (found.voi_split, found.voi_merge) == pytest.approx((split, merge), abs=1e-9)
    # elf pairs every voxel with itself too
    assert (found.arand, found.cremi) == pytest.approx((arand, cremi), abs=1e-4)
    exact = sum(variation_of_information(truth, segmentation)) * found.arand
    assert found.cremi == pytest.approx(np.sqrt(exact), abs=1e-12)
    above = TWENTIETHS / 20 + 1e-9
    _, precision = mean_segmentation_accuracy(segmentation, truth, above, return_accuracies=True)
    assert average_precision(table) == pytest.approx(precision, abs=1e-12)


@settings(deadline=None)
@given(labels(0), labels(1))
def test_what_neurons_add_is_the_whole(segmentation: Labels, truth: Labels) -> None:
    """And nothing of a neuron that is one segment of its own."""
    segmentation[0], truth[0] = 9, 9
    table = metrics.count(segmentation, truth)
    shared, found = table.pairs, metrics.score(table)
    for part, whole in ((voi.split, found.voi_split), (voi.merge, found.voi_merge)):
        assert part(shared).sum() == pytest.approx(whole, abs=1e-12)
        assert part(shared)[-1] == 0


@settings(deadline=None)
@given(labels(0), labels(1))
def test_neurons_drawn_once_each_give_the_scores(segmentation: Labels, truth: Labels) -> None:
    table = metrics.count(segmentation, truth)
    found = bootstrap.scored(bootstrap.parts(table).sum(0, keepdims=True))
    expected = metrics.score(table)
    for name in ("voi_split", "voi_merge", "voi_sum", "arand", "cremi"):
        assert getattr(found, name) == pytest.approx([getattr(expected, name)], abs=1e-6), name


def test_a_drawn_neuron_brings_its_mergers_along() -> None:
    """Two neurons of two voxels each in one segment, and a third that is right."""
    table = metrics.count(np.array([7, 7, 7, 7, 8, 8]), np.array([1, 1, 2, 2, 3, 3]))
    own = bootstrap.parts(table)
    assert own.tolist() == [[0, 2, 2, 2, 8], [0, 2, 2, 2, 8], [0, 0, 2, 2, 4]]
    # the first twice and the third: as if the second had been there
    found = bootstrap.scored(np.array([[2, 0, 1]]) @ own)
    assert found.voi_merge == pytest.approx(4 / 6)
    assert found.arand == pytest.approx(1 - 2 * 6 / 20)


def test_resamples_do_not_depend_on_how_much_memory_they_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    truth = np.random.default_rng(1).integers(1, 30, 500)
    table = metrics.count(np.random.default_rng(2).integers(0, 40, 500), truth)
    whole = bootstrap.resampled(table, 40)
    monkeypatch.setattr(bootstrap, "MEMORY", 100)
    parts = bootstrap.resampled(table, 40)
    for name in ("voi_split", "voi_merge", "arand"):
        assert np.allclose(getattr(whole, name), getattr(parts, name), rtol=0, atol=1e-12)


def test_intervals_of_ratios_equal_those_of_scipy(data: Path) -> None:
    """VOI is a mean over neurons, weighted by voxels, so scipy can resample it as well."""
    with h5py.File(data / FIB25) as volume:
        segmentation = volume["volumes/labels/ffn_segmentation"][:]
        truth = volume["volumes/labels/neuron_ids"][:]
    table = metrics.count(segmentation, truth)
    shared = table.pairs
    found, whole = bootstrap.resampled(table, 4000).intervals(), metrics.score(table)

    def ratio(bits: Labels, voxels: Labels, axis: int) -> Labels:
        return bits.sum(axis) / voxels.sum(axis)

    for name, added in (("voi_split", voi.split(shared)), ("voi_merge", voi.merge(shared))):
        expected = stats.bootstrap(
            (added * shared.total, shared.neuron), ratio, paired=True, method="percentile",
            n_resamples=4000, rng=1,
        ).confidence_interval  # fmt: skip
        assert found[name] == pytest.approx((expected.low, expected.high), rel=0.04)
        assert found[name][0] < getattr(whole, name) < found[name][1]


def test_differences_are_taken_on_the_same_resamples() -> None:
    random = np.random.default_rng(1)
    truth = np.repeat(np.arange(1, 41), 25)
    worse = np.where(random.random(1000) < 0.5, truth, 99)
    # the same mistakes, and one more in every neuron
    worst = np.where(np.arange(1000) % 25 == 0, 98, worse)
    one, two = (bootstrap.resampled(metrics.count(each, truth)) for each in (worse, worst))
    assert bootstrap.difference(one.arand, one.arand) == (0, 0)
    low, high = bootstrap.difference(two.voi_sum, one.voi_sum)
    alone = one.intervals()["voi_sum"]
    assert 0 < low < high and high - low < alone[1] - alone[0]
    with pytest.raises(ValueError, match="1000 resamples of one and 9 of the other"):
        bootstrap.difference(one.arand, one.arand[:9])


@settings(deadline=None)
@given(labels(1), labels(1))
def test_swapping_the_two_swaps_split_and_merge(first: Labels, second: Labels) -> None:
    split, merge, arand = measured(first, second)
    assert measured(second, first) == pytest.approx((merge, split, arand), abs=1e-12)


@settings(deadline=None)
@given(labels(0), labels(1), st.permutations(range(5)), st.permutations(range(1, 5)))
def test_names_of_the_labels_do_not_matter(
    segmentation: Labels, truth: Labels, names: list[int], others: list[int]
) -> None:
    renamed = np.array(names)[segmentation], np.array([0, *others])[truth]
    assert measured(*renamed) == pytest.approx(measured(segmentation, truth), abs=1e-12)


@settings(deadline=None)
@given(labels(1))
def test_nothing_is_nearer_than_itself(truth: Labels) -> None:
    table = metrics.count(truth * 3, truth)
    found = metrics.score(table)
    assert (found.voi_split, found.voi_merge, found.arand, found.cremi) == (0.0, 0.0, 0.0, 0.0)
    assert (found.rand_precision, found.rand_recall) == (1.0, 1.0)
    assert bootstrap.resampled(table, 20).voi_sum == pytest.approx(np.zeros(20), abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(labels(0), labels(1), st.integers(1, 3), arrays(np.uint32, 5, elements=st.integers(0, 9)))
def test_tables_add_up_over_blocks_and_merge_like_voxels(
    segmentation: Labels, truth: Labels, cut: int, lookup: Labels
) -> None:
    parts = [
        metrics.count(segmentation[..., part], truth[..., part])
        for part in (slice(cut), slice(cut, None))
    ]
    merged = metrics.score(metrics.total(parts).merged(segments=lookup))
    whole = measured(lookup[segmentation], truth)
    assert (merged.voi_split, merged.voi_merge, merged.arand) == pytest.approx(whole, abs=1e-12)
