"""Broken input: each gives one sentence that says what to change, and leaves nothing behind."""

import gzip
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import mrcfile
import nrrd
import numpy as np
import pytest
import tifffile
import zarr
from conftest import ROOT
from PIL import Image

from fgnet import command
from fgnet.download.__main__ import arguments

SHAPE = (6, 40, 50)
SIZE = [40, 4, 4]
RAW = np.random.default_rng(0).integers(1, 256, SHAPE, np.uint8)
IDS = RAW.astype(np.uint32)
Make = Callable[[Path], dict[str, Any]]


def hdf5(folder: Path, raw: Any = RAW, labels: Any = None, name: str = "in.h5") -> str:
    with h5py.File(folder / name, "w") as file:
        file["volumes/raw"] = raw
        if labels is not None:
            file["volumes/labels/neuron_ids"] = labels
    return str(folder / name)


def both(folder: Path, raw: Any, labels: Any) -> dict[str, Any]:
    path = hdf5(folder, raw, labels)
    return {"source": path, "labels": path}


def cut(path: str | Path, keep: float = 0.6) -> str:
    content = Path(path).read_bytes()
    Path(path).write_bytes(content[: int(len(content) * keep)])
    return str(path)


def content(folder: Path, data: bytes) -> dict[str, Any]:
    (folder / "in.h5").write_bytes(data)
    return {"source": str(folder / "in.h5")}


def chunked(folder: Path, **options: Any) -> Path:
    with h5py.File(folder / "in.h5", "w") as file:
        file.create_dataset("em", data=RAW, chunks=(3, 40, 50), **options)
    return folder / "in.h5"


def damaged_chunk(folder: Path) -> dict[str, Any]:
    path = chunked(folder, compression="gzip")
    with h5py.File(path) as file:
        chunk = file["em"].id.get_chunk_info(1)
    data = bytearray(path.read_bytes())
    data[chunk.byte_offset + 20 : chunk.byte_offset + 900] = b"\xff" * 880
    path.write_bytes(data)
    return {"source": str(path)}


def unknown_filter(folder: Path) -> dict[str, Any]:
    """As bitshuffle's, which h5py lacks: LZF with another number."""
    path = chunked(folder, compression="lzf")
    path.write_bytes(path.read_bytes().replace(b"\x00\x7d", b"\x08\x7d"))
    return {"source": str(path)}


def linked(folder: Path, item: Any) -> dict[str, Any]:
    with h5py.File(folder / "in.h5", "w") as file:
        file["em"] = item
    return {"source": {"path": str(folder / "in.h5"), "dataset": "em"}}


def truncated_tiff(folder: Path, **options: Any) -> dict[str, Any]:
    tifffile.imwrite(folder / "in.tif", RAW, **options)
    return {"source": cut(folder / "in.tif")}


def tiff_of(folder: Path, odd: int, **options: Any) -> dict[str, Any]:
    """A TIFF one of whose sections is smaller."""
    with tifffile.TiffWriter(folder / "in.tif") as file:
        for number, section in enumerate([*RAW, *RAW]):
            page = section[:30] if number == odd else section
            file.write(page, contiguous=False, metadata=None, **options)
    return {"source": str(folder / "in.tif")}


def tiles_of_sections(folder: Path) -> dict[str, Any]:
    tifffile.imwrite(folder / "in.tif", RAW, volumetric=True, tile=(4, 16, 16))
    return {"source": str(folder / "in.tif")}


def truncated_nrrd(folder: Path, encoding: str) -> dict[str, Any]:
    nrrd.write(str(folder / "in.nrrd"), RAW.T, {"encoding": encoding})
    return {"source": cut(folder / "in.nrrd")}


def truncated_mrc(folder: Path) -> dict[str, Any]:
    with mrcfile.new(folder / "in.mrc") as file:
        file.set_data(RAW.view(np.int8))
    return {"source": cut(folder / "in.mrc")}


def truncated_gzip(folder: Path) -> dict[str, Any]:
    path = Path(hdf5(folder))
    (folder / "in.h5.gz").write_bytes(gzip.compress(path.read_bytes()))
    return {"source": cut(folder / "in.h5.gz")}


def sections(folder: Path, *images: Any) -> dict[str, Any]:
    (folder / "em").mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / "em" / f"{number}.png")
    return {"source": str(folder / "em")}


def truncated_section(folder: Path) -> dict[str, Any]:
    entry = sections(folder, *RAW)
    cut(folder / "em" / "3.png")
    return entry


def zarr3(folder: Path, break_it: Callable[[Path], Any]) -> dict[str, Any]:
    path = folder / "in.zarr"
    zarr.create_array(path, shape=SHAPE, dtype="u1", chunks=(3, 40, 50))[:] = RAW
    break_it(path)
    return {"source": str(path)}


def precomputed(folder: Path, text: str) -> dict[str, Any]:
    (folder / "em").mkdir()
    (folder / "em" / "info").write_text(text)
    return {"source": f"precomputed://file://{folder}/em"}


def damaged_layer(folder: Path, encoding: str) -> dict[str, Any]:
    """A layer of one chunk, which is of another encoding than the info file says."""
    scale = {"key": "s", "size": SHAPE[::-1], "chunk_sizes": [SHAPE[::-1]], "encoding": encoding,
             "resolution": SIZE[::-1], "voxel_offset": [0, 0, 0]}  # fmt: skip
    info = {"type": "image", "data_type": "uint8", "num_channels": 1, "scales": [scale]}
    entry = precomputed(folder, json.dumps(info))
    (folder / "em" / "s").mkdir()
    (folder / "em" / "s" / "0-50_0-40_0-6").write_bytes(b"no chunk")
    return entry


def zipped(folder: Path) -> dict[str, Any]:
    with zipfile.ZipFile(folder / "in.zip", "w") as archive:
        archive.writestr("a.h5", b"x")
    return {"source": {"path": str(folder / "in.zip"), "member": "b.h5"}}


def two_files(folder: Path) -> dict[str, Any]:
    zipped(folder)
    with zipfile.ZipFile(folder / "in.zip", "a") as archive:
        archive.writestr("c/d.tif", b"x")
    return {"source": str(folder / "in.zip")}


def foreign_zip(folder: Path, method: int) -> dict[str, Any]:
    """An archive whose member is packed by a method that Python does not know."""
    zipped(folder)
    data = bytearray((folder / "in.zip").read_bytes())
    data[data.index(b"PK\1\2") + 10] = data[8] = method
    (folder / "in.zip").write_bytes(data)
    return {"source": {"path": str(folder / "in.zip"), "member": "a.h5"}}


def recorded(folder: Path) -> dict[str, Any]:
    path = hdf5(folder)
    with h5py.File(path, "a") as file:
        file["volumes/raw"].attrs["resolution"] = [40, 4, 4.1]
    return {"source": path}


def no_length(folder: Path) -> dict[str, Any]:
    path = hdf5(folder)
    with h5py.File(path, "a") as file:
        file["volumes/raw"].attrs["resolution"] = [0, 4, 4]
    return {"source": path, "voxel_size": None, "crop": {"unit": "nm", "z": [0, 80]}}


def empty_folder(folder: Path) -> dict[str, Any]:
    (folder / "em").mkdir()
    return {"source": str(folder / "em")}


def two_arrays(folder: Path) -> dict[str, Any]:
    with h5py.File(folder / "in.h5", "w") as file:
        file["a"] = file["b"] = RAW
    return {"source": str(folder / "in.h5")}


BROKEN: dict[str, tuple[Make, str]] = {
    "wrong magic": (lambda f: content(f, b"no volume at all"), "begins with b'no volume at all'"),
    "web page": (lambda f: content(f, b"<!DOCTYPE html><html>Log in"), "is a web page"),
    "empty file": (lambda f: content(f, b""), "in.h5' is empty"),
    "missing path": (lambda f: {"source": str(f / "none.h5")}, "there is no file .*none.h5"),
    "empty folder": (empty_folder, "holds no images"),
    "no such pattern": (lambda f: {"source": f"{f}/em/*.png"}, "names no images"),
    "truncated HDF5": (lambda f: {"source": cut(hdf5(f))}, "truncated"),
    "damaged HDF5 chunk": (damaged_chunk, "em: a part of it cannot be read"),
    "unknown HDF5 filter": (unknown_filter, r"by the filter lzf \(32008\), .*h5repack"),
    "link to nowhere": (
        lambda f: linked(f, h5py.ExternalLink("none.h5", "em")), "em: no such dataset"
    ),
    "empty HDF5 dataset": (lambda f: linked(f, h5py.Empty("u1")), "has 0 axes"),
    "truncated TIFF": (truncated_tiff, "in.tif' .*get it anew"),
    "truncated compressed TIFF": (
        lambda f: truncated_tiff(f, compression="zlib"), "in.tif' is damaged or truncated"
    ),
    "TIFF of two sizes": (
        lambda f: tiff_of(f, 11), r"shapes that differ, such as \(11, 40, 50\) and"
    ),
    "TIFF of two sizes inside": (lambda f: tiff_of(f, 4), r"section 4 has the shape \(30, 50\)"),
    "tiled TIFF of two sizes inside": (
        lambda f: tiff_of(f, 4, tile=(16, 16)), "sections that differ"
    ),
    "TIFF in tiles of sections": (tiles_of_sections, "a page for each section"),
    "truncated section": (truncated_section, "3.png' cannot be read .*truncated"),
    "truncated NRRD": (lambda f: truncated_nrrd(f, "raw"), "cannot be read as NRRD"),
    "truncated compressed NRRD": (lambda f: truncated_nrrd(f, "gzip"), "cannot be read as NRRD"),
    "truncated MRC": (truncated_mrc, "cannot be read as MRC"),
    "truncated gzip": (truncated_gzip, "cannot be unpacked .*truncated"),
    "corrupt Zarr chunk": (
        lambda f: zarr3(f, lambda p: (p / "c/1/0/0").write_bytes(b"rubbish")),
        "a chunk cannot be read",
    ),
    "Zarr metadata": (
        lambda f: zarr3(f, lambda p: (p / "zarr.json").write_text("{")), "cannot be read as Zarr"
    ),
    "Zarr attributes": (
        lambda f: zarr3(f, lambda p: zarr.open_array(p).attrs.update(resolution=["4", 4, 4])),
        "the attribute 'resolution' is .* needs three numbers",
    ),
    "Zarr chunks without metadata": (
        lambda f: zarr3(f, lambda p: (p / "zarr.json").unlink()), "is no Zarr or N5 container"
    ),
    "precomputed info": (lambda f: precomputed(f, "{}"), "info file that is none"),
    "precomputed info without scales": (
        lambda f: precomputed(f, '{"scales": []}'), "info file that is none"
    ),
    "precomputed chunk": (lambda f: damaged_layer(f, "raw"), "a chunk cannot be read"),
    "precomputed encoding": (lambda f: damaged_layer(f, "new"), "cannot be unpacked here"),
    "precomputed info no JSON": (lambda f: precomputed(f, "x"), "info file that is none"),
    "archive of another kind": (
        lambda f: foreign_zip(f, 9), "cannot be unpacked .*; unpack it yourself"
    ),
    "not in the archive": (zipped, "no member 'b.h5'; it holds a.h5"),
    "which of an archive": (two_files, "holds a.h5, c/d.tif; say with `member` which one"),
    "which array": (two_arrays, "holds a, b; say with `dataset` which is the image"),
    "two axes": (lambda f: {"source": hdf5(f, RAW[0])}, "has 2 axes"),
    "four axes": (lambda f: {"source": hdf5(f, np.stack([RAW, RAW]))}, "has 4 axes"),
    "colour HDF5": (lambda f: {"source": hdf5(f, np.stack([RAW] * 3, -1))}, "looks like colour"),
    "colour sections": (
        lambda f: sections(f, *np.stack([RAW] * 3, -1)), "must be greyscale"
    ),
    "sections of two sizes": (
        lambda f: sections(f, RAW[0], RAW[1], RAW[2, :30]), "all sections must agree"
    ),
    "one section": (lambda f: {"source": hdf5(f, RAW[:1])}, "1 section is left"),
    "one section after resampling": (
        lambda f: {"source": hdf5(f), "resample": [200, 4, 4]}, "1 section is left"
    ),
    "one image": (lambda f: {"source": sections(f, RAW[0])["source"] + "/0.png"}, "is one image"),
    "wrong axes": (
        lambda f: {"source": {"path": hdf5(f), "axes": "czyx"}}, r"3 axes .* not 4 \(c,z,y,x\)"
    ),
    "NaN": (lambda f: {"source": hdf5(f, np.where(RAW > 9, RAW / 2, np.nan))}, "NaN or infinity"),
    "all zero": (lambda f: {"source": hdf5(f, RAW * 0)}, "holds the one value 0"),
    "text": (lambda f: {"source": hdf5(f, RAW.astype("S3"))}, "grey values are numbers"),
    "float labels": (lambda f: both(f, RAW, IDS / 2), "labels are whole numbers"),
    "negative labels": (lambda f: both(f, RAW, IDS.astype(int) - 9), "negative label"),
    "mismatched shapes": (lambda f: both(f, RAW, IDS[:, 1:]), "they must agree, or give"),
    "voxel sizes": (recorded, "voxel sizes differ: 40 x 4 x 4 nm by voxel_size in the config"),
    "voxel size of nothing": (no_length, "records the voxel size 0 x 4 x 4 nm"),
    "crop": (lambda f: {"source": hdf5(f), "crop": {"y": [0, 41]}}, "y runs from 0 to 40"),
    "checksum": (
        lambda f: {"source": {"path": hdf5(f), "checksum": "0" * 64}}, "has the checksum sha256:"
    ),
}  # fmt: skip


def files(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*") if path.is_file())


def settings(folder: Path, entry: dict[str, Any]) -> list[str]:
    return ["--settings", json.dumps({"volume": {"voxel_size": SIZE, **entry}}),
            "--fetching", json.dumps({"lock": str(folder / "checksums.lock")})]  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_one_sentence_and_nothing_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    make, message = BROKEN[case]
    entry = make(tmp_path)
    before = files(tmp_path)
    out = tmp_path / "results" / "out.h5"
    argv = ["volume", "--volume", "mine", *settings(tmp_path, entry)]
    argv += ["--output", str(out)]
    assert command.main(arguments(), command.run_step, argv) == 2
    text = capsys.readouterr().err
    told = [line for line in text.splitlines() if line.startswith("error: ")]
    assert len(told) == 1 and "Traceback" not in text
    with pytest.raises(AssertionError, match=f"volume 'mine': .*{message}"):
        raise AssertionError(told[0])
    assert files(tmp_path) == before


def as_process(folder: Path, entry: dict[str, Any], out: Path, *before: str) -> tuple[int, str]:
    """A real process; as an unprivileged user where this one is root.

    All that a download imports is imported before, as such a user may not read the packages.
    """
    code = (
        "import importlib, os, pkgutil, sys; from fgnet import command, download; "
        "[importlib.import_module(one.name) for one in "
        "pkgutil.walk_packages(download.__path__, 'fgnet.download.')]; "
        "from fgnet.download.__main__ import *; "
        "os.getuid() == 0 and '--nobody' in sys.argv and (os.setgid(65534), os.setuid(65534)); "
        "sys.exit(command.main(arguments(), command.run_step, "
        "[one for one in sys.argv[1:] if one != '--nobody']))"
    )
    line = [*before, sys.executable, "-c", code, "volume", "--volume", "mine",
            *settings(folder, entry), "--output", str(out)]  # fmt: skip
    line += [] if before else ["--nobody"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize("what", ["input", "output"])
def test_permission_denied(tmp_path: Path, what: str) -> None:
    for folder in [tmp_path, *tmp_path.parents[:3]]:
        if folder.owner() == Path(tmp_path).owner():
            folder.chmod(0o755)
    source = hdf5(tmp_path)
    Path(source).chmod(0o000 if what == "input" else 0o644)
    (tmp_path / "results").mkdir()
    (tmp_path / "results").chmod(0o777 if what == "input" else 0o555)
    before = files(tmp_path)
    status, text = as_process(tmp_path, {"source": source}, tmp_path / "results/out.h5")
    assert status == 2, text
    named = "in.h5" if what == "input" else "results"
    (line,) = [line for line in text.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: Permission denied: ") and named in line
    assert line.endswith("; give yourself the rights, or name another path")
    assert files(tmp_path) == before


def test_a_full_disk(tmp_path: Path) -> None:
    unshare = ["unshare", "--mount"] + ([] if os.getuid() == 0 else ["--map-root-user"])
    small = tmp_path / "small"
    small.mkdir()
    mount = f"mount -t tmpfs -o size=64k tmpfs '{small}'"
    if (
        not shutil.which("unshare")
        or subprocess.run(
            [*unshare, "sh", "-c", mount], check=False, capture_output=True
        ).returncode
    ):
        pytest.skip("this machine lets nobody mount a small disk")
    raw = np.random.default_rng(0).integers(0, 256, (32, 128, 128), np.uint8)
    entry = {"source": hdf5(tmp_path, raw)}
    after = f"\"$@\"; status=$?; ls -A '{small}' > '{tmp_path}/left'; exit $status"
    script = [*unshare, "sh", "-c", f"{mount} && {after}", "sh"]
    status, text = as_process(tmp_path, entry, small / "out.h5", *script)
    assert status == 2, text
    (line,) = [line for line in text.splitlines() if line.startswith("error: ")]
    assert "No space left on device" in line and "free some space" in line
    assert (tmp_path / "left").read_text() == ""
