"""What must not leave this machine with the results: credentials, and where its files lie."""

import re
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

# a local place: /data/em.h5, ~/em.h5, file:///data/em.h5, C:\data\em.h5
LOCAL = re.compile(r"(file://)?(/|~|[A-Za-z]:[\\/])")
ADDRESS = re.compile(r"\w[\w+.-]*://(?!/)")


def without_credentials(value: Any) -> Any:
    """The value with addresses that carry no user, password, query or fragment.

    Which keys of a query are a signature is known to its service alone, so all of it goes.
    """
    return _mapped(value, _address)


def public(value: Any) -> Any:
    """As :func:`without_credentials`, and of files of this machine the name alone."""
    return _mapped(value, lambda text: place(_address(text)))


def place(text: str) -> str:
    """The text, or where it is a path from a machine's root, its last part."""
    if not LOCAL.match(text):
        return text
    return PurePosixPath(text.replace("\\", "/")).name or "folder"


def _address(text: str) -> str:
    if not ADDRESS.match(text):
        return text
    try:
        parts = urlsplit(text)
    except ValueError:  # no address after all: say no more than what it began as
        return text.partition("://")[0] + "://"
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _mapped(value: Any, change: Any) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _mapped(each, change) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_mapped(each, change) for each in value]
    return value
