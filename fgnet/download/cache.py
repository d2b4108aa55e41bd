"""The folder of fetched and unpacked files, shared by volumes and by concurrent jobs."""

from __future__ import annotations

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
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from fgnet.checksum import digest
from fgnet.errors import Damaged, InputError
from fgnet.settings.download import Download
from fgnet.silence import doing
from fgnet.whole import whole_or_nothing

if TYPE_CHECKING:  # imported where something is fetched
    import requests

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
    came: dict[str, str] = field(default_factory=dict)

    @cached_property
    def session(self) -> requests.Session:
        """The connections that all files come through."""
        import requests

        return requests.Session()

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
        path = self.fetched(location, checksum, mirrors)
        with self.using(location, path):
            if member is None and _zipped(path):
                member = _only(path)
            if member is not None:
                return self._unpacked(path, member, _member(path, member))
            if path.suffix == ".gz":
                return self._unpacked(path, path.stem, _gunzipped(path))
        return path

    @contextmanager
    def using(self, location: str, path: Path) -> Iterator[None]:
        """Remove what came from an address, or was unpacked, where its use shows it damaged.

        The next run then gets it anew; a file that the user has here stays.
        """
        try:
            yield
        except Damaged as error:
            if path.parent == self.folder and path != _path(location):
                path.unlink(missing_ok=True)
            if not remote(location):
                raise
            self._place(location).unlink(missing_ok=True)
            raise InputError(f"{location} gave a wrong file: {error}") from error

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
                f"({self.settings.lock}); find out why it changed: where what is kept in "
                f"{str(self.folder)!r} is old, remove that, and where the change is right, the "
                "address's line"
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

    def fetched(self, location: str, checksum: str | None, mirrors: Sequence[str]) -> Path:
        """The file itself, packed as it is; see :meth:`local`."""
        if not remote(location):
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
        target = self._place(location)
        wanted = checksum or self.first(location)
        with locked(target):
            if not (target.is_file() and (wanted is None or digest(target, wanted) == wanted)):
                self._from_any([location, *mirrors], target, wanted)
        if checksum is None:
            self.check(location, digest(target))
        return target

    def _place(self, address: str) -> Path:
        """Where what comes from an address is kept."""
        return self.folder / key(address, unquote(urlsplit(address).path).rsplit("/", 1)[-1])

    def _from_any(self, addresses: Sequence[str], target: Path, checksum: str | None) -> None:
        from fgnet.download.http import fetch

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
                        doing(f"unpack {packed}", aloud=False),
                        content as source,
                        whole_or_nothing(target) as partial,
                        partial.open("wb") as stream,
                    ):
                        shutil.copyfileobj(source, stream, 1 << 20)
                except (RuntimeError, NotImplementedError) as error:
                    raise InputError(
                        f"{str(packed)!r} cannot be unpacked ({error}); unpack it yourself and "
                        "give the path of what is in it"
                    ) from error
                except (gzip.BadGzipFile, zipfile.BadZipFile, EOFError, zlib.error) as error:
                    raise Damaged(
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


def remote(location: str) -> bool:
    """Whether a place is an address from which single files are fetched."""
    return location.startswith(("http://", "https://"))


def _path(location: str) -> Path:
    if location.startswith("file://"):
        return Path(unquote(urlsplit(location).path))
    return Path(location)


def key(identity: str, name: str) -> str:
    """A file name that tells what it is and belongs to this identity alone."""
    readable = re.sub(r"[^\w.+-]", "_", name, flags=re.ASCII)[-80:].lstrip(".")
    return f"{hashlib.sha256(identity.encode()).hexdigest()[:12]}-{readable}"


def _zipped(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) == b"PK\x03\x04"


def _only(path: Path) -> str:
    """The one file in an archive. Raises InputError where there are several."""
    with zipfile.ZipFile(path) as archive:
        names = [one.filename for one in archive.infolist() if not one.is_dir()]
    if len(names) != 1:
        raise InputError(
            f"{str(path)!r} holds {', '.join(names)}; say with `member` which one is meant"
        )
    return names[0]


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
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                with doing(f"waiting for another job that makes {target}"):
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
