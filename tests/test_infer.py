"""Inference: blending, shards that do not change the answer, and volumes it must refuse."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from conftest import normalized

from fgnet import blocks, checkpoint, volume
from fgnet.errors import InputError
from fgnet.infer.__main__ import main
from fgnet.infer.stream import Plan, stream
from fgnet.model.build import build
from fgnet.settings.network import FGNetNetwork, Sam2

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
             "--settings", json.dumps({"device": "cpu", "maps": "both", **settings}),
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
        slabs = list(
            stream(plan, lambda box, i=image: i[box], lambda c: np.stack([c, 1 - c], 1), 2, 3)
        )
        assert [z for z, _ in slabs] == sorted(z for z, _ in slabs)
        whole = np.concatenate([slab for _, slab in slabs], axis=1)
        np.testing.assert_allclose(whole, np.stack([image, 1 - image]), atol=1e-6)


def test_the_answer_does_not_depend_on_the_shards(tmp_path: Path, model: Path) -> None:
    data = normalized(tmp_path / "v.h5", (12, 45, 50))
    found = []
    for shards in (1, 3, 4):
        assert infer(tmp_path / str(shards), model, data, shards, dtype="float16", batch=2) == 0
        with volume.opened(tmp_path / str(shards) / "all.h5") as file:
            maps = [file[name] for name in (volume.AFFINITIES, volume.COARSE_AFFINITIES)]
            assert all(m.shape == (2, 9, 45, 50) for m in maps)
            assert maps[0].attrs["offsets"].tolist() == [[-1, 0, 0], [0, -3, 0]]
            assert volume.offset(maps[0]) == (30.0, 0.0, 0.0)
            found.append(np.stack([m[:].astype(np.float32) for m in maps]))
    assert found[0].std() > 0
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], atol=1e-3)  # float16 keeps 5e-4


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
