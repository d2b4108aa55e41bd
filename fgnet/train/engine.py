"""The training loop: steps, validation, and when to save and to stop."""

import copy
import logging
import math
import signal
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from fgnet import ledger
from fgnet.errors import InputError
from fgnet.model.convolution import channels_last
from fgnet.precision import autocast
from fgnet.settings.train import Model
from fgnet.silence import doing
from fgnet.train import loader, optimization
from fgnet.train.crops import Crops, Sample
from fgnet.train.history import Diary
from fgnet.train.interrupt import Request, listening
from fgnet.train.objective import NUMBERS, Objective, check
from fgnet.train.pictures import Pictures
from fgnet.train.processes import Processes
from fgnet.train.state import Row, Saved, State, weights

LOG = logging.getLogger(__name__)
LINES = 20  # of the history of a training, at least
OFTEN = 20  # steps between them where the number of steps is not known
SETTLE = 100  # steps before the loss can be said to explode
MEMORY = 0.98  # of the running mean of the loss
MAIN = "refined"  # the map that is handed on; the others only help it to learn
HIGHER = ("dice",)  # of what validations measure, what is better the higher it is

Data = Crops | Pictures


class Engine:
    """Trains one network on crops."""

    def __init__(
        self, network: nn.Module, settings: Model, training: Data, held_back: Data | None,
        objective: Objective, saved: Saved, group: Processes, device: torch.device, workers: int,
    ) -> None:  # fmt: skip
        self.settings = settings
        self.group = group
        self.device = device
        self.network = network.to(device)
        if device.type == "cpu":  # on a GPU it was not measured
            channels_last(self.network)
        self.average = copy.deepcopy(self.network).requires_grad_(False) if settings.ema else None
        self.training = training
        # cut now, so that a box without labels is told of before hours of training
        mine = range(group.rank, settings.validation_crops, group.world)
        self.held_back = [held_back.batch([index]) for index in mine] if held_back else None
        self.objective = objective
        check(objective, settings)
        self.optimizer = optimization.optimizer(self.network, settings)
        self.trained = [p for p in self.network.parameters() if p.requires_grad]
        self.passes = group.share(settings.batch, settings.accumulate)
        self.workers = workers
        self.saved = saved
        self.state = State()

    def run(self) -> State:
        """Train to the last step or minute; returns the state, with the best weights in it.

        Raises:
            InputError: the loss is no number or has exploded, or the data are wrong.
            SystemExit: somebody asked to stop; the state is saved.
        """
        self.resume()
        state, settings = self.state, self.settings
        parallel = self.group.parallel(self.network, self.device)
        forward = torch.compile(parallel) if settings.compile else parallel
        rows = OFTEN if settings.max_minutes else math.ceil(settings.steps / LINES)
        every = max(1, min(settings.validate_every, rows))
        last_save, board = time.monotonic(), self.saved.path.with_name("tensorboard")
        steps = loader.Steps(self.training, settings.batch, self.passes)
        workers = self.workers if self.progress() < 1 else 0
        pinned = self.device.type == "cuda"
        with (
            listening() as request,
            Diary(board, state, self.group.first, settings) as diary,
            loader.feeding(steps, state.step, workers, pinned) as feed,
        ):
            while (progress := self.progress()) < 1 and not self.patience_is_over():
                start = time.monotonic()
                row = self.step(parallel, forward, feed.next(), progress)
                state.step += 1
                state.seconds += time.monotonic() - start
                ledger.voxels(settings.batch * math.prod(settings.crop))
                if self.due() or state.step % every == 0:
                    diary.tell(self.record(row), state, self.progress())
                else:
                    diary.murmur({"step": state.step, **row}, state, self.progress())
                late = time.monotonic() - last_save > self.saved.seconds
                stop, late = self.agreed(request, late)
                if late or stop:
                    self.save()
                    last_save = time.monotonic()
                if stop:
                    self.leave(stop)
            LOG.info("%.1f s of %.1f s were spent waiting for crops", feed.waited, state.seconds)
        if not state.best_weights:
            self.keep(math.inf)  # nothing was validated: the last weights are the best
        return state

    def agreed(self, request: Request, late: bool) -> tuple[int, bool]:
        """Whether to stop, by any process's wish, and to save, by the first one's clock."""
        if self.group.world == 1:
            return request.signal, late
        stop = self.group.any(request.signal != 0)
        late = self.group.from_first([float(late)])[0] > 0
        return (request.signal or signal.SIGTERM) if stop else 0, late

    def leave(self, number: int) -> None:
        """End the process as the signal would have, with what was done saved."""
        name = signal.Signals(number).name
        LOG.info("%s at step %d: saved; the same command goes on from here", name, self.state.step)
        raise SystemExit(128 + number)

    def progress(self) -> float:
        """How much of the training is done, from 0 to 1 and beyond; all processes agree."""
        settings = self.settings
        done = self.state.step / settings.steps if settings.steps else 1.0
        if settings.max_minutes:
            done = max(done, self.state.seconds / (settings.max_minutes * 60))
            done = self.group.from_first([done])[0]
        return done

    def patience_is_over(self) -> bool:
        """Whether validations have not become better for too long."""
        over = self.settings.patience is not None and self.state.idle >= self.settings.patience
        if over:
            LOG.info("no better %s in %d validations: done", self.settings.best_by, self.state.idle)
        return over

    def due(self) -> bool:
        """Whether it is time for a validation: every so many steps, and at the end."""
        return self.state.step % self.settings.validate_every == 0 or self.progress() >= 1

    def step(
        self, parallel: nn.Module, forward: Callable[[Tensor], dict[str, Tensor]],
        batches: Sequence[Sample], progress: float,
    ) -> Row:  # fmt: skip
        """One optimizer step on the batches of all passes; returns its losses.

        Args:
            parallel: the network, or what exchanges its gradients between processes.
            forward: the same to call, perhaps compiled.
        """
        settings = self.settings
        self.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * optimization.rate(settings, self.state.step, progress)
        self.optimizer.zero_grad(set_to_none=True)
        row: Row = {}
        for number, batch in enumerate(batches, 1):
            if isinstance(parallel, nn.parallel.DistributedDataParallel):
                # gradients are exchanged once a step
                parallel.require_backward_grad_sync = number == len(batches)
            losses = self.losses(forward, batch)
            (losses["loss"] / len(batches)).backward()  # type: ignore[no-untyped-call]
            for name, loss in losses.items():
                row[name] = row.get(name, 0.0) + float(loss.detach()) / len(batches)
        norm = nn.utils.clip_grad_norm_(self.trained, settings.clip or math.inf)
        means = self.group.mean(list(row.values()))
        row = {**dict(zip(row, means, strict=True)), "gradient": float(norm)}
        self.check(row)
        self.optimizer.step()
        if self.average is not None:
            optimization.follow(self.average, self.network, settings.ema, self.state.step)
        return row

    def check(self, row: Row) -> None:
        """Stop before weights are spoilt. Raises InputError that says where."""
        state, settings = self.state, self.settings
        loss, gradient = row["loss"], row["gradient"]
        typical = loss if math.isnan(state.typical) else state.typical
        exploded = (
            settings.explode is not None
            and state.step >= SETTLE
            and loss > settings.explode * typical
        )
        if math.isfinite(loss) and math.isfinite(gradient) and not exploded:
            state.typical = MEMORY * typical + (1 - MEMORY) * loss
            return
        first = state.step * settings.batch
        crops = "; ".join(
            self.training.cut(index).where for index in range(first, first + settings.batch)
        )
        kept = (
            f"the state of an earlier step stays in {str(self.saved.path)!r}, which a run with "
            "the same settings goes on from, and meets the same crops again"
            if self.saved.path.is_file()
            else "nothing had been saved yet"
        )
        raise InputError(
            f"train: at step {state.step} the loss is {loss:.4g} (of late {typical:.4g}) and the "
            f"gradient's norm {gradient:.4g}, at {crops}; {kept}. Look at these crops, or lower "
            "learning_rate or set clip or warmup, and it starts afresh"
        )

    def losses(
        self, network: Callable[[Tensor], dict[str, Tensor]], sample: Sample
    ) -> dict[str, Tensor]:
        """Loss of a batch in total and for each map of the network."""
        raw, target, known = loader.on(self.device, sample)
        with autocast(self.device, self.settings.precision):
            maps = network(raw)
        exact = {name: logits.float() for name, logits in maps.items()}
        losses = self.objective.losses(exact, target, known)
        total = losses[MAIN] + self.settings.coarse_weight * sum(
            loss for name, loss in losses.items() if name != MAIN
        )
        return {"loss": total, **{f"loss_{name}": loss for name, loss in losses.items()}}

    def record(self, row: Row) -> Row:
        """Add a row to the history; validate when it is time, and at the end."""
        state = self.state
        row = {"step": state.step, "seconds": round(state.seconds, 2), **row}
        row["learning_rate"] = float(self.optimizer.param_groups[-1]["lr"])
        if self.due():
            row |= self.validate()
        state.history.append(row)
        return row

    def smooth(self) -> nn.Module:
        """The network whose weights are validated and kept: the moving average if there is one."""
        return self.network if self.average is None else self.average

    def best(self) -> nn.Module:
        """The network with the best weights, at the end of a training: it holds no others then."""
        network = self.smooth()
        network.load_state_dict(self.state.best_weights)
        return network

    @doing("validation", aloud=False)
    @torch.no_grad()
    def validate(self) -> Row:
        """Mean loss of the fixed crops, and what the objective measures; keeps the best weights."""
        if self.held_back is None:
            return {}
        group, count = self.group, self.settings.validation_crops
        network = self.smooth().eval()
        group.align(network)
        mine = [float(self.losses(network, crop)["loss_refined"]) for crop in self.held_back]
        row: Row = {"validation_loss": group.mean([sum(mine)])[0] * group.world / count}
        found = self.objective.measure(network, self.device) if group.first else {}
        numbers = group.from_first([found.get(name, math.nan) for name in NUMBERS])
        row |= {
            f"validation_{name}": number
            for name, number in zip(NUMBERS, numbers, strict=True)
            if not math.isnan(number)
        }
        rank = row.get(f"validation_{self.settings.best_by}")
        if rank is not None and self.settings.best_by in HIGHER:
            rank = -rank
        if rank is not None and rank < self.state.best:
            self.keep(rank)
        else:
            self.state.idle += 1
        return row

    def keep(self, rank: float) -> None:
        """Remember the present weights as the best."""
        self.state.best, self.state.best_step, self.state.idle = rank, self.state.step, 0
        if self.group.first:
            self.state.best_weights = weights(self.smooth())

    def save(self) -> None:
        """Write the state that a killed training goes on from."""
        if self.group.first:
            self.saved.write(
                {
                    "state": vars(self.state),
                    "network": self.network.state_dict(),
                    "optimizer": self.optimizer.state_dict(),
                    "average": None if self.average is None else self.average.state_dict(),
                }
            )

    def resume(self) -> None:
        """Go on from the saved state of the same training; or start afresh, and say why."""
        values = self.saved.read()
        if isinstance(values, str):
            LOG.info("%s: training starts afresh", values)
        if not isinstance(values, dict):
            return
        self.network.load_state_dict(values["network"])
        self.optimizer.load_state_dict(values["optimizer"])
        if self.average is not None:
            self.average.load_state_dict(values["average"])
        self.state = State(**values["state"])
        LOG.info("training resumes at step %d", self.state.step)
