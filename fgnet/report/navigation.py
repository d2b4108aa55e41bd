"""The ways from one page of the report to the others."""

import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

from fgnet.report import html
from fgnet.settings.base import Section


class Link(Section):
    """A page and what the links to it say; pages of one group stand together under its name."""

    title: str
    page: Path
    group: str | None = None


def bar(links: Sequence[Link], page: Path) -> html.Html:
    """What stands above a page: links to all others, those of a group in a menu."""
    parts = []
    for group, found in groupby(links, key=lambda link: link.group):
        items = list(found)
        if group is None:
            parts += [_link(item, page) for item in items]
        elif len(items) == 1:
            parts.append(_link(items[0], page, f"{group}: {items[0].title}"))
        else:
            here = ' class="here"' if any(_same(item.page, page) for item in items) else ""
            inner = "".join(f"<li>{_link(item, page).text}</li>" for item in items)
            # one name: opening a menu closes the others
            parts.append(
                html.Html(
                    f'<details name="menu"{here}><summary>{html.text(group)}</summary>'
                    f"<ul>{inner}</ul></details>"
                )
            )
    return html.Html(f"<nav>{html.join(parts).text}</nav>")


def lists(links: Sequence[Link], page: Path) -> list[html.Html]:
    """The same links as headings and lists, in the body of a page, without the page itself."""
    groups: dict[str, list[html.Html]] = {}
    for link in sorted(links, key=lambda link: link.group is None):
        if not _same(link.page, page):
            item = html.tag("li", _link(link, page))
            groups.setdefault(link.group or "More", []).append(item)
    return [
        part
        for group, items in groups.items()
        for part in (html.tag("h2", group), html.tag("ul", html.join(items)))
    ]


def relative(target: Path, page: Path) -> str:
    """The URL of a file as seen from a page."""
    return quote(Path(os.path.relpath(target, page.parent)).as_posix())


def _link(link: Link, page: Path, title: str | None = None) -> html.Html:
    words = title or link.title
    if _same(link.page, page):
        return html.Html(f'<a aria-current="page" href="">{html.text(words)}</a>')
    return html.link(relative(link.page, page), words)


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()
