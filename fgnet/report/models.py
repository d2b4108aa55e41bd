"""The models side by side: what is switched on in each, what it scores, what it costs."""

import json
from collections.abc import Sequence
from itertools import compress
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from fgnet import command
from fgnet.report import html
from fgnet.report.results import Result
from fgnet.report.training import duration

Facts = dict[str, Any]
SWITCHES = ("network", "SAM2", "guidance", "decoders", "edges", "loss")
SCORES = ("VOI split", "VOI merge", "VOI sum", "ARAND")
COSTS = ("parameters", "trained", "steps", "training")
NONE = "-"


def read(files: dict[str, str]) -> dict[str, Facts]:
    """What each model's training noted of itself: ``made_by``, parameters, steps, seconds."""
    found = {}
    for name, path in files.items():
        text = command.need(Path(path), f"record of the model {name}").read_text(encoding="utf-8")
        found[name] = json.loads(text)
    return found


def table(results: Sequence[Result], models: dict[str, Facts]) -> html.Html:
    """A row for every kind of model, test volume and agglomeration.

    Models that differ in their seed alone share a row, with the mean and the standard deviation
    of their scores. A single test volume or agglomeration stands above the table; the best score
    of each volume stands out.
    """
    groups: dict[tuple[str, str, str], list[Result]] = {}
    for result in results:
        entry = result.entry
        if entry.split == "test":
            kind = recipe(models[entry.model])
            groups.setdefault((kind, entry.volume, entry.agglomeration), []).append(result)
    if not groups:
        return html.tag("p", "No test volume has ground truth, so models are not compared.")
    places = [(volume, agglomeration) for _, volume, agglomeration in groups]
    varies = [len(set(column)) > 1 for column in zip(*places, strict=True)]
    header = ["models", *compress(("volume", "agglomeration"), varies), *SWITCHES, *SCORES, *COSTS]
    rows: list[list[html.Content]] = []
    for group, place in zip(groups.values(), places, strict=True):
        facts = [models[result.entry.model] for result in group]
        rivals = [scored(other) for (_, volume, _), other in groups.items() if volume == place[0]]
        rows.append(
            [
                ", ".join(result.entry.model for result in group), *compress(place, varies),
                *switches(facts[0]["made_by"]["settings"]), *marked(scored(group), rivals),
                *costs(facts),
            ]
        )  # fmt: skip
    same = ", ".join(name for name, each in zip(places[0], varies, strict=True) if not each)
    above = [html.tag("p", f"All of {same}.")] if same else []
    return html.join([*above, html.table(header, rows, len(SCORES) + len(COSTS))])


def recipe(facts: Facts) -> str:
    """The settings of a model apart from its seed, as a key to group by."""
    settings = {k: v for k, v in facts["made_by"]["settings"].items() if k != "seed"}
    return json.dumps(settings, sort_keys=True)


def switches(settings: dict[str, Any]) -> list[str]:
    """What a model has switched on, in the order of ``SWITCHES``."""
    network = settings["network"]
    if network is None:
        return ["taken checkpoint", *[NONE] * (len(SWITCHES) - 1)]
    return [
        network["kind"], encoder(network.get("sam2")), off(network.get("attention")),
        network.get("decoders", NONE), str(len(settings["offsets"])), settings["loss"],
    ]  # fmt: skip


def encoder(sam2: dict[str, Any] | None) -> str:
    """The SAM2 encoder in a few words."""
    if sam2 is None:
        return NONE
    mode = {"last_blocks": f"last {sam2['blocks']} blocks", "lora": f"LoRA {sam2['rank']}"}
    words = [sam2["size"], mode.get(sam2["mode"], sam2["mode"])]
    if sam2["weights"] == "random":
        words.insert(1, "random")
    if sam2["upscale"] > 1:
        words.append(f"upscaled {sam2['upscale']}x")
    return ", ".join(words)


def off(switch: str | None) -> str:
    """A switch as the table shows it."""
    return NONE if switch in (None, "none") else str(switch)


def scored(group: Sequence[Result]) -> list[str]:
    """The scores against ids, as mean and, of several, standard deviation."""
    values = [(r.ids.voi_split, r.ids.voi_merge, r.ids.voi_sum, r.ids.arand) for r in group]
    return [
        f"{mean(column):.3f}" + (f" ± {stdev(column):.3f}" if len(column) > 1 else "")
        for column in zip(*values, strict=True)
    ]


def marked(cells: Sequence[str], rivals: Sequence[Sequence[str]]) -> list[html.Content]:
    """The scores; those that are the lowest of several stand out."""

    def value(cell: str) -> float:
        return float(cell.split()[0])

    return [
        html.tag("strong", cell)
        if len(rivals) > 1 and value(cell) == min(map(value, column))
        else cell
        for cell, column in zip(cells, zip(*rivals, strict=True), strict=True)
    ]


def costs(facts: Sequence[Facts]) -> list[str]:
    """Parameters, how many of them are trained, mean steps and mean time of training."""
    first = facts[0]
    if "parameters" not in first:
        return [NONE] * len(COSTS)
    return [
        *(f"{first[key] / 1e6:.2f} M" for key in ("parameters", "trained")),
        f"{mean(each['steps'] for each in facts):,.0f}",
        duration(mean(each["seconds"] for each in facts)),
    ]
