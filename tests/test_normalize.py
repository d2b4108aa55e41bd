"""Normalize: known answers, defects, independence of blocks, and what must not change."""

import json
import logging
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fgnet import command, sections, volume
from fgnet.checksum import sha256
from fgnet.errors import InputError
from fgnet.normalize import tables
from fgnet.normalize.__main__ import arguments
from fgnet.normalize.defects import stand_ins
from fgnet.normalize.mapping import equalised
from fgnet.normalize.stage import BLOCK, run

SIZE, OFFSET = (40.0, 4.0, 4.0), (400.0, 8.0, 0.0)


def write(path: Path, raw: Any, labels: Any = None) -> Path:
    with h5py.File(path, "w") as file:
        for name, data in ((volume.RAW, raw), (volume.LABELS, labels)):
            if data is not None:
                file[name] = data
                file[name].attrs.update(resolution=SIZE, offset=OFFSET)
    return path


def normalize(
    source: Path,
    block: tuple[int, int, int] = BLOCK,
    reference: Path | None = None,
    **settings: Any,
) -> np.ndarray:
    output = source.with_name("out.h5")
    run(source, output, json.dumps(settings), reference, block)
    with h5py.File(output) as file:
        return file[volume.RAW][()]


def rows(folder: Path) -> Any:
    """The table of sections of the volume that was normalised last, by column."""
    with volume.opened(folder / "out.h5") as file:
        return sections.read(file)


def words(folder: Path, column: str, names: tuple[str, ...]) -> list[str]:
    return [names[number] for number in rows(folder)[column]]


def kinds(folder: Path) -> list[str]:
    return words(folder, "kind", sections.KINDS)


def texture(depth: int = 9, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(120, 30, (depth, 40, 48)).clip(0, 255).astype(np.uint8)


def test_a_ramp_between_its_percentiles(tmp_path: Path) -> None:
    # 100 grey values 50 .. 149, each equally often: percentiles 10 and 90 are 59 and 139
    ramp = np.broadcast_to(np.arange(50, 150, dtype=np.uint8), (3, 20, 100))
    got = normalize(write(tmp_path / "in.h5", ramp), low=10, high=90)
    expected = np.clip((np.arange(50, 150) - 59) * 255 / 80, 0, 255).round()
    assert np.array_equal(got, np.broadcast_to(expected, ramp.shape))
    table = rows(tmp_path)
    assert set(zip(table["low"], table["high"], strict=True)) == {(59, 139)}
    with volume.opened(tmp_path / "out.h5") as file:
        assert volume.look(file) == {"low": 10, "high": 90, "per": "volume", "clahe": False}


def test_per_section_takes_out_jitter_that_per_volume_keeps(tmp_path: Path) -> None:
    # integer gain and shift, so that quantisation hides nothing
    base = texture(1)[0] // 4
    sections = np.stack([base, base * 2 + 30, base + 100, base * 3 + 7])
    source = write(tmp_path / "in.h5", sections)
    even = normalize(source, per="section", low=0, high=100).astype(int)
    assert np.abs(even - even[0]).max() == 0
    assert even.min() == 0 and even.max() == 255
    uneven = normalize(source, per="volume", low=0, high=100).astype(int)
    assert np.abs(uneven - uneven[0]).mean() > 40


@given(
    arrays(np.uint8, st.integers(1, 300)),
    st.integers(0, 99),
    st.integers(1, 100),
)
def test_percentiles_are_those_of_numpy(raw: np.ndarray, low: int, span: int) -> None:
    counts = np.bincount(raw, minlength=256)
    for part in (low, min(low + span, 100)):
        expected = np.percentile(raw, part, method="inverted_cdf")
        assert tables.percentile(counts, part) == expected


@given(arrays(np.uint8, 256))
def test_steps_hold_all_of_a_table(values: np.ndarray) -> None:
    table = np.sort(values)
    assert np.array_equal(tables.expanded(tables.compressed(table), 256), table)


def test_a_section_without_contrast_stays(tmp_path: Path) -> None:
    raw = texture(3)
    raw[1] = 77
    for clahe in (False, 0.01):
        got = normalize(write(tmp_path / "in.h5", raw), per="section", clahe=clahe)
        assert (got[1] == 77).all() and got[0].std() > 40


def test_clahe_lifts_local_contrast() -> None:
    section = texture(1)[0] // 8 + np.linspace(0, 200, 48).astype(np.uint8)
    even = equalised(section, 0.03)
    assert even.dtype == np.uint8
    assert even[:, :8].std() > 2 * section[:, :8].std()


def test_labels_size_and_place_stay(tmp_path: Path) -> None:
    labels = np.arange(9 * 40 * 48, dtype=np.uint64).reshape(9, 40, 48) + 2**40
    source = write(tmp_path / "in.h5", texture(), labels)
    normalize(source, (4, 16, 16))
    with h5py.File(tmp_path / "out.h5") as file:
        assert file[volume.LABELS].dtype == np.uint64
        assert np.array_equal(file[volume.LABELS], labels)
        for name in (volume.RAW, volume.LABELS):
            assert volume.voxel_size(file[name]) == SIZE
            assert volume.offset(file[name]) == OFFSET
        assert volume.made_by(file)["inputs"] == {str(source): sha256(source)}


@pytest.mark.parametrize(
    ("raw", "settings", "message"),
    [
        (texture().astype(np.uint32), {}, "holds uint32, needs uint8 or uint16"),
        (texture(), {"match": "other"}, "match is 'other' and the reference None; give both"),
        (texture()[0], {}, "has 2 axes"),
        (None, {}, "volumes/raw: no such dataset"),
        (texture(), {"low": 60, "high": 40}, r"low \(60\) must be smaller than high \(40\)"),
        (texture(), {"low": -1}, "low: .*greater than or equal to 0"),
        (texture(), {"clahe": 2}, "clahe: .*less than or equal to 1"),
        (texture(), {"clahe": True}, "clahe: input should be a valid number"),
        (texture(), {"per": "slice"}, "per: .*'volume' or 'section'"),
        (texture(), {"hihg": 99}, "hihg: unknown key; did you mean 'high'"),
    ],
)
def test_bad_input_leaves_no_output(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    raw: Any,
    settings: dict[str, Any],
    message: str,
) -> None:
    source = write(tmp_path / "in.h5", raw)
    with pytest.raises(InputError, match=message):
        normalize(source, **settings)
    argv = ["--input", str(source), "--output", str(tmp_path / "out.h5")]
    assert command.main(arguments(), run, [*argv, "--settings", json.dumps(settings)]) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["in.h5"]


def test_sixteen_bits_are_stretched_by_their_own_percentiles(tmp_path: Path) -> None:
    # the same picture in more grey values, of which 8 bits would lose all but a few
    raw = texture()
    fine = raw.astype(np.uint16) * 4 + 20_000
    for settings in ({}, {"per": "section"}, {"clahe": 0.02}):
        expected = normalize(write(tmp_path / "in.h5", raw), **settings)
        got = normalize(write(tmp_path / "in.h5", fine), **settings)
        assert got.dtype == np.uint8
        assert np.array_equal(got, expected)
    assert (rows(tmp_path)["min"] == fine.min((1, 2))).all()
    assert rows(tmp_path)["mean"] == pytest.approx(fine.mean((1, 2)))
    assert rows(tmp_path)["std"] == pytest.approx(fine.std((1, 2)))
    assert rows(tmp_path)["mean_after"] == pytest.approx(got.mean((1, 2)))
    assert rows(tmp_path)["std_after"] == pytest.approx(got.std((1, 2)))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("per", ["volume", "section"])
def test_inverted_contrast_is_turned_before_the_stretch(
    tmp_path: Path, per: str, dtype: str
) -> None:
    raw = texture().astype(dtype) * (1 if dtype == "uint8" else 3)
    expected = normalize(write(tmp_path / "in.h5", raw), per=per, low=1, high=97)
    turned = np.iinfo(dtype).max - raw
    source = write(tmp_path / "in.h5", turned)
    assert np.array_equal(normalize(source, per=per, low=1, high=97, inverted=True), expected)
    table = rows(tmp_path)
    assert (table["low"] > table["high"]).all()  # as they stand in the file


@pytest.mark.parametrize("clahe", [False, 0.02])
@pytest.mark.parametrize("per", ["volume", "section"])
def test_a_matched_volume_looks_like_the_normalised_reference(
    tmp_path: Path, per: str, clahe: Any
) -> None:
    base = texture(1)[0] // 2
    settings = {"per": per, "clahe": clahe, "low": 2, "high": 98}
    reference = write(tmp_path / "reference.h5", np.stack([base] * 3))
    look = normalize(reference, **settings)
    copies = {
        "darker": base + 3, "scaled": base * 1.9 + 11, "sixteen bits": base * 200.0 + 999,
        "gamma": np.round(base**1.1), "inverted": 255.0 - base,
    }  # fmt: skip
    for name, copy in copies.items():
        kind = np.uint16 if name == "sixteen bits" else np.uint8
        other = np.stack([copy.astype(kind)] * 5)
        got = normalize(
            write(tmp_path / "in.h5", other), reference=reference, match="reference",
            inverted=name == "inverted", **settings,
        )  # fmt: skip
        assert np.array_equal(got, look[[0, 1, 2, 0, 1]]), name
    with volume.opened(tmp_path / "out.h5") as file:
        assert len(volume.made_by(file)["inputs"]) == 2
        assert volume.look(file) == settings


def test_sections_are_matched_one_by_one_when_asked(tmp_path: Path) -> None:
    base = texture(1)[0] // 4
    reference = write(tmp_path / "reference.h5", np.stack([base, base * 2]))
    jitter = np.stack([base, base + 100, base * 3 + 7])
    source = write(tmp_path / "in.h5", jitter)
    match = {"reference": reference, "match": "r"}
    even = normalize(source, per="section", **match)
    assert (even == even[0]).all() and even.std() > 40
    assert not (normalize(source, **match) == even).all()


def test_an_inverted_reference_and_one_without_contrast(tmp_path: Path) -> None:
    raw = texture()
    source = write(tmp_path / "in.h5", raw)
    expected = normalize(source)
    other = write(tmp_path / "reference.h5", 255 - raw)
    got = normalize(source, reference=other, match="r", reference_inverted=True)
    assert np.array_equal(got, expected)
    flat = write(tmp_path / "reference.h5", np.full_like(raw, 9))
    with pytest.raises(InputError, match="no contrast to match"):
        normalize(source, reference=flat, match="r")


GOOD = texture(12, seed=3).clip(20, 230)
WEDGE = np.add.outer(np.arange(40), -np.arange(48)) > 20  # a corner
FRAME = np.ones((40, 48), bool)
FRAME[3:-3, 4:-4] = False


def planted(*defects: tuple[int, Any, int]) -> np.ndarray:
    raw = GOOD.copy()
    for z, pixels, value in defects:
        raw[z][pixels] = value
    return raw


def test_lost_and_bordered_sections_are_found_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    raw = planted((0, ..., 0), (3, WEDGE, 0), (4, FRAME, 255), (7, ..., 128), (11, WEDGE, 255))
    raw[7, :2, :10] = 5  # specks do not bring a section back
    raw[5, 10:20, 10:20] = 0  # dark inside is no border
    raw[6, 0] = 0  # nor is one row
    expected = ["sound"] * 12
    expected[0] = expected[7] = "lost"
    expected[3] = expected[4] = expected[11] = "bordered"
    got = normalize(write(tmp_path / "in.h5", raw))
    assert kinds(tmp_path) == expected
    bad = rows(tmp_path)["bad"]
    assert bad[[0, 7]].tolist() == [1, 1]
    assert bad[[3, 4, 11]] == pytest.approx([m.mean() for m in (WEDGE, FRAME, WEDGE)], abs=2e-3)
    assert words(tmp_path, "done", sections.DEEDS) == ["kept"] * 12
    (line,) = [record.getMessage() for record in caplog.records if "lost" in record.getMessage()]
    assert line == (
        "of 12 sections 2 lost (0, 7) and 3 bordered (3, 4, 11); 5 kept, 0 interpolated, 0 copied"
    )
    # only listed: grey values keep their order, in defects too
    assert (got[3][WEDGE] == 0).all() and (got[4][FRAME] == 255).all()


def test_defects_do_not_move_the_percentiles(tmp_path: Path) -> None:
    normalize(write(tmp_path / "in.h5", GOOD[[1, 2, 3, 5]]), per="volume")
    expected = rows(tmp_path)[["low", "high"]][0]
    with_lost = planted((0, ..., 0), (4, ..., 255))[:6]
    normalize(write(tmp_path / "in.h5", with_lost), per="volume")
    assert rows(tmp_path)[["low", "high"]][0] == expected
    # of a bordered section the rest counts
    raw = planted((1, FRAME, 0))[:3]
    normalize(write(tmp_path / "in.h5", raw), per="section", low=1, high=99)
    inside = np.percentile(GOOD[1][~FRAME], [1, 99], method="inverted_cdf")
    assert rows(tmp_path)[["low", "high"]][1].tolist() == tuple(inside)


def test_lost_sections_are_interpolated_and_ends_copied(tmp_path: Path) -> None:
    sound = normalize(write(tmp_path / "in.h5", GOOD), low=0, high=100)
    raw = planted((0, ..., 0), (1, ..., 0), (5, ..., 0), (8, ..., 9), (9, ..., 9), (11, ..., 0))
    # the darkest and the brightest voxels are among the others
    raw[2, 0, :2] = GOOD.min(), GOOD.max()
    sound[2, 0, :2] = 0, 255
    got = normalize(write(tmp_path / "in.h5", raw), low=0, high=100, defects="interpolate")
    assert words(tmp_path, "done", sections.DEEDS) == [
        "copied", "copied", "kept", "kept", "kept", "interpolated", "kept", "kept",
        "interpolated", "interpolated", "kept", "copied",
    ]  # fmt: skip
    whole = sound.astype(float)
    expected = {
        0: whole[2], 1: whole[2], 5: (whole[4] + whole[6]) / 2,
        8: (2 * whole[7] + whole[10]) / 3, 9: (whole[7] + 2 * whole[10]) / 3, 11: whole[10],
    }  # fmt: skip
    for z in range(12):
        assert np.abs(got[z] - expected.get(z, whole[z])).max() <= 0.51, z


def test_only_the_border_of_a_section_is_replaced(tmp_path: Path) -> None:
    sound = normalize(write(tmp_path / "in.h5", GOOD), low=0, high=100).astype(float)
    raw = planted((4, WEDGE, 0), (5, FRAME, 255))
    got = normalize(write(tmp_path / "in.h5", raw), low=0, high=100, defects="interpolate")
    for z, area, share in ((4, WEDGE, 1 / 3), (5, FRAME, 2 / 3)):
        between = (1 - share) * sound[3] + share * sound[6]
        assert np.abs(got[z] - np.where(area, between, sound[z])).max() <= 0.51
    with h5py.File(tmp_path / "out.h5") as file:
        assert file[sections.BORDER].shape == GOOD.shape
        assert (file[sections.BORDER][4][WEDGE] == sections.BLACK).all()


def test_padding_of_the_whole_volume_stays(tmp_path: Path) -> None:
    raw = GOOD.copy()
    raw[:, FRAME] = 0
    raw[6] = 0
    got = normalize(write(tmp_path / "in.h5", raw), defects="interpolate")
    assert (got[:, FRAME] == 0).all()
    assert words(tmp_path, "done", sections.DEEDS) == ["kept"] * 6 + ["interpolated"] + ["kept"] * 5
    between = (got[5].astype(float) + got[7]) / 2
    assert np.abs(got[6] - between).max() <= 0.5
    lost = np.zeros_like(raw)
    assert (normalize(write(tmp_path / "in.h5", lost), defects="interpolate") == 0).all()
    assert kinds(tmp_path) == ["lost"] * 12


def test_a_wide_gap_is_not_bridged() -> None:
    kinds = np.array([0, 1, 1, 0, 1, 2, 1, 0, 1], np.uint8)
    none = [-1, -1]
    assert stand_ins(kinds, 2).tolist() == [
        none, [0, 3], [0, 3], none, none, none, none, none, [7, 7],
    ]  # fmt: skip
    assert stand_ins(kinds, 3).tolist()[4:7] == [[3, 7]] * 3
    assert (stand_ins(kinds, 0) == -1).all()


def test_borders_of_sections_larger_than_the_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sections, "SAMPLE", 16)  # every third row and column
    raw = planted((4, FRAME, 0))
    expected = normalize(write(tmp_path / "in.h5", GOOD), low=0, high=100).astype(float)
    got = normalize(write(tmp_path / "in.h5", raw), (5, 7, 11), low=0, high=100,
                    defects="interpolate")  # fmt: skip
    assert kinds(tmp_path)[4] == "bordered"
    assert rows(tmp_path)["bad"][4] == pytest.approx(FRAME.mean())
    between = (expected[3] + expected[5]) / 2
    assert np.abs(got[4] - np.where(FRAME, between, expected[4])).max() <= 0.51


@pytest.mark.parametrize(
    "settings",
    [
        {}, {"per": "section"}, {"clahe": 0.02}, {"inverted": True},
        {"match": "r"}, {"match": "r", "per": "section"},
        {"defects": "interpolate"}, {"defects": "interpolate", "per": "section", "clahe": 0.02},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_blocks_do_not_show(tmp_path: Path, dtype: str, settings: dict[str, Any]) -> None:
    raw = planted((0, ..., 0), (5, WEDGE, 0), (6, ..., 0), (7, FRAME, 255)).astype(dtype)
    source = write(tmp_path / "in.h5", raw * (1 if dtype == "uint8" else 250))
    reference = write(tmp_path / "r.h5", texture(4, seed=5)) if "match" in settings else None
    results = []
    for block in ((2, 13, 17), (16, 64, 64)):
        image = normalize(source, block, reference, **settings)
        results.append((image.tobytes(), rows(tmp_path).tobytes()))
    assert results[0] == results[1]


@pytest.mark.parametrize("name", ["isbi2012_vnc_2d.h5", "fib25_ts2_z000-168.h5"])
def test_real_sections_are_sound_and_a_planted_defect_is_found(
    data: Path, tmp_path: Path, name: str
) -> None:
    with h5py.File(data / name) as file:
        raw = file[volume.RAW][:30]
    for share in (0, 10):  # as it is, and with tissue clipped to black and white
        clipped = raw.clip(*np.percentile(raw, [share, 100 - share]).astype(np.uint8))
        normalize(write(tmp_path / "in.h5", clipped))
        assert set(kinds(tmp_path)) == {"sound"}
    raw[4] = 0
    rows_, columns = np.indices(raw.shape[1:])
    raw[9][rows_ > 50 * columns] = 0  # a wedge of 1 % of the section
    normalize(write(tmp_path / "in.h5", raw))
    assert {z: kind for z, kind in enumerate(kinds(tmp_path)) if kind != "sound"} == {
        4: "lost", 9: "bordered",
    }  # fmt: skip


def test_fib25_fills_the_range(data: Path, tmp_path: Path) -> None:
    with h5py.File(data / "fib25_ts2_z000-168.h5") as file:
        raw = file[volume.RAW][:10]
    got = normalize(write(tmp_path / "in ä.h5", raw), low=1, high=99)
    for level, value in ((0, 1), (255, 99)):
        share = np.mean(got == level)
        assert 0.009 < share < 0.02, value
    # the same order of grey values: only the scale changed
    assert np.corrcoef(got.ravel(), raw.ravel())[0, 1] > 0.99
