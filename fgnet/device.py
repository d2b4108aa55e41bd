"""Which device torch works on."""

import os
import shutil
from typing import Literal

import torch

from fgnet import gpus
from fgnet.errors import InputError

# set for the processes of a training, whose GPUs the process that started them holds
HELD = "FGNET_GPUS_HELD"


def choose(wanted: Literal["auto", "cpu", "cuda"], count: int = 1) -> torch.device:
    """The torch device for ``device: auto | cpu | cuda``; a GPU is one that no other job uses.

    Args:
        count: GPUs to hold; more than one are seen by the processes that this one starts.

    Raises:
        InputError: a GPU is asked for, or is in the machine, and this torch cannot use it; a
            CPU build that conda or pip chose silently would otherwise train for weeks. Or there
            are fewer than ``count``.
    """
    if wanted == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return own(count)
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


def own(count: int) -> torch.device:
    """The first of ``count`` GPUs that are this job's own; from then on torch's default one."""
    if HELD in os.environ:
        return torch.device("cuda")
    there = torch.cuda.device_count()
    if there < count:
        raise InputError(
            f"gpu: {count} GPUs are asked for, and {there} can be used here; ask for no more "
            "(--set-resources train:gpu=N)"
        )
    names = [str(torch.cuda.get_device_properties(n).uuid) for n in range(there)]
    taken = gpus.reserve(names, count)
    # only programs started from here read these: torch has looked already
    seen = os.environ.get(gpus.VISIBLE, ",".join(map(str, range(there)))).split(",")
    os.environ |= {gpus.VISIBLE: ",".join(seen[n] for n in taken), HELD: "1"}
    torch.cuda.set_device(taken[0])
    return torch.device("cuda", taken[0])
