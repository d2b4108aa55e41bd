"""Skeletons: given with a volume in any format, or derived from its labels."""

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from cloudvolume import Skeleton
from cloudvolume.datasource.precomputed import sharding
from server import Server

from fgnet import skeletons, volume
from fgnet.download.__main__ import run_skeletons, run_volume
from fgnet.errors import InputError
from fgnet.settings.config import load
from fgnet.settings.sources import SkeletonSource
from fgnet.skeletons import Skeletons

SHAPE = (10, 40, 50)
SIZE = (40.0, 4.0, 8.0)
ORIGIN = (400.0, 40.0, 80.0)  # where the image begins, nm
# voxels of the image (z, y, x) at which the nodes of two neurons lie
FIRST = np.array([[1, 2, 3], [1, 2, 9], [4, 20, 30], [4, 25, 30]])
SECOND = np.array([[9, 39, 49], [8, 39, 49], [7, 39, 40]])
PARENTS = [-1, 1, 2, 2]


def nm(voxels: np.ndarray) -> np.ndarray:
    return np.asarray(voxels * np.array(SIZE) + ORIGIN)


def swc(nodes: np.ndarray, parents: list[int]) -> str:
    rows = zip(nodes[:, ::-1], parents, strict=True)
    lines = [f"{k} 3 {x:g} {y:g} {z:g} 1.5 {up}" for k, ((x, y, z), up) in enumerate(rows, 1)]
    return "# made by hand, µm\n" + "\n".join(lines) + "\n"


def nml(scale: str = 'x="8" y="4" z="40" unit="nanometer"', head: str = "", z: int = 10) -> str:
    """In voxels of a data set whose first voxel lies at 0 nm; numbered across the trees."""
    text, number = "", 0
    for thing, nodes in ((12, FIRST), (30, SECOND)):
        places = [f'<node id="{number + k}" x="{x + 10}" y="{y + 10}" z="{z + a}" radius="1"/>'
                  for k, (a, y, x) in enumerate(nodes)]  # fmt: skip
        pairs = [(up - 1, k) for k, up in enumerate(PARENTS[: len(nodes)]) if up > 0]
        edges = [f'<edge source="{number + a}" target="{number + b}"/>' for a, b in pairs]
        text += (
            f'<thing id="{thing}" name="n {thing}"><nodes>{"".join(places)}</nodes>'
            f"<edges>{''.join(edges)}</edges></thing>"
        )
        number += len(nodes)
    return (
        f'<?xml version="1.0"?>{head}<things><parameters><scale {scale}/></parameters>{text}'
        '<thing id="99" name="empty"><nodes/><edges/></thing></things>'
    )


@pytest.fixture
def image(tmp_path: Path) -> dict[str, Any]:
    raw = np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8)
    with h5py.File(tmp_path / "em.h5", "w") as file:
        data = file.create_dataset("volumes/raw", data=raw)
        data.attrs["resolution"], data.attrs["offset"] = SIZE, ORIGIN
    return {"source": str(tmp_path / "em.h5")}


def download(folder: Path, entry: dict[str, Any]) -> Skeletons:
    """The skeletons of a volume, which has no labels."""
    settings = {"backoff": 0.01, "retries": 1, "lock": str(folder / "checksums.lock")}
    config = load({"volumes": {"a": {**entry, "split": "predict"}}, "evaluate": {"threshold": 0.5},
                   "train": {"models": {"a": {"checkpoint": "a.pt"}}}, "download": settings}
                  )  # fmt: skip
    image, lines = folder / "down/a.h5", folder / "down/skeletons/a.h5"
    fetching = config.download.canonical()
    run_volume("a", config.volume_download("a").canonical(), image, fetching=fetching)
    run_skeletons("a", image, config.skeletons_download("a").canonical(), lines, fetching=fetching)
    with volume.opened(image) as file:
        assert volume.made_by(file)["settings"]["volume"]["skeletons"] is None
    with volume.opened(lines) as file:
        found, given = skeletons.read(file), volume.made_by(file)["inputs"]
        assert {*found.record.get("files", {}).values()} <= {*given.values()}
        return found


def agrees(found: Skeletons, names: tuple[int, int] = (1, 2)) -> None:
    assert np.allclose(found.nodes, nm(np.concatenate([FIRST, SECOND])), atol=1e-3)
    assert found.neurons.tolist() == [names[0]] * 4 + [names[1]] * 3
    assert sorted(found.edges.tolist()) == [[0, 1], [1, 2], [1, 3], [4, 5], [5, 6]]
    place = skeletons.voxels(found.nodes, SIZE, ORIGIN)
    assert np.array_equal(place, np.concatenate([FIRST, SECOND]))


@pytest.mark.parametrize("unit", ["nm", "um", "voxels", [40, 4, 8]])
def test_swc_in_any_unit(tmp_path: Path, image: dict[str, Any], unit: Any) -> None:
    folder = tmp_path / "swc"
    folder.mkdir()
    scale = {"nm": 1, "um": 1000, "voxels": np.array(SIZE)}.get(str(unit), np.array(SIZE))
    for name, nodes in (("cell 9.swc", FIRST), ("cell 10.SWC", SECOND)):
        # voxels count from the image's first, all else from where 0 nm lies
        places = (nm(nodes) - (ORIGIN if unit == "voxels" else 0)) / scale
        (folder / name).write_text(swc(places, PARENTS[: len(nodes)]), encoding="latin-1")
    (folder / "._cell 9.swc").write_text("hidden")
    (folder / "readme.txt").write_text("not read")
    for path in (str(folder), str(folder / "cell*"), [str(folder / "cell 9.swc"),
                                                      str(folder / "cell 10.SWC")]):  # fmt: skip
        found = download(tmp_path, {**image, "skeletons": {"path": path, "unit": unit}})
        agrees(found)
        names = [str(folder / "cell 9.swc"), str(folder / "cell 10.SWC")]
        assert list(found.record["files"]) == names
        assert found.record["names"] == {"1": names[0], "2": names[1]}


def test_ids_are_the_files_names_where_these_are_numbers(
    tmp_path: Path, image: dict[str, Any]
) -> None:
    for name, nodes in (("17.swc", SECOND), (f"{2**63 + 1}.swc", FIRST)):
        (tmp_path / name).write_text(swc(nm(nodes) - 1000, PARENTS[: len(nodes)]))
    paths = [str(tmp_path / name) for name in (f"{2**63 + 1}.swc", "17.swc")]
    given = {"path": paths, "unit": "nm", "offset": [1000, 1000, 1000]}
    agrees(download(tmp_path, {**image, "skeletons": given}), (2**63 + 1, 17))
    # a number of more than 64 bits is a name
    (tmp_path / "17.swc").rename(tmp_path / f"{2**64}.swc")
    given["path"] = [paths[0], str(tmp_path / f"{2**64}.swc")]
    agrees(download(tmp_path, {**image, "skeletons": given}), (1, 2))


def test_packed_files_have_the_ids_that_they_are_packed_under(
    tmp_path: Path, image: dict[str, Any]
) -> None:
    first, second = swc(nm(FIRST), PARENTS), swc(nm(SECOND), PARENTS[:3])
    folder = tmp_path / "packed"
    folder.mkdir()
    for name, text in (("7.swc.gz", first), ("30.swc.gz", second)):
        (folder / name).write_bytes(gzip.compress(text.encode()))
    agrees(download(tmp_path, {**image, "skeletons": {"path": str(folder), "unit": "nm"}}), (7, 30))
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as file:
        file.writestr("cells/7.swc", first)
        file.writestr("cells/30.swc", second)
    given = {"path": str(tmp_path / "all.zip"), "unit": "nm"}
    found = download(tmp_path, {**image, "skeletons": {**given, "member": "cells/30.swc"}})
    assert np.unique(found.neurons).tolist() == [30]
    with pytest.raises(InputError, match=r"holds cells/7.swc, cells/30.swc; say with `member`"):
        download(tmp_path, {**image, "skeletons": given})


def test_an_edge_that_is_given_twice_is_one(tmp_path: Path, image: dict[str, Any]) -> None:
    edge = '<edge source="0" target="1"/>'
    back = edge.replace("source", "to").replace("target", "source").replace("to", "target")
    assert edge in nml()
    (tmp_path / "a.nml").write_text(nml().replace(edge, edge + back + edge))
    agrees(download(tmp_path, {**image, "skeletons": str(tmp_path / "a.nml")}), (12, 30))


def test_nml_has_its_own_scale(tmp_path: Path, image: dict[str, Any]) -> None:
    (tmp_path / "a.nml").write_text(nml())
    agrees(download(tmp_path, {**image, "skeletons": str(tmp_path / "a.nml")}), (12, 30))
    (tmp_path / "b.nml").write_text(nml('x="8e-3" y="4e-3" z="40e-3" unit="micrometer"'))
    (tmp_path / "a.nml").unlink()
    found = download(tmp_path, {**image, "skeletons": str(tmp_path / "*.nml")})
    agrees(found, (12, 30))
    # trees of one id in two files are two neurons
    (tmp_path / "c.nml").write_text(nml())
    found = download(tmp_path, {**image, "skeletons": str(tmp_path / "*.nml")})
    assert np.unique(found.neurons).tolist() == [1, 2, 3, 4]


def precomputed() -> dict[str, bytes]:
    """The files of a layer of skeletons, with a transform: stored at half the size."""
    transform = [2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0]
    info = {"@type": "neuroglancer_skeletons", "transform": transform, "vertex_attributes": []}
    files = {"info": json.dumps(info).encode(), "provenance": b"{}"}
    for name, nodes in ((5, FIRST), (2**40, SECOND)):
        edges = [(up - 1, k) for k, up in enumerate(PARENTS[: len(nodes)]) if up > 0]
        line = Skeleton((nm(nodes) / 2)[:, ::-1].astype(np.float32), np.array(edges, np.uint32),
                        extra_attributes=[])  # fmt: skip
        files[str(name)] = line.to_precomputed()
    return files


def test_precomputed_here_and_over_a_network(
    tmp_path: Path, image: dict[str, Any], server: Server
) -> None:
    layer = tmp_path / "seg" / "lines"
    layer.mkdir(parents=True)
    for name, content in precomputed().items():
        (layer / name).write_bytes(content)
        server.put(f"seg/lines/{name}", content)
    agrees(download(tmp_path, {**image, "skeletons": str(layer)}), (5, 2**40))
    # a segmentation says where its skeletons lie, and a change of one there is seen
    info = json.dumps({"type": "segmentation", "skeletons": "lines"})
    (tmp_path / "seg" / "info").write_text(info)
    names = ["info", f"lines/{2**40}", "lines/5", "lines/info", "lines/provenance"]
    watched = SkeletonSource.checked({"path": f"file://{tmp_path}/seg"}).local_files()
    assert sorted(watched) == [str(tmp_path / "seg" / name) for name in names]
    server.put("seg/info", info.encode())
    found = download(tmp_path, {**image, "skeletons": str(tmp_path / "seg")})
    agrees(found, (5, 2**40))
    given = {"path": f"precomputed://{server.url}seg", "ids": [2**40, 5]}
    server.statuses["seg/lines/5"] = [503]
    found = download(tmp_path, {**image, "skeletons": given})
    assert np.unique(found.neurons).tolist() == [5, 2**40]
    assert f"{server.url}seg#skeletons=5,{2**40}" in (tmp_path / "checksums.lock").read_text()
    server.put("seg/lines/5", precomputed()[str(2**40)])
    with pytest.raises(InputError, match=r"gave the checksum sha256:.*when it was first fetched"):
        download(tmp_path, {**image, "skeletons": given})
    del given["ids"]
    with pytest.raises(InputError, match="cannot be listed; name the neurons to take with `ids`"):
        download(tmp_path, {**image, "skeletons": given})
    with pytest.raises(InputError, match=r"a skeleton is missing .*correct `ids`"):
        download(tmp_path, {**image, "skeletons": {"path": str(layer), "ids": [6]}})


def test_precomputed_in_shards(tmp_path: Path, image: dict[str, Any]) -> None:
    files = precomputed()
    info = json.loads(files["info"])
    info["sharding"] = {
        "@type": "neuroglancer_uint64_sharded_v1", "preshift_bits": 0, "hash": "identity",
        "minishard_bits": 1, "shard_bits": 1, "minishard_index_encoding": "gzip",
        "data_encoding": "gzip",
    }  # fmt: skip
    spec = sharding.ShardingSpecification.from_dict(info["sharding"])
    lines = {int(name): content for name, content in files.items() if name.isdecimal()}
    layer = tmp_path / "lines"
    layer.mkdir()
    (layer / "info").write_text(json.dumps(info))
    for name, content in sharding.synthesize_shard_files(spec, lines).items():
        (layer / name).write_bytes(content)
    agrees(download(tmp_path, {**image, "skeletons": str(layer)}), (5, 2**40))
    with pytest.raises(InputError, match=r"a skeleton is missing .*6"):
        download(tmp_path, {**image, "skeletons": {"path": str(layer), "ids": [6]}})


def test_files_from_an_address_are_kept_and_checked(
    tmp_path: Path, image: dict[str, Any], server: Server
) -> None:
    urls = [server.put("1.swc", swc(nm(FIRST), PARENTS).encode()),
            server.put("2.swc", swc(nm(SECOND), PARENTS[:3]).encode())]  # fmt: skip
    given = {"path": urls, "unit": "nm"}
    server.limits["2.swc"] = [20]  # breaks off; the next try goes on after 20 bytes
    agrees(download(tmp_path, {**image, "skeletons": given}))
    sent = server.sent
    agrees(download(tmp_path, {**image, "skeletons": given}))
    assert server.sent == sent
    with pytest.raises(InputError, match=r"checksum is of one file, .* names 2"):
        download(tmp_path, {**image, "skeletons": {**given, "checksum": "0" * 64}})


def test_a_crop_and_a_box_cut_nodes_with_their_edges(tmp_path: Path, image: dict[str, Any]) -> None:
    (tmp_path / "a.nml").write_text(nml())
    crop = {"z": [1, 8], "x": [5, 50]}
    entry = {**image, "skeletons": str(tmp_path / "a.nml"), "crop": crop}
    found = download(tmp_path, entry)
    left = np.concatenate([FIRST[1:], SECOND[2:]])  # the others lie at x 3, z 9 and z 8
    assert np.allclose(found.nodes, nm(left))
    assert found.edges.tolist() == [[0, 1], [0, 2]]
    assert found.neurons.tolist() == [12, 12, 12, 30]
    # a segmentation of the first 22 rows of the cropped volume
    with volume.opened(tmp_path / "down/a.h5") as file:
        raw = volume.dataset(file, volume.RAW)
        size, offset = volume.voxel_size(raw), volume.offset(raw)
    part = skeletons.within(found, size, offset, (7, 22, 45))
    assert np.allclose(part.nodes, nm(FIRST[1:3])) and part.edges.tolist() == [[0, 1]]
    # at another voxel size they lie where they lay
    again = download(tmp_path, {**entry, "resample": [40, 8, 8]})
    assert np.allclose(again.nodes, found.nodes)
    # and voxels are those of the image as it was, whoever knows their size
    with h5py.File(tmp_path / "em.h5", "a") as file:
        del file["volumes/raw"].attrs["resolution"]
    (tmp_path / "7.swc").write_text(swc(FIRST, PARENTS))
    given = {"path": str(tmp_path / "7.swc"), "unit": "voxels"}
    more = {"skeletons": given, "resample": [40, 8, 8], "voxel_size": list(SIZE)}
    assert np.allclose(download(tmp_path, {**entry, **more}).nodes, nm(FIRST[1:]))


@pytest.mark.parametrize(
    ("name", "text", "more", "message"),
    [
        ("a.swc", "# nothing\n", {}, r"a.swc' holds no nodes"),
        ("a.swc", "", {}, r"a.swc' holds no nodes"),
        ("a.swc", "1 3 0 0\n", {}, r"a.swc' is no SWC file \(.*\): a line is id, type"),
        ("a.swc", "1 3 0 0 x 1 -1\n", {}, r"is no SWC file"),
        ("a.swc", "1 3 0 0 nan 1 -1\n", {}, r"holds a node whose id, place or parent is no"),
        ("a.swc", "1 3 0 0 0 1 -1\n4 3 1 1 1 1 3\n", {}, "node 4 has the parent 3, which the file"),
        ("a.swc", "1 3 0 0 0 1 -1\n1 3 1 1 1 1 1\n", {}, "holds the node 1 twice"),
        ("a.swc", "1 3 0 0 0 1 2\n2 3 1 1 1 1 1\n", {}, "parents of each other in a ring"),
        ("a.swc", "1 3 0 0 0 1 1\n", {}, "parents of each other in a ring"),
        ("a.swc", "1 3 0 0 0 1 -1\n", {"unit": None}, "does not say its unit of length; give `un"),
        ("a.swc", "1 3 9 9 9 1 -1\n2 3 99 99 1 1 1\n", {},
         r"a.swc' lies at z, y, x 1 to 9, 9 to 99, 9 to 99 nm, and the volume at 400 to 800, 40 to "
         r"200, 80 to 480 nm; correct `unit`"),
        ("a.txt", "1 3 9 9 9 1 -1\n", {}, "does not end in .swc or .nml; give `format`"),
        ("a.swc", "1 3 9 9 9 1 -1\n", {"ids": [3]}, "ids are taken of a precomputed layer alone"),
        ("a.swc", "1 3 9 9 9 1 -1\n", {"format": "precomputed"}, "has no info file, so it is no"),
        ("a.nml", "<things/>", {}, r"a.nml' holds no nodes"),
        ("a.nml", nml()[:-40], {}, "is no NML file"),
        ("a.nml", nml(head='<!DOCTYPE a [<!ENTITY b "c">]>'), {}, "declares a document type"),
        ("a.nml", nml('x="8" y="4" z="40" unit="apples"'), {}, "has the unit .apples., which"),
        ("a.nml", nml('x="8" y="4"'), {}, r"a scale with .* is none of NML \('z'\)"),
        ("a.nml", nml().replace('target="1"', 'target="4"'), {}, "12 ends at node 4, which the tr"),
        ("a.nml", nml().replace('z="11"', 'z="inf"'), {}, "node of the tree 12 lies nowhere"),
        ("a.nml", nml(z=100), {"unit": None}, "z, y, x 4040 to 4360, .*the volume at 400 to 800"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_a_sentence(
    tmp_path: Path, image: dict[str, Any], name: str, text: str, more: Any, message: str
) -> None:
    (tmp_path / name).write_text(text)
    unit = None if name == "a.nml" else "nm"
    with pytest.raises(InputError, match=message):
        download(tmp_path, {**image, "skeletons": {"path": str(tmp_path / name), "unit": unit,
                                                   **more}})  # fmt: skip
    assert not (tmp_path / "down/skeletons/a.h5").exists()


def test_the_config_and_folders_without_skeletons(tmp_path: Path, image: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"names no files \(they end in .swc or .nml\)"):
        download(tmp_path, {**image, "skeletons": str(tmp_path)})
    with pytest.raises(InputError, match="path is a list, a precomputed layer is one path"):
        given = {"path": ["a", "b"], "format": "precomputed"}
        download(tmp_path, {**image, "skeletons": given})
    (tmp_path / "a.swc").write_text(swc(nm(FIRST), PARENTS))
    entry = {**image, "skeletons": {"path": [str(tmp_path / "a.swc")], "unit": "nm"}}
    values = {"volumes": {"v": {**entry, "split": "predict"}}, "evaluate": {"threshold": 0.5},
              "train": {"models": {"a": {"checkpoint": "a.pt"}}}}  # fmt: skip
    entry = load(values).volumes["v"]
    assert entry.skeletons is not None and entry.local_files() == [image["source"]]
    assert entry.skeletons.local_files() == [str(tmp_path / "a.swc")]
