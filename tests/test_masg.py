"""MASG-SAM: both encoders, its three modules one by one, prompts in words, and the whole."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from test_polyp import learnt

from fgnet.errors import InputError
from fgnet.model.build import build, load_official
from fgnet.model.counts import parts
from fgnet.model.masg import (
    BoundaryEnhancement,
    HierarchicalAttention,
    Masg,
    SemanticFusion,
    pooled,
    sobel,
)
from fgnet.model.mask_losses import dice_bce, edge_loss
from fgnet.model.sam1 import Sam1Encoder
from fgnet.model.text import Prompts
from fgnet.pretrained import FOLDERS, addresses
from fgnet.settings.base import Section
from fgnet.settings.encoders import Sam1, Sam2, Text
from fgnet.settings.network import MasgNetwork

TINY: dict[str, Any] = {"size": "tiny", "image": None, "channels": 16}


def settings(**changes: Any) -> MasgNetwork:
    return MasgNetwork(**{"sam1": Sam1(**TINY), **changes})


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, {"refined", "edge"}),
        ({"edges": "sobel", "text": Text(fusion="cross")}, {"refined", "edge"}),
        ({"edges": "none", "hierarchy": "mean", "text": None}, {"refined"}),
        (
            {"encoder": "sam2", "sam1": None,
             "sam2": Sam2(size="tiny", weights="random", channels=16)},
            {"refined", "edge"},
        ),
    ],
    ids=["pooled-film", "sobel-cross", "bare", "sam2"],
)  # fmt: skip
def test_maps_have_the_crops_grid_grey_or_of_colour(changes: Any, names: set[str]) -> None:
    network = build(settings(**changes), 4)
    for shape in ((3, 1, 5, 64, 32), (1, 3, 1, 32, 64)):
        found = {name: tuple(m.shape) for name, m in network(torch.rand(shape)).items()}
        assert found == {name: (shape[0], 1 if name == "edge" else 4, *shape[2:]) for name in names}


def test_one_encoder_at_a_time() -> None:
    assert settings(sam1=None).sam1 == Sam1()
    sam2 = MasgNetwork(encoder="sam2")
    assert sam2.sam1 is None and sam2.sam2 == Sam2()
    assert MasgNetwork(**sam2.model_dump()) == sam2
    with pytest.raises(ValueError, match="sam1: the encoder is sam2; leave sam1 out"):
        MasgNetwork(encoder="sam2", sam1=Sam1())
    with pytest.raises(InputError, match=r"taps: \[4\], but the tiny encoder has blocks 0 to 3"):
        Sam1Encoder(Sam1(**TINY, taps=(4,)))


def transformers_sam(folder: Path) -> Any:
    """The package's own SAM of our tiny size, saved as published ones are, and its encoder."""
    from transformers import SamConfig, SamMaskDecoderConfig, SamModel

    trunk = Sam1Encoder(Sam1(**TINY)).trunk
    small = {"hidden_size": 32, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 8}
    config = SamConfig(
        vision_config=trunk.config.to_dict(), mask_decoder_config=SamMaskDecoderConfig(**small)
    )
    model = SamModel(config).eval()
    torch.nn.init.normal_(model.vision_encoder.pos_embed)
    model.save_pretrained(folder)
    return model.vision_encoder


def test_a_published_sam_gives_the_packages_own_features(tmp_path: Path) -> None:
    theirs = transformers_sam(tmp_path)
    network = build(settings(sam1=Sam1(**{**TINY, "image": 1024})), 1).eval()
    load_official(network, tmp_path, "sam1")
    encoder = network.get_submodule("encoder")
    images = torch.rand(1, 3, 1024, 1024)
    with torch.no_grad():
        given = theirs((images - encoder.mean) / encoder.std, output_hidden_states=True)
        *found, neck = encoder(images)
    assert torch.equal(neck, given.last_hidden_state)
    assert encoder.taps == (0, 1, 2, 3) and len(found) == 4
    for mine, its in zip(found, given.hidden_states[-4:], strict=True):
        assert torch.equal(mine.permute(0, 2, 3, 1), its)
    with pytest.raises(InputError, match="does not hold the SAM encoder"):
        Sam1Encoder(Sam1()).load_official(tmp_path)


def test_the_encoder_of_the_first_sam_is_frozen_or_not_and_takes_any_size() -> None:
    base = Sam1Encoder(Sam1(image=None)).to("meta")
    assert base.taps == (3, 5, 7, 11)
    assert sum(p.numel() for p in base.trunk.parameters()) == 89_670_912  # ViT-B's, as published
    shapes = [tuple(m.shape) for m in base(torch.zeros(1, 3, 64, 96, device="meta"))]
    assert shapes == [*[(1, 768, 4, 6)] * 4, (1, 256, 4, 6)]
    resized = Sam1Encoder(Sam1(**{**TINY, "image": 128})).resized(torch.rand(1, 3, 64, 32))
    assert tuple(resized.shape) == (1, 3, 128, 64)
    images, found = torch.rand(3, 3, 32, 32), []
    for mode, together in (("frozen", 2), ("finetuned", None)):
        torch.manual_seed(0)
        encoder = Sam1Encoder(Sam1(**TINY, mode=mode, sections=together)).train()  # type: ignore[arg-type]
        found.append(encoder(images))
        assert all(m.requires_grad is (mode == "finetuned") for m in found[-1])
        assert encoder.trunk.training is (mode == "finetuned")
    for some, all_at_once in zip(*found, strict=True):
        torch.testing.assert_close(some, all_at_once)


def test_hae_sums_gated_maps_by_shares() -> None:
    torch.manual_seed(0)
    module = HierarchicalAttention(8, 3)
    maps = [torch.rand(2, 8, 4, 4) for _ in range(3)]
    assert torch.allclose(module.shares(maps), torch.full((2, 3), 1 / 3))  # at first
    for score in module.score:
        torch.nn.init.normal_(score.weight)
    shares = module.shares(maps)
    assert torch.allclose(shares.sum(1), torch.ones(2)) and shares.min() > 0
    assert not torch.allclose(shares[0], shares[1])  # each image has its own
    for gate in module.gates:
        torch.nn.init.zeros_(gate[0].mix[2].weight)  # type: ignore[index]
        torch.nn.init.constant_(gate[0].mix[2].bias, 50)  # type: ignore[index]
        torch.nn.init.zeros_(gate[1].mix.weight)  # type: ignore[index]
        torch.nn.init.constant_(gate[1].mix.bias, 50)  # type: ignore[index]
    wanted = sum(shares[:, n, None, None, None] * m for n, m in enumerate(maps))
    assert torch.allclose(module(maps), wanted)  # gates fully open


def test_edges_of_a_step_by_hand() -> None:
    step = torch.zeros(1, 1, 4, 6)
    step[..., 3:] = 9
    assert torch.allclose(pooled(step)[0, 0], torch.tensor([0.0, 0, -3, 3, 0, 0]).expand(4, 6))
    assert torch.allclose(
        sobel(step / 9)[0, 0], torch.tensor([0.0, 0, 1, 1, 0, 0]).expand(4, 6), atol=1e-5
    )
    assert torch.allclose(sobel(step.transpose(2, 3))[0, 0].T, sobel(step)[0, 0])


@pytest.mark.parametrize("form", ["pooled", "sobel"])
def test_bfe_stresses_and_sees_edges_alone(form: Any) -> None:
    torch.manual_seed(0)
    module = BoundaryEnhancement(8, form).eval()
    x = torch.rand(1, 8, 6, 6) + 0.1
    stressed, logits = module(x)
    assert (stressed / x).min() >= 1 and (stressed / x).max() <= 2
    brighter, same = module(x + 5)
    assert torch.allclose(logits, same, atol=1e-4)  # a change of level is no edge
    assert torch.allclose(brighter / (x + 5), stressed / x, atol=1e-4)


@pytest.mark.parametrize("form", ["film", "cross"])
def test_dsf_hears_the_words_once_its_gate_is_open(form: Any) -> None:
    torch.manual_seed(0)
    module = SemanticFusion(8, 16, form)
    x, some, other = torch.rand(2, 8, 5, 4), torch.rand(2, 16), torch.rand(2, 16)
    assert torch.equal(module(x, some), x) and torch.equal(module(x, other), x)
    torch.nn.init.constant_(module.alpha, 0.5)
    assert not torch.allclose(module(x, some), module(x, other), atol=1e-4)
    torch.testing.assert_close(module(x, some.flip(0)), module(x, some))  # prompts have no order
    torch.nn.init.constant_(module.place.bias, -100)
    torch.testing.assert_close(module(x, some), x)  # words matter nowhere


def test_words_reach_the_maps_and_travel_in_the_checkpoint() -> None:
    torch.manual_seed(0)
    crop = torch.rand(1, 1, 2, 32, 32)
    some = build(settings(text=Text(prompts=("a polyp",))), 2).eval()
    other = build(settings(text=Text(prompts=("a kidney",))), 2).eval()
    weights = {k: v for k, v in some.state_dict().items() if k != "text.embeddings"}
    assert other.load_state_dict(weights, strict=False).missing_keys == ["text.embeddings"]
    assert torch.equal(some(crop)["refined"], other(crop)["refined"])
    for network in (some, other):
        torch.nn.init.constant_(network.get_submodule("fusion").alpha, 1)  # type: ignore[arg-type]
    assert not torch.allclose(some(crop)["refined"], other(crop)["refined"], atol=1e-5)
    other.load_state_dict(some.state_dict())
    assert torch.equal(some(crop)["refined"], other(crop)["refined"])


def transformers_clip(folder: Path) -> Any:
    """A small CLIP as published ones are: its text encoder, and words for its tokenizer."""
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    letters = [*"aloyp", *(f"{c}</w>" for c in "aloyp"), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: number for number, word in enumerate(letters)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    config = CLIPTextConfig(
        vocab_size=12, hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, projection_dim=512, max_position_embeddings=16,
        bos_token_id=10, eos_token_id=11, pad_token_id=11,
    )  # fmt: skip
    model = CLIPTextModelWithProjection(config).eval()
    model.save_pretrained(folder)
    return model


def test_a_published_clip_embeds_the_prompts_once(tmp_path: Path) -> None:
    model = transformers_clip(tmp_path)
    text = Text(weights="official", prompts=("a polyp", "a"))
    network = build(settings(text=text), 1)
    assert network(torch.rand(1, 1, 1, 32, 32))["refined"].isnan().all()  # nothing is known yet
    load_official(network, tmp_path, "text")
    found = network.get_submodule("text").embeddings
    for row, words in ((0, [10, 5, 4, 2, 1, 3, 9, 11]), (1, [10, 5, 11])):
        its = model(torch.tensor([words])).text_embeds[0].detach()
        torch.testing.assert_close(found[row], its / its.norm())  # type: ignore[index]
    assert network(torch.rand(1, 1, 1, 32, 32))["refined"].isfinite().all()
    assert not any("clip" in name for name, _ in network.named_modules())
    with pytest.raises(InputError, match=r"does not hold the SAM encoder .*it has no"):
        Sam1Encoder(Sam1(**TINY)).load_official(tmp_path)
    with pytest.raises(InputError, match="does not hold the CLIP"):
        Prompts(Text(weights="official", model="vit_l_14")).load_official(tmp_path)


def test_what_is_published_has_addresses() -> None:
    official = {"weights": "official"}
    for size in ("base", "large", "huge"):
        for model in ("vit_b_32", "vit_b_16", "vit_l_14"):
            named = MasgNetwork(
                sam1=Sam1(**official, size=size), text=Text(**official, model=model)
            ).official()
            assert set(named) == {"sam1", "text"} and set(named.values()) <= set(FOLDERS)
    assert MasgNetwork().official() == {}
    assert addresses("sam_vit_base")["config.json"] == (
        "https://huggingface.co/facebook/sam-vit-base/resolve/main/config.json"
    )
    with pytest.raises(ValueError, match="no official ones of size tiny"):
        Sam1(**TINY, **official)


def test_two_images_and_their_edges_are_learnt() -> None:
    def both(maps: dict[str, torch.Tensor], *truth: torch.Tensor) -> torch.Tensor:
        return dice_bce(maps["refined"], *truth) + edge_loss(maps["edge"], *truth)

    torch.manual_seed(0)
    network = build(settings(), 1, inputs=3)
    assert learnt(network, both) < 0.75
    assert bool(network.get_submodule("fusion").alpha != 0)


def test_the_parts_of_masg_are_counted() -> None:
    network = build(settings(), 3)
    assert isinstance(network, Masg)
    *some, whole = parts(network, (2, 64, 64))
    assert [part.name for part in some] == [
        "encoder", "reduce", "hierarchy", "boundary", "fusion", "up"
    ]  # fmt: skip
    assert some[0].trained == 0 < some[0].flops
    assert sum(part.parameters for part in some) == whole.parameters
    assert sum(part.flops for part in some) == whole.flops
    # 1x1 convolutions of four blocks' 32 channels and the neck's 256 to 16, on 4 x 4 places
    assert some[1].flops == 2 * 16 * (4 * 32 + 256) * 16 * 2


def test_settings_are_plain_values() -> None:
    network: Section = settings(text=Text(prompts=("one", "two")))
    assert MasgNetwork.from_json(network.canonical()) == network
