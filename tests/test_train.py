"""Training: crops, augmentation, resuming, and what stops it."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import normalized

from fgnet import checkpoint
from fgnet.affinities import from_labels, widen_borders
from fgnet.settings.base import Box
from fgnet.settings.train import Augment, Model
from fgnet.train.__main__ import main
from fgnet.train.augment import augment, move_axes
from fgnet.train.crops import Crops, region

NETWORK = {"kind": "unet", "filters": [4, 6], "strides": [[1, 2, 2]]}
SETTINGS: dict[str, Any] = {
    "steps": 4, "batch": 1, "crop": [4, 32, 32], "network": NETWORK, "device": "cpu",
    "learning_rate": 1e-3, "validate_every": 2, "validation_crops": 2, "ema": 0.5,
}  # fmt: skip


def train(folder: Path, data: Path, **changes: Any) -> int:
    settings = json.dumps({**SETTINGS, **changes})
    return main(
        ["--volumes", str(data), "--validation", str(data), "--settings", settings,
         "--boxes", json.dumps({"train": [{"z": [0, 8]}], "validation": [{"z": [8, 12]}]}),
         "--output", str(folder / "c.pt"), "--last", str(folder / "l.pt"),
         "--history", str(folder / "h.csv"), "--made-by", str(folder / "made_by.json"),
         "--threads", "1"]
    )  # fmt: skip


@pytest.fixture
def volume_file(tmp_path: Path) -> Path:
    return normalized(tmp_path / "v.h5", shape=(12, 48, 40))


def test_ideal_affinities_of_a_small_case() -> None:
    labels = np.array([[[1, 1, 2, 0]]])
    affinities, known = from_labels(labels, [(0, 0, -1), (0, 0, 2)])
    assert affinities[0, 0, 0].tolist() == [0, 1, 0, 0]
    assert known[0, 0, 0].tolist() == [False, True, True, True]
    assert affinities[1, 0, 0].tolist() == [0, 0, 0, 0]
    assert known[1, 0, 0].tolist() == [True, True, False, False]


def test_borders_widen_where_two_neurons_meet_and_nowhere_else() -> None:
    labels = np.ones((3, 5, 6), np.uint32)
    labels[:, :, 3:] = 2
    labels[:, :, 0] = 0
    assert widen_borders(labels, True)[1, 2].tolist() == [0, 1, 0, 0, 2, 2]
    labels[0] = 3
    assert (widen_borders(labels, True)[1, :, 1] == 1).all()
    assert (widen_borders(labels, False)[1, :, 1] == 0).all()


def test_image_and_labels_move_together() -> None:
    labels = np.arange(4 * 6 * 6).reshape(4, 6, 6).astype(np.uint32)
    still = {"contrast": 0, "brightness": 0, "noise": 0}
    seen = set()
    for seed in range(40):
        random = np.random.default_rng(seed)
        raw, moved = augment(labels.astype(np.float32), labels, Augment(**still), random)
        assert np.array_equal(raw, moved)
        assert sorted(moved.flat) == sorted(labels.flat)
        seen.add(moved.tobytes())
    assert len(seen) == 8  # mirrorings
    raw, moved = augment(labels / 144.0, labels, Augment(), np.random.default_rng(1))  # type: ignore[arg-type]
    assert not np.array_equal(raw, moved / 144.0)


def test_axes_swap_as_allowed() -> None:
    random = np.random.default_rng(0)
    for allowed, orders in (("none", 1), ("in_plane", 2), ("all", 6)):
        settings = Augment(transpose=allowed)  # type: ignore[arg-type]
        drawn = {move_axes(settings, random) for _ in range(60)}
        assert len(drawn) == orders
        assert allowed == "all" or all(axes[0] == 0 for axes in drawn)


def test_a_crop_along_other_axes_has_its_shape_and_its_labels(tmp_path: Path) -> None:
    path = normalized(tmp_path / "v.h5", shape=(40, 40, 40))
    changes = {"augment": {"transpose": "all"}, "crop": [16, 32, 32], "widen_borders": "none"}
    settings = Model.checked({**SETTINGS, **changes})
    crops = Crops([region(path, Box.checked({}), settings)], settings, augmented=True)
    without_borders = set()
    for index in range(12):
        raw, affinities, known = crops[index]
        assert raw.shape == (1, 16, 32, 32)
        # labels are constant along z, so the axis without borders tells where z went
        share = affinities.sum((1, 2, 3)) / known.sum((1, 2, 3))
        assert (share == 1).sum() == 1
        without_borders.add(int(share.argmax()))
    assert without_borders == {0, 1, 2}


def test_a_crop_depends_on_seed_and_number_alone(volume_file: Path) -> None:
    settings = Model.checked(SETTINGS)
    place = region(volume_file, Box.checked({"z": [2, 9]}), settings)
    one, two = (Crops([place], settings, augmented=True) for _ in range(2))
    two[3]
    for a, b, c in zip(one[5], two[5], one[6], strict=True):
        assert torch.equal(a, b)
        assert a.shape == c.shape
    assert not torch.equal(one[5][0], one[6][0])


def test_a_killed_training_ends_as_an_uninterrupted_one(
    tmp_path: Path, volume_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fgnet.train import engine

    straight, killed = tmp_path / "a", tmp_path / "b"
    assert train(straight, volume_file) == 0
    steps = engine.Engine.step

    def die(self: engine.Engine, *arguments: Any) -> Any:
        if self.state.step == 3:
            raise KeyboardInterrupt
        return steps(self, *arguments)

    monkeypatch.setattr(engine.Engine, "step", die)
    with pytest.raises(KeyboardInterrupt):
        train(killed, volume_file, save_minutes=1e-6)
    assert not (killed / "c.pt").exists()
    monkeypatch.setattr(engine.Engine, "step", steps)
    taken: list[int] = []
    monkeypatch.setattr(
        engine.Engine, "step", lambda self, *a: (taken.append(self.state.step), steps(self, *a))[1]
    )
    assert train(killed, volume_file, save_minutes=1e-6) == 0
    assert taken == [3]
    for name in ("c.pt", "l.pt"):
        one, two = checkpoint.load(straight / name), checkpoint.load(killed / name)
        assert one.step == two.step
        assert all(torch.equal(one.weights[k], two.weights[k]) for k in one.weights)
    assert not (killed / "saved.pt").exists()
    taken.clear()
    monkeypatch.setattr(engine.Engine, "step", die)
    with pytest.raises(KeyboardInterrupt):
        train(killed, volume_file, save_minutes=1e-6)
    monkeypatch.setattr(
        engine.Engine, "step", lambda self, *a: (taken.append(self.state.step), steps(self, *a))[1]
    )
    assert train(killed, volume_file, learning_rate=2e-3) == 0
    assert taken[0] == 0  # other settings start afresh


def test_the_history_and_checkpoint_say_what_was_done(tmp_path: Path, volume_file: Path) -> None:
    assert train(tmp_path, volume_file) == 0
    rows = list(csv.DictReader((tmp_path / "h.csv").open()))
    assert [row["step"] for row in rows] == ["1", "2", "3", "4"]
    assert [bool(row["validation_loss"]) for row in rows] == [False, True, False, True]
    best = min((r for r in rows if r["validation_loss"]), key=lambda r: float(r["validation_loss"]))
    found = checkpoint.load(tmp_path / "c.pt")
    assert found.step == int(best["step"])
    assert found.voxel_size == (30, 8, 8) and found.crop == (4, 32, 32)
    assert found.normalize == {"low": 1.0}
    record = json.loads((tmp_path / "made_by.json").read_text())["made_by"]
    assert record["settings"]["steps"] == 4 and "torch" in record["versions"]
    again = tmp_path / "again"
    assert train(again, volume_file, checkpoint=str(tmp_path / "c.pt")) == 0
    assert checkpoint.load(again / "c.pt").step == found.step


def test_a_time_limit_ends_the_training_and_its_schedule(tmp_path: Path, volume_file: Path) -> None:
    assert train(tmp_path, volume_file, steps=10**6, max_minutes=0.02, schedule="cosine") == 0
    last = list(csv.DictReader((tmp_path / "h.csv").open()))[-1]
    assert float(last["learning_rate"]) < 0.2 * SETTINGS["learning_rate"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"crop": [9, 32, 32]}, ["train.crop", "z is 9", "8 voxels"]),
        ({"crop": [4, 32, 40]}, ["crop", "40", "multiple of 32"]),
        ({"checkpoint": "missing.pt"}, ["missing.pt", "no file"]),
        ({"step": 1}, ["step", "unknown key", "'steps'"]),
    ],
)
def test_mistakes_stop_it_at_once(
    tmp_path: Path, volume_file: Path, capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any], words: list[str],
) -> None:  # fmt: skip
    assert train(tmp_path / "out", volume_file, **changes) == 2
    text = capsys.readouterr().err
    assert all(word in text for word in words), text
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_a_checkpoint_of_another_network_is_refused(
    tmp_path: Path, volume_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, volume_file, steps=0) == 0
    other = {**NETWORK, "filters": [4, 8]}
    given = str(tmp_path / "c.pt")
    assert train(tmp_path / "out", volume_file, network=other, checkpoint=given) == 2
    assert "another network" in capsys.readouterr().err
