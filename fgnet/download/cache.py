"""The folder of fetched and unpacked files, shared by volumes and by concurrent jobs."""

import fcntl
import gzip
import hashlib
import logging
import os
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

import requests

from fgnet.download.http import fetch
from fgnet.errors import InputError
from fgnet.settings.download import Download
from fgnet.volume import digest, whole_or_nothing

LOG = logging.getLogger(__name__)
PROJECT = Path(__file__).parents[2]
Stream = IO[bytes] | gzip.GzipFile


@dataclass(frozen=True)
class Cache:
    """Where fetched files are kept, how they are fetched, and what came.

    Attributes:
        came: checksum of what came from each address for which the config gives none.
    """

    folder: Path
    settings: Download
    session: requests.Session = field(default_factory=requests.Session)
    came: dict[str, str] = field(default_factory=dict)

    def local(
        self,
        location: str,
        checksum: str | None = None,
        member: str | None = None,
        mirrors: Sequence[str] = (),
    ) -> Path:
        """A path on this machine for a path or an http(s) address, unpacked.

        A local file is used where it lies; an address is fetched once. ``member`` is taken out
        of a .zip archive, and a name that ends in .gz is decompressed.

        Raises InputError when there is no such file or it is not the one of the checksum.
        """
        path = self._fetched(location, checksum, mirrors)
        if member is not None:
            return self._unpacked(path, member, _member(path, member))
        if path.suffix == ".gz":
            return self._unpacked(path, path.stem, _gunzipped(path))
        return path

    def forget(self, path: Path) -> bool:
        """Remove a file that proved unusable, so that the next run fetches it anew.

        Returns whether it was one that had been fetched or unpacked here.
        """
        if path.parent != self.folder:
            return False
        path.unlink(missing_ok=True)
        return True

    def first(self, address: str) -> str | None:
        """The checksum of what came from an address first, as the lock file has it."""
        return read_lock(Path(self.settings.lock)).get(address)

    def check(self, address: str, checksum: str) -> None:
        """Compare what came from an address with what came first.

        Raises InputError when it is not the same.
        """
        first = self.first(address)
        if first not in (None, checksum):
            raise InputError(
                f"{address} gave the checksum {checksum}, and {first} when it was first fetched "
                f"({self.settings.lock}); find out why it changed, or remove its line there"
            )
        self.came[address] = checksum

    def remember(self) -> None:
        """Note in the lock file what came, once it has proved to be usable."""
        lock = Path(self.settings.lock)
        if not self.came.keys() - read_lock(lock).keys():
            return
        with locked(lock):
            lines = read_lock(lock)
            lines.update({url: lines.get(url, digest) for url, digest in self.came.items()})
            with whole_or_nothing(lock) as partial:
                text = "".join(f"{lines[url]}  {url}\n" for url in sorted(lines))
                partial.write_text(text, encoding="utf-8")

    def _fetched(self, location: str, checksum: str | None, mirrors: Sequence[str]) -> Path:
        if not location.startswith(("http://", "https://")):
            path = _path(location)
            if "://" in location and not location.startswith("file://"):
                raise InputError(
                    f"{location!r} is no layer of chunks, and single files are fetched over "
                    "http(s) alone; copy it to a path here"
                )
            if not path.is_file():
                raise InputError(f"there is no file {str(path)!r}; check the path in the config")
            if checksum is not None and (seen := digest(path, checksum)) != checksum:
                raise InputError(
                    f"{str(path)!r} has the checksum {seen}, not {checksum}; "
                    "correct the checksum in the config or get the file anew"
                )
            return path
        name = unquote(urlsplit(location).path).rsplit("/", 1)[-1]
        target = self.folder / key(location, name)
        wanted = checksum or self.first(location)
        with locked(target):
            if not (
                target.is_file() and (checksum is None or digest(target, checksum) == checksum)
            ):
                self._from_any([location, *mirrors], target, wanted)
        if checksum is None:
            self.check(location, digest(target))
        return target

    def _from_any(self, addresses: Sequence[str], target: Path, checksum: str | None) -> None:
        for number, address in enumerate(addresses, 1):
            try:
                fetch(address, target, self.settings, checksum, self.session)
                return
            except InputError as error:
                if number == len(addresses):
                    raise
                LOG.warning("%s; the mirror %s is tried", error, addresses[number])

    def _unpacked(self, packed: Path, name: str, content: AbstractContextManager[Stream]) -> Path:
        state = packed.stat()
        identity = f"{packed.resolve()} {state.st_size} {state.st_mtime_ns} {name}"
        target = self.folder / key(identity, name.rsplit("/", 1)[-1])
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


def read_lock(path: Path) -> dict[str, str]:
    """Address -> checksum of what came from it first."""
    if not path.is_file():
        return {}
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        checksum, gap, address = line.partition("  ")
        if not gap or not re.fullmatch(r"sha256:[0-9a-f]{64}", checksum):
            raise InputError(
                f"{str(path)!r}: the line {line!r} is no checksum and address; correct or remove it"
            )
        found[address] = checksum
    return found


def _path(location: str) -> Path:
    if location.startswith("file://"):
        return Path(unquote(urlsplit(location).path))
    return Path(location)


def key(identity: str, name: str) -> str:
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
