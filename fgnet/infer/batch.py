"""How many crops go through the network together: as many as memory holds."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from fgnet import ledger
from fgnet.errors import InputError
from fgnet.infer.stream import Crop, Image, Prediction

LOG = logging.getLogger(__name__)
SHARE = 0.8  # of the free memory that a batch may take
LARGEST = 32  # crops; more keep no GPU busier
STEP = 4  # by how much a batch grows at most before it is measured again
Value = TypeVar("Value", bound=np.generic)
Predict = Callable[[Sequence[Crop]], Iterable[npt.NDArray[Value]]]


class Memory(Protocol):
    """What a device tells about its memory, in bytes."""

    def start(self) -> None:
        """Measure from here on."""

    def taken(self) -> int:
        """The most that was taken since :meth:`start`, above what was taken then."""

    def free(self) -> int:
        """What is left now."""

    def release(self) -> None:
        """Give back what is kept for later."""


class Cuda:
    """The memory of a GPU as torch sees it."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.base = 0
        self.most = 0

    def start(self) -> None:
        """Measure from here on."""
        self.most = self.peak()
        ledger.gpu_bytes(self.most)
        torch.cuda.reset_peak_memory_stats(self.device)
        self.base = torch.cuda.memory_allocated(self.device)

    def taken(self) -> int:
        """The most that was taken since :meth:`start`, above what was taken then."""
        return torch.cuda.max_memory_allocated(self.device) - self.base

    def free(self) -> int:
        """What is left now, with what torch keeps for later."""
        kept = torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(self.device)
        return torch.cuda.mem_get_info(self.device)[0] + kept

    def release(self) -> None:
        """Give back what torch keeps for later."""
        torch.cuda.empty_cache()

    def peak(self) -> int:
        """The most that was ever taken."""
        return max(self.most, torch.cuda.max_memory_allocated(self.device))


class Batch:
    """The size of a batch: given, or grown until memory is full; halved where it runs out.

    Attributes:
        size: crops.
    """

    def __init__(self, size: int | None, memory: Memory | None) -> None:
        """``size`` None: automatic, which without a memory to look at means one crop."""
        self.size = size or 1
        self.memory = memory
        self.growing = size is None and memory is not None
        self.first = True

    def run(self, predict: Predict[Value], crops: Sequence[Crop]) -> list[npt.NDArray[Value]]:
        """Predictions (channels, z, y, x) of crops, in as many batches as memory asks for.

        Raises:
            InputError: memory does not hold a single crop.
        """
        done: list[npt.NDArray[Value]] = []
        while len(done) < len(crops):
            part = crops[len(done) : len(done) + self.size]
            if self.growing and self.memory is not None:
                self.memory.start()
            try:
                done += list(predict(part))
            except torch.OutOfMemoryError as error:
                if len(part) == 1:
                    shape = np.asarray(part[0].image).shape
                    raise InputError(
                        f"infer.crop: memory runs out with one crop of {shape} "
                        f"voxels ({error}); take a smaller infer.crop or device: cpu"
                    ) from error
                self.size = len(part) // 2
                self.growing = False
                LOG.info("out of memory with %d crops: %d from here on", len(part), self.size)
            else:
                if self.growing and len(part) == self.size:
                    self.grow()
                continue
            # only now has the exception let go of what the network had computed
            if self.memory is not None:
                self.memory.release()
        return done

    def grow(self) -> None:
        """Take as many crops as the last batch says there is memory for."""
        assert self.memory is not None
        if self.first:  # it also set things up, which takes memory that no later batch does
            self.first = False
            return
        room = int(SHARE * self.memory.free() / max(1, self.memory.taken()) * self.size)
        larger = min(room, STEP * self.size, LARGEST)
        self.growing = larger > self.size
        if self.growing:
            self.size = larger
        else:
            LOG.info("batch: %d crops", self.size)


def predictions(
    crops: Iterable[Crop], predict: Predict[np.float32], batch: Batch
) -> Iterator[list[Prediction]]:
    """Predictions of crops in their order, a batch at a time; crops without an image are skipped.

    Args:
        predict: maps crops with an image to (B, channels, z, y, x).
    """
    group: list[Crop] = []
    seen: list[Crop] = []
    for crop in crops:
        group.append(crop)
        if crop.image is not None:
            seen.append(crop)
        if not seen or len(seen) >= batch.size:
            yield finished(group, batch.run(predict, seen))
            group, seen = [], []
    if group:
        yield finished(group, batch.run(predict, seen))


def finished(group: Sequence[Crop], values: Iterable[Image]) -> list[Prediction]:
    """Crops and the predictions of those that have an image, together."""
    each = iter(values)
    return [Prediction(crop.origin, None if crop.image is None else next(each)) for crop in group]
