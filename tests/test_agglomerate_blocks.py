"""Agglomeration block by block: compiled loops against brute force, and blocks that do not show."""

import heapq
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import waterz
from scipy import ndimage

from fgnet import affinities, joined, metrics, segmentation, volume
from fgnet.affinities import NEAREST
from fgnet.agglomerate import (
    collect,
    fill,
    flood,
    hierarchy,
    index,
    regions,
    seeds,
    stage,
)
from fgnet.agglomerate.job import Job
from fgnet.agglomerate.regions import Graph
from fgnet.errors import InputError
from fgnet.settings.agglomerate import Blocks, Method

FAR = (*NEAREST, (-2, 0, 0), (0, 4, 0), (1, -3, 2))
SECTIONS: dict[str, Any] = {
    "method": "watershed", "per": "section", "inside": 0.5, "smoothing": 2, "rescue": 10
}  # fmt: skip


def random_affinities(shape: Sequence[int], channels: int = 3, seed: int = 0) -> np.ndarray:
    """Smooth noise, so that watersheds have something to find."""
    noise = np.random.default_rng(seed).standard_normal((channels, *shape))
    smooth = np.stack([ndimage.gaussian_filter(one, 1.5) for one in noise])
    return np.clip(smooth / smooth.std() * 60 + 150, 0, 255).astype(np.uint8)


def write(path: Path, values: np.ndarray, offsets: Any = NEAREST) -> Path:
    with volume.create(path, "infer", {}, []) as file:
        data = volume.add(file, volume.AFFINITIES, values.shape, values.dtype, (10, 10, 10))
        data[:] = values
        data.attrs["offsets"] = offsets
    return path


def scattered(folder: Path, source: Path, settings: dict[str, Any], jobs: int) -> Path:
    """The segmentation by several jobs, as the rules call them."""
    method = Method.checked(settings)
    for step in ("fragments", "graph"):
        (folder / step).mkdir(parents=True)
    names = [f"{job}-of-{jobs}.h5" for job in range(jobs)]
    fragment, graph = method.fragment_step().canonical(), method.graph_step().canonical()
    for job, name in enumerate(names):
        fill.run(source, folder / "fragments" / name, fragment, job, jobs)
    indexed = folder / "fragments.h5"
    index.run(folder / "fragments" / names[0], indexed)
    for job, name in enumerate(names):
        collect.run(source, indexed, folder / "graph" / name, graph, job, jobs)
    output = folder / "out.h5"
    first = (folder / "fragments" / names[0], folder / "graph" / names[0])
    stage.run_merge(*first, indexed, output, json.dumps(settings))
    return output


def content(path: Path) -> dict[str, np.ndarray]:
    """All that a segmentation holds."""
    with volume.opened(path) as file:
        found = {name: file[name][()] for name in volume.names(file) if name != joined.LIST}
        found[volume.FRAGMENTS] = volume.dataset(file, volume.FRAGMENTS)[:]
    return found


def segments(path: Path) -> tuple[list[float], list[np.ndarray], np.ndarray]:
    """Thresholds, tables, and the numbered fragments."""
    with volume.opened(path) as file:
        ids = segmentation.fragments(file)
        fragments = segmentation.numbered(volume.dataset(file, volume.FRAGMENTS)[:], ids)
        known = segmentation.thresholds(file)
        return known, [segmentation.table(file, t) for t in known], fragments


# ---- the compiled loops ----------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 14, 17), (7, 9, 11)])
def test_flooding_takes_the_lowest_first(shape: tuple[int, int, int]) -> None:
    """And of voxels of one height the one that was reached first."""
    random = np.random.default_rng(3)
    heights = np.zeros([n + 2 for n in shape], np.uint16)
    inner = (slice(1, -1),) * 3
    heights[inner] = random.integers(0, 30, shape)
    start = np.where(random.random(shape) < 0.03, random.integers(1, 9, shape), 0)
    labels = flood.padded(start.astype(np.int32))
    flood.flood(heights, labels)

    expected = start.copy()
    queue = [(int(heights[inner][at]), 0, order, at)
             for order, at in enumerate(zip(*np.nonzero(start), strict=True))]  # fmt: skip
    heapq.heapify(queue)
    order = len(queue)
    while queue:
        _, _, _, at = heapq.heappop(queue)
        for step in ((0, 0, -1), (0, 0, 1), (0, -1, 0), (0, 1, 0), (-1, 0, 0), (1, 0, 0)):
            to = tuple(a + b for a, b in zip(at, step, strict=True))
            if all(0 <= n < m for n, m in zip(to, shape, strict=True)) and not expected[to]:
                expected[to] = expected[at]
                order += 1
                heapq.heappush(queue, (int(heights[inner][to]), 1, order, to))
    assert np.array_equal(labels[inner], expected)


def test_components_and_maxima_are_scipys() -> None:
    values = random_affinities((6, 15, 16))
    found, count = seeds.connected(values, 0.7)
    # voxels at even places, edges between them: a picture whose components scipy finds
    picture = np.zeros([2 * n for n in found.shape], bool)
    picture[::2, ::2, ::2] = True
    high = values > 0.7 * 255
    picture[1:-1:2, ::2, ::2], picture[::2, 1:-1:2, ::2] = high[0, 1:], high[1, :, 1:]
    picture[::2, ::2, 1:-1:2] = high[2, :, :, 1:]
    expected, number = ndimage.label(picture)
    assert number == count
    assert same_partition(found, expected[::2, ::2, ::2])

    heights = ndimage.gaussian_filter(values[0].astype(np.float32), 1).round()  # with plateaus
    inside = heights > 120
    peaks, count = seeds.maxima(heights, inside)
    wanted = (ndimage.maximum_filter(heights, 3) == heights) & inside
    expected, number = ndimage.label(wanted, np.ones((3, 3, 3)))
    assert (number, count) == (count, peaks.max())
    assert np.array_equal(peaks > 0, wanted) and same_partition(peaks, expected)


def same_partition(one: np.ndarray, other: np.ndarray) -> bool:
    pairs = np.unique(np.stack([one.ravel(), other.ravel()]).astype(np.int64), axis=1)
    return pairs.shape[1] == len(np.unique(one)) == len(np.unique(other))


def boxes(shape: Sequence[int], size: Sequence[int], seed: int = 0) -> np.ndarray:
    """Fragments: boxes, numbered at random."""
    grid = [-(-n // s) for n, s in zip(shape, size, strict=True)]
    names = 1 + np.random.default_rng(seed).permutation(int(np.prod(grid))).reshape(grid)
    for axis, step in enumerate(size):
        names = names.repeat(step, axis)
    return names[tuple(slice(0, n) for n in shape)]


def test_the_graph_holds_every_contact() -> None:
    values, labels = random_affinities((6, 10, 12), len(FAR)), boxes((6, 10, 12), (3, 4, 5))
    labels[:2, :3] = 0
    graph = regions.of_block(values, labels, FAR, histograms=True)
    found: dict[tuple[int, int], list[int]] = {}
    for channel, offset in zip(values, FAR, strict=True):
        for at in np.ndindex(*labels.shape):
            to = tuple(a + b for a, b in zip(at, offset, strict=True))
            if all(0 <= n < m for n, m in zip(to, labels.shape, strict=True)):
                pair = tuple(sorted((int(labels[at]), int(labels[to]))))
                if pair[0] != pair[1] and pair[0] > 0:
                    found.setdefault(pair, []).append(int(channel[at]))
    assert [tuple(edge) for edge in graph.edges.tolist()] == sorted(found)
    for number, (pair, total, count) in enumerate(
        zip(sorted(found), graph.total, graph.count, strict=True)
    ):
        assert (total, count) == (sum(found[pair]), len(found[pair]))
        cells = graph.histograms[graph.histograms[:, 0] == number]
        counted = dict(zip(*np.unique(found[pair], return_counts=True), strict=True))
        assert {int(a): int(n) for _, a, n in cells} == counted


def brute(graph: Graph, score: str, thresholds: Sequence[float]) -> list[set[tuple[int, int]]]:
    """Fragments that are one at each threshold, by looking at all pairs again and again."""
    edges: dict[tuple[int, int], np.ndarray] = {}
    for number, (a, b) in enumerate(graph.edges.tolist()):
        edges[a, b] = np.zeros(256, np.int64)
        for _, value, count in graph.histograms[graph.histograms[:, 0] == number]:
            edges[a, b][value] = count
    members = {n: {n} for n in np.unique(graph.edges).tolist()}

    def scored(counts: np.ndarray) -> float:
        if score == "mean":
            return float(1 - (counts @ np.arange(256)) / (255 * counts.sum()))
        wanted = int(score.removeprefix("quantile_")) * counts.sum() // 100 + 1
        return float(1 - np.searchsorted(np.cumsum(counts), wanted) / 255)

    found = []
    for threshold in thresholds:
        while edges:
            best = min(edges, key=lambda pair: (scored(edges[pair]), -edges[pair].sum()))
            if scored(edges[best]) >= threshold:
                break
            stays, goes = best
            members[stays] |= members.pop(goes)
            del edges[best]
            for pair in [pair for pair in edges if goes in pair]:
                counts = edges.pop(pair)
                other = pair[0] if pair[1] == goes else pair[1]
                name = (min(stays, other), max(stays, other))
                edges[name] = edges.get(name, 0) + counts
        found.append({(min(g), n) for g in members.values() for n in g})
    return found


@pytest.mark.parametrize("score", ["mean", "quantile_10", "quantile_50", "quantile_95"])
def test_hierarchical_agglomeration_is_brute_force(score: Any) -> None:
    random = np.random.default_rng(1)
    values = random.integers(0, 256, (3, 12, 20, 24)).astype(np.uint8)
    graph = regions.of_block(values, boxes((12, 20, 24), (2, 4, 3)), histograms=True)
    thresholds = [
        0.02,
        0.03,
        0.04,
        0.05,
        0.06,
        0.07,
        0.08,
        0.2,
        0.35,
        0.4,
        0.45,
        0.48,
        0.5,
        0.55,
        0.7,
        0.9,
    ]
    merges, counts = hierarchy.agglomerate(graph, score, thresholds)
    assert 0 <= counts[0] <= counts[-1] == len(merges)
    assert len(set(counts)) > 4
    for count, expected in zip(counts, brute(graph, score, thresholds), strict=True):
        table = segmentation.merged(merges[:count], 240)
        lowest = {int(s): int(n) for n, s in reversed(list(enumerate(table))) if n}
        assert {(lowest[int(table[n])], n) for n in range(1, 241)} == expected


# ---- blocks that do not show -----------------------------------------------------------------


@pytest.mark.parametrize("size", [(3, 4, 5), (4, 20, 9), (12, 7, 24)])
def test_the_graph_is_the_same_for_any_blocks(size: tuple[int, int, int], tmp_path: Path) -> None:
    """Of given fragments, to the last bit."""
    shape = (12, 20, 24)
    labels = boxes(shape, (5, 3, 4))
    ids = np.sort(np.random.default_rng(0).permutation(labels.size)[: labels.max()]) + 1
    source = write(tmp_path / "in.h5", random_affinities(shape, len(FAR)), FAR)
    found = []
    with volume.opened(source) as file, h5py.File.in_memory() as memory:
        data = memory.create_dataset("ids", data=ids.astype(np.uint64)[labels - 1])
        values = stage.source.opened(file, 2)
        for blocks in (size, shape):
            step = Method.checked({
                "merge": {"method": "mutex_graph"}, "blocks": {"size": blocks}
            }).graph_step().model_copy(update={"histograms": True})  # fmt: skip
            job = Job.make(shape, step.blocks)
            found.append(collect.collect(values, data, ids.astype(np.uint64), job, step))
    for one, other in ((found[0].near, found[1].near), (found[0].far, found[1].far)):
        assert one.count.sum() > 1000
        for name in ("edges", "total", "count", "histograms"):
            assert np.array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize(
    "merge",
    [
        {"method": "hierarchical"},
        {"method": "hierarchical", "score": "quantile_75"},
        {"method": "multicut"},
        {"method": "mutex_graph"},
    ],
    ids=lambda merge: "-".join(merge.values()),
)
def test_any_number_of_jobs_gives_one_result(tmp_path: Path, merge: dict[str, str]) -> None:
    """2, 3 and 5 jobs of blocks that do not divide the volume, and one job, in all they hold."""
    source = write(tmp_path / "in.h5", random_affinities((21, 40, 50), len(FAR)), FAR)
    settings = {
        "fragments": {"method": "watershed", "smoothing": 1, "inside": 0.6, "rescue": 20},
        "merge": merge, "thresholds": [0.2, 0.4, 0.5], "blocks": {"size": [8, 16, 20],
        "halo": [4, 6, 6]},
    }  # fmt: skip
    stage.run(source, tmp_path / "one.h5", json.dumps(settings))
    one = content(tmp_path / "one.h5")
    assert len(one[segmentation.FRAGMENTS]) > 50
    for jobs in (2, 3, 5):
        other = content(scattered(tmp_path / str(jobs), source, settings, jobs))
        assert one.keys() == other.keys()
        for name, values in one.items():
            assert np.array_equal(values, other[name]), (jobs, name)


def difference(one: Path, other: Path) -> dict[float, float]:
    """VOI between two segmentations of one volume at every threshold."""
    known, first, fragments = segments(one)
    _, second, pieces = segments(other)
    pairs = metrics.count(fragments, pieces + 1)
    return {
        threshold: metrics.score(
            pairs.merged(segments=a, neurons=np.concatenate([[0], b + 1]))
        ).voi_sum
        for threshold, a, b in zip(known, first, second, strict=True)
    }


def noisy(data: Path, name: str, folder: Path) -> Path:
    """Affinities of real labels, with membranes, blur and smooth noise."""
    file, box, flat = {
        "fib25": ("fib25_ts2_z000-168.h5", np.s_[:, :, :], False),
        "pinky40": ("pinky40_labels_z000-200.h5", np.s_[:40, :256, :256], True),
    }[name]
    with h5py.File(data / file) as source:
        labels = affinities.widen_borders(source[volume.LABELS][box], flat)
    return write(folder / "in.h5", affinities.degraded(labels, NEAREST, 1.0, 0.1, 0))


def test_blocks_hardly_show_on_fib25(tmp_path: Path, data: Path) -> None:
    """Two blockings against the whole volume, from half the best threshold (0.9) upward."""
    source = noisy(data, "fib25", tmp_path)
    settings = {"fragments": {"method": "watershed", "smoothing": 2},
                "thresholds": [0.46, 0.6, 0.7, 0.8, 0.9]}  # fmt: skip
    whole, blocks = tmp_path / "whole.h5", tmp_path / "blocks.h5"
    stage.run(source, whole, json.dumps(settings | {"blocks": {"size": (168, 250, 250)}}))
    for size in ((84, 84, 84), (168, 125, 125)):
        stage.run(source, blocks, json.dumps(settings | {"blocks": {"size": size}}))
        found = difference(whole, blocks)
        assert max(found.values()) <= 0.01, (size, found)


def test_whole_sections_are_exact_on_pinky40(tmp_path: Path, data: Path) -> None:
    """Fragments by section in blocks of whole sections: the very same segmentation."""
    source = noisy(data, "pinky40", tmp_path)
    settings = {"fragments": SECTIONS, "thresholds": [0.1, 0.3, 0.5, 0.7]}
    for name, size in (("whole", (40, 256, 256)), ("a", (7, 256, 256)), ("b", (16, 512, 512))):
        stage.run(
            source, tmp_path / f"{name}.h5", json.dumps(settings | {"blocks": {"size": size}})
        )
        assert max(difference(tmp_path / "whole.h5", tmp_path / f"{name}.h5").values()) == 0
        one, other = content(tmp_path / "whole.h5"), content(tmp_path / f"{name}.h5")
        assert all(np.array_equal(values, other[name]) for name, values in one.items())


def test_eight_bits_lose_nothing(tmp_path: Path, data: Path) -> None:
    """float32 in a file gives the segmentation that uint8 gives; waterz on floats nearly that."""
    with h5py.File(data / "fib25_ts2_z000-168.h5") as source:
        labels = source[volume.LABELS][:48, :125, :125]
    ideal, _ = affinities.from_labels(affinities.widen_borders(labels, False), NEAREST)
    noise = np.random.default_rng(0).standard_normal(ideal.shape)
    blurred = ndimage.gaussian_filter(ideal.astype(np.float64), (0, 1, 1, 1))
    exact = np.clip(blurred + ndimage.gaussian_filter(noise, (0, 2, 2, 2)), 0, 1).astype(np.float32)
    settings = {"fragments": {"method": "watershed", "smoothing": 2}}
    found = []
    for number, values in enumerate((exact, np.rint(exact * 255).astype(np.uint8))):
        source_file = write(tmp_path / f"{number}.h5", values)
        stage.run(source_file, tmp_path / f"out{number}.h5", json.dumps(settings))
        found.append(content(tmp_path / f"out{number}.h5"))
    assert all(np.array_equal(values, found[1][name]) for name, values in found[0].items())
    known, _, fragments = segments(tmp_path / "out0.h5")
    voi = []
    for values in (exact, (np.rint(exact * 255) / 255).astype(np.float32)):
        merged = waterz.agglomerate(values, known, fragments=fragments.astype(np.uint64))
        tables = [metrics.count(np.asarray(one), labels) for one in merged]
        voi.append([metrics.score(table).voi_sum for table in tables])
    assert abs(min(voi[0]) - min(voi[1])) < 0.001


def test_a_fragment_whose_seed_lies_far_off_is_one(tmp_path: Path) -> None:
    """A tube through eight blocks, without a halo, with one seed at its far end."""
    labels = np.ones((6, 6, 64), np.uint8)
    labels[:, :3] = 2
    values = affinities.from_labels(labels, NEAREST)[0].astype(np.uint8) * np.uint8(255)
    source = write(tmp_path / "in.h5", values)
    settings = {"fragments": {"method": "watershed", "smoothing": 1}, "thresholds": [0.1],
                "blocks": {"size": [6, 6, 8], "halo": [0, 0, 0]}}  # fmt: skip
    stage.run(source, tmp_path / "out.h5", json.dumps(settings))
    _, tables, fragments = segments(tmp_path / "out.h5")
    assert fragments.max() > 2
    assert same_partition(tables[0][fragments], labels)


def test_seeds_of_one_fragment_seen_from_two_blocks_have_one_id(tmp_path: Path) -> None:
    """With a halo that reaches the seed, a cut fragment keeps its id on both sides."""
    labels = boxes((16, 16, 32), (16, 8, 16)).astype(np.uint8)
    values = affinities.from_labels(labels, NEAREST)[0].astype(np.uint8) * np.uint8(255)
    source = write(tmp_path / "in.h5", values)
    settings = {"fragments": {"method": "watershed", "smoothing": 1}, "thresholds": [0.1]}
    whole, cut = ({"size": [32] * 3}, {"size": [16, 16, 12], "halo": [16, 16, 16]})
    found = []
    for blocks in (whole, cut):
        stage.run(source, tmp_path / "out.h5", json.dumps(settings | {"blocks": blocks}))
        found.append(content(tmp_path / "out.h5")[volume.FRAGMENTS])
    assert np.array_equal(*found)


def test_epsilon_merges_what_is_nearly_certain(tmp_path: Path) -> None:
    source = write(tmp_path / "in.h5", random_affinities((16, 32, 32)))
    counts = []
    for epsilon in (0, 0.3, 0.45):
        settings = {"fragments": {"method": "watershed", "smoothing": 1, "inside": 0.6,
                      "epsilon": epsilon},
                    "thresholds": [0.1, 0.6]}  # fmt: skip
        stage.run(source, tmp_path / "out.h5", json.dumps(settings))
        _, tables, _ = segments(tmp_path / "out.h5")
        counts.append([len(np.unique(table)) for table in tables])
    assert counts[0][0] > counts[1][0] > counts[2][0]
    assert counts[0][1] == counts[1][1] == counts[2][1]


def test_empty_blocks_are_background(tmp_path: Path) -> None:
    values = random_affinities((8, 16, 32))
    values[:, :, :, 16:] = 0
    source = write(tmp_path / "in.h5", values)
    settings = {"blocks": {"size": [8, 16, 16], "halo": [0, 0, 0]}, "thresholds": [0.5]}
    stage.run(source, tmp_path / "out.h5", json.dumps(settings))
    fragments = content(tmp_path / "out.h5")[volume.FRAGMENTS]
    assert fragments[:, :, :16].all() and not fragments[:, :, 16:].any()


PEAK = """
import json, resource, sys
from pathlib import Path
from fgnet.agglomerate import stage
source, output, settings = sys.argv[1:]
stage.run(Path(source), Path(output), settings)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_is_bounded_by_the_block(tmp_path: Path) -> None:
    """Four times the volume in as large blocks takes as much memory, in one job."""
    piece = random_affinities((32, 96, 96))
    settings = json.dumps({"blocks": {"size": [32, 96, 96], "halo": [8, 8, 8]},
                           "fragments": {"method": "watershed", "smoothing": 3}})  # fmt: skip
    peaks = []
    for times in (2, 8):
        source = tmp_path / f"{times}.h5"
        with volume.create(source, "infer", {}, []) as file:
            shape = (3, 32 * times, 192, 192)
            data = volume.add(file, volume.AFFINITIES, shape, np.uint8, (10, 10, 10))
            data.attrs["offsets"] = NEAREST
            for z in range(times):
                data[:, 32 * z : 32 * z + 32] = np.tile(piece, (1, 1, 2, 2))
        done = subprocess.run(
            [sys.executable, "-c", PEAK, source, tmp_path / f"out{times}.h5", settings],
            capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent,
        )  # fmt: skip
        peaks.append(int(done.stdout) / 1024)
    # the affinities grew from 7 to 28 MB; in one block the second peak is 140 MB above the first
    assert peaks[1] - peaks[0] < 20, peaks


# ---- what it refuses -------------------------------------------------------------------------


def test_a_missing_or_changed_piece_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "in.h5", random_affinities((16, 24, 24)))
    settings = {"blocks": {"size": [8, 24, 24], "halo": [4, 4, 4]}, "thresholds": [0.5]}
    output = scattered(tmp_path / "jobs", source, settings, 2)
    piece = tmp_path / "jobs/fragments/1-of-2.h5"
    with h5py.File(piece, "r+") as file:
        file[volume.FRAGMENTS][0, 0, 0] += 1
    with volume.opened(output) as file:
        data = volume.dataset(file, volume.FRAGMENTS)
        assert data[:8].any()
        with pytest.raises(InputError, match=r"1-of-2.h5' has changed since"):
            data[8:]
    with pytest.raises(InputError, match="has changed since"):
        collect.run(source, tmp_path / "jobs/fragments.h5", tmp_path / "graph.h5",
                        Method.checked(settings).graph_step().canonical(), 1, 2)  # fmt: skip
    piece.unlink()
    with pytest.raises(InputError, match="is missing"), volume.opened(output) as file:
        volume.dataset(file, volume.FRAGMENTS)[:]


def test_more_jobs_than_blocks(tmp_path: Path) -> None:
    source = write(tmp_path / "in.h5", random_affinities((8, 8, 8)))
    step = Method.checked({"blocks": {"size": [4, 8, 8]}}).fragment_step().canonical()
    with pytest.raises(InputError, match=r"agglomerate.shards: 3 jobs .* 2 x 1 x 1 of them"):
        for job in range(3):
            fill.run(source, tmp_path / "out.h5", step, job, 3)


@pytest.mark.parametrize("method", ["waterz", "mutex"])
def test_what_needs_all_voxels_says_so(tmp_path: Path, method: str) -> None:
    source = write(tmp_path / "in.h5", random_affinities((8, 8, 9), len(FAR)), FAR)
    settings = json.dumps({"merge": {"method": method}, "blocks": {"size": [8, 8, 8]}})
    with pytest.raises(InputError, match=r"the volume has \(8, 8, 9\).*raise blocks.size"):
        stage.run(source, tmp_path / "out.h5", settings)


def test_an_unknown_id_is_refused() -> None:
    known = np.array([5, 9], np.uint64)
    assert segmentation.numbered(np.array([[0, 9], [9, 5]]), known).tolist() == [[0, 2], [2, 1]]
    assert segmentation.numbered(np.zeros((2, 2), np.uint64), known[:0]).tolist() == [[0, 0]] * 2
    for ids in (known, known[:0]):
        with pytest.raises(InputError, match="holds the id 7"):
            segmentation.numbered(np.array([0, 7]), ids)


def test_jobs_have_every_block_once() -> None:
    seen = np.zeros((20, 30, 41), int)
    blocks = Blocks.checked({"size": [8, 10, 9]})
    for job in range(7):
        one = Job.make(seen.shape, blocks, job, 7)
        places = one.blocks()
        assert places
        for box in places:
            seen[box] += 1
            assert all(a <= c.start and c.stop <= b
                       for c, (a, b) in zip(box, one.bounds, strict=True))  # fmt: skip
    assert (seen == 1).all()
