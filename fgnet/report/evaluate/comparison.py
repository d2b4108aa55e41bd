"""The models side by side: what is switched on in each, what it scores, what it costs."""

import json
from collections.abc import Sequence
from itertools import compress
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from fgnet import command
from fgnet.report import html, words
from fgnet.report.columns import marked
from fgnet.report.evaluate.results import Result

Facts = dict[str, Any]
SWITCHES = ("network", "encoder", "guidance", "decoders", "edges", "loss")
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
                *switches(facts[0]["made_by"]["settings"]), *best(scored(group), rivals),
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
    kind, encoder = described(network)
    if network is None:
        return [kind, encoder, *[NONE] * (len(SWITCHES) - 2)]
    # gates of other networks are told with their kind
    guidance = network.get("attention") if network["kind"] == "fgnet" else None
    return [
        kind, encoder, off(guidance), network.get("decoders", NONE),
        str(len(settings["offsets"])), settings["loss"],
    ]  # fmt: skip


def described(network: Facts | None) -> tuple[str, str]:
    """A network and its encoder in a few words; None is that of a checkpoint."""
    if network is None:
        return "taken checkpoint", NONE
    kind, more = network["kind"], []
    if kind == "polyp":
        gates = network["attention"]
        more = ["no gates" if gates == "none" else f"{gates} gates"]
        more += [] if network["side_outputs"] else ["no side outputs"]
    elif kind == "masg":
        text = network["text"]
        more = [
            f"{network['hierarchy']} maps",
            "no edges" if network["edges"] == "none" else f"{network['edges']} edges",
            "no text" if text is None else f"{text['weights']} text by {text['fusion']}",
        ]  # fmt: skip
    found = [sam2(network[key]) if key == "sam2" else sam1(network[key])
             for key in ("sam1", "sam2") if network.get(key)]  # fmt: skip
    return f"{kind}: {', '.join(more)}" if more else kind, ", ".join(found) or NONE


def sam1(settings: Facts) -> str:
    """The encoder of the first SAM in a few words."""
    words = ["SAM " + settings["size"], settings["mode"]]
    if settings["weights"] == "random":
        words.insert(1, "random")
    return ", ".join(words)


def sam2(settings: Facts) -> str:
    """The SAM2 encoder in a few words."""
    mode = {
        "last_blocks": f"last {settings['blocks']} blocks", "lora": f"LoRA {settings['rank']}",
        "prompts": f"prompts {settings['hidden']}",
    }  # fmt: skip
    words = ["SAM2 " + settings["size"], mode.get(settings["mode"], settings["mode"])]
    if settings["weights"] == "random":
        words.insert(1, "random")
    if settings["upscale"] > 1:
        words.append(f"upscaled {settings['upscale']}x")
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


def best(cells: Sequence[str], rivals: Sequence[Sequence[str]]) -> list[html.Content]:
    """The scores; those that are the lowest of several stand out."""

    def value(cell: str) -> float:
        return float(cell.split()[0])

    return [
        marked(cell, value(cell), [value(other) for other in column])
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
        words.duration(mean(each["seconds"] for each in facts)),
    ]
