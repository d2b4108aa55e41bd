"""The evaluate stage: the sweep, the components, the choice, and what it says to bad input."""

import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest
from conftest import TREATMENT, scores_row
from skimage.measure import label
from skimage.metrics import adapted_rand_error, variation_of_information

from fgnet import affinities, command, metrics, scores, segmentation, volume
from fgnet.agglomerate import stage as agglomerate
from fgnet.errors import InputError
from fgnet.evaluate import __main__ as stage
from fgnet.evaluate import choose, fates, neurons, overlaps, score, store, sweep
from fgnet.evaluate.shared import Shared
from fgnet.metrics import bootstrap
from fgnet.metrics.detection import average_precision
from fgnet.settings.evaluate import Choosing, Evaluate, Scoring

Labels = npt.NDArray[Any]
VOXEL = (40.0, 4.0, 4.0)
START = (3, 5, 2)


@pytest.fixture
def truth() -> Labels:
    """Labels of which some ids are several components, with unknown voxels; ids are large."""
    noise = np.random.default_rng(1).integers(0, 4, (10, 24, 26))
    return (noise * 2**38).astype(np.uint64)


def assert_row(row: scores.Row, segments: Labels, objects: Labels) -> None:
    """A row of a sweep holds the scores of this segmentation of the volume."""
    table = metrics.count(segments, objects)
    expected = metrics.score(table)
    for name in ("voi_split", "voi_merge", "voi_sum", "arand", "cremi", "rand_precision",
                 "rand_recall"):  # fmt: skip
        assert getattr(row, name) == pytest.approx(getattr(expected, name), abs=1e-12), name
    assert row.average_precision_at == average_precision(table).tolist()
    assert row.average_precision == pytest.approx(np.mean(row.average_precision_at))
    assert row.segments == np.count_nonzero(np.unique(segments[objects > 0]))
    # scikit-image wants memory for the largest id
    objects = np.searchsorted(np.unique([0, *np.unique(objects)]), objects)
    split, merge = variation_of_information(objects, segments, ignore_labels=(0,))
    assert (row.voi_split, row.voi_merge) == pytest.approx((split, merge), abs=1e-12)
    arand = adapted_rand_error(objects, segments, ignore_labels=(0,))[0]
    assert row.arand == pytest.approx(arand, abs=1e-12)
    cut: list[Labels] = []
    for axis in range(3):
        one, two = np.moveaxis(segments, axis, 0), np.moveaxis(objects, axis, 0)
        known = (two[1:] > 0) & (two[:-1] > 0)
        ends = (one[1:] != one[:-1]) | (one[1:] == 0), two[1:] != two[:-1]
        cut.append(np.stack([end[known] for end in ends]))
    found, real = np.concatenate(cut, axis=1)
    right = np.sum(found & real)
    assert (row.boundary_precision, row.boundary_recall) == (
        right / found.sum(),
        right / real.sum(),
    )
    assert row.boundary_f1 == pytest.approx(2 * right / (found.sum() + real.sum()), abs=1e-12)


@pytest.fixture
def files(tmp_path: Path, truth: Labels) -> tuple[Path, Path]:
    """A segmentation with three thresholds of a box inside a labelled volume."""
    labels, segmented = tmp_path / "Volume 'ä'.h5", tmp_path / "seg.h5"
    with volume.create(labels, "normalize", {}, []) as file:
        volume.add(file, volume.LABELS, truth.shape, truth.dtype, VOXEL)[:] = truth
    fragments = np.random.default_rng(2).integers(0, 9, (6, 17, 20)).astype(np.uint32)
    known = np.array([0, 3, 4, 7, 90, 2**40, 2**40 + 1, 2**50, 2**51], np.uint64)
    ids = known[fragments]
    offset = [start * size for start, size in zip(START, VOXEL, strict=True)]
    with volume.create(segmented, "agglomerate", {}, []) as file:
        volume.add(file, volume.FRAGMENTS, ids.shape, "u8", VOXEL, offset)[:] = ids
        segmentation.write_fragments(file, known[1:])
        merges = np.array([[1, 2], [5, 6], [2, 5], [7, 8]], np.uint32)
        segmentation.write_merges(file, [0.1, 0.5, 0.9], merges, [0, 2, 4])
    return segmented, labels


def read(path: Path, name: str) -> Labels:
    with h5py.File(path) as file:
        found: Labels = file[name][:]
    return found


def test_sweep_equals_scoring_every_segmentation(
    files: tuple[Path, Path], truth: Labels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overlaps, "BLOCK", (4, 6, 7))
    score.run(*files, tmp_path / "scores.json", tmp_path / "scores.h5", Scoring())
    result = scores.read(tmp_path / "scores.json", scores.Scores)

    ids = read(files[0], volume.FRAGMENTS)
    fragments = np.searchsorted(np.unique(ids), ids)
    assert ids.max() == 2**51
    cut = tuple(slice(a, a + n) for a, n in zip(START, fragments.shape, strict=True))
    boxed = truth[cut]
    components = label(boxed, background=0, connectivity=1)
    assert result.against_ids.objects == 3
    assert result.against_components.objects == components.max() > 3
    assert result.voxels_scored == np.count_nonzero(boxed)
    assert result.voxels_scored + result.voxels_ignored == boxed.size
    assert result.treatment and result.treatment.voxels_unlabelled == result.voxels_ignored
    for objects, found in ((boxed, result.against_ids), (components, result.against_components)):
        assert [row.threshold for row in found.sweep] == [0.1, 0.5, 0.9]
        for row in found.sweep:
            with h5py.File(files[0]) as file:
                table = segmentation.table(file, row.threshold)
            assert_row(row, table[fragments], objects)


@pytest.mark.parametrize("nested", [True, False])
def test_sweep_of_real_fragments(data: Path, nested: bool) -> None:
    """Thresholds that are merges of the one before, and such that are not."""
    with h5py.File(data / "fib25_ts2_z000-168.h5") as file:
        truth = file[volume.LABELS][:12].astype(np.uint64)
        ids = file["volumes/labels/supervoxels"][:12].astype(np.uint64)
    known = np.unique(ids[ids > 0])
    random = np.random.default_rng(1)
    merges = random.integers(1, known.size + 1, (known.size, 2)).astype(np.uint32)
    with h5py.File.in_memory() as file:
        for name, values in (("truth", truth), ("ids", ids)):
            volume.add(file, name, values.shape, "u8", VOXEL)[:] = values
        segmentation.write_fragments(file, known)
        if nested:
            segmentation.write_merges(file, [0.1, 0.2, 0.3, 0.4], merges, [0, 5, 5, 60])
        else:
            flat = [random.integers(1, 90, known.size + 1) for _ in range(3)]
            flat.append(flat[-1] // 2 + 1)
            tables = np.array(flat, np.uint32)
            tables[:, 0] = 0
            segmentation.write_tables(file, [0.1, 0.2, 0.3, 0.4], tables)
        region = tuple(slice(0, size) for size in truth.shape)
        found = score.numbered(overlaps.measure(file["ids"], file["truth"], region), known)
        rows, _ = sweep.scored(
            (found.ids, found.components, found.boundaries), segmentation.tables(file)
        )
        tables = [segmentation.table(file, row.threshold) for row in rows]
        assert all(
            np.array_equal(one, other)
            for one, (_, other) in zip(tables, segmentation.tables(file), strict=True)
        )
    numbers = segmentation.numbered(ids, known)
    for row, table in zip(rows, tables, strict=True):
        assert_row(row, table[numbers], truth)


def test_components_of_real_labels_across_blocks(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overlaps, "BLOCK", (11, 100, 90))
    with h5py.File(data / "fib25_ts2_z000-168.h5") as file:
        labels = file[volume.LABELS]
        part = labels[144:168]
        with h5py.File("in memory", "w", driver="core", backing_store=False) as other:
            other["fragments"] = part
            box = (slice(144, 168), slice(0, 250), slice(0, 250))
            found = overlaps.measure(other["fragments"], labels, box)
    assert found.components.neurons.size == label(part, background=0, connectivity=1).max()
    # a perfect segmentation by components is split where the box cuts a neuron in two
    ideal = metrics.score(metrics.count(label(part, background=0, connectivity=1), part))
    assert ideal.voi_split == pytest.approx(0.147, abs=5e-4)
    assert ideal.voi_merge == 0.0
    assert metrics.score(found.components).voi_merge == pytest.approx(ideal.voi_split, abs=1e-12)


def write_scores(path: Path, sums: list[float], arands: list[float]) -> Path:
    rows = [
        scores_row(t, voi, arand)
        for t, voi, arand in zip((0.2, 0.4, 0.6), sums, arands, strict=True)
    ]
    ids = scores.Sweep(objects=1, sweep=rows)
    components = scores.Sweep(objects=1, sweep=rows[::-1])
    scores.write(
        path,
        scores.Scores(
            voxels_scored=1,
            voxels_ignored=0,
            treatment=TREATMENT,
            against_ids=ids,
            against_components=components,
            made_by={},
        ),
    )
    return path


def test_choice(tmp_path: Path) -> None:
    one = write_scores(tmp_path / "one.json", [3, 1, 2], [0.3, 0.2, 0.1])
    two = write_scores(tmp_path / "two.json", [1, 2.5, 1], [0.3, 0.2, 0.3])
    output = tmp_path / "threshold.json"

    def chosen(**settings: Any) -> scores.Choice:
        choose.run([one, two], output, Choosing.checked(settings))
        return scores.read(output, scores.Choice)

    by_voi = chosen()
    assert (by_voi.threshold, by_voi.mean) == (0.6, [2.0, 1.75, 1.5])
    assert by_voi.reason == "lowest mean VOI sum over 2 validation volumes, against ids"
    # 0.4 and 0.6 tie: the one that merges less
    assert chosen(choose_by="arand").threshold == 0.4
    fixed = chosen(threshold=0.2)
    assert (fixed.threshold, fixed.chosen_by, fixed.mean) == (0.2, "fixed", [])
    assert chosen(threshold=0.2, choose_by="arand").criterion == "arand"
    with pytest.raises(InputError, match=r"threshold 0\.3 was not scored; .* 0\.2, 0\.4, 0\.6"):
        chosen(threshold=0.3)


def test_nothing_to_choose_from(tmp_path: Path) -> None:
    output = tmp_path / "threshold.json"
    with pytest.raises(InputError, match=r"no validation volume.*set evaluate.threshold"):
        choose.run([], output, Choosing())
    assert not output.exists()
    choose.run([], output, Choosing(threshold=0.5))
    assert scores.read(output, scores.Choice).threshold == 0.5


def test_negative_threshold_names_the_key() -> None:
    with pytest.raises(InputError, match=r"threshold: .*greater than or equal to 0.*-1"):
        Choosing.from_json('{"threshold": -1}')


def test_masked_voxels_are_not_scored(
    files: tuple[Path, Path], truth: Labels, tmp_path: Path
) -> None:
    """The same scores as where the masked voxels carry no label."""
    mask = np.random.default_rng(3).integers(0, 2, truth.shape).astype(np.uint8)
    with h5py.File(files[1], "r+") as file:
        volume.add(file, volume.MASK, mask.shape, "u1", VOXEL)[:] = mask
    score.run(*files, tmp_path / "masked.json", tmp_path / "masked.h5", Scoring())
    with h5py.File(files[1], "r+") as file:
        del file[volume.MASK]
        file[volume.LABELS][:] = truth * mask
    score.run(*files, tmp_path / "zeroed.json", tmp_path / "zeroed.h5", Scoring())
    masked, zeroed = (
        scores.read(tmp_path / f"{name}.json", scores.Scores) for name in ("masked", "zeroed")
    )
    assert masked.against_ids == zeroed.against_ids
    assert masked.against_components == zeroed.against_components
    assert masked.voxels_scored == zeroed.voxels_scored < np.count_nonzero(truth)


def test_command_line_says_what_is_wrong(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out" / "scores.json"

    def run(segmented: Path, labels: Path, border: float = 0) -> int:
        return command.main(
            stage.parser,
            command.run_step,
            ["score", "--segmentation", str(segmented), "--labels", str(labels),
             "--output", str(output), "--overlaps", str(output.with_suffix(".h5")),
             "--settings", json.dumps({"border": border})],
        )  # fmt: skip

    assert run(*files) == 0
    assert json.loads(output.read_text())["made_by"]["stage"] == "evaluate"
    shutil.rmtree(output.parent)
    output.parent.mkdir()

    assert run(*files, border=100) == 2
    assert "lies within 100 nm of a border, so none is scored" in capsys.readouterr().err
    with h5py.File(files[1], "r+") as file:
        file[volume.LABELS][:] = 0
    assert run(*files) == 2
    assert "is 0 or masked everywhere in z 3-9, y 5-22, x 2-22" in capsys.readouterr().err
    with h5py.File(files[0], "r+") as file:
        file[volume.FRAGMENTS].attrs["offset"] = [4000.0, 0.0, 0.0]
    assert run(*files) == 2
    assert "both must come from one volume" in capsys.readouterr().err
    files[1].write_bytes(files[1].read_bytes()[:3000])
    assert run(*files) == 2
    assert "truncated" in capsys.readouterr().err
    assert list(output.parent.iterdir()) == []


def test_a_file_of_another_kind_is_no_file_of_scores(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text("{")
    with pytest.raises(InputError, match="is no file of scores of this version"):
        scores.read(other, scores.Scores)


@pytest.mark.parametrize(
    ("name", "box"),
    [
        ("fib25_ts2_z000-168.h5", np.s_[144:168]),
        ("pinky40_labels_z000-200.h5", np.s_[:64, :256, :256]),
    ],
)
def test_the_chain_on_labels_alone_is_exact(
    tmp_path: Path, data: Path, name: str, box: tuple[slice, ...]
) -> None:
    """Ideal affinities of real labels, fragments by components: evaluate finds no error."""
    with h5py.File(data / name) as source:
        labels = source[volume.LABELS][box]
    ideal, _ = affinities.from_labels(labels, affinities.NEAREST)
    truth, edges, out = (tmp_path / part for part in ("labels.h5", "affinities.h5", "out.h5"))
    with volume.create(truth, "normalize", {}, []) as file:
        volume.add(file, volume.LABELS, labels.shape, labels.dtype, (10, 10, 10))[:] = labels
    with volume.create(edges, "infer", {}, []) as file:
        channels = volume.add(file, volume.AFFINITIES, ideal.shape, np.uint8, (10, 10, 10))
        channels[:] = ideal * 255
        channels.attrs["offsets"] = affinities.NEAREST
    agglomerate.run(
        edges, out, json.dumps({"fragments": {"method": "components"}, "thresholds": [0.5]})
    )
    score.run(out, truth, tmp_path / "scores.json", tmp_path / "scores.h5", Scoring())
    found = scores.read(tmp_path / "scores.json", scores.Scores)
    assert found.against_components.sweep[0].voi_sum < 0.001
    assert found.against_ids.sweep[0].voi_sum > found.against_components.sweep[0].voi_sum


LENGTH = 100  # voxels of a row of the volume below


@pytest.fixture
def rows_of_neurons(tmp_path: Path) -> tuple[Path, Path]:
    """Neurons and segments as rows of voxels; the segmentation is of a box that begins at y 1.

    Neuron 11 is split into segments of 60 and 40 voxels, of which the second is of 11 alone;
    neuron 22 is whole but in one segment with all of neuron 33; neuron 44 lost 30 voxels to
    background, and 5 of its voxels, too few to count, lie in the segment of 55; so does 2**40.
    """
    truth = np.zeros((1, 9, LENGTH), np.uint64)
    ids = np.zeros((1, 8, LENGTH), np.uint64)
    truth[0, [1, 3, 4, 6, 8]] = np.array([[11], [22], [33], [44], [2**40]])
    ids[0, [0, 2, 3, 5, 7]] = np.array([[1], [3], [4], [5], [6]])
    ids[0, 0, 60:] = 2
    ids[0, 5, 65:95] = 0
    ids[0, 5, 95:] = 6
    labels, segmented = tmp_path / "labels.h5", tmp_path / "seg.h5"
    with volume.create(labels, "normalize", {}, []) as file:
        volume.add(file, volume.LABELS, truth.shape, "u8", VOXEL, (0, 40, 0))[:] = truth
    with volume.create(segmented, "agglomerate", {}, []) as file:
        volume.add(file, volume.FRAGMENTS, ids.shape, "u8", VOXEL, (0, 44, 0))[:] = ids
        segmentation.write_fragments(file, np.arange(1, 7))
        merges = np.array([[3, 4], [1, 2]], np.uint32)
        segmentation.write_merges(file, [0.2, 0.5, 0.8], merges, [0, 1, 2])
    return segmented, labels


def listed(files: tuple[Path, Path], folder: Path, **settings: Any) -> scores.Neurons:
    """What all steps make of a segmentation."""
    found, tables, choice, output = (
        folder / name for name in ("v.json", "v.h5", "threshold.json", "neurons.json")
    )
    score.run(*files, found, tables, Scoring())
    choose.run([found], choice, Evaluate.checked({"threshold": 0.5, **settings}))
    neurons.run(tables, files[0], found, choice, output, 0.1)
    return scores.read(output, scores.Neurons)


def test_neurons(rows_of_neurons: tuple[Path, Path], tmp_path: Path) -> None:
    result = listed(rows_of_neurons, tmp_path)
    verdict = result.against_ids
    assert (result.threshold, result.criterion, verdict.objects) == (0.5, "voi", 5)
    # the oracle would not have merged 3 and 4
    assert (verdict.chosen.threshold, verdict.oracle.threshold) == (0.5, 0.2)
    assert verdict.intervals
    low, high = verdict.intervals.voi_sum
    assert low < verdict.chosen.voi_sum < high
    # what the file keeps of each resample is what its intervals are of
    assert verdict.samples and len(verdict.samples.arand) == result.resamples
    for name in ("voi_sum", "arand"):
        kept = np.array(getattr(verdict.samples, name))
        assert bootstrap.interval(kept) == pytest.approx(getattr(verdict.intervals, name), abs=1e-6)
    found = {one.neuron: one for one in result.neurons}
    assert sum(one.voi_split for one in result.neurons) == pytest.approx(verdict.chosen.voi_split)
    assert sum(one.voi_merge for one in result.neurons) == pytest.approx(verdict.chosen.voi_merge)
    worst = [one.voi_split + one.voi_merge for one in result.neurons]
    assert worst == sorted(worst, reverse=True)

    split = found[11]
    assert (split.segments, split.voxels, split.main_voxels, split.merged) == (2, 100, 60, [])
    assert split.cubic_micrometres == pytest.approx(100 * 40 * 4 * 4 * 1e-9)
    assert (split.low, split.high) == ((0, 1, 0), (0, 1, 99))
    (error,) = split.mistakes
    assert (error.kind, error.neuron, error.voxels) == ("split", 11, 40)
    assert error.voxel == (0, 1, 79) and error.nm == (0, 40 + 4, 4 * 79)

    for merged, other, row in ((22, 33, 4), (33, 22, 3)):
        one = found[merged]
        assert (one.segments, one.main, one.main_voxels) == (1, found[22].main, 100)
        assert one.merged_with == 1
        assert one.merged == [scores.Foreign(neuron=other, component=None, voxels=100)]
        (error,) = one.mistakes
        assert (error.kind, error.segment, error.voxel) == ("merge", one.main, (0, row, 49))

    lost = found[44]
    assert (lost.segments, lost.main_voxels, lost.background) == (1, 65, 30)
    assert [(one.kind, one.voxels, one.voxel) for one in lost.mistakes] == [
        ("lost", 30, (0, 6, 79))
    ]
    assert found[2**40].merged == [] and found[2**40].mistakes == []


def test_neurons_by_components(rows_of_neurons: tuple[Path, Path], tmp_path: Path) -> None:
    with h5py.File(rows_of_neurons[1], "r+") as file:
        file[volume.LABELS][0, 4] = 22 * (np.arange(LENGTH) != 50)
    result = listed(rows_of_neurons, tmp_path, ground_truth="components", choose_by="arand")
    assert (result.ground_truth, result.against_components.objects) == ("components", 4)
    with h5py.File(rows_of_neurons[1], "r+") as file:
        file[volume.LABELS][0, 4] = 33 * (np.arange(LENGTH) != 50)
    result = listed(rows_of_neurons, tmp_path, ground_truth="components")
    assert result.against_components.objects == 6 and result.against_ids.objects == 5
    parts = [one for one in result.neurons if one.neuron == 33]
    assert [one.voxels for one in parts] == [50, 49]
    assert len({one.component for one in parts}) == 2
    whole = next(one for one in result.neurons if one.neuron == 22)
    assert [(one.neuron, one.voxels) for one in whole.merged] == [(33, 50), (33, 49)]
    assert {one.component for one in whole.merged} == {one.component for one in parts}


def test_one_neuron_has_no_interval(rows_of_neurons: tuple[Path, Path], tmp_path: Path) -> None:
    """And a segmentation that is background everywhere gets its scores too."""
    with h5py.File(rows_of_neurons[1], "r+") as file:
        file[volume.LABELS][:] = file[volume.LABELS][:] == 44
    with h5py.File(rows_of_neurons[0], "r+") as file:
        file[volume.FRAGMENTS][:] = 0
    result = listed(rows_of_neurons, tmp_path)
    assert result.against_ids.intervals is None and result.against_ids.samples is None
    chosen, (one,) = result.against_ids.chosen, result.neurons
    assert (chosen.voi_sum, chosen.average_precision, chosen.boundary_precision) == (0, 0, 0)
    assert (one.segments, one.main, one.main_voxels, one.background) == (0, 0, 0, 100)


def test_a_segment_of_all_neurons_is_listed_shortly() -> None:
    """Of so many that a list of all for each of them would take minutes."""
    count = 20_000
    ids, one = np.arange(1, count + 1, dtype=np.uint64), np.ones((count, 3), np.int64)
    table = Shared(0 * ids + 1, ids, 4 * one[:, 0], one[:, 0], one, one, one)
    frame = store.Frame((0, 0, 0), VOXEL, (0.0, 0.0, 0.0), 0.0)
    listed = fates.neurons(table, frame, 0.01)
    assert {(one.merged_with, len(one.merged), len(one.mistakes)) for one in listed} == {
        (count - 1, fates.FOREIGN, fates.MISTAKES)
    }
    assert len(listed) == count and listed[7].merged[0].neuron != listed[7].neuron


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
def test_foreign_parts_are_a_share_of_the_smaller_neuron(share: float) -> None:
    """Row by row."""
    random = np.random.default_rng(0)
    pairs = np.unique(random.integers(0, (4, 60), (150, 2)), axis=0).astype(np.uint64)
    fragments, owners = pairs.T
    voxels, place = random.integers(1, 30, len(pairs)) ** 2, np.ones((len(pairs), 3), np.int64)
    table = Shared(fragments, owners, voxels, voxels, place, place, place)
    sizes = np.bincount(owners.astype(int), voxels)
    frame = store.Frame((0, 0, 0), VOXEL, (0.0, 0.0, 0.0), 0.0)
    listed = fates.neurons(table, frame, share)
    assert max(one.merged_with for one in listed) > (fates.FOREIGN if share < 0.1 else 0)
    for one in listed:
        other = owners != one.neuron
        parts = voxels[other & (fragments == one.main) & (one.main > 0) & (
            voxels >= share * np.minimum(sizes[owners.astype(int)], one.voxels)
        )]  # fmt: skip
        assert one.merged_with == parts.size
        assert [each.voxels for each in one.merged] == sorted(parts, reverse=True)[: fates.FOREIGN]
