"""What the tests share: the folder of real volumes, and a run of the whole chain."""

import fcntl
import os
import shutil
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import chain as runs
import numpy as np
import pytest
from chain import TINY, snakemake
from server import Server

from fgnet import scores, volume

ROOT = Path(__file__).parent.parent

# jobs of several tests share the cores, where threads of torch that spin while they wait cost most
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# By what they take, the longest first, so that processes that share the files end at about the same
# time. One process makes the chain and others wait for it: the first three need it late or never.
LONGEST = (
    "conda", "demo", "slurm", "workflow", "images_workflow", "rerun", "interruption", "refusals",
    "style", "security", "elsewhere", "addresses", "train",
)  # fmt: skip


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that read the chain, and order the files."""
    for item in items:
        if "chain" in getattr(item, "fixturenames", ()):
            item.add_marker("workflow")
    order = {f"test_{name}": number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Only tests that are marked may start snakemake; `make check` leaves them out."""
    runs.ALLOWED = item.get_closest_marker("workflow") is not None
    return (yield)


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse snakemake as a program of its own where :data:`chain.ALLOWED` says so."""
    if event == "subprocess.Popen":
        words = arguments[1] if isinstance(arguments[1], list | tuple) else [arguments[1]]
        names = [Path(os.fsdecode(word)).name for word in words]
        if "snakemake" in names and "--lint" not in names:
            runs.allowed()


sys.addaudithook(watch)


@pytest.fixture(scope="session")
def data() -> Path:
    """Folder of real EM volumes: $FGNET_DATA, or shared/data beside the project.

    Skips where there is no such folder; a folder that lacks a file fails the test.
    """
    folder = Path(os.environ.get("FGNET_DATA") or ROOT.parent / "shared" / "data").resolve()
    if not folder.is_dir():
        pytest.skip("no real EM volumes: set FGNET_DATA to their folder")
    return folder


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """An HTTP server on loopback."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    one = Server()
    yield one
    one.close()


def scores_row(threshold: float, voi: float, arand: float, **more: Any) -> scores.Row:
    """The scores of one threshold; what is not given is 0."""
    rest: dict[str, Any] = dict.fromkeys(scores.Row.model_fields, 0)
    rest |= {"average_precision_at": [0] * 10, "voi_split": voi, "voi_sum": voi, "arand": arand}
    return scores.Row.model_validate({**rest, "threshold": threshold, **more})


TREATMENT = scores.Treatment(
    voxel_size=(50, 4, 8), voxels_unlabelled=1234, voxels_near_border=56, border=25,
    words="Some voxels count.", measures="Pairs are pairs.",
)  # fmt: skip


def normalized(path: Path, shape: tuple[int, int, int], seed: int = 0) -> Path:
    """A small normalised volume: boxes of labels, raw that shows them."""
    random = np.random.default_rng(seed)
    z, y, x = np.indices(shape)
    labels = (1 + y // 12 + 10 * (x // 10) + 0 * z).astype(np.uint32)
    raw = random.integers(60, 120, labels.max() + 1)[labels] + random.integers(0, 30, shape)
    with volume.create(path, "normalize", {"low": 1.0}, []) as file:
        for name, values in ((volume.RAW, raw.astype(np.uint8)), (volume.LABELS, labels)):
            volume.add(file, name, shape, values.dtype, (30, 8, 8))[:] = values
    return path


def shared(factory: pytest.TempPathFactory) -> Path:
    """A folder of all processes that run these tests together."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the tiny config, copied to a folder with an awkward name."""
    name = 'it\'s a "folder"; with ä name'
    made = shared(tmp_path_factory) / "chain"
    with made.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made / "finished").exists():
            status, text = snakemake(made / name, TINY)
            assert status == 0, text
            (made / "finished").touch()
    folder = tmp_path_factory.mktemp("run") / name
    shutil.copytree(made / name, folder)
    return folder
