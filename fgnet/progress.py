"""Progress of long work: a bar on a terminal, plain lines now and then in a log.

A line comes when work begins, one with the time left after 2 s, others at gaps that grow to 15 s.
While a single item lasts, :mod:`fgnet.silence` says so.
"""

import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from fgnet.silence import lasting, span, under_way

Item = TypeVar("Item")
LOG = logging.getLogger(__name__)
SHORTEST_GAP, LONGEST_GAP = 2.0, 15.0  # seconds between two lines


class Gaps:
    """Says when a line is due: 2 s after the first moment, then at gaps doubled up to 15 s."""

    def __init__(self) -> None:
        self.last = time.monotonic()
        self.gap = SHORTEST_GAP

    def due(self) -> bool:
        """Whether a line is due now; if so, the next gap begins."""
        now = time.monotonic()
        if now - self.last < self.gap:
            return False
        self.last, self.gap = now, min(2 * self.gap, LONGEST_GAP)
        return True


def track(items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
    """Yield the items and show how far the work is."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    if sys.stderr.isatty():
        with tqdm(items, desc=what, total=total) as bar, under_way(lambda: bar.refresh() and None):
            yield from bar
        return
    start = begun = time.monotonic()
    done, gaps = 0, Gaps()

    def far() -> str:
        """How many items are done, and the time left."""
        if not total:
            return f"{what}: {done} done"
        text = f"{what}: {done} of {total}"
        if done:
            text += f", about {span((time.monotonic() - start) / done * (total - done))} left"
        return text

    def sentence() -> str | None:
        return lasting(f"{far()}; number {done + 1}", begun)

    LOG.info("%s: begins%s", what, f", {total} in all" if total else "")
    with under_way(sentence):
        for item in items:
            yield item
            done, begun = done + 1, time.monotonic()
            if done != total and gaps.due():
                LOG.info("%s", far())
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
