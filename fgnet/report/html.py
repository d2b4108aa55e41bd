"""Plain HTML: headings, tables, pictures, and the page around them, all in one file."""

import base64
import html
import re
from collections.abc import Iterable, Sequence

from fgnet.report.style import SCRIPT, STYLE


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


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[Content]],
    numbers: int = 0,
    folds: bool = False,
) -> Html:
    """A table that scrolls sideways on a narrow screen.

    Args:
        numbers: how many columns from the right hold numbers and are set flush right.
        folds: on a phone each row becomes a block of its own instead, under its first cell.
    """
    first = len(header) - numbers

    def line(cells: Sequence[Content], name: str) -> str:
        marks = ["" if column < first else ' class="number"' for column in range(len(cells))]
        if folds and name == "td":
            marks = [
                f'{mark} data-name="{html.escape(title)}"'
                for mark, title in zip(marks, header, strict=True)
            ]
        inner = (
            f"<{name}{mark}>{text(cell)}</{name}>" for mark, cell in zip(marks, cells, strict=True)
        )
        return f"<tr>{''.join(inner)}</tr>"

    body = "\n".join(line(row, "td") for row in rows)
    kind = "wide" + " numbers" * (numbers > 0) + " folds" * folds
    return Html(
        f'<div class="{kind}"><table><thead>{line(header, "th")}</thead>'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def image(data: bytes, kind: str, alt: str, aspect: float | None = None) -> Html:
    """A picture inside the page.

    Args:
        kind: "png", "jpeg" or "webp".
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


def stack(sections: Sequence[tuple[str, Html]], first: int = 0) -> Html:
    """Sections of which a slider shows one at a time; without script, or when there is but one,
    they stand one below the other under their titles.

    Args:
        sections: title and content of each.
        first: which one is shown at the start, and printed.
    """
    parts = [
        f"<section{' class=shown' if place == first else ''}>{tag('h3', title).text}"
        f"{content.text}</section>"
        for place, (title, content) in enumerate(sections)
    ]
    slider = '<label><input type="range" min="0" aria-label="Section"><output></output></label>'
    inner = "\n".join([slider, *parts])
    return Html(f'<div class="stack" data-first="{first}">\n{inner}\n</div>')


def keys(entries: Iterable[tuple[str, str]], title: str = "") -> Html:
    """What colours mean: a CSS colour and its meaning each, after what they are all of."""
    above = f"<span>{text(title)}:</span>" if title else ""
    inner = "".join(
        f'<span><i style="background: {colour}"></i>{text(meaning)}</span>'
        for colour, meaning in entries
    )
    return Html(f'<p class="keys soft">{above}{inner}</p>')


def page(body: str, navigation: Html | None = None) -> str:
    """A whole page whose title is the first heading of its body."""
    found = re.search(r"<h1[^>]*>(.*?)</h1>", body, re.DOTALL)
    title = re.sub(r"<[^>]+>", "", found.group(1)) if found else "Report"
    above = f"{navigation.text}\n" if navigation else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{above}{body}\n"
        f"<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )
