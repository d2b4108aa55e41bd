"""What the networks cost, counted, and the picture of FGNet for docs/model.md.

``python benchmarks/model.py`` prints parameters and floating-point operations of every part, for
a crop of 18 x 160 x 160, and draws ``docs/images/model.svg`` with the shapes that a forward pass
really has.
"""

import argparse
import copy
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import matplotlib
import torch
from torch import Tensor, nn

from fgnet.model.build import Settings, build
from fgnet.model.counts import parts
from fgnet.settings.encoders import Sam1, Sam2
from fgnet.settings.network import (
    FGNetNetwork,
    MalaNetwork,
    MasgNetwork,
    PolypNetwork,
    SuperHumanNetwork,
)

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

CROP = (18, 160, 160)
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "model.svg"
SHOWN = FGNetNetwork()  # the defaults: SAM 2.1 large, frozen; gate; both decoders
SETTINGS = {
    "FGNet, SAM 2.1 tiny": FGNetNetwork(sam2=Sam2(size="tiny")),
    "FGNet, SAM 2.1 large": SHOWN,
    "FGNet without SAM2": FGNetNetwork(sam2=None),
    "SuperHuman": SuperHumanNetwork(),
    "MALA": MalaNetwork(),
    "polyp, SAM 2.0 large": PolypNetwork(),
    "MASG-SAM, SAM ViT-B at 1024": MasgNetwork(sam1=Sam1(sections=None)),
}
COLOURS = {"sam2": "#dbe7f3", "fine": "#e2f0e6", "out": "#f8e6d8", "guide": "#f3e4ef"}


@cache
def blank(settings: Settings) -> nn.Module:
    """A network without memory, of which :func:`shape_only` gives copies."""
    return build(settings, 3).to("meta")


def shape_only(settings: Settings) -> nn.Module:
    """A network without memory, which computes shapes and counts, and nothing else."""
    return copy.deepcopy(blank(settings))


def counted() -> str:
    """The counts of all networks as Markdown."""
    found = {name: parts(shape_only(each), CROP) for name, each in SETTINGS.items()}
    lines = [
        "| network | part | parameters | trained | GFLOP a crop |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for name, some in found.items():
        for part in some:
            row = (name, part.name, f"{part.parameters:,}", f"{part.trained:,}")
            lines.append(f"| {' | '.join(row)} | {part.flops / 1e9:.1f} |")
            name = ""
    return "\n".join(lines)


def shapes(settings: FGNetNetwork) -> dict[str, str]:
    """Output shapes of the parts in a forward pass over a crop, C x D x H x W."""
    network = shape_only(settings)
    found: dict[str, str] = {"crop": words((1, *CROP))}

    def note(name: str) -> None:
        def hook(_: nn.Module, __: object, out: Tensor | Sequence[Tensor]) -> None:
            maps = [out] if isinstance(out, Tensor) else out
            found[name] = "\n".join(words(each.shape[1:]) for each in maps)

        network.get_submodule(name).register_forward_hook(hook)

    for name in ("sam2.encoder", "sam2", "fine", "coarse", "refined"):
        note(name)
    with torch.no_grad():
        network(torch.zeros(1, 1, *CROP, device="meta"))
    return found


def words(shape: Sequence[int]) -> str:
    """A shape as text."""
    return " x ".join(map(str, shape))


def labels(settings: FGNetNetwork) -> dict[str, str]:
    """What each box of the picture says."""
    shape = shapes(settings)
    count = {part.name: part for part in parts(shape_only(settings), CROP)}

    def cost(name: str) -> str:
        part = count[name]
        frozen = "" if part.trained else ", frozen"
        return f"{part.parameters / 1e6:.2f} M parameters{frozen}\n{part.flops / 1e9:.1f} GFLOP"

    return {
        "crop": f"crop\n{shape['crop']}",
        "encoder": f"SAM2's encoder, section by section\n{cost('sam2.encoder')}\n"
        f"{shape['sam2.encoder']}",
        "reduce": f"reduced, 1x1\n{cost('sam2.reduce')}\n{shape['sam2']}",
        "attention": f"Feature-Guided Attention\n{cost('attention')}\neach level by the map\n"
        "nearest in stride",
        "fine": f"Fine-Grained Encoder, 3-D\n{cost('fine')}\n{shape['fine']}",
        "coarse": f"coarse decoder\n{cost('coarse')}\nA_s {shape['coarse']}",
        "refined": f"refined decoder\n{cost('refined')}\nA_r {shape['refined']}",
    }


def draw(path: Path, settings: FGNetNetwork) -> None:
    """The network as boxes and arrows."""
    said = labels(settings)
    boxes = {  # centre, size, colour
        "crop": ((1.0, 2.0), (1.7, 0.8), "white"),
        "encoder": ((4.1, 3.2), (3.0, 1.6), COLOURS["sam2"]),
        "reduce": ((7.5, 3.2), (2.3, 1.6), COLOURS["sam2"]),
        "attention": ((7.5, 0.9), (2.3, 1.3), COLOURS["guide"]),
        "fine": ((4.1, 0.9), (3.0, 1.6), COLOURS["fine"]),
        "coarse": ((10.8, 3.2), (2.5, 1.0), COLOURS["out"]),
        "refined": ((10.8, 0.9), (2.5, 1.0), COLOURS["out"]),
    }
    arrows = [
        ("crop", "encoder"), ("crop", "fine"), ("encoder", "reduce"), ("reduce", "coarse"),
        ("reduce", "attention"), ("fine", "attention"), ("attention", "refined"),
    ]  # fmt: skip
    style = {"svg.fonttype": "none", "svg.hashsalt": "fgnet", "font.size": 9}
    with plt.rc_context(style):
        figure = plt.figure(figsize=(12.2, 4.1))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, 12.2), ylim=(0, 4.1))
        axes.axis("off")
        patches = {}
        for name, ((x, y), (width, height), colour) in boxes.items():
            corner = (x - width / 2, y - height / 2)
            patches[name] = FancyBboxPatch(
                corner, width, height, "round,pad=0.03", fc=colour, ec="#5b6670"
            )
            axes.add_patch(patches[name])
            title, _, rest = said[name].partition("\n")
            lines = rest.count("\n") + 1
            top = y + 0.085 * lines
            axes.text(x, top, title, ha="center", va="center", weight="bold")
            axes.text(x, top - 0.12, rest, ha="center", va="top", linespacing=1.3)
        for start, end in arrows:
            both = start == "fine" and end == "attention"  # guided level by level
            axes.add_patch(
                FancyArrowPatch(
                    boxes[start][0], boxes[end][0], patchA=patches[start], patchB=patches[end],
                    arrowstyle="<|-|>" if both else "-|>", mutation_scale=12, color="#5b6670",
                )
            )  # fmt: skip
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=Path, default=PICTURE)
    picture = parser.parse_args().picture
    print(counted())
    draw(picture, SHOWN)


if __name__ == "__main__":
    main()
