"""How fast inference is, and against what: voxels, operations, memory, time outside the network.

``python benchmarks/infer.py`` runs a volume from file to file through SuperHuman, FGNet without
SAM2 and FGNet with every size of SAM2, once as the stage infer does it (sections encoded once) and
once naively (every crop through the whole network), each in a process of its own; then single
batches in both layouts of memory. Made for a GPU; ``--small`` is for a CPU, where speeds are those
of a second of processor time, so that other work on the machine counts less. Weights are random.
"""

import argparse
import json
import math
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode
from train import LEVELS, SIZES, matmul_peak, synchronize

from fgnet import device as devices
from fgnet import volume
from fgnet.infer.pipeline import run
from fgnet.infer.predictor import Predictor
from fgnet.infer.stream import Image, Plan, Slices
from fgnet.infer.weights import bfloat16
from fgnet.model.build import Settings, build
from fgnet.model.convolution import channels_last
from fgnet.phantom import phantom
from fgnet.precision import autocast, instructions, settled
from fgnet.settings.base import NEAREST
from fgnet.settings.infer import Inference
from fgnet.settings.network import FGNetNetwork, Sam2, SuperHumanNetwork
from fgnet.settings.phantom import Phantom

OVERLAP = 0.444  # stride 10 of 18 sections, as the field has it


def networks(sizes: Iterable[str]) -> dict[str, tuple[Settings, bool]]:
    """What is measured, and whether sections are encoded once or crop by crop."""
    found: dict[str, tuple[Settings, bool]] = {
        "SuperHuman": (SuperHumanNetwork(), True),
        "FGNet without SAM2": (FGNetNetwork(sam2=None, **LEVELS), True),
    }
    for size in sizes:
        sam2 = Sam2.checked({"size": size, "weights": "random"})
        for once in (True, False):
            name = f"FGNet, {size}{'' if once else ', naive'}"
            found[name] = (FGNetNetwork(sam2=sam2, **LEVELS), once)
    return found


def clock_of(device: torch.device) -> Callable[[], float]:
    """Processor time on a CPU, else that on the wall."""
    return time.process_time if device.type == "cpu" else time.perf_counter


def operations(settings: Settings, plan: Plan, sections: int) -> float:
    """Floating-point operations of a plan's crops, with so many sections encoded; by shapes."""
    network = build(settings, len(NEAREST)).to("meta").eval()
    crop = torch.zeros(1, 1, *plan.crop, device="meta")

    def count(*calls: Any) -> list[int]:
        found = []
        for call in calls:
            counter: Any = FlopCounterMode(display=False)
            with torch.no_grad(), counter:
                call()
            found.append(int(counter.get_total_flops()))
        return found

    sam2 = getattr(network, "sam2", None)
    if sam2 is None:
        return float(count(lambda: network(crop))[0] * plan.count)
    ready = sam2.encode(crop)
    encoding, rest = count(lambda: sam2.encode(crop), lambda: network(crop, ready))
    return encoding / plan.crop[0] * sections + float(rest) * plan.count


def measure(name: str, settings: Settings, once: bool, given: argparse.Namespace) -> dict[str, Any]:
    """A volume through a network: what it took."""
    torch.manual_seed(0)
    torch.set_num_threads(given.threads)
    device = devices.choose("auto")
    shape = tuple(given.volume)
    plan = Plan.make(shape, tuple((0, size) for size in shape), tuple(given.crop), OVERLAP)
    chosen = Inference.checked({"precision": given.precision})
    size = None if given.batch == "auto" else given.batch
    network = build(settings, len(NEAREST))
    Predictor(network, NEAREST, ["refined"], plan, chosen, device)  # readies the weights
    with tempfile.TemporaryDirectory() as folder:
        made = Phantom(shape=shape, seed=1)
        with volume.create(Path(folder) / "raw.h5", "normalize", {}, []) as file:
            volume.add(file, volume.RAW, shape, np.uint8, made.voxel_size)[:] = phantom(made)[0]
        # kernels are chosen and memory is taken before the clock runs
        some = np.random.default_rng(0).integers(0, 256, plan.crop, np.uint8)
        with torch.inference_mode(), autocast(device, given.precision):
            network(torch.from_numpy(some).to(device)[None, None].float() / 255)
        synchronize(device)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        with (
            volume.opened(Path(folder) / "raw.h5") as source,
            volume.create(Path(folder) / "out.h5", "infer", {}, []) as target,
        ):
            raw = source[volume.RAW]
            data = volume.add(target, volume.AFFINITIES, (3, *shape), np.uint8, made.voxel_size)

            def read(box: Slices) -> Any:
                return raw[box]

            def write(slabs: Iterable[tuple[int, Image]]) -> None:
                for z, slab in slabs:
                    data[:, z : z + slab.shape[1]] = np.rint(slab * 255)

            clock = clock_of(device)
            seconds, predictor, outside = math.inf, None, math.nan
            for _ in range(given.repeats):  # the fastest: other work on the machine only slows
                another = Predictor(network, NEAREST, ["refined"], plan, chosen, device)
                if not once:
                    another.window = None
                start, began = clock(), time.perf_counter()
                run(plan, read, another, write, size)
                took, elapsed = clock() - start, time.perf_counter() - began
                if took < seconds:
                    seconds, predictor, outside = took, another, 1 - another.seconds / elapsed
    assert predictor is not None
    naive = plan.count * plan.crop[0]
    sections = predictor.window.encoded if predictor.window else naive
    return {
        "name": name,
        "seconds": seconds,
        "voxels": math.prod(shape),
        "sections": sections if "FGNet," in name else 0,
        "flops": operations(settings, plan, sections),
        "outside": outside,
        "host": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "device": torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else math.nan,
    }


def layouts(given: argparse.Namespace) -> list[str]:
    """Milliseconds a crop of single batches, contiguous and channels last."""
    device = devices.choose("auto")
    torch.set_num_threads(given.threads)
    lines = ["| network | layout | batch | ms a crop |", "| --- | --- | ---: | ---: |"]
    shown = {name: one for name, (one, _) in networks(["tiny"]).items() if "naive" not in name}
    for name, settings in shown.items():
        for layout in ("contiguous", "channels last"):
            network = build(settings, len(NEAREST)).to(device).eval()
            if layout == "channels last":
                channels_last(network)
            if given.precision == "bfloat16":
                bfloat16(network)
            for batch in (1, 2, 4):
                crops = torch.rand(batch, 1, *given.crop, device=device)
                times = []
                clock = clock_of(device)
                with torch.inference_mode(), autocast(device, given.precision):
                    for _ in range(given.repeats + 1):
                        synchronize(device)
                        start = clock()
                        network(crops)
                        synchronize(device)
                        times.append(clock() - start)
                lines.append(
                    f"| {name} | {layout} | {batch} | {min(times[1:]) / batch * 1000:.0f} |"
                )
    return lines


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="small crops and a small volume")
    parser.add_argument("--volume", type=int, nargs=3, help="voxels along z, y, x")
    parser.add_argument("--crop", type=int, nargs=3)
    parser.add_argument("--precision", default="auto", choices=["auto", "float32", "bfloat16"])
    parser.add_argument("--batch", default="auto", type=lambda n: n if n == "auto" else int(n))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=3, help="of which the fastest")
    parser.add_argument("--json", type=Path, help="keep the numbers there")
    given = parser.parse_args()
    given.volume = given.volume or ([58, 96, 149] if given.small else [118, 800, 800])
    given.crop = given.crop or ([18, 96, 96] if given.small else [18, 160, 160])
    device = devices.choose("auto")
    given.precision = settled(given.precision, device)
    torch.set_num_threads(given.threads)
    peak = max(matmul_peak(device, getattr(torch, given.precision)) for _ in range(5))
    print(f"{instructions(device)}, {given.threads} threads, torch {torch.__version__}, "
          f"{given.precision}; crop {given.crop}, volume {given.volume}, overlap {OVERLAP}, "
          f"batch {given.batch}; matrix product {peak:.3f} TFLOP/s\n")  # fmt: skip
    print("| network | voxels/s | sections encoded | TFLOP/s | of the product | outside the "
          "network | host, GB | GPU, GB |")  # fmt: skip
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    rows = []
    for name, (settings, once) in networks(SIZES).items():
        with multiprocessing.get_context("spawn").Pool(1) as pool:  # for a memory of its own
            row = pool.apply(measure, (name, settings, once, given))
        rows.append(row)
        speed = row["flops"] / row["seconds"] / 1e12
        gpu = "-" if math.isnan(row["device"]) else f"{row['device']:.2f}"
        print(f"| {name} | {row['voxels'] / row['seconds']:.0f} | {row['sections'] or '-'} | "
              f"{speed:.3f} | {speed / peak:.0%} | {row['outside']:.1%} | {row['host']:.2f} | "
              f"{gpu} |", flush=True)  # fmt: skip
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))
    print("\n" + "\n".join(layouts(given)))


if __name__ == "__main__":
    main()
