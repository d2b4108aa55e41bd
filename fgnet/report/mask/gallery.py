"""Images side by side with what was drawn and what a model found: the worst, middle and best."""

from collections.abc import Sequence

import numpy as np

from fgnet.imageset import UNLABELLED
from fgnet.mask_scores import ScoredImage, SetScores
from fgnet.report import html, painted
from fgnet.report.evaluate_masks.results import mean_dice
from fgnet.report.mask.scene import Scene
from fgnet.report.pictures import encode

EACH = 4  # of the worst, middle and best
SIDE = 288  # pixels of a picture
BUDGET = 3_600_000  # characters of all pictures, of a page of 5 MB
CLASSES = 6  # whose Dice stands beside an image
WORDS = (
    "By Dice, of several classes their mean. Outlined: the mask that was drawn, and the one that "
    "the model found, where its probability reaches the threshold."
)
UNSCORED = (
    "There are no masks to compare with. Outlined is the mask that the model found, where its "
    "probability reaches the threshold."
)
ONE = "Probability: black is 0, white is 1."
SEVERAL = "Probability: the colour is that of the most probable class, black is 0."


def show(scene: Scene, file: SetScores | None) -> html.Html:
    """The worst, middle and best images with their scores; without scores some images.

    Where not all would fit on the page there are fewer of each.
    """
    scored = {} if file is None else {one.name: one for one in file.images}
    groups = chosen(scene, scored)
    # the first of each group, then the second of each, as long as there is room
    wanted = [
        (name, place)
        for rank in range(max(map(len, groups.values())))
        for name, places in groups.items()
        for place in places[rank : rank + 1]
    ]
    drawn: dict[tuple[str, int], html.Html] = {}
    room = BUDGET
    for name, place in wanted:
        one = card(scene, place, scored.get(scene.names[place]))
        room -= len(one.text)
        if room < 0 and drawn:
            break
        drawn[name, place] = one
    words = f"{WORDS if scored else UNSCORED} {_probable(scene)}"
    parts = [
        html.tag("h2", "Pictures"),
        html.tag("p", words),
        legend(scene, [place for _, place in drawn]),
    ]
    for name, places in groups.items():
        there = [drawn[name, place] for place in places if (name, place) in drawn]
        if there:
            parts += [html.tag("h2", name), *there]
    return html.join(parts)


def chosen(scene: Scene, scored: dict[str, ScoredImage]) -> dict[str, list[int]]:
    """Titles, and the places of the images below each; of few images all."""
    if not scored:
        places = np.unique(np.linspace(0, len(scene) - 1, 3 * EACH).round().astype(int)).tolist()
        words = "The images" if len(places) == len(scene) else f"{len(places)} of the images"
        return {words: places}
    there = [place for place, name in enumerate(scene.names) if name in scored]
    dices = {place: mean_dice(scored[scene.names[place]].classes) for place in there}
    order = sorted(there, key=lambda place: dices[place])
    if len(order) <= 3 * EACH:
        return {"All images, the worst first" if len(order) > 1 else "The image": order}
    middle = (len(order) - EACH) // 2
    return {
        "The worst images": order[:EACH],
        "Images in the middle": order[middle : middle + EACH],
        "The best images": order[-EACH:],
    }


def legend(scene: Scene, places: Sequence[int]) -> html.Html:
    """What the colours of some images mean, of classes and of errors."""
    known = scene.images.labelled
    labels = [scene.picture(place).labels for place in places]
    unlabelled = any(one is not None and bool((one == UNLABELLED).any()) for one in labels)
    several = len(scene.classes) > 1
    parts = [painted.keys(scene.classes)]
    return html.join([*parts, *([painted.wrong(several, unlabelled)] if known else [])])


def _probable(scene: Scene) -> str:
    return ONE if len(scene.classes) == 1 else SEVERAL


def card(scene: Scene, place: int, scored: ScoredImage | None) -> html.Html:
    """An image under its name and scores."""
    title = html.tag("h3", scene.names[place])
    parts = [title]
    if scored is not None:
        parts.append(html.Html(f'<p class="soft">{html.text(told(scored, scene.classes))}</p>'))
    return html.join([*parts, row(scene, place)])


def told(scored: ScoredImage, classes: Sequence[str]) -> str:
    """The scores of an image in a line."""
    dice = f"Dice {mean_dice(scored.classes):.4f}"
    if len(classes) > 1:
        each = [f"{name} {one.scores.dice:.4f}"
                for name, one in zip(classes, scored.classes, strict=True)]  # fmt: skip
        dice += f" ({', '.join(each[:CLASSES])}{', …' * (len(each) > CLASSES)})"
    true, found = (sum(getattr(one, name) for one in scored.classes) for name in ("true", "found"))
    y, x = scored.size
    return f"{dice}; {true:,} pixels drawn, {found:,} found, of {y} x {x}."


def row(scene: Scene, place: int) -> html.Html:
    """Image, mask drawn, probability, mask found, errors, as far as the scene has them."""
    one = scene.picture(place)
    chances, masks = scene.found(place)
    raw = painted.fitted(one.raw, SIDE)
    small = [painted.fitted(mask.astype(np.uint8), SIDE, exact=True) > 0 for mask in masks]
    panels = {"Image": raw}
    maps = np.stack([painted.fitted(chance, SIDE) for chance in chances])
    probable, found = painted.probable(maps), painted.outlined(raw, small)
    if one.labels is None:
        panels |= {"Probability": probable, "Found": found}
    else:
        labels = painted.fitted(one.labels, SIDE, exact=True)
        panels |= {
            "Drawn": painted.of_labels(raw, labels, len(masks)), "Probability": probable,
            "Found": found, "Errors": painted.errors(raw, small, labels),
        }  # fmt: skip
    figures = [
        html.figure(html.image(*encode(picture), f"{title}, {one.name}"), title)
        for title, picture in panels.items()
    ]
    return html.grid(figures, "13rem", "photos")
