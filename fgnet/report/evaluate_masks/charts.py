"""The Dice of each image as curves, a chart for each set, a line for each model."""

from collections.abc import Sequence
from functools import partial
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes

from fgnet.report import html
from fgnet.report.curves import LINES, binned, chart
from fgnet.report.evaluate.sweeps import MOST, STYLES
from fgnet.report.evaluate_masks.results import Result

WORDS = (
    "The Dice of every image (of several classes their mean), from the worst to the best, each "
    "model in its own order: how many images a model fails on, and how badly."
)


def show(results: Sequence[Result]) -> html.Html:
    """Test sets first; a set of very many models with the best of them."""
    figures = []
    for place, found in groupby(results, key=lambda one: one.entry.place):
        listed = list(found)
        shown = sorted(listed, key=lambda one: -one.means.dice)[:MOST]
        words = place
        if len(listed) > MOST:
            words += f": the best {MOST} of {len(listed)}"
        draw = partial(curves, results=[one for one in listed if one in shown])
        figures.append(chart(draw, f"Dice of every image, worst first, {place}", words))
    if not figures:
        return html.Html("")
    title = html.tag("h2", "Image by image")
    return html.join([title, html.tag("p", WORDS), html.grid(figures, "28rem")])


def curves(axes: Axes, results: Sequence[Result]) -> None:
    """Draw the sorted Dice over the share of images."""
    for place, one in enumerate(results):
        values = sorted(one.dices)
        share = (np.arange(len(values)) + 0.5) / len(values) * 100
        style = STYLES[place // len(LINES) % len(STYLES)]
        mark = "." if len(values) <= 50 else ""
        axes.plot(
            *binned(share.tolist(), values), f"{mark}{style}", color=LINES[place % len(LINES)],
            label=one.entry.model,
        )  # fmt: skip
    axes.set(xlabel="images, %", ylabel="Dice", xlim=(0, 100), ylim=(0, 1.02))
