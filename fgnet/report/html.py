"""Plain HTML: headings, tables, pictures, and the page around them, all in one file."""

import base64
import html
import re
from collections.abc import Iterable, Sequence

STYLE = """
:root { color-scheme: light; --ink: #1c2126; --soft: #5b6670; --line: #dde2e6; --link: #0b5c8a; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem 1rem 4rem; max-width: 76rem; color: var(--ink);
  background: #fff; font: 1rem/1.55 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 1.2rem 0 .6rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 2.4rem 0 .5rem; overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 1.6rem 0 .3rem; overflow-wrap: anywhere; }
p, ul { max-width: 46rem; margin: .4rem 0 .9rem; }
a { color: var(--link); }
nav { font-size: .9rem; }
small, figcaption, .soft { color: var(--soft); font-size: .87rem; }
.wide { overflow-x: auto; margin: .6rem 0 1.2rem; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { padding: .34rem .8rem .34rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
td { overflow-wrap: break-word; }
td code { overflow-wrap: anywhere; }
th { font-weight: 600; color: var(--soft); vertical-align: bottom; line-height: 1.3; }
td.number, th.number { text-align: right; }
td.number { white-space: nowrap; }
code, pre { font: .85rem/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
pre { overflow-x: auto; background: #f6f8f9; padding: .8rem 1rem; border-radius: .3rem; }
figure { margin: 0; min-width: 0; }
figcaption { margin: .15rem 0 .2rem; line-height: 1.4; }
img { display: block; width: 100%; }
.grid { display: grid; gap: 1rem; margin: .6rem 0 1.4rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, var(--least)), 1fr)); }
.grid.voxels { grid-template-columns: repeat(auto-fill, minmax(min(45%, var(--least)), 1fr)); }
.voxels img { image-rendering: pixelated; border-radius: .2rem; }
.scale { display: block; height: 1.5rem; margin-top: .35rem; color: var(--soft);
  border-top: 3px solid var(--ink); font-size: .8rem; white-space: nowrap; }
summary { cursor: pointer; color: var(--link); }
"""


class Html:
    """Text that is HTML already; a notebook shows it as such."""

    def __init__(self, text: str) -> None:
        """Wrap HTML text."""
        self.text = text

    def _repr_html_(self) -> str:
        return self.text


Content = Html | str | int


def text(content: Content) -> str:
    """The content as HTML: plain text is escaped."""
    return content.text if isinstance(content, Html) else html.escape(str(content))


def join(parts: Iterable[Html]) -> Html:
    """Parts one below the other."""
    return Html("\n".join(part.text for part in parts))


def tag(name: str, content: Content) -> Html:
    """An element without attributes."""
    return Html(f"<{name}>{text(content)}</{name}>")


def link(target: str, content: Content) -> Html:
    """A link; the target is a URL, so paths must be quoted before."""
    return Html(f'<a href="{html.escape(target)}">{text(content)}</a>')


def details(title: str, content: Html) -> Html:
    """Content folded away under a title."""
    return Html(f"<details><summary>{text(title)}</summary>{content.text}</details>")


def table(header: Sequence[str], rows: Iterable[Sequence[Content]], numbers: int = 0) -> Html:
    """A table that scrolls sideways on a narrow screen.

    Args:
        numbers: how many columns from the right hold numbers and are set flush right.
    """
    first = len(header) - numbers

    def line(cells: Sequence[Content], name: str) -> str:
        marks = ["" if column < first else ' class="number"' for column in range(len(cells))]
        inner = (
            f"<{name}{mark}>{text(cell)}</{name}>" for mark, cell in zip(marks, cells, strict=True)
        )
        return f"<tr>{''.join(inner)}</tr>"

    body = "\n".join(line(row, "td") for row in rows)
    return Html(
        f'<div class="wide"><table><thead>{line(header, "th")}</thead>'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def image(data: bytes, kind: str, alt: str, aspect: float | None = None) -> Html:
    """A picture inside the page.

    Args:
        kind: "png", "jpeg" or "svg+xml".
        alt: what it shows, for those who cannot see it.
        aspect: width by height, where it is not the picture's own.
    """
    style = f' style="aspect-ratio: {aspect:.5g}"' if aspect else ""
    code = base64.b64encode(data).decode()
    return Html(f'<img alt="{html.escape(alt)}"{style} src="data:image/{kind};base64,{code}">')


def figure(picture: Html, caption: Content, below: str = "") -> Html:
    """A picture under its caption."""
    return Html(f"<figure><figcaption>{text(caption)}</figcaption>{picture.text}{below}</figure>")


def grid(figures: Iterable[Html], least: str = "22rem", kind: str = "") -> Html:
    """Figures side by side, as many as fit when none is narrower than ``least``."""
    inner = "\n".join(item.text for item in figures)
    return Html(f'<div class="grid {kind}" style="--least: {least}">\n{inner}\n</div>')


def page(body: str, home: str | None = None) -> str:
    """A whole page whose title is the first heading of its body.

    Args:
        home: relative URL of the landing page, or None on the landing page itself.
    """
    found = re.search(r"<h1[^>]*>(.*?)</h1>", body, re.DOTALL)
    title = re.sub(r"<[^>]+>", "", found.group(1)) if found else "Report"
    back = f'<nav><a href="{html.escape(home)}">Overview</a></nav>\n' if home else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{back}{body}\n"
        "</body>\n</html>\n"
    )
