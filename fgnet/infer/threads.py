"""Work ahead and work behind: what produces and what consumes gets a thread of its own.

Queues are bounded, so that a fast side waits for a slow one, and what goes wrong in a thread is
raised where its work is used. h5py's calls are safe in threads: one lock guards them all, which a
computation in between does not hold.
"""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Generic, TypeVar

Item = TypeVar("Item")
WAKE = 0.1  # seconds after which a waiting thread looks whether the other side is still there


class Gone(Exception):
    """The other side of a channel has left."""


class Channel(Generic[Item]):
    """A bounded queue between two threads, that either side can leave."""

    def __init__(self, room: int) -> None:
        self.items: queue.Queue[tuple[Item] | None] = queue.Queue(room)  # None: the end
        self.left = threading.Event()

    def put(self, item: tuple[Item] | None) -> None:
        """Add an item, or the end, when there is room."""
        while not self.left.is_set():
            try:
                return self.items.put(item, timeout=WAKE)
            except queue.Full:
                pass
        raise Gone

    def __iter__(self) -> Iterator[Item]:
        while not self.left.is_set():
            try:
                item = self.items.get(timeout=WAKE)
            except queue.Empty:
                continue
            if item is None:
                return
            yield item[0]
        raise Gone


@contextmanager
def ahead(items: Iterable[Item], room: int) -> Iterator[Iterator[Item]]:
    """The items, up to ``room`` of them made before they are asked for."""
    channel: Channel[Item] = Channel(room)
    failed: list[BaseException] = []

    def work() -> None:
        try:
            for item in items:
                channel.put((item,))
        except Gone:
            return
        except BaseException as error:  # raised again where the items are used
            failed.append(error)
        with_end(channel)

    def made() -> Iterator[Item]:
        yield from channel
        if failed:
            raise failed[0]

    with running(work, channel):
        yield made()


@contextmanager
def behind(
    consume: Callable[[Iterator[Item]], None], room: int
) -> Iterator[Callable[[Item], None]]:
    """A function that hands items to ``consume``, which may lag by ``room`` of them.

    Left without an error, the block ends when all items are consumed.
    """
    channel: Channel[Item] = Channel(room)
    failed: list[BaseException] = []

    def work() -> None:
        try:
            consume(iter(channel))
        except Gone:
            pass
        except BaseException as error:  # raised again where items are handed over
            failed.append(error)
            channel.left.set()

    def hand(item: Item) -> None:
        try:
            channel.put((item,))
        except Gone:
            raise failed[0] from None

    with running(work, channel) as thread:
        yield hand
        with_end(channel)
        thread.join()
    if failed:
        raise failed[0]


def with_end(channel: Channel[Item]) -> None:
    """End a channel, if anybody still listens."""
    with suppress(Gone):
        channel.put(None)


@contextmanager
def running(work: Callable[[], None], channel: Channel[Item]) -> Iterator[threading.Thread]:
    """A thread that is told to stop and waited for at the end of the block."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        channel.left.set()
        thread.join()
