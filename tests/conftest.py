"""What the tests share: the folder of real volumes, and a run of the whole chain."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from server import Server

from fgnet import volume

ROOT = Path(__file__).parent.parent


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
