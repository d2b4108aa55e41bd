"""Training: the engine's steps, several processes, stopping and resuming, what it leaves behind."""

import csv
import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from conftest import ROOT, normalized
from torch import nn

from fgnet import checkpoint, volume
from fgnet.affinities import NEAREST, from_labels
from fgnet.errors import InputError
from fgnet.model.build import build
from fgnet.settings.base import Box
from fgnet.settings.network import FGNetNetwork, Sam2
from fgnet.settings.train import NEIGHBOURHOODS, Model
from fgnet.train import optimization, validation
from fgnet.train.__main__ import main
from fgnet.train.crops import Crops, region
from fgnet.train.data import gathered as data_of
from fgnet.train.engine import Engine
from fgnet.train.processes import Processes
from fgnet.train.state import Saved, alone

PLAIN = {"kind": "fgnet", "sam2": None, "filters": [4, 6], "strides": [[1, 2, 2]]}
SETTINGS: dict[str, Any] = {
    "precision": "float32",  # what is compared agrees to more digits than bfloat16 has
    "steps": 4, "batch": 1, "crop": [4, 32, 32], "network": PLAIN, "device": "cpu",
    "learning_rate": 1e-3, "validate_every": 2, "validation_crops": 2, "ema": 0.5,
}  # fmt: skip


def arguments(folder: Path, data: Path, *options: str, **changes: Any) -> list[str]:
    seconds = str(changes.pop("save_seconds", 300))
    settings = json.dumps({**SETTINGS, **changes})
    return [
        "--volumes", str(data), "--validation", str(data), "--settings", settings,
        "--boxes", json.dumps({"train": [{"z": [0, 8]}], "validation": [{"z": [8, 12]}]}),
        "--output", str(folder / "c.pt"), "--last", str(folder / "l.pt"),
        "--history", str(folder / "h.csv"), "--made-by", str(folder / "made_by.json"),
        "--augmentations", str(folder / "a.h5"), "--examples", str(folder / "e.h5"),
        "--threads", "1", "--save-seconds", seconds, *options,
    ]  # fmt: skip


def train(folder: Path, data: Path, **changes: Any) -> int:
    return main(arguments(folder, data, **changes))


def started(folder: Path, data: Path, *options: str, **changes: Any) -> subprocess.Popen[str]:
    """A training in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "fgnet.train", *arguments(folder, data, *options, **changes)],
        stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )  # fmt: skip


def engine(folder: Path, data: Path, **changes: Any) -> Engine:
    settings = Model.checked({**SETTINGS, **changes})
    assert settings.network is not None
    torch.manual_seed(0)
    found = data_of([data], [data], {"train": [{}], "validation": [{}]}, settings)
    network = build(settings.network, found.outputs)
    device = torch.device("cpu")
    saved = Saved(folder / "s.pt", "key", "float32", seconds=300)
    crops = found.training, found.held_back, found.objective
    return Engine(network, settings, *crops, saved, Processes(), device, 0)


def weights(path: Path) -> dict[str, torch.Tensor]:
    return checkpoint.load(path).weights


def equal(one: Path, two: Path, within: float = 0.0) -> bool:
    a, b = weights(one), weights(two)
    return a.keys() == b.keys() and all(torch.allclose(a[k], b[k], rtol=0, atol=within) for k in a)


@pytest.fixture
def volume_file(tmp_path: Path) -> Path:
    return normalized(tmp_path / "v.h5", shape=(12, 48, 40))


STRAIGHT = {"steps": 30, "learning_rate": 2e-3, "optimizer": "muon"}


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an uninterrupted training leaves, of the volume of every test."""
    folder = tmp_path_factory.mktemp("straight")
    assert train(folder, normalized(folder / "v.h5", shape=(12, 48, 40)), **STRAIGHT) == 0
    return folder


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_stopped_training_ends_as_an_uninterrupted_one(
    straight: Path, tmp_path: Path, volume_file: Path, number: signal.Signals
) -> None:
    stopped = tmp_path / "b"
    killed = number == signal.SIGKILL
    # a kill finds what the last save left; other signals ask for a save
    changes = {**STRAIGHT, "save_seconds": 1e-6 if killed else 3600}
    process = started(stopped, volume_file, **changes)
    sign = stopped / "saved.pt" if killed else stopped / "tensorboard"
    while not sign.exists():
        assert process.poll() is None
        time.sleep(0.005)
    os.killpg(process.pid, number)
    _, text = process.communicate(timeout=60)
    assert process.returncode == (-number if killed else 128 + number), text
    assert killed or f"{number.name} at step" in text
    assert (stopped / "saved.pt").exists() and not (stopped / "c.pt").exists()
    step = torch.load(stopped / "saved.pt", weights_only=True)["state"]["step"]
    assert 0 < step < STRAIGHT["steps"]
    assert train(stopped, volume_file, **changes) == 0
    assert equal(straight / "c.pt", stopped / "c.pt") and equal(straight / "l.pt", stopped / "l.pt")
    assert not (stopped / "saved.pt").exists()
    rows = [list(csv.DictReader((folder / "h.csv").open())) for folder in (straight, stopped)]
    for row in rows[0] + rows[1]:
        del row["seconds"]
    assert rows[0] == rows[1]


def test_another_training_starts_afresh_and_says_so(
    tmp_path: Path, volume_file: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level("INFO")
    steps = Engine.step

    def die(self: Engine, *given: Any) -> Any:
        if self.state.step == 2:
            raise KeyboardInterrupt
        return steps(self, *given)

    for changes, words in (
        ({}, "training resumes at step 2"),
        ({"learning_rate": 2e-3}, "settings, code or data differ from the saved state"),
    ):
        monkeypatch.setattr(Engine, "step", die)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path, volume_file, save_seconds=1e-6)
        monkeypatch.setattr(Engine, "step", steps)
        caplog.clear()
        assert train(tmp_path, volume_file, **{"save_seconds": 1e-6, **changes}) == 0
        assert words in caplog.text
    torch.save({}, tmp_path / "saved.pt")
    assert train(tmp_path, volume_file) == 0
    (tmp_path / "saved.pt").write_bytes(b"no state")
    assert train(tmp_path, volume_file) == 0
    assert "cannot be read" in caplog.text


def test_a_second_writer_is_refused(
    tmp_path: Path, volume_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with alone(tmp_path / "saved.pt"):
        assert train(tmp_path, volume_file) == 2
    assert "another process is training" in capsys.readouterr().err
    assert not (tmp_path / "c.pt").exists()
    assert train(tmp_path, volume_file) == 0


def test_passes_and_processes_change_nothing(tmp_path: Path, volume_file: Path) -> None:
    changes = {"batch": 4, "steps": 3, "network": {**PLAIN, "filters": [8, 8]}}
    assert train(tmp_path / "one", volume_file, **changes) == 0
    assert train(tmp_path / "passes", volume_file, accumulate=4, **changes) == 0
    assert equal(tmp_path / "one/l.pt", tmp_path / "passes/l.pt", within=1e-5)
    two = started(tmp_path / "two", volume_file, "--processes", "2", accumulate=2, **changes)
    _, text = two.communicate(timeout=300)
    assert two.returncode == 0, text
    assert "2 processes" in text
    assert equal(tmp_path / "one/l.pt", tmp_path / "two/l.pt", within=1e-5)
    losses = [
        [float(row["loss"]) for row in csv.DictReader((tmp_path / name / "h.csv").open())]
        for name in ("one", "passes", "two")
    ]
    assert np.allclose(losses[0], losses[1], atol=1e-5)
    assert np.allclose(losses[0], losses[2], atol=1e-5)
    checks = [
        next(r["validation_loss"] for r in csv.DictReader((tmp_path / name / "h.csv").open())
             if r["validation_loss"])
        for name in ("one", "two")
    ]  # fmt: skip
    assert float(checks[0]) == pytest.approx(float(checks[1]), abs=1e-5)


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    assert Processes(1, 2).share(8, 2) == [range(4, 6), range(6, 8)]
    with pytest.raises(InputError, match=r"train\.batch: 6 .* 2 processes .* multiple of 4"):
        Processes(0, 2).share(6, 2)


def test_a_frozen_encoder_costs_the_optimizer_nothing() -> None:
    settings = Model.checked({**SETTINGS, "sam2_learning_rate": 1e-6})
    for mode, groups in (("frozen", [1e-3]), ("lora", [1e-6, 1e-3]), ("finetuned", [1e-6, 1e-3])):
        sam2 = Sam2(size="tiny", weights="random", channels=8, mode=mode)  # type: ignore[arg-type]
        network = build(FGNetNetwork(filters=(4, 4), strides=((1, 2, 2),), sam2=sam2), 3)
        found = optimization.optimizer(network, settings)
        assert [group["base"] for group in found.param_groups] == groups
        held = sum(p.numel() for group in found.param_groups for p in group["params"])
        assert held == sum(p.numel() for p in network.parameters() if p.requires_grad)
        encoder = {id(p) for p in network.get_submodule("sam2.encoder").parameters()}
        assert all(id(p) not in encoder for p in found.param_groups[-1]["params"])


def test_the_weight_of_the_coarse_map_reaches_its_decoder(
    tmp_path: Path, volume_file: Path
) -> None:
    sam2 = {"size": "tiny", "weights": "random", "channels": 8}
    network = {"kind": "fgnet", "sam2": sam2, "filters": [4, 4], "strides": [[1, 2, 2]]}
    sizes = []
    for weight in (0.0, 0.5, 1.0):
        one = engine(tmp_path, volume_file, network=network, coarse_weight=weight, ema=0)
        losses = one.losses(one.network, one.training.batch([0]))
        assert losses["loss"].item() == pytest.approx(
            (losses["loss_refined"] + weight * losses["loss_coarse"]).item()
        )
        losses["loss"].backward()
        grads = [p.grad for p in one.network.get_submodule("coarse").parameters()]
        sizes.append(sum(float(g.norm()) for g in grads if g is not None))
    assert sizes[0] == 0 and sizes[2] == pytest.approx(2 * sizes[1], rel=1e-3)


def test_the_fields_adam_is_what_it_says() -> None:
    settings = Model.checked({**SETTINGS, "optimizer": "adam", "weight_decay": 1e-6})
    found = optimization.optimizer(nn.Linear(1, 1), settings)
    assert type(found) is torch.optim.Adam
    group = found.param_groups[0]
    assert (group["eps"], group["amsgrad"], group["betas"], group["weight_decay"]) == (
        0.01, True, (0.9, 0.999), 1e-6,
    )  # fmt: skip


@pytest.mark.parametrize("shape", [(8, 3, 3, 3, 3), (64, 12, 1, 1, 1), (6, 6)])
def test_muon_moves_a_weight_alike_in_all_directions(shape: tuple[int, ...]) -> None:
    """The direction of the step has the gradient's singular vectors and values near one."""
    torch.manual_seed(0)
    layer, one_by_one = nn.Module(), nn.Conv2d(4, 4, 2, groups=4, bias=False)
    layer.weight, layer.bias = nn.Parameter(torch.ones(shape)), nn.Parameter(torch.ones(4))
    layer.add_module("depthwise", one_by_one)
    settings = Model.checked({**SETTINGS, "optimizer": "muon", "weight_decay": 0.1})
    found = optimization.optimizer(layer, settings)
    layer.weight.grad, layer.bias.grad = torch.randn(shape), torch.ones(4)
    u, _, v = torch.linalg.svd(layer.weight.grad.flatten(1), full_matrices=False)
    assert found.param_groups[0]["params"] == [layer.bias, one_by_one.weight]  # AdamW's
    found.step()
    rate = settings.learning_rate
    assert layer.bias.tolist() == pytest.approx([1 - 0.1 * rate - rate] * 4)
    moved = (1 - 0.1 * rate - layer.weight.detach()).flatten(1)
    values = u.T @ moved @ v.T / (rate * 0.2 * max(moved.shape) ** 0.5)
    assert 0.6 < float(values.diagonal().min()) <= float(values.diagonal().max()) < 1.3
    assert float((values - values.diagonal().diag()).abs().max()) < 0.01


def test_rates_over_time() -> None:
    constant = Model.checked({**SETTINGS, "warmup": 4})
    assert [optimization.rate(constant, step, 0) for step in (0, 1, 3, 9)] == [0.25, 0.5, 1, 1]
    cosine = Model.checked({**SETTINGS, "schedule": "cosine"})
    found = [optimization.rate(cosine, 0, progress) for progress in (0, 0.5, 1, 1.1)]
    assert found == pytest.approx([1, 0.505, 0.01, 0.01])


def test_the_average_follows_the_weights_and_copies_counts() -> None:
    network, average = (nn.BatchNorm1d(1) for _ in range(2))
    with torch.no_grad():
        network.weight += 1
        network.num_batches_tracked += 3  # type: ignore[operator]
    optimization.follow(average, network, decay=0.9, step=10**6)
    assert average.weight.item() == pytest.approx(1.1)
    assert int(average.num_batches_tracked) == 3  # type: ignore[arg-type]
    optimization.follow(average, network, decay=0.9, step=0)  # the first step counts for 90 %
    assert average.weight.item() == pytest.approx(1.91)


def test_an_exploding_loss_stops_it_with_the_place(tmp_path: Path, volume_file: Path) -> None:
    one = engine(tmp_path, volume_file, batch=2, explode=10)
    one.check({"loss": 0.5, "gradient": 1.0})
    one.check({"loss": 9.0, "gradient": 1.0})  # nothing has settled yet
    one.state.step, one.state.typical = 200, 0.5
    one.check({"loss": 4.0, "gradient": 1.0})
    for row in ({"loss": 40.0, "gradient": 1.0}, {"loss": 0.5, "gradient": math.nan}):
        with pytest.raises(InputError) as error:
            one.check(row)
        text = str(error.value)
        assert "at step 200" in text and text.count("v.h5, z ") == 2 and "nothing had been" in text
    one.save()
    with pytest.raises(InputError, match=r"state of an earlier step stays in '.*s\.pt'"):
        one.check({"loss": math.inf, "gradient": 1.0})


def test_a_loss_that_is_no_number_ends_the_run_before_weights_are_spoilt(
    tmp_path: Path, volume_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, volume_file, steps=50, learning_rate=1e18, clip=None) == 2
    assert "train: at step" in capsys.readouterr().err
    assert not (tmp_path / "c.pt").exists()


def test_what_it_leaves_behind(tmp_path: Path, volume_file: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert train(tmp_path, volume_file) == 0
    rows = list(csv.DictReader((tmp_path / "h.csv").open()))
    assert [row["step"] for row in rows] == ["1", "2", "3", "4"]
    assert [bool(row["validation_loss"]) for row in rows] == [False, True, False, True]
    assert [bool(row["validation_arand"]) for row in rows] == [False, True, False, True]
    best = min((r for r in rows if r["validation_loss"]), key=lambda r: float(r["validation_loss"]))
    found = checkpoint.load(tmp_path / "c.pt")
    assert found.step == int(best["step"])
    assert found.voxel_size == (30, 8, 8) and found.crop == (4, 32, 32)
    assert found.normalize == {"low": 1.0}
    facts = json.loads((tmp_path / "made_by.json").read_text())
    assert facts["made_by"]["settings"]["steps"] == 4 and "torch" in facts["made_by"]["versions"]
    assert (
        facts["parameters"]
        == facts["trained"]
        == sum(p.numel() for p in found.model().parameters())
    )
    assert facts["steps"] == 4 and facts["seconds"] > 0
    board = EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    assert [event.step for event in board.Scalars("validation_voi")] == [2, 4]
    assert board.Scalars("loss")[0].value == pytest.approx(float(rows[0]["loss"]))
    with h5py.File(tmp_path / "a.h5") as file:
        assert len(file) == 15
    again = tmp_path / "again"
    assert train(again, volume_file, checkpoint=str(tmp_path / "c.pt")) == 0
    assert checkpoint.load(again / "c.pt").step == found.step
    with h5py.File(again / "e.h5") as file:
        assert not len(file)


def test_examples_are_what_the_best_weights_make_of_crops(
    tmp_path: Path, volume_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    changes = {"offsets": [*NEAREST, [0, 0, -3]]}
    keep = Engine.keep
    # the first validation remains the best, so that the best weights are not the last
    monkeypatch.setattr(
        Engine, "keep", lambda self, rank: self.state.step == 2 and keep(self, rank)
    )
    assert train(one, volume_file, **changes) == 0 == train(two, volume_file, **changes)
    assert checkpoint.load(one / "c.pt").step < checkpoint.load(one / "l.pt").step
    settings = Model.checked({**SETTINGS, **changes})
    box = Box.checked({"z": [8, 12]})
    crops = Crops([region(volume_file, box, settings, True)], settings, augmented=False)
    raw, target, known = crops[1]
    with torch.no_grad():
        maps = checkpoint.load(one / "c.pt").model()(raw[None])
    with h5py.File(one / "e.h5") as file, h5py.File(two / "e.h5") as other:
        assert list(file) == ["0 training", "1 training", "2 validation", "3 validation"]
        group = file["3 validation"]
        for name, found in maps.items():
            expected = torch.sigmoid(found[0, :3]).numpy() * 255
            assert np.allclose(group[name], expected[:, 2], atol=0.51)
            assert np.allclose(group[f"{name}_xz"], expected[:, :, 16], atol=0.51)
        assert np.array_equal(group["target"], 255 * target[:3, 2])
        assert np.array_equal(group["known_xz"], 255 * known[:3, :, 16])
        assert np.array_equal(group["raw"], np.rint(raw[0, 2] * 255))
        assert np.array_equal(group["labels"][16], group["labels_xz"][2])
        # labels are numbered anew, and are the same neurons
        pairs = np.stack([group["labels"][:], crops.cut(1).labels[2]], -1).reshape(-1, 2)
        assert len(np.unique(pairs, axis=0)) == len(np.unique(pairs[:, 0]))
        assert group["labels"][:].min() == 1
        assert tuple(group.attrs["voxel_size"]) == (30, 8, 8)
        for name in file:
            for key in file[name]:
                assert np.array_equal(file[name][key], other[name][key])


def test_validations_come_when_they_are_due(tmp_path: Path, volume_file: Path) -> None:
    assert train(tmp_path, volume_file, steps=60, validate_every=7) == 0
    rows = list(csv.DictReader((tmp_path / "h.csv").open()))
    validated = [int(row["step"]) for row in rows if row["validation_loss"]]
    assert validated == [7, 14, 21, 28, 35, 42, 49, 56, 60]
    assert [int(row["step"]) for row in rows if int(row["step"]) % 3 == 0] == list(range(3, 61, 3))


def test_several_processes_save_however_often_they_are_told_to_stop(
    tmp_path: Path, volume_file: Path
) -> None:
    changes = {"batch": 2, "steps": 20000}
    process = started(tmp_path, volume_file, "--processes", "2", **changes)
    while not (tmp_path / "tensorboard").exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGTERM)  # torchrun then tells its workers once more
    _, text = process.communicate(timeout=120)
    assert process.returncode != 0 and "SIGTERM at step" in text, text
    state = torch.load(tmp_path / "saved.pt", weights_only=True)["state"]
    assert 0 < state["step"] < 20000


def test_a_time_limit_ends_the_training_and_its_schedule(tmp_path: Path, volume_file: Path) -> None:
    assert train(tmp_path, volume_file, steps=10**6, max_minutes=0.02, schedule="cosine") == 0
    last = list(csv.DictReader((tmp_path / "h.csv").open()))[-1]
    assert float(last["learning_rate"]) < 0.2 * SETTINGS["learning_rate"]


@pytest.mark.parametrize("best_by", ["loss", "voi"])
def test_patience_ends_a_training_that_gets_no_better(
    tmp_path: Path, volume_file: Path, best_by: str
) -> None:
    changes = {"steps": 50, "patience": 2, "learning_rate": 1e-30, "best_by": best_by, "ema": 0}
    assert train(tmp_path, volume_file, **changes) == 0
    # a first best at step 2, then nothing new at 4 and 6
    assert checkpoint.load(tmp_path / "l.pt").step == 6
    assert checkpoint.load(tmp_path / "c.pt").step == 2


def test_what_cannot_be_measured_is_told_at_once(tmp_path: Path, volume_file: Path) -> None:
    for changes in ({"patience": 3}, {"best_by": "voi"}):
        with pytest.raises(InputError, match=f"train.{next(iter(changes))}: there is no valid"):
            validation.check(None, Model.checked({**SETTINGS, **changes}))
    settings = Model.checked({**SETTINGS, "best_by": "arand"})
    place = region(volume_file, Box.checked({}), settings, True)
    block = validation.block(place, settings)
    validation.check(block, settings)
    with pytest.raises(InputError, match="arand cannot be measured"):
        validation.check(replace(block, labels=0 * block.labels), settings)


def test_a_block_is_segmented_and_scored(tmp_path: Path, volume_file: Path) -> None:
    settings = Model.checked({**SETTINGS, "validation_block": [8, 32, 32]})
    block = validation.block(region(volume_file, Box.checked({}), settings, True), settings)
    assert block.raw.shape == block.labels.shape == (8, 32, 32)
    with h5py.File(volume_file) as file:  # the middle of 12 x 48 x 40
        assert np.array_equal(block.labels, file[volume.LABELS][2:10, 8:40, 4:36])
    ideal = from_labels(block.labels, NEAREST)[0]
    logits = torch.from_numpy(np.where(ideal, 9.0, -9.0))[None]

    class Known(nn.Module):
        def forward(self, raw: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"refined": torch.where(logits > 0, logits, self.border)}

    known, device = Known(), torch.device("cpu")
    known.border = torch.tensor(-9.0)
    perfect = validation.neurons(known, block, settings, device)
    assert perfect is not None and perfect.voi_sum < 0.3 and perfect.arand < 0.05
    known.border = torch.tensor(9.0)
    merged = validation.neurons(known, block, settings, device)
    assert merged is not None and merged.voi_merge > 2 and merged.voi_split < 0.2
    far = Model.checked({**SETTINGS, "offsets": [[0, 0, -3]]})
    assert validation.neurons(known, block, far, device) is None


def test_long_range_offsets_have_their_names() -> None:
    pea = Model.checked({**SETTINGS, "offsets": "pea"}).offsets
    assert len(pea) == 12 and pea[:3] == NEAREST and set(pea) == set(NEIGHBOURHOODS["pea"])
    assert sorted(-sum(offset) for offset in pea) == [1, 1, 1, 2, 3, 3, 3, 4, 9, 9, 27, 27]
    with pytest.raises(InputError, match="name one of nearest, pea"):
        Model.checked({**SETTINGS, "offsets": "paper"})


def test_all_twelve_are_learnt(tmp_path: Path, volume_file: Path) -> None:
    one = engine(tmp_path, volume_file, offsets="pea")
    _, target, known = one.training[0]
    assert target.shape == known.shape == (12, 4, 32, 32)
    assert not known[5].any() and known[11, :, :, 27:].any()  # 4 sections hold no edge of 4
    assert one.losses(one.network, one.training.batch([0]))["loss"].isfinite()


@pytest.mark.slow
def test_a_compiled_network_trains_alike(
    tmp_path: Path, volume_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torch._inductor import config as inductor  # which takes seconds to load

    # what torch compiled for another instruction set would be taken from its cache, and crash
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))
    # plain loops, which the compiler does not tune, take half as long to compile
    monkeypatch.setattr(inductor.cpp, "vec_isa_ok", False)
    monkeypatch.setenv("TORCHINDUCTOR_DEBUG_COMPILE", "1")
    for name, compiled in (("a", False), ("b", True)):
        assert train(tmp_path / name, volume_file, compile=compiled, steps=2) == 0
    assert equal(tmp_path / "a/l.pt", tmp_path / "b/l.pt", within=1e-4)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"crop": [9, 32, 32]}, ["train.crop", "z is 9", "8 voxels"]),
        ({"crop": [4, 32, 40]}, ["crop", "40", "multiple of 32"]),
        ({"checkpoint": "missing.pt"}, ["missing.pt", "no file"]),
        ({"step": 1}, ["step", "unknown key", "'steps'"]),
        ({"batch": 3, "accumulate": 2}, ["accumulate", "2 passes", "batch of 3"]),
        ({"best_by": "voi", "offsets": [[0, 0, -3]]}, ["best_by", "nearest three"]),
    ],
)
def test_mistakes_stop_it_at_once(
    tmp_path: Path, volume_file: Path, capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any], words: list[str],
) -> None:  # fmt: skip
    assert train(tmp_path / "out", volume_file, **changes) == 2
    text = capsys.readouterr().err
    assert all(word in text for word in words), text
    assert "Traceback" not in text
    left = [p.name for p in (tmp_path / "out").glob("*")]
    assert set(left) <= {".saved.pt.lock", "tensorboard"}


@pytest.mark.parametrize("unlabelled", [slice(0, 8), slice(8, 12)], ids=["train", "validation"])
def test_boxes_without_labels_are_told_of_before_the_first_step(
    tmp_path: Path, volume_file: Path, capsys: pytest.CaptureFixture[str], unlabelled: slice
) -> None:
    with h5py.File(volume_file, "r+") as file:
        file[volume.LABELS][unlabelled] = 0
    assert train(tmp_path / "out", volume_file) == 2
    text = capsys.readouterr().err
    # the training's crops are cut in a worker process, from which the sentence comes whole
    assert "error: train.labelled: 100 crops in a row, the last at" in text, text
    assert f"z {unlabelled.start}" in text or unlabelled.start == 0
    assert "Traceback" not in text and not (tmp_path / "out/saved.pt").exists()


def test_a_checkpoint_of_another_network_is_refused(
    tmp_path: Path, volume_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, volume_file, steps=0) == 0
    other = {**PLAIN, "filters": [4, 8]}
    given = str(tmp_path / "c.pt")
    assert train(tmp_path / "out", volume_file, network=other, checkpoint=given) == 2
    assert "another network" in capsys.readouterr().err
