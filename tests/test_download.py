"""Download: every kind of source gives the same file, and bad input gives one sentence."""

import gzip
import hashlib
import json
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import h5py
import numpy as np
import pytest
from PIL import Image
from server import Server

from fgnet import command, volume
from fgnet.checksum import sha256
from fgnet.download import sam2
from fgnet.download.__main__ import arguments, run_sam2, run_volume
from fgnet.download.http import fetch
from fgnet.errors import InputError
from fgnet.phantom import phantom
from fgnet.settings.config import load
from fgnet.settings.download import Download
from fgnet.settings.phantom import Phantom

PROJECT = Path(__file__).parents[1]
SHAPE = (20, 70, 66)
SIZE = (40.0, 4.0, 4.0)


def images(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    raw = rng.integers(0, 256, SHAPE, np.uint8)
    return raw, rng.integers(0, 2**31, SHAPE).astype(np.uint32)


def write(path: Path, raw: Any, labels: Any = None, **attributes: Any) -> Path:
    """An HDF5 file in the manner of CREMI; attributes of the labels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.create_dataset("volumes/raw", data=raw).attrs["resolution"] = SIZE
        if labels is not None:
            file.create_dataset("volumes/labels/neuron_ids", data=labels).attrs.update(attributes)
    return path


def download(output: Path, entry: dict[str, Any], name: str = "a", **settings: Any) -> Path:
    settings = {"backoff": 0.01, "lock": str(output.parent / "checksums.lock"), **settings}
    run_volume(name, json.dumps({"volume": entry}), output, fetching=json.dumps(settings))
    return output


def cremi(place: Path | str, **more: Any) -> dict[str, Any]:
    """A volume whose image and labels lie in one file in the manner of CREMI."""
    return {"source": str(place), "labels": str(place), **more}


def read(path: Path) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    with h5py.File(path) as file:
        raw, labels = file["volumes/raw"], file["volumes/labels/neuron_ids"]
        assert raw.dtype == np.uint8 and raw.chunks is not None and labels.chunks is not None
        for key in ("resolution", "offset"):
            assert np.array_equal(raw.attrs[key], labels.attrs[key])
        return raw[()], labels[()], dict(raw.attrs)


def left(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


def test_a_local_file_is_cut_and_keeps_ids_size_and_place(tmp_path: Path) -> None:
    raw, labels = images()
    wide = labels.astype(np.uint64) + 2**40
    source = write(tmp_path / "in.h5", raw, wide, offset=(0, 0, 0))
    crop = {"z": [3, 20], "x": [10, 60]}
    out = download(tmp_path / "out.h5", cremi(source, crop=crop))
    got_raw, got_labels, attributes = read(out)
    assert np.array_equal(got_raw, raw[3:20, :, 10:60])
    assert got_labels.dtype == np.uint64
    assert np.array_equal(got_labels, wide[3:20, :, 10:60])
    assert list(attributes["resolution"]) == list(SIZE)
    assert list(attributes["offset"]) == [120.0, 0.0, 40.0]
    with volume.opened(out) as file:
        record = volume.made_by(file)
    assert record["inputs"] == {str(source): sha256(source)}


def test_a_volume_is_the_part_that_its_labels_cover(tmp_path: Path) -> None:
    raw, labels = images()
    part = labels[5:15, 10:60, 8:58]
    source = write(tmp_path / "in.h5", raw, part, offset=(5 * 40, 10 * 4, 8 * 4))
    got_raw, got_labels, attributes = read(download(tmp_path / "out.h5", cremi(source)))
    assert np.array_equal(got_raw, raw[5:15, 10:60, 8:58])
    assert np.array_equal(got_labels, part)
    assert list(attributes["offset"]) == [200.0, 40.0, 32.0]
    # a crop counts from the image's first voxel, and in nm from where the file says it lies
    inner = {"y": [10, 60], "x": [8, 58]}
    for crop in (
        {"z": [6, 15], **inner},
        {"unit": "nm", "z": [240, 600], "y": [40, 240], "x": [32, 232]},
    ):
        got_raw, got_labels, attributes = read(
            download(tmp_path / "out.h5", cremi(source, crop=crop))
        )
        assert np.array_equal(got_raw, raw[6:15, 10:60, 8:58])
        assert np.array_equal(got_labels, part[1:])
        assert list(attributes["offset"]) == [240.0, 40.0, 32.0]
    with pytest.raises(InputError, match=r"covers z, y, x 5 to 15, .* 4 to 9.*move the crop"):
        download(tmp_path / "bad.h5", cremi(source, crop={"z": [4, 9], **inner}))
    entry = {"source": str(source), "crop": {"z": [1, 10]}}
    with h5py.File(download(tmp_path / "whole.h5", entry)) as file:
        assert np.array_equal(file["volumes/raw"], raw[1:10])
        assert "volumes/labels/neuron_ids" not in file


def test_a_killed_download_resumes_and_no_byte_comes_twice(tmp_path: Path, server: Server) -> None:
    raw, labels = images()
    content = write(tmp_path / "in.h5", raw, labels).read_bytes()
    url = server.put("in.h5", content)
    server.limits["in.h5"] = [1000, 50_000]
    place = {"path": url, "checksum": hashlib.sha256(content).hexdigest()}
    entry = {"source": place, "labels": place}
    out = tmp_path / "results" / "out.h5"
    with pytest.raises(InputError, match=r"volume 'a': http.*1 tries .*after the 1000 bytes"):
        download(out, entry, retries=0)
    assert not out.exists()
    download(out, entry, retries=1)
    assert np.array_equal(read(out)[0], raw)
    assert server.sent == len(content)
    assert [wanted for _, wanted in server.requests] == [None, "bytes=1000-", "bytes=51000-"]
    assert len(left(out.parent / "sources")) == 1
    # another part of the same file needs nothing from the network
    download(out.with_name("b.h5"), entry | {"crop": {"z": [0, 4]}})
    assert server.sent == len(content)


def test_a_file_that_changed_at_the_server_is_fetched_anew(tmp_path: Path, server: Server) -> None:
    url = server.put("f", b"old" * 5000)
    server.limits["f"] = [4000]
    target = tmp_path / "f"
    with pytest.raises(InputError):
        fetch(url, target, Download(retries=0, backoff=0))
    server.put("f", b"new" * 5000)
    server.statuses["f"] = [503, 429]
    fetch(url, target, Download(retries=2, backoff=0))
    assert target.read_bytes() == b"new" * 5000
    assert left(tmp_path) == ["f"]


def test_jobs_at_the_same_time_fetch_a_file_once(tmp_path: Path, server: Server) -> None:
    raw, labels = images()
    url = server.put("in.h5", write(tmp_path / "in.h5", raw, labels).read_bytes())
    outputs = [tmp_path / "r" / f"{number}.h5" for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda out: download(out, cremi(url)), outputs))
    assert len(server.requests) == 1
    assert all(np.array_equal(read(out)[1], labels) for out in outputs)
    assert len(left(tmp_path / "r" / "sources")) == 1


@pytest.mark.parametrize("status", [404, 403])
def test_a_refused_address_stops_at_once(tmp_path: Path, server: Server, status: int) -> None:
    server.statuses["gone.h5"] = [status] * 9
    url = server.url + "gone.h5"
    with pytest.raises(InputError, match=rf"volume 'ä b': {url} answers {status} .*check"):
        download(tmp_path / "out.h5", cremi(url), name="ä b")
    assert len(server.requests) == 1
    assert left(tmp_path) == []


def test_a_wrong_checksum_leaves_nothing(tmp_path: Path, server: Server) -> None:
    url = server.put("in.h5", b"something else")
    with pytest.raises(InputError, match=r"checksum sha256:.* not sha256:0000"):
        download(tmp_path / "out.h5", {"source": {"path": url, "checksum": "0" * 64}})
    assert left(tmp_path) == []


def test_an_error_page_is_not_kept(tmp_path: Path, server: Server) -> None:
    url = server.put("in.h5", b"<html>please log in</html>")
    entry = cremi(url)
    with pytest.raises(InputError, match=rf"{url} gave a wrong file: .* is a web page"):
        download(tmp_path / "r" / "out.h5", entry)
    assert left(tmp_path) == []
    server.put("in.h5", write(tmp_path / "in.h5", *images()).read_bytes())
    assert read(download(tmp_path / "r" / "out.h5", entry))[0].shape == SHAPE


def series(tmp_path: Path, server: Server, columns: bool) -> tuple[dict[str, Any], Path]:
    """The same volume as images with mapped labels over http, and as one HDF5 file."""
    raw, labels = images()
    stored = labels % 50 + 1
    bodies = np.array([(number, 10 * number + 7) for number in range(40, 0, -1)], np.uint64)
    body = np.where(stored <= 40, 10 * stored + 7, stored)
    sums = []
    for number, section in enumerate(raw, 95):
        path = tmp_path / f"iso.{number:04d}.png"
        Image.fromarray(section).save(path)
        server.put(f"maps/{path.name}", path.read_bytes())
        sums.append(f"{sha256(path)}  somewhere/{path.name}\n")
    with h5py.File(tmp_path / "gt.h5", "w") as file:
        file["stack"] = stored.astype(np.uint32)
        file["transforms"] = bodies if columns else bodies.T
    packed = gzip.compress((tmp_path / "gt.h5").read_bytes())
    sums.append(f"{hashlib.sha256(packed).hexdigest()} *gt.h5.gz\n")
    (tmp_path / "sums.sha256").write_text("".join(sums))
    sums_list = str(tmp_path / "sums.sha256")
    entry = {
        "source": {"path": server.url + "maps/iso.{0095..0114}.png", "checksums": sums_list},
        "labels": {
            "path": server.put("gt.h5.gz", packed),
            "dataset": "stack",
            "mapping": "transforms",
            "checksum": hashlib.sha256(packed).hexdigest(),
        },
    }
    return entry, write(tmp_path / "same.h5", raw, body.astype(np.uint32))


@pytest.mark.parametrize("columns", [True, False])
def test_images_and_hdf5_give_the_same_volume(
    tmp_path: Path, server: Server, columns: bool
) -> None:
    entry, same = series(tmp_path, server, columns)
    common = {"voxel_size": SIZE, "crop": {"z": [2, 19], "y": [1, 60]}}
    one = read(download(tmp_path / "r" / "1.h5", {**entry, **common}))
    two = read(download(tmp_path / "r" / "2.h5", cremi(same, **common)))
    assert np.array_equal(one[0], two[0])
    assert one[1].dtype == two[1].dtype == np.uint32
    assert np.array_equal(one[1], two[1])
    assert list(one[2]["offset"]) == list(two[2]["offset"]) == [80.0, 4.0, 0.0]
    # sections outside the crop are not fetched, but the first, which tells their size
    assert len(server.requests) == 17 + 1 + 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("maps/iso.0099.png", b"not the image", "iso.0099.png has the checksum"),
        ("maps/iso.0114.png", None, "iso.0114.png answers 404"),
        ("gt.h5.gz", b"not gzip", "checksum"),
    ],
)
def test_a_damaged_series_leaves_no_volume(
    tmp_path: Path, server: Server, name: str, content: bytes | None, message: str
) -> None:
    entry, _ = series(tmp_path, server, True)
    if content is None:
        del server.files[name]
    else:
        server.files[name] = content
    with pytest.raises(InputError, match=message):
        download(tmp_path / "out.h5", {**entry, "voxel_size": SIZE})
    assert not (tmp_path / "out.h5").exists()


def test_a_member_of_an_archive(tmp_path: Path, server: Server) -> None:
    raw, labels = images()
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.write(write(tmp_path / "raw.h5", raw), "in/raw.h5")
        archive.write(write(tmp_path / "gt.h5", raw, labels), "in/gt.h5")
    url = server.put("all.zip", (tmp_path / "all.zip").read_bytes())
    entry = {member: {"path": url, "member": f"in/{name}.h5"}
             for member, name in (("source", "raw"), ("labels", "gt"))}  # fmt: skip
    got_raw, got_labels, _ = read(download(tmp_path / "r" / "out.h5", entry))
    assert np.array_equal(got_raw, raw) and np.array_equal(got_labels, labels)
    assert len(server.requests) == 1
    entry["source"]["member"] = "in/other.h5"
    with pytest.raises(InputError, match=r"no member 'in/other.h5'; it holds in/raw.h5"):
        download(tmp_path / "r" / "two.h5", entry)


def layer(path: Path, values: np.ndarray, kind: str, first: tuple[int, int, int]) -> str:
    """A precomputed layer, its first voxel at these coordinates (z, y, x)."""
    from cloudvolume import CloudVolume

    info = CloudVolume.create_new_info(
        1, kind, values.dtype.name, "raw", resolution=SIZE[::-1], voxel_offset=first[::-1],
        chunk_size=(32, 32, 8), volume_size=values.shape[::-1],
    )  # fmt: skip
    made = CloudVolume(f"file://{path}", info=info, compress=False, progress=False)
    made.commit_info()
    made[:, :, :] = values.T[..., None]
    return f"precomputed://file://{path}"


def test_a_region_of_a_precomputed_layer(tmp_path: Path) -> None:
    raw, labels = images()
    source = {
        "source": layer(tmp_path / "image", raw, "image", (100, 1000, 2000)),
        "labels": layer(tmp_path / "ids", labels[4:], "segmentation", (104, 1000, 2000)),
    }
    crop = {"z": [105, 120], "y": [1003, 1070], "x": [2010, 2060]}
    out = download(tmp_path / "out.h5", {**source, "crop": crop})
    got_raw, got_labels, attributes = read(out)
    assert np.array_equal(got_raw, raw[5:, 3:, 10:60])
    assert np.array_equal(got_labels, labels[5:, 3:, 10:60])
    assert list(attributes["resolution"]) == list(SIZE)
    assert list(attributes["offset"]) == [105 * 40.0, 1003 * 4.0, 2010 * 4.0]
    nm = {"unit": "nm", "z": [105 * 40, 120 * 40], "y": [4012, 4280], "x": [8040, 8240]}
    again = read(download(tmp_path / "nm.h5", {**source, "crop": nm}))
    assert np.array_equal(again[0], got_raw) and np.array_equal(again[1], got_labels)
    for wrong, message in [
        ({"crop": {"z": [103, 110]}}, r"ids covers z, y, x 4 to 20, .*move the crop"),
        ({"crop": {"z": [0, 10]}}, r"image: crop: the box z: \[0, 10\].* from 100 to 120"),
        ({"source": {"path": source["source"], "mip": 3}}, "no scale 3"),
        ({"source": {"path": str(tmp_path / "none"), "format": "precomputed"}}, "no info file"),
        ({"voxel_size": (40, 4, 8)}, "voxel sizes differ: 40 x 4 x 8 nm by voxel_size"),
    ]:
        with pytest.raises(InputError, match=message):
            download(tmp_path / "bad.h5", {**source, "crop": crop, **wrong})
        assert not (tmp_path / "bad.h5").exists()


def test_a_phantom_is_stored_as_it_is_generated(tmp_path: Path) -> None:
    settings = Phantom.checked({"shape": [8, 48, 48], "seed": 5})
    out = download(tmp_path / "out.h5", {"phantom": settings.model_dump(mode="json")})
    raw, labels = phantom(settings)
    assert np.array_equal(read(out)[0], raw) and np.array_equal(read(out)[1], labels)
    assert tuple(read(out)[2]["resolution"]) == settings.voxel_size


RAW, LABELS = images()


@pytest.mark.parametrize(
    ("raw", "labels", "extra", "message"),
    [
        (np.stack([RAW, RAW]), LABELS, {}, r"raw has 4 axes of shape \(2, 20, 70, 66\)"),
        (np.stack([RAW] * 3, -1), LABELS, {}, "raw has the shape .* looks like colour"),
        (RAW, LABELS[0], {}, "neuron_ids has 2 axes"),
        (np.where(RAW > 9, RAW, np.nan), LABELS, {}, "without a finite value .* z 0 to 16"),
        (RAW * 0, LABELS, {}, "raw holds the one value 0 and nothing else"),
        (RAW[:1], LABELS[:1], {}, "1 section is left, a volume needs at least 2"),
        (RAW.astype("S1"), LABELS, {}, r"raw holds \|S1"),
        (RAW, LABELS.astype(np.float32), {}, "neuron_ids holds float32; labels are whole"),
        (RAW, LABELS.astype(np.int32) - 2**30, {}, "negative label"),
        (RAW, LABELS[:9], {}, r"neuron_ids has the shape \(9, 70, 66\).*\(20, 70, 66\)"),
        (
            RAW,
            None,
            {"labels": {"path": "IN", "dataset": "x"}},
            "x: no such dataset; .* volumes/raw",
        ),
        (RAW, LABELS, {"crop": {"z": [0, 21]}}, "z runs from 0 to 20"),
        (RAW, LABELS, {"crop": {"y": [9, 9]}}, r"box y: \[9, 9\]"),
        (RAW, LABELS, {"voxel_size": [40, 4, 4.1]}, "voxel sizes differ"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_no_output(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    raw: Any,
    labels: Any,
    extra: dict[str, Any],
    message: str,
) -> None:
    source = write(tmp_path / "in.h5", raw, labels)
    entry = cremi(source, **extra)
    if "labels" in extra:
        entry["labels"] = {**extra["labels"], "path": str(source)}
    out = tmp_path / "out.h5"
    settings = json.dumps({"volume": entry})
    argv = ["volume", "--volume", "a", "--settings", settings, "--output", str(out)]
    assert command.main(arguments(), command.run_step, argv) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    with pytest.raises(InputError, match=message) as caught:
        download(out, entry)
    assert lines[0] == f"error: {caught.value}"
    assert left(tmp_path) == ["in.h5"]


def test_labels_outside_the_image_truncation_and_missing_files(tmp_path: Path) -> None:
    source = write(tmp_path / "in.h5", RAW, LABELS[:9], offset=(12 * 40, 0, 0))
    with pytest.raises(InputError, match=r"covers z, y, x 12 to 21, .* correct `offset`"):
        download(tmp_path / "out.h5", cremi(source))
    source.write_bytes(source.read_bytes()[:-500])
    with pytest.raises(InputError, match="cannot be read as HDF5, it may be truncated"):
        download(tmp_path / "out.h5", cremi(source))
    assert source.exists()
    with pytest.raises(InputError, match="there is no file"):
        download(tmp_path / "out.h5", cremi(tmp_path / "none.h5"))
    with h5py.File(source, "w") as file:
        file["volumes/raw"] = RAW
    entry: dict[str, Any] = {"source": str(source)}
    with pytest.raises(InputError, match="records no voxel size; give voxel_size"):
        download(tmp_path / "out.h5", entry)
    assert not (tmp_path / "out.h5").exists()
    with h5py.File(download(tmp_path / "out.h5", entry | {"voxel_size": [30, 6, 6]})) as file:
        assert list(file["volumes/raw"].attrs["resolution"]) == [30, 6, 6]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (RAW.astype(np.uint16) * 257, RAW.astype(np.uint16) * 257),
        (RAW.astype(">u2"), RAW.astype(np.uint16)),
        (RAW.astype(np.int64), RAW),
        (RAW.astype(np.float32), RAW),
        (RAW.astype(np.int16) - 100, RAW.astype(np.uint16)),
        (RAW / 255 * 4 - 2, RAW.astype(np.uint16) * 257),
    ],
    ids=["uint16", "big-endian", "int64", "whole floats", "negative", "floats"],
)
def test_grey_values_lose_nothing_that_16_bits_can_hold(
    tmp_path: Path, raw: Any, expected: np.ndarray
) -> None:
    out = download(tmp_path / "out.h5", cremi(write(tmp_path / "in.h5", raw, LABELS)))
    with h5py.File(out) as file:
        assert file["volumes/raw"].dtype == expected.dtype
        assert np.array_equal(file["volumes/raw"], expected)
        grey = json.loads(file["volumes/raw"].attrs["grey"])
    assert np.allclose(expected * grey["step"] + grey["low"], raw)


def test_a_mask_and_ids_that_are_no_neurons(tmp_path: Path) -> None:
    ids = (LABELS % 7).astype(np.uint64)
    ids[ids == 6] = 2**64 - 1
    mask = np.ones(SHAPE, np.uint8)
    mask[3:5] = 0
    source = write(tmp_path / "in.h5", RAW, ids)
    with h5py.File(source, "a") as file:
        file["volumes/labels/mask"] = mask
    labels = {"path": str(source), "background": [1, 4], "unlabelled": [2**64 - 1, 0]}
    out = download(tmp_path / "out.h5", cremi(source, labels=labels, mask=str(source)))
    with h5py.File(out) as file:
        assert np.array_equal(file[volume.MASK], mask & (ids != 2**64 - 1) & (ids != 0))
        expected = np.where(np.isin(ids, [1, 4, 2**64 - 1]), 0, ids)
        assert np.array_equal(file[volume.LABELS], expected)


def test_names_with_spaces_quotes_and_letters(tmp_path: Path, server: Server) -> None:
    name = "vol \"1\"; 'Größe' ${x} 脳.h5"
    source = write(tmp_path / "a; b 'c'" / name, RAW, LABELS)
    assert np.array_equal(
        read(download(tmp_path / "ö ;\"'" / name, cremi(f"file://{quote(str(source))}")))[0],
        RAW,
    )
    url = server.put(f"é {name}", source.read_bytes())
    assert np.array_equal(read(download(tmp_path / "r r" / name, cremi(url)))[0], RAW)


def test_the_command_line_as_a_process(tmp_path: Path) -> None:
    source = write(tmp_path / "in.h5", RAW, LABELS)
    settings = json.dumps({"volume": cremi(source)})
    line = [sys.executable, "-m", "fgnet.download", "volume", "--volume", "a"]
    line += ["--settings", settings, "--output", str(tmp_path / "out.h5")]
    assert subprocess.run(line, cwd=PROJECT, check=False).returncode == 0
    assert np.array_equal(read(tmp_path / "out.h5")[0], RAW)


def test_a_sam2_checkpoint_comes_with_its_checksum(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sam2, "HOST", server.url + "s")
    content = b"weights" * 1000
    server.put("s/092824/sam2.1_hiera_tiny.pt", content)
    server.put("s/092824/sam2.1_hiera_large.pt", content)
    out = tmp_path / "t.pt"
    fetching = json.dumps({"lock": str(tmp_path / "checksums.lock")})
    run_sam2(name="sam2.1_hiera_tiny", fetching=fetching, output=out)
    assert out.read_bytes() == content
    digest = hashlib.sha256(content).hexdigest()
    assert (tmp_path / "t.pt.sha256").read_text() == f"{digest}  t.pt\n"
    with pytest.raises(InputError, match=rf"checksum sha256:{digest}, not sha256:2647878d"):
        run_sam2(name="sam2.1_hiera_large", output=tmp_path / "l.pt")
    with pytest.raises(InputError, match="no SAM2 checkpoint 'sam3'"):
        run_sam2(name="sam3", output=tmp_path / "l.pt")
        assert sorted(left(tmp_path)) == ["checksums.lock", "t.pt", "t.pt.sha256"]
    # what comes later from the same address must be what came first
    server.put("s/092824/sam2.1_hiera_tiny.pt", content[1:])
    with pytest.raises(InputError, match=rf"not sha256:{digest}"):
        run_sam2(name="sam2.1_hiera_tiny", fetching=fetching, output=tmp_path / "2.pt")


def test_fib25_from_the_local_file(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FGNET_DATA", str(data))
    volumes = load({"datasets": ["fib25"]}).volumes
    boxes = {name: one.box for name, one in volumes.items() if one.of is not None}
    assert {name: box.z for name, box in boxes.items() if box is not None} == {
        "fib25_train": (0, 120), "fib25_validation": (120, 144), "fib25_test": (144, 168)
    }  # fmt: skip
    entry = volumes["fib25"].model_dump(mode="json") | {"crop": {"z": [150, 168]}}
    raw, labels, attributes = read(download(tmp_path / "out.h5", entry))
    with h5py.File(data / "fib25_ts2_z000-168.h5") as file:
        assert np.array_equal(raw, file["volumes/raw"][150:])
        assert np.array_equal(labels, file["volumes/labels/neuron_ids"][150:])
    assert list(attributes["offset"]) == [1500.0, 0.0, 0.0]
