"""One file over http(s): resumed where it broke off, checked, and whole or not at all."""

import hashlib
import json
import logging
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import requests
from urllib3.exceptions import HTTPError

from fgnet import __version__
from fgnet.checksum import digest
from fgnet.errors import InputError, public
from fgnet.progress import track
from fgnet.settings.download import Download
from fgnet.settings.locations import opened
from fgnet.silence import doing

LOG = logging.getLogger(__name__)
PIECE = 1 << 20
LARGE = 32 * PIECE
PASSING = {408, 425, 429, 500, 502, 503, 504}
MALFORMED = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
)


class BrokenOff(requests.RequestException):
    """The transfer ended early or the server asked for patience; worth another try."""


def fetch(
    url: str,
    target: Path,
    settings: Download,
    checksum: str | None = None,
    session: requests.Session | None = None,
) -> Path:
    """Fetch a file, resuming what an earlier try or run left beside the target.

    Bytes arrive in ``.NAME.….partial``, one for each address, which survives a broken connection
    or a killed job and takes the target's name once it is complete and has the checksum asked
    for (``sha256:…`` or ``md5:…``). What a server says of its file (size, ETag or date) decides
    whether it can be resumed; where it says nothing, only a checksum makes that safe.

    Raises:
        InputError: the server refuses the address, the checksum differs, or the retries are
            used up (the bytes so far stay for the next run).
    """
    session = session or requests.Session()
    target.parent.mkdir(parents=True, exist_ok=True)
    tag = hashlib.sha256(url.encode()).hexdigest()[:8]
    partial = target.with_name(f".{target.name}.{tag}.partial")
    pieces = _transfer(session, url, partial, settings, checksum is not None)
    if checksum is not None and digest(partial, checksum) != checksum and pieces > 1:
        # the file may have changed at the server between two halves
        LOG.warning("%s: resumed to a wrong checksum, fetched anew", url)
        _discard(partial)
        _transfer(session, url, partial, settings, False)
    if checksum is not None and (seen := digest(partial, checksum)) != checksum:
        _discard(partial)
        raise InputError(
            f"{url} has the checksum {seen}, not {checksum}; "
            "find out why the file changed, or correct the checksum in the config or the lock file"
        )
    partial.replace(target)
    _discard(partial)
    return target


def _transfer(
    session: requests.Session, url: str, partial: Path, settings: Download, checked: bool
) -> int:
    """Try until the partial file is complete; only tries that got no further are counted.

    Args:
        checked: whether a checksum will tell if the file changed between two tries.

    Returns:
        of how many pieces the file is made.
    """
    failures, furthest = 0, _size(partial)
    pieces = 2 if furthest else 1
    while True:
        try:
            _receive(session, url, partial, settings, checked)
            return pieces
        except MALFORMED as error:
            raise InputError(
                f"{url!r} is no address, or leads to none of http(s) ({public(error)}); correct it"
            ) from error
        except (requests.RequestException, HTTPError) as error:
            reached, pieces = _size(partial), pieces + 1
            failures = 1 if reached > furthest else failures + 1
            furthest = max(furthest, reached)
            if failures > settings.retries:
                raise InputError(
                    f"{url} could not be fetched in {failures} tries ({public(error)}); check the "
                    f"network and run again, it goes on after the {reached} bytes that came"
                ) from error
            pause = settings.backoff * 2 ** (failures - 1)
            LOG.warning("%s: %s; next try in %.1f s", url, public(error), pause)
            time.sleep(pause)


def _receive(
    session: requests.Session, url: str, partial: Path, settings: Download, checked: bool
) -> None:
    """One request that completes the partial file or raises."""
    note = _note(partial)
    have = _size(partial) if note and (checked or note["validator"]) else 0
    if have and have == note["size"]:
        return
    headers = {"Accept-Encoding": "identity", "User-Agent": f"fgnet/{__version__}"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if note["validator"]:
            headers["If-Range"] = note["validator"]
    # all else that is said and written of the file calls it by the address with its variables
    asked = opened(url)
    with (
        doing(f"fetch {url}", aloud=False),
        session.get(asked, headers=headers, stream=True, timeout=settings.timeout) as response,
    ):
        _check_status(response, url, partial)
        resumed = response.status_code == 206
        total = _total(response)
        if resumed and not _continues(response, have, note):
            _discard(partial)
            raise BrokenOff("the file changed at the server")
        with partial.open("ab" if resumed else "wb") as stream:
            if not resumed:
                _note_path(partial).write_text(
                    json.dumps({"size": total, "validator": _validator(response)})
                )
            if total is None:
                stream.writelines(response.iter_content(PIECE))
            else:
                _copy(response, stream, total - (have if resumed else 0), url)
    if total is not None and (size := _size(partial)) != total:
        if size > total:
            _discard(partial)
        raise BrokenOff(f"{size} of {total} bytes came")


def _copy(response: requests.Response, stream: IO[bytes], left: int, url: str) -> None:
    """Write bytes as they come, so that what came before a break is kept."""
    megabytes: Iterable[int] = range(-(-left // PIECE))
    if left > LARGE:
        megabytes = track(megabytes, f"fetch {url}")
    for _ in megabytes:
        room = min(PIECE, left)
        left -= room
        while room:
            piece = response.raw.read1(room)
            if not piece:
                raise BrokenOff("the connection broke off")
            stream.write(piece)
            room -= len(piece)


def _check_status(response: requests.Response, url: str, partial: Path) -> None:
    status = response.status_code
    if status == 416:
        _discard(partial)
        raise BrokenOff("the file is shorter than what came before")
    if status in PASSING:
        raise BrokenOff(f"the server answers {status} ({response.reason})")
    if status not in (200, 206):
        _discard(partial)
        raise InputError(
            f"{url} answers {status} ({response.reason}); check the address in the config"
        )


def _total(response: requests.Response) -> int | None:
    """Size of the whole file as the server tells it."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        return None
    if response.status_code == 206:
        match = re.fullmatch(r"bytes \d+-\d+/(\d+)", response.headers.get("Content-Range", ""))
        return int(match[1]) if match else None
    length = response.headers.get("Content-Length")
    return int(length) if length is not None else None


def _continues(response: requests.Response, have: int, note: dict[str, Any]) -> bool:
    content = response.headers.get("Content-Range", "")
    return content.startswith(f"bytes {have}-") and _total(response) == note["size"]


def _validator(response: requests.Response) -> str | None:
    """What proves later that the file is still the same; a weak ETag does not."""
    tag = response.headers.get("ETag")
    if tag and not tag.startswith("W/"):
        return tag
    return response.headers.get("Last-Modified")


def _note_path(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.json")


def _note(partial: Path) -> dict[str, Any]:
    """Size and validator of the file whose first part is here; empty when not resumable."""
    try:
        note: dict[str, Any] = json.loads(_note_path(partial).read_text())
    except (OSError, ValueError):
        return {}
    return note if note.get("size") is not None else {}


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _discard(partial: Path) -> None:
    partial.unlink(missing_ok=True)
    _note_path(partial).unlink(missing_ok=True)
