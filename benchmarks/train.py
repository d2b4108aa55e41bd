"""How fast training is, and against what: steps, operations, memory, waiting for crops.

``python benchmarks/train.py`` measures, for every size of SAM2, frozen and fine-tuned, and for the
baselines, steps per second, TFLOP/s next to those of a large matrix product on the same device,
and the peak of memory; then how long the engine waits for crops with all augmentations on. Made
for a GPU; ``--small`` is for a CPU.
"""

import argparse
import gc
import math
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from fgnet import device as devices
from fgnet import volume
from fgnet.model.build import Settings, build
from fgnet.model.losses import affinity_loss
from fgnet.phantom import phantom
from fgnet.precision import autocast, instructions, settled
from fgnet.settings.base import Box
from fgnet.settings.network import FGNetNetwork, MalaNetwork, Sam2, SuperHumanNetwork
from fgnet.settings.phantom import Phantom
from fgnet.settings.train import Model
from fgnet.train import optimization
from fgnet.train.crops import Crops, region
from fgnet.train.loader import Steps, feeding, on
from fgnet.train.processes import Processes

SIZES = ("tiny", "small", "base_plus", "large")
LEVELS: dict[str, Any] = {"filters": (28, 36, 48, 64, 80), "strides": ((1, 2, 2),) * 4}


def networks(small: bool) -> dict[str, Settings]:
    """What is measured."""
    found: dict[str, Settings] = {
        "SuperHuman": SuperHumanNetwork(),
        "FGNet without SAM2": FGNetNetwork(sam2=None, **LEVELS),
    }
    if not small:
        found["MALA"] = MalaNetwork()
    for size in SIZES[: 1 if small else None]:
        for mode in ("frozen", "lora", "finetuned"):
            sam2 = Sam2.checked({"size": size, "weights": "random", "mode": mode})
            found[f"FGNet, {size}, {mode}"] = FGNetNetwork(sam2=sam2, **LEVELS)
    return found


def synchronize(device: torch.device) -> None:
    """Wait for the device."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def matmul_peak(device: torch.device, dtype: torch.dtype) -> float:
    """TFLOP/s of a large matrix product."""
    size = 8192 if device.type == "cuda" else 1024
    a = torch.randn(size, size, device=device, dtype=dtype)
    times = []
    for _ in range(12):
        synchronize(device)
        start = time.perf_counter()
        a @ a
        synchronize(device)
        times.append(time.perf_counter() - start)
    return 2 * size**3 / min(times) / 1e12


def measure(
    settings: Settings, model: Model, device: torch.device, steps: int
) -> tuple[float, float, float]:
    """Seconds a step (median), operations of a step, peak GB of a GPU; data lie ready."""
    torch.manual_seed(0)
    network = build(settings, len(model.offsets)).to(device).train()
    optimizer = optimization.optimizer(network, model)
    raw = torch.rand(model.batch, 1, *model.crop, device=device)  # (B, 1, D, H, W)
    target = (torch.rand(model.batch, 3, *model.crop, device=device) > 0.2).float()
    known = torch.ones_like(target)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with autocast(device, model.precision):
            maps = network(raw)
        loss = sum(affinity_loss(m.float(), target, known, model.loss) for m in maps.values())
        loss.backward()  # type: ignore[union-attr]
        optimizer.step()

    step()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    times, memory = [], math.nan
    for _ in range(steps):
        synchronize(device)
        start = time.perf_counter()
        step()
        synchronize(device)
        times.append(time.perf_counter() - start)
    if device.type == "cuda":
        memory = torch.cuda.max_memory_allocated() / 1e9
    return statistics.median(times), operations(settings, model), memory


def operations(settings: Settings, model: Model) -> float:
    """Floating-point operations of a step, forward and backward, counted on shapes alone."""
    network = build(settings, len(model.offsets)).to("meta").train()
    counter: Any = FlopCounterMode(display=False)
    with counter:
        maps = network(torch.zeros(model.batch, 1, *model.crop, device="meta"))
        sum(m.sum() for m in maps.values()).backward()
    return float(counter.get_total_flops())


def waiting(model: Model, device: torch.device, workers: int, steps: int) -> tuple[float, float]:
    """Share of the time spent waiting for crops, all augmentations on; and ms to cut a crop."""
    assert model.network is not None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "phantom.h5"
        made = Phantom(shape=(40, 320, 320), seed=1)
        with volume.create(path, "normalize", {}, []) as file:
            for name, part in zip((volume.RAW, volume.LABELS), phantom(made), strict=True):
                volume.add(file, name, part.shape, part.dtype, made.voxel_size)[:] = part
        crops = Crops([region(path, Box.checked({}), model)], model, augmented=True)
        start = time.perf_counter()
        for index in range(8):
            crops[index]
        cutting = (time.perf_counter() - start) / 8 * 1000
        crops.files.clear()
        network = build(model.network, len(model.offsets)).to(device).train()
        batches = Steps(crops, model.batch, Processes().share(model.batch, 1))
        with feeding(batches, 0, workers, device.type == "cuda") as feed:
            feed.next()
            feed.waited = 0.0
            start = time.perf_counter()
            for _ in range(steps):
                raw, target, known = on(device, feed.next()[0])
                with autocast(device, model.precision):
                    maps = network(raw)
                affinity_loss(maps["refined"].float(), target, known, model.loss).backward()
                synchronize(device)
            total = time.perf_counter() - start
    return feed.waited / total, cutting


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="SAM2 tiny alone, small crops")
    parser.add_argument("--steps", type=int, default=None)
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    parser.add_argument("--precision", default="auto", choices=["auto", "float32", "bfloat16"])
    given = parser.parse_args()
    steps = given.steps or (4 if given.small else 20)
    device = devices.choose("auto")
    given.precision = settled(given.precision, device)
    augment = {"rotate": 1, "elastic": 1, "misalign": 1, "cut_noise": 1, "blur": 0.2, "dark": 0.1}
    model = Model.checked(
        {
            "network": FGNetNetwork(sam2=Sam2.checked({"size": "tiny", "weights": "random"}),
                                    **LEVELS).model_dump(),
            "precision": given.precision, "batch": 1 if given.small else 4, "augment": augment,
            "crop": (8, 96, 96) if given.small else (18, 160, 160),
        }
    )  # fmt: skip
    peak = matmul_peak(device, getattr(torch, given.precision))
    print(f"{instructions(device)}, {torch.get_num_threads()} threads, torch {torch.__version__}, "
          f"{given.precision}; batch {model.batch}, crop {' x '.join(map(str, model.crop))}; "
          f"matrix product {peak:.2f} TFLOP/s\n")  # fmt: skip
    print(
        "| network | steps/s | crops/s | TFLOP a step | TFLOP/s | of the product | GPU, peak GB |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for label, settings in networks(given.small).items():
        seconds, flops, memory = measure(settings, model, device, steps)
        speed = flops / seconds / 1e12
        peak_gb = "-" if math.isnan(memory) else f"{memory:.1f}"
        print(f"| {label} | {1 / seconds:.2f} | {model.batch / seconds:.2f} | {flops / 1e12:.3f} | "
              f"{speed:.2f} | {speed / peak:.0%} | {peak_gb} |", flush=True)  # fmt: skip
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()
    share, cutting = waiting(model, device, given.workers, steps)
    print(f"\nWaiting for crops: {share:.1%} of the time with {given.workers} workers (SAM2 tiny); "
          f"a worker cuts a crop in {cutting:.0f} ms.")  # fmt: skip


if __name__ == "__main__":
    main()
