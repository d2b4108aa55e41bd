"""The ways from one page of the report to the others.

What stands above a page is the same in every report, whatever its config: a model more must not
make the pages of all others anew. The overview alone lists the pages there are.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from fgnet.report import html
from fgnet.settings.base import Section

Group = Literal["Segmentation", "Masks", "Training", "Data"]

OVERVIEW = "index.html"
# what a page's notebook is called: the words of its entry, and where that leads to
ENTRIES = {
    "index": ("Overview", OVERVIEW),
    "segment": ("Segmentation", f"{OVERVIEW}#segmentation"),
    "train": ("Training", f"{OVERVIEW}#training"),
    "data": ("Data", f"{OVERVIEW}#data"),
    "evaluate": ("Scores", "evaluate.html"),
    "provenance": ("Provenance", "provenance.html"),
}
# pages of sets of images stand where those of volumes do
ALIKE = {"images": "data", "mask": "segment", "evaluate_masks": "evaluate"}
IDS = {"Masks": "segmentation"}


class Link(Section):
    """A page and what the link to it says; pages of one group stand together under its name."""

    title: str
    page: Path
    group: Group | None = None


def bar(kind: str, root: str = ".") -> html.Html:
    """What stands above a page; the entry of its own kind is marked.

    Args:
        kind: of the page, a key of :data:`ENTRIES` or :data:`ALIKE`.
        root: the report's folder, in which the overview lies, as seen from the page: such as "..".
    """
    parts = []
    own = ALIKE.get(kind, kind)
    for name, (words, target) in ENTRIES.items():
        # such a page is what its entry leads to, or one of many of its kind
        here = "" if name != own else f' aria-current="{"true" if "#" in target else "page"}"'
        parts.append(html.Html(f'<a{here} href="{root}/{target}">{words}</a>'))
    return html.Html(f"<nav>{html.join(parts).text}</nav>")


def lists(links: Sequence[Link], page: Path) -> list[html.Html]:
    """Pages as headings, which the bar leads to, and lists."""
    groups: dict[str, list[html.Html]] = {}
    for link in sorted(links, key=lambda link: link.group is None):
        item = html.tag("li", html.link(relative(link.page, page), link.title))
        groups.setdefault(link.group or "More", []).append(item)
    return [
        part
        for group, items in groups.items()
        for part in (
            html.Html(f'<h2 id="{IDS.get(group, group.lower())}">{group}</h2>'),
            html.tag("ul", html.join(items)),
        )
    ]


def relative(target: Path, page: Path) -> str:
    """The URL of a file as seen from a page."""
    return quote(Path(os.path.relpath(target, page.parent)).as_posix())
