"""GPUs: how many jobs run at a time, which one is whose, and a torch that cannot use them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from chain import ROOT, command

from fgnet import device, gpus
from fgnet.errors import InputError

SMI = """#!/bin/sh
echo "GPU 0: NVIDIA Any (UUID: GPU-0)"
echo "  MIG 1g.10gb Device 0: (UUID: MIG-0)"
echo "GPU 1: NVIDIA Any (UUID: GPU-1)"
"""
# in place of torch, which takes seconds to load, one that sees this many GPUs; the job says which
# of them it took, then goes on until it is told
JOB = """
import sys, types
cuda = types.SimpleNamespace(
    is_available=lambda: True, device_count=lambda: int(sys.argv[1]),
    get_device_properties=lambda n: types.SimpleNamespace(uuid=f"uuid {n}"),
    set_device=lambda n: None,
)
device = lambda *name: ":".join(map(str, name))
sys.modules["torch"] = types.SimpleNamespace(cuda=cuda, device=device)
from fgnet import device
chosen = device.choose("auto", int(sys.argv[2]))
print(chosen, __import__("os").environ["CUDA_VISIBLE_DEVICES"], flush=True)
sys.stdin.read()
"""


@contextmanager
def job(folder: Path, there: int, wanted: int, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A job that asks for GPUs of a machine."""
    line = [sys.executable, "-c", JOB, str(there), str(wanted)]
    environment = {**os.environ, "TMPDIR": str(folder), **variables}
    with subprocess.Popen(
        line, cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as started:
        yield started
        started.kill()


def took(started: subprocess.Popen[str]) -> str:
    assert started.stdout is not None
    return started.stdout.readline().strip()


def test_jobs_never_share_a_gpu(tmp_path: Path) -> None:
    """A killed job gives its own back; who wants several waits for all of them."""
    with job(tmp_path, 3, 1) as first, job(tmp_path, 3, 1) as second:
        assert {took(first), took(second)} == {"cuda:0 0", "cuda:1 1"}
        with job(tmp_path, 3, 2) as both, job(tmp_path, 3, 1) as third:
            # only one is free, which is not held by who waits for another
            assert took(third) == "cuda:2 2"
            first.kill()
            third.kill()
            assert took(both) in ("cuda:0 0,2", "cuda:1 1,2")


def test_a_job_keeps_to_the_gpus_that_it_was_given(tmp_path: Path) -> None:
    with job(tmp_path, 2, 1, CUDA_VISIBLE_DEVICES="GPU-abc,7") as first:
        assert took(first) == "cuda:0 GPU-abc"
        with job(tmp_path, 2, 1, CUDA_VISIBLE_DEVICES="GPU-abc,7") as second:
            assert took(second) == "cuda:1 7"
    # processes of one training: the one that started them holds the GPUs for all
    with job(tmp_path, 2, 1, FGNET_GPUS_HELD="1", CUDA_VISIBLE_DEVICES="0,1") as process:
        assert took(process) == "cuda 0,1"


def test_more_gpus_than_there_are(tmp_path: Path) -> None:
    line = [sys.executable, "-c", JOB, "1", "2"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "InputError: gpu: 2 GPUs are asked for, and 1 can be used here" in done.stderr


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with the driver of two GPUs."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(SMI)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(program.parent), os.environ["PATH"]]))
    monkeypatch.delenv(gpus.VISIBLE, raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("visible", "options", "slots"),
    [
        (None, [], 2),
        ("1", [], 1),
        ("", [], 1),  # of a machine without GPUs too: one training at a time
        (None, ["--resources", "gpu=5"], 5),
    ],
)
@pytest.mark.workflow
def test_as_many_jobs_at_a_time_as_there_are_gpus(
    machine: Path, monkeypatch: pytest.MonkeyPatch, visible: str | None, options: list[str],
    slots: int,
) -> None:  # fmt: skip
    if visible is not None:
        monkeypatch.setenv(gpus.VISIBLE, visible)
    line = [*command(machine, ROOT / "tests/tiny.yaml"), "list_datasets", *options]
    done = subprocess.run(line, cwd=machine, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and f'gpu=Resource("gpu", {slots})' in done.stderr, done.stderr


def test_a_torch_that_cannot_use_the_gpu_is_told(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(InputError, match=r"NVIDIA driver, but torch .* is a build for CPU only"):
        device.choose("auto")
    monkeypatch.setenv("PATH", str(machine))
    assert device.choose("auto") == torch.device("cpu")
    with pytest.raises(InputError, match="'cuda' was asked for"):
        device.choose("cuda")
