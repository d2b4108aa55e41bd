"""What a network costs, counted: parameters and floating-point operations of each part."""

import copy
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Part:
    """A part of a network.

    Attributes:
        name: as the network calls it.
        parameters: all of them.
        trained: those that training changes.
        flops: of a forward pass over one crop; a multiplication and an addition are two.
    """

    name: str
    parameters: int
    trained: int
    flops: int


def parameters(module: nn.Module) -> tuple[int, int]:
    """How many parameters a module has, and how many of them are trained."""
    sizes = [(p.numel(), p.requires_grad) for p in module.parameters()]
    return sum(n for n, _ in sizes), sum(n for n, trained in sizes if trained)


def parts(network: nn.Module, crop: tuple[int, int, int]) -> list[Part]:
    """The network's parts, with SAM2's encoder apart from what reduces its maps; then the whole.

    Operations are counted on shapes alone (torch's device "meta"): nothing is computed, and
    kernels of a processor that hide their operations from the counter are not used.

    Args:
        crop: (z, y, x) in voxels.
    """
    names = [name for name, _ in network.named_children()]
    if "sam2" in names:
        where = names.index("sam2")
        names[where : where + 1] = ["sam2.encoder", "sam2.reduce"]
    counter: Any = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        copy.deepcopy(network).to("meta")(torch.zeros(1, 1, *crop, device="meta"))
    root = type(network).__name__
    counts = {key: sum(each.values()) for key, each in counter.get_flop_counts().items()}
    found = []
    for name in names:
        total, trained = parameters(network.get_submodule(name))
        # a list of modules is never called itself, its members are
        under = f"{root}.{name}"
        flops = counts.get(under) or sum(
            value for key, value in counts.items()
            if key.startswith(f"{under}.") and key.count(".") == under.count(".") + 1
        )  # fmt: skip
        found.append(Part(name, total, trained, int(flops)))
    by_name = {part.name: part for part in found}
    if "fine" in by_name and "attention" in by_name:
        # the encoder's levels call the attention, which is counted by itself
        inner = by_name["fine"]
        by_name["fine"] = replace(inner, flops=inner.flops - by_name["attention"].flops)
    total, trained = parameters(network)
    used = [part for part in by_name.values() if part.parameters]
    return [*used, Part("whole", total, trained, int(counts["Global"]))]
