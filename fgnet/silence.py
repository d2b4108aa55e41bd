"""Lines about work under way, so that no job is silent for long.

Work says its name when it begins. While it lasts and nothing else is in the log, the thread of
:func:`unsilenced` says so.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOG = logging.getLogger(__name__)
SHORTEST, LONGEST = 8.0, 60.0  # seconds of silence before it is broken: doubled each time

# Sentences of what is under way, the innermost last; None where a bar was drawn anew instead.
_under_way: list[Callable[[], str | None]] = []
# Held while the thread writes: a child that is forked meanwhile would find stderr locked for ever.
_speaking = threading.Lock()
os.register_at_fork(
    before=_speaking.acquire, after_in_parent=_speaking.release, after_in_child=_speaking.release
)


def span(seconds: float) -> str:
    """A time in words, such as 45 s, 12 min or 3.5 h."""
    if seconds < 100:
        return f"{max(seconds, 0):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def lasting(what: str, begun: float) -> str | None:
    """That a piece of work is under way, and for how long; None where it has only begun.

    Args:
        begun: by ``time.monotonic``.
    """
    seconds = time.monotonic() - begun
    return f"{what} is under way for {span(seconds)}" if seconds > SHORTEST / 2 else None


@contextmanager
def under_way(sentence: Callable[[], str | None]) -> Iterator[None]:
    """While the block runs, silence is broken by this sentence.

    Args:
        sentence: called from another thread.
    """
    _under_way.append(sentence)
    try:
        yield
    finally:
        _under_way.remove(sentence)


@contextmanager
def doing(what: str, aloud: bool = True) -> Iterator[None]:
    """Say that the work of a block begins, and how long it took where that was long.

    Args:
        aloud: False for work that is often short: then it is told of only while it lasts.
    """
    start = time.monotonic()
    if aloud:
        LOG.info("%s", what)
    with under_way(lambda: f"{what}: under way for {span(time.monotonic() - start)}"):
        yield
    if (seconds := time.monotonic() - start) > SHORTEST:
        LOG.info("%s: done in %s", what, span(seconds))


class Ear(logging.Handler):
    """Notes when the log had its last line."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        """Note the time."""
        self.heard = time.monotonic()


@contextmanager
def unsilenced(name: str) -> Iterator[None]:
    """While the block runs, say what is under way when the log was silent for 8 s.

    The next line follows after twice as long, up to a minute, as long as nobody else speaks.

    Args:
        name: of the block, for where nothing else is said to be under way.
    """
    ear, ended, start = Ear(), threading.Event(), time.monotonic()
    thread = threading.Thread(target=_watch, args=(ear, ended), daemon=True)
    logging.getLogger().addHandler(ear)
    with under_way(lambda: f"{name}: under way for {span(time.monotonic() - start)}"):
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            logging.getLogger().removeHandler(ear)


def _watch(ear: Ear, ended: threading.Event) -> None:
    """Break every silence until the end."""
    patience, own = SHORTEST, ear.heard
    while not ended.wait(max(0.0, ear.heard + patience - time.monotonic())):
        if ear.heard != own:  # somebody else spoke
            patience, own = SHORTEST, ear.heard
            continue
        text = _under_way[-1]()
        ear.heard = time.monotonic()
        if text is not None:
            patience = min(2 * patience, LONGEST)
            with _speaking:
                LOG.info("%s", text)
        own = ear.heard
