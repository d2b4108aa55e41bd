"""Entries that are a whole, with an origin of their own, or a part of another entry."""

import difflib
from collections.abc import Mapping
from typing import Any, Protocol


class Entry(Protocol):
    """A volume or a set of images."""

    of: str | None


def one_origin(entry: Any) -> str:
    """Which of source, phantom and of an entry has. Raises ValueError unless it is one."""
    given = [key for key in ("source", "phantom", "of") if getattr(entry, key) is not None]
    if len(given) != 1:
        raise ValueError(
            "exactly one of source, phantom and of is needed, not "
            + (" and ".join(given) or "none")
        )
    return given[0]


def known_wholes(entries: Mapping[str, Entry], noun: str) -> None:
    """Raises ValueError where a part is of something that is no whole."""
    wholes = [name for name, entry in entries.items() if entry.of is None]
    for name, entry in entries.items():
        if entry.of is not None and entry.of not in wholes:
            close = difflib.get_close_matches(entry.of, wholes, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(wholes)}"
            raise ValueError(
                f"{name}.of: there is no {noun} {entry.of!r} with a source or phantom; {hint}"
            )
