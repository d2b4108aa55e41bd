"""Downloads from servers that misbehave, mirrors, the lock file, and layers of chunks over http."""

import gzip
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr
from conftest import ROOT
from PIL import Image
from server import Server

from fgnet import volume
from fgnet.download.__main__ import run_volume
from fgnet.download.http import fetch
from fgnet.errors import InputError
from fgnet.settings.download import Download

CONTENT = bytes(np.random.default_rng(0).integers(0, 256, 200_000, np.uint8))
CHECKSUM = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
QUICK = {"backoff": 0.001, "timeout": 0.3}


def got(folder: Path, url: str, checksum: str | None = None, retries: int = 3) -> bytes:
    settings = Download.checked({"retries": retries, **QUICK})
    return fetch(url, folder / "file", settings, checksum).read_bytes()


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_stalled_server_is_left_and_asked_for_the_rest(tmp_path: Path, server: Server) -> None:
    url = server.put("f", CONTENT)
    server.stalls["f"] = 2
    assert got(tmp_path, url) == CONTENT
    assert [wanted for _, wanted in server.requests] == [None, "bytes=100000-", "bytes=150000-"]
    assert left(tmp_path) == ["file"]


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408])
def test_a_server_in_trouble_is_asked_again(tmp_path: Path, server: Server, status: int) -> None:
    url = server.put("f", CONTENT)
    server.statuses["f"] = [status] * 3
    assert got(tmp_path, url) == CONTENT
    server.statuses["f"] = [status] * 9
    with pytest.raises(InputError, match=rf"{url} could not be fetched in 4 tries .*{status}"):
        got(tmp_path, url)


def test_ranges_that_are_ignored_or_refused(tmp_path: Path, server: Server) -> None:
    url = server.put("f", CONTENT)
    server.limits["f"] = [70_000]
    server.ranges = False
    assert got(tmp_path, url) == CONTENT
    server.ranges = True
    server.limits["f"] = [70_000]
    server.statuses["f"] = [200, 416]
    assert got(tmp_path, url) == CONTENT
    assert left(tmp_path) == ["file"]


def test_a_length_that_is_not_true(tmp_path: Path, server: Server) -> None:
    url = server.put("f", CONTENT)
    server.lies["f"] = 1000
    with pytest.raises(InputError, match="could not be fetched in 4 tries"):
        got(tmp_path, url)
    assert not (tmp_path / "file").exists()
    server.lies["f"] = -1000
    with pytest.raises(InputError, match="has the checksum"):
        got(tmp_path, url, CHECKSUM)
    server.lies.clear()
    assert got(tmp_path, url, CHECKSUM) == CONTENT


@pytest.mark.parametrize("tags", [True, False])
@pytest.mark.parametrize("checksum", [True, False])
def test_content_that_changes_between_two_tries(
    tmp_path: Path, server: Server, tags: bool, checksum: bool
) -> None:
    """Halves of two files are never joined, whatever the server tells of its files."""
    old = bytes(reversed(CONTENT))
    url = server.put("f", old)
    server.tags = tags
    server.limits["f"] = [50_000]
    with pytest.raises(InputError):
        got(tmp_path, url, retries=0)
    server.put("f", CONTENT)
    assert got(tmp_path, url, CHECKSUM if checksum else None) == CONTENT


def hdf5(path: Path, raw: np.ndarray) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["volumes/raw"] = raw
        file["volumes/raw"].attrs["resolution"] = (40.0, 4.0, 4.0)
    return path.read_bytes()


def download(folder: Path, entry: dict[str, Any], name: str = "out", **settings: Any) -> np.ndarray:
    values = {"lock": str(folder / "checksums.lock"), "retries": 1, **QUICK, **settings}
    out = folder / f"{name}.h5"
    run_volume("v", json.dumps({"volume": entry}), out, fetching=json.dumps(values))
    with h5py.File(out) as file:
        return np.asarray(file[volume.RAW])


RAW = np.random.default_rng(1).integers(0, 256, (9, 40, 50), np.uint8)


def test_a_mirror_serves_where_the_first_address_fails(tmp_path: Path, server: Server) -> None:
    content = hdf5(tmp_path / "in.h5", RAW)
    good = server.put("mirror/in.h5", content)
    wrong = server.put("wrong/in.h5", content[:-1] + b"x")
    checksum = "md5:" + hashlib.md5(content).hexdigest()
    entry = {"source": {"path": server.url + "gone/in.h5", "checksum": checksum,
                        "mirrors": [wrong, good]}}  # fmt: skip
    assert np.array_equal(download(tmp_path / "r", entry), RAW)
    server.files.clear()
    assert np.array_equal(download(tmp_path / "r", entry, "again"), RAW)
    entry["source"]["mirrors"] = [wrong]
    with pytest.raises(InputError, match=rf"volume 'v': {wrong} answers 404"):
        download(tmp_path / "s", entry)


def test_what_came_first_must_come_ever_after(tmp_path: Path, server: Server) -> None:
    content = hdf5(tmp_path / "in.h5", RAW)
    url = server.put("in.h5", content)
    download(tmp_path / "a", {"source": url})
    lock = tmp_path / "a" / "checksums.lock"
    digest = hashlib.sha256(content).hexdigest()
    assert lock.read_text() == f"sha256:{digest}  {url}\n"
    # on another machine with the same lock file, after the file has changed at the server
    other = tmp_path / "b"
    other.mkdir()
    (other / "checksums.lock").write_text(lock.read_text())
    server.put("in.h5", hdf5(tmp_path / "new.h5", RAW + 1))
    with pytest.raises(InputError, match=rf"in.h5 has the checksum .* not sha256:{digest}.*lock"):
        download(other, {"source": url})
    assert left(other) == ["checksums.lock"]
    (other / "checksums.lock").unlink()
    assert np.array_equal(download(other, {"source": url}), RAW + 1)
    (other / "checksums.lock").write_text("nonsense\n")
    with pytest.raises(InputError, match="the line 'nonsense' is no checksum and address"):
        download(other, {"source": url}, "out2")


def precomputed(server: Server, folder: Path, values: np.ndarray, name: str) -> str:
    """A real precomputed layer, written by cloud-volume and served over http."""
    from cloudvolume import CloudVolume

    info = CloudVolume.create_new_info(
        1, "image" if values.dtype == np.uint8 else "segmentation", values.dtype.name, "raw",
        resolution=(4, 4, 40), voxel_offset=(30, 20, 10), chunk_size=(16, 16, 4),
        volume_size=values.shape[::-1],
    )  # fmt: skip
    made = CloudVolume(f"file://{folder}/{name}", info=info, compress=False, progress=False)
    made.commit_info()
    made[:, :, :] = values.T[..., None]
    return serve(server, folder, name)


def zarr3(
    server: Server, folder: Path, values: np.ndarray, name: str, offset: Any = (400, 80, 120)
) -> str:
    path = folder / f"{name}.zarr"
    data = zarr.create_array(path, shape=values.shape, dtype=values.dtype, chunks=(4, 16, 16))
    data[:] = values
    data.attrs.update(resolution=[40, 4, 4], offset=list(offset))
    return serve(server, folder, f"{name}.zarr")


def serve(server: Server, folder: Path, name: str) -> str:
    for path in (folder / name).rglob("*"):
        if path.is_file():
            server.put(path.relative_to(folder).as_posix(), path.read_bytes())
    return server.url + name


NM = {"unit": "nm", "z": [440, 720], "y": [100, 220], "x": [140, 300]}
CUT = (slice(1, 8), slice(5, 35), slice(5, 45))


@pytest.mark.parametrize("make", [precomputed, zarr3])
def test_a_box_of_a_layer_over_http(
    tmp_path: Path, server: Server, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In pieces of whole chunks: what came before a break does not come again."""
    monkeypatch.setattr("fgnet.download.pieces.VOXELS", 4 * 16 * 16)
    ids = RAW.astype(np.uint64) + 2**40
    image = make(server, tmp_path, RAW, "image")
    labels = make(server, tmp_path, ids, "ids")
    entry = {"source": image, "labels": labels, "crop": NM}
    broken = next(n for n in sorted(server.files) if n.startswith("ids") and len(server.files[n])
                  > 600 and not n.endswith(".json"))  # fmt: skip
    kept = server.files.pop(broken)
    server.statuses[broken] = [403] * 50
    server.requests.clear()
    with pytest.raises(InputError, match="volume 'v'"):
        download(tmp_path / "r", entry, retries=0)
    assert not (tmp_path / "r" / "out.h5").exists()
    asked = {name for name, _ in server.requests if name.startswith("image")}
    server.files[broken] = kept
    server.statuses.clear()
    server.requests.clear()
    assert np.array_equal(download(tmp_path / "r", entry), RAW[CUT])
    with h5py.File(tmp_path / "r" / "out.h5") as file:
        assert np.array_equal(file[volume.LABELS], ids[CUT])
        assert volume.offset(file[volume.RAW]) == (440, 100, 140)
    chunks = {n for n in asked if not n.endswith((".json", "info", ".zarray", "provenance"))}
    again = {name for name, _ in server.requests}
    assert chunks and not chunks & again
    # the same box later must hold the same voxels
    lines = (tmp_path / "r" / "checksums.lock").read_text().splitlines()
    assert len(lines) == 2
    other = tmp_path / "other"
    other.mkdir()
    text = "\n".join(f"sha256:{'0' * 64}  {line.split('  ')[1]}" for line in lines)
    (other / "checksums.lock").write_text(text + "\n")
    with pytest.raises(InputError, match=r"and sha256:000.* when it was first fetched"):
        download(other, entry)
    assert not (other / "out.h5").exists()


def test_a_layer_whose_server_stalls_is_asked_again(tmp_path: Path, server: Server) -> None:
    for make in (precomputed, zarr3):
        url = make(server, tmp_path, RAW, make.__name__)
        chunk = next(n for n in sorted(server.files) if make.__name__ in n
                     and len(server.files[n]) > 600 and not n.endswith(".json"))  # fmt: skip
        server.stalls[chunk] = 1
        entry = {"source": url, "voxel_size": [40, 4, 4]}
        got = download(tmp_path / make.__name__, entry, timeout=1)
        assert np.array_equal(got, RAW)
        assert server.stalls[chunk] == 0


def test_a_killed_download_of_pieces_goes_on(tmp_path: Path, server: Server) -> None:
    raw = np.random.default_rng(3).integers(0, 256, (300, 300, 300), np.uint8)
    path = tmp_path / "big.zarr"
    zarr.create_array(path, shape=raw.shape, dtype=raw.dtype, chunks=(150, 150, 150))[:] = raw
    url = serve(server, tmp_path, "big.zarr")
    server.stalls["big.zarr/c/1/1/1"] = 9
    entry = {"source": url, "voxel_size": [8, 8, 8]}
    out = tmp_path / "r" / "out.h5"
    fetching = json.dumps({"lock": str(tmp_path / "lock")})
    line = [sys.executable, "-m", "fgnet.download", "volume", "--volume", "v", "--settings",
            json.dumps({"volume": entry}), "--fetching", fetching,
            "--output", str(out)]  # fmt: skip
    process = subprocess.Popen(line, cwd=ROOT, stderr=subprocess.DEVNULL)
    pieces = out.parent / "sources"
    end = time.monotonic() + 60
    while len(list(pieces.rglob("[0-9]*-*_*.h5"))) < 1 and time.monotonic() < end:
        assert process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    came = {name for name, _ in server.requests}
    done = list(pieces.rglob("[0-9]*-*_*.h5"))
    assert done and not out.exists()
    server.stalls.clear()
    server.requests.clear()
    assert subprocess.run(line, cwd=ROOT, check=False).returncode == 0
    with h5py.File(out) as file:
        assert np.array_equal(file[volume.RAW], raw)
    again = {name for name, _ in server.requests if "/c/" in name}
    assert len(again) < len({name for name in came if "/c/" in name} | again)


def lines(folder: Path) -> int:
    return len((folder / "checksums.lock").read_text().splitlines())


def test_boxes_far_from_the_origin_are_told_apart(tmp_path: Path, server: Server) -> None:
    """A voxel beside it, more than a millimetre from the origin, is another box."""
    url = zarr3(server, tmp_path, RAW, "far", offset=[800_000, 1_000_012, 1_200_000])
    for first in (0, 1):
        got = download(tmp_path, {"source": url, "crop": {"x": [first, first + 40]}})
        assert np.array_equal(got, RAW[:, :, first : first + 40])
    assert lines(tmp_path) == 2


def test_another_meaning_of_ids_is_no_change_at_the_server(tmp_path: Path, server: Server) -> None:
    image = zarr3(server, tmp_path, RAW, "image")
    labels = {"path": zarr3(server, tmp_path, (RAW % 7).astype(np.uint32), "ids")}
    for meaning in ({}, {"background": [1]}, {"unlabelled": [2]}, {}):
        download(tmp_path, {"source": image, "labels": {**labels, **meaning}})
    assert lines(tmp_path) == 4


def test_axes_corrected_after_a_run_are_those_that_are_read(tmp_path: Path, server: Server) -> None:
    cube = RAW[:9, :9, :9]
    url = zarr3(server, tmp_path, cube, "cube")
    assert np.array_equal(download(tmp_path, {"source": url}), cube)
    entry = {"source": {"path": url, "axes": "xyz"}}
    assert np.array_equal(download(tmp_path, entry), cube.transpose(2, 1, 0))


def test_a_copy_that_is_not_the_locked_one_is_fetched_anew(tmp_path: Path, server: Server) -> None:
    """As when a colleague's newer lock file comes with a pull."""
    url = server.put("in.h5", hdf5(tmp_path / "old.h5", RAW))
    download(tmp_path, {"source": url})
    new = hdf5(tmp_path / "new.h5", 255 - RAW)
    server.put("in.h5", new)
    lock = tmp_path / "checksums.lock"
    lock.write_text(f"sha256:{hashlib.sha256(new).hexdigest()}  {url}\n")
    assert np.array_equal(download(tmp_path, {"source": url}), 255 - RAW)


def test_a_mistake_in_the_config_costs_no_second_download(tmp_path: Path, server: Server) -> None:
    with h5py.File(tmp_path / "two.h5", "w") as file:
        file["a"] = file["b"] = RAW
    url = server.put("two.h5", (tmp_path / "two.h5").read_bytes())
    entry = {"source": {"path": url}, "voxel_size": [40, 4, 4]}
    with pytest.raises(InputError, match=r"two.h5 holds a, b; say with `dataset`"):
        download(tmp_path / "r", entry)
    entry["source"]["dataset"] = "b"
    assert np.array_equal(download(tmp_path / "r", entry), RAW)
    assert len(server.requests) == 1


@pytest.mark.parametrize("what", ["page", "packed page", "page for packed", "section", "half"])
def test_what_a_server_gave_by_mistake_is_not_kept(
    tmp_path: Path, server: Server, what: str
) -> None:
    right = gzip.compress(hdf5(tmp_path / "in.h5", RAW))
    page = b"<html>log in</html>"
    sections = []
    for number, section in enumerate(RAW):
        Image.fromarray(section).save(tmp_path / "s.png")
        sections.append((tmp_path / "s.png").read_bytes())
        server.put(f"em.{number}.png", sections[-1])
    place, name, wrong, right = {
        "page": ("in.h5", "in.h5", page, gzip.decompress(right)),
        "packed page": ("in.h5.gz", "in.h5.gz", gzip.compress(page), right),
        "page for packed": ("in.h5.gz", "in.h5.gz", page, right),
        "section": ("em.{0..8}.png", "em.3.png", page, sections[3]),
        "half": ("em.{0..8}.png", "em.3.png", sections[3][:900], sections[3]),
    }[what]
    server.put(name, wrong)
    entry = {"source": server.url + place, "voxel_size": [40, 4, 4]}
    with pytest.raises(InputError, match=f"{server.url}{name} gave a wrong file: "):
        download(tmp_path / "r", entry)
    assert not [one for one in left(tmp_path / "r") if "em" not in one or "em.3" in one]
    server.put(name, right)
    assert np.array_equal(download(tmp_path / "r", entry), RAW)


def test_pieces_of_a_layer_that_has_grown_are_not_mixed(tmp_path: Path, server: Server) -> None:
    url = zarr3(server, tmp_path, RAW, "old")
    assert np.array_equal(download(tmp_path, {"source": url}), RAW)
    grown = np.concatenate([255 - RAW, RAW], axis=2)
    zarr3(server, tmp_path, grown, "new")
    for name in [name for name in server.files if name.startswith("new.zarr")]:
        server.files[name.replace("new", "old", 1)] = server.files[name]
    assert np.array_equal(download(tmp_path, {"source": url}), grown)
