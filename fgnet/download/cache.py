"""The folder of fetched and unpacked files, shared by volumes and by concurrent jobs."""

import fcntl
import gzip
import hashlib
import os
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

import requests

from fgnet.download.http import fetch
from fgnet.errors import InputError
from fgnet.settings.download import Download
from fgnet.volume import sha256, whole_or_nothing

Stream = IO[bytes] | gzip.GzipFile


@dataclass(frozen=True)
class Cache:
    """Where fetched files are kept, and how they are fetched."""

    folder: Path
    settings: Download
    session: requests.Session = field(default_factory=requests.Session)

    def local(self, location: str, checksum: str | None = None, member: str | None = None) -> Path:
        """A path on this machine for a path or an http(s) address, unpacked.

        A local file is used where it lies; an address is fetched once. ``member`` is taken out
        of a .zip archive, and a name that ends in .gz is decompressed.

        Raises InputError when there is no such file or it is not the one of the checksum.
        """
        path = self._fetched(location, checksum)
        if member is not None:
            return self._unpacked(path, member, _member(path, member))
        if path.suffix == ".gz":
            return self._unpacked(path, path.stem, _gunzipped(path))
        return path

    def forget(self, path: Path) -> None:
        """Remove a file that proved unusable, so that the next run fetches it anew."""
        if path.parent == self.folder:
            path.unlink(missing_ok=True)

    def _fetched(self, location: str, checksum: str | None) -> Path:
        if not location.startswith(("http://", "https://")):
            path = _path(location)
            if not path.is_file():
                raise InputError(f"there is no file {str(path)!r}; check the path in the config")
            if checksum is not None and (seen := sha256(path)) != checksum:
                raise InputError(
                    f"{str(path)!r} has the SHA-256 checksum {seen}, not {checksum}; "
                    "correct the checksum in the config or get the file anew"
                )
            return path
        name = unquote(urlsplit(location).path).rsplit("/", 1)[-1]
        target = self.folder / _key(location, name)
        with locked(target):
            if target.is_file() and (checksum is None or sha256(target) == checksum):
                return target
            return fetch(location, target, self.settings, checksum, self.session)

    def _unpacked(self, packed: Path, name: str, content: AbstractContextManager[Stream]) -> Path:
        state = packed.stat()
        identity = f"{packed.resolve()} {state.st_size} {state.st_mtime_ns} {name}"
        target = self.folder / _key(identity, name.rsplit("/", 1)[-1])
        with locked(target):
            if not target.is_file():
                try:
                    with (
                        content as source,
                        whole_or_nothing(target) as partial,
                        partial.open("wb") as stream,
                    ):
                        shutil.copyfileobj(source, stream, 1 << 20)
                except (gzip.BadGzipFile, zipfile.BadZipFile, EOFError, zlib.error) as error:
                    raise InputError(
                        f"{str(packed)!r} cannot be unpacked ({error}), it may be truncated; "
                        "get it anew"
                    ) from error
        return target


def _path(location: str) -> Path:
    if location.startswith("file://"):
        return Path(unquote(urlsplit(location).path))
    return Path(location)


def _key(identity: str, name: str) -> str:
    """A file name that tells what it is and belongs to this identity alone."""
    readable = re.sub(r"[^\w.+-]", "_", name)[-80:].lstrip(".")
    return f"{hashlib.sha256(identity.encode()).hexdigest()[:12]}-{readable}"


@contextmanager
def _gunzipped(path: Path) -> Iterator[Stream]:
    with gzip.open(path) as stream:
        yield stream


@contextmanager
def _member(path: Path, member: str) -> Iterator[Stream]:
    with zipfile.ZipFile(path) as archive:
        if member not in archive.namelist():
            raise InputError(
                f"{str(path)!r} has no member {member!r}; it holds {', '.join(archive.namelist())}"
            )
        with archive.open(member) as stream:
            yield stream


@contextmanager
def locked(target: Path) -> Iterator[None]:
    """Hold a lock beside the target that other jobs wait for; it goes with its holder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = target.with_name(f".{target.name}.lock")
    while True:
        with lock.open("wb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            if not _still_there(lock, stream):
                continue
            try:
                yield
            finally:
                lock.unlink()
            return


def _still_there(lock: Path, stream: IO[bytes]) -> bool:
    """Whether the open file still has that name; the holder before may have removed it."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), lock.stat())
    except FileNotFoundError:
        return False
