"""Files and folders that appear whole or not at all."""

import glob
import os
import shutil
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_or_nothing(path: Path) -> Iterator[Path]:
    """Give a unique path beside ``path`` to write to; move it into place at the end.

    When the work fails, the partial file goes and ``path`` stays as it was. A process that is
    killed cannot do that, so the next that makes ``path`` on the same machine does.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _beside(path)
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_folder_or_nothing(path: Path) -> Iterator[Path]:
    """The same of a folder: give a new one beside ``path`` to fill."""
    partial = _beside(path)
    partial.mkdir(parents=True)
    try:
        yield partial
        shutil.rmtree(path, ignore_errors=True)
        partial.replace(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _beside(path: Path) -> Path:
    """A name that no other process takes; what killed processes of this machine left goes."""
    start = f".{path.name}.{socket.gethostname()[:32]}."
    for left in path.parent.glob(f"{glob.escape(start)}*.partial"):
        process = left.name.removeprefix(start).split(".")[0]
        if process.isdecimal() and not _lives(int(process)):
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
    return path.with_name(f"{start}{os.getpid()}.{uuid.uuid4().hex[:8]}.partial")


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    return True
