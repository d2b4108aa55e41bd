"""Training crops: where they lie, image and labels aligned, masks, what is drawn again."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from conftest import normalized

from fgnet import volume
from fgnet.affinities import from_labels, widen_borders
from fgnet.errors import InputError
from fgnet.settings.base import Box
from fgnet.settings.train import Augment, Model
from fgnet.train import geometry, sheet
from fgnet.train.augment import augment
from fgnet.train.crops import Crops, region

PLAIN = {"kind": "fgnet", "sam2": None, "filters": [4, 6], "strides": [[1, 2, 2]]}
MOVES = ["flip", "transpose", "rotate", "elastic", "misalign"]
GREYS = [name for name in sheet.ONE if name not in (*MOVES, "none")]


def crops(path: Path, augmented: bool = True, **changes: Any) -> Crops:
    settings = Model.checked({"network": PLAIN, "crop": [6, 32, 32], "batch": 1, **changes})
    return Crops([region(path, Box.checked({}), settings)], settings, augmented)


def only(name: str) -> dict[str, Any]:
    return {**sheet.NONE, **sheet.ONE[name]}


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """Every neuron of one grey value, so that raw tells the label."""
    path = normalized(tmp_path / "v.h5", shape=(12, 64, 64))
    with h5py.File(path, "r+") as file:
        file[volume.RAW][:] = grey(file[volume.LABELS][:])
    return path


def grey(labels: np.ndarray) -> np.ndarray:
    return (40 + labels * 37 % 200).astype(np.uint8)


def test_ideal_affinities_of_a_small_case() -> None:
    labels = np.array([[[1, 1, 2, 0]]])
    affinities, known = from_labels(labels, [(0, 0, -1), (0, 0, 2)])
    assert affinities[0, 0, 0].tolist() == [0, 1, 0, 0]
    assert known[0, 0, 0].tolist() == [False, True, True, True]
    assert affinities[1, 0, 0].tolist() == [0, 0, 0, 0]
    assert known[1, 0, 0].tolist() == [True, True, False, False]
    valid = np.array([[[True, True, False, True]]])
    assert from_labels(labels, [(0, 0, -1)], valid)[1][0, 0, 0].tolist() == [0, 1, 0, 0]


def test_borders_widen_where_two_neurons_meet_and_nowhere_else() -> None:
    labels = np.ones((3, 5, 6), np.uint32)
    labels[:, :, 3:] = 2
    labels[:, :, 0] = 0
    assert widen_borders(labels, True)[1, 2].tolist() == [0, 1, 0, 0, 2, 2]
    labels[0] = 3
    assert (widen_borders(labels, True)[1, :, 1] == 1).all()
    assert (widen_borders(labels, False)[1, :, 1] == 0).all()


@pytest.mark.parametrize("name", MOVES)
def test_image_and_labels_move_together(flat: Path, name: str) -> None:
    moved, still = crops(flat, augment=only(name)), crops(flat, augment=sheet.NONE)
    differ = 0
    for index in range(8):
        cut, before = moved.cut(index), still.cut(index)
        differ += not np.array_equal(cut.labels, before.labels)
        # within a neuron, away from its border, the image must be of its grey value
        interior = (widen_borders(widen_borders(cut.labels, True), True) > 0) & cut.valid
        interior[:, [0, 1, -2, -1]] = interior[:, :, [0, 1, -2, -1]] = False  # border unseen there
        assert interior.mean() > 0.2
        assert np.allclose(cut.raw[interior] * 255, grey(cut.labels)[interior], atol=0.01)
        # and the affinities are those of the labels where they came to lie
        _, target, known = moved[index]
        wanted, there = from_labels(
            widen_borders(cut.labels, True), moved.settings.offsets, cut.valid
        )
        assert np.array_equal(target, wanted) and np.array_equal(known, there)
    assert differ >= 3


@pytest.mark.parametrize("name", GREYS)
def test_grey_values_change_and_labels_stay(flat: Path, name: str) -> None:
    changed, still = crops(flat, augment=only(name)), crops(flat, augment=sheet.NONE)
    differ = 0
    for index in range(8):
        cut, before = changed.cut(index), still.cut(index)
        assert np.array_equal(cut.labels, before.labels) and cut.valid.all()
        assert cut.raw.dtype == np.float32
        differ += not np.allclose(cut.raw, before.raw)
    assert differ >= 4


def test_what_sections_lose() -> None:
    raw = np.random.default_rng(0).random((200, 16, 16)).astype(np.float32)

    def changed(**on: float) -> np.ndarray:
        settings = Augment.model_validate({**sheet.NONE, **on})
        return augment(raw.copy(), settings, np.random.default_rng(1))

    missing = changed(missing=0.25)
    lost = (missing == 0).all(axis=(1, 2))
    assert 30 < lost.sum() < 70 and np.allclose(missing[~lost], raw[~lost], atol=1e-6)
    dark = changed(dark=0.25)
    dim = ~np.isclose(dark, raw, atol=1e-6).all(axis=(1, 2))
    assert 30 < dim.sum() < 70 and dark[dim].max() < 0.16
    blur = changed(blur=0.25)
    soft = ~np.isclose(blur, raw, atol=1e-6).all(axis=(1, 2))
    assert 30 < soft.sum() < 70
    assert np.diff(blur[soft]).std() < 0.8 * np.diff(raw[soft]).std()
    noisy = np.argwhere(~np.isclose(changed(cut_noise=1), raw, atol=1e-6))
    size = np.ptp(noisy, axis=0) + 1
    assert (size <= (100, 8, 8)).all() and len(noisy) > 0.99 * np.prod(size)  # a box


def test_a_slip_moves_one_section_and_a_shift_all_that_follow() -> None:
    settings = Augment.model_validate({**sheet.NONE, "misalign": 1, "misalign_voxels": 5})
    moved = []
    for seed in range(40):
        warp = geometry.draw((6, 8, 8), settings, np.random.default_rng(seed))
        assert warp is not None
        y = warp.y - np.mgrid[:8, :8][0]
        assert (y == y[:, :1, :1]).all() and abs(y).max() <= 5
        moved.append(np.flatnonzero(y[:, 0, 0]).tolist())
    assert any(len(sections) == 1 and sections != [5] for sections in moved)
    assert any(len(sections) > 1 for sections in moved)
    assert all(s == [] or s == list(range(s[0], s[-1] + 1)) for s in moved)
    assert all(len(s) <= 1 or s[-1] == 5 for s in moved)


def test_a_quarter_turn_is_exact() -> None:
    class Quarter:
        random = staticmethod(lambda: 0.5)
        uniform = staticmethod(lambda low, high: high / 4)

    settings = Augment.model_validate({**sheet.NONE, "rotate": 1})
    warp = geometry.draw((2, 8, 8), settings, Quarter())  # type: ignore[arg-type]
    assert warp is not None
    image = np.arange(128, dtype=np.float32).reshape(2, 8, 8)
    turned = geometry.sampled(image, warp, order=1)
    assert np.allclose(turned, np.rot90(image, -1, (1, 2)), atol=1e-3)


def test_bending_is_smooth_and_of_the_size_asked_for() -> None:
    settings = Augment.model_validate({**sheet.NONE, "elastic": 1, "elastic_voxels": 4})
    shifts = []
    for seed in range(20):
        warp = geometry.draw((1, 128, 128), settings, np.random.default_rng(seed))
        assert warp is not None
        shift = warp.y[0] - np.mgrid[:128, :128][0]
        assert abs(np.diff(shift, axis=1)).max() < 1  # neighbours stay neighbours
        shifts.append(shift)
    assert np.std(shifts) == pytest.approx(4, rel=0.35)


def test_axes_swap_as_allowed() -> None:
    random = np.random.default_rng(0)
    for allowed, orders in (("none", 1), ("in_plane", 2), ("all", 6)):
        settings = Augment(transpose=allowed)  # type: ignore[arg-type]
        drawn = {geometry.move_axes(settings, random) for _ in range(60)}
        assert len(drawn) == orders
        assert allowed == "all" or all(axes[0] == 0 for axes in drawn)


def test_a_crop_along_other_axes_has_its_shape_and_its_labels(tmp_path: Path) -> None:
    path = normalized(tmp_path / "v.h5", shape=(40, 40, 40))
    changes = {**sheet.NONE, "transpose": "all"}
    some = crops(path, augment=changes, crop=[16, 32, 32], widen_borders="none")
    without_borders = set()
    for index in range(12):
        raw, affinities, known = some[index]
        assert raw.shape == (1, 16, 32, 32)
        # labels are constant along z, so the axis without borders tells where z went
        share = affinities.sum((1, 2, 3)) / known.sum((1, 2, 3))
        assert (share == 1).sum() == 1
        without_borders.add(int(share.argmax()))
    assert without_borders == {0, 1, 2}


def test_a_crop_depends_on_seed_and_number_alone(flat: Path) -> None:
    one, two = crops(flat), crops(flat)
    two.cut(3)
    for a, b in zip(one[5], two[5], strict=True):
        assert (a == b).all()
    assert not np.array_equal(one.cut(5).raw, one.cut(6).raw)
    assert not np.array_equal(one.cut(5).raw, crops(flat, seed=1).cut(5).raw)
    held_back = [crops(flat, augmented=False, seed=seed).cut(5).raw for seed in (1, 2)]
    assert np.array_equal(*held_back)


def test_nothing_is_known_where_the_mask_or_the_volume_ends(flat: Path) -> None:
    with h5py.File(flat, "r+") as file:
        mask = np.ones(file[volume.RAW].shape, np.uint8)
        mask[:, :, 40:] = 0
        volume.add(file, volume.MASK, mask.shape, np.uint8, (30, 8, 8))[:] = mask
    cut = crops(flat, augmented=False, crop=[12, 64, 64]).cut(0)
    assert np.array_equal(cut.valid, mask)
    _, _, known = crops(flat, augmented=False, crop=[12, 64, 64])[0]
    assert known[2, :, :, 1:40].all() and not known[:, :, :, 40:].any()
    turned = crops(flat, crop=[12, 64, 64], augment=only("rotate"))
    shares = [turned.cut(index).valid.mean() for index in range(8)]
    assert max(shares) < 0.66 and min(shares) > 0.3  # a turned square does not fill a square


def test_crops_without_labels_are_drawn_again(flat: Path) -> None:
    with h5py.File(flat, "r+") as file:
        file[volume.LABELS][:, :, 20:] = 0
    few = crops(flat, augmented=False, labelled=0.0)
    assert min((few.cut(index).labels > 0).mean() for index in range(20)) == 0
    some = crops(flat, augmented=False, labelled=0.3)
    assert min((some.cut(index).labels > 0).mean() for index in range(20)) >= 0.3
    with pytest.raises(InputError, match=r"train.labelled: 100 crops .* less than 0.9"):
        crops(flat, augmented=False, labelled=0.9).cut(0)


def test_volumes_are_drawn_by_their_size(tmp_path: Path) -> None:
    settings = Model.checked({"network": PLAIN, "crop": [4, 32, 32], "labelled": 0})
    shapes = [(5, 33, 33), (13, 33, 33)]  # 2 and 10 places along z, and 4 in plane
    regions = [
        region(normalized(tmp_path / f"{i}.h5", shape), Box.checked({}), settings)
        for i, shape in enumerate(shapes)
    ]
    some = Crops(regions, settings, augmented=False)
    small = sum("0.h5" in some.cut(index).where for index in range(300))
    assert 25 < small < 80  # 50 on average


def test_the_sheet_shows_every_augmentation(flat: Path, tmp_path: Path) -> None:
    known = set(Augment.model_fields) - {"elastic_voxels", "misalign_voxels"}
    assert set(sheet.NONE) == known
    assert {key for on in sheet.ONE.values() for key in on} == known
    some = crops(flat)
    assert isinstance(some.settings, Model)
    sheet.write(tmp_path / "sheet.h5", some, some.settings)
    with h5py.File(tmp_path / "sheet.h5") as file:
        names = [name[3:] for name in sorted(file)]
        assert names == [*sheet.ONE, "all, as configured"]
        for name, group in file.items():
            same = all(
                np.array_equal(group[f"before{end}"], group[f"raw{end}"]) for end in ("", "_xz")
            )
            assert same is ("none" in name)
            assert group["raw"].shape == group["labels"].shape == (32, 32)
            assert group["raw_xz"].shape == group["labels_xz"].shape == (6, 32)
