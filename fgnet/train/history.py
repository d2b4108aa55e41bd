"""How a training goes while it runs: TensorBoard's event files, a bar, and lines of a log."""

import logging
import shutil
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from tqdm import tqdm

from fgnet.progress import Gaps
from fgnet.settings.train import Model
from fgnet.silence import lasting, span, under_way
from fgnet.train.state import Row, State

LOG = logging.getLogger(__name__)
QUIET = ("gradient", "learning_rate")  # these and losses of single maps are not in the log's lines


class Diary:
    """Tells how a training goes while it runs: TensorBoard, and a bar or lines of a log.

    Of several processes the first one alone tells.
    """

    def __init__(self, folder: Path, state: State, aloud: bool, settings: Model) -> None:
        self.aloud, self.state = aloud, state
        self.gaps, self.begun, self.left = Gaps(), time.monotonic(), ""
        self.stack = ExitStack()
        if not aloud:
            return
        # slow to import, and needed while training alone
        from torch.utils.tensorboard import SummaryWriter

        if state.step == 0:
            shutil.rmtree(folder, ignore_errors=True)
        # what a killed run wrote beyond the state that we resume from is dropped
        self.board = SummaryWriter(str(folder), purge_step=state.step + 1)
        limits = [f"{settings.steps} steps"]
        if settings.max_minutes:
            limits.append(f"{settings.max_minutes:g} minutes")
        LOG.info("train: step %d begins, of at most %s", state.step + 1, " or ".join(limits))
        self.bar = tqdm(desc="train", total=1.0, disable=not sys.stderr.isatty(),
                        bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}")  # fmt: skip

    def __enter__(self) -> Self:
        if self.aloud:
            self.stack.enter_context(under_way(self.sentence))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        if not self.aloud:
            return
        self.stack.close()
        self.bar.close()
        self.board.close()

    def sentence(self) -> str | None:
        """What is under way, for a log that is silent; a bar is drawn anew instead."""
        if not self.bar.disable:
            self.bar.refresh()
            return None
        said = lasting(f"train: step {self.state.step + 1}", self.begun)
        return said and said + self.left

    def murmur(self, row: Row, state: State, progress: float) -> None:
        """A step between the rows of the history: told at first, and then now and then."""
        if self.gaps.due():
            self.tell(row, state, progress)
        self.begun = time.monotonic()

    def tell(self, row: Row, state: State, progress: float) -> None:
        """One row of the history."""
        if not self.aloud:
            return
        self.gaps.last = self.begun = time.monotonic()
        step = int(row["step"])
        values = {k: v for k, v in row.items() if k not in ("step", "seconds")}
        for name, value in values.items():
            self.board.add_scalar(name, value, step)
        self.left = f", about {span(state.seconds * (1 / max(progress, 1e-9) - 1))} left"
        text = ", ".join(
            f"{k} {v:.4g}"
            for k, v in values.items()
            if k not in QUIET and not k.startswith("loss_")
        )
        speed = f"{state.step / max(state.seconds, 1e-9):.2f} steps/s"
        if self.bar.disable:
            LOG.info("step %d: %s, %s%s", step, text, speed, self.left)
        else:
            self.bar.n = min(progress, 1.0)
            self.bar.set_postfix_str(f"step {step}, {text}, {speed}")
