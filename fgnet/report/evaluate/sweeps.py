"""Scores as curves: over the threshold, and average precision over how much must overlap."""

from collections.abc import Sequence
from functools import partial
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes

from fgnet import scores
from fgnet.report import html
from fgnet.report.curves import LINES, chart
from fgnet.report.evaluate.results import Result
from fgnet.report.style import LIGHT

IOU = np.linspace(0.5, 0.95, 10)
WORDS = (
    "Left of the chosen threshold neurons are split more, right of it merged more. The oracle's "
    "is the best on that very volume."
)
MATCHED = (
    "Average precision against ids: of segments and neurons together, the share that match, where "
    "a match needs more of an intersection over union than the axis says."
)
BUDGET = 4e6  # characters of all curves over the threshold, of a page of 5 MB
STYLES = ("-", "--", ":", "-.")
MOST = len(LINES) * len(STYLES)  # lines of a chart that one can tell apart


def show(results: Sequence[Result]) -> html.Html:
    """VOI and ARAND over the threshold; of what is no test volume folded away."""
    if not results:
        return html.Html("")
    words = html.tag("p", WORDS)
    tests: list[html.Html] = []
    others: list[html.Html] = []
    left = 0
    room = BUDGET
    for one in results:  # test volumes come first
        drawn = _one(one)
        room -= len(drawn.text)
        if room < 0:
            left += 1
        else:
            (tests if one.entry.split == "test" else others).append(drawn)
    folded = bool(tests and others)
    rest = html.join(others)
    parts = [
        html.tag("h2", "Over the threshold"), words, *tests,
        html.details("Volumes that are no test volumes", rest) if folded else rest,
    ]  # fmt: skip
    if left:
        parts.append(html.tag("p", f"{left} more would not fit on the page; see their files."))
    return html.join(parts)


def _one(result: Result) -> html.Html:
    entry, file = result.entry, result.file
    if entry.scores is None:
        return html.Html("")
    sweep = scores.read(entry.scores, scores.Scores)
    truths: tuple[scores.GroundTruth, ...] = ("ids", "components")
    figures = [
        chart(
            partial(voi, rows=sweep.against(truth).sweep, verdict=file.against(truth)),
            f"VOI over the threshold against {truth}, {entry.name}",
            f"VOI in bits, against {truth}",
        )
        for truth in truths
    ]
    figures.append(
        chart(
            partial(arand, found=sweep, verdict=file.against(file.ground_truth)),
            f"ARAND over the threshold, {entry.name}",
            "Adapted Rand error",
        )
    )
    return html.join([html.tag("h3", entry.name), html.grid(figures, "22rem")])


def voi(axes: Axes, rows: Sequence[scores.Row], verdict: scores.Verdict) -> None:
    """Draw VOI split, merge and sum over the threshold."""
    x = [row.threshold for row in rows]
    mark = "" if len(rows) > 1 else "o"  # a mark at every threshold would make large pages
    axes.plot(x, [row.voi_sum for row in rows], f"{mark}-", color=LINES[0], label="sum")
    axes.plot(x, [row.voi_split for row in rows], f"{mark}--", color=LINES[2], label="split")
    axes.plot(x, [row.voi_merge for row in rows], f"{mark}:", color=LINES[1], label="merge")
    _finish(axes, verdict, "VOI (bits)")


def arand(axes: Axes, found: scores.Scores, verdict: scores.Verdict) -> None:
    """Draw ARAND over the threshold against both ground truths."""
    for sweep, style, label in (
        (found.against_ids.sweep, "-", "against ids"),
        (found.against_components.sweep, "--", "against components"),
    ):
        axes.plot(
            [row.threshold for row in sweep],
            [row.arand for row in sweep],
            style if len(sweep) > 1 else "o",
            color=LINES[0] if "ids" in label else LINES[5],
            label=label,
        )
    _finish(axes, verdict, "ARAND")


def _finish(axes: Axes, verdict: scores.Verdict, label: str) -> None:
    axes.set(xlabel="threshold", ylabel=label)
    axes.set_ylim(bottom=0)
    chosen, oracle = verdict.chosen.threshold, verdict.oracle.threshold
    if chosen == oracle:
        marks = [(chosen, "chosen and oracle", "-", "center")]
    else:
        sides = ("right", "left") if chosen < oracle else ("left", "right")
        marks = [(chosen, "chosen", "-", sides[0]), (oracle, "oracle", "--", sides[1])]
    for at, words, style, side in marks:
        axes.axvline(at, color=LIGHT["soft"], lw=1, ls=style, zorder=0)
        axes.annotate(
            words, (at, 1), (0, 3), xycoords=("data", "axes fraction"),
            textcoords="offset points", ha=side, color=LIGHT["soft"], fontsize=10,
        )  # fmt: skip


def precision(results: Sequence[Result]) -> html.Html:
    """Average precision over the intersection over union that a match needs: a chart a volume."""
    figures = []
    for volume, found in groupby(results, key=lambda one: one.entry.place):
        lines = [
            (one.entry.method, one.ids.average_precision_at)
            for one in found
            if one.ids.average_precision_at
        ]
        if lines:
            shown = sorted(lines, key=lambda line: -sum(line[1]))[:MOST]
            words = volume
            if len(lines) > MOST:
                words += f": the best {MOST} of {len(lines)}"
            figures.append(
                chart(
                    partial(matched, lines=[line for line in lines if line in shown]),
                    f"Average precision over intersection over union, {volume}",
                    words,
                )
            )
    if not figures:
        return html.Html("")
    title = html.tag("h2", "Over how much must overlap")
    return html.join([title, html.tag("p", MATCHED), html.grid(figures, "28rem")])


def matched(axes: Axes, lines: Sequence[tuple[str, list[float]]]) -> None:
    """Draw average precision over intersection over union."""
    for place, (name, values) in enumerate(lines):
        style = STYLES[place // len(LINES) % len(STYLES)]
        axes.plot(IOU, values, f".{style}", color=LINES[place % len(LINES)], label=name)
    axes.set(xlabel="intersection over union, more than", ylabel="average precision")
    axes.set_ylim(0, 1)
