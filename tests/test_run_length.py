"""Expected run length: known answers, a second way to it, and what must hold for any graph."""

from typing import Any

import networkx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fgnet.metrics.run_length import Runs, sweep
from fgnet.skeletons import Skeletons, gathered

ITSELF = np.arange(100)


def straight(neuron: int, *steps: float, y: float = 0) -> tuple[int, Any, Any]:
    """A neuron along x with edges of these lengths."""
    x = np.concatenate([[0], np.cumsum(steps)])
    nodes = np.stack([0 * x, 0 * x + y, x], 1)
    return neuron, nodes, np.stack([np.arange(len(steps)), np.arange(len(steps)) + 1], 1)


def runs(lines: Skeletons, segments: Any, tolerance: float = 0.0) -> Runs:
    (found,) = sweep(lines, np.array(segments), [ITSELF], tolerance)
    return found


# 300 nm and 100 nm: perfect is (300^2 + 100^2) / 400 = 250
TWO = gathered([straight(7, 100, 100, 100), straight(2**40, 100, y=50)], {})


@pytest.mark.parametrize(
    ("segments", "erl", "with_mergers", "shares"),
    [
        # correct, merged, split, omitted
        ([1, 1, 1, 1, 2, 2], 250, 250, [4, 0, 0, 0]),
        ([5, 5, 6, 6, 2, 2], 75, 75, [3, 0, 1, 0]),  # (3 * 100^2) / 400
        ([1, 2, 3, 4, 5, 6], 0, 0, [0, 0, 4, 0]),
        ([1, 1, 1, 1, 1, 1], 0, 250, [0, 4, 0, 0]),
        ([1, 1, 3, 3, 1, 1], 25, 75, [1, 2, 1, 0]),
        ([1, 1, 1, 1, 2, 1], 0, 225, [0, 3, 1, 0]),  # one node of the other is a merger
        ([0, 0, 0, 0, 2, 2], 25, 25, [1, 0, 0, 3]),  # 0 is no segment and no merger
        ([0, 0, 0, 0, 0, 0], 0, 0, [0, 0, 0, 4]),
        ([1, 0, 1, 1, 2, 2], 50, 50, [2, 0, 0, 2]),
        ([1, 1, 2, 1, 3, 3], 50, 50, [2, 0, 2, 0]),  # a run need not be contiguous, see below
        ([1, 1, 1, 1, 0, 1], 0, 225, [0, 3, 0, 1]),
    ],
)
def test_known_answers(
    segments: list[int], erl: float, with_mergers: float, shares: list[int]
) -> None:
    found = runs(TWO, segments)
    assert found.erl() == pytest.approx(erl)
    assert found.erl_with_mergers() == pytest.approx(with_mergers)
    assert found.normalised() == pytest.approx(erl / 250)
    assert found.neurons.tolist() == [7, 2**40]
    assert list(found.shares().values()) == pytest.approx([part / 4 for part in shares])


def test_a_run_is_all_path_of_a_neuron_in_a_segment() -> None:
    """Also where the segment leaves the neuron and comes back."""
    line = gathered([straight(1, 10, 10, 10, 10, 10)], {})
    # edges 0-1 and 3-4, 4-5 are in segment 1: (10 + 20)^2 / 50
    assert runs(line, [1, 1, 2, 1, 1, 1]).erl() == pytest.approx(900 / 50)


def test_a_merger_holds_the_tolerance_of_two_neurons() -> None:
    """Half of each edge at a node counts: node 4 stands for 50 nm of the second neuron."""
    touched = [1, 1, 1, 1, 1, 2]
    assert runs(TWO, touched, 50).mergers == 1
    found = runs(TWO, touched, 50.1)
    assert found.mergers == 0 and found.erl() == pytest.approx(90000 / 400)
    # a third neuron below the tolerance loses its run in a merger of two others
    three = gathered([straight(1, 100), straight(2, 100), straight(3, 10, 10, 80)], {})
    assert runs(three, [1, 1, 1, 1, 1, 1, 2, 2], 20).squares.tolist() == [0, 0, 6400]
    assert runs(three, [1, 1, 2, 2, 1, 1, 3, 4], 20).squares.tolist() == [10000, 10000, 100]


def test_what_has_no_path_has_no_run_length() -> None:
    alone = gathered([(1, [[0, 0, 0]], [])], {})
    with pytest.raises(ValueError, match="no path"):
        runs(alone, [1])
    with pytest.raises(ValueError, match="no path"):
        runs(gathered([], {}), [])
    with pytest.raises(ValueError, match="5 fragments for 6 nodes"):
        runs(TWO, [1] * 5)
    # beside others it does not count
    some = gathered([straight(1, 10), (2, [[0, 0, 0]], [])], {})
    assert runs(some, [1, 1, 1]).neurons.tolist() == [1]


@st.composite
def cases(draw: st.DrawFn) -> tuple[Skeletons, np.ndarray, list[np.ndarray], float]:
    """Random graphs, rings among them, fragments at their nodes, tables and a tolerance."""
    lines = []
    for neuron in range(draw(st.integers(1, 4))):
        count = draw(st.integers(2, 7))
        place = st.tuples(*[st.integers(0, 5)] * 3)
        nodes = draw(st.lists(place, min_size=count, max_size=count, unique=True))
        end = st.integers(0, count - 1)
        pairs = draw(st.sets(st.tuples(end, end).filter(lambda p: p[0] < p[1]), min_size=1))
        lines.append((neuron + 10, nodes, sorted(pairs)))
    found = gathered(lines, {})
    size = len(found.nodes)
    fragments = np.array(draw(st.lists(st.integers(0, 5), min_size=size, max_size=size)))
    segments = st.lists(st.integers(0, 2**40), min_size=5, max_size=5)
    tables = [np.array([0, *table]) for table in draw(st.lists(segments, min_size=1, max_size=3))]
    return found, fragments, tables, draw(st.sampled_from([0.0, 1.0, 2.5]))


def brute(lines: Skeletons, segments: np.ndarray, tolerance: float) -> dict[str, float]:
    """The run lengths from graphs, an edge at a time."""
    graphs: dict[int, networkx.Graph] = {}
    for (first, second), length in zip(lines.edges.tolist(), lines.lengths(), strict=True):
        graph = graphs.setdefault(int(lines.neurons[first]), networkx.Graph())
        graph.add_edge(first, second, length=length)
    held: dict[int, dict[int, float]] = {}
    for neuron, graph in graphs.items():
        for node, path in graph.degree(weight="length"):
            own = held.setdefault(int(segments[node]), {})
            own[neuron] = own.get(neuron, 0) + path / 2
    mergers = {
        segment for segment, own in held.items()
        if segment and sum(path >= tolerance for path in own.values()) > 1
    }  # fmt: skip
    squares = whole = correct = 0.0
    for graph in graphs.values():
        whole += graph.size("length")
        for segment in {int(segments[node]) for node in graph} - {0} - mergers:
            part = graph.subgraph([node for node in graph if segments[node] == segment])
            squares += part.size("length") ** 2
            correct += part.size("length")
    perfect = sum(graph.size("length") ** 2 for graph in graphs.values()) / whole
    return {"erl": squares / whole, "normalised": squares / whole / perfect,
            "correct": correct / whole, "mergers": len(mergers)}  # fmt: skip


@given(cases())
def test_as_an_independent_way_finds_it(
    case: tuple[Skeletons, np.ndarray, list[np.ndarray], float],
) -> None:
    lines, fragments, tables, tolerance = case
    for found, table in zip(sweep(lines, fragments, tables, tolerance), tables, strict=True):
        wanted = brute(lines, table[fragments], tolerance)
        assert found.mergers == wanted["mergers"]
        assert found.erl() == pytest.approx(wanted["erl"])
        assert found.normalised() == pytest.approx(wanted["normalised"])
        assert found.shares()["correct"] == pytest.approx(wanted["correct"])
        assert sum(found.shares().values()) == pytest.approx(1)
        assert 0 <= found.normalised() <= 1 + 1e-12
        most = (found.path**2).sum() / found.path.sum()
        assert found.erl() <= found.erl_with_mergers() <= most * (1 + 1e-12)


@given(cases(), st.randoms())
def test_what_ids_are_called_does_not_matter(
    case: tuple[Skeletons, np.ndarray, list[np.ndarray], float], random: Any
) -> None:
    lines, fragments, _, tolerance = case
    names = np.array([0, *random.sample(range(1, 2**40), 5)])
    first, second = sweep(lines, fragments, [ITSELF, names], tolerance)
    assert first.erl() == pytest.approx(second.erl())
    assert first.shares() == pytest.approx(second.shares())


@given(cases())
def test_a_perfect_segmentation_and_a_merge_within_a_neuron(
    case: tuple[Skeletons, np.ndarray, list[np.ndarray], float],
) -> None:
    lines, fragments, _, tolerance = case
    whole = lines.neurons.astype(np.int64)
    assert runs(lines, whole, tolerance).normalised() == pytest.approx(1)
    # fragments that lie in one neuron each: joining two of a neuron never lowers the run length
    own = np.where(fragments > 0, fragments + 6 * (whole - 10), 0)
    before = ITSELF.copy()
    for neuron in np.unique(whole):
        parts = np.unique(own[(whole == neuron) & (own > 0)])
        for one in parts[1:]:
            after = before.copy()
            after[after == one] = parts[0]
            less, more = sweep(lines, own, [before, after], tolerance)
            assert more.erl() >= less.erl() - 1e-9
            assert more.normalised() >= less.normalised() - 1e-12
            before = after
    # joining everything into one is the worst where there are two neurons with enough path
    if len(np.unique(whole)) > 1 and tolerance == 0:
        assert runs(lines, np.ones(len(whole), int)).erl() == 0
