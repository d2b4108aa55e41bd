"""The processes of one training: one, or several that torchrun started, a GPU each.

Plain torch.distributed. Lightning Fabric and accelerate would save about these lines and bring
a second way to move data, to save and to log; what is long in an engine (what to save, when,
and what a step is) they leave to us.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from fgnet.errors import InputError

# one process may be busy alone, segmenting the validation block or saving
PATIENCE = timedelta(hours=2)


@dataclass(frozen=True)
class Processes:
    """This process among those of its training."""

    rank: int = 0
    world: int = 1
    local: int = 0

    @property
    def first(self) -> bool:
        """Whether this one writes files and logs."""
        return self.rank == 0

    def device(self, chosen: torch.device) -> torch.device:
        """The GPU of this process among those that were chosen for all; then its default one."""
        if chosen.type != "cuda" or chosen.index is not None:
            return chosen
        torch.cuda.set_device(self.local)
        return torch.device("cuda", self.local)

    def share(self, batch: int, accumulate: int) -> list[range]:
        """Which of a step's crops this process sees, pass by pass.

        Raises:
            InputError: the batch cannot be split evenly.
        """
        size, rest = divmod(batch, self.world * accumulate)
        if rest:
            raise InputError(
                f"train.batch: {batch} crops cannot be shared evenly by {self.world} processes "
                f"in {accumulate} passes each; use a multiple of {self.world * accumulate}"
            )
        first = self.rank * accumulate
        return [range((first + i) * size, (first + i + 1) * size) for i in range(accumulate)]

    def parallel(self, network: nn.Module, device: torch.device) -> nn.Module:
        """The network, its gradients averaged over all processes."""
        if self.world == 1:
            return network
        # a trained SAM2 may give maps that no level uses, whose weights then get no gradient
        return DistributedDataParallel(
            network,
            device_ids=[device] if device.type == "cuda" else None,
            find_unused_parameters=True,
        )

    def from_first(self, values: Sequence[float]) -> list[float]:
        """The first process's numbers, in every process."""
        if self.world == 1:
            return list(values)
        shared = torch.tensor(values, dtype=torch.float64)
        distributed.broadcast(shared, 0)
        return [float(value) for value in shared]

    def mean(self, values: Sequence[float]) -> list[float]:
        """The mean of every number over the processes."""
        if self.world == 1:
            return list(values)
        shared = torch.tensor(values, dtype=torch.float64)
        distributed.all_reduce(shared)
        return [float(value) / self.world for value in shared]

    def align(self, network: nn.Module) -> None:
        """Give every process the first one's buffers, such as BatchNorm's statistics."""
        if self.world > 1:
            for buffer in network.buffers():
                distributed.broadcast(buffer, 0)

    def any(self, here: bool) -> bool:
        """Whether it is so in any process."""
        return self.mean([float(here)])[0] > 0


@contextmanager
def joined() -> Iterator[Processes]:
    """Join the processes that torchrun started, or be the only one."""
    if "RANK" not in os.environ:
        yield Processes()
        return
    # small numbers go over gloo on the CPU, gradients over nccl where they lie on GPUs
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    distributed.init_process_group(backend, timeout=PATIENCE)
    yield Processes(
        distributed.get_rank(), distributed.get_world_size(), int(os.environ["LOCAL_RANK"])
    )
    # not after an error: leaving in order would wait for processes that are still exchanging
    # gradients, while torchrun ends them once this one is gone
    distributed.destroy_process_group()


def become(count: int, arguments: Sequence[str]) -> None:
    """Start this training anew as ``count`` processes of this machine under torchrun."""
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
    command = [sys.executable, *launch, "-m", "fgnet.train", *arguments]
    sys.stdout.flush()
    os.execv(sys.executable, command)  # noqa: S606
