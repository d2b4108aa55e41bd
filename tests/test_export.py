"""Export: every format read back by another library, scales, surfaces, the server, a browser."""

import asyncio
import base64
import http.client
import io
import json
import os
import shutil
import subprocess
import threading
import time
import urllib.request
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import h5py
import ngff_zarr
import numpy as np
import pytest
import tensorstore as ts
import tifffile
import zarr
from cloudvolume import CloudVolume, Skeleton
from PIL import Image
from tornado.websocket import websocket_connect

from fgnet import segmentation, viewer, volume
from fgnet.affinities import NEAREST
from fgnet.download.__main__ import run_volume
from fgnet.errors import InputError
from fgnet.export import mesh, serve, skeletons
from fgnet.export.__main__ import run_layer, run_state
from fgnet.phantom import phantom
from fgnet.scores import Choice
from fgnet.scores import write as write_choice
from fgnet.settings.config import load
from fgnet.settings.export import SUFFIX
from fgnet.settings.phantom import Phantom
from fgnet.whole import whole_folder_or_nothing

SHAPE, SIZE, FIRST = (21, 70, 66), (40.0, 4.0, 4.0), (7, 5, 9)
OFFSET = tuple(a * nm for a, nm in zip(FIRST, SIZE, strict=True))
RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, SHAPE).astype(np.uint8)
FEW = RANDOM.integers(0, 4, SHAPE)
CASES: dict[str, Any] = {
    "image": GREY,
    "labels": FEW.astype(np.uint32),
    "large labels": FEW.astype(np.uint64) * (2**40 + 3),
    "empty labels": np.zeros(SHAPE, np.uint64),
    "affinities": RANDOM.integers(0, 256, (3, *SHAPE)).astype(np.uint8),
}
PATHS = {"image": volume.RAW, "labels": volume.LABELS, "affinities": volume.AFFINITIES}
Read = tuple[np.ndarray, tuple[float, ...], tuple[float, ...]]


def stored(path: Path, layer: str, values: np.ndarray, offset: Any = OFFSET) -> Path:
    """An HDF5 file as the stages before leave it."""
    with volume.create(path, "normalize", {"low": 1}, []) as file:
        data = volume.add(file, PATHS[layer], values.shape, values.dtype, SIZE, offset)
        data[:] = values
        if layer == "affinities":
            data.attrs["offsets"] = np.array(NEAREST)
    return path


def exported(folder: Path, case: str, format: str, **settings: Any) -> Path:
    layer = case.split()[-1]
    source = stored(folder / "in.h5", layer, CASES[case])
    output = folder / f"a b; ä/{layer}.{SUFFIX[format]}"
    run_layer(layer, source, "{}", None, json.dumps(settings), output)
    return output


def precomputed(path: Path, scale: int = 0) -> Any:
    """A scale (channels, z, y, x) at absolute coordinates."""
    spec = {"driver": "neuroglancer_precomputed", "scale_index": scale,
            "kvstore": f"file://{path}/"}  # fmt: skip
    return ts.open(spec).result().T


def read_precomputed(path: Path) -> Read:
    store = precomputed(path)
    size = [unit.multiplier for unit in store.dimension_units[1:]]
    assert {unit.base_unit for unit in store.dimension_units[1:]} == {"nm"}
    return (store.read().result(), tuple(size),
            tuple(np.multiply(store.domain.origin[1:], size)))  # fmt: skip


def read_ome_zarr(path: Path) -> Read:
    scales = ngff_zarr.from_ngff_zarr(path, validate=True, version="0.5")
    image = scales.images[0]
    assert [image.axes_units[axis] for axis in "zyx"] == ["nanometer"] * 3
    values = np.asarray(image.data)
    assert np.array_equal(values, zarr.open(path, mode="r")["0"][:])
    size = tuple(image.scale[axis] for axis in "zyx")
    start = tuple(image.translation[axis] for axis in "zyx")
    return values, size, start


def read_hdf5(path: Path) -> Read:
    with h5py.File(path) as file:
        assert file.attrs["file_format"] == "0.2"
        (data,) = (file[name] for name in volume.names(file))
        return data[()], tuple(data.attrs["resolution"]), tuple(data.attrs["offset"])


def read_tiff(path: Path) -> Read:
    with tifffile.TiffFile(path) as file:
        xml, values = file.ome_metadata, file.series[0].asarray()
    assert xml is not None
    pixels = ElementTree.fromstring(xml).find(".//{*}Pixels")
    assert pixels is not None
    planes = pixels.findall("{*}Plane")
    assert {pixels.get(f"PhysicalSize{axis}Unit") for axis in "XYZ"} == {"nm"}
    assert len(planes) == np.prod(values.shape[:-2])
    place = {(plane.get("TheC"), plane.get("TheZ")): plane for plane in planes}
    last = place["0", str(SHAPE[0] - 1)]
    assert float(last.get("PositionZ")) == OFFSET[0] + (SHAPE[0] - 1) * SIZE[0]  # type: ignore[arg-type]
    size = tuple(float(pixels.get(f"PhysicalSize{axis}", 0)) for axis in "ZYX")
    return values, size, tuple(float(planes[0].get(f"Position{axis}", -1)) for axis in "ZYX")


READ = {"precomputed": read_precomputed, "ome_zarr": read_ome_zarr,
        "hdf5": read_hdf5, "tiff": read_tiff}  # fmt: skip


@pytest.mark.parametrize("format", READ)
@pytest.mark.parametrize("case", CASES)
def test_another_library_reads_what_was_written(tmp_path: Path, case: str, format: str) -> None:
    if (case, format) == ("large labels", "tiff"):
        with pytest.raises(InputError, match=r"id \d+ of labels is above .* take precomputed"):
            exported(tmp_path, case, format)
        assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["in.h5"]
        return
    values, size, offset = READ[format](exported(tmp_path, case, format))
    expected = CASES[case]
    assert values.squeeze().shape == expected.shape
    assert np.array_equal(values.squeeze(), expected)
    assert size == SIZE and offset == OFFSET
    if "labels" in case:
        assert values.dtype == {"hdf5": np.uint64, "tiff": np.uint32}.get(format, expected.dtype)
    assert not list(tmp_path.rglob("*.partial")) and not list(tmp_path.rglob("*.gz"))


@pytest.mark.parametrize("format", READ)
def test_what_was_exported_is_downloaded_as_it_was(tmp_path: Path, format: str) -> None:
    settings: dict[str, Any] = {"volume": {}}
    for role, case in (("source", "image"), ("labels", "labels")):
        settings["volume"][role] = str(exported(tmp_path / case, case, format))
    fetching = json.dumps({"lock": str(tmp_path / "lock")})
    run_volume("v", json.dumps(settings), tmp_path / "back.h5", fetching=fetching)
    with h5py.File(tmp_path / "back.h5") as file:
        for path, case in ((volume.RAW, "image"), (volume.LABELS, "labels")):
            assert np.array_equal(file[path][()], CASES[case])
            assert volume.voxel_size(file[path]) == SIZE
            assert volume.offset(file[path]) == OFFSET


def coarser(values: np.ndarray, first: Any, factor: Any, ids: bool) -> tuple[np.ndarray, list[int]]:
    """By brute force: each coarse voxel from the fine voxels inside it on the absolute grid."""
    start = [a // f for a, f in zip(first, factor, strict=True)]
    stop = [-(-(a + n) // f) for a, n, f in zip(first, values.shape, factor, strict=True)]
    made = np.empty(np.subtract(stop, start), values.dtype)
    for place in np.ndindex(*made.shape):
        inside = tuple(
            slice(max(0, (i + s) * f - a), (i + s + 1) * f - a)
            for i, s, f, a in zip(place, start, factor, first, strict=True)
        )
        names, counts = np.unique(values[inside], return_counts=True)
        mean = np.rint(values[inside].mean())
        made[place] = names[np.argmax(counts)] if ids else mean
    return made, start


@pytest.mark.parametrize("case", ["image", "large labels"])
def test_scales_lie_on_the_absolute_grid(tmp_path: Path, case: str) -> None:
    flat = exported(tmp_path / "one", case, "precomputed", mips=6)
    array = exported(tmp_path / "two", case, "ome_zarr", mips=6)
    datasets = json.loads((array / "zarr.json").read_text())["attributes"]["ome"]["multiscales"]
    values, first, size = CASES[case], list(FIRST), np.array(SIZE)
    # 40 x 4 x 4 nm: y and x are halved three times, then all axes
    for scale, factor in enumerate([(1, 2, 2)] * 3 + [(2, 2, 2)] * 2, 1):
        values, first = coarser(values, first, factor, case != "image")
        size = size * factor
        store = precomputed(flat, scale)
        assert list(store.domain.origin[1:]) == first
        assert [unit.multiplier for unit in store.dimension_units[1:]] == size.tolist()
        assert np.array_equal(store.read().result()[0], values)
        assert np.array_equal(zarr.open(array, mode="r")[str(scale)][:], values)
        place = datasets[0]["datasets"][scale]["coordinateTransformations"]
        assert place[0]["scale"] == size.tolist()
        # from centre to centre
        centre = (np.array(first) + 0.5) * size - np.array(SIZE) / 2
        assert np.allclose(place[1]["translation"], centre)


def test_a_box_and_the_chosen_threshold(tmp_path: Path) -> None:
    """A segmentation is its fragments merged at the threshold; an image can be a part."""
    fragments = np.arange(1, 25, dtype=np.uint32).reshape(2, 3, 4)
    fragments[0, 0] = 0
    with volume.create(tmp_path / "in.h5", "agglomerate", {}, []) as file:
        volume.add(file, volume.FRAGMENTS, (2, 3, 4), np.uint32, SIZE, OFFSET)[:] = fragments
        segmentation.write_fragments(file, np.arange(1, 25))
        merges = np.array([[5, 6], [7, 8], [6, 7]], np.uint32)
        segmentation.write_merges(file, [0.1, 0.4], merges, [1, 3])
    choice = Choice(threshold=0.4, reason="", chosen_by="fixed", criterion="voi",
                    ground_truth="ids", mean=[],
                    made_by=volume.record("evaluate", {}, []))  # fmt: skip
    write_choice(tmp_path / "chosen.json", choice)
    output = tmp_path / "segmentation.ome.tif"
    run_layer("segmentation", tmp_path / "in.h5", "{}", tmp_path / "chosen.json", "{}", output)
    got = tifffile.imread(output)
    assert len(np.unique(got[fragments > 0])) == 20 - 3 and (got[fragments == 0] == 0).all()
    assert len({int(got[fragments == name].item()) for name in (5, 6, 7, 8)}) == 1

    source = stored(tmp_path / "whole.h5", "image", GREY)
    box = json.dumps({"z": [4, 9], "x": [10, 66]})
    run_layer("image", source, box, None, "{}", tmp_path / "image.precomputed")
    values, _, offset = read_precomputed(tmp_path / "image.precomputed")
    assert np.array_equal(values[0], GREY[4:9, :, 10:])
    assert offset == (OFFSET[0] + 160, OFFSET[1], OFFSET[2] + 40)


def test_half_a_voxel_of_offset(tmp_path: Path) -> None:
    offset = (OFFSET[0], OFFSET[1] + 2, OFFSET[2])
    source = stored(tmp_path / "in.h5", "image", GREY, offset)
    with pytest.raises(InputError, match=r"no whole number of voxels .* take ome_zarr"):
        run_layer("image", source, "{}", None, "{}", tmp_path / "image.precomputed")
    run_layer("image", source, "{}", None, "{}", tmp_path / "image.ome.zarr")
    assert read_ome_zarr(tmp_path / "image.ome.zarr")[2] == offset


def test_every_format_says_where_it_comes_from(tmp_path: Path) -> None:
    paths = {format: exported(tmp_path / format, "image", format) for format in READ}
    with h5py.File(paths["hdf5"]) as file:
        texts = {"hdf5": file.attrs["provenance"]}
    with tifffile.TiffFile(paths["tiff"]) as tiff:
        found = ElementTree.fromstring(tiff.ome_metadata or "").find(".//{*}Description")
    texts["tiff"] = found.text if found is not None else ""
    texts["precomputed"] = CloudVolume(f"file://{paths['precomputed']}").provenance.serialize()
    group = zarr.open_group(paths["ome_zarr"], mode="r")
    texts["ome_zarr"] = json.dumps(group.attrs["provenance"])
    for format, text in texts.items():
        record = json.loads(text)
        assert set(record) == {"description", "sources", "owners", "processing"}
        first, last = record["processing"]
        assert (first["method"], first["parameters"]) == ("normalize", {"low": 1})
        assert (last["method"], last["parameters"]["settings"]["format"]) == ("export", format)
        assert first["software"]["h5py"] and last["date"].count("-") == 2


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    for text in ("old", "new"):
        with whole_folder_or_nothing(path) as partial:
            (partial / text).touch()
    with pytest.raises(ValueError), whole_folder_or_nothing(path) as partial:
        (partial / "broken").touch()
        raise ValueError
    assert [p.name for p in tmp_path.rglob("*")] == ["folder", "new"]


def ball() -> tuple[np.ndarray, float, np.ndarray]:
    """Labels with ball 9 and a speck 4; the ball's volume in nm^3 and centre in nm."""
    shape, centre = (31, 81, 83), np.array((15.0, 39.0, 41.0))
    place = np.moveaxis(np.indices(shape), 0, -1)
    nm = np.array((10.0, 4.0, 4.0))
    labels = 9 * (np.linalg.norm((place - centre) * nm, axis=-1) <= 120).astype(np.uint64)
    labels[0, 0, :3] = 4
    return labels, 4 / 3 * np.pi * 120**3, centre


@pytest.mark.parametrize("share", [1, 0.2])
def test_surfaces_are_closed_across_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    monkeypatch.setattr(mesh, "BLOCK", (8, 32, 24))
    labels, expected, centre = ball()
    labels[:, 70:, :] = 2**40  # runs along three faces of the volume
    size, first = np.array((10.0, 4.0, 4.0)), np.array((3, 1, 2))
    with volume.create(tmp_path / "in.h5", "normalize", {}, []) as file:
        volume.add(file, volume.LABELS, labels.shape, np.uint64, size, first * size)[:] = labels
    output = tmp_path / "labels.precomputed"
    settings = json.dumps({"meshes": True, "min_voxels": 4, "mesh_mip": 0, "mesh_faces": share})
    run_layer("labels", tmp_path / "in.h5", "{}", None, settings, output)
    layer = CloudVolume(f"file://{output}")
    assert not (output / "mesh" / "4:0").exists()
    assert json.loads((output / "mesh" / "9:0").read_text())["fragments"][1:]
    for name, inside, middle in (
        (9, expected, (centre + first + 0.5) * size),
        (2**40, np.prod((31, 11, 83) * size), (np.array((15.5, 75.5, 41.5)) + first) * size),
    ):
        surface = layer.mesh.get(name)
        points, same = np.unique(surface.vertices.round(3), axis=0, return_inverse=True)
        faces = same.reshape(-1)[surface.faces]
        edges = np.concatenate([faces[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))])
        # closed, and turned the same way everywhere: each edge once in each direction
        assert len(np.unique(edges, axis=0)) == len(edges)
        assert {tuple(e) for e in edges.tolist()} == {tuple(e) for e in edges[:, ::-1].tolist()}
        corners = points[faces].astype(np.float64)
        cones = np.linalg.det(corners) / 6
        assert cones.sum() == pytest.approx(inside, rel=0.04)
        centroid = (corners.sum(1) / 4 * cones[:, None]).sum(0) / cones.sum()
        assert np.allclose(centroid[::-1], middle, atol=1.5)


def test_centre_lines_lie_in_their_segments(tmp_path: Path) -> None:
    """Drawn for real, in the environment of the GPL programs."""
    there = Path(__file__).parent.parent / ".venv-skeletons/bin"
    if not there.is_dir():
        pytest.skip("there is no .venv-skeletons: make .venv-skeletons/installed")
    _, labels = phantom(Phantom.checked({"shape": [40, 128, 120], "seed": 1, "calibre": 200}))
    first, size = np.array((3, 1, 2)), np.array((30.0, 8.0, 8.0))
    with volume.create(tmp_path / "in.h5", "normalize", {"low": 1}, []) as file:
        data = volume.add(file, volume.LABELS, labels.shape, labels.dtype, size, first * size)
        data[:] = labels
    layer, lines = tmp_path / "a b; ä/x.precomputed", tmp_path / "a b; ä/x.skeletons"
    run_layer("labels", tmp_path / "in.h5", "{}", None, "{}", layer)
    before = sorted(layer.rglob("*")), (layer / "info").read_text()
    wanted = {"const": 100, "min_length": 400}
    subprocess.run(
        [there / "python", "-m", "fgnet.export", "skeletons", "--input", layer, "--output", lines,
         "--settings", json.dumps(wanted), "--workers", "2"],
        check=True, cwd=Path(__file__).parent.parent, env={**os.environ, "PATH": str(there)},
    )  # fmt: skip
    assert (sorted(layer.rglob("*")), (layer / "info").read_text()) == before
    assert sorted(path.name for path in layer.parent.iterdir()) == [layer.name, lines.name]
    info = json.loads((lines / "info").read_text())
    assert info["@type"] == "neuroglancer_skeletons"
    found = [path for path in lines.iterdir() if path.name.isdigit()]
    assert len(found) > 30 and len(found) + 2 == len(list(lines.iterdir()))
    for path in found:
        line = Skeleton.from_precomputed(path.read_bytes(), info["vertex_attributes"])
        z, y, x = np.floor(line.vertices[:, ::-1] / size - first).astype(int).T
        assert (labels[z, y, x] == int(path.name)).all()
        assert line.cable_length() >= 400 and len(line.components()) == 1
    last = json.loads((lines / "provenance").read_text())["processing"][-1]
    assert last["by"].startswith("igneous") and last["parameters"]["const"] == 100


def test_centre_lines_need_their_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"igneous is not on PATH; run with --use-conda, or"):
        skeletons.run(tmp_path / "x.precomputed", tmp_path / "out", "{}")
    (tmp_path / "igneous").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "igneous").chmod(0o755)
    with pytest.raises(InputError, match=r"is no precomputed folder"):
        skeletons.run(tmp_path / "x.precomputed", tmp_path / "out", "{}")
    layer = exported(tmp_path, "labels", "precomputed")
    with pytest.raises(InputError, match=r"skeleton forge ./layer .* ended with status 3"):
        skeletons.run(layer, tmp_path / "out", "{}")
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".skeletons*"))


def test_the_list_of_segments_is_sorted_by_size(tmp_path: Path) -> None:
    output = exported(tmp_path, "labels", "precomputed", min_voxels=int((FEW == 2).sum()))
    inline = json.loads((output / "segment_properties/info").read_text())["inline"]
    sizes = {str(name): int((name == FEW).sum()) for name in (1, 2, 3)}
    wanted = sorted((s for s in sizes if sizes[s] >= sizes["2"]), key=lambda s: -sizes[s])
    assert inline["ids"] == wanted
    assert inline["properties"][0]["values"] == [sizes[name] for name in wanted]


@pytest.mark.parametrize(
    ("export", "message"),
    [
        ({"formats": ["tif"]}, "export.formats.0: .*'tiff' .got 'tif'"),
        ({"layers": ["labls"]}, "export.layers.0: .*'labels'"),
        ({"fromats": []}, "export.fromats: unknown key; did you mean 'formats'"),
        ({"formats": ["hdf5"], "meshes": True}, "export: meshes: needs the format precomputed"),
        ({"formats": ["precomputed"], "meshes": True, "mesh_mip": 4}, "mesh_mip is 4, .* 0 to 3"),
        ({"formats": ["precomputed"], "meshes": True, "layers": ["image"]}, "meshes: .* layer"),
        ({"formats": ["precomputed"], "skeletons": {"mip": 4}}, "skeletons.mip is 4, .*0 to 3"),
        ({"formats": ["tiff"], "skeletons": {}}, "export: skeletons: needs the format precomputed"),
        ({"formats": ["tiff"], "layers": []}, "export: layers: the list is empty"),
        ({"address": "127.0.0.1"}, "export.address: "),
        ({"mips": 0}, "export.mips: "),
    ],
)  # fmt: skip
def test_a_wrong_setting_names_its_key(export: dict[str, Any], message: str) -> None:
    values = {"volumes": {"v": {"phantom": {}, "split": "train"}},
              "evaluate": {"threshold": 0.5}, "export": export}  # fmt: skip
    with pytest.raises(InputError, match=message):
        load(values)


def scene(folder: Path, address: str = "http://elsewhere/v/x") -> Path:
    """A small phantom, image and labels, ready to be served; half of it has no labels."""
    raw, labels = phantom(Phantom.checked({"shape": [16, 128, 128], "seed": 1, "calibre": 160}))
    labels[:, :, :50] = 0
    layers = []
    with volume.create(folder / "in.h5", "normalize", {}, []) as file:
        for name, values in ((volume.RAW, raw), (volume.LABELS, labels)):
            data = volume.add(file, name, values.shape, values.dtype, (30, 8, 8), (90, 24, 8))
            data[:] = values
    name = "v ä;"
    for layer in ("image", "labels"):
        path = f"{name}/{layer}.precomputed"
        run_layer(layer, folder / "in.h5", "{}", None, '{"mips": 2}', folder / "served" / path)  # type: ignore[arg-type]
        layers.append({"name": layer, "path": path,
                       "layer": {"labels": "segmentation"}.get(layer, layer)})  # fmt: skip
    parameters = {"volume": name, "input": str(folder / "in.h5"), "box": {}, "layers": layers,
                  "address": address}  # fmt: skip
    run_state(json.dumps(parameters), folder / "served" / name / viewer.STATE)
    return folder / "served"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[serve.Server]:
    """A server of a scene, which only reads."""
    folder = scene(tmp_path_factory.mktemp("scene"))
    (folder / "bytes").write_bytes(bytes(range(100)))
    (folder / "way out").symlink_to(folder.parent / "in.h5")
    with serve.server(folder, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(
    server: serve.Server,
    path: str,
    method: str = "GET",
    wanted: str | None = None,
    **headers: str,
) -> tuple[int, bytes, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request(method, path, headers=headers | ({"Range": wanted} if wanted else {}))
    reply = connection.getresponse()
    found = reply.status, reply.read(), dict(reply.getheaders())
    connection.close()
    return found


def test_the_server_sends_ranges_to_every_origin(served: serve.Server) -> None:
    whole = bytes(range(100))
    for wanted, status, part, where in (
        (None, 200, whole, None),
        ("bytes=10-19", 206, whole[10:20], "bytes 10-19/100"),
        ("bytes=90-", 206, whole[90:], "bytes 90-99/100"),
        ("bytes=-7", 206, whole[-7:], "bytes 93-99/100"),
        ("bytes=-700", 206, whole, "bytes 0-99/100"),
        ("bytes=95-200", 206, whole[95:], "bytes 95-99/100"),
        ("bytes=100-", 416, b"", "bytes */100"),
        ("lines=1-2", 200, whole, None),
    ):
        for method in ("GET", "HEAD"):
            got = ask(served, "/bytes", method, wanted)
            assert got[0] == status and got[1] == (part if method == "GET" else b"")
            assert got[2].get("Content-Range") == where
            assert got[2]["Content-Length"] == str(len(part))
            assert got[2]["Access-Control-Allow-Origin"] == "*"
    status, _, headers = ask(served, "/bytes", "OPTIONS")
    assert status == 204 and "Range" in headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize(
    "path",
    ["/../in.h5", "/%2e%2e/in.h5", "/v%20%C3%A4%3B/..%2f..%2fin.h5", "/way%20out", "//etc/passwd",
     "/client/v/fgnet/../../in.h5", "/client/v/fgnet/..%2f__init__.py", "/%00", "/v%20%C3%A4%3B",
     "/missing"],
)  # fmt: skip
def test_the_server_gives_nothing_from_outside(served: serve.Server, path: str) -> None:
    assert ask(served, path)[0] == 404


def test_a_state_names_the_server_that_gives_it(served: serve.Server) -> None:
    status, text, _ = ask(served, f"/v%20%C3%A4%3B/{viewer.STATE}")
    state = json.loads(text)
    sources = [layer["source"] for layer in state["layers"]]
    base = f"precomputed://{served.address}/v%20%C3%A4%3B"
    assert status == 200 and sources == [f"{base}/image.precomputed", f"{base}/labels.precomputed"]
    assert state["position"] == [1 + 64, 3 + 64, 3 + 8]
    assert state["dimensions"] == {"x": [8e-9, "m"], "y": [8e-9, "m"], "z": [3e-8, "m"]}
    # as one that comes through a forwarded port
    text = ask(served, f"/v%20%C3%A4%3B/{viewer.STATE}", Host="localhost:1234")[1]
    assert "precomputed://http://localhost:1234/v%20" in text.decode()
    page = ask(served, "/")[1].decode()
    assert f"{served.address}{viewer.CLIENT}#!{served.address}/v%20%C3%A4%3B/" in page


PLACE = viewer.Place((11, 43, 101), "labels", (52, 2**64 - 1))


def test_a_place_comes_back_from_its_query() -> None:
    for place in (PLACE, viewer.Place((-1, 0, 5)), viewer.Place((1, 2, 3), 'a&b=c, "#ä%', ())):
        assert viewer.Place.read(place.query()) == place
    assert viewer.Place.read("") is viewer.Place.read("other=1&segments=3") is None
    link = viewer.local("http://h:1", "v ä", viewer.Place((3, 2, 1), "m, a", (7, 8)))
    assert link == (
        "http://h:1/client/v/fgnet/#!http://h:1/v%20%C3%A4/neuroglancer.json"
        "?position=1%2C2%2C3&segments=7%2C8&layer=m%2C%20a"
    )


def test_a_state_looks_at_the_place_that_is_asked_for(served: serve.Server) -> None:
    plain = f"/v%20%C3%A4%3B/{viewer.STATE}"
    whole = json.loads(ask(served, plain)[1])
    status, text, _ = ask(served, f"{plain}?{PLACE.query()}")
    state = json.loads(text)
    assert status == 200 and state["position"] == [101.5, 43.5, 11.5]
    image, labels = state["layers"]
    assert labels["segments"] == ["52", str(2**64 - 1)] and labels["visible"]
    assert labels["selectedAlpha"] > labels["notSelectedAlpha"] > 0
    assert state["crossSectionScale"] <= min(serve.NEAR, whole["crossSectionScale"])
    assert image == whole["layers"][0] and state["dimensions"] == whole["dimensions"]
    state = json.loads(ask(served, f"{plain}?position=1,2,3")[1])
    assert state["position"] == [1.5, 2.5, 3.5] and state["layers"] == whole["layers"]
    for ignored in ("what=ever", "segments=7&layer=labels", "position="):
        assert json.loads(ask(served, f"{plain}?{ignored}")[1]) == whole


def test_a_query_that_is_no_place_is_refused(served: serve.Server) -> None:
    some = "position=1,2,3"
    for query in (
        "position=1,2", "position=nan,0,0", "position=1e9,0,0", "position=1,2,3,4",
        "position=%D9%A1,2,3", "position=%FF,2,3", f"position={'9' * 5000},0,0",
        f"{some}&layer=labels&segments=-1", f"{some}&layer=labels&segments=5;",
        f"{some}&layer=labels&segments={2**64}", f"{some}&layer=labels&segments=1,,2",
        f"{some}&layer=image", f"{some}&layer=%0d%0aX:%20y", some + "&a=1" * 1000,
    ):  # fmt: skip
        status, text, headers = ask(served, f"/v%20%C3%A4%3B/{viewer.STATE}?{query}")
        assert status == 400 and b"Traceback" not in text and "X" not in headers, query
    assert ask(served, "ftp://[")[0] == 400


def test_serving_nothing_is_an_error(tmp_path: Path, served: serve.Server) -> None:
    with pytest.raises(InputError, match=r"holds no VOLUME/neuroglancer.json"):
        serve.run(tmp_path / "nothing", "127.0.0.1", 0)
    with pytest.raises(InputError, match=r"cannot be listened on .* try --port"):
        serve.server(tmp_path, "127.0.0.1", served.server_port)


BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
    "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist", "--window-size=1000,800", "--remote-debugging-port=0",
)  # fmt: skip


async def screenshot(profile: Path, enough: Callable[[np.ndarray], bool]) -> tuple[np.ndarray, str]:
    """What the browser shows (rows, columns, 3), asked again until it is enough or a minute, and
    the address of its page."""
    port_file = profile / "DevToolsActivePort"
    until = time.monotonic() + 60
    while not (port_file.exists() and len(port_file.read_text().splitlines()) == 2):
        assert time.monotonic() < until, "the browser does not start"
        await asyncio.sleep(0.1)
    port = port_file.read_text().split()[0]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as reply:
        page = next(target for target in json.load(reply) if target["type"] == "page")
    socket = await websocket_connect(page["webSocketDebuggerUrl"], max_message_size=1 << 26)
    while True:
        await socket.write_message(json.dumps({"id": 1, "method": "Page.captureScreenshot"}))
        answer = json.loads(await socket.read_message() or "{}")
        picture = Image.open(io.BytesIO(base64.b64decode(answer["result"]["data"])))
        shown = np.asarray(picture.convert("RGB"))
        if enough(shown) or time.monotonic() > until:
            order = {"method": "Runtime.evaluate", "params": {"expression": "location.href"}}
            await socket.write_message(json.dumps({"id": 2, **order}))
            answer = json.loads(await socket.read_message() or "{}")
            socket.close()
            return shown, unquote(answer["result"]["result"]["value"])
        await asyncio.sleep(0.5)


def hues(picture: np.ndarray) -> int:
    """How many of 36 hues colour more than a thousandth of the picture."""
    hue, saturation, _ = np.moveaxis(np.asarray(Image.fromarray(picture).convert("HSV")), -1, 0)
    counts = np.bincount(hue[saturation > 60] // 8, minlength=32)
    return int((counts > picture[..., 0].size / 1000).sum())


def greys(picture: np.ndarray) -> int:
    """How many grey values without colour cover more than a ten-thousandth of the picture."""
    spread = picture.max(-1).astype(int) - picture.min(-1)
    counts = np.bincount(picture[..., 0][spread == 0], minlength=256)
    return int((counts > picture[..., 0].size / 10_000).sum())


@pytest.mark.skipif(not BROWSER, reason="there is no chromium or google-chrome on PATH")
@pytest.mark.parametrize("place", [None, PLACE], ids=["whole", "place"])
def test_neuroglancer_shows_it_in_a_browser(
    tmp_path: Path, served: serve.Server, place: viewer.Place | None
) -> None:
    assert BROWSER
    process = subprocess.Popen(
        [BROWSER, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}",
         viewer.local(served.address, "v ä;", place)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        seen = lambda picture: hues(picture) >= 10 and greys(picture) >= 60  # noqa: E731
        picture, address = asyncio.run(screenshot(tmp_path / "profile", seen))
    finally:
        process.terminate()
        process.wait()
    Image.fromarray(picture).save(tmp_path / "screenshot.png")
    assert hues(picture) >= 10, f"few colours: {tmp_path / 'screenshot.png'}"
    assert greys(picture) >= 60, f"no texture of the image: {tmp_path / 'screenshot.png'}"
    # the viewer writes its state there
    if place:
        assert '"position":[101.5,43.5,11.5]' in address and f'"{2**64 - 1}"' in address
