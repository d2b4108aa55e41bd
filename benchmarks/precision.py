"""Seconds of a training step and of a crop of inference, in float32 and in bfloat16.

    PYTHONPATH=. python benchmarks/precision.py [--avx2]

Processor seconds of one thread, the fastest of a few, for the first FGNet of the demo's and of
FIB-25's config. ``--avx2`` adds rows of torch held back to AVX2: emulated, as a larger processor
has other caches. There a step in bfloat16 takes up to minutes and is run once.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml

from fgnet.model.build import build
from fgnet.model.convolution import channels_last
from fgnet.model.losses import affinity_loss
from fgnet.precision import autocast, instructions
from fgnet.settings.config import load
from fgnet.settings.train import Model
from fgnet.train import optimization

CONFIGS = {"demo": "config/config.yaml", "FIB-25": "config/fib25.yaml"}
HELD_BACK = {
    "ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"
}  # fmt: skip


def fastest(work: Callable[[], Any], repeats: int) -> float:
    """Processor seconds of the fastest run after a warm-up; without repeats, of the warm-up."""
    taken = []
    for _ in range(repeats + 1):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken[1:] or taken)


def measure(config: Path, precision: Any, repeats: int) -> tuple[float, float]:
    """Seconds of a step and of a crop of inference."""
    models = load(yaml.safe_load(config.read_text())).train.models.values()
    model: Model = next(m for m in models if getattr(m.network, "sam2", None) is not None)
    assert model.network is not None, "a model with SAM2 has a network"
    cpu = torch.device("cpu")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = build(model.network, len(model.offsets))
    channels_last(network)
    optimizer = optimization.optimizer(network, model)
    raw = torch.rand(1, 1, *model.crop)
    target = (torch.rand(1, len(model.offsets), *model.crop) > 0.2).float()
    known = torch.ones_like(target)

    def step() -> None:
        network.train()
        optimizer.zero_grad(set_to_none=True)
        with autocast(cpu, precision):
            maps = network(raw)
        losses = [affinity_loss(m.float(), target, known, model.loss) for m in maps.values()]
        torch.stack(losses).sum().backward()
        optimizer.step()

    @torch.inference_mode()
    def crop() -> None:
        network.eval()
        with autocast(cpu, precision):
            network(raw)

    return fastest(step, repeats), fastest(crop, repeats)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--avx2", action="store_true", help="and with torch held back to AVX2")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", help="measure this config and precision alone, as JSON")
    given = parser.parse_args()
    if given.one:
        name, precision = given.one.split(",")
        step, crop = measure(Path(CONFIGS[name]), precision, given.repeats)
        print(json.dumps([instructions(torch.device("cpu")), step, crop]))
        return
    print("| network | instructions | precision | s a step | s a crop |")
    print("| --- | --- | --- | ---: | ---: |")
    for name in CONFIGS:
        for held_back in [{}, HELD_BACK][: 1 + given.avx2]:
            for precision in ("float32", "bfloat16"):
                once = bool(held_back) and precision == "bfloat16"
                done = subprocess.run(
                    [sys.executable, __file__, "--one", f"{name},{precision}", "--repeats",
                     str(0 if once else given.repeats)],
                    env={**os.environ, **held_back}, capture_output=True, text=True, check=True,
                )  # fmt: skip
                where, step, crop = json.loads(done.stdout.splitlines()[-1])
                emulated = ", emulated" * bool(held_back)
                print(f"| {name} | {where}{emulated} | {precision} | {step:.2f} | {crop:.2f} |",
                      flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
