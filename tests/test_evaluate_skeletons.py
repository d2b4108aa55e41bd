"""Skeletons derived from labels by kimimaro: known shapes, nodes on their neuron, real neurons."""

import itertools
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from chain import changed, planned, snakemake
from conftest import ROOT, normalized
from test_run_length import brute

from fgnet import skeletons, volume
from fgnet.errors import InputError
from fgnet.evaluate import skeletons as evaluated
from fgnet.metrics.run_length import sweep
from fgnet.settings.evaluate import Choosing, Evaluate
from fgnet.skeletons import Skeletons

NM = (10.0, 10.0, 10.0)


@pytest.fixture
def kimimaro(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the GPL programs, at the end of PATH."""
    there = ROOT / ".venv-skeletons/bin"
    if not there.is_dir():
        pytest.skip("there is no .venv-skeletons: make .venv-skeletons/installed")
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}{os.pathsep}{there}")
    return there


def derived(
    folder: Path, labels: np.ndarray, size: Any = NM, offset: Any = (0, 0, 0), mask: Any = None,
    box: Any = None, **settings: Any,
) -> Skeletons:  # fmt: skip
    """What the step writes of these labels."""
    with volume.create(folder / "labels.h5", "normalize", {}, []) as file:
        for name, values in ((volume.LABELS, labels), (volume.MASK, mask)):
            if values is not None:
                data = volume.add(file, name, values.shape, values.dtype, size, offset)
                data[:] = values
    output = folder / "evaluate/lines.h5"
    evaluated.run(folder / "labels.h5", output, json.dumps(settings), json.dumps(box or {}))
    assert [path.name for path in output.parent.iterdir()] == ["lines.h5"]
    with volume.opened(output) as file:
        return skeletons.read(file)


def ball(shape: tuple[int, int, int], places: Any, radius: float) -> np.ndarray:
    """Balls around places, as of a thick line."""
    thing = np.zeros(shape, bool)
    grid = np.indices(shape)
    for place in places:
        thing |= ((grid - np.array(place)[:, None, None, None]) ** 2).sum(0) <= radius**2
    return thing


def line(*ends: tuple[int, int, int]) -> list[Any]:
    """Places along straight pieces between points."""
    return [
        np.array(a) + (np.array(b) - a) * t
        for a, b in itertools.pairwise(ends)
        for t in np.linspace(0, 1, 80)
    ]


def trees(found: Skeletons) -> bool:
    """No ring, and both nodes of an edge of one neuron."""
    count = len(found.nodes) - 1 - skeletons.components(found).max()
    return len(found.edges) == count and np.array_equal(*found.neurons[found.edges].T)


def test_known_lengths(tmp_path: Path, kimimaro: Path) -> None:
    """A straight neurite, and one with a branch and a bump."""
    labels = np.zeros((21, 90, 100), np.uint64)
    trunk = ball(labels.shape, line((10, 20, 10), (10, 20, 90)), 3)
    branched = ball(labels.shape, line((10, 50, 10), (10, 50, 90)), 3)
    branched |= ball(labels.shape, line((10, 50, 50), (10, 75, 50)), 2)
    branched |= ball(labels.shape, line((10, 50, 30), (10, 44, 30)), 2)
    labels[trunk], labels[branched] = 2**40, 2**64 - 1
    found = derived(tmp_path, labels, grid=10, const=50)
    neuron = found.neurons[found.edges[:, 0]]
    assert np.array_equal(np.unique(neuron), np.array([2**40, 2**64 - 1], np.uint64))
    assert trees(found) and skeletons.components(found).max() == 1
    straight, other = (found.lengths()[neuron == one].sum() / 10 for one in np.unique(neuron))
    # lines reach a neuron's ends, a radius beyond where the balls' centres end
    assert straight == pytest.approx(80 + 6, abs=4)
    assert other == pytest.approx(80 + 6 + 25 + 2, abs=6)
    degree = np.bincount(found.edges[neuron == 2**64 - 1].ravel())
    assert sorted(degree[(degree != 2) & (degree != 0)].tolist()) == [1, 1, 1, 3]
    fewer = derived(tmp_path, labels, grid=10, const=500)
    assert np.bincount(fewer.edges.ravel()).max() == 2


def test_a_ring_is_opened_and_counts_once(tmp_path: Path, kimimaro: Path) -> None:
    turn = np.linspace(0, 2 * np.pi, 200)
    places = np.stack([0 * turn + 7, 40 + 30 * np.sin(turn), 40 + 30 * np.cos(turn)], 1)
    found = derived(tmp_path, ball((15, 81, 81), places, 3).astype(np.uint8), grid=10)
    assert trees(found) and skeletons.components(found).max() == 0
    # steps to 26 neighbours are up to 8 % longer than the circle, and it lacks what const covers
    assert 0.8 < found.lengths().sum() / (2 * np.pi * 300) < 1.08


def blobs(seed: int, shape: tuple[int, int, int] = (24, 60, 70)) -> np.ndarray:
    """Labels of ragged neurites, with holes in them."""
    random = np.random.default_rng(seed)
    labels = np.zeros(shape, np.uint32)
    for neuron in range(1, 6):
        ends = [tuple(random.integers(0, shape)) for _ in range(4)]
        labels[ball(shape, line(*ends), random.integers(2, 6))] = neuron * 1000
    labels[random.random(shape) < 0.01] = 0
    return labels


@pytest.mark.parametrize(
    ("size", "grid"), [(NM, None), (NM, 10), ((30, 8, 8), None), ((40, 4, 4), 9.7)]
)
def test_nodes_lie_on_their_neuron_and_lines_are_trees(
    tmp_path: Path, kimimaro: Path, size: Any, grid: float | None
) -> None:
    labels, offset = blobs(1), (400.0, -33.3, 2.0**27 + 1)
    box = {"z": [3, 24], "y": [5, 60], "x": [0, 61]}
    found = derived(tmp_path, labels, size, offset, box=box, grid=grid, const=40)
    place = skeletons.voxels(found.nodes, size, offset)
    assert len(found.nodes) > 20 and trees(found)
    assert np.array_equal(labels[tuple(place.T)], found.neurons)
    for (start, stop), axis in zip(box.values(), place.T, strict=True):
        assert start <= axis.min() and axis.max() < stop


def test_a_soma_with_a_hollow_dendrite_keeps_its_nodes(tmp_path: Path, kimimaro: Path) -> None:
    """kimimaro fills the holes of what is thicker than 1100 nm, and draws lines through them."""
    shape = (40, 40, 70)
    labels = ball(shape, [(20, 20, 20)], 16) | ball(shape, line((20, 20, 20), (20, 20, 65)), 4)
    labels[19:22, 19:22, 40:62:2] = False
    found = derived(tmp_path, labels.astype(np.uint16), (100, 100, 100))
    assert len(found.nodes) > 20 and trees(found)
    place = skeletons.voxels(found.nodes, (100, 100, 100), (0, 0, 0))
    assert labels[tuple(place.T)].all()


def test_a_neuron_inside_another_keeps_its_line(tmp_path: Path, kimimaro: Path) -> None:
    labels = np.ones((15, 15, 60), np.uint8)
    labels[6:9, 6:9, 5:55] = 2
    assert np.unique(derived(tmp_path, labels, grid=10).neurons).tolist() == [1, 2]


def test_blocks_change_nothing_and_a_mask_hides(
    tmp_path: Path, kimimaro: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = blobs(2)
    mask = np.ones(labels.shape, np.uint8)
    mask[:, :, 40:] = 0
    found = derived(tmp_path, labels, mask=mask, grid=20)
    assert 0 < found.nodes[:, 2].max() < 400
    hidden = derived(tmp_path, labels * mask, grid=20)
    monkeypatch.setattr(evaluated, "BLOCK", (5, 11, 13))
    again = derived(tmp_path, labels, mask=mask, grid=20)
    for other in (hidden, again):
        assert np.array_equal(found.nodes, other.nodes)
        assert np.array_equal(found.edges, other.edges)
        assert found.record == other.record


def test_what_is_small_has_no_line(tmp_path: Path, kimimaro: Path) -> None:
    labels = np.zeros((9, 9, 20), np.uint64)
    labels[4, 4, 2:17] = 2**40
    labels[1, 1, 1] = 7
    labels[6:, 6:, 4:7] = 8
    labels[6, 6, 4] = 0
    # 15 points of the grid are enough
    found = derived(tmp_path, labels, grid=10, min_voxels=15, const=20)
    assert np.unique(found.neurons).tolist() == [8, 2**40]
    found = derived(tmp_path, labels[:, :6], grid=10, min_voxels=15)
    assert found.neurons.tolist() == [2**40] * 15
    assert found.record["neurons"] == 2 and found.record["without_line"] == 1
    assert found.record["share_without_line"] == pytest.approx(1 / 16)
    nothing = derived(tmp_path, 0 * labels)
    assert len(nothing.nodes) == 0 and nothing.record["share_without_line"] == 0


def program(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A stand-in for kimimaro."""
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")
    (folder / "kimimaro").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "kimimaro").chmod(0o755)


def test_the_default_grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, monkeypatch, "mkdir lines")
    sizes = (NM, (8, 8, 8), (30, 8, 8), (50, 4, 4), (40, 32, 32), (64, 64, 64))
    labels = np.ones((2, 3, 4), np.uint8)
    steps = [derived(tmp_path, labels, size).record["grid"] for size in sizes]
    assert steps == [40, 32, 32, 50, 40, 64]


def test_what_is_wrong_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, output = normalized(tmp_path / "v.h5", (4, 20, 20)), tmp_path / "out/lines.h5"
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"kimimaro is not on PATH; run with --use-conda, or"):
        evaluated.run(source, output, "{}")
    program(tmp_path, monkeypatch, "exit 3")
    with pytest.raises(InputError, match=r"kimimaro forge grid.npy .* ended with status 3"):
        evaluated.run(source, output, "{}")
    with h5py.File(source, "a") as file:
        del file[volume.LABELS]
    with pytest.raises(InputError, match=r"labels"):
        evaluated.run(source, output, "{}")
    assert not list(output.parent.iterdir())


def test_the_environment_of_the_program_has_what_the_step_needs(
    tmp_path: Path, kimimaro: Path
) -> None:
    source, output = normalized(tmp_path / "v.h5", (16, 40, 50)), tmp_path / "lines.h5"
    subprocess.run(
        [kimimaro / "python", "-m", "fgnet.evaluate", "skeletons", "--labels", source, "--output",
         output, "--settings", '{"grid": 30, "const": 0}', "--box", '{"z": [2, 12], "y": [0, 24]}',
         "--workers", "2"],
        check=True, cwd=ROOT, env={**os.environ, "PATH": str(kimimaro)},
    )  # fmt: skip
    with volume.opened(output) as file, volume.opened(source) as labelled:
        found, labels = skeletons.read(file), labelled[volume.LABELS][()]
    place = skeletons.voxels(found.nodes, (30, 8, 8), (0, 0, 0))
    assert np.array_equal(labels[tuple(place.T)], found.neurons)
    # ten columns of 12 x 10 voxels stand in the box, each with a line through its sections
    assert len(np.unique(found.neurons)) == 10 and found.record["without_line"] == 0
    assert place[:, 0].min() == 2 and place[:, 0].max() == 11


@pytest.mark.workflow
def test_the_rule_depends_on_its_own_settings(tmp_path: Path, kimimaro: Path) -> None:
    """Neither does the choice of the threshold depend on them."""
    output = "results/evaluate/skeletons/test.h5"
    wanted = {"const": 100, "min_voxels": 2}
    status, text = snakemake(tmp_path, changed(evaluate={"skeletons": wanted}), output)
    assert status == 0, text
    with volume.opened(tmp_path / output) as file:
        assert len(skeletons.read(file).nodes) > 5
    for section, rules in (
        ({"skeletons": wanted, "tolerance": 7, "choose_by": "arand"}, set()),
        ({"skeletons": {**wanted, "scale": 2}}, {"evaluate_skeletons"}),
    ):
        status, text = snakemake(tmp_path, changed(evaluate=section), output, "--dry-run")
        assert status == 0 and planned(text) == rules, text
    chosen = Evaluate.checked({"skeletons": wanted, "tolerance": 7}).choosing()
    assert chosen.canonical() == Choosing.checked({}).canonical()


@pytest.mark.slow
def test_real_neurons(tmp_path: Path, kimimaro: Path, data: Path) -> None:
    """FIB-25: perfect labels are perfect, and the segmentations rank as their errors say."""
    with h5py.File(data / "fib25_ts2_z000-168.h5") as file:
        names = ("neuron_ids", "ffn_segmentation", "supervoxels")
        layers = {name: file[f"volumes/labels/{name}"][()] for name in names}
    found = derived(tmp_path, layers["neuron_ids"])
    place = tuple(skeletons.voxels(found.nodes, NM, (0, 0, 0)).T)
    assert np.array_equal(layers["neuron_ids"][place], found.neurons)
    assert found.record["neurons"] == 393
    assert found.record["share_without_line"] < 0.01
    scored = {}
    for name, layer in layers.items():
        ids, fragments = np.unique(np.concatenate([[0], layer[place]]), return_inverse=True)
        (scored[name],) = sweep(found, fragments[1:], [np.arange(len(ids))], 100)
        assert scored[name].erl() == pytest.approx(brute(found, fragments[1:], 100)["erl"])
        print(name, found.lengths().sum(), scored[name].erl(), scored[name].normalised(),
              scored[name].shares(), found.record)  # fmt: skip
    assert scored["neuron_ids"].normalised() == pytest.approx(1, abs=1e-12)
    assert scored["neuron_ids"].mergers == 0
    # the published segmentation leaves 11 % of the voxels out, the supervoxels none
    assert 0.1 < scored["ffn_segmentation"].normalised() < 0.5
    assert scored["ffn_segmentation"].erl() > 3 * scored["supervoxels"].erl()
    assert scored["ffn_segmentation"].shares()["omitted"] > 0.1
    assert scored["supervoxels"].shares()["omitted"] < 0.01
