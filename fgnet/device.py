"""Which device torch works on."""

import shutil
from contextlib import AbstractContextManager
from typing import Literal

import torch

from fgnet.errors import InputError


def choose(wanted: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """The torch device for ``device: auto | cpu | cuda``.

    Raises:
        InputError: a GPU is asked for, or is in the machine, and this torch cannot use it; a
            CPU build that conda or pip chose silently would otherwise train for weeks.
    """
    if wanted == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    build = "a build for CPU only" if torch.version.cuda is None else "unable to use a GPU"
    if wanted == "cuda":
        raise InputError(
            f"device: 'cuda' was asked for, but torch {torch.__version__} is {build} here; "
            "install a CUDA build of torch or set device: cpu"
        )
    if shutil.which("nvidia-smi"):
        raise InputError(
            f"device: this machine has an NVIDIA driver, but torch {torch.__version__} is {build}; "
            "install a CUDA build of torch, or set device: cpu to go on without the GPU"
        )
    return torch.device("cpu")


def autocast(
    device: torch.device, precision: Literal["float32", "bfloat16"]
) -> AbstractContextManager[None]:
    """The context in which a network runs at the precision asked for."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
