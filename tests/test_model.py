"""The networks: shapes, what guides what, what is trained, and the official checkpoint layout."""

from pathlib import Path
from typing import Any

import pytest
import torch

from fgnet.errors import InputError
from fgnet.model.attention import FeatureGuidedAttention
from fgnet.model.build import build
from fgnet.model.losses import affinity_loss, balance
from fgnet.model.sam2 import Sam2Encoder
from fgnet.settings.network import FGNetNetwork, Sam2, UNetNetwork

LEVELS: dict[str, Any] = {"filters": (6, 8, 8), "strides": ((1, 2, 2), (2, 2, 2))}
TINY = {"size": "tiny", "weights": "random", "channels": 8}


def fgnet(**changes: Any) -> FGNetNetwork:
    return FGNetNetwork(**{**LEVELS, "sam2": Sam2(**TINY), **changes})


@pytest.mark.parametrize("attention", ["gate", "concatenate", "none"])
def test_fgnet_gives_both_maps_on_the_crops_grid(attention: str) -> None:
    maps = build(fgnet(attention=attention), 4)(torch.rand(2, 1, 5, 64, 32))
    assert {name: tuple(m.shape) for name, m in maps.items()} == {
        "refined": (2, 4, 5, 64, 32),
        "coarse": (2, 4, 5, 64, 32),
    }


def test_the_unet_gives_the_refined_map_alone() -> None:
    maps = build(UNetNetwork(**LEVELS), 3)(torch.rand(1, 1, 5, 34, 32))
    assert list(maps) == ["refined"]
    assert maps["refined"].shape == (1, 3, 5, 34, 32)


@pytest.mark.parametrize("mode", ["frozen", "finetuned"])
def test_a_frozen_encoder_gets_no_gradient_and_a_finetuned_one_does(mode: str) -> None:
    network = build(fgnet(sam2=Sam2(**TINY, mode=mode)), 3).train()
    sum(m.square().mean() for m in network(torch.rand(1, 1, 2, 32, 32)).values()).backward()  # type: ignore[union-attr]
    trunk = [p for n, p in network.named_parameters() if n.startswith("sam2.trunk")]
    moved = [p for p in trunk if p.grad is not None and p.grad.abs().sum() > 0]
    assert bool(moved) is (mode == "finetuned")
    assert network.sam2.trunk.training is (mode == "finetuned")  # type: ignore[union-attr]
    rest = [p for n, p in network.named_parameters() if not n.startswith("sam2.trunk")]
    assert all(p.grad is not None for p in rest)


def test_guidance_reaches_the_refined_map_only_with_attention() -> None:
    crop = torch.rand(1, 1, 2, 32, 32)
    for attention, differs in (("gate", True), ("concatenate", True), ("none", False)):
        torch.manual_seed(0)
        network = build(fgnet(attention=attention), 3).eval()
        before = network(crop)["refined"]
        with torch.no_grad():
            network.reduce[0][1].bias += 1.0  # type: ignore[index, union-attr]
        assert (not torch.equal(before, network(crop)["refined"])) is differs


def test_the_gate_stresses_and_never_erases() -> None:
    attention = FeatureGuidedAttention(4, 6, "gate")
    fine = torch.randn(1, 4, 3, 8, 8)
    guided = attention(fine, torch.randn(1, 6, 3, 2, 2))
    ratio = guided / fine
    assert ratio.min() >= 1 and ratio.max() <= 2


def test_sections_are_encoded_one_by_one() -> None:
    """Each section's features are those it has alone, as the 2-D encoder knows no z."""
    encoder = Sam2Encoder(Sam2(**TINY)).eval()
    crop = torch.rand(1, 1, 3, 64, 32)
    whole, alone = encoder(crop), encoder(crop[:, :, 1:2])
    assert [tuple(m.shape[2:]) for m in whole] == [(3, 16, 8), (3, 8, 4), (3, 4, 2), (3, 2, 1)]
    for all_sections, one in zip(whole, alone, strict=True):
        torch.testing.assert_close(all_sections[:, :, 1:2], one, atol=1e-5, rtol=1e-4)


def test_an_official_checkpoint_gives_the_packages_own_features(tmp_path: Path) -> None:
    from sam2.build_sam import build_sam2

    whole = build_sam2("configs/sam2.1/sam2.1_hiera_t.yaml", ckpt_path=None, device="cpu")
    path = tmp_path / "sam2.1_hiera_tiny.pt"
    torch.save({"model": whole.state_dict()}, path)
    encoder = Sam2Encoder(Sam2(size="tiny")).eval()
    encoder.load_official(path)
    crop = torch.rand(1, 1, 2, 64, 64)
    images = (crop[0, 0, :, None].expand(-1, 3, -1, -1) - encoder.mean) / encoder.std
    for ours, theirs in zip(encoder(crop), whole.image_encoder.trunk(images), strict=True):
        assert torch.equal(ours[0].transpose(0, 1), theirs)
    with pytest.raises(InputError, match="another SAM2 encoder"):
        Sam2Encoder(Sam2(size="small")).load_official(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="not a SAM2 checkpoint"):
        encoder.load_official(path)


@pytest.mark.parametrize("version", ["2.0", "2.1"])
@pytest.mark.parametrize("size", ["tiny", "small", "base_plus", "large"])
def test_all_eight_encoders_can_be_built(version: Any, size: Any) -> None:
    encoder = Sam2Encoder(Sam2(version=version, size=size, weights="random"))
    millions = {"tiny": 26.85, "small": 33.95, "base_plus": 68.68, "large": 212.15}
    count = sum(p.numel() for p in encoder.trunk.parameters()) / 1e6
    assert count == pytest.approx(millions[size], abs=0.01)


def test_both_classes_weigh_the_same_and_unknown_edges_nothing() -> None:
    target = torch.zeros(1, 1, 1, 1, 10)
    target[..., :8] = 1
    known = torch.ones_like(target)
    known[..., 0] = 0
    weight = balance(target, known)
    assert weight[0, 0, 0, 0, 0] == 0
    assert weight[target > 0].sum() == pytest.approx(float(weight[target == 0].sum()))


@pytest.mark.parametrize("form", ["bce", "mse"])
def test_the_loss_falls_towards_the_target(form: Any) -> None:
    target = (torch.rand(1, 3, 4, 8, 8) > 0.3).float()
    known = torch.ones_like(target)
    worse, better = ((2 * target - 1) * scale for scale in (0.5, 6.0))
    assert affinity_loss(better, target, known, form) < affinity_loss(worse, target, known, form)
    assert affinity_loss(20 * (2 * target - 1), target, known, form) < 1e-6
