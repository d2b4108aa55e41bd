"""Centre lines of labels: known shapes, nodes on their neuron, real neurons against kimimaro."""

import itertools
import json
import subprocess
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from conftest import ROOT, normalized
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from test_run_length import brute

from fgnet import skeletons, volume
from fgnet.errors import InputError
from fgnet.evaluate import centrelines
from fgnet.evaluate import skeletons as evaluated
from fgnet.evaluate.centrelines import derive, grid_step
from fgnet.evaluate.thinning import centre_line
from fgnet.evaluate.tree import lengths
from fgnet.run_length import sweep
from fgnet.settings.evaluate import RunLength
from fgnet.skeletons import Skeletons


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


def whole(labels: np.ndarray) -> Any:
    return tuple(slice(0, size) for size in labels.shape)


def test_a_straight_neurite_is_a_straight_line() -> None:
    thing = ball((15, 15, 100), line((7, 7, 10), (7, 7, 90)), 4)
    nodes, edges = centre_line(thing, 0)
    # it ends within a radius of where the balls' centres end
    assert lengths(nodes, edges).sum() == pytest.approx(80, abs=4)
    assert np.ptp(nodes[:, 0]) <= 1 and np.ptp(nodes[:, 1]) <= 1
    assert len(edges) == len(nodes) - 1


@pytest.mark.parametrize("thick", itertools.combinations_with_replacement(range(1, 6), 2))
def test_no_thickness_is_eaten_up(thick: tuple[int, int]) -> None:
    """scikit-image alone leaves nothing of a rod of 2 x 2 or 4 x 4 voxels, or of 1 x 2."""
    for axes in itertools.permutations((*thick, 30)):
        nodes, edges = centre_line(np.ones(axes, bool), 0)
        assert np.ptp(nodes, axis=0).max() >= 28 - max(thick)
        assert len(edges) == len(nodes) - 1
    # one voxel thick and slanting, so that its voxels touch by corners
    nodes, edges = centre_line(np.eye(20, dtype=bool)[:, :, None].repeat(1, 2), 0)
    assert len(nodes) >= 18 and len(edges) == len(nodes) - 1


@pytest.mark.parametrize("thick", [1, 2, 3, 4])
def test_no_branch_is_eaten_up(thick: int) -> None:
    thing = ball((20, 60, 60), line((10, 12, 5), (10, 12, 55)), 5)
    thing[10 : 10 + thick, 12:58, 30 : 30 + thick] = True
    nodes, edges = centre_line(thing, 3)
    degree = np.bincount(edges.ravel())
    assert sorted(degree[degree != 2].tolist()) == [1, 1, 1, 3]
    assert nodes[:, 1].max() >= 53 and len(edges) == len(nodes) - 1
    assert lengths(nodes, edges).sum() == pytest.approx(50 + 45, abs=8)


def test_a_branch_is_kept_and_a_bump_is_not() -> None:
    trunk, branch, bump = (line((10, 30, 5), (10, 30, 95)), line((10, 30, 50), (10, 55, 50)),
                           line((10, 30, 30), (10, 22, 30)))  # fmt: skip
    straight, _ = centre_line(ball((21, 60, 100), trunk, 3), 5)
    nodes, edges = centre_line(
        ball((21, 60, 100), trunk, 3) | ball((21, 60, 100), [*branch, *bump], 2), 5
    )
    assert nodes[:, 1].max() >= 53 and nodes[:, 1].min() >= 26
    degree = np.bincount(edges.ravel())
    assert sorted(degree[degree != 2].tolist()) == [1, 1, 1, 3]
    assert lengths(nodes, edges).sum() == pytest.approx(len(straight) + 25, abs=4)
    # the bump reaches 8 voxels from the centre line of a trunk of radius 3
    nodes, _ = centre_line(ball((21, 60, 100), trunk, 3) | ball((21, 60, 100), bump, 2), 0)
    assert nodes[:, 1].min() < 26


def test_a_ring_is_opened_and_counts_once() -> None:
    turn = np.linspace(0, 2 * np.pi, 200)
    places = np.stack([0 * turn + 7, 40 + 30 * np.sin(turn), 40 + 30 * np.cos(turn)], 1)
    nodes, edges = centre_line(ball((15, 81, 81), places, 3), 0)
    assert len(edges) == len(nodes) - 1
    # steps to 26 neighbours are up to 8 % longer than the circle
    assert 0.97 < lengths(nodes, edges).sum() / (2 * np.pi * 30) < 1.08


def test_holes_leave_no_bubbles_and_no_node() -> None:
    thing = ball((15, 15, 100), line((7, 7, 10), (7, 7, 90)), 4)
    solid, edges = centre_line(thing, 0)
    hollow = thing.copy()
    hollow[7, 7, 20:80:7] = False
    hollow[6:9, 6:9, 50:53] = False
    nodes, again = centre_line(hollow, 0)
    assert hollow[tuple(nodes.T)].all()
    assert lengths(nodes, again).sum() == pytest.approx(lengths(solid, edges).sum(), rel=0.15)


def test_what_is_small_has_no_line() -> None:
    labels = np.zeros((9, 9, 20), np.uint64)
    labels[4, 4, 2:17] = 2**40
    labels[1, 1, 1] = 7
    labels[6:, 6:, 4:7] = 8
    found = derive(labels, whole(labels), (10, 10, 10), (0, 0, 0), RunLength(grid=10, spur=10))
    assert found.neurons.tolist() == [2**40] * len(found.neurons)
    assert found.record["neurons"] == 3 and found.record["without_line"] == 2
    assert found.record["share_without_line"] == pytest.approx(28 / 43)
    nothing = derive(0 * labels, whole(labels), (10, 10, 10), (0, 0, 0), RunLength())
    assert len(nothing.nodes) == 0 and nothing.record["share_without_line"] == 0


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
    ("size", "grid"),
    [((10, 10, 10), None), ((10, 10, 10), 10), ((30, 8, 8), None), ((40, 4, 4), 9.7)],
)
def test_nodes_lie_on_their_neuron_and_lines_are_trees(size: Any, grid: float | None) -> None:
    labels, offset = blobs(1), (400.0, -33.3, 2.0**27 + 1)
    region = (slice(3, 24), slice(5, 60), slice(0, 61))
    found = derive(labels, region, size, offset, RunLength(grid=grid))
    place = skeletons.voxels(found.nodes, size, offset)
    assert len(found.nodes) > 20
    assert np.array_equal(labels[tuple(place.T)], found.neurons)
    for cut, axis in zip(region, place.T, strict=True):
        assert cut.start <= axis.min() and axis.max() < cut.stop
    assert len(found.edges) == len(found.nodes) - 1 - skeletons.components(found).max()
    assert np.array_equal(*found.neurons[found.edges].T)


def test_blocks_change_nothing_and_a_mask_hides(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, size = blobs(2), (10.0, 10.0, 10.0)
    mask = np.ones(labels.shape, np.uint8)
    mask[:, :, 40:] = 0
    found = derive(labels, whole(labels), size, (0, 0, 0), RunLength(grid=20), mask)
    assert found.nodes[:, 2].max() < 400
    hidden = derive(labels * mask, whole(labels), size, (0, 0, 0), RunLength(grid=20))
    monkeypatch.setattr(centrelines, "BLOCK", (5, 11, 13))
    again = derive(labels, whole(labels), size, (0, 0, 0), RunLength(grid=20), mask)
    assert set_of(found) == set_of(hidden) == set_of(again)
    assert found.record == hidden.record == again.record


def set_of(lines: Skeletons) -> set[Any]:
    """The edges by their places."""
    ends = lines.nodes[lines.edges].tolist()
    return {(int(n), *sorted(map(tuple, pair)))
            for n, pair in zip(lines.neurons[lines.edges[:, 0]], ends, strict=True)}  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(arrays(bool, (5, 6, 7), elements=st.booleans()), st.sampled_from([0.0, 2.0]))
def test_any_object_gives_trees_of_its_own_voxels(thing: np.ndarray, spur: float) -> None:
    labels = thing.astype(np.uint32)
    found = derive(labels, whole(labels), (1, 1, 1), (0, 0, 0), RunLength(grid=1, spur=spur))
    place = skeletons.voxels(found.nodes, (1, 1, 1), (0, 0, 0))
    assert labels[tuple(place.T)].all()
    if len(found.nodes):
        assert len(found.edges) == len(found.nodes) - 1 - skeletons.components(found).max()


def test_the_default_grid() -> None:
    sizes = ((10, 10, 10), (8, 8, 8), (30, 8, 8), (50, 4, 4), (40, 32, 32), (64, 64, 64))
    assert [grid_step(size) for size in sizes] == [40, 32, 32, 50, 40, 64]


def test_the_step_of_the_stage_derives_where_none_are_given(tmp_path: Path) -> None:
    source = normalized(tmp_path / "v.h5", (16, 40, 50))
    box = json.dumps({"z": [2, 12], "y": [0, 24]})
    evaluated.run(source, tmp_path / "lines.h5", '{"grid": 30, "spur": 0}', box)
    with volume.opened(tmp_path / "lines.h5") as file, volume.opened(source) as labelled:
        found, labels = skeletons.read(file), labelled[volume.LABELS][()]
        assert volume.made_by(file)["settings"] == {"grid": 30, "spur": 0, "tolerance": 100}
    place = skeletons.voxels(found.nodes, (30, 8, 8), (0, 0, 0))
    assert np.array_equal(labels[tuple(place.T)], found.neurons)
    # ten columns of 12 x 10 voxels stand in the box, each with a line through its sections
    assert len(np.unique(found.neurons)) == 10
    assert np.array_equal(np.unique(place[:, 0])[[0, -1]], [2, 11]) or np.ptp(place[:, 0]) >= 7
    with h5py.File(source, "a") as file:
        del file[volume.LABELS]
    with pytest.raises(InputError, match="has neither skeletons nor labels"):
        evaluated.run(source, tmp_path / "lines.h5", "{}")


def fib25(data: Path) -> dict[str, np.ndarray]:
    with h5py.File(data / "fib25_ts2_z000-168.h5") as file:
        names = ("neuron_ids", "ffn_segmentation", "supervoxels")
        return {name: file[f"volumes/labels/{name}"][()] for name in names}


@pytest.mark.slow
def test_real_neurons(data: Path) -> None:
    """FIB-25: perfect labels are perfect, and the segmentations rank as their errors say."""
    layers = fib25(data)
    labels, size = layers["neuron_ids"], (10.0, 10.0, 10.0)
    found = derive(labels, whole(labels), size, (0, 0, 0), RunLength())
    place = tuple(skeletons.voxels(found.nodes, size, (0, 0, 0)).T)
    assert np.array_equal(labels[place], found.neurons)
    assert found.record["neurons"] == 393
    assert found.record["share_without_line"] < 0.01
    scored = {}
    for name, layer in layers.items():
        ids, fragments = np.unique(np.concatenate([[0], layer[place]]), return_inverse=True)
        (scored[name],) = sweep(found, fragments[1:], [np.arange(len(ids))], 100)
        assert scored[name].erl() == pytest.approx(brute(found, fragments[1:], 100)["erl"])
    assert scored["neuron_ids"].normalised() == pytest.approx(1, abs=1e-12)
    assert scored["neuron_ids"].mergers == 0
    # the published segmentation leaves 11 % of the voxels out, the supervoxels none
    assert 0.1 < scored["ffn_segmentation"].normalised() < 0.5
    assert scored["ffn_segmentation"].erl() > 3 * scored["supervoxels"].erl()
    assert scored["ffn_segmentation"].shares()["omitted"] > 0.1
    assert scored["supervoxels"].shares()["omitted"] < 0.01


KIMIMARO = """
import json, sys, h5py, kimimaro, numpy
with h5py.File(sys.argv[1]) as file:
    labels = file["volumes/labels/neuron_ids"][2::4, 2::4, 2::4]
lines = kimimaro.skeletonize(
    numpy.asfortranarray(labels), teasar_params={"scale": 1.5, "const": 300},
    anisotropy=(40, 40, 40), dust_threshold=16, progress=False, parallel=1,
)
found = [[int(n), (s.vertices + 20).tolist(), s.edges.tolist()] for n, s in lines.items()]
print(json.dumps(found))
"""


@pytest.mark.slow
def test_lines_are_as_long_as_those_of_kimimaro(data: Path) -> None:
    """Another algorithm (TEASAR) of another hand, on the same voxels; GPL, so it runs outside."""
    python = ROOT / ".venv-skeletons/bin/python"
    if not python.is_file():
        pytest.skip("there is no .venv-skeletons: make .venv-skeletons/installed")
    path = data / "fib25_ts2_z000-168.h5"
    done = subprocess.run(
        [python, "-c", KIMIMARO, path], capture_output=True, text=True, check=True
    )
    theirs = skeletons.gathered(json.loads(done.stdout), {})
    layers = fib25(data)
    labels, size = layers["neuron_ids"], (10.0, 10.0, 10.0)
    # theirs leaves out what lies within 300 nm and 1.5 radii of a line, ours within 300 nm and one
    ours = derive(labels, whole(labels), size, (0, 0, 0), RunLength(spur=300))
    assert ours.lengths().sum() == pytest.approx(theirs.lengths().sum(), rel=0.1)
    scored = {}
    for name, lines in (("ours", ours), ("theirs", theirs)):
        place = tuple(skeletons.voxels(lines.nodes, size, (0, 0, 0)).T)
        assert (labels[place] == lines.neurons).all(), name
        ids, fragments = np.unique(
            np.concatenate([[0], layers["ffn_segmentation"][place]]), return_inverse=True
        )
        (scored[name],) = sweep(lines, fragments[1:], [np.arange(len(ids))], 100)
        print(name, lines.lengths().sum(), scored[name].erl(), scored[name].normalised())
    assert scored["ours"].normalised() == pytest.approx(scored["theirs"].normalised(), abs=0.05)
