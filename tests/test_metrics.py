"""Scores against known answers, scikit-image and the figures published with the real data."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.metrics import adapted_rand_error, variation_of_information

from fgnet import metrics

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


@given(labels(0), labels(0))
def test_equals_scikit_image(segmentation: Labels, truth: Labels) -> None:
    truth[0, 0, :2], segmentation[0, 0, :2] = 1, 1  # something to score, and no 0 / 0
    split, merge = variation_of_information(truth, segmentation, ignore_labels=(0,))
    arand = adapted_rand_error(truth, segmentation, ignore_labels=(0,))[0]
    assert measured(segmentation, truth) == pytest.approx((split, merge, arand), abs=1e-12)


@given(labels(1), labels(1))
def test_swapping_the_two_swaps_split_and_merge(first: Labels, second: Labels) -> None:
    split, merge, arand = measured(first, second)
    assert measured(second, first) == pytest.approx((merge, split, arand), abs=1e-12)


@given(labels(0), labels(1), st.permutations(range(5)), st.permutations(range(1, 5)))
def test_names_of_the_labels_do_not_matter(
    segmentation: Labels, truth: Labels, names: list[int], others: list[int]
) -> None:
    renamed = np.array(names)[segmentation], np.array([0, *others])[truth]
    assert measured(*renamed) == pytest.approx(measured(segmentation, truth), abs=1e-12)


@given(labels(1))
def test_nothing_is_nearer_than_itself(truth: Labels) -> None:
    assert measured(truth * 3, truth) == (0.0, 0.0, 0.0)


@settings(max_examples=50)
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
