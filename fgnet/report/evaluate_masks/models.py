"""Models of masks side by side: what each is, what it scores, what it costs."""

from collections.abc import Sequence
from statistics import mean, stdev

from fgnet.report import html
from fgnet.report.columns import marked
from fgnet.report.evaluate.comparison import COSTS, Facts, costs, described, recipe
from fgnet.report.evaluate_masks.results import BOUNDARY, DICE, IOU, MAE, Result

COLUMNS = (DICE, IOU, BOUNDARY, MAE)
WHAT = ("network", "encoder", "loss", "shots")


def table(results: Sequence[Result], models: dict[str, Facts]) -> html.Html:
    """A row for every kind of model and test set; a single test set stands above the table.

    Models that differ in their seed alone share a row, with the mean and the standard deviation
    of their scores; the best of each set stands out.
    """
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        if result.entry.split == "test":
            kind = recipe(models[result.entry.model])
            groups.setdefault((kind, result.entry.images), []).append(result)
    if not groups:
        return html.tag("p", "No test set has masks, so models are not compared.")
    sets = list(dict.fromkeys(images for _, images in groups))
    several = len(sets) > 1
    rows: list[list[html.Content]] = []
    for (_, images), group in groups.items():
        facts = [models[one.entry.model] for one in group]
        rivals = [other for (_, name), other in groups.items() if name == images]
        rows.append(
            [
                ", ".join(one.entry.model for one in group), *([images] if several else []),
                *what(facts[0]), *scored(group, rivals), *costs(facts),
            ]
        )  # fmt: skip
    header = ["models", *(["set"] if several else []), *WHAT,
              *(column.title for column in COLUMNS), *COSTS]  # fmt: skip
    above = [] if several else [html.tag("p", f"All of {sets[0]}.")]
    numbers = 1 + len(COLUMNS) + len(COSTS)
    return html.join([*above, html.table(header, rows, numbers)])


def what(facts: Facts) -> list[str]:
    """What a model is: network, encoder, loss, and from how many images of a class it learnt."""
    settings = facts["made_by"]["settings"]
    network, encoder = described(settings["network"])
    if settings["network"] is None:
        return [network, encoder, "-", "-"]
    shots = settings.get("shots")
    return [network, encoder, settings["loss"], "all" if shots is None else f"{shots:,}"]


def scored(group: Sequence[Result], rivals: Sequence[Sequence[Result]]) -> list[html.Content]:
    """Means over the models of a group, of several with the standard deviation."""
    found: list[html.Content] = []
    for column in COLUMNS:
        values = [getattr(one.means, column.name) for one in group]
        text = f"{mean(values):.4f}" + (f" ± {stdev(values):.4f}" if len(values) > 1 else "")
        others = [
            round(mean(getattr(one.means, column.name) for one in other), 4) for other in rivals
        ]
        found.append(marked(text, round(mean(values), 4), others, column.more))
    return found
