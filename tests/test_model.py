"""The networks: every switch shown on the graph, and the official checkpoint layout."""

import copy
import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import ROOT
from torch import nn

from fgnet.errors import InputError
from fgnet.model.attention import guidance
from fgnet.model.build import build, load_official
from fgnet.model.convolution import Conv3d
from fgnet.model.counts import parameters, parts
from fgnet.model.losses import affinity_loss, balance, border_dice
from fgnet.model.sam2 import Sam2Encoder, build_trunk
from fgnet.settings.encoders import Sam2
from fgnet.settings.network import (
    FGNetNetwork,
    MalaNetwork,
    Sam2DecoderNetwork,
    SuperHumanNetwork,
)

LEVELS: dict[str, Any] = {"filters": (6, 8, 8), "strides": ((1, 2, 2), (2, 2, 2))}
TINY: dict[str, Any] = {"size": "tiny", "weights": "random", "channels": 8}


def fgnet(**changes: Any) -> FGNetNetwork:
    return FGNetNetwork(**{**LEVELS, "sam2": Sam2(**TINY), **changes})


def gradients(network: torch.nn.Module) -> dict[str, bool]:
    """Whether each parameter gets a gradient from a crop."""
    network.train()
    maps = network(torch.rand(1, 1, 2, 64, 32))
    sum(m.square().mean() for m in maps.values()).backward()
    return {
        name: p.grad is not None and bool(p.grad.abs().sum() > 0)
        for name, p in network.named_parameters()
    }


@pytest.mark.parametrize(
    ("settings", "maps"),
    [
        (fgnet(), {"refined", "coarse"}),
        (fgnet(attention="cross"), {"refined", "coarse"}),
        (fgnet(attention="concatenate"), {"refined", "coarse"}),
        (fgnet(attention="none"), {"refined", "coarse"}),
        (fgnet(decoders="single"), {"refined"}),
        (fgnet(sam2=None), {"refined"}),
        (Sam2DecoderNetwork(sam2=Sam2(**TINY)), {"refined"}),
        (SuperHumanNetwork(**LEVELS), {"refined"}),
        (MalaNetwork(filters=(3, 4, 5), strides=((1, 3, 3), (2, 3, 3))), {"refined"}),
    ],
    ids=lambda value: value.kind if hasattr(value, "kind") else "-".join(sorted(value)),
)
def test_every_network_keeps_the_crops_grid(settings: Any, maps: set[str]) -> None:
    found = build(settings, 4)(torch.rand(2, 1, 5, 64, 32))
    assert {name: tuple(m.shape) for name, m in found.items()} == dict.fromkeys(
        maps, (2, 4, 5, 64, 32)
    )


def test_published_networks_have_their_published_size() -> None:
    with torch.device("meta"):
        assert parameters(build(SuperHumanNetwork(), 3)) == (1_478_799, 1_478_799)
        assert parameters(build(MalaNetwork(), 3))[0] == 84_020_475


@pytest.mark.parametrize("mode", ["frozen", "finetuned", "last_blocks", "lora"])
def test_training_moves_what_the_mode_says_and_nothing_else(mode: Any) -> None:
    network = build(fgnet(sam2=Sam2(**TINY, mode=mode, blocks=3)), 3)
    moved = gradients(network)
    trunk = {name: got for name, got in moved.items() if name.startswith("sam2.encoder.trunk")}
    assert all(got for name, got in moved.items() if name not in trunk)
    if mode == "finetuned":
        # windows of the background embedding that a small crop does not see get none
        assert sum(trunk.values()) >= len(trunk) - 2
    last = {f"sam2.encoder.trunk.blocks.{n}." for n in (9, 10, 11)}
    for name, got in trunk.items():
        if mode == "frozen":
            assert not got
        if mode == "last_blocks":
            assert got is any(name.startswith(block) for block in last), name
        if mode == "lora":
            # the second factor starts at zero, so the first gets its gradient a step later
            assert got is ("lora_B" in name), name
    encoder = network.get_submodule("sam2.encoder.trunk")
    assert encoder.training is (mode != "frozen")


def test_without_sam2_what_hangs_on_it_is_absent() -> None:
    zero = build(fgnet(sam2=None), 3)
    assert {name.split(".")[0] for name, _ in zero.named_parameters()} == {"fine", "refined"}
    whole = build(fgnet(attention="none"), 3)
    same = {
        k: v.shape for k, v in whole.named_parameters() if k.split(".")[0] in ("fine", "refined")
    }
    assert same == {k: v.shape for k, v in zero.named_parameters()}
    with pytest.raises(ValueError, match="attention: gate needs SAM2"):
        fgnet(sam2=None, attention="gate")


@pytest.mark.parametrize(
    ("attention", "differs"),
    [("gate", True), ("cross", True), ("concatenate", True), ("none", False)],
)
def test_guidance_reaches_the_refined_map_only_with_attention(
    attention: Any, differs: bool
) -> None:
    torch.manual_seed(0)
    crop = torch.rand(1, 1, 2, 64, 64)
    network = build(fgnet(attention=attention), 3).eval()
    before = network(crop)["refined"]
    with torch.no_grad():
        for reduce in network.get_submodule("sam2.reduce"):  # type: ignore[attr-defined]
            reduce[0].weight *= -1
    assert (not torch.equal(before, network(crop)["refined"])) is differs


def test_the_gate_stresses_and_never_erases() -> None:
    fine = torch.randn(1, 4, 3, 8, 8)
    ratio = guidance(4, 6, "gate")(fine, torch.randn(1, 6, 3, 2, 2)) / fine
    assert ratio.min() >= 1 and ratio.max() <= 2


def test_cross_attention_stays_within_a_section() -> None:
    torch.manual_seed(0)
    attention = guidance(8, 6, "cross").eval()
    fine, guide = torch.randn(1, 8, 3, 8, 8), torch.randn(1, 6, 3, 4, 4)
    before = attention(fine, guide)
    guide[:, :, 2, 0, 0] += 1
    changed = (attention(fine, guide) - before).abs().amax(dim=(0, 1, 3, 4))
    assert (changed > 1e-6).tolist() == [False, False, True]


def test_sections_are_encoded_one_by_one_and_in_any_groups() -> None:
    """Each section's features are those it has alone, as the 2-D encoder knows no z."""
    encoder = Sam2Encoder(Sam2(**TINY)).eval()
    crop = torch.rand(1, 1, 3, 64, 32)
    whole, alone = encoder(crop), encoder(crop[:, :, 1:2])
    assert [tuple(m.shape[2:]) for m in whole] == [(3, 16, 8), (3, 8, 4), (3, 4, 2), (3, 2, 1)]
    for all_sections, one in zip(whole, alone, strict=True):
        torch.testing.assert_close(all_sections[:, :, 1:2], one, atol=1e-5, rtol=1e-4)
    grouped = Sam2Encoder(Sam2(**TINY, sections=2)).eval()
    grouped.load_state_dict(encoder.state_dict())
    calls: list[int] = []
    grouped.trunk.register_forward_pre_hook(lambda _, given: calls.append(len(given[0])))
    for one, other in zip(whole, grouped(crop), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
    assert calls == [2, 1]


def test_upscaling_gives_finer_maps() -> None:
    encoder = Sam2Encoder(Sam2(**TINY, upscale=2)).eval()
    maps = encoder(torch.rand(1, 1, 1, 64, 32))
    assert encoder.strides == (2, 4, 8, 16)
    assert [tuple(m.shape[3:]) for m in maps] == [(32, 16), (16, 8), (8, 4), (4, 2)]


def test_recomputing_gives_the_same_gradients() -> None:
    found = []
    crop = torch.rand(1, 1, 2, 32, 32)
    for recompute in (False, True):
        torch.manual_seed(0)
        settings = Sam2(**TINY, mode="last_blocks", blocks=1, recompute=recompute, sections=1)
        encoder = Sam2Encoder(settings).train()
        runs: list[int] = []
        encoder.trunk.register_forward_pre_hook(lambda *_, runs=runs: runs.append(1))
        encoder(crop)[3].square().mean().backward()
        found.append([p.grad for p in encoder.parameters() if p.grad is not None])
        assert len(runs) == (4 if recompute else 2)
    assert found[0] and len(found[0]) == len(found[1])
    assert all(torch.allclose(a, b, atol=1e-7) for a, b in zip(*found, strict=True))


def official(path: Path) -> Any:
    """A checkpoint in Meta's layout of the sam2 package's own random model; and the model."""
    from sam2.build_sam import build_sam2

    whole = build_sam2("configs/sam2.1/sam2.1_hiera_t.yaml", ckpt_path=None, device="cpu")
    torch.save({"model": whole.state_dict()}, path)
    return whole


@pytest.mark.parametrize("mode", ["frozen", "lora"])
def test_an_official_checkpoint_gives_the_packages_own_features(tmp_path: Path, mode: Any) -> None:
    path = tmp_path / "sam2.1_hiera_tiny.pt"
    whole = official(path)
    network = build(fgnet(sam2=Sam2(size="tiny", mode=mode)), 3).eval()
    load_official(network, path)
    encoder = network.get_submodule("sam2.encoder")
    crop = torch.rand(1, 1, 2, 224, 224)  # whole windows, where not even rounding differs
    images = (crop[0, 0, :, None].expand(-1, 3, -1, -1) - encoder.mean) / encoder.std
    for ours, theirs in zip(encoder(crop), whole.image_encoder.trunk(images), strict=True):
        assert torch.equal(ours[0].transpose(0, 1), theirs)


@pytest.mark.parametrize("height, width", [(32, 32), (96, 160), (192, 192), (224, 64), (256, 256)])
def test_attention_without_padding_is_the_packages_own(height: int, width: int) -> None:
    """Features and gradients; maps of fewer tokens than a window, as many, and more."""
    from sam2.modeling.backbones.hieradet import MultiScaleBlock

    torch.manual_seed(0)
    ours = build_trunk(Sam2(size="tiny"))
    theirs = copy.deepcopy(ours)
    for block in theirs.blocks:  # type: ignore[union-attr]
        block.__class__ = MultiScaleBlock
    images = torch.randn(1, 3, height, width)
    weight = "blocks.10.attn.qkv.weight"
    found = []
    for trunk in (ours, theirs):
        maps = trunk(images)
        sum(m.square().sum() for m in maps).backward()
        found.append([*maps, trunk.get_parameter(weight).grad])
    for one, other in zip(*found, strict=True):
        close = {"atol": 1e-4 * float(other.detach().abs().max()), "rtol": 1e-3}
        torch.testing.assert_close(one, other, **close)


def test_a_wrong_or_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sam2.1_hiera_tiny.pt"
    official(path)
    with pytest.raises(InputError, match="another SAM2 encoder"):
        Sam2Encoder(Sam2(size="small")).load_official(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="not a SAM2 checkpoint"):
        Sam2Encoder(Sam2(size="tiny")).load_official(path)


def test_the_encoder_agrees_with_transformers() -> None:
    from transformers import Sam2VisionConfig, Sam2VisionModel

    encoder = Sam2Encoder(Sam2(**TINY)).eval()
    other = Sam2VisionModel(Sam2VisionConfig()).eval().backbone  # its defaults are SAM2 tiny
    values = list(encoder.trunk.state_dict().values())
    other.load_state_dict(dict(zip(other.state_dict(), values, strict=True)))
    crop = torch.rand(1, 1, 2, 64, 96)
    images = (crop[0, 0, :, None].expand(-1, 3, -1, -1) - encoder.mean) / encoder.std
    with torch.no_grad():
        theirs = other(images).intermediate_hidden_states  # (D, h, w, C) each
        for mine, its in zip(encoder(crop), theirs, strict=True):
            torch.testing.assert_close(mine[0].permute(1, 2, 3, 0), its, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("version", ["2.0", "2.1"])
@pytest.mark.parametrize("size", ["tiny", "small", "base_plus", "large"])
def test_all_eight_encoders_can_be_built(version: Any, size: Any) -> None:
    encoder = Sam2Encoder(Sam2(version=version, size=size, weights="random"))
    millions = {"tiny": 26.85, "small": 33.95, "base_plus": 68.68, "large": 212.15}
    assert parameters(encoder.trunk)[0] / 1e6 == pytest.approx(millions[size], abs=0.01)


def test_more_blocks_than_the_encoder_has_are_refused() -> None:
    with pytest.raises(InputError, match=r"sam2\.blocks: 13 .* has 12"):
        Sam2Encoder(Sam2(**TINY, mode="last_blocks", blocks=13))


def test_the_parts_add_up_to_the_whole() -> None:
    found = parts(build(fgnet(), 3), (2, 64, 64))
    *some, whole = found
    assert [part.name for part in some][:2] == ["attention", "sam2.encoder"]
    assert sum(part.parameters for part in some) == whole.parameters
    assert sum(part.trained for part in some) == whole.trained < whole.parameters
    assert sum(part.flops for part in some) == whole.flops
    # one 1x1x1 convolution: two operations a weight and voxel
    head = parts(build(SuperHumanNetwork(filters=(4, 4), strides=((1, 2, 2),)), 3), (1, 32, 32))
    assert next(p for p in head if p.name == "head").flops == 2 * 32 * 32 * (4 * 4 * 25 + 4 * 3)


def test_the_document_and_its_picture_are_true_to_the_code() -> None:
    path = ROOT / "benchmarks" / "model.py"
    spec = importlib.util.spec_from_file_location("benchmark_model", path)
    assert spec is not None and spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    document = (ROOT / "docs/model.md").read_text()
    assert benchmark.counted() in document, "run benchmarks/model.py and copy its table"
    picture = re.findall(r">([^<>]+)</t", (ROOT / "docs/images/model.svg").read_text())
    for label in benchmark.labels(benchmark.SHOWN).values():
        assert set(label.split("\n")) <= set(picture), "run benchmarks/model.py"


def test_both_classes_weigh_the_same_and_unknown_edges_nothing() -> None:
    target = torch.zeros(1, 1, 1, 1, 10)
    target[..., :8] = 1
    known = torch.ones_like(target)
    known[..., 0] = 0
    weight = balance(target, known)
    assert weight[0, 0, 0, 0, 0] == 0
    assert weight[target > 0].sum() == pytest.approx(float(weight[target == 0].sum()))


@pytest.mark.parametrize("form", ["mse", "bce", "dice_bce"])
def test_the_loss_falls_towards_the_target_and_is_a_mean_over_crops(form: Any) -> None:
    target = (
        torch.rand(4, 3, 4, 8, 8) > torch.tensor([0.1, 0.3, 0.5, 0.9]).view(4, 1, 1, 1, 1)
    ).float()
    known = (torch.rand_like(target) > 0.2).float()
    worse, better = ((2 * target - 1) * scale for scale in (0.5, 6.0))
    assert affinity_loss(better, target, known, form) < affinity_loss(worse, target, known, form)
    assert affinity_loss(20 * (2 * target - 1), target, known, form) < 1e-6
    logits = torch.randn_like(target)
    each = [affinity_loss(logits[[i]], target[[i]], known[[i]], form) for i in range(4)]
    assert affinity_loss(logits, target, known, form) == pytest.approx(
        float(sum(each)) / 4, rel=1e-5
    )
    changed = torch.where(known > 0, logits, torch.full_like(logits, 9.0))
    assert affinity_loss(changed, target, known, form) == affinity_loss(logits, target, known, form)


def test_dice_of_borders_by_hand() -> None:
    logits = torch.tensor([20.0, -20.0, -20.0, 20.0]).view(1, 1, 1, 1, 4)
    target = torch.tensor([1.0, 0.0, 1.0, 1.0]).view(1, 1, 1, 1, 4)
    # borders found 2, true 1, shared 1; plus one in both terms
    assert border_dice(logits, target, torch.ones_like(target)) == pytest.approx(
        1 - 3 / 4, abs=1e-6
    )


@pytest.mark.parametrize(
    ("kernel", "shape"), [(3, (2, 6, 6)), ((1, 5, 5), (4, 1, 6)), (3, (4, 6, 6))]
)
def test_gradients_in_bfloat16_are_those_in_float32(kernel: Any, shape: tuple[int, ...]) -> None:
    """Also where an image is shorter than the kernel, for which torch's own are wrong."""
    torch.manual_seed(0)
    layer, image, weighed = Conv3d(16, 16, kernel), torch.randn(1, 16, *shape), torch.randn(16, 1)
    found = []
    for reduced in (False, True):
        layer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=reduced):
            maps = layer(image)
        (maps.float().flatten(2)[0] * weighed).sum().backward()
        assert layer.weight.grad is not None
        found.append(layer.weight.grad.clone())
    assert (found[0] - found[1]).norm() < 0.02 * found[0].norm()


@pytest.mark.parametrize("kernel", [1, 3, (1, 3, 3), (1, 5, 5)])
@pytest.mark.parametrize("shape", [(1, 6, 4, 9, 12), (1, 6, 3, 1, 5), (2, 6, 4, 8, 8)])
def test_convolutions_are_torchs_own(kernel: Any, shape: tuple[int, ...]) -> None:
    """However they are computed: the result, and the gradients of image, weights and bias."""
    torch.manual_seed(0)
    ours, theirs = Conv3d(6, 8, kernel), nn.Conv3d(6, 8, kernel, padding="same")
    theirs.load_state_dict(ours.state_dict())
    images = [torch.randn(shape, requires_grad=True)]
    images.append(images[0].detach().clone().requires_grad_())
    found = [layer(image) for layer, image in zip((ours, theirs), images, strict=True)]
    weighed = torch.randn(found[0].shape)
    for one in found:
        one.backward(weighed)
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(images[0].grad, images[1].grad, atol=1e-5, rtol=1e-5)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad, atol=1e-4, rtol=1e-4)
