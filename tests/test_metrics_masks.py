"""Scores of masks against known answers, PySODMetrics, scikit-learn and scikit-image."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import py_sod_metrics
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from scipy import ndimage
from scipy.spatial.distance import cdist
from skimage.segmentation import find_boundaries
from sklearn.metrics import f1_score, jaccard_score

from fgnet.metrics import masks

Array = npt.NDArray[Any]
SHAPE = (7, 9)


def flags() -> st.SearchStrategy[Array]:
    return arrays(np.bool_, SHAPE)


def levels() -> st.SearchStrategy[Array]:
    return arrays(np.uint8, SHAPE)


def everything(chances: Array, true: Array, known: Array | None = None) -> list[float]:
    """All scores of an image."""
    swept = masks.curves(chances, true, known)
    counted = np.ones(true.shape, bool) if known is None else known
    found = chances >= 128
    return [
        masks.dice(found[counted], true[counted]),
        masks.iou(found[counted], true[counted]),
        *(float(each.mean()) for each in swept),
        float(swept.e_measure.max()),
        masks.mean_absolute_error(chances, true, known),
        masks.weighted_f(chances, true, known),
        masks.s_measure(chances, true, known),
        masks.boundary_f1(found, true, 2.0, known),
    ]


def drawn(folder: Path) -> list[Array]:
    """Every fifth mask of the polyps, of both sizes."""
    found = [np.asarray(Image.open(p)) for p in sorted((folder / "polyp2d/masks").iterdir())[::5]]
    return [one.reshape(*one.shape[:2], -1)[..., 0] >= 128 for one in found]


def blurred(true: Array, random: np.random.Generator) -> Array:
    return ndimage.gaussian_filter(true.astype(float), 6)


def moved(true: Array, random: np.random.Generator) -> Array:
    return ndimage.gaussian_filter(np.roll(true, (9, -14), (0, 1)).astype(float), 2)


def noisy(true: Array, random: np.random.Generator) -> Array:
    return 0.6 * true + random.normal(0.2, 0.1, true.shape)


def missed(true: Array, random: np.random.Generator) -> Array:
    return np.where(ndimage.binary_erosion(true, iterations=8), 0.7, 0.1)


@pytest.mark.parametrize("degraded", [blurred, moved, noisy, missed])
def test_equals_pysodmetrics_on_polyps(data: Path, degraded: Callable[..., Array]) -> None:
    for number, true in enumerate(drawn(data)):
        map_ = degraded(true, np.random.default_rng(number))
        # that package stretches what does not reach 0 and 1, as PraNet's toolbox does
        map_ = (map_ - map_.min()) / np.ptp(map_)
        chances = np.rint(map_ * 255).astype(np.uint8)
        theirs = [getattr(py_sod_metrics, name)()
                  for name in ("Smeasure", "WeightedFmeasure", "MAE", "Emeasure")]  # fmt: skip
        for one in theirs:
            one.step(chances, true.astype(np.uint8) * 255)
        structure, weighted, error, enhanced = (one.get_results() for one in theirs)
        assert masks.s_measure(chances, true) == pytest.approx(structure["sm"], abs=1e-9)
        assert masks.weighted_f(chances, true) == pytest.approx(weighted["wfm"], abs=1e-12)
        assert masks.mean_absolute_error(chances, true) == pytest.approx(error["mae"], abs=1e-12)
        # from 255 down, and divided by one pixel less
        curve = enhanced["em"]["curve"][::-1] * (true.size - 1) / true.size
        assert masks.curves(chances, true).e_measure == pytest.approx(curve, abs=1e-9)


@settings(deadline=None)
@given(levels(), flags())
def test_weighted_f_equals_pysodmetrics(chances: Array, true: Array) -> None:
    true[3, 4] = True  # of an empty truth it says nothing
    theirs = py_sod_metrics.WeightedFmeasure().cal_wfm(chances / 255, true)
    assert masks.weighted_f(chances, true) == pytest.approx(theirs, abs=1e-9)


@settings(deadline=None)
@given(flags(), flags())
def test_overlap_equals_scikit_learn(found: Array, true: Array) -> None:
    pair = true.ravel(), found.ravel()
    assert masks.dice(found, true) == pytest.approx(f1_score(*pair, zero_division=1.0))
    if found.any() or true.any():
        assert masks.iou(found, true) == pytest.approx(jaccard_score(*pair))
    else:
        assert masks.iou(found, true) == 1


@settings(deadline=None, max_examples=30)
@given(levels(), flags(), flags())
def test_curves_are_the_scores_at_each_threshold(chances: Array, true: Array, known: Array) -> None:
    """The E-measure as its paper writes it, pixel by pixel."""
    known[0, 0] = True
    curves = masks.curves(chances, true, known)
    for level in (0, 1, 100, 255):
        found, truth = (chances >= level)[known], true[known]
        assert curves.dice[level] == pytest.approx(masks.dice(found, truth))
        assert curves.iou[level] == pytest.approx(masks.iou(found, truth))
        if truth.all() or not truth.any():
            expected = np.mean(found == truth)
        else:
            f, t = found - found.mean(), truth - truth.mean()
            expected = np.mean((1 + 2 * f * t / (f * f + t * t)) ** 2 / 4)
        assert curves.e_measure[level] == pytest.approx(expected)


@settings(deadline=None)
@given(flags(), flags(), st.sampled_from([0.0, 1.0, 1.5, 3.0]))
def test_boundaries_equal_scikit_image(found: Array, true: Array, tolerance: float) -> None:
    ends = [
        np.argwhere(find_boundaries(one, connectivity=1, mode="inner") & one)
        for one in (found, true)
    ]
    score = masks.boundary_f1(found, true, tolerance)
    if not all(map(len, ends)):
        assert score == (not any(map(len, ends)))
        return
    near = cdist(*ends) <= tolerance
    precision, recall = near.any(1).mean(), near.any(0).mean()
    expected = 2 * precision * recall / (precision + recall) if precision + recall else 0
    assert score == pytest.approx(expected)


def square(y: int, x: int, size: int = 8, frame: int = 40) -> Array:
    made = np.zeros((frame, frame), bool)
    made[y : y + size, x : x + size] = True
    return made


def test_known_answers() -> None:
    true, half = square(10, 10), square(10, 14)
    assert masks.dice(half, true) == 0.5
    assert masks.iou(half, true) == pytest.approx(1 / 3)
    assert masks.mean_absolute_error(half * np.uint8(51), true) == pytest.approx(
        (64 - 32 * 0.2 + 32 * 0.2) / 1600
    )
    # everything found aligns with nothing: (1 + 0)² / 4
    assert masks.curves(half * np.uint8(255), true).e_measure[0] == pytest.approx(0.25)
    # a whole hit, and a false pixel that weighs 2 - 1/2, as it is 5 pixels away
    one, two = square(9, 9, 1), square(9, 9, 1) | square(9, 14, 1)
    assert masks.weighted_f(two * np.uint8(255), one) == pytest.approx(2 * 0.4 / 1.4)
    # objects are even, the rest is all wrong; no quadrant varies
    left = np.repeat([[True, True, False, False]], 2, axis=0)
    assert masks.s_measure(np.full((2, 4), 255, np.uint8), left) == 0.75


def test_boundaries_meet_within_the_tolerance_and_end_at_the_frame() -> None:
    true, moved = square(10, 10), square(10, 12)
    assert masks.boundary_f1(moved, true, 2) == 1.0
    # of 28 pixels 7 of two sides are near enough, and the ends of a third
    assert masks.boundary_f1(moved, true, 1.9) == pytest.approx(16 / 28)
    top, whole = np.zeros((6, 6), bool), np.ones((6, 6), bool)
    top[:3] = True
    assert masks.boundary_f1(whole, whole, 0) == 1.0
    assert masks.boundary_f1(top, whole, 9) == 0.0  # only one has a boundary
    assert masks.boundary_f1(top, top[::-1], 1) == 1.0


def edges() -> float:
    """The weighted F-measure of a full mask that is missed: beyond the image there is no error."""
    bell = np.exp(-np.square(np.arange(-3, 4)) / 50)
    y, x = (np.convolve(np.ones(n), bell / bell.sum(), "same").mean() for n in SHAPE)
    recall = 1 - y * x
    return float(2 * recall / (1 + recall))


EDGES = edges()


@pytest.mark.parametrize(
    ("level", "true", "expected"),
    [
        (0, False, [1, 1, 255 / 256, 255 / 256, 255 / 256, 1, 0, 1, 1, 1]),
        (255, False, [0, 0, 0, 0, 0, 0, 1, 0, 0, 1]),
        (0, True, [0, 0, 1 / 256, 1 / 256, 1 / 256, 1, 1, EDGES, 0, 1]),
        (255, True, [1, 1, 1, 1, 1, 1, 0, 1, 1, 1]),
    ],
)
def test_empty_and_full_masks(level: int, true: bool, expected: list[float]) -> None:
    """The threshold 0 finds everything; neither an empty mask nor a full one has a boundary."""
    found = everything(np.full(SHAPE, level, np.uint8), np.full(SHAPE, true))
    assert found == pytest.approx(expected)


def test_nothing_to_score() -> None:
    nothing = np.zeros(SHAPE, bool)
    with pytest.raises(ValueError, match="no pixel counts"):
        masks.curves(nothing.astype(np.uint8), nothing, known=nothing)


@settings(deadline=None)
@given(flags())
def test_the_truth_itself_is_perfect_and_its_complement_is_worst(true: Array) -> None:
    true = np.pad(true, 4)  # at the edges of the image the weighted F-measure is forgiving
    true[6:8, 6:9] = True
    perfect = everything(true * np.uint8(255), true)
    # the threshold 0 finds everything
    share = np.mean(true)
    lost = [(1 - 2 * share / (1 + share)) / 256, (1 - share) / 256, 0.75 / 256]
    assert perfect == pytest.approx([1, 1, *(1 - one for one in lost), 1, 0, 1, 1, 1])
    worst = everything(~true * np.uint8(255), true)
    assert worst[:2] + worst[6:8] == pytest.approx([0, 0, 1, 0])


@settings(deadline=None)
@given(levels(), flags(), flags())
def test_scores_lie_between_0_and_1(chances: Array, true: Array, known: Array) -> None:
    known[0, 0] = True
    assert all(0 <= one <= 1 + 1e-12 for one in everything(chances, true, known))


@settings(deadline=None)
@given(flags(), flags())
def test_swapping_mask_and_truth(found: Array, true: Array) -> None:
    found[0, :2], true[1, :2] = (False, True), (False, True)  # neither empty nor full
    assert masks.dice(found, true) == masks.dice(true, found)
    assert masks.iou(found, true) == masks.iou(true, found)
    assert masks.boundary_f1(found, true, 1) == pytest.approx(masks.boundary_f1(true, found, 1))
    swapped = [masks.curves(one * np.uint8(255), other).e_measure[128]
               for one, other in ((found, true), (true, found))]  # fmt: skip
    assert swapped[0] == pytest.approx(swapped[1])


@settings(deadline=None, max_examples=50)
@given(levels(), flags(), st.integers(0, 6), st.integers(0, 9))
def test_moving_both_changes_nothing(chances: Array, true: Array, y: int, x: int) -> None:
    """But for the S-measure, whose quadrants reach to the edges of the image."""
    frames = []
    for start in ((20, 20), (20 + y, 20 + x)):
        cut = tuple(slice(s, s + n) for s, n in zip(start, SHAPE, strict=True))
        frame = np.zeros((60, 60), np.uint8), np.zeros((60, 60), bool)
        frame[0][cut], frame[1][cut] = chances, true
        frames.append(everything(*frame))
    for one in frames:
        del one[8]
    assert frames[0] == pytest.approx(frames[1])


@settings(deadline=None)
@given(levels(), flags(), flags(), levels(), flags())
def test_what_is_not_known_decides_nothing(
    chances: Array, true: Array, known: Array, others: Array, false: Array
) -> None:
    known[0, 0] = True
    changed = np.where(known, chances, others), np.where(known, true, false)
    assert everything(chances, true, known) == everything(*changed, known)


def test_a_strip_that_is_not_known_is_as_if_cut_off() -> None:
    """Far from objects; only the S-measure's quadrants and the boundary could tell."""
    random = np.random.default_rng(0)
    true = square(8, 8)[:, :30]
    chances = (np.where(true, 200, 20) + random.integers(0, 20, true.shape)).astype(np.uint8)
    image = (chances, 255), (true, True), (np.ones_like(true), False)
    wide = [np.pad(one, ((0, 0), (0, 10)), constant_values=fill) for one, fill in image]
    assert everything(*wide) == pytest.approx(everything(chances, true))
