"""Charts in one quiet style: vector pictures in the page's own colours, with values to hover.

Matplotlib draws them with the colours of the light scheme, which then become the page's variables,
so that a chart follows the scheme. A library of interactive charts would put one to five megabytes
of script into every page, for what a few lines of :mod:`fgnet.report.style` do.
"""

import hashlib
import html as escaping
import io
import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import FillBetweenPolyCollection
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

from fgnet.report import html
from fgnet.report.style import LIGHT
from fgnet.report.style import LINES as NAMES

# curves are drawn in these; see :func:`inline`
LINES = tuple(LIGHT[name] for name in NAMES)
STYLE: Any = {
    "font.size": 11,
    "font.family": ["sans-serif"],
    "text.color": LIGHT["ink"],
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": LIGHT["soft"],
    "axes.labelpad": 7,
    "axes.labelcolor": LIGHT["ink"],
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LIGHT["grid"],
    "xtick.color": LIGHT["soft"],
    "ytick.color": LIGHT["soft"],
    "lines.linewidth": 1.8,
    # the browser sets the text, which keeps a page of many curves small
    "svg.fonttype": "none",
    "svg.hashsalt": "fgnet",
}
# of the lines that have any, as in a picture of vectors
DASHES = {"-": "", "--": "8 4", ":": "2.2 3.6", "-.": "9 3.6 2.2 3.6"}
POINTS = 300
INCH = 72  # units of a vector picture
Values = npt.NDArray[np.float64]


def chart(
    draw: Callable[[Axes], None], alt: str, caption: str, size: tuple[float, float] = (5.6, 3.5)
) -> html.Html:
    """A figure whose axes ``draw`` fills in; ``size`` in inches decides the text's share.

    What ``draw`` gives a label (lines, bars, ``fill_between``) shows its values under the pointer,
    and where there are several such labels, a legend below, so that it never covers a curve.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(size, layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
        values, legend = hover(axes), keys(axes)
    return html.figure(inline(stream.getvalue(), alt, values), caption, legend.text)


def inline(picture: str, alt: str, attributes: dict[str, str]) -> html.Html:
    """A vector picture of matplotlib as a part of the page.

    Its colours become the page's variables, which follow light and dark; its ids become unique,
    as those of all pictures share the page.
    """
    body = picture[picture.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", body, flags=re.S)
    for name, colour in LIGHT.items():
        body = body.replace(colour, f"var(--{name}, {colour})")
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', body))
    body = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in used else "", body)
    own = hashlib.sha256((alt + body).encode()).hexdigest()[:8]
    body = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{own}-", body).replace("xlink:href", "href")
    width, height = re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', body)[0]
    inner = re.sub(r"\n\s*", "\n", body[body.index(">") + 1 :])
    marks = "".join(
        f" {name}='{escaping.escape(value, quote=False).replace(chr(39), '&#39;')}'"
        for name, value in attributes.items()
    )
    return html.Html(
        f'<svg class="chart" role="img" aria-label="{escaping.escape(alt)}" '
        f'viewBox="0 0 {width} {height}"{marks}>{inner}'
    )


def keys(axes: Axes) -> html.Html:
    """The legend of a chart, of several labels: each with a piece of its line, or its colour."""
    named = _named(axes)
    if len(named) < 2:
        return html.Html("")
    entries = []
    for name, handle in named.items():
        sample = f'<i style="background: {_colour(handle)}"></i>'
        if hasattr(handle, "get_linestyle") and hasattr(handle, "get_marker"):
            sample = _sample(handle)
        entries.append(f"<span>{sample}{html.text(name)}</span>")
    return html.Html(f'<p class="keys legend soft">{"".join(entries)}</p>')


def _sample(line: Any) -> str:
    """A piece of a line as the chart draws it."""
    dashes = DASHES.get(line.get_linestyle())
    inner = ""
    if dashes is not None:
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        inner = f'<path d="M0 5H28" stroke="currentColor" stroke-width="2.2"{dashed}/>'
    if line.get_marker() not in (None, "", "None", "none"):
        inner += '<circle cx="14" cy="5" r="2.6" fill="currentColor"/>'
    return (
        f'<svg viewBox="0 0 28 10" aria-hidden="true" style="color: {_colour(line)}">{inner}</svg>'
    )


def hover(axes: Axes) -> dict[str, str]:
    """What the page's script needs to show values: attributes of the picture, none without labels.

    ``data-hover`` is JSON: the name of the x axis, and for each series its name, colour and points
    (x and y in the picture, and both in words).
    """
    series = []
    for name, handle in _named(axes).items():
        x, y, words = _points(handle)
        if not len(x):
            continue
        places = _picture(axes, np.stack([x, y], 1))
        points = [
            [*place, _words(step), word] for place, step, word in zip(places, x, words, strict=True)
        ]
        series.append({"name": name, "colour": _colour(handle), "points": points})
    if not series:
        return {}
    ends = _picture(axes, np.array([[axes.get_xlim()[0], end] for end in axes.get_ylim()]))
    return {
        "data-hover": json.dumps(
            {"axis": axes.get_xlabel(), "series": series},
            separators=(",", ":"), ensure_ascii=False,
        ),
        "data-top": str(ends[1][1]),
        "data-bottom": str(ends[0][1]),
    }  # fmt: skip


def _named(axes: Axes) -> dict[str, Any]:
    """What was drawn with a label, by it."""
    return dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))


def _points(handle: Any) -> tuple[Values, Values, list[str]]:
    """x, y and the value in words of everything that a series shows."""
    if isinstance(handle, BarContainer):
        bars = handle.patches
        x = np.array([bar.get_x() + bar.get_width() / 2 for bar in bars])
        y = np.array([bar.get_height() for bar in bars])
    elif isinstance(handle, FillBetweenPolyCollection):
        # a polygon: first point, lower edge, end, upper edge backwards, first point
        corners = np.asarray(handle.get_paths()[0].vertices)
        count = (len(corners) - 3) // 2
        x, low = corners[1 : count + 1].T
        high = corners[count + 2 : 2 * count + 2, 1][::-1]
        words = [f"{_words(a)} to {_words(b)}" for a, b in zip(low, high, strict=True)]
        return x, (low + high) / 2, words
    else:
        x, y = (np.asarray(values, np.float64) for values in handle.get_data())
    shown = np.isfinite(x) & np.isfinite(y)
    return x[shown], y[shown], [_words(value) for value in y[shown]]


def _picture(axes: Axes, points: Values) -> list[list[float]]:
    """Points of the data as places in the picture, y downwards."""
    assert isinstance(axes.figure, Figure)
    size = axes.figure.get_size_inches() * INCH
    share = axes.figure.transFigure.inverted().transform(axes.transData.transform(points))
    flipped = np.stack([share[:, 0], 1 - share[:, 1]], 1)
    places: list[list[float]] = np.round(flipped * size, 1).tolist()
    return places


def _colour(handle: Any) -> str:
    drawn: Any
    if isinstance(handle, BarContainer):
        drawn = handle.patches[0].get_facecolor()
    elif isinstance(handle, FillBetweenPolyCollection):
        drawn = handle.get_facecolor()[0]
    else:
        drawn = handle.get_color()
    code = matplotlib.colors.to_hex(drawn)
    names = {colour: name for name, colour in LIGHT.items()}
    return f"var(--{names[code]})" if code in names else code


def _words(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 and value == round(value) else f"{value:.4g}"


def binned(x: Sequence[float], y: Sequence[float], points: int = POINTS) -> tuple[Values, Values]:
    """A curve of at most so many points: means over groups of equal size."""
    if len(x) <= points:
        return np.asarray(x, np.float64), np.asarray(y, np.float64)
    edges = np.linspace(0, len(x), points + 1).astype(int)[:-1]
    group = np.diff(edges, append=len(x))
    return np.add.reduceat(x, edges) / group, np.add.reduceat(y, edges) / group
