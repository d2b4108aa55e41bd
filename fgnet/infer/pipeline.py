"""A shard from end to end: read ahead, through the network, blended and written behind."""

import logging
import math
import resource
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from fgnet import ledger
from fgnet.infer.batch import LARGEST, Batch, Cuda, predictions
from fgnet.infer.predictor import Predictor
from fgnet.infer.stream import Grey, Image, Plan, Prediction, Slices, blend, crops
from fgnet.infer.threads import ahead, behind
from fgnet.progress import track

LOG = logging.getLogger(__name__)


def run(
    plan: Plan, read: Callable[[Slices], Grey], predictor: Predictor,
    write: Callable[[Iterable[tuple[int, Image]]], None], size: int | None,
) -> None:  # fmt: skip
    """Crops from a reading thread, through the network, to a thread that blends and writes.

    Args:
        size: crops that go through the network together; None for as many as fit.
    """
    began = time.perf_counter()
    cuda = Cuda(predictor.device) if predictor.device.type == "cuda" else None
    batch = Batch(size, cuda)
    channels = len(predictor.names) * len(predictor.offsets)
    empty = 0

    def consume(groups: Iterator[list[Prediction]]) -> None:
        write(blend(plan, chain.from_iterable(groups), channels))

    with ahead(crops(plan, read), 2 * LARGEST) as ready, behind(consume, 1) as hand:
        for group in predictions(track(ready, "infer", plan.count), predictor, batch):
            empty += sum(prediction.values is None for prediction in group)
            hand(group)
    seconds = time.perf_counter() - began
    voxels = math.prod(stop - start for start, stop in plan.bounds)
    ledger.voxels(voxels)
    peaks = [f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GB of the host"]
    if cuda is not None:
        peaks.append(f"{cuda.peak() / 2**30:.2f} GB of the GPU")
    LOG.info(
        "%d crops, %d of them empty and skipped; %d sections encoded; %.0f voxels/s, %.0f %% of "
        "the time outside the network; batch %d; at most %s",
        plan.count, empty, predictor.window.encoded if predictor.window else 0, voxels / seconds,
        100 * (1 - predictor.seconds / seconds), batch.size, " and ".join(peaks),
    )  # fmt: skip
