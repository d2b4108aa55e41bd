"""No silence: lines of long work come early, tell the time left, and do not flood a log."""

import itertools
import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from fgnet import processors, progress, silence


class Clock:
    """A time that passes when told to."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.seen: list[tuple[float, str]] = []
        for module in (progress, silence):
            patch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now))
            patch.setattr(module, "LOG", SimpleNamespace(info=self.info))

    def info(self, text: str, *values: object) -> None:
        self.seen.append((self.now, text % values))

    def items(self, count: int, seconds: float) -> Iterator[int]:
        """Items that take so long each."""
        for number in progress.track(range(count), "work"):
            self.now += seconds
            yield number


@pytest.mark.parametrize(("count", "seconds"), [(200_000, 0.001), (2000, 0.1), (40, 5.0)])
def test_lines_tell_the_time_left_and_do_not_flood(
    monkeypatch: pytest.MonkeyPatch, count: int, seconds: float
) -> None:
    """First what begins, then the time left as soon as 2 s and an item are over; 200 s in all."""
    clock = Clock(monkeypatch)
    assert list(clock.items(count, seconds)) == list(range(count))
    (start, first), (soon, second), *_, (end, last) = clock.seen
    assert (start, first) == (0, f"work: begins, {count} in all")
    assert soon == pytest.approx(max(2, seconds), abs=0.2)
    # 200 s in all, in whatever words
    left = second.rpartition("about ")[2]
    assert left in {"198 s left", "195 s left", "3 min left"}, second
    assert end == pytest.approx(200) and last == "work: done in 200.0 s"
    times = [moment for moment, _ in clock.seen]
    assert max(b - a for a, b in itertools.pairwise(times)) <= 15 + seconds + 0.2
    # 2 + 4 + 8 s, then every 15 s
    assert len(times) <= 2 + 3 + 200 / 15


def test_short_work_says_two_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    assert len(list(clock.items(1000, 0.001))) == 1000
    assert [text for _, text in clock.seen] == ["work: begins, 1000 in all", "work: done in 1.0 s"]


class Listener(logging.Handler):
    """Waits for lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.came = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self.came:
            self.lines.append(record.getMessage())
            self.came.notify_all()

    def awaited(self, text: str) -> bool:
        """Whether such a line comes; it is waited for."""
        with self.came:
            return self.came.wait_for(lambda: any(text in line for line in self.lines), 60)


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    """A log that breaks its silence at once."""
    monkeypatch.setattr(silence, "SHORTEST", 0.02)
    one, root = Listener(), logging.getLogger()
    before = root.level
    root.setLevel(logging.INFO)
    root.addHandler(one)
    yield one
    root.removeHandler(one)
    root.setLevel(before)


def test_a_silent_item_is_told_of_before_it_ends(listener: Listener) -> None:
    """The innermost work speaks; when it is over, what is around it; and then nobody."""
    with silence.unsilenced("job"):
        assert listener.awaited("job: under way for 0 s")
        for number in progress.track("ab", "work"):
            if number == "a":
                assert listener.awaited("work: 0 of 2; number 1 is under way for 0 s")
                with silence.doing("inner", aloud=False):
                    assert listener.awaited("inner: under way")
            else:
                assert listener.awaited("work: 1 of 2, about 0 s left; number 2 is under way")
    assert not any(one.name.endswith("(_watch)") for one in threading.enumerate())


def test_nobody_is_interrupted_who_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line puts off the next word of the thread, and its own lines come ever more rarely."""
    now, waits, said = 0.0, 0, []
    ear = silence.Ear()

    def wait(seconds: float) -> bool:
        nonlocal now, waits
        now, waits = now + seconds, waits + 1
        if waits == 1:
            now -= 1
            ear.heard = now  # somebody spoke a second ago
            now += 1
        return now > 200

    ear.heard = 0.0
    monkeypatch.setattr(silence, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(silence, "LOG", SimpleNamespace(info=lambda *_: said.append(now)))
    with silence.under_way(lambda: "work"):
        silence._watch(ear, SimpleNamespace(wait=wait))  # type: ignore[arg-type]
    assert said == [15, 31, 63, 123, 183]


class Slow(logging.Handler):
    """Takes a while to write a line."""

    writing = False

    def emit(self, record: logging.LogRecord) -> None:
        self.writing = True
        time.sleep(0.005)
        self.writing = False


def test_no_child_is_forked_amid_a_line(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else workers that cut crops could find stderr locked for ever."""
    monkeypatch.setattr(silence, "SHORTEST", 0.0001)
    monkeypatch.setattr(silence, "LONGEST", 0.0001)
    slow, fork = Slow(), multiprocessing.get_context("fork")
    logging.getLogger().addHandler(slow)
    with silence.unsilenced("job"):
        for _ in range(20):
            listener.lines.clear()
            assert listener.awaited("job")
            child = fork.Process(target=lambda: os._exit(slow.writing))
            child.start()
            child.join(60)
            assert child.exitcode == 0
    logging.getLogger().removeHandler(slow)


def test_no_more_threads_than_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    assert [processors.threads(wanted) for wanted in (1, 2, 8)] == [1, 1, 1]
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 5, 7})
    assert [processors.threads(wanted) for wanted in (1, 2, 8)] == [1, 2, 4]
