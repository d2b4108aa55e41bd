"""The polyp system: prompts, the full-scale decoder, gates, images of colour; losses of masks."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from test_model import official
from test_settings import tiny
from torch.nn import functional

from fgnet.model.build import build, load_official
from fgnet.model.counts import parts
from fgnet.model.folding import fold, unfold
from fgnet.model.gates import gate
from fgnet.model.mask_losses import dice_bce, edge_loss, edges, structure_loss
from fgnet.model.polyp import FullScaleDecoder, Polyp
from fgnet.model.sam2 import Sam2Encoder
from fgnet.settings.config import load
from fgnet.settings.encoders import PromptedSam2, Sam2
from fgnet.settings.network import FGNetNetwork, MalaNetwork, PolypNetwork, SuperHumanNetwork

TINY: dict[str, Any] = {"size": "tiny", "weights": "random"}


def settings(**changes: Any) -> PolypNetwork:
    return PolypNetwork(sam2=PromptedSam2(**TINY, channels=8, hidden=4), **changes)


def moved(encoder: Sam2Encoder) -> None:
    """Prompts as if they had been trained."""
    for name, parameter in encoder.named_parameters():
        if "prompt.up" in name:
            torch.nn.init.normal_(parameter, std=0.1)


def test_prompts_start_at_the_encoders_own_features_and_then_change_them() -> None:
    torch.manual_seed(0)
    plain = Sam2Encoder(Sam2(**TINY)).eval()
    prompted = Sam2Encoder(Sam2(**TINY, mode="prompts", hidden=4)).eval()
    missing = prompted.load_state_dict(plain.state_dict(), strict=False)
    assert not missing.unexpected_keys
    widths = [96, 96, 192, 192, *[384] * 7, 768]  # that enter the tiny trunk's blocks
    wanted = {f"trunk.blocks.{n}.prompt.down.weight": (4, c) for n, c in enumerate(widths)}
    shapes = {k: tuple(v.shape) for k, v in prompted.named_parameters() if "down.weight" in k}
    assert shapes == wanted
    crop = torch.rand(1, 1, 1, 64, 64)
    before = plain(crop)
    assert all(torch.equal(a, b) for a, b in zip(before, prompted(crop), strict=True))
    twin = copy.deepcopy(prompted)
    moved(prompted)
    for a, b, same in zip(before, prompted(crop), twin(crop), strict=True):
        assert not torch.allclose(a, b, atol=1e-2) and torch.equal(a, same)


def test_prompts_are_all_that_is_trained_of_the_encoder() -> None:
    network = build(settings(), 2).train()
    encoder = network.get_submodule("encoder")
    assert isinstance(encoder, Sam2Encoder)
    moved(encoder)
    sum(m.square().mean() for m in network(torch.rand(1, 1, 2, 64, 32)).values()).backward()
    for name, parameter in encoder.named_parameters():
        reached = parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)
        assert parameter.requires_grad is reached is (".prompt." in name), name
    others = [p for name, p in network.named_parameters() if not name.startswith("encoder")]
    assert all(p.grad is not None for p in others)


def test_an_official_checkpoint_goes_around_the_prompts(tmp_path: Path) -> None:
    path = tmp_path / "sam2.1_hiera_tiny.pt"
    whole = official(path)
    network = build(settings(), 1).eval()
    load_official(network, path)
    encoder = network.get_submodule("encoder")
    crop = torch.rand(1, 3, 1, 224, 224)  # of colour; whole windows, where no rounding differs
    images = (crop[:, :, 0] - encoder.mean) / encoder.std
    for ours, theirs in zip(encoder(crop), whole.image_encoder.trunk(images), strict=True):
        assert torch.equal(ours[:, :, 0], theirs)


def test_every_node_is_fed_by_every_scale() -> None:
    torch.manual_seed(0)
    channels = (3, 4, 5, 6)
    decoder = FullScaleDecoder(channels, settings()).eval()
    assert [len(node.enter) for node in decoder.nodes] == [4, 4, 4, 4]  # type: ignore[arg-type, union-attr]
    maps = [torch.randn(1, c, 16 // 2**n, 24 // 2**n) for n, c in enumerate(channels)]
    before = decoder(maps)
    assert [tuple(m.shape) for m in before] == [
        (1, 8, 16, 24), (1, 8, 8, 12), (1, 8, 4, 6), (1, 8, 2, 3)
    ]  # fmt: skip
    for scale in range(4):
        other = [m + (n == scale) * torch.randn_like(m) for n, m in enumerate(maps)]
        assert all(not torch.equal(a, b) for a, b in zip(before, decoder(other), strict=True))


@pytest.mark.parametrize("form", ["se", "eca", "cbam"])
def test_gates_weigh_between_nothing_and_all(form: Any) -> None:
    torch.manual_seed(0)
    x = torch.rand(2, 32, 6, 5) + 0.1
    ratio = gate(form, 32)(x) / x
    assert 0 < ratio.min() < ratio.max() < 1
    same = torch.allclose(ratio, ratio[:, :, :1, :1].expand_as(ratio))
    assert same is (form != "cbam")  # the others weigh channels, CBAM places as well
    assert not torch.allclose(ratio, ratio[:, :1].expand_as(ratio))


def test_a_section_between_its_neighbours_by_hand() -> None:
    crop = torch.arange(6.0).view(2, 1, 3, 1, 1)
    copies, neighbours = fold(crop, "copies"), fold(crop, "neighbours")
    assert copies.flatten(1).tolist() == [[n] * 3 for n in range(6)]
    assert neighbours.flatten(1).tolist() == [
        [0, 0, 1], [0, 1, 2], [1, 2, 2], [3, 3, 4], [3, 4, 5], [4, 5, 5]
    ]  # fmt: skip
    assert torch.equal(unfold(neighbours, 2)[:, 1:2], crop)
    colour = torch.rand(2, 3, 1, 4, 4)
    assert torch.equal(fold(colour, "neighbours"), colour[:, :, 0])


@pytest.mark.parametrize(("shape", "side"), [((3, 1, 5, 64, 32), True), ((1, 3, 1, 32, 64), False)])
def test_maps_have_the_crops_grid(shape: tuple[int, ...], side: bool) -> None:
    network = build(settings(side_outputs=side), 4, inputs=shape[1])
    names = ["refined", "deep1", "deep2", "deep3"] if side else ["refined"]
    found = {name: tuple(m.shape) for name, m in network(torch.rand(shape)).items()}
    assert found == dict.fromkeys(names, (shape[0], 4, *shape[2:]))


def test_sections_see_what_the_switch_says() -> None:
    """A change of the last of four sections is seen by it alone, or by the one before as well."""
    for sections, wanted in (
        ("copies", [False, False, False, True]), ("neighbours", [False, False, True, True])
    ):  # fmt: skip
        torch.manual_seed(0)
        network = build(settings(sections=sections), 1).eval()
        crop = torch.rand(1, 1, 4, 32, 32)
        with torch.no_grad():
            before = network(crop)["refined"]
            crop[:, :, 3] = 0
            change = (network(crop)["refined"] - before).abs().amax(dim=(0, 1, 3, 4))
        assert (change > 1e-4).tolist() == wanted


@pytest.mark.parametrize(
    "network",
    [
        FGNetNetwork(filters=(4, 4), strides=((1, 2, 2),), sam2=Sam2(**TINY, channels=4)),
        SuperHumanNetwork(filters=(4, 4), strides=((1, 2, 2),)),
        MalaNetwork(filters=(3, 4), strides=((1, 3, 3),)),
    ],
    ids=lambda each: each.kind,
)
def test_volume_networks_take_colour_and_grey_ones_stay_as_they_were(network: Any) -> None:
    found = build(network, 2, inputs=3)(torch.rand(2, 3, 1, 32, 32))
    assert tuple(found["refined"].shape) == (2, 2, 1, 32, 32)
    grey, colour = build(network, 2).state_dict(), build(network, 2, inputs=3).state_dict()
    differ = {k for k in grey if grey[k].shape != colour[k].shape}
    assert grey.keys() == colour.keys() and differ
    assert all(grey[k].shape[1] == 1 and colour[k].shape[1] == 3 for k in differ)


def learnt(network: torch.nn.Module, loss: Any) -> float:
    """Share of the loss that is left after a few steps on two images of a bright object each.

    ``loss`` takes the network's maps, target and known.
    """
    images = torch.rand(2, 3, 1, 64, 64) * 0.2
    target = torch.zeros(2, 1, 1, 64, 64)
    target[0, ..., 10:40, 20:50] = target[1, ..., 30:60, 5:30] = 1
    images, known = images + 0.6 * target, torch.ones_like(target)
    trained = [p for p in network.train().parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=0.02)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        losses.append(loss(network(images), target, known))
        losses[-1].backward()
        optimizer.step()
    return float(losses[-1].detach() / losses[0].detach())


def test_two_images_are_learnt() -> None:
    def deep(maps: dict[str, torch.Tensor], *truth: torch.Tensor) -> torch.Tensor:
        return torch.stack([structure_loss(m, *truth) for m in maps.values()]).sum()

    torch.manual_seed(0)
    assert learnt(build(settings(), 1, inputs=3), deep) < 0.75


def test_the_parts_of_the_polyp_system_are_counted() -> None:
    network = build(settings(), 3)
    assert isinstance(network, Polyp)
    *some, whole = parts(network, (2, 64, 64))
    assert [part.name for part in some] == ["encoder", "decoder", "heads"]
    prompts = sum(4 * 2 * block.dim + 4 + block.dim for block in network.encoder.trunk.blocks)  # type: ignore[union-attr, operator]
    assert some[0].trained == prompts
    assert sum(part.parameters for part in some) == whole.parameters
    assert sum(part.flops for part in some) == whole.flops
    # heads of 3 x 3 x 8 weights for 3 outputs on two sections, at strides 4, 8, 16 and 32
    assert some[2].flops == 2 * (9 * 8 * 3) * 2 * (16**2 + 8**2 + 4**2 + 2**2)


def test_the_configuration_names_the_checkpoints_that_are_needed() -> None:
    networks: dict[str, Any] = {
        "large": {"kind": "polyp"},
        "small": {"kind": "polyp", "sam2": {"version": "2.1", "size": "small"}},
        "random": {"kind": "polyp", "sam2": TINY},
        "masg": {"kind": "masg"},
        "masg2": {"kind": "masg", "encoder": "sam2"},
        "mala": {"kind": "mala"},
    }
    models = {name: {"network": network} for name, network in networks.items()}
    config = load(tiny(train__models=models))
    assert {name: config.sam2_checkpoint(name) for name in models} == {
        "large": "sam2_hiera_large", "small": "sam2.1_hiera_small", "random": None,
        "masg": None, "masg2": "sam2.1_hiera_large", "mala": None,
    }  # fmt: skip


def masks() -> tuple[torch.Tensor, torch.Tensor]:
    """Targets (2, 1, 2, 40, 40) and where they are known."""
    target = torch.zeros(2, 1, 2, 40, 40)
    target[:, :, 0, 5:20, 8:30] = target[1, :, 1, 30:, 30:] = 1
    known = torch.ones_like(target)
    known[..., :4, :] = 0
    return target, known


@pytest.mark.parametrize("loss", [structure_loss, dice_bce], ids=["structure", "dice"])
def test_mask_losses_are_nothing_for_the_truth_and_fall_towards_it(loss: Any) -> None:
    target, known = masks()
    sign = 2 * target - 1
    values = [float(loss(scale * sign, target, known)) for scale in (-20, -1, 0, 1, 4, 40)]
    assert values == sorted(values, reverse=True) and values[-1] < 1e-5 < 1 < values[0]
    noise = torch.randn_like(target)
    unseen = torch.where(known > 0, noise, torch.full_like(noise, 9.0))
    assert loss(unseen, torch.where(known > 0, target, 1 - target), known) == loss(
        noise, target, known
    )
    each = [float(loss(noise[[n]], target[[n]], known[[n]])) for n in (0, 1)]
    assert float(loss(noise, target, known)) == pytest.approx(sum(each) / 2, rel=1e-5)


def test_structure_loss_by_hand() -> None:
    """All background but one pixel in the middle: its weight is 1 + 5 * 960 / 961."""
    target = torch.zeros(1, 1, 1, 61, 61)
    target[..., 30, 30] = 1
    weight = 1 + 5 * torch.tensor(1 / 961).expand(31, 31).clone()
    weight[15, 15] = 1 + 5 * 960 / 961
    total = weight.sum() + 61**2 - 31**2
    own = weight[15, 15]
    # logits of 0: every pixel is half found and log 2 wrong
    iou = (own / 2 + 1) / (total / 2 + own - own / 2 + 1)
    found = structure_loss(torch.zeros_like(target), target, torch.ones_like(target))
    assert float(found) == pytest.approx(float(torch.tensor(2.0).log() + 1 - iou), rel=1e-5)


def test_dice_by_hand() -> None:
    logits = torch.tensor([30.0, 30.0, -30.0, -30.0]).view(1, 1, 1, 1, 4)
    target = torch.tensor([1.0, 0.0, 1.0, 0.0]).view(1, 1, 1, 1, 4)
    # found 2, true 2, shared 1, plus one in both terms; two of four pixels are 30 wrong
    found = dice_bce(logits, target, torch.ones_like(target))
    assert float(found) == pytest.approx(1 - 3 / 5 + 15, abs=1e-5)


def test_edges_by_hand() -> None:
    target = torch.zeros(1, 2, 2, 5, 6)
    target[0, 0, 0, :, 3:] = 1  # one class right of a line
    target[0, 1, 1, 0, 0] = 1  # the other in a corner of the next section
    known = torch.ones_like(target)
    known[0, 1, 0, 4, 5] = 0
    edge, told = edges(target, known)
    line = [[0, 0, 1, 1, 0, 0]] * 5
    corner = [[1, 1, 0, 0, 0, 0]] * 2 + [[0] * 6] * 3
    assert edge.tolist() == [[[line, corner]]]
    assert told[0, 0, 0].tolist() == [[1] * 6] * 3 + [[1, 1, 1, 1, 0, 0]] * 2
    assert bool(told[0, 0, 1].all())
    sure = 40 * (2 * edge - 1)
    assert edge_loss(sure, target, known) < 1e-6 < edge_loss(-sure, target, known)
    # where edges are rare, missing them all costs as much as seeing them everywhere
    few = functional.pad(target, (0, 6, 0, 6))
    everywhere = torch.full((1, 1, 2, 11, 12), 5.0)
    found = edge_loss(everywhere, few, torch.ones_like(few))
    assert float(found) == pytest.approx(
        float(edge_loss(-everywhere, few, torch.ones_like(few))), rel=1e-4
    )
