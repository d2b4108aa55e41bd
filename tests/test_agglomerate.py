"""The agglomerate stage: known answers per method, ideal affinities of real neurons, bad input."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import cc3d
import h5py
import numpy as np
import pytest
import waterz
import yaml

from fgnet import affinities, metrics, segmentation, volume
from fgnet.affinities import NEAREST
from fgnet.agglomerate import fragments, merge, stage
from fgnet.errors import InputError
from fgnet.settings.agglomerate import Agglomerate, Components, Method
from fgnet.settings.base import Offset

FAR = (*NEAREST, (-2, 0, 0), (0, -4, 0), (0, 0, -4))
METHODS: dict[str, dict[str, Any]] = {
    "watershed": {},
    "sections": {"fragments": {"method": "watershed", "per": "section"}},
    "components": {"fragments": {"method": "components"}},
    "quantile": {"merge": {"method": "waterz", "score": "quantile_75"}},
    "multicut": {"merge": {"method": "multicut"}},
    "mutex": {"merge": {"method": "mutex", "strides": [1, 1, 1]}},
}


def write(path: Path, values: np.ndarray, offsets: Any = NEAREST) -> Path:
    with volume.create(path, "infer", {}, []) as file:
        data = volume.add(file, volume.AFFINITIES, values.shape, values.dtype, (10, 10, 10))
        data[:] = values
        if offsets is not None:
            data.attrs["offsets"] = offsets
    return path


def agglomerate(
    folder: Path, values: np.ndarray, settings: dict[str, Any], offsets: Any = NEAREST
) -> tuple[np.ndarray, dict[float, np.ndarray]]:
    """Fragments, and the segmentation at each threshold."""
    output = folder / "out.h5"
    stage.run(write(folder / "in.h5", values, offsets), output, json.dumps(settings))
    with volume.opened(output) as file:
        ids = segmentation.fragments(file)
        pieces = segmentation.numbered(file[volume.FRAGMENTS][:], ids)
        known = segmentation.thresholds(file)
        tables = {t: segmentation.table(file, t) for t in known}
    assert all(table[0] == 0 for table in tables.values())
    return pieces, {t: table[pieces] for t, table in tables.items()}


def two_boxes(membrane: float, offsets: tuple[Offset, ...] = NEAREST) -> np.ndarray:
    """Affinities of two boxes that touch at y = 10; those over the border are as given."""
    labels = np.ones((8, 20, 12), np.uint32)
    labels[:, 10:] = 2
    ideal, known = affinities.from_labels(labels, offsets)
    return np.where(known, np.where(ideal > 0, 1, membrane), 0).astype(np.float32)


@pytest.mark.parametrize("name", ["watershed", "sections", "quantile", "multicut"])
def test_boxes_merge_where_the_threshold_passes_the_membrane(tmp_path: Path, name: str) -> None:
    """The membrane's affinity is 0.3, so its score is 0.7."""
    settings = METHODS[name] | {"thresholds": [0.3, 0.65, 0.75]}
    pieces, found = agglomerate(tmp_path, two_boxes(0.3), settings)
    assert pieces.min() > 0
    for threshold in (0.3, 0.65):
        assert [len(np.unique(side)) for side in np.split(found[threshold], 2, axis=1)] == [1, 1]
        assert len(np.unique(found[threshold])) == 2
    assert len(np.unique(found[0.75])) == 1


def test_mutex_boxes_merge_where_attraction_wins(tmp_path: Path) -> None:
    """Over the border 0.3 attracts and 1 - 0.3 repels; the bias of 0.95 makes it 0.75 and 0.7."""
    settings = METHODS["mutex"] | {"thresholds": [0.5, 0.8, 0.95]}
    _, found = agglomerate(tmp_path, two_boxes(0.3, FAR), settings, FAR)
    assert {t: len(np.unique(seg)) for t, seg in found.items()} == {0.5: 2, 0.8: 2, 0.95: 1}


@pytest.mark.parametrize("score", ["mean", "quantile_50", "quantile_75"])
def test_merges_cut_by_count_are_what_waterz_gives(
    score: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """On noise, where the scores of a queue of 256 bins are not monotone."""
    random = np.random.default_rng(0)
    values = random.integers(0, 256, (3, 10, 30, 30)).astype(np.uint8)
    pieces = random.permutation(np.arange(1, 301)).reshape(5, 6, 10).astype(np.uint32)
    pieces = pieces.repeat(2, 0).repeat(5, 1).repeat(3, 2)
    thresholds = [0.1, 0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.8]
    before = pieces.copy()
    merges, counts = merge.waterz(values, pieces, score, thresholds)
    assert capfd.readouterr().out == ""
    assert np.array_equal(pieces, before)
    assert counts == sorted(counts)
    assert counts[0] < counts[-1] == len(merges)
    theirs = waterz.agglomerate(
        (values / np.float32(255)).astype(np.float32),
        thresholds,
        fragments=pieces.astype(np.uint64),
        scoring_function=merge.scoring_function(score),
        discretize_queue=256,
    )
    with h5py.File.in_memory() as file:
        segmentation.write_fragments(file, np.arange(1, 301))
        segmentation.write_merges(file, thresholds, merges, counts)
        for threshold, expected in zip(thresholds, theirs, strict=True):
            ours = segmentation.table(file, threshold)[pieces]
            assert same_partition(ours, expected)


def same_partition(one: np.ndarray, other: np.ndarray) -> bool:
    pairs = np.unique(np.stack([one.ravel(), other.ravel()]).astype(np.int64), axis=1)
    return pairs.shape[1] == len(np.unique(one)) == len(np.unique(other))


@pytest.mark.parametrize("score", ["mean", "quantile_10", "quantile_95"])
def test_scores_need_no_compiler(score: str) -> None:
    from waterz import _agglomerate

    assert _agglomerate._load_prebuilt(merge.scoring_function(score), merge.QUEUE) is not None


def real(data: Path, name: str) -> np.ndarray:
    """Labels of real neurons: FIB-25's test slab, or a corner of pinky40."""
    file, box = {
        "fib25": ("fib25_ts2_z000-168.h5", np.s_[144:168]),
        "pinky40": ("pinky40_labels_z000-200.h5", np.s_[:40, :128, :128]),
    }[name]
    with h5py.File(data / file) as source:
        labels: np.ndarray = source[volume.LABELS][box]
    return labels


def ceiling(folder: Path, labels: np.ndarray, settings: dict[str, Any], offsets: Any) -> float:
    """The lowest VOI sum on ideal affinities, against the labels' 6-connected components."""
    ideal = affinities.from_labels(labels, offsets)[0].astype(np.float32)
    values = (ideal * 255).astype(np.uint8)
    _, found = agglomerate(folder, values, settings, offsets)
    truth = cc3d.connected_components(labels, connectivity=6)
    return min(metrics.score(metrics.count(seg, truth)).voi_sum for seg in found.values())


@pytest.mark.parametrize("name", ["fib25", "pinky40"])
@pytest.mark.parametrize("merge_by", ["waterz", "multicut"])
def test_components_are_exact_on_ideal_affinities(
    tmp_path: Path, data: Path, name: str, merge_by: str
) -> None:
    settings = METHODS["components"] | {"merge": {"method": merge_by}, "thresholds": [0.1, 0.5]}
    assert ceiling(tmp_path, real(data, name), settings, NEAREST) < 0.001


@pytest.mark.parametrize("name", ["fib25", "pinky40"])
def test_the_default_of_fib25_keeps_thin_neurites(tmp_path: Path, data: Path, name: str) -> None:
    """Plain distance-transform seeds reach 1.03 on FIB-25."""
    config = yaml.safe_load((Path(__file__).parent.parent / "config" / "fib25.yaml").read_text())
    methods = Agglomerate.checked(config.get("agglomerate", {})).methods
    first = next(iter(methods.values())).model_dump(mode="json")
    assert ceiling(tmp_path, real(data, name), first | {"thresholds": [0.1, 0.5]}, NEAREST) < 0.2


def test_mutex_is_near_exact_on_ideal_affinities(tmp_path: Path, data: Path) -> None:
    labels = real(data, "fib25")[:, 60:160, 60:160]
    settings = METHODS["mutex"] | {"thresholds": [0.5]}
    assert ceiling(tmp_path, labels, settings, FAR) < 0.001


def test_rescue_finds_the_neurite_without_a_seed() -> None:
    """A sheet two voxels thin beside a thick box, which smoothing hides from the seeds."""
    labels = np.ones((16, 16, 16), np.uint32)
    labels[:, :, 14:] = 2
    values = affinities.from_labels(labels, NEAREST)[0].astype(np.uint8) * np.uint8(255)
    settings = Method().fragments
    assert settings is not None
    assert not isinstance(settings, Components)
    without = settings.model_copy(update={"rescue": 0, "smoothing": 4.0})
    assert fragments.watershed(values, without, (1, 1, 1)).labels.max() == 1
    rescued = fragments.watershed(values, settings.model_copy(update={"smoothing": 4.0}), (1, 1, 1))
    assert same_partition(rescued.labels, labels)


def test_sections_are_flooded_alone(tmp_path: Path) -> None:
    pieces, _ = agglomerate(tmp_path, two_boxes(0.0), METHODS["sections"])
    assert all(np.intersect1d(a, b).size == 0 for a, b in pairwise(pieces))


def test_small_pieces_are_dropped_or_dissolved(tmp_path: Path) -> None:
    labels = np.ones((6, 12, 12), np.uint32)
    labels[2:4, 4:6, 4:6] = 2
    values = affinities.from_labels(labels, NEAREST)[0].astype(np.float32)
    small = {"smallest": 20}
    pieces, _ = agglomerate(tmp_path, values, {"fragments": {"method": "components", **small}})
    assert np.array_equal(pieces == 0, labels == 2)
    pieces, _ = agglomerate(tmp_path, values, {"fragments": {"method": "watershed", **small}})
    assert pieces.min() > 0
    assert np.bincount(pieces.ravel())[1:].min() >= 20


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("shape", [(4, 9, 9), (1, 5, 5), (1, 1, 1)])
def test_constant_affinities(
    tmp_path: Path, name: str, value: int, shape: tuple[int, int, int]
) -> None:
    values = np.full((len(FAR), *shape), value, np.uint8)
    pieces, found = agglomerate(tmp_path, values, METHODS[name], FAR)
    assert pieces.shape == shape
    if value:
        assert len(np.unique(list(found.values())[-1])) == 1


def test_channels_are_found_by_offset_and_places_are_kept(tmp_path: Path) -> None:
    """Channels in another order give the same; voxel size and offset go through."""
    values = two_boxes(0.3, FAR)
    order = [5, 2, 0, 4, 1, 3]
    for settings in (METHODS["watershed"], METHODS["mutex"]):
        one, ours = agglomerate(tmp_path, values, settings, FAR)
        other, theirs = agglomerate(tmp_path, values[order], settings, np.array(FAR)[order])
        assert np.array_equal(one, other)
        assert all(np.array_equal(ours[t], theirs[t]) for t in ours)
    path = write(tmp_path / "placed.h5", values, FAR)
    with h5py.File(path, "a") as file:
        file[volume.AFFINITIES].attrs.update(resolution=[40, 8, 8], offset=[400, 80, 16])
    stage.run(path, tmp_path / "out.h5", "{}")
    with h5py.File(tmp_path / "out.h5") as file:
        assert volume.voxel_size(file[volume.FRAGMENTS]) == (40, 8, 8)
        assert volume.offset(file[volume.FRAGMENTS]) == (400, 80, 16)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"thresholds": [-0.1]}, "thresholds.0"),
        ({"thresholds": [0.5, 0.4]}, "ascend"),
        ({"thresholds": []}, "thresholds"),
        ({"merge": {"method": "waterz", "score": "median"}}, "score"),
        ({"merge": {"method": "waterz", "scores": "mean"}}, "did you mean 'score'"),
        ({"fragments": {"method": "watershd"}}, "watershd"),
        ({"fragments": {"method": "watershed", "smoothing": -1}}, "smoothing"),
        ({"fragments": None}, "fragments must be null where"),
        ({"blocks": {"size": [1000, 2000, 2000]}}, "4,532,742,144 voxels, at most 2,000,000,000"),
        ({"fragments": {}, "merge": {"method": "mutex"}}, "fragments"),
    ],
)
def test_bad_settings(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        agglomerate(tmp_path, two_boxes(0.3), settings)
    assert not (tmp_path / "out.h5").exists()


def test_settings_keep_their_meaning_through_canonical_text() -> None:
    settings = Agglomerate.checked({"methods": METHODS})
    assert Agglomerate.from_json(settings.canonical()) == settings
    assert settings.methods["mutex"].fragments is None


@pytest.mark.parametrize(
    ("values", "offsets", "settings", "said"),
    [
        (np.zeros((3, 4, 5, 5), np.uint8), None, {}, "offsets"),
        (np.zeros((2, 4, 5, 5), np.uint8), NEAREST[1:], {}, r"\(-1, 0, 0\)"),
        (np.zeros((3, 4, 5, 5), np.uint8), NEAREST, METHODS["mutex"], "long-range"),
        (np.full((3, 4, 5, 5), np.nan, np.float32), NEAREST, {}, "from 0 to 1"),
        (np.zeros((3, 4, 5, 5), np.int32), NEAREST, {}, "int32"),
    ],
)
def test_bad_affinities(
    tmp_path: Path, values: np.ndarray, offsets: Any, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        agglomerate(tmp_path, values, settings, offsets)
    assert [path.name for path in tmp_path.iterdir()] == ["in.h5"]


def test_a_missing_or_truncated_file_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "in.h5", two_boxes(0.3))
    path.write_bytes(path.read_bytes()[:1000])
    for bad in (path, tmp_path / "none.h5"):
        with pytest.raises(InputError, match=bad.name):
            stage.run(bad, tmp_path / "out.h5", "{}")
    assert [path.name for path in tmp_path.iterdir()] == ["in.h5"]
