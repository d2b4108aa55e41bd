"""Programs that stand in an environment of their own and are called, never imported."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from fgnet.errors import InputError
from fgnet.silence import doing


def located(name: str) -> str:
    """The path of a program of requirements-skeletons.txt. Raises InputError without one."""
    path = shutil.which(name)
    if path is None:
        raise InputError(
            f"the program {name} is not on PATH; run with --use-conda, or install "
            "requirements-skeletons.txt into an environment of its own and put its bin on PATH"
        )
    return path


def call(command: Sequence[str], folder: Path) -> None:
    """Run a program in a folder; what it says goes to the log. Raises InputError if it fails."""
    said = " ".join([Path(command[0]).name, *command[1:]])
    with doing(said):
        done = subprocess.run(command, cwd=folder, check=False)
    if done.returncode:
        raise InputError(
            f"{said[:200]} ended with status {done.returncode}; what it said stands above"
        )
