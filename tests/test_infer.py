"""Inference: blending, shards that do not change the answer, and volumes it must refuse."""

import itertools
import json
import threading
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from conftest import normalized

from fgnet import blocks, checkpoint, volume
from fgnet.affinities import NEAREST, from_labels
from fgnet.errors import InputError
from fgnet.infer import weights
from fgnet.infer.__main__ import main
from fgnet.infer.batch import Batch, predictions
from fgnet.infer.pipeline import run
from fgnet.infer.predictor import Predictor
from fgnet.infer.stream import Crop, Plan, Prediction, blend, crops
from fgnet.infer.threads import ahead, behind
from fgnet.infer.views import ALL, Mean
from fgnet.model.build import build
from fgnet.model.convolution import channels_last
from fgnet.settings.infer import Inference
from fgnet.settings.network import FGNetNetwork, Sam2, Sam2DecoderNetwork
from fgnet.settings.train import NEIGHBOURHOODS

SETTINGS = {"device": "cpu", "precision": "float32", "maps": "both"}
NETWORK = FGNetNetwork(
    filters=(4, 6),
    strides=((1, 2, 2),),
    sam2=Sam2(size="tiny", weights="random", channels=4),
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network = build(NETWORK, 2)
    path = tmp_path_factory.mktemp("model") / "checkpoint.pt"
    checkpoint.save(
        path,
        checkpoint.Checkpoint(
            network=NETWORK.model_dump(mode="json"), offsets=[(-1, 0, 0), (0, -3, 0)],
            crop=(4, 32, 32), voxel_size=(30.0, 8.0, 8.0), normalize={"low": 1.0}, training={},
            step=0, weights=network.state_dict(),
        ),
    )  # fmt: skip
    return path


def infer(folder: Path, model: Path, data: Path, shards: int = 1, **settings: Any) -> int:
    pieces = [folder / f"{k}-of-{shards}.h5" for k in range(shards)]
    for k, piece in enumerate(pieces):
        status = main(
            ["shard", "--checkpoint", str(model), "--volume", str(data), "--box",
             '{"z": [1, 10]}', "--shard", str(k), "--shards", str(shards), "--threads", "1",
             "--batch", "2",
             "--settings", json.dumps({**SETTINGS, **settings}),
             "--output", str(piece)]
        )  # fmt: skip
        if status:
            return status
    return main(["join", "--first", str(pieces[0]), "--output", str(folder / "all.h5")])


@pytest.mark.parametrize(("shape", "count"), [((7, 9, 11), 6), ((20, 3, 50), 5), ((4, 4, 4), 1)])
def test_shards_tile_the_volume(shape: tuple[int, ...], count: int) -> None:
    seen = np.zeros(shape, int)
    for index in range(count):
        seen[tuple(slice(a, b) for a, b in blocks.shard(shape, count, index))] += 1
    assert (seen == 1).all()


def test_blending_leaves_what_all_crops_agree_on() -> None:
    """A prediction that is a function of the voxel alone comes out unchanged, at any size."""
    for shape in ((9, 40, 33), (3, 20, 31), (4, 32, 32)):
        image = np.random.default_rng(0).random(shape, np.float32)
        plan = Plan.make(shape, tuple((0, s) for s in shape), (4, 32, 32), 0.5)
        read: list[Any] = []
        made = crops(plan, lambda box, i=image, r=read: r.append(box) or i[box])
        slabs = list(
            blend(
                plan,
                (Prediction(c.origin, np.stack([c.image, 1 - c.image])) for c in made),  # type: ignore[list-item,operator]
                2,
            )
        )
        assert [z for z, _ in slabs] == sorted(z for z, _ in slabs)
        whole = np.concatenate([slab for _, slab in slabs], axis=1)
        np.testing.assert_allclose(whole, np.stack([image, 1 - image]), atol=1e-6)
        # and every section was read once
        assert sum(box[0].stop - box[0].start for box in read) == shape[0]


def test_the_answer_does_not_depend_on_the_shards(tmp_path: Path, model: Path) -> None:
    data = normalized(tmp_path / "v.h5", (12, 45, 50))
    found = []
    for shards in (1, 2, 3, 5):
        settings = {"dtype": "float32", "overlap": 0.3}
        assert infer(tmp_path / str(shards), model, data, shards, **settings) == 0
        with volume.opened(tmp_path / str(shards) / "all.h5") as file:
            maps = [file[name] for name in (volume.AFFINITIES, volume.COARSE_AFFINITIES)]
            assert all(m.shape == (2, 9, 45, 50) for m in maps)
            assert maps[0].attrs["offsets"].tolist() == [[-1, 0, 0], [0, -3, 0]]
            assert volume.offset(maps[0]) == (30.0, 0.0, 0.0)
            found.append(np.stack([m[:] for m in maps]))
    assert found[0].std() > 0.01
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=0, atol=1e-5)


def whole(plan: Plan, image: Any, predictor: Predictor, batch: int = 2) -> Any:
    """The blended affinities of a volume in memory."""
    slabs: list[Any] = []
    run(plan, lambda box: image[box], predictor, slabs.extend, batch)
    return np.concatenate([slab for _, slab in slabs], axis=1)


GUIDED = NETWORK.model_copy(update={"attention": "cross"})
FINER = Sam2DecoderNetwork(
    sam2=Sam2(size="tiny", weights="random", channels=4, upscale=2, sections=3, mode="lora")
)


@pytest.mark.parametrize(
    ("settings", "shape", "crop", "overlap", "flips"),
    [
        (NETWORK, (9, 50, 40), (4, 32, 32), 0.5, False),
        (GUIDED, (41, 32, 40), (18, 32, 32), 0.444, False),  # stride 10, as the field has it
        (FINER, (3, 20, 50), (7, 32, 32), 0.5, False),  # smaller than a crop, so reflected
        (NETWORK, (4, 32, 70), (3, 32, 64), 0.3, True),
        (FINER, (4, 32, 32), (2, 32, 32), 0.0, False),
    ],
)
def test_every_section_of_a_tile_is_encoded_once_and_the_answer_stays(
    settings: Any, shape: Any, crop: Any, overlap: float, flips: bool
) -> None:
    torch.manual_seed(0)
    network = build(settings, 3).eval()
    offsets = list(NEAREST)
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    plan = Plan.make(shape, ((0, shape[0]), (3, shape[1]), (0, shape[2])), crop, overlap)
    names = ["refined"] if settings is FINER else ["refined", "coarse"]
    through: list[int] = []
    trunk = network.get_submodule("sam2.encoder.trunk")
    trunk.register_forward_pre_hook(lambda _, given: through.append(len(given[0])))
    chosen = Inference.checked({"flips": flips, "precision": "float32"})
    cpu = torch.device("cpu")
    predictor = Predictor(network, offsets, names, plan, chosen, cpu)
    once = whole(plan, image, predictor)
    views = 8 if flips else 1
    sections = {z for start in plan.origins[0] for z in range(start, start + crop[0])}
    least = len(sections & set(range(shape[0]))) * plan.tiles * views
    assert sum(through) == least == predictor.window.encoded  # type: ignore[union-attr]
    assert len(predictor.window.spare) == predictor.window.capacity  # type: ignore[union-attr]
    through.clear()
    naive = Predictor(network, offsets, names, plan, chosen, cpu)
    naive.window = None  # every crop goes through the whole network
    np.testing.assert_allclose(once, whole(plan, image, naive), rtol=0, atol=1e-5)
    assert sum(through) == plan.count * crop[0] * views * (2 if flips else 1) >= least
    assert once.std() > 0.01


def test_running_out_of_memory_halves_the_batch_and_changes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    torch.manual_seed(0)
    caplog.set_level("INFO")
    network = build(NETWORK, 2)
    shape, room = (10, 64, 64), 2
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    plan = Plan.make(shape, tuple((0, s) for s in shape), (4, 32, 32), 0.5)

    def scarce(module: Any, given: Any) -> None:
        if len(given[0]) > room:
            raise torch.OutOfMemoryError("out of memory")

    def result(batch: int) -> Any:
        cpu = torch.device("cpu")
        predictor = Predictor(
            network,
            list(NEAREST[:2]),
            ["refined"],
            plan,
            Inference.checked({"precision": "float32"}),
            cpu,
        )
        return whole(plan, image, predictor, batch)

    plenty = result(8)
    assert "out of memory" not in caplog.text
    network.get_submodule("refined").register_forward_pre_hook(
        lambda module, given: scarce(module, given[0])
    )
    np.testing.assert_allclose(result(8), plenty, rtol=0, atol=1e-5)
    assert "out of memory with 8 crops: 4 from here on" in caplog.text
    assert "out of memory with 4 crops: 2 from here on" in caplog.text
    assert "batch 2;" in caplog.text
    room = 0
    with pytest.raises(InputError, match=r"one crop of .* smaller infer\.crop"):
        result(8)


def test_weights_made_ready_compute_the_same() -> None:
    """Cast once or by autocast at every batch: bit for bit; channels last: up to rounding."""
    torch.manual_seed(0)
    sam2 = Sam2(size="tiny", weights="random", channels=4, mode="lora")
    network = build(NETWORK.model_copy(update={"sam2": sam2}), 2).eval()
    crop = torch.rand(1, 1, 3, 32, 32)

    def refined() -> Any:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            return network(crop)["refined"]

    before = refined()
    weights.bfloat16(network)
    assert network.get_parameter("fine.levels.0.body.1.0.weight").dtype == torch.bfloat16
    assert torch.equal(refined(), before)
    channels_last(network)
    torch.testing.assert_close(refined(), before, rtol=0, atol=0.05)


class Fake:
    """A device of which a crop takes 100 bytes, and the first batch 500 more."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.first = 500
        self.used = 0

    def start(self) -> None:
        self.used = 0

    def taken(self) -> int:
        return self.used

    def free(self) -> int:
        return self.total

    def release(self) -> None:
        pass

    def predict(self, given: Any) -> Any:
        if len(given) * 100 > self.total:
            raise torch.OutOfMemoryError
        self.used = len(given) * 100 + self.first
        self.first = 0
        return np.zeros((len(given), 1, 1, 1, 1), np.float32)


def test_an_automatic_batch_fills_the_memory() -> None:
    some = [Crop((0, 0, 0), np.zeros((1, 1, 1)))] * 200
    for total, fits in ((1000, 8), (130, 1), (10**6, 32)):
        memory = Fake(total)
        batch = Batch(None, memory)
        groups = [len(group) for group in predictions(some, memory.predict, batch)]
        assert (batch.size, max(groups), groups[0], sum(groups)) == (fits, fits, 1, 200)
    assert Batch(None, None).size == 1  # of use on a GPU alone


OFFSETS = {
    "nearest": list(NEAREST),
    "far": list(NEIGHBOURHOODS["pea"]),
    "not closed": [(-1, 0, 0), (0, -2, 1), (0, 0, 3), (0, 0, -3), (2, -1, 0)],
}


@pytest.mark.parametrize("name", OFFSETS)
def test_edges_seen_in_sixteen_ways_are_the_same_edges(name: str) -> None:
    """Affinities computed from the labels in a crop are the same in every view."""
    offsets = OFFSETS[name]
    labels = np.random.default_rng(0).integers(0, 3, (5, 32, 64))

    def affinities(crop: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(from_labels(crop.numpy(), offsets)[0]).float()[None]

    crop = torch.from_numpy(labels)
    straight = affinities(crop)
    every = Mean(offsets, straight.shape, crop.device)
    used = 0
    for view in ALL:
        for flip in (False, True):
            seen = view.of(crop.flip(0) if flip else crop)
            one = Mean(offsets, straight.shape, crop.device)
            for mean in (one, every):
                mean.add(affinities(seen), view, flip)
            assert torch.equal(one.total[0], straight[0] * (one.count > 0))
            used += int((one.count > 0).any(dim=(1, 2, 3)).sum())
    assert torch.equal(every.value(), straight)
    # only edges that have no partner in a view are left out of it
    assert used == {"nearest": 48, "far": 192, "not closed": 16 + 4 + 8 + 8 + 4}[name]
    assert all(torch.equal(view.back(view.of(crop)), crop) for view in ALL)
    assert len({(view.of(crop).shape, view.of(crop).numpy().tobytes()) for view in ALL}) == 8


def test_crops_with_nothing_to_see_are_zeros_and_do_not_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Padding around tissue: one grey value. Beside tissue it counts as any other crop."""
    caplog.set_level("INFO")
    image = np.full((8, 32, 96), 7, np.uint8)
    image[:, :, :20] = np.random.default_rng(0).integers(0, 256, (8, 32, 20), np.uint8)
    plan = Plan.make(image.shape, ((0, 8), (0, 32), (0, 96)), (4, 32, 32), 0.5)

    class One(torch.nn.Module):
        def forward(self, crop: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"refined": torch.full_like(crop, 50.0)}

    predictor = Predictor(
        One(),
        [(-1, 0, 0)],
        ["refined"],
        plan,
        Inference.checked({"precision": "float32"}),
        torch.device("cpu"),
    )
    found = whole(plan, image, predictor)[0]
    assert found.shape == image.shape
    # crops start at 0, 16, 32, 48, 64 along x; the first two see tissue
    weight = blocks.blend_weight((32,))
    np.testing.assert_allclose(found[..., :32], 1, atol=1e-6)
    expected = weight[16:] / (weight[16:] + weight[:16])
    np.testing.assert_allclose(found[3, 5, 32:48], expected, atol=1e-6)
    assert not found[..., 48:].any()
    assert "15 crops, 9 of them empty" in caplog.text


def test_what_fails_in_a_thread_is_raised_where_it_is_used() -> None:
    def broken() -> Any:
        yield 1
        raise OSError("cannot read")

    with pytest.raises(OSError, match="cannot read"), ahead(broken(), 1) as items:
        assert list(items) == [1]

    def full(items: Any) -> None:
        next(items)
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"), behind(full, 1) as hand:
        for item in range(100):
            hand(item)
    with pytest.raises(OSError, match="no space"), behind(full, 1) as hand:
        hand(1)
    taken: list[int] = []
    with ahead(range(1000), 2) as items, behind(taken.extend, 2) as hand:
        for item in items:
            hand(item)
    assert taken == list(range(1000))
    # a user that leaves stops both, and what it had handed over is not finished as if whole
    ends: list[str] = []

    def careful(items: Any) -> None:
        for _ in items:
            pass
        ends.append("finished")

    before = threading.active_count()
    with (
        pytest.raises(KeyError),
        ahead(itertools.count(), 2) as endless,
        behind(careful, 2) as hand,
    ):
        hand(next(endless))
        raise KeyError
    assert ends == [] and threading.active_count() == before


def test_a_missing_or_changed_piece_is_refused(tmp_path: Path, model: Path) -> None:
    source = normalized(tmp_path / "v.h5", (10, 32, 32))
    assert infer(tmp_path, model, source, 2) == 0
    piece = tmp_path / "1-of-2.h5"
    kept = piece.read_bytes()
    with h5py.File(piece, "r+") as file:
        file[volume.AFFINITIES][0, 0, 0, 0] ^= 1
    with volume.opened(tmp_path / "all.h5") as file:
        data = volume.dataset(file, volume.AFFINITIES, "czyx")
        with pytest.raises(InputError, match="changed"):
            data[:]
    piece.unlink()
    with volume.opened(tmp_path / "all.h5") as file:
        data = volume.dataset(file, volume.AFFINITIES, "czyx")
        assert data[0, :, :16].size  # of the first piece alone
        with pytest.raises(InputError, match="missing"):
            data[0, :, 16:]
    piece.write_bytes(kept)
    with volume.opened(tmp_path / "all.h5") as file:
        assert file[volume.AFFINITIES][:].std() > 0


def test_what_it_refuses(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = normalized(tmp_path / "v.h5", (12, 32, 32))
    with h5py.File(data, "r+") as file:
        file[volume.RAW].attrs["resolution"] = (40.0, 8.0, 8.0)
    assert infer(tmp_path, model, data) == 2
    assert "give the volume `resample: [30, 8, 8]`" in capsys.readouterr().err
    with h5py.File(data, "r+") as file:
        file[volume.RAW].attrs["resolution"] = (30.0, 8.0, 8.0)
        file.attrs["made_by"] = json.dumps({"settings": {"low": 2.0}})
    assert infer(tmp_path, model, data) == 2
    assert "same section normalize" in capsys.readouterr().err
    model_cut = tmp_path / "cut.pt"
    model_cut.write_bytes(model.read_bytes()[:5000])
    assert infer(tmp_path, model_cut, data) == 2
    assert "truncated" in capsys.readouterr().err
    assert infer(tmp_path, model, data, crop=[4, 48, 32]) == 2
    assert "multiple of 32" in capsys.readouterr().err
    assert not list(tmp_path.glob("*-of-*")) and not list(tmp_path.glob(".*"))
