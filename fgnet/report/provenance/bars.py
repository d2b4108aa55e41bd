"""The chart of where the time goes: a bar for each stage, in parts for its kinds of job.

Of plain HTML, so that its words are as large as the page's on a phone, too.
"""

import html as escaping
from collections.abc import Sequence

from fgnet.report import html, words
from fgnet.report.provenance.jobs import Job, groups
from fgnet.report.style import LINES

REST = "soft"  # colour of what is left when every colour has its part


def bars(stages: Sequence[Job]) -> html.Html:
    """The bars, each with the names of its parts below it; longest first, all to one scale.

    Args:
        stages: see :func:`fgnet.report.provenance.jobs.groups`.
    """
    longest = stages[0].seconds or 1
    inner = "".join(bar(stage, longest) for stage in stages)
    return html.Html(f'<div class="bars">{inner}</div>')


def bar(stage: Job, longest: float) -> str:
    """One stage: its name and time, its bar, and a key to the parts of the bar."""
    found = parts(stage)
    whole = words.duration(stage.seconds or 0)
    pieces = "".join(
        f'<i title="{escaping.escape(f"{stage.name} {name}: {words.duration(seconds)}")}"'
        f' style="width: {100 * seconds / longest:.4g}%; background: var(--{colour})"></i>'
        for name, seconds, colour in found
    )
    keys = html.keys(
        (f"var(--{colour})", f"{name} {words.duration(seconds)}") for name, seconds, colour in found
    )
    below = keys.text if len(found) > 1 else ""
    name = html.text(stage.name)
    return f"<p><b>{name}</b> {whole}</p><div aria-hidden=true>{pieces}</div>{below}"


def parts(stage: Job) -> list[tuple[str, float, str]]:
    """Name, seconds and colour of each kind of job, longest first; more kinds than colours share
    the last.
    """
    kinds = [one for one in groups(stage.jobs, "kind") if one.seconds]
    room = len(kinds) if len(kinds) <= len(LINES) else len(LINES) - 1
    found = [
        (one.name.removeprefix(f"{stage.name} "), one.seconds or 0, colour)
        for one, colour in zip(kinds[:room], LINES, strict=False)
    ]
    if left := kinds[room:]:
        names = ", ".join(one.name.removeprefix(f"{stage.name} ") for one in left)
        found.append((names, sum(one.seconds or 0 for one in left), REST))
    return found
