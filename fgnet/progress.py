"""Progress of long work: a bar on a terminal, a plain line now and then in a log."""

import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
LOG = logging.getLogger(__name__)
SECONDS_BETWEEN_LINES = 15.0


def track(items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
    """Yield the items and show how far the work is."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    if sys.stderr.isatty():
        yield from tqdm(items, desc=what, total=total)
        return
    start = last = time.monotonic()
    for count, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - last > SECONDS_BETWEEN_LINES and total and count < total:
            left = (now - start) / count * (total - count)
            LOG.info("%s: %d of %d, about %.0f s left", what, count, total, left)
            last = now
    LOG.info("%s: done in %.1f s", what, time.monotonic() - start)


@contextmanager
def silenced() -> Iterator[None]:
    """Drop what waterz prints on standard output, from Python and C++: six lines a threshold."""
    sys.stdout.flush()
    kept = os.dup(1)
    with Path(os.devnull).open("w") as nothing, redirect_stdout(nothing):
        os.dup2(nothing.fileno(), 1)
        try:
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)
