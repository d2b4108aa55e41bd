"""Normalize: known answers, independence of blocks, and what must not change."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fgnet import command, volume
from fgnet.errors import InputError
from fgnet.normalize import arguments, equalised, lookup_tables, percentiles, run
from fgnet.settings.normalize import Normalize

SIZE, OFFSET = (40.0, 4.0, 4.0), (400.0, 8.0, 0.0)


def write(path: Path, raw: Any, labels: Any = None) -> Path:
    with h5py.File(path, "w") as file:
        for name, data in ((volume.RAW, raw), (volume.LABELS, labels)):
            if data is not None:
                file[name] = data
                file[name].attrs.update(resolution=SIZE, offset=OFFSET)
    return path


def normalize(source: Path, sections: int = 16, **settings: Any) -> np.ndarray:
    output = source.with_name("out.h5")
    run(source, output, json.dumps(settings), sections)
    with h5py.File(output) as file:
        return file[volume.RAW][()]


def texture(depth: int = 9, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(120, 30, (depth, 40, 48)).clip(0, 255).astype(np.uint8)


def test_a_ramp_between_its_percentiles(tmp_path: Path) -> None:
    # 100 grey values 50 .. 149, each equally often: percentiles 10 and 90 are 59 and 139
    ramp = np.broadcast_to(np.arange(50, 150, dtype=np.uint8), (3, 20, 100))
    got = normalize(write(tmp_path / "in.h5", ramp), low=10, high=90)
    expected = np.clip((np.arange(50, 150) - 59) * 255 / 80, 0, 255).round()
    assert np.array_equal(got, np.broadcast_to(expected, ramp.shape))
    with h5py.File(tmp_path / "out.h5") as file:
        attributes = file[volume.RAW].attrs
        assert attributes["bounds"].tolist() == [[59, 139]]
        recorded = json.loads(attributes["normalization"])
    assert recorded == {"low": 10, "high": 90, "per": "volume", "clahe": False}


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


@pytest.mark.parametrize("per", ["volume", "section"])
@pytest.mark.parametrize("clahe", [False, 0.02])
def test_blocks_do_not_show(tmp_path: Path, per: str, clahe: bool | float) -> None:
    source = write(tmp_path / "in.h5", texture())
    one, two = (normalize(source, sections, per=per, clahe=clahe) for sections in (2, 16))
    assert np.array_equal(one, two)


@given(
    arrays(np.uint8, st.tuples(st.just(1), st.integers(1, 30), st.integers(1, 30))),
    st.integers(0, 99),
    st.integers(1, 100),
)
def test_percentiles_are_those_of_numpy(raw: np.ndarray, low: int, span: int) -> None:
    high = min(low + span, 100)
    counts = np.bincount(raw.ravel(), minlength=256)[None]
    settings = Normalize.checked({"low": low, "high": high})
    expected = np.percentile(raw, [low, high], method="inverted_cdf")
    assert percentiles(counts, settings).tolist() == [expected.tolist()]


@given(arrays(np.uint8, (5, 2)))
def test_tables_keep_the_order_of_grey_values(bounds: np.ndarray) -> None:
    tables = lookup_tables(np.sort(bounds, axis=1))
    assert (np.diff(tables.astype(int), axis=1) >= 0).all()


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
    normalize(source, sections=4)
    with h5py.File(tmp_path / "out.h5") as file:
        assert file[volume.LABELS].dtype == np.uint64
        assert np.array_equal(file[volume.LABELS], labels)
        for name in (volume.RAW, volume.LABELS):
            assert volume.voxel_size(file[name]) == SIZE
            assert volume.offset(file[name]) == OFFSET
        assert volume.made_by(file)["inputs"] == {str(source): volume.sha256(source)}


@pytest.mark.parametrize(
    ("raw", "settings", "message"),
    [
        (texture().astype(np.uint16), {}, "holds uint16, needs uint8"),
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


def test_fib25_fills_the_range(data: Path, tmp_path: Path) -> None:
    with h5py.File(data / "fib25_ts2_z000-168.h5") as file:
        raw = file[volume.RAW][:10]
    got = normalize(write(tmp_path / "in ä.h5", raw), low=1, high=99)
    for level, value in ((0, 1), (255, 99)):
        share = np.mean(got == level)
        assert 0.009 < share < 0.02, value
    # the same order of grey values: only the scale changed
    assert np.corrcoef(got.ravel(), raw.ravel())[0, 1] > 0.99
