"""The training loop: steps, validation, moving average, and a state that it resumes from."""

import copy
import logging
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fgnet import device as devices
from fgnet.errors import InputError
from fgnet.model.losses import affinity_loss
from fgnet.settings.train import Model
from fgnet.train.crops import Crops, Sample
from fgnet.volume import whole_or_nothing

LOG = logging.getLogger(__name__)
LINES = 20  # of history and log in a training, at least
Row = dict[str, float | None]
Weights = dict[str, Tensor]


@dataclass
class State:
    """Where a training stands; all of it is saved and resumed."""

    step: int = 0
    seconds: float = 0.0
    best: float = math.inf
    best_step: int = 0
    best_weights: Weights = field(default_factory=dict)
    history: list[Row] = field(default_factory=list)


class Engine:
    """Trains one network on crops. ``key`` names settings, code and data; see :meth:`resume`."""

    def __init__(
        self, network: nn.Module, settings: Model, training: Crops, validation: Crops | None,
        key: str, saved: Path,
    ) -> None:  # fmt: skip
        self.settings = settings
        self.device = devices.choose(settings.device)
        self.network = network.to(self.device)
        self.average = copy.deepcopy(self.network).requires_grad_(False) if settings.ema else None
        self.training = training
        self.validation = validation
        self.optimizer = optimizer(self.network, settings)
        self.state = State()
        self.key = key
        self.saved = saved

    def run(self) -> State:
        """Train to the last step or minute; returns the state, with the best weights in it."""
        settings, state = self.settings, self.state
        every = max(1, min(settings.validate_every, math.ceil(settings.steps / LINES)))
        last_save = time.monotonic()
        # the next crops are cut while the network works on these
        with ThreadPoolExecutor(1) as pool:
            pending = pool.submit(self.training.batch, self.indices(state.step))
            while (progress := self.progress()) < 1:
                start = time.monotonic()
                sample = pending.result()
                pending = pool.submit(self.training.batch, self.indices(state.step + 1))
                losses = self.step(sample, progress)
                state.step += 1
                state.seconds += time.monotonic() - start
                if state.step % every == 0 or self.progress() >= 1:
                    self.record(losses)
                if time.monotonic() - last_save > settings.save_minutes * 60:
                    self.save()
                    last_save = time.monotonic()
            pending.cancel()
        if not state.best_weights:
            self.keep(math.inf)
        return state

    def indices(self, step: int) -> list[int]:
        """Numbers of the crops of a step."""
        return [step * self.settings.batch + i for i in range(self.settings.batch)]

    def progress(self) -> float:
        """How much of the training is done, from 0 to 1 and beyond."""
        settings = self.settings
        done = self.state.step / settings.steps if settings.steps else 1.0
        if settings.max_minutes:
            done = max(done, self.state.seconds / (settings.max_minutes * 60))
        return done

    def step(self, sample: Sample, progress: float) -> Row:
        """One optimizer step on a batch; returns its losses."""
        settings = self.settings
        self.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * rate(settings, self.state.step, progress)
        losses = self.losses(self.network, sample)
        total = losses["loss"]
        if not torch.isfinite(total):
            raise InputError(
                f"train: the loss became {float(total)} at step {self.state.step}; lower "
                "learning_rate or set clip"
            )
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        if settings.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), settings.clip)
        self.optimizer.step()
        if self.average is not None:
            follow(self.average, self.network, settings.ema, self.state.step)
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def losses(self, network: nn.Module, sample: Sample) -> dict[str, Tensor]:
        """Loss of a batch in total and for each affinity map."""
        raw, target, known = (part.to(self.device, non_blocking=True) for part in sample)
        with devices.autocast(self.device, self.settings.precision):
            maps = network(raw)
        losses = {
            f"loss_{name}": affinity_loss(logits.float(), target, known, self.settings.loss)
            for name, logits in maps.items()
        }
        total = losses["loss_refined"]
        if "loss_coarse" in losses:
            total = total + self.settings.coarse_weight * losses["loss_coarse"]
        return {"loss": total, **losses}

    def record(self, losses: Row) -> None:
        """Add a row to the history; validate when it is time, and at the end."""
        state, settings = self.state, self.settings
        row: Row = {"step": state.step, "seconds": round(state.seconds, 2), **losses}
        row["learning_rate"] = float(self.optimizer.param_groups[-1]["lr"])
        row["validation_loss"] = None
        if self.validation and (state.step % settings.validate_every == 0 or self.progress() >= 1):
            loss = row["validation_loss"] = self.validate()
            if loss < state.best:
                self.keep(loss)
        state.history.append(row)
        left = state.seconds * (1 / max(self.progress(), 1e-9) - 1)
        LOG.info(
            "step %d: %s, %.2f steps/s, about %.0f s left", state.step,
            ", ".join(f"{k} {v:.4g}" for k, v in row.items() if k.endswith("loss") and v),
            state.step / max(state.seconds, 1e-9), max(left, 0),
        )  # fmt: skip

    def smooth(self) -> nn.Module:
        """The network whose weights are validated and kept: the moving average if there is one."""
        return self.network if self.average is None else self.average

    def validate(self) -> float:
        """Mean refined loss over the fixed validation crops."""
        assert self.validation is not None
        network = self.smooth().eval()
        total = 0.0
        with torch.no_grad():
            for index in range(self.settings.validation_crops):
                losses = self.losses(network, self.validation.batch([index]))
                total += float(losses["loss_refined"])
        return total / self.settings.validation_crops

    def keep(self, loss: float) -> None:
        """Remember the present weights as the best."""
        self.state.best, self.state.best_step = loss, self.state.step
        self.state.best_weights = weights(self.smooth())

    def save(self) -> None:
        """Write the state that a killed training goes on from."""
        self.saved.parent.mkdir(parents=True, exist_ok=True)
        values: dict[str, Any] = {
            "key": self.key,
            "state": vars(self.state),
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
        }
        with whole_or_nothing(self.saved) as partial:
            torch.save(values, partial)

    def resume(self, say: Callable[[str], None]) -> None:
        """Go on from a saved state of the same key; start afresh, and say so, from any other."""
        if not self.saved.is_file():
            return
        values = torch.load(self.saved, map_location="cpu", weights_only=True)
        if values["key"] != self.key:
            say("settings, code or data differ from the saved state: training starts afresh")
            return
        self.network.load_state_dict(values["network"])
        self.optimizer.load_state_dict(values["optimizer"])
        if self.average is not None:
            self.average.load_state_dict(values["average"])
        self.state = State(**values["state"])
        say(f"training resumes at step {self.state.step}")


def optimizer(network: nn.Module, settings: Model) -> torch.optim.Optimizer:
    """AdamW on the parameters that are trained, SAM2's with a rate of their own."""
    named = [(n, p) for n, p in network.named_parameters() if p.requires_grad]
    sam2 = [p for n, p in named if n.startswith("sam2.")]
    rest = [p for n, p in named if not n.startswith("sam2.")]
    groups: list[dict[str, Any]] = [
        {"params": sam2, "base": settings.sam2_learning_rate},
        {"params": rest, "base": settings.learning_rate},
    ]
    groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(groups, weight_decay=settings.weight_decay)


def rate(settings: Model, step: int, progress: float) -> float:
    """The learning rate's factor: warm-up by steps, then constant or a cosine to 1 %."""
    warm = min(1.0, (step + 1) / settings.warmup) if settings.warmup else 1.0
    if settings.schedule == "constant":
        return warm
    return warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))))


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move the average towards the network; the decay grows from 0.1 so that the start fades."""
    decay = min(decay, (1 + step) / (10 + step))
    moving = average.state_dict()
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            moving[name].lerp_(value, 1 - decay)
        else:
            moving[name].copy_(value)


def weights(network: nn.Module) -> Weights:
    """A copy of the network's state on the CPU."""
    return {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
