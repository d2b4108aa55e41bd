"""At which precision a network runs, settled where the job runs.

torch computes in bfloat16 on every processor, but without instructions for it one 3-D convolution
takes 5 to 140 times as long as in float32 (pytorch issues 118499, 146508, 183815). With AVX512-BF16
alone, without AMX, our networks took longer in bfloat16 than in float32 (docs/results.md), though
one convolution takes less.
"""

import logging
import os
import time
from contextlib import AbstractContextManager
from typing import Literal

import torch
from torch import Tensor

from fgnet import ledger
from fgnet.errors import InputError
from fgnet.model.convolution import Conv3d
from fgnet.settings.base import Precision

LOG = logging.getLogger(__name__)
AMPERE = (8, 0)  # compute capability of the first GPUs that are fast in bfloat16
CHANNELS, GRID = 16, (8, 32, 32)  # of the convolution that measures how slow bfloat16 is
Exact = Literal["float32", "bfloat16"]


def settled(wanted: Precision, device: torch.device) -> Exact:
    """The precision for ``precision: auto | float32 | bfloat16``; log and ledger tell of it.

    Raises:
        InputError: bfloat16 is asked for, and the device cannot compute in it at all.
    """
    where, fast = instructions(device), bfloat16_is_fast(device)
    if wanted == "auto":
        chosen: Exact = "bfloat16" if fast else "float32"
        LOG.info("precision: %s, chosen for %s", chosen, where)
    else:
        chosen = wanted
        LOG.info("precision: %s, as the settings say, on %s", chosen, where)
    if chosen == "bfloat16" and not fast:
        if device.type == "cuda" and not torch.cuda.is_bf16_supported():
            raise InputError(
                f"precision: bfloat16 was asked for, and {where} cannot compute in it; set auto "
                "or float32"
            )
        ratio = slowdown(device)
        if ratio > 1:
            LOG.warning(
                "precision: bfloat16 is slow on %s: one convolution takes %.1f times as long as in "
                "float32; set auto or float32", where, ratio,
            )  # fmt: skip
    ledger.computed(chosen, where)
    return chosen


def bfloat16_is_fast(device: torch.device) -> bool:
    """True where networks run faster in bfloat16 than in float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= AMPERE
    has = torch.cpu.get_capabilities()
    if has["architecture"] != "x86_64":
        return bool(has.get("bf16", False))
    return "AMX" in of_bfloat16()


def of_bfloat16() -> list[str]:
    """The instructions for bfloat16 that torch uses on an x86 processor."""
    # oneDNN calls every AVX512 fit, and obeys ONEDNN_MAX_CPU_ISA; cpuinfo knows the instructions
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return []
    has = torch.cpu.get_capabilities()
    most = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper()
    found = ["bfloat16"] if has.get("avx512_bf16") else []
    if has.get("amx_bf16") and (most in ("", "ALL", "DEFAULT") or "AMX" in most):
        found.append("AMX")
    return found


def instructions(device: torch.device) -> str:
    """The instruction set that torch uses on the processor, or the GPU."""
    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        return f"{torch.cuda.get_device_name(device)} (compute capability {major}.{minor})"
    found = torch.backends.cpu.get_cpu_capability()
    x86 = torch.cpu.get_capabilities()["architecture"] == "x86_64"
    more = of_bfloat16() if x86 else ["bfloat16"] if bfloat16_is_fast(device) else []
    return " with ".join([found, *([" and ".join(more)] if more else [])])


def slowdown(device: torch.device) -> float:
    """Seconds of one 3-D convolution in bfloat16 over those in float32, the faster of two each."""
    layer = Conv3d(CHANNELS, CHANNELS, 3).to(device)
    image = torch.zeros(1, CHANNELS, *GRID, device=device)
    taken = {}
    for dtype in (torch.float32, torch.bfloat16):
        mine, given = layer.to(dtype), image.to(dtype)
        taken[dtype] = min(seconds(mine, given) for _ in range(2))
    return taken[torch.bfloat16] / taken[torch.float32]


@torch.no_grad()
def seconds(layer: torch.nn.Module, image: Tensor) -> float:
    """Seconds that a layer takes for an image."""
    start = time.perf_counter()
    layer(image).sum().item()  # a number on the host, so that a GPU has finished
    return time.perf_counter() - start


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[None]:
    """The context in which a network runs at the precision that was settled."""
    if precision == "auto":
        raise ValueError("the precision is not settled yet")
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
