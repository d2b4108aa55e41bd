"""Line charts in one quiet style, as vector pictures."""

import io
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fgnet.report import html

# Okabe and Ito's palette without yellow and black, told apart by the colour-blind
LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
STYLE: Any = {
    "font.size": 11,
    "font.family": ["sans-serif"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#5b6670",
    "axes.labelpad": 7,
    "axes.labelcolor": "#1c2126",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6eaed",
    "xtick.color": "#5b6670",
    "ytick.color": "#5b6670",
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    # the browser sets the text, which keeps a page of many curves small
    "svg.fonttype": "none",
    "svg.hashsalt": "fgnet",
}
POINTS = 300
Values = npt.NDArray[np.float64]


def chart(
    draw: Callable[[Axes], None], alt: str, caption: str, size: tuple[float, float] = (5.6, 3.5)
) -> html.Html:
    """A figure whose axes ``draw`` fills in; ``size`` in inches decides the text's share."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(size, layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        if len(axes.get_legend_handles_labels()[0]) > 1:
            axes.legend(fontsize=10)
        stream = io.BytesIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return html.figure(html.image(stream.getvalue(), "svg+xml", alt), caption)


def binned(x: Sequence[float], y: Sequence[float], points: int = POINTS) -> tuple[Values, Values]:
    """A curve of at most so many points: means over groups of equal size."""
    if len(x) <= points:
        return np.asarray(x, np.float64), np.asarray(y, np.float64)
    edges = np.linspace(0, len(x), points + 1).astype(int)[:-1]
    group = np.diff(edges, append=len(x))
    return np.add.reduceat(x, edges) / group, np.add.reduceat(y, edges) / group
