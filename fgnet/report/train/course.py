"""How a model was trained: losses, learning rate, speed."""

import csv
import itertools
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from fgnet import command
from fgnet.errors import InputError
from fgnet.report import html, words
from fgnet.report.curves import LINES, binned, chart

COLUMNS = ("step", "seconds", "loss", "loss_refined", "loss_coarse", "learning_rate",
           "validation_loss", "validation_voi", "validation_arand")  # fmt: skip
# of networks with side outputs, and of images; older histories have none of them
LATER = ("loss_deep1", "loss_deep2", "loss_deep3", "loss_edge", "validation_dice")
MAPS = (
    ("loss_coarse", "coarse map", LINES[5], "-"), ("loss_deep1", "side output 1", LINES[3], "-"),
    ("loss_deep2", "side output 2", LINES[3], "--"), ("loss_deep3", "side output 3", LINES[3], ":"),
    ("loss_edge", "edges", LINES[4], "-"), ("loss_refined", "refined map", LINES[2], "-"),
    ("loss", "training, total", LINES[0], "-"),
)  # fmt: skip
Column = list[tuple[float, float]]
History = dict[str, Column]


def read(path: Path) -> History:
    """The columns of a ``history.csv``, each as (step, value) where it has a value.

    Raises:
        InputError: the file or one of its columns is missing.
    """
    with command.need(path, "training history").open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise InputError(f"{path}: has no column {missing[0]!r}; train the model again")
        rows = list(reader)
    return {
        name: [(float(row["step"]), float(row[name])) for row in rows if row.get(name)]
        for name in (*COLUMNS, *LATER)
    }


def show(history_file: Path) -> html.Html:
    """The figures of one training, or a sentence when no step was trained."""
    history = read(history_file)
    if not history["loss"]:
        return html.tag("p", "No step was trained: the weights are those the model started with.")
    last, seconds = history["seconds"][-1]
    facts = f"{last:,.0f} steps in {words.duration(seconds)}"
    if validation := history["validation_loss"]:
        step, lowest = min(validation, key=lambda point: point[1])
        facts += f"; lowest validation loss {lowest:.4g} at step {step:,.0f}"
    if voi := history["validation_voi"]:
        step, lowest = min(voi, key=lambda point: point[1])
        facts += f"; lowest VOI of the validation block {lowest:.4g} at step {step:,.0f}"
    if dice := history["validation_dice"]:
        step, highest = max(dice, key=lambda point: point[1])
        facts += f"; highest Dice of the validation images {highest:.4g} at step {step:,.0f}"
    figures = [
        chart(partial(losses, history=history), "Loss over steps", "Loss"),
        chart(
            partial(line, column=history["learning_rate"], label="learning rate"),
            "Learning rate over steps",
            "Learning rate",
        ),
        chart(
            partial(line, column=throughput(history["seconds"]), label="steps per second"),
            "Steps per second over steps",
            "Throughput",
        ),
    ]
    if history["validation_voi"]:
        figures.insert(
            1,
            chart(
                partial(neurons, history=history),
                "VOI and ARAND of the validation block over steps",
                "Neurons of the validation block",
            ),
        )
    if history["validation_dice"]:
        figures.insert(
            1,
            chart(
                partial(dices, column=history["validation_dice"]),
                "Dice of the validation images over steps",
                "Dice of the validation images, mean over classes",
            ),
        )
    return html.join([html.tag("p", facts + "."), html.grid(figures, "28rem")])


def losses(axes: Axes, history: History) -> None:
    """Draw the training losses, and the validation loss where it was computed."""
    for name, label, colour, style in MAPS:
        if history[name] and (name == "loss" or history[name] != history["loss"]):
            axes.plot(*_xy(history[name]), style, label=label, color=colour)
    if history["validation_loss"]:
        x, y = zip(*history["validation_loss"], strict=True)
        axes.plot(x, y, "o-", ms=4, label="validation", color=LINES[1])
    axes.set(xlabel="step", ylabel="loss")
    axes.set_ylim(bottom=0)


def neurons(axes: Axes, history: History) -> None:
    """Draw VOI and ARAND of the validation block."""
    for name, label, colour in (
        ("validation_voi", "VOI (bits)", LINES[0]),
        ("validation_arand", "ARAND", LINES[5]),
    ):
        x, y = zip(*history[name], strict=True)
        axes.plot(x, y, "o-", ms=4, label=label, color=colour)
    axes.set(xlabel="step", ylabel="VOI, ARAND")
    axes.set_ylim(bottom=0)


def dices(axes: Axes, column: Column) -> None:
    """Draw the Dice of the validation images."""
    x, y = zip(*column, strict=True)
    axes.plot(x, y, "o-", ms=4, color=LINES[0], label="Dice")
    axes.set(xlabel="step", ylabel="Dice", ylim=(0, 1.02))


def line(axes: Axes, column: Column, label: str) -> None:
    """Draw one column over the steps."""
    axes.plot(*_xy(column), color=LINES[0], label=label)
    axes.set(xlabel="step", ylabel=label)
    axes.set_ylim(bottom=0)


def throughput(seconds: Column) -> Column:
    """Steps per second between recorded steps, as (step, value)."""
    return [
        (step, (step - before) / (now - then))
        for (before, then), (step, now) in itertools.pairwise(seconds)
        if now > then
    ]


def _xy(column: Column) -> tuple[Any, Any]:
    x, y = zip(*column, strict=True) if column else ((), ())
    return binned(x, y)
