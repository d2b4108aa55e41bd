"""Settings, times, sizes and maps as a person reads them."""

import json
from collections.abc import Container, Sequence
from typing import Any

from fgnet.report import html

MAPS = {"coarse": "Coarse affinities (A_s)", "refined": "Refined affinities (A_r)"}


def maps(there: Container[str]) -> dict[str, str]:
    """The titles of the affinity maps that there are of "coarse" and "refined", in this order."""
    found = {name: title for name, title in MAPS.items() if name in there}
    return found if len(found) > 1 else dict.fromkeys(found, "Affinities")


def settings(values: dict[str, Any]) -> html.Html:
    """Settings as a table of dotted keys, in the order given."""
    rows = [
        (key, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for key, value in flat(values)
    ]
    return html.table(["setting", "value"], rows)


def flat(values: dict[str, Any], above: str = "") -> list[tuple[str, Any]]:
    """Nested settings as (dotted key, value)."""
    found: list[tuple[str, Any]] = []
    for key, value in values.items():
        if isinstance(value, dict) and value:
            found += flat(value, f"{above}{key}.")
        else:
            found.append((f"{above}{key}", value))
    return found


def duration(seconds: float) -> str:
    """A time in words that a person reads at once."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    if seconds < 7200:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"


def size(count: float) -> str:
    """Bytes in words."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def aligned(rows: Sequence[Sequence[str]], numbers: int) -> str:
    """Rows as text for a terminal, their columns aligned; so many from the right flush right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    first = len(widths) - numbers
    lines = [
        "  ".join(
            cell.ljust(width) if column < first else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join(lines) + "\n"
