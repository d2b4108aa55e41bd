"""Addresses in a config: which are refused, where they lead, and what becomes of secrets."""

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr
from chain import changed, snakemake
from PIL import Image
from server import Server

from fgnet import volume
from fgnet.download.cache import Cache
from fgnet.download.formats.open import open_layer
from fgnet.errors import InputError
from fgnet.settings.config import load
from fgnet.settings.download import Download
from fgnet.settings.sources import Source


def told(**source: Any) -> str:
    """What is said of a volume's source as the config is read."""
    with pytest.raises(InputError) as error:
        load(changed(volumes={"far": {"source": source, "split": "predict"}}))
    return str(error.value)


@pytest.mark.parametrize(
    "place",
    ["ftp://lab.org/em.h5", "javascript:alert(1)", "data:image/png;base64,AAAA", "ssh://lab.org/em",
     "gopher://lab.org/em.h5", "ext::sh -c touch% pwned", "HTTP://lab.org/em.h5", "https:/lab.org",
     "graphene://lab.org/em"],
)  # fmt: skip
@pytest.mark.parametrize("key", ["path", "checksums", "mirrors"])
def test_other_schemes_are_refused_as_the_config_is_read(place: str, key: str) -> None:
    given = {"path": "https://lab.org/em.h5", key: [place] if key == "mirrors" else place}
    text = told(**given)
    assert "starts with http://, https://, file://, gs://, s3://" in text and repr(place) in text


def test_other_places_that_are_refused_as_the_config_is_read() -> None:
    assert "from the root of this machine" in told(path="file://lab.org/em.h5")
    assert "mean something to Snakemake" in told(path="em{x}.h5")
    assert "mean something to Snakemake" in told(path="em<x>.h5")
    assert "control characters" in told(path="em\0.h5")
    assert "at most 255 bytes" in told(path="em/" + "x" * 300)
    fine = ("./run:2.h5", "em.{00..11}.png", "file:///em.h5", "~/a b.h5", "$(touch x).tif", "C:\\a")
    for path in fine:
        load(changed(volumes={"far": {"source": path, "split": "predict"}}))


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("https://me:pa55word@lab.org/em.h5", "put them into ~/.netrc"),
        ("s3://me:pa55word@bucket/em", "put them into ~/.netrc"),
        ("https://lab.org/em.h5?token=pa55word", "write token=${NAME}"),
        ("https://lab.org/em.h5?x=1&X-Amz-Signature=pa55word", "write X-Amz-Signature=${NAME}"),
        ("https://lab.org/em.h5?AWSAccessKeyId=pa55word", "write AWSAccessKeyId=${NAME}"),
        ("https://lab.org/em.h5?sig=pa55word", "write sig=${NAME}"),
        ("https://lab.org/em.h5?api%5Fkey=a${B}pa55word", "write api%5Fkey=${NAME}"),
    ],
)
def test_a_secret_in_an_address_is_refused_and_not_repeated(address: str, words: str) -> None:
    for given in ({"path": address}, {"path": "em.h5", "mirrors": [address]}):
        text = told(**given)
        assert words in text and "pa55word" not in text
    for wrong in ({"path": "em.h5", "mirrors": address}, {"path": [address]}):
        assert "pa55word" not in told(**wrong)
    with pytest.raises(InputError) as error:
        load(changed(export={"address": address}))
    assert "pa55word" not in str(error.value)


@pytest.mark.parametrize("kind", ["hdf5", "images", "zarr", "precomputed"])
def test_a_redirect_leads_to_http_alone(tmp_path: Path, server: Server, kind: str) -> None:
    """A server that sends its guests to a file of this machine, which they could read."""
    here = tmp_path / "here"
    here.mkdir()
    (here / "in.h5").write_bytes(volume_file())
    Image.fromarray(np.arange(100, dtype="u1").reshape(10, 10)).save(here / "0.png")
    zarr.create_array(here / "layer", data=np.ones((9, 9, 9), "u1"), chunks=(9, 9, 9))
    scale = {"key": "s", "size": [9, 9, 9], "chunk_sizes": [[9, 9, 9]], "encoding": "raw",
             "resolution": [8, 8, 30], "voxel_offset": [0, 0, 0]}  # fmt: skip
    info = {"type": "image", "data_type": "uint8", "num_channels": 1, "scales": [scale]}
    (here / "layer/info").write_text(json.dumps(info))
    (here / "layer/s").mkdir()
    (here / "layer/s/0-9_0-9_0-9").write_bytes(b"\1" * 729)
    files = {"hdf5": ["in.h5"], "images": ["0.png"], "zarr": ["layer/zarr.json", "layer/c/0/0/0"],
             "precomputed": ["layer/info", "layer/s/0-9_0-9_0-9"]}[kind]  # fmt: skip
    for name in files:
        server.redirects[name] = f"file://{here}/{name}"
    place = {"hdf5": "in.h5", "images": "{0..0}.png"}.get(kind, "layer")

    def first_voxel(path: str) -> Any:
        cache = Cache(tmp_path / "cache", Download.checked({"retries": 0}))
        source = Source.checked({"path": path, "format": kind})
        with open_layer(source, "image", cache) as layer:
            return layer.read((slice(0, 1),) * 3)

    first_voxel(f"{here}/{place}")
    with pytest.raises((InputError, OSError)):
        first_voxel(server.url + place)
    assert server.requests
    assert not [path for path in (tmp_path / "cache").glob("*-*") if path.stat().st_size]


def volume_file() -> bytes:
    """A small image as HDF5."""
    raw = np.random.default_rng(0).integers(1, 255, (16, 70, 90), np.uint8)
    with h5py.File("served", "w", driver="core", backing_store=False) as file:
        file["volumes/raw"] = raw
        file.flush()
        content: bytes = file.id.get_file_image()
    return content


def keeping(folder: Path, secret: str) -> list[Path]:
    """The files in which a word stands."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return [path for path in files if secret.encode() in path.read_bytes()]


def test_a_secret_of_the_environment_is_in_nothing_that_is_kept(
    chain: Path, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole run with an address that a service signed; and runs that fail."""
    secret = "5ecretOfTheLab"
    server.files[f"em.h5?token={secret}&part=1"] = volume_file()
    folder = tmp_path / "run"
    shutil.copytree(chain, folder)
    address = "em.h5?token=${LAB_TOKEN}&part=1"
    entry = {"voxel_size": [30, 8, 8], "split": "predict"}
    near = changed(volumes={"far": {**entry, "source": server.url + address}})
    monkeypatch.delenv("LAB_TOKEN", raising=False)
    status, text = snakemake(folder, near, "--dry-run")
    assert status != 0 and "the environment variable LAB_TOKEN is not set" in text
    target = "results/download/far.h5"
    monkeypatch.setenv("LAB_TOKEN", f"{secret}Expired")
    status, text = snakemake(folder, near, target)
    assert status != 0 and f"{address} answers 404" in text, text
    assert secret not in text and keeping(folder, secret) == []
    nowhere = changed(volumes={"far": {**entry, "source": f"http://127.0.0.1:9/{address}"}},
                      download={"retries": 1, "backoff": 0.0})  # fmt: skip
    status, text = snakemake(folder, nowhere, target)
    assert status != 0 and f"{address} could not be fetched in 2 tries" in text, text
    assert secret not in text and keeping(folder, secret) == []
    monkeypatch.setenv("LAB_TOKEN", secret)
    status, text = snakemake(folder, near)
    assert status == 0, text
    assert secret not in text and keeping(folder, secret) == []
    with volume.opened(folder / target) as file:
        assert "${LAB_TOKEN}" in json.dumps(volume.made_by(file))
    # another signature is of the same file
    monkeypatch.setenv("LAB_TOKEN", "another")
    status, text = snakemake(folder, near, "--dry-run")
    assert status == 0 and "Nothing to be done" in text, text


@pytest.mark.workflow
def test_a_password_comes_from_netrc_and_stays_there(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password pa55word\n")
    monkeypatch.setenv("NETRC", str(netrc))
    url = server.put("em.h5", volume_file())
    server.authorization["em.h5"] = "Basic " + base64.b64encode(b"me:pa55word").decode()
    config = changed(volumes={"far": {"source": url, "voxel_size": [30, 8, 8], "split": "predict"}})
    status, text = snakemake(tmp_path / "run", config, "results/download/far.h5")
    assert status == 0 and "pa55word" not in text, text
    assert keeping(tmp_path / "run", "pa55word") == []
