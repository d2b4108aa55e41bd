"""Batches of crops, cut by worker processes while the network works on earlier ones."""

import itertools
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from fgnet.errors import InputError
from fgnet.train.crops import Crops, Sample
from fgnet.train.pictures import Pictures

AHEAD = 2  # batches that each worker has ready


class Steps(Dataset[list[Sample] | str]):
    """Item k is what one process needs for step k: a batch for each pass.

    An input error comes as its text, as an exception would lose its sentence on the way between
    processes.
    """

    def __init__(self, crops: Crops | Pictures, batch: int, passes: Sequence[range]) -> None:
        self.crops = crops
        self.batch = batch
        self.passes = passes

    def __getitem__(self, step: int) -> list[Sample] | str:
        """The batches of a step; or what is wrong with the data."""
        try:
            return [self.crops.batch([step * self.batch + i for i in part]) for part in self.passes]
        except InputError as error:
            return str(error)


@dataclass
class Feed:
    """The batches of one step after another, and the seconds spent waiting for them."""

    source: Iterator[list[Sample] | str]
    waited: float = 0.0

    def next(self) -> list[Sample]:
        """The next step's batches. Raises InputError where the data are wrong."""
        start = time.monotonic()
        batches = next(self.source)
        self.waited += time.monotonic() - start
        if isinstance(batches, str):
            raise InputError(batches)
        return batches


@contextmanager
def feeding(steps: Steps, first: int, workers: int, pinned: bool) -> Iterator[Feed]:
    """Serve the steps from ``first`` on, with ``workers`` processes; they end with the block."""
    loader = DataLoader(
        steps,
        batch_size=None,
        sampler=itertools.count(first),
        num_workers=workers,
        prefetch_factor=AHEAD if workers else None,
        pin_memory=pinned,
        worker_init_fn=leave_signals_to_the_parent,
        # the loader draws a seed, which must not come from the state that a resume restores
        generator=torch.Generator(),
    )
    feed = Feed(iter(loader))
    try:
        yield feed
    finally:
        feed.source = iter(())  # the loader's iterator ends its workers when nobody holds it


def leave_signals_to_the_parent(_: int) -> None:
    """Outlive a signal to the whole process group, so that the parent can save and end us."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def on(device: torch.device, sample: Sample) -> tuple[Tensor, Tensor, Tensor]:
    """raw, target and known as float32 on a device, moved as bytes."""
    raw, target, known = (part.to(device, non_blocking=True) for part in sample)
    return raw, target.float(), known.float()
