"""What a training resumes from: one file beside its output, of one writer, whole or not at all."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import Tensor, nn

from fgnet import tensors
from fgnet.errors import InputError
from fgnet.silence import doing
from fgnet.whole import whole_or_nothing

Row = dict[str, float]
Weights = dict[str, Tensor]


def weights(network: nn.Module) -> Weights:
    """A copy of the network's state on the CPU."""
    return {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}


@dataclass
class State:
    """Where a training stands; all of it is saved and resumed.

    Attributes:
        step: optimizer steps taken.
        seconds: spent on them.
        typical: running mean of the loss.
        best: lowest of what makes the best checkpoint, reached at ``best_step``.
        idle: validations since then.
    """

    step: int = 0
    seconds: float = 0.0
    typical: float = math.nan
    best: float = math.inf
    best_step: int = 0
    idle: int = 0
    best_weights: Weights = field(default_factory=dict)
    history: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class Saved:
    """The file ``saved.pt``, of the training whose settings, code and data ``key`` names.

    It is not among a rule's outputs, which Snakemake deletes when a job is killed.
    """

    path: Path
    key: str
    precision: str  # that the network runs at
    seconds: float  # between two saves

    @doing("save the state of the training", aloud=False)
    def write(self, values: dict[str, Any]) -> None:
        """Replace the file."""
        random = {"cpu": torch.get_rng_state()}
        if torch.cuda.is_available():
            random["cuda"] = torch.cuda.get_rng_state()
        with whole_or_nothing(self.path) as partial:
            mine = {"key": self.key, "precision": self.precision}
            tensors.save({**mine, "random": random, **values}, partial)

    @doing("read the saved state of the training", aloud=False)
    def read(self) -> dict[str, Any] | str | None:
        """What was saved, the random state set again; None without a file; or why not to use it."""
        if not self.path.is_file():
            return None
        try:
            values = tensors.load(self.path)
        except ValueError as error:
            return f"the saved state cannot be read ({error})"
        before = values.get("precision") if isinstance(values, dict) else None
        if before not in (None, self.precision):
            return (
                f"the saved state is of a training in {before}, and this one is in "
                f"{self.precision}; to go on with that, set train.precision: {before}"
            )
        if not isinstance(values, dict) or values.get("key") != self.key:
            return "settings, code or data differ from the saved state"
        torch.set_rng_state(values["random"]["cpu"])
        if "cuda" in values["random"] and torch.cuda.is_available():
            torch.cuda.set_rng_state(values["random"]["cuda"])
        found: dict[str, Any] = values
        return found

    def remove(self) -> None:
        """Delete the file of a training that has ended."""
        self.path.unlink(missing_ok=True)


@contextmanager
def alone(saved: Path) -> Iterator[None]:
    """Keep other processes from the same training. Raises InputError where one is at work.

    The lock is the operating system's: it goes with its process, however that ends.
    """
    lock = FileLock(saved.with_name(f".{saved.name}.lock"))
    saved.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(
            f"another process is training into {str(saved.parent)!r}, perhaps one that outlived "
            "its workflow; wait for it, or end it (ps aux | grep fgnet.train)"
        ) from error
    try:
        for left in saved.parent.glob(f".{saved.name}.*.partial"):
            left.unlink()  # of a writer that was killed, on whatever machine: none is at work now
        yield
    finally:
        lock.release()
