"""Settings of places: paths and addresses, which of them are taken, and what they name here."""

import os
import re
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, Field

from fgnet.settings.base import Plain, watched

RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
VARIABLE = re.compile(r"\$\{(\w+)\}")
SCHEMES = ("http", "https", "file", "gs", "s3")
SCHEME = re.compile(r"[A-Za-z][\w+.-]+(?=:)", re.ASCII)
# what services call the parts of a query that open a file to whoever has the address
SECRET = re.compile(
    r"key|token|secret|passw|pwd|credential|auth|sig$|signature|x-(amz|goog|ms)-", re.IGNORECASE
)
LONGEST = 255  # bytes of a name in a folder, on the usual file systems


def _location(text: str) -> str:
    if secret := _secret(text):
        raise ValueError(secret)
    ranges = RANGE.findall(text)
    if len(ranges) > 1 or any(int(first) > int(last) for first, last in ranges):
        raise ValueError("a pattern has one range that goes up, such as {0000..0099}")
    scheme = SCHEME.match(text)
    if scheme and (scheme[0] not in SCHEMES or not text.startswith("://", scheme.end())):
        raise ValueError(
            f"a path or an address is needed that starts with {'://, '.join(SCHEMES)}://; "
            "a path with a colon may start with ./"
        )
    if text.startswith("file://") and not text.startswith(("file:///", "file://${")):
        raise ValueError(
            "file:// is followed by a path from the root of this machine, as in file:///data/em.h5"
        )
    here = scheme is None or scheme[0] == "file"
    if here and (len(text.encode()) > 4000 or _longest(text) > LONGEST):
        raise ValueError(f"a name in a path has at most {LONGEST} bytes, and a path 4000")
    if here:
        watched(VARIABLE.sub("", RANGE.sub("", text)))
    return text


def _longest(path: str) -> int:
    return max(len(name.encode()) for name in path.split("/"))


def _secret(text: str) -> str | None:
    """Why an address would put a secret into all that is written about a run."""
    if "://" not in text:
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return "this is no address"
    if "@" in parts.netloc:
        return (
            "an address has no user and password, which records and logs would keep; "
            "put them into ~/.netrc"
        )
    for part in re.split("[&;]", parts.query):
        name, _, value = part.partition("=")
        if SECRET.search(unquote(name)) and VARIABLE.sub("", value):
            return (
                f"{unquote(name)!r} in an address is a secret, which records and logs would keep; "
                f"write {name}=${{NAME}} and set the environment variable NAME"
            )
    return None


Location = Annotated[Plain, Field(min_length=1), AfterValidator(_location)]


def filled(text: str) -> str:
    """The text with its environment variables; in a query they wait for :func:`opened`."""
    if text.startswith("~/"):
        text = str(Path(text).expanduser())
    if not text.startswith(("http://", "https://")):
        return opened(text)
    address, mark, query = text.partition("?")
    return opened(address) + mark + query


def opened(text: str) -> str:
    """An address as it is asked for. The query's variables are filled in by the job alone, so
    that a secret is neither in its settings nor in what it says and writes.
    """
    return VARIABLE.sub(lambda match: os.environ[match[1]], text)


def numbered(pattern: str) -> list[str]:
    """The names of a pattern with one range, such as ``iso.{2600..2849}.png``."""
    match = RANGE.search(pattern)
    assert match is not None
    first, last = match.groups()
    width = len(first) if first.startswith("0") else 0
    return [
        f"{pattern[: match.start()]}{number:0{width}d}{pattern[match.end() :]}"
        for number in range(int(first), int(last) + 1)
    ]


def local_files(place: str) -> list[str]:
    """The files on this machine that a path, a folder or a pattern names."""
    path = Path(place.removeprefix("file://"))
    if RANGE.search(place):
        found = [Path(name) for name in numbered(place)]
    elif path.is_dir():
        found = sorted(path.iterdir())
    elif not path.exists() and set("*?[") & {*path.name} and path.parent.is_dir():
        found = sorted(path.parent.glob(path.name))
    else:
        found = [path]
    # in a folder are names that Snakemake cannot watch, too
    return [str(one) for one in found if one.is_file() and not {*"{}<>"} & {*str(one)}]
