"""The evaluate stage: the sweep, the components, the choice, and what it says to bad input."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest
from skimage.measure import label

from fgnet import affinities, command, metrics, scores, segmentation, volume
from fgnet.agglomerate import stage as agglomerate
from fgnet.errors import InputError
from fgnet.evaluate import __main__ as stage
from fgnet.evaluate import choose, overlaps, score
from fgnet.settings.evaluate import Choosing

Labels = npt.NDArray[Any]
VOXEL = (40.0, 4.0, 4.0)
START = (3, 5, 2)


@pytest.fixture
def truth() -> Labels:
    """Labels of which some ids are several components, with unknown voxels; ids are large."""
    noise = np.random.default_rng(1).integers(0, 4, (10, 24, 26))
    return (noise * 2**38).astype(np.uint64)


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
    score.run(*files, tmp_path / "scores.json")
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
    for objects, sweep in ((boxed, result.against_ids), (components, result.against_components)):
        assert [row.threshold for row in sweep.sweep] == [0.1, 0.5, 0.9]
        for row in sweep.sweep:
            with h5py.File(files[0]) as file:
                table = segmentation.table(file, row.threshold)
            expected = metrics.score(metrics.count(table[fragments], objects))
            assert (row.voi_split, row.voi_merge, row.arand) == pytest.approx(
                (expected.voi_split, expected.voi_merge, expected.arand), abs=1e-12
            )
            assert row.voi_sum == row.voi_split + row.voi_merge
            assert row.segments == np.unique(table[fragments][objects > 0]).size


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
        scores.Row(threshold=t, segments=1, voi_split=voi, voi_merge=0, voi_sum=voi, arand=arand)
        for t, voi, arand in zip((0.2, 0.4, 0.6), sums, arands, strict=True)
    ]
    ids = scores.Sweep(objects=1, sweep=rows)
    components = scores.Sweep(objects=1, sweep=rows[::-1])
    scores.write(
        path,
        scores.Scores(
            voxels_scored=1,
            voxels_ignored=0,
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
    score.run(*files, tmp_path / "masked.json")
    with h5py.File(files[1], "r+") as file:
        del file[volume.MASK]
        file[volume.LABELS][:] = truth * mask
    score.run(*files, tmp_path / "zeroed.json")
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

    def run(segmented: Path, labels: Path) -> int:
        return command.main(
            stage.parser,
            command.run_step,
            ["score", "--segmentation", str(segmented), "--labels", str(labels),
             "--output", str(output)],
        )  # fmt: skip

    assert run(*files) == 0
    assert json.loads(output.read_text())["made_by"]["stage"] == "evaluate"
    output.unlink()

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
    score.run(out, truth, tmp_path / "scores.json")
    found = scores.read(tmp_path / "scores.json", scores.Scores)
    assert found.against_components.sweep[0].voi_sum < 0.001
    assert found.against_ids.sweep[0].voi_sum > found.against_components.sweep[0].voi_sum
