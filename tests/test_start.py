"""Jobs that do little import little, and a checkpoint is read without torch as with it."""

import ast
import importlib.util
import json
import pickle
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from runpy import run_path
from typing import Any

import numpy as np
import pytest
import torch
from chain import ROOT

from fgnet import checkpoint, joined, pickled, volume
from fgnet.agglomerate import flood, hierarchy, regions, seeds
from fgnet.errors import InputError
from fgnet.evaluate import loops as counted
from fgnet.model.build import build
from fgnet.settings.network import SuperHumanNetwork

# slow to import, and needed where a network runs, a chart is drawn or such a layer is read
HEAVY = {"torch", "matplotlib", "scipy.stats", "sam2", "tensorstore", "cloudvolume", "requests"}
JOB = """
import sys
from runpy import run_module

sys.argv[0] = "job"
try:
    run_module(sys.argv.pop(1), run_name="__main__")
except SystemExit as end:
    assert not end.code, end.code
print("imported:", *sys.modules)
"""


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with weights of several dtypes, one of them a view."""
    settings = SuperHumanNetwork(filters=(4, 6, 8), strides=((1, 2, 2), (1, 2, 2)))
    weights: dict[str, torch.Tensor] = dict(build(settings, 2).state_dict())
    weights |= {
        "of eight": torch.arange(8).reshape(2, 4)[:, 1:3].T, "none": torch.zeros(0, 3),
        "half": torch.ones(3, dtype=torch.bfloat16), "one": torch.tensor(1.5),
        "yes": torch.tensor([True]),
    }  # fmt: skip
    path = tmp_path_factory.mktemp("given") / "checkpoint.pt"
    checkpoint.save(
        path,
        checkpoint.Checkpoint(
            network=settings.model_dump(mode="json"), offsets=[(-1, 0, 0), (0, -3, 0)],
            crop=(4, 32, 32), voxel_size=(30.0, 8.0, 8.0), normalize={"low": 1.0, "per": None},
            training={"ä": [1 << 40, -(1 << 70), 300, 70000, True], "empty": []}, step=7,
            weights=weights, classes=["a"],
        ),
    )  # fmt: skip
    return path


@pytest.mark.parametrize(
    "name", ["torch", "snakemake", "numba", "matplotlib", "transformers.models.sam"]
)
def test_installation_compiles_what_jobs_load(name: str) -> None:
    """Each job would compile it again where PYTHONDONTWRITEBYTECODE is set.

    Modules that no test loads are compiled as well, so tests that ran before cannot have done it.
    """
    found = importlib.util.find_spec(name)
    assert found is not None and found.submodule_search_locations
    (folder,) = map(Path, found.submodule_search_locations)
    modules = [one for one in folder.rglob("*.py") if not {"test", "tests"} & set(one.parts)]
    assert modules
    for one in modules:
        if not Path(importlib.util.cache_from_source(str(one))).is_file():
            with pytest.raises(SyntaxError):  # it is for a later Python
                ast.parse(one.read_bytes())


def test_installation_compiles_the_loops_of_both_stages(tmp_path: Path) -> None:
    """Each loop is called: by a stage, or by another loop, with which it is compiled."""
    run_path(str(ROOT / "envs/compiled.py"))["run"](tmp_path)
    modules = (flood, hierarchy, regions, seeds, counted)
    loops = {name: one for module in modules for name, one in vars(module).items()
             if hasattr(one, "py_func")}  # fmt: skip
    by_loops = {name for one in loops.values() for name in one.py_func.__code__.co_names}
    assert len(loops) > 20
    assert {name for name, one in loops.items() if not one.signatures} <= by_loops


def imported(folder: Path, module: str, *arguments: str) -> set[str]:
    """The modules that a job has imported when it is done."""
    done = subprocess.run(
        [sys.executable, "-c", JOB, module, *arguments], cwd=folder, capture_output=True,
        text=True, check=False, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def test_joining_pieces(tmp_path: Path) -> None:
    for number in range(2):
        with volume.create(tmp_path / f"{number}-of-2.h5", "infer", {}, []) as file:
            joined.mark(file, [(4 * number, 4 * number + 4), (0, 8), (0, 8)], (8, 8, 8))
            volume.add(file, volume.AFFINITIES, (3, 4, 8, 8), "uint8", (9, 9, 9))[:] = number
    arguments = ["join", "--first", "0-of-2.h5", "--output", "all.h5"]
    assert not HEAVY & imported(tmp_path, "fgnet.infer", "--ledger", "l.json", *arguments)
    with volume.opened(tmp_path / "all.h5") as file:
        data = volume.dataset(file, volume.AFFINITIES, "czyx")
        assert np.array_equal(data[0, :, 0, 0], [0] * 4 + [1] * 4)


def test_choosing_a_threshold(tmp_path: Path) -> None:
    arguments = ["choose", "--output", "threshold.json", "--settings", '{"threshold": 0.5}']
    assert not HEAVY & imported(tmp_path, "fgnet.evaluate", "--ledger", "l.json", *arguments)
    assert json.loads((tmp_path / "threshold.json").read_text())["threshold"] == 0.5


def test_making_a_phantom(tmp_path: Path) -> None:
    settings = json.dumps({"volume": {"phantom": {"shape": [4, 32, 32], "seed": 1}}})
    arguments = ["volume", "--volume", "v", "--output", "v.h5", "--settings", settings]
    assert not HEAVY & imported(tmp_path, "fgnet.download", "--ledger", "l.json", *arguments)
    with volume.opened(tmp_path / "v.h5") as file:
        assert volume.dataset(file, volume.RAW).shape == (4, 32, 32)


def test_taking_a_checkpoint(tmp_path: Path, given: Path) -> None:
    names = ("output", "last", "history", "made-by", "augmentations", "examples")
    arguments = [word for name in names for word in (f"--{name}", name)]
    settings = json.dumps({"checkpoint": str(given)})
    assert not HEAVY & imported(
        tmp_path, "fgnet.train", "--ledger", "l.json", *arguments, "--settings", settings
    )
    assert {path.name for path in tmp_path.iterdir()} == {*names, "l.json", "environments"}
    for name in ("output", "last"):
        assert (tmp_path / name).read_bytes() == given.read_bytes()
    for name in ("augmentations", "examples"):
        with volume.opened(tmp_path / name) as file:
            assert len(file) == 0
    assert (tmp_path / "history").read_text().startswith("step,")


def test_a_checkpoint_is_read_without_torch_as_with_it(given: Path) -> None:
    found, whole = pickled.read(given), checkpoint.load(given)
    counts = {name: one.numel() for name, one in whole.weights.items()}
    assert {name: one.count for name, one in found["weights"].items()} == counts
    assert checkpoint.without_weights(given) == replace(whole, weights={})


def rewritten(source: Path, path: Path, change: Any, **options: Any) -> None:
    """A copy of a file of torch's with another pickle, its checksums right."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w", **options) as new:
        for one in old.infolist():
            content = old.read(one)
            new.writestr(
                one.filename, change(content) if one.filename.endswith("data.pkl") else content
            )


def called(module: str, name: str, arguments: bytes = b")") -> bytes:
    """A pickle of a dict with the format of ours, and with a call in it."""
    start = b"\x80\x02}(X\x06\x00\x00\x00formatX\x12\x00\x00\x00fgnet checkpoint 1"
    return start + b"X\x01\x00\x00\x00xc" + f"{module}\n{name}\n".encode() + arguments + b"Ru."


@pytest.mark.parametrize(
    "how",
    ["cut", "a bit of a number", "another pickle", "a call", "a call by its stack", "a state",
     "no checkpoint", "no step", "more", "beyond its numbers", "fewer numbers", "packed", "text",
     "missing"],
)  # fmt: skip
def test_what_is_no_plain_checkpoint_torch_judges(tmp_path: Path, given: Path, how: str) -> None:
    """The sentence is that of :func:`checkpoint.load`, and nothing in the file has run."""
    path, ran = tmp_path / "checkpoint.pt", tmp_path / "ran"
    good = given.read_bytes()
    values = torch.load(given, weights_only=True)
    if how == "cut":
        path.write_bytes(good[:-1000])
    elif how == "a bit of a number":
        at = good.index(b"X\x04\0\0\0step") + len(b"X\x04\0\0\0stepq\0K")
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
    elif how == "another pickle":
        path.write_bytes(pickle.dumps(values["step"]))
    elif how == "a call":
        argument = f"(X{chr(len(str(ran)))}\0\0\0{ran}t".encode()
        rewritten(given, path, lambda _: called("os", "mkdir", argument))
    elif how == "a call by its stack":  # instructions that name what they call on the stack
        argument = f"X\x02\0\0\0osX\x05\0\0\0mkdir\x93X{chr(len(str(ran)))}\0\0\0{ran}\x85R."
        rewritten(given, path, lambda _: b"\x80\x04" + argument.encode())
    elif how == "a state":
        state = b"\x80\x02ccollections\nOrderedDict\n)R}X\x01\0\0\0xK\x01sb."
        rewritten(given, path, lambda _: state)
    elif how == "no checkpoint":
        torch.save({"weights": values["weights"]}, path)
    elif how == "no step":
        torch.save({key: one for key, one in values.items() if key != "step"}, path)
    elif how == "more":
        torch.save({**values, "more": 1}, path)
    elif how == "beyond its numbers":
        # the view of eight numbers begins at the second one, and now at the 256th
        old, new = b"K\x01K\x02K\x02\x86", b"K\xffK\x02K\x02\x86"
        rewritten(given, path, lambda text: changed(text, old, new))
    elif how == "fewer numbers":
        shorter(given, path)
    elif how == "packed":
        rewritten(given, path, lambda text: text, compression=zipfile.ZIP_DEFLATED)
    elif how == "text":
        path.write_text("text")
    assert pickled.read(path) is None or how in ("no checkpoint", "no step", "more")

    def told(read: Any) -> str:
        try:
            found = read(path)
        except InputError as error:
            return str(error)
        return f"{found.step} steps"

    sentence = told(checkpoint.load)
    assert told(checkpoint.without_weights) == sentence and not ran.exists()
    assert (sentence == "7 steps") == (how == "packed"), sentence


def changed(text: bytes, old: bytes, new: bytes) -> bytes:
    """The text with another part, which is there once or more."""
    assert old in text
    return text.replace(old, new)


def shorter(source: Path, path: Path) -> None:
    """A copy in which the first tensor's numbers have lost their last byte."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for one in old.infolist():
            content = old.read(one)
            new.writestr(
                one.filename, content[:-1] if one.filename.endswith("/data/0") else content
            )


def test_a_pickle_cannot_claim_more_than_it_holds() -> None:
    """A place in memory far away, a tuple of nothing, no end: no more than an error."""
    for text in (
        b"\x80\x02Nr\xff\xff\xff\xffh\x01.",
        b"\x80\x02t.",
        b"\x80\x02N",
        b".",
        b"\x80\x02NN.",
    ):
        with pytest.raises(Exception):  # noqa: B017
            pickled.followed(text, {}, "")
    assert pickled.followed(b"\x80\x02Nr\xff\xff\xff\xffj\xff\xff\xff\xff\x86.", {}, "") == (
        None,
        None,
    )
