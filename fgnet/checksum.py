"""Checksums of files, read in parts."""

import hashlib
from functools import cache
from pathlib import Path

from fgnet.silence import doing


def sha256(path: Path) -> str:
    """Checksum of a file; of one that has not changed since it was asked for before at no cost."""
    state = path.stat()
    return _sha256(path.resolve(), state.st_ino, state.st_size, state.st_mtime_ns)


@cache
def _sha256(path: Path, *state: int) -> str:
    with doing(f"checksum of {path}", aloud=False), path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest(path: Path, like: str = "sha256:") -> str:
    """Checksum of a file as ``sha256:…`` or ``md5:…``, of the kind of ``like``."""
    kind = like.partition(":")[0]
    with doing(f"checksum of {path}", aloud=False), path.open("rb") as stream:
        return f"{kind}:{hashlib.file_digest(stream, kind).hexdigest()}"
