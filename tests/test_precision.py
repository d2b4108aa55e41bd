"""The precision of a network is chosen where the job runs."""

import csv
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import pytest
import torch
from chain import ROOT
from conftest import normalized

from fgnet import checkpoint, precision
from fgnet.errors import InputError
from fgnet.infer.__main__ import main as infer
from fgnet.train.__main__ import main as train
from fgnet.volume import made_by

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
X86 = {"architecture": "x86_64", "avx2": True, "avx512_f": False}
AVX512 = {**X86, "avx512_f": True}
# what makes torch on a larger processor use AVX2 alone
AVX2_ONLY = {
    "ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"
}  # fmt: skip
SMALL = {
    "steps": 2, "batch": 1, "crop": [4, 32, 32], "device": "cpu", "validate_every": 2,
    "validation_crops": 1,
    "network": {"kind": "fgnet", "filters": [4, 8], "strides": [[1, 2, 2]],
                "sam2": {"size": "tiny", "weights": "random", "channels": 4}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("has", "onednn", "expected"),
    [
        pytest.param(X86, False, "float32", id="AVX2"),
        pytest.param(AVX512, True, "float32", id="plain AVX512, of which oneDNN says yes"),
        pytest.param({**AVX512, "avx512_bf16": True}, True, "float32", id="AVX512-BF16"),
        pytest.param({**AVX512, "amx_bf16": True}, True, "bfloat16", id="AMX"),
        pytest.param({**AVX512, "amx_bf16": True}, False, "float32", id="AMX, oneDNN held back"),
        pytest.param({"architecture": "aarch64", "bf16": True}, False, "bfloat16", id="Arm, bf16"),
        pytest.param({"architecture": "aarch64", "bf16": False}, True, "float32", id="Arm"),
    ],
)
def test_auto_on_processors(
    monkeypatch: pytest.MonkeyPatch, has: dict[str, Any], onednn: bool, expected: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: onednn)
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    assert precision.settled("auto", CPU) == expected
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16")  # of which oneDNN says yes, too
    assert "AMX" not in precision.instructions(CPU)


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), "float32"), ((9, 0), "bfloat16")])
def test_auto_on_gpus(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "stand-in")
    assert precision.settled("auto", GPU) == expected
    assert precision.settled("float32", GPU) == "float32"


def test_bfloat16_that_is_asked_for_where_it_is_slow(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It goes on, and says how slow one convolution is here."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(precision, "bfloat16_is_fast", lambda device: False)
    took = {torch.float32: 0.5, torch.bfloat16: 4.0}
    monkeypatch.setattr(precision, "seconds", lambda layer, image: took[image.dtype])
    assert precision.settled("bfloat16", CPU) == "bfloat16"
    assert "one convolution takes 8.0 times as long as in float32" in caplog.text
    caplog.clear()
    took[torch.bfloat16] = 0.4
    assert precision.settled("bfloat16", CPU) == "bfloat16"
    assert precision.settled("float32", CPU) == "float32"
    assert "slow" not in caplog.text


def test_the_measured_convolution_runs() -> None:
    assert precision.slowdown(CPU) > 0


def test_a_gpu_that_cannot_compute_in_bfloat16_refuses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (5, 2))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "stand-in")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    with pytest.raises(InputError, match=r"bfloat16 was asked for, and stand-in .* set auto"):
        precision.settled("bfloat16", GPU)


def training(folder: Path, volume: Path, **settings: Any) -> list[str]:
    """The arguments of a short training."""
    names = ("output", "last", "history", "made-by", "augmentations", "examples")
    files = dict(zip(names, ("c.pt", "l.pt", "h.csv", "m.json", "a.h5", "e.h5"), strict=True))
    return [
        "--volumes", str(volume), "--validation", str(volume),
        "--settings", json.dumps({**SMALL, **settings}), "--threads", "1",
        *(word for name, file in files.items() for word in (f"--{name}", str(folder / file))),
    ]  # fmt: skip


def test_the_choice_is_written_down_and_does_not_follow_a_saved_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Log, history, ledger and checkpoint tell; a state of another precision is left."""
    caplog.set_level(logging.INFO)
    volume = normalized(tmp_path / "v.h5", (8, 48, 48))
    monkeypatch.setattr(precision, "bfloat16_is_fast", lambda device: False)
    kept = tmp_path / "ledger/train.json"
    arguments = training(tmp_path, volume)
    assert train(["--ledger", str(kept), *arguments]) == 0
    assert caplog.messages[1].startswith("precision: float32, chosen for")
    with (tmp_path / "h.csv").open() as stream:
        assert {row["precision"] for row in csv.DictReader(stream)} == {"float32"}
    entry = json.loads(kept.read_text())
    assert (entry["precision"], entry["instructions"]) == ("float32", precision.instructions(CPU))
    assert checkpoint.load(tmp_path / "c.pt").training["precision"] == "float32"

    class Stopped(Exception):
        pass

    def stop(*_: Any) -> None:
        raise Stopped

    with monkeypatch.context() as patched:  # killed after its first save
        patched.setattr("fgnet.train.engine.Engine.patience_is_over", lambda engine: (
            engine.state.step == 1 and (engine.save(), stop())
        ))  # fmt: skip
        with pytest.raises(Stopped):
            train(arguments)
    assert (tmp_path / "saved.pt").is_file()
    monkeypatch.setattr(precision, "bfloat16_is_fast", lambda device: True)
    caplog.clear()
    assert train(arguments) == 0
    assert caplog.messages[1].startswith("precision: bfloat16, chosen for")
    assert (
        "the saved state is of a training in float32, and this one is in bfloat16; to go on with "
        "that, set train.precision: float32: training starts afresh"
    ) in caplog.text
    assert "resumes" not in caplog.text


def test_shards_of_two_precisions_are_told_when_they_are_joined(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    volume = normalized(tmp_path / "v.h5", (8, 48, 48))
    assert train(training(tmp_path, volume, steps=0)) == 0
    for shard, wanted in enumerate(("float32", "bfloat16")):
        assert infer([
            "shard", "--checkpoint", str(tmp_path / "c.pt"), "--volume", str(volume),
            "--shard", str(shard), "--shards", "2", "--output", str(tmp_path / f"{shard}-of-2.h5"),
            "--settings", json.dumps({"device": "cpu", "precision": wanted}), "--threads", "1",
        ]) == 0  # fmt: skip
        with h5py.File(tmp_path / f"{shard}-of-2.h5") as file:
            assert made_by(file)["settings"]["precision"] == wanted
    caplog.clear()
    joined = tmp_path / "joined.h5"
    assert infer(["join", "--first", str(tmp_path / "0-of-2.h5"), "--output", str(joined)]) == 0
    assert "of the 2 shards, 1 in bfloat16, 1 in float32" in caplog.text
    with h5py.File(joined) as file:
        assert file.attrs["precision"] == "bfloat16, float32"


@pytest.mark.parametrize("stage", ["train", "infer"])
def test_a_processor_with_avx2_alone(tmp_path: Path, stage: str) -> None:
    """Emulated: torch does without larger instructions, trains and infers, and auto is float32."""
    volume = normalized(tmp_path / "v.h5", (8, 48, 48))
    if stage == "train":
        words = ["fgnet.train", *training(tmp_path, volume)]
    else:
        assert train(training(tmp_path, volume, steps=0)) == 0
        words = ["fgnet.infer", "shard", "--checkpoint", str(tmp_path / "c.pt"), "--volume",
                 str(volume), "--output", str(tmp_path / "0-of-1.h5"), "--threads", "1",
                 "--settings", '{"device": "cpu"}']  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", *words], env={**os.environ, **AVX2_ONLY}, cwd=ROOT,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # a slow machine says in between what is under way
    lines = [line for line in done.stderr.splitlines() if "under way" not in line]
    assert "precision: float32, chosen for AVX2" in lines[1]
