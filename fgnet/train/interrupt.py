"""SIGTERM and Ctrl-C ask a training to save and stop, instead of ending it."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass
class Request:
    """Whether somebody asked to stop, and by which signal."""

    signal: int = 0


@contextmanager
def listening() -> Iterator[Request]:
    """Take note of SIGTERM and SIGINT; a second one ends the process as it always would.

    Not under torchrun: it passes on a signal that the process may have got already.
    """
    request = Request()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def note(number: int, _: FrameType | None) -> None:
        request.signal = number
        if "RANK" not in os.environ:
            for each, handler in before.items():
                signal.signal(each, handler)

    for number in before:
        signal.signal(number, note)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
