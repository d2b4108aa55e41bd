"""GPUs of this machine: how many there are, and which one is a job's own. Knows nothing of torch.

A lock on a file stands for a GPU, so that two jobs never share one by accident, also those of two
workflows or two users; the system takes it back from a job that ends, however it ends.
"""

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from fgnet.silence import doing

VISIBLE = "CUDA_VISIBLE_DEVICES"


def count() -> int:
    """GPUs that this process may use: those it is given by the environment, else all."""
    if VISIBLE in os.environ:
        return len([one for one in os.environ[VISIBLE].split(",") if one.strip() not in ("", "-1")])
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    done = subprocess.run([program, "-L"], capture_output=True, text=True, check=False)
    # a MIG slice has an indented line of its own below its GPU
    return len(re.findall(r"^GPU ", done.stdout, re.MULTILINE))


def reserve(names: Sequence[str], wanted: int) -> list[int]:
    """Numbers of GPUs that are this process's own until it ends; waits until enough are free.

    Args:
        names: of the GPUs, the same in every process of this machine.
        wanted: how many, at most all.
    """
    if (taken := _free(names, wanted)) is not None:
        return taken
    with doing(f"waiting for {wanted} of {len(names)} GPUs: other jobs use them"):
        while (taken := _free(names, wanted)) is None:
            # at a pace of its own, so that two who try do not meet for ever
            time.sleep(0.5 + os.getpid() % 100 / 100)
    return taken


def _free(names: Sequence[str], wanted: int) -> list[int] | None:
    """Numbers of so many GPUs, taken now; None where fewer are free."""
    taken: dict[int, int] = {}
    for number, name in enumerate(names):
        if len(taken) < wanted and (lock := locked(name)) is not None:
            taken[number] = lock
    if len(taken) == wanted:
        return list(taken)
    # all or none: two jobs that each hold a part would wait for each other for ever
    for lock in taken.values():
        os.close(lock)
    return None


def locked(name: str) -> int | None:
    """The open lock of a GPU, None while another process holds it.

    Never closed where it is kept, and passed on to a program that replaces this one.
    """
    path = Path(tempfile.gettempdir()) / f"fgnet-gpu-{re.sub(r'[^0-9A-Za-z-]', '_', name)}.lock"
    try:
        # other users' files in a shared folder can be locked, and not be opened to be made
        lock = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        lock = os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    os.set_inheritable(lock, True)
    return lock
