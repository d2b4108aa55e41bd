"""Random weights follow from the seed alone, whatever the processor."""

import hashlib
import os
import subprocess
import sys
from functools import cache
from typing import Any

import pytest
import torch
from chain import ROOT
from pydantic import TypeAdapter

from fgnet.model.build import build
from fgnet.model.initial import DrawnByNumpy
from fgnet.settings.network import Network

TINY = {"size": "tiny", "weights": "random"}
NETWORKS: list[dict[str, Any]] = [
    {"kind": "fgnet", "sam2": {**TINY, "mode": "lora"}},
    {"kind": "superhuman"},
    {"kind": "mala", "filters": [4, 8], "strides": [[1, 3, 3]]},
    {"kind": "polyp", "sam2": {**TINY, "mode": "prompts"}},
    {"kind": "masg", "sam1": TINY},
]
PRINT_DIGESTS = "import test_initial; print(test_initial.digests())"


@cache
def digests(seed: int = 3) -> list[str]:
    """A checksum of the random weights of each network."""
    found = []
    for values in NETWORKS:
        with DrawnByNumpy(seed):
            network = build(TypeAdapter(Network).validate_python(values), 3)
        weights = hashlib.sha256()
        for tensor in network.state_dict().values():
            weights.update(tensor.numpy().tobytes())
        found.append(weights.hexdigest())
    return found


def test_weights_are_the_same_without_the_larger_instructions() -> None:
    less = {"ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default"}
    done = subprocess.run(
        [sys.executable, "-c", PRINT_DIGESTS], capture_output=True, text=True, check=True, cwd=ROOT,
        env={**os.environ, **less, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])},
    )  # fmt: skip
    assert done.stdout.strip() == str(digests())


def test_another_seed_gives_other_weights() -> None:
    assert not set(digests()) & set(digests(4))


def test_the_numbers_are_those_of_torchs_distributions() -> None:
    with DrawnByNumpy(0):
        uniform = torch.empty(10_000).uniform_(-2, 6)
        normal = torch.empty(10_000).normal_(3, 0.5)
    assert uniform.min() >= -2 and uniform.max() < 6
    assert (uniform.mean().item(), uniform.std().item()) == pytest.approx((2, 8 / 12**0.5), abs=0.1)
    assert (normal.mean().item(), normal.std().item()) == pytest.approx((3, 0.5), abs=0.02)


def test_another_way_to_draw_is_refused() -> None:
    with DrawnByNumpy(0), pytest.raises(NotImplementedError, match="bernoulli"):
        torch.empty(3).bernoulli_()
