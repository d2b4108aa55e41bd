"""Layers over a network: fetched in pieces of whole chunks, which stay until the next run."""

import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import h5py
import numpy as np

from fgnet.download.cache import Cache, key, locked
from fgnet.download.layers import Layer, Shape, Slices, Unreadable
from fgnet.errors import InputError
from fgnet.progress import track
from fgnet.volume import Array
from fgnet.whole import whole_or_nothing

LOG = logging.getLogger(__name__)
Found = TypeVar("Found")
VOXELS = 1 << 24  # of a piece: enough to hide a network's latency, little to lose


def in_pieces(layer: Layer, cache: Cache) -> Layer:
    """The layer, read from pieces on this machine.

    A piece appears whole or not at all; a run that broke off leaves those that came, and the
    next goes on after them. A failed piece is tried again as often as the settings say.
    """
    assert layer.remote is not None and layer.chunks is not None
    # pieces of a layer that has grown or become another do not go with those of before
    remote = layer.remote
    identity = f"{remote} {layer.shape} {layer.dtype}"
    folder = cache.folder / key(identity, remote.rsplit("/", 1)[-1])
    edge = piece(layer.chunks)

    def prepare(box: Slices) -> tuple[Path, ...]:
        wanted = list(pieces(box, layer.chunks or edge, edge, layer.shape))
        for one in track(wanted, f"fetch {remote}"):
            path = place(folder, one)
            with locked(path):
                if not path.is_file():
                    keep(path, tried(remote, partial(layer.read, one), cache))
        return ()

    def read(box: Slices) -> Array:
        found = np.zeros([cut.stop - cut.start for cut in box], layer.dtype)
        for path, bounds in kept(folder):
            inner = [
                (max(cut.start, low), min(cut.stop, high))
                for cut, (low, high) in zip(box, bounds, strict=True)
            ]
            if all(start < stop for start, stop in inner):
                here = tuple(
                    slice(start - cut.start, stop - cut.start)
                    for (start, stop), cut in zip(inner, box, strict=True)
                )
                there = tuple(
                    slice(start - low, stop - low)
                    for (start, stop), (low, _) in zip(inner, bounds, strict=True)
                )
                with h5py.File(path, "r") as file:
                    found[here] = file["values"][there]
        return found

    return replace(layer, prepare=prepare, read=read)


def piece(chunks: Shape) -> Shape:
    """Size of a piece: doubled along its shortest axis while it stays within the limit."""
    size = list(chunks)
    while np.prod(size) * 2 <= VOXELS:
        size[size.index(min(size))] *= 2
    return size[0], size[1], size[2]


def pieces(box: Slices, chunks: Shape, edge: Shape, shape: Shape) -> Iterator[Slices]:
    """Pieces that cover a box: on a fixed grid, cut to the chunks that the box touches."""
    axes = []
    for cut, chunk, step, size in zip(box, chunks, edge, shape, strict=True):
        low, high = cut.start // chunk * chunk, min(-(-cut.stop // chunk) * chunk, size)
        starts = [low, *range((low // step + 1) * step, high, step)]
        stops = [*starts[1:], high]
        axes.append([slice(*pair) for pair in zip(starts, stops, strict=True)])
    yield from itertools.product(*axes)


def place(folder: Path, box: Slices) -> Path:
    """The file of a piece, named by its bounds."""
    return folder / ("_".join(f"{cut.start}-{cut.stop}" for cut in box) + ".h5")


def kept(folder: Path) -> Iterator[tuple[Path, list[tuple[int, int]]]]:
    """The pieces on this machine and their bounds."""
    for path in folder.glob("[0-9]*.h5"):
        ends = [part.split("-") for part in path.stem.split("_")]
        yield path, [(int(low), int(high)) for low, high in ends]


def keep(path: Path, values: Array) -> None:
    """Write a piece whole."""
    with whole_or_nothing(path) as partial, h5py.File(partial, "w") as file:
        file.create_dataset("values", data=values, compression="gzip", compression_opts=1,
                            shuffle=True, chunks=True)  # fmt: skip


def tried(name: str, read: Callable[[], Found], cache: Cache) -> Found:
    """What is read from an address, again after a pause when the network fails."""
    for failures in itertools.count(1):
        try:
            return within(10 * cache.settings.timeout, read)
        except InputError as error:
            if not isinstance(error, Unreadable) or failures > cache.settings.retries:
                raise
            reason: Exception = error
        except Exception as error:  # whatever the libraries below raise for a broken connection
            if failures > cache.settings.retries:
                raise InputError(
                    f"{name} could not be read in {failures} tries "
                    f"({type(error).__name__}: {error}); check the network and run again, it goes "
                    "on after the pieces that came"
                ) from error
            reason = error
        pause = cache.settings.backoff * 2 ** (failures - 1)
        LOG.warning("%s: %s; next try in %.1f s", name, reason, pause)
        time.sleep(pause)
    raise AssertionError


def within(seconds: float, read: Callable[[], Found]) -> Found:
    """What is read, or a TimeoutError.

    The libraries below wait for ever where a server stalls.
    """
    done: queue.SimpleQueue[Found | BaseException] = queue.SimpleQueue()

    def work() -> None:
        try:
            done.put(read())
        except BaseException as error:
            done.put(error)

    # a daemon, so that a read that never ends does not keep the process from ending
    threading.Thread(target=work, daemon=True).start()
    try:
        found = done.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer within {seconds:g} s") from None
    if isinstance(found, BaseException):
        raise found
    return found
