"""The history of a training: a table, TensorBoard's event files, and lines of a log."""

from __future__ import annotations

import csv
import logging
import shutil
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tqdm import tqdm

from fgnet.progress import SECONDS_BETWEEN_LINES
from fgnet.whole import whole_or_nothing

if TYPE_CHECKING:  # imports torch, and a table is written without
    from fgnet.train.state import Row, State

LOG = logging.getLogger(__name__)
COLUMNS = (
    "step", "seconds", "loss", "loss_refined", "loss_coarse", "loss_deep1", "loss_deep2",
    "loss_deep3", "loss_edge", "gradient", "learning_rate", "validation_loss", "validation_voi",
    "validation_arand", "validation_dice", "precision",
)  # fmt: skip
QUIET = ("gradient", "learning_rate")  # these and losses of single maps are not in the log's lines


def write(path: Path, rows: list[Row], precision: str) -> None:
    """The history as a table, whole or not at all; a cell without a value is empty.

    Args:
        precision: that the network ran at, which every row names.
    """
    with whole_or_nothing(path) as partial, partial.open("w", newline="") as stream:
        table = csv.DictWriter(stream, COLUMNS, restval="")
        table.writeheader()
        table.writerows({**row, "precision": precision} for row in rows)


class Diary:
    """Tells how a training goes while it runs: TensorBoard, and a bar or lines of a log.

    Of several processes the first one alone tells.
    """

    def __init__(self, folder: Path, state: State, aloud: bool) -> None:
        self.aloud = aloud
        self.told = time.monotonic()
        if not aloud:
            return
        # slow to import, and needed while training alone
        from torch.utils.tensorboard import SummaryWriter

        if state.step == 0:
            shutil.rmtree(folder, ignore_errors=True)
        # what a killed run wrote beyond the state that we resume from is dropped
        self.board = SummaryWriter(str(folder), purge_step=state.step + 1)
        self.bar = tqdm(desc="train", total=1.0, disable=not sys.stderr.isatty(),
                        bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}")  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        if not self.aloud:
            return
        self.bar.close()
        self.board.close()

    def murmur(self, row: Row, state: State, progress: float) -> None:
        """A step between the rows of the history: told when nothing was for a while."""
        if time.monotonic() - self.told > SECONDS_BETWEEN_LINES:
            self.tell(row, state, progress)

    def tell(self, row: Row, state: State, progress: float) -> None:
        """One row of the history."""
        if not self.aloud:
            return
        self.told = time.monotonic()
        step = int(row["step"])
        values = {k: v for k, v in row.items() if k not in ("step", "seconds")}
        for name, value in values.items():
            self.board.add_scalar(name, value, step)
        left = state.seconds * (1 / max(progress, 1e-9) - 1)
        text = ", ".join(
            f"{k} {v:.4g}"
            for k, v in values.items()
            if k not in QUIET and not k.startswith("loss_")
        )
        speed = f"{state.step / max(state.seconds, 1e-9):.2f} steps/s"
        if self.bar.disable:
            LOG.info("step %d: %s, %s, about %.0f s left", step, text, speed, max(left, 0))
        else:
            self.bar.n = min(progress, 1.0)
            self.bar.set_postfix_str(f"step {step}, {text}, {speed}")
