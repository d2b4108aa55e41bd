"""The report: colours, pictures, tables, and whole pages that need no network."""

import html as html_module
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import h5py
import nbformat
import numpy as np
import numpy.typing as npt
import pytest
from conftest import TREATMENT, scores_row
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.client import KernelClient

from fgnet import affinities, command, metrics, scores, segmentation, volume
from fgnet.checksum import sha256
from fgnet.errors import InputError
from fgnet.normalize import stage
from fgnet.report import (
    __main__,
    colours,
    curves,
    data,
    html,
    index,
    navigation,
    page,
    pictures,
    style,
)
from fgnet.report.evaluate import pairs, results, run_lengths, sweeps, verdicts
from fgnet.report.provenance import records
from fgnet.report.segment import (
    coarse,
    mistakes,
    neurons,
    places,
    planes,
    projection,
    ranks,
    slices,
    worst,
)
from fgnet.report.segment.scene import Files
from fgnet.report.train import course
from fgnet.settings.train import Model

Labels = npt.NDArray[Any]
NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
VOXEL = (40.0, 4.0, 4.0)
NAME = "Volume 'ä'; \"b\" {c} <d>"
LINES = curves.LINES


class Page(HTMLParser):
    """What a page refers to, and the pictures it holds by their alternative text."""

    def __init__(self, path: Path) -> None:
        """Read a page."""
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.pictures: dict[str, str] = {}
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep links and pictures."""
        self.tags.append(tag)
        values = {name: value or "" for name, value in attrs}
        if "id" in values:
            self.ids.append(values["id"])
        if tag == "a" and values["href"]:
            self.links.append(values["href"])
        if tag == "img":
            self.pictures[values["alt"]] = values["src"]
        if tag == "svg" and values.get("role") == "img":
            self.pictures[values["aria-label"]] = "svg"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A volume of two neurons, its affinities, a perfect segmentation and its choice."""
    truth = np.ones((6, 40, 48), np.uint32)
    truth[:, :, 24:] = 2
    fragments = truth + 2 * (np.arange(40)[:, None] >= 20).astype(np.uint32)
    raw = np.random.default_rng(0).integers(0, 255, truth.shape)
    ideal = affinities.from_labels(truth, affinities.NEAREST)[0].astype(np.float32)
    found = write_scene(tmp_path, raw, truth, fragments, ideal)
    with h5py.File(found["segmentation"], "a") as file:
        merges = np.array([[1, 3], [2, 4], [1, 2]], np.uint32)
        segmentation.write_merges(file, [0.1, 0.5, 0.9], merges, [0, 2, 3])
    return found


def write_scene(
    folder: Path, raw: Labels, truth: Labels, fragments: Labels, maps: Labels
) -> dict[str, Path]:
    """The files of a segmentation but for its merges; both maps are the same."""
    found = {
        "image": folder / f"{NAME}.h5",
        "affinities": folder / "affinities.h5",
        "segmentation": folder / "segmentation.h5",
        "threshold": folder / "threshold.json",
    }
    with volume.create(found["image"], "normalize", {"low": 1}, []) as file:
        volume.add(file, volume.RAW, truth.shape, "u1", VOXEL)[:] = raw
        volume.add(file, volume.LABELS, truth.shape, "u4", VOXEL)[:] = truth
    with volume.create(found["affinities"], "infer", {}, [found["image"]]) as file:
        for name in (volume.AFFINITIES, volume.COARSE_AFFINITIES):
            kind = "u1" if maps.dtype == np.uint8 else "f2"
            data = volume.add(file, name, maps.shape, kind, VOXEL)
            data[:] = maps
            data.attrs["offsets"] = affinities.NEAREST
    with volume.create(found["segmentation"], "agglomerate", {}, []) as file:
        volume.add(file, volume.FRAGMENTS, truth.shape, "u4", VOXEL)[:] = fragments
        segmentation.write_fragments(file, np.arange(1, fragments.max() + 1))
    write_choice(found["threshold"], 0.5)
    return found


def write_choice(path: Path, threshold: float) -> None:
    scores.write(
        path,
        scores.Choice(
            threshold=threshold, reason="fixed", chosen_by="fixed", criterion="voi",
            ground_truth="ids", mean=[], made_by={},
        ),
    )  # fmt: skip


def write_scores(path: Path, sums: list[float]) -> Path:
    rows = [
        scores_row(
            t, voi, voi / 99, segments=3, rand_precision=1 - voi / 99,
            average_precision_at=[1 - n / 10 for n in range(10)],
        )
        for t, voi in zip((0.1, 0.5, 0.9), sums, strict=True)
    ]  # fmt: skip
    sweep = scores.Sweep(objects=2, sweep=rows)
    record = {"stage": "evaluate", "fgnet": "0", "settings": {}, "inputs": {}}
    content = scores.Scores(
        voxels_scored=9, voxels_ignored=0, against_ids=sweep, against_components=sweep,
        made_by=record,
        treatment=TREATMENT.model_copy(update={"voxel_size": VOXEL}),
    )  # fmt: skip
    scores.write(path, content)
    return path


def write_neurons(path: Path, found: scores.Scores, neurons: int = 2, seed: int = 0) -> Path:
    """The middle threshold was chosen; VOI sums of resamples lie 2 about that of the volume."""
    noise = np.random.default_rng(seed).uniform(-2, 2, 1000) if neurons > 1 else None

    def verdict(sweep: scores.Sweep) -> scores.Verdict:
        chosen = sweep.sweep[1]
        intervals, samples = None, None
        if noise is not None:
            samples = scores.Samples(
                voi_sum=(chosen.voi_sum + noise).tolist(), arand=[chosen.arand] * 1000
            )
            names = ("voi_split", "voi_merge", "arand", "cremi")
            sums = (chosen.voi_sum - 1.9, chosen.voi_sum + 1.9)
            intervals = scores.Intervals(voi_sum=sums, **dict.fromkeys(names, (0.0, 1.0)))
        best = min(sweep.sweep, key=lambda row: row.voi_sum)
        return scores.Verdict(
            objects=neurons, chosen=chosen, intervals=intervals, samples=samples, oracle=best
        )

    listed = [
        scores.Neuron(
            neuron=1 + number, component=None, voxels=5760, cubic_micrometres=0.00369,
            segments=2, main=7, main_voxels=4320, background=0, merged_with=1,
            merged=[scores.Foreign(neuron=9, component=None, voxels=80)],
            voi_split=0.25 / (1 + number), voi_merge=0.125, low=(0, 0, 24 * (number % 2)),
            high=(5, 39, 23 + 24 * (number % 2)),
            mistakes=[
                scores.Mistake(
                    kind=kind, segment=8, neuron=2, component=None, voxels=1440,
                    voxel=(3, 20, 10), nm=(120 + 400, 80, 40),
                )
                for kind in ("split", "merge", "lost")
            ],
        )
        for number in range(neurons)
    ]  # fmt: skip
    assert found.treatment
    content = scores.Neurons(
        threshold=0.5, reason="so it was", criterion="voi", ground_truth="ids",
        treatment=found.treatment, resamples=1000, smallest_share=0.01,
        against_ids=verdict(found.against_ids),
        against_components=verdict(found.against_components), neurons=listed, made_by={},
    )  # fmt: skip
    scores.write(path, content)
    return path


def entry(
    folder: Path, model: str, sums: list[float], neurons: int = 2, seed: int = 0, **more: Any
) -> dict[str, Any]:
    found = write_scores(folder / f"{model}.json", sums)
    content = scores.read(found, scores.Scores)
    listed = write_neurons(folder / f"{model}.neurons.json", content, neurons, seed)
    names = {"model": model, "agglomeration": "mean", "volume": NAME, "split": "test"}
    return {**names, "scores": str(found), "neurons": str(listed), **more}


@given(arrays(np.uint8, (7, 9), elements=st.integers(0, 20)))
def test_neighbours_have_different_colours(labels: Labels) -> None:
    picture = colours.paint(labels, colours.assign([labels]), np.zeros_like(labels), 1.0)
    for axis in (0, 1):
        one, two = (np.delete(labels, end, axis) for end in (-1, 0))
        first, second = (np.delete(picture, end, axis) for end in (-1, 0))
        border = (one != two) & (one > 0) & (two > 0)
        assert (first != second).any(-1)[border].all()


def test_segments_take_the_colour_of_their_neuron() -> None:
    truth = np.repeat([[1, 1, 1, 0, 0, 2, 2, 2]], 4, axis=0)
    segments = np.where(truth == 1, 9, np.where(truth == 2, 5, 0))
    segments[0] = 9
    owners = colours.assign([truth])
    names = colours.assign([segments], colours.wishes([segments], [truth], owners))
    assert (names[9], names[5]) == (owners[1], owners[2])
    grey = np.full(truth.shape, 77, np.uint8)
    assert (colours.paint(truth, owners, grey, 0.6)[truth == 0] == 77).all()


def test_scale_bar_is_a_round_length() -> None:
    assert pictures.scale_bar(1000.0) == ("200 nm", 0.2)
    assert pictures.scale_bar(48_000.0) == ("5 µm", pytest.approx(5 / 48))


def test_planes_cut_from_the_middle_and_keep_the_voxels_shape() -> None:
    shape = (10, 100, 600)
    xz, yz = planes.across(shape, VOXEL, 50)
    assert xz.box == (slice(0, 10), slice(50, 51), slice(275, 325))
    assert yz.box == (slice(0, 10), slice(25, 75), slice(300, 301))
    assert (xz.width, xz.height, yz.width, yz.height) == (200, 400, 200, 400)
    three = planes.sections(shape, VOXEL, 50, 3)
    assert [plane.at for plane in three] == [1, 5, 8]
    assert three[1].box[1:] == (slice(25, 75), slice(275, 325))
    assert [plane.at for plane in planes.sections((2, 9, 9), VOXEL, 50, 9)] == [0, 1]
    values = np.arange(24).reshape(2, 3, 4)
    assert yz.flat(values[:, :, 1:2]).tolist() == values[:, :, 1].tolist()


def test_a_chart_follows_the_scheme_and_tells_its_values() -> None:
    def draw(axes: Any) -> None:
        axes.plot([0, 10], [2, 4], color=LINES[1], label="one & 'two'")
        axes.fill_between([0, 5, 10], [1, 2, 3], [2, 3, 5], color=LINES[0], label="band")
        axes.bar([0, 4], [1, 3], 2, align="edge", color=LINES[2], label="bars")
        axes.axvline(3, color=LINES[3])
        axes.set(xlabel="x", xlim=(0, 10), ylim=(0, 10))

    source = curves.chart(draw, "A <chart>", "caption").text
    for colour in style.LIGHT.values():
        assert source.count(colour) == source.count(f", {colour})")  # of a variable, if need be
    found = re.search("data-hover='(.*?)' data-top='(.*?)' data-bottom='(.*?)'", source)
    assert found
    told = json.loads(html_module.unescape(found[1]))
    assert told["axis"] == "x"
    line, band, bars = told["series"]
    assert (line["name"], line["colour"]) == ("one & 'two'", "var(--c1)")
    assert [point[2:] for point in line["points"]] == [["0", "2"], ["10", "4"]]
    assert [point[2:] for point in band["points"]] == [
        ["0", "1 to 2"], ["5", "2 to 3"], ["10", "3 to 5"]
    ]  # fmt: skip
    assert [point[2:] for point in bars["points"]] == [["1", "1"], ["5", "3"]]
    top, bottom = float(found[2]), float(found[3])
    assert line["points"][0][1] == pytest.approx(bottom - 0.2 * (bottom - top), abs=0.1)
    # the legend tells lines and areas apart
    assert re.findall(r"<span>.*?</span>", source) == [
        '<span><svg viewBox="0 0 28 10" aria-hidden="true" style="color: var(--c1)">'
        '<path d="M0 5H28" stroke="currentColor" stroke-width="2.2"/></svg>'
        "one &amp; &#x27;two&#x27;</span>",
        '<span><i style="background: var(--c0)"></i>band</span>',
        '<span><i style="background: var(--c2)"></i>bars</span>',
    ]
    # two charts on a page share no id, and each refers to its own
    ids = set(re.findall(r' id="(.*?)"', source))
    assert ids and ids == set(re.findall(r'(?:url\(|href=")#(.*?)[")]', source))
    other = set(re.findall(r' id="(.*?)"', curves.chart(draw, "Another", "caption").text))
    assert len(other) == len(ids) and not ids & other


def test_the_bar_is_the_same_whatever_the_config(tmp_path: Path) -> None:
    links = [
        navigation.Link.checked({"title": title, "page": str(tmp_path / page), "group": group})
        for title, page, group in (
            ("Scores", "evaluate.html", None), ("a <b>", "train/a.html", "Training"),
            ("c", "train/c d.html", "Training"), ("v", "data/v.html", "Data"),
        )
    ]  # fmt: skip
    text = navigation.bar("train", "../..").text
    assert re.findall(r'href="../../(.*?)"', text) == [
        "index.html", "index.html#segmentation", "index.html#training", "index.html#data",
        "evaluate.html", "provenance.html",
    ]  # fmt: skip
    assert (
        text.count("aria-current") == 1 and 'aria-current="true" href="../../index.html#t' in text
    )
    text = navigation.bar("evaluate").text
    assert 'aria-current="page" href="./evaluate.html"' in text
    text = "".join(part.text for part in navigation.lists(links, tmp_path / "index.html"))
    assert re.findall(r'<h2 id="(.*?)">(.*?)</h2>', text) == [
        ("training", "Training"), ("data", "Data"), ("more", "More")
    ]  # fmt: skip
    assert re.findall(r'href="(.*?)"', text) == [
        "train/a.html", "train/c%20d.html", "data/v.html", "evaluate.html"
    ]  # fmt: skip
    assert ">a &lt;b&gt;</a>" in text


def test_errors_are_where_they_are() -> None:
    """Neuron 1 is cut in two, 2 and 3 are merged; an edge that is a voxel off is no error."""
    truth = np.repeat([1] * 8 + [2] * 8 + [3] * 8 + [0] * 4, 6).reshape(28, 6).T.copy()
    segments = np.repeat([10] * 5 + [11] * 3 + [12] * 7 + [13] + [12] * 8 + [12] * 4, 6)
    segments = segments.reshape(28, 6).T.copy()
    truth[0, 8] = 1  # of segment 12, which has neuron 2
    owned = mistakes.owners([metrics.count(segments, truth)])
    assert owned.neuron_of(np.array([10, 11, 12])).tolist() == [1, 1, 3]
    assert owned.segment_of(np.array([1, 2, 3])).tolist() == [10, 12, 12]
    split, merge = mistakes.areas(segments, truth, owned)
    assert np.unique(np.argwhere(split)[:, 1]).tolist() == [5, 6, 7]
    assert np.unique(np.argwhere(merge)[:, 1]).tolist() == list(range(8, 15))
    assert not split[:, 15].any() and not merge[:, 15].any()
    grey = np.full(truth.shape, 90, np.uint8)
    picture = mistakes.paint(segments, truth, owned, grey)
    assert (picture[:, [4, 5]] == mistakes.SPLIT).all()
    assert (picture[1:, [0, 3, 16, 20, 26]] == 90).all()
    assert (picture[1:, 10] == np.round(np.array(mistakes.MERGE) / 2 + 45)).all()
    right = mistakes.paint(truth, truth, mistakes.owners([metrics.count(truth, truth)]), grey)
    assert (right == 90).all()


def test_the_middle_of_a_thing_is_inside() -> None:
    assert ranks.middle(np.ones((1, 9, 5), np.bool_)).tolist() == [0, 2, 2]
    ring = np.pad(np.zeros((1, 3, 3), np.bool_), ((0, 0), (2, 2), (2, 2)), constant_values=True)
    assert ring[tuple(ranks.middle(ring))]


@given(
    st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)),
    st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)),
)
def test_a_box_of_the_volume_in_a_copy_of_a_part_of_it(low: Any, size: Any) -> None:
    """Every third voxel from 4 on along z, from 2 on along y; all from 0 on along x."""
    empty = np.zeros((4, 4, 20), np.uint8)
    copy = coarse.Coarse(empty, empty, (3, 3, 1), VOXEL, (0, 0, 0), (4, 2, 0))
    high = tuple(a + n for a, n in zip(low, size, strict=True))
    places = np.meshgrid(4 + 3 * np.arange(4), 2 + 3 * np.arange(4), np.arange(20), indexing="ij")
    inside = np.ones(empty.shape, np.bool_)
    for place, a, b in zip(places, low, high, strict=True):
        inside &= (a <= place) & (place <= b)
    empty[copy.box(low, high)] = 1
    assert np.array_equal(empty, inside)


@given(
    st.tuples(st.integers(1, 20), st.integers(1, 20), st.integers(1, 20)),
    st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 7)),
)
def test_every_nth_voxel_box_by_box(shape: tuple[int, int, int], step: Any) -> None:
    values = np.arange(np.prod(shape)).reshape(shape)
    boxes = []

    def read(box: coarse.Box) -> Labels:
        boxes.append(box)
        return values[box]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coarse, "BOX", (3, 5, 4))
        found = coarse.every(read, shape, step, values.dtype)
    starts = [min(n // 2, size - 1) for n, size in zip(step, shape, strict=True)]
    expected = values[tuple(slice(a, None, n) for a, n in zip(starts, step, strict=True))]
    assert np.array_equal(found, expected)
    assert all(cut.stop - cut.start <= most for box in boxes
               for cut, most in zip(box, (3, 5, 4), strict=True))  # fmt: skip


def test_a_copy_is_small_and_its_voxels_near_cubes() -> None:
    assert coarse.steps((32, 192, 192), (30, 8, 8)) == (1, 1, 1)
    assert coarse.steps((2000, 2000, 2000), (10, 10, 10)) == (8, 8, 8)
    assert coarse.steps((125, 1250, 1250), (40, 4, 4)) == (1, 5, 5)
    assert coarse.steps((256, 256, 256), (8, 8, 8)) == (1, 1, 1)


def test_a_view_shows_what_is_nearest() -> None:
    """A near bar over a far plate, each of its own colour; something else behind."""
    inside = np.zeros((5, 8, 9), np.uint8)
    inside[3, 1:7, 1:8] = 1
    inside[1, 3:5, 1:8] = 2
    beyond = np.zeros(inside.shape, np.bool_)
    beyond[0, 0] = True
    palette = np.array([(0, 0, 0), (200, 0, 0), (0, 200, 0)])
    thing = projection.Thing(inside, beyond)
    edge = projection.EDGE
    picture = projection.view(thing, "xy", palette)
    assert picture.shape == (8 + 2 * edge, 9 + 2 * edge, 4)
    inner = picture[edge:-edge, edge:-edge]
    green, red = inner[..., 1] > inner[..., 0], inner[..., 0] > inner[..., 1]
    assert green[3:5, 1:8].all() and green.sum() == 14
    assert red[[1, 2, 5, 6], 1:8].all() and red.sum() == 28
    assert inner[3, 4, 1] > inner[5, 4, 0]  # the near one is brighter
    assert (inner[3, 0] == (*projection.OUTLINE, 255)).all()
    assert 0 < inner[0, 0, 3] < 255 and picture[0, 0, 3] == 0
    side = projection.view(thing, "yz", palette)[edge:-edge, edge:-edge]
    assert side.shape == (5, 8, 4)
    assert side[1, 3, 1] > side[1, 3, 0] and side[3, 1, 0] > side[3, 1, 1]
    assert projection.cubic(inside, (16, 8, 8)).shape == (10, 8, 9)


def test_binned_curve_keeps_the_mean() -> None:
    x, y = curves.binned(range(10), [0.0] * 5 + [1.0] * 5, points=2)
    assert (x.tolist(), y.tolist()) == ([2.0, 7.0], [0.0, 1.0])


def run_page(notebook: str, values: dict[str, Any], output: Path) -> Page:
    logs = output.parent / "logs" / f"{output.stem}.ipynb"
    page.run(NOTEBOOKS / f"{notebook}.ipynb", json.dumps(values), "..", logs, output)
    assert nbformat.read(logs, as_version=4).metadata.papermill.exception is None
    found = Page(output)
    assert not {"link", "iframe"} & set(found.tags) and "<script src" not in found.source
    assert all(re.match("data:image/|svg$", source) for source in found.pictures.values())
    # only a link may lead elsewhere
    outside = r"""url\((?!#)|@import|Traceback|(src|action)=["']?http|<(?!a )[^>]*href=["']?http"""
    assert not re.search(outside, found.source)
    assert len(found.ids) == len(set(found.ids))
    assert found.links[0] == "../index.html"
    assert output.stat().st_size < 5e6
    return found


def test_segment_page(files: dict[str, Path], tmp_path: Path) -> None:
    names = {"model": "m", "agglomeration": "a", "volume": NAME}
    values = names | {name: str(path) for name, path in files.items()}
    values["neurons"] = entry(tmp_path, "s", [3, 0.5, 4])["neurons"]
    found = run_page("segment", values, tmp_path / "r é" / f"{NAME}.html")
    shown = ["Raw", "Coarse affinities (A_s)", "Refined affinities (A_r)", "Fragments",
             "Segmentation", "Ground truth", "Errors"]  # fmt: skip
    views = [*(f"xy at {z}" for z in range(6)), "xz at 20", "yz at 24"]
    assert list(found.pictures) == [
        *(f"{name}, {view}" for view in views for name in shown),
        *(f"Neuron {name}, onto {view}" for name in (1, 2) for view in ("xy", "xz", "yz")),
    ]
    for view in views:  # at threshold 0.5 the segmentation is perfect
        truth = found.pictures[f"Ground truth, {view}"]
        assert found.pictures[f"Segmentation, {view}"] == truth
    assert "&lt;d&gt;: m, a</title>" in found.source
    assert ">0.5000<br/><small>-1.4000 to 2.4000</small></td>" in found.source
    assert "<summary>Against components</summary>" in found.source
    assert "5,760 voxels in 2 segments, the largest with 75%." in found.source
    assert "0.2500 bits: split 0.1250, merge 0.1250." in found.source
    assert "Merged with 1 neuron: 9." in found.source
    # a place counts as viewers do, with the file's offset
    place = '<code class="copy">10, 20, 13</code> <small>40, 80, 520 nm</small>'
    for words in (
        "Split: 1,440 voxels in segment 8, mostly of neuron 2.",
        "Merge: 1,440 voxels of neuron 2 in segment 8.", "Lost: 1,440 voxels in no segment.",
    ):  # fmt: skip
        assert found.source.count(f"<li>{words} {place}</li>") == 2
    assert ">75.0%</td>" in found.source and "With their mistakes in <code>" in found.source
    assert 'class="stack" data-first="3"' in found.source
    assert slices.OWN in found.source
    assert "stands out" not in found.source  # there is but one segmentation


def test_a_page_of_a_thousand_neurons_in_large_noisy_sections(tmp_path: Path) -> None:
    """Pictures as large as the config allows, of noise, which no format makes smaller: fewer
    sections are shown, and the page stays below its limit. Places lead to the viewer."""
    shape = (16, 1024, 1024)
    random = np.random.default_rng(0)
    z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
    truth = np.broadcast_to(1 + y // 32 * 32 + x // 32, shape).astype(np.uint32)
    truth[truth > 1000] = 0
    fragments = 1 + (z // 8 * 64 + y // 16) * 32 + x // 32
    raw = random.integers(0, 256, shape, np.uint8)
    maps = np.zeros((3, *shape), np.uint8)
    middle = (..., slice(256, 768), slice(256, 768))
    maps[middle] = random.integers(0, 256, (3, 16, 512, 512), np.uint8)
    files = write_scene(tmp_path, raw, truth, fragments.astype(np.uint32), maps)
    with h5py.File(files["segmentation"], "a") as file:
        merges = np.stack([np.arange(1, 400), np.arange(2, 401)], 1).astype(np.uint32)
        segmentation.write_merges(file, [0.5], merges, [len(merges)])
    listed = Path(entry(tmp_path, "s", [3, 0.5, 4], 1000)["neurons"])
    content = scores.read(listed, scores.Neurons)
    boxes = [((0, n // 32 * 32, n % 32 * 32), (15, n // 32 * 32 + 31, n % 32 * 32 + 31))
             for n in range(1000)]  # fmt: skip
    found = [one.model_copy(update={"low": low, "high": high})
             for one, (low, high) in zip(content.neurons, boxes, strict=True)]  # fmt: skip
    scores.write(listed, content.model_copy(update={"neurons": found}))
    there = {"address": "http://127.0.0.1:8090", "volume": NAME, "layer": "m & m, a"}
    values = {"model": "m", "agglomeration": "a", "volume": NAME, "viewer": there, "picture": 512,
              "neurons": str(listed)}  # fmt: skip
    values |= {name: str(path) for name, path in files.items()}
    shown = run_page("segment", values, tmp_path / "report" / "many.html")
    sections = shown.source.count("<section")
    assert 1 <= sections < slices.SECTIONS and sections % 2
    assert len(shown.source) > slices.BUDGET / 3
    assert shown.source.count('class="card"') == ranks.NUMBER
    assert sum(name.startswith("Neuron ") for name in shown.pictures) == 3 * ranks.NUMBER
    assert len(cells(shown.source.split("All neurons</h2>")[1])) == neurons.LISTED
    where = f"950 more neurons that add less, and all mistakes, are in <code>{listed}</code>"
    assert where in shown.source
    # a neuron's middle with its main segment, then its mistakes
    state = f"http://127.0.0.1:8090/{quote(NAME)}/neuroglancer.json?position="
    links = [link.removeprefix(f"http://127.0.0.1:8090/client/v/fgnet/#!{state}")
             for link in shown.links if "#!" in link]  # fmt: skip
    layer = "layer=m%20%26%20m%2C%20a"
    assert links[0].endswith(f"&segments=7&{layer}") and len(links) == 4 * ranks.NUMBER
    assert links[1] == f"10%2C20%2C13&segments=8%2C7&{layer}"
    assert 'class="copy"' not in shown.source and "fgnet.export serve" in shown.source


def test_a_published_volume_opens_in_the_public_client() -> None:
    there = places.Viewer(address="https://lab.org/em", volume="v", layer="m, a")
    text = places.show((3, 2, 1), there, (0, 5, 5)).text
    public = "https://neuroglancer-demo.appspot.com/#!https://lab.org/em/v/neuroglancer.json?"
    target = html_module.unescape(re.findall('href="(.*?)"', text)[0])
    assert target == f"{public}position=1%2C2%2C3&segments=5&layer=m%2C%20a" and ">1, 2, 3<" in text
    assert "serve" not in places.words(there).text


def test_a_volume_without_labels_has_pictures_and_no_scores(files: dict[str, Path]) -> None:
    with volume.opened(files["image"]) as file:
        raw = volume.dataset(file, volume.RAW)[:]
    with volume.create(files["image"], "normalize", {}, []) as file:
        volume.add(file, volume.RAW, raw.shape, "u1", VOXEL)[:] = raw
    shown = []
    for threshold in (0.1, 0.9):
        write_choice(files["threshold"], threshold)
        with Files.checked(files).opened() as scene:
            copy = coarse.copy(scene)
            text = slices.show(scene, 320).text + worst.show(copy, None).text
            shown.append(re.sub('base64,[^"]*', str(len(text)), text))
    assert slices.EDGES in shown[0] and slices.OWN not in shown[0]
    assert "Ground truth" not in shown[0] and "Errors" not in shown[0] and "VOI" not in shown[0]
    assert shown[0].count('class="card"') == 4 and shown[1].count('class="card"') == 1
    assert "The largest segments" in shown[0] and "Segment 1" in shown[0]
    write_choice(files["threshold"], 0.3)
    with (
        pytest.raises(InputError, match=r"no segmentation at threshold 0\.3"),
        Files.checked(files).opened(),
    ):
        pass


def test_labels_behind_a_mask_are_not_known(files: dict[str, Path]) -> None:
    with h5py.File(files["image"], "a") as file:
        mask = np.zeros(file[volume.RAW].shape, np.uint8)
        mask[:, :, :24] = 1
        volume.add(file, volume.MASK, mask.shape, "u1", VOXEL)[:] = mask
    with Files.checked(files).opened() as scene:
        overlaps = coarse.copy(scene).overlaps()
    assert overlaps is not None and overlaps.neurons.tolist() == [1]


def test_a_section_so_large_that_few_fit(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Files.checked(files).opened() as scene:
        one = slices.row(scene, planes.sections(scene.shape, VOXEL, 320, 1))[0].text
        # both planes across are 6 x (48 + 40) voxels, a section 40 x 48
        monkeypatch.setattr(slices, "BUDGET", len(one) * 4.5)
        assert slices.show(scene, 320).text.count("<section") == 3
        monkeypatch.setattr(slices, "BUDGET", 1)
        assert slices.show(scene, 320).text.count("<section") == 1


def test_data_page(tmp_path: Path) -> None:
    raw = np.random.default_rng(0).integers(900, 5000, (20, 40, 48)).astype(np.uint16)
    raw[4:6] = 0
    raw[9, :10] = 65535
    raw[15:] = 0
    downloaded, normalized = tmp_path / f"{NAME}.h5", tmp_path / "normalized.h5"
    with volume.create(downloaded, "download", {}, []) as file:
        volume.add(file, volume.RAW, raw.shape, "u2", VOXEL)[:] = raw
        volume.add(file, volume.LABELS, raw.shape, "u4", VOXEL)[:] = 1
    stage.run(downloaded, normalized, '{"defects": "interpolate"}')
    values = {"volume": NAME, "downloaded": str(downloaded), "normalized": str(normalized)}
    found = run_page("data", values, tmp_path / "report" / "d.html")
    names = list(found.pictures)
    assert names[:4] == [
        "Histogram, as downloaded", "Histogram, normalised",
        "Mean grey value of the sections, as downloaded",
        "Mean grey value of the sections, normalised",
    ]  # fmt: skip
    before = "as downloaded, and normalised, bad pixels"
    assert names[4:] == [
        f"Section 4, lost: {before} interpolated", f"Section 9, bordered: {before} interpolated",
        f"Section 15, lost: {before} kept",
    ]  # fmt: skip
    rows = re.findall(r"<tr>(.*?)</tr>", found.source, re.DOTALL)
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows]
    for expected in (
        ["voxel size", "40 x 4 x 4 nm (z, y, x)"], ["shape", "20 x 40 x 48 voxels"],
        ["grey values as downloaded", "uint16"], ["labels", "yes"],
        ["4 to 5", "lost", "interpolated", "100.0%"], ["9", "bordered", "interpolated", "25.0%"],
        ["15 to 19", "lost", "kept", "100.0%"], ["defects", "interpolate"],
    ):  # fmt: skip
        assert expected in cells
    assert "8 of 20 sections are defective." in found.source


def test_a_volume_without_defects_has_no_pictures_of_them(tmp_path: Path) -> None:
    with volume.create(tmp_path / "in.h5", "download", {}, []) as file:
        raw = np.random.default_rng(0).integers(0, 255, (3, 40, 48))
        volume.add(file, volume.RAW, raw.shape, "u1", VOXEL)[:] = raw
    stage.run(tmp_path / "in.h5", tmp_path / "out.h5", "{}")
    assert "All 3 sections are sound." in data.defects(tmp_path / "out.h5").text
    assert data.pictures(tmp_path / "in.h5", tmp_path / "out.h5").text == ""


def test_train_page(tmp_path: Path) -> None:
    history = tmp_path / "history.csv"
    lines = [
        f"{n},{n / 2},{1 / n},{1 / n},{2 / n},0.1," + (",," if n % 2 else f"3,{4 / n},0.5")
        for n in range(1, 9)
    ]
    history.write_text("\n".join([",".join(course.COLUMNS), *lines]))
    augmented, examples = tmp_path / "augmentations.h5", tmp_path / "examples.h5"
    random = np.random.default_rng(0)
    with h5py.File(examples, "w") as file:
        for name in ("0 training", "1 validation"):
            file.create_group(name).attrs["voxel_size"] = VOXEL
            for end, shape in (("", (20, 30)), ("_xz", (5, 30))):
                for key in ("raw", "labels", "target", "known", "coarse", "refined"):
                    if (key, name) == ("coarse", "1 validation"):
                        continue  # as of a model with one decoder
                    channels = () if key in ("raw", "labels") else (3,)
                    drawn = random.integers(0, 99, (*channels, *shape)).astype(np.uint8)
                    file[f"{name}/{key}{end}"] = drawn
    with h5py.File(augmented, "w") as file:
        for name in ("00 none", "01 cut_noise"):
            for end, shape in (("", (20, 30)), ("_xz", (5, 30))):
                for key in ("before", "raw", "labels"):
                    file[f"{name}/{key}{end}"] = random.integers(0, 99, shape).astype(np.uint8)
    values = {"model": NAME, "history": str(history), "augmentations": str(augmented),
              "examples": str(examples), "settings": {"crop": {"z": [1, "ü"]}}}  # fmt: skip
    found = run_page("train", values, tmp_path / "report" / "train.html")
    assert (
        "8 steps in 4.0 s; lowest validation loss 3 at step 2; "
        "lowest VOI of the validation block 0.5 at step 8." in found.source
    )
    assert '<td>crop.z</td><td>[1, "ü"]</td>' in found.source
    names = list(found.pictures)
    assert names[:4] == [
        "Loss over steps", "VOI and ARAND of the validation block over steps",
        "Learning rate over steps", "Steps per second over steps",
    ]  # fmt: skip
    shown = ["Raw", "Labels", "Target affinities"]
    both = [*shown, "Coarse affinities (A_s)", "Refined affinities (A_r)"]
    assert [name.split(":")[0] for name in names[4:]] == [
        *(f"{title}, {crop}, {plane}" for crop, titles in
          (("training crop 1", both), ("validation crop 2", [*shown, "Affinities"]))
          for title in titles for plane in ("xy", "xz")),
        "Augmentation none", "Augmentation cut noise",
    ]  # fmt: skip


def test_training_history() -> None:
    assert course.throughput([(1, 1.0), (3, 2.0), (4, 2.5)]) == [(3, 2.0), (4, 2.0)]


def test_training_without_steps_and_with_another_file(tmp_path: Path) -> None:
    history = tmp_path / "history.csv"
    history.write_text(",".join(course.COLUMNS) + "\n")
    assert "No step was trained" in course.show(history).text
    history.write_text("step,loss\n1,2\n")
    with pytest.raises(InputError, match="has no column 'seconds'; train the model again"):
        course.show(history)


def record(path: Path, parameters: int, **settings: Any) -> str:
    """What a training noted of itself."""
    made = Model.checked({"network": {"kind": "fgnet"}, **settings}).model_dump(mode="json")
    facts = {"made_by": {"settings": made}, "parameters": parameters, "trained": 500_000,
             "steps": 100, "seconds": 90.0}  # fmt: skip
    path.write_text(json.dumps(facts))
    return str(path)


def cells(source: str) -> list[list[str]]:
    """The rows of tables, cell by cell, without their headers."""
    rows = re.findall(r"<tr>(.*?)</tr>", source, re.DOTALL)
    return [found for row in rows if (found := re.findall(r"<td[^>]*>(.*?)</td>", row))]


def test_evaluate_page(tmp_path: Path) -> None:
    values = [
        entry(tmp_path, "one", [3, 10.5, 4], page=str(tmp_path / "report" / "s.html")),
        entry(tmp_path, "two", [5, 9.25, 4]),
        entry(tmp_path, "other", [5, 12, 4], seed=1),
    ]
    single = entry(tmp_path, "single", [2, 1, 3], 1, volume="small", split="validation")
    values = [{**single, "model": "one"}, *values]
    values.append({**values[1], "volume": "unlabelled", "split": "predict", "scores": None,
                   "neurons": None})  # fmt: skip
    lora = {"kind": "fgnet", "attention": "none", "sam2": {"mode": "lora", "weights": "random"}}
    models = {
        "one": record(tmp_path / "1.json", 1_230_000, seed=1),
        "two": record(tmp_path / "2.json", 1_230_000, seed=2),
        "other": record(tmp_path / "3.json", 9_870_000, network=lora, offsets="pea"),
    }
    output = tmp_path / "report" / "e.html"
    parameters = {"segmentations": values, "models": models, "page": str(output)}
    found = run_page("evaluate", parameters, output)
    assert "unlabelled" not in found.source.replace("are unlabelled", "")
    assert "the best of each volume stands out. Beneath" in found.source
    assert "s.html" in found.links

    # test volumes first; intervals beneath, the best marked, none of a single neuron
    scored, components, choice, compared, told, _ = re.split(
        "<summary>Against components|The choice of the threshold</h2>|Models</h2>"
        "|Told apart.</h3>|Over the threshold</h2>", found.source
    )  # fmt: skip
    first = cells(scored)
    assert [row[0].split("small>")[1] for row in first] == [
        "one · mean</", "two · mean</", "other · mean</", "one · mean</"
    ] * 2  # fmt: skip
    assert first[0][3] == "10.5000<br/><small>8.6000 to 12.4000</small>"
    assert first[1][3] == "<strong>9.2500</strong><br/><small>7.3500 to 11.1500</small>"
    assert first[3][3] == "1.0000" and first[4][2:] == ["0.0000"] * 3
    assert first[5][1] == "<strong>0.9066</strong>"  # higher is better
    assert "9.2500" in components and 'data-name="VOI sum"' in components

    assert "<li>two · mean: threshold 0.5: so it was.</li>" in choice
    assert cells(choice)[0][1:] == [
        "0.5", "0.1", "10.5000", "3.0000", "0.1061", "0.0303", "+7.5000"
    ]  # fmt: skip
    assert cells(choice)[3][7] == "0.0000"
    assert ">VOI sum lost</th>" in choice

    # models that differ in the seed alone share a row
    rows = cells(compared)
    assert rows[0][:4] == ["one, two", "fgnet", "SAM2 large, frozen", "gate"]
    low = "<strong>9.875 ± 0.884</strong>"
    assert rows[0][7:] == [
        low, "0.000 ± 0.000", low, "<strong>0.100 ± 0.009</strong>",  # equals do not stand out
        "1.23 M", "0.50 M", "100", "90.0 s",
    ]  # fmt: skip
    assert rows[1][:1] + rows[1][2:6] == ["other", "SAM2 large, random, LoRA 8", "-", "dual", "12"]
    assert rows[1][9] == "12.000"

    # one and two have the same noise, so that their difference is sure; of other it is not
    one, two, other = cells(told)
    assert one[3] == "+1.2500<br/><small>+1.2500 to +1.2500</small>"
    assert two[3:] == ["<strong>the best</strong>"] * 2
    assert re.match(
        r"\+2\.7500<br/><small>\N{MINUS SIGN}0\.\d+ to .*, not told apart</small>", other[3]
    )

    charts = list(found.pictures)
    assert len(charts) == 4 * 3 + 2
    assert charts[-2] == f"Average precision over intersection over union, {NAME} (test)"
    assert found.source.count(">chosen and oracle</text>") == 3
    assert found.source.count(">oracle</text>") == 9
    assert "small: Some voxels count. Here 1,234 voxels are unlabelled, 56 more" in found.source


def test_curves_that_do_not_fit_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = results.read(
        results.entries([entry(tmp_path, name, [1, 2, 3]) for name in ("one", "two", "three")])
    )
    monkeypatch.setattr(sweeps, "BUDGET", 1.5 * len(sweeps.show(found[:1]).text))
    text = sweeps.show(found).text
    assert text.count("<h3>") == 1 and "<p>2 more would not fit on the page;" in text


def test_a_chart_of_many_models_has_its_legend_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = results.read(
        results.entries([entry(tmp_path, f"model <{n}>", [1, 2, 3]) for n in range(17)])
    )
    text = sweeps.precision(found).text
    chart, legend = text.split("</svg>", 1)
    samples = re.findall(r"<span>(<svg.*?</svg>)(.*?)</span>", legend)
    assert [name for _, name in samples] == [f"model &lt;{n}&gt; · mean" for n in range(17)]
    assert len({sample for sample, _ in samples}) == 17  # each its own colour and dashes
    assert "model" not in chart.split("data-top")[1] and "best" not in text
    # of more than can be told apart, those with the highest precision
    row = found[0].file.against_ids.chosen
    better = row.model_copy(update={"average_precision_at": [1.0] * 10})
    verdict = found[0].file.against_ids.model_copy(update={"chosen": better})
    last = found[16].file.model_copy(update={"against_ids": verdict})
    monkeypatch.setattr(sweeps, "MOST", 2)
    text = sweeps.precision([*found[:16], results.Result(found[16].entry, last)]).text
    assert "(test): the best 2 of 17</figcaption>" in text
    assert re.findall(r"</svg>(model.*?) · mean</span>", text) == [
        "model &lt;0&gt;",
        "model &lt;16&gt;",
    ]


def test_models_scored_on_different_voxels_have_no_difference(tmp_path: Path) -> None:
    found = results.read(
        results.entries([entry(tmp_path, name, [1, 2, 3]) for name in ("one", "two")])
    )
    assert pairs.interval(found[0], found[1], verdicts.ERRORS[2]) == (0, 0)
    other = found[1].file.treatment.model_copy(update={"border": 50.0})
    changed = results.Result(found[1].entry, found[1].file.model_copy(update={"treatment": other}))
    assert pairs.interval(found[0], changed, verdicts.ERRORS[2]) is None
    assert "no interval" in str([html.text(cell) for cell in pairs.rows([found[0], changed])[1]])


def follow(folder: Path, model: str, normalised: float | None) -> results.Entry:
    """An entry with a file of run lengths, of none where there is none."""
    runs = None
    if normalised is not None:
        runs = scores.RunLength(
            threshold=0.5, expected=2.5, normalised=normalised, with_mergers=3, correct=0.5,
            merged=0.25, split=0.125, omitted=0.125, mergers=1200,
        )  # fmt: skip
    content = scores.RunLengths(
        neurons=2, micrometres=9, tolerance=100, words=f"So it is with {NAME}.", skeletons={},
        threshold=0.5, chosen=runs, resamples=1000, sweep=[runs] if runs else [], made_by={},
        intervals=scores.RunIntervals(expected=(1, 3), normalised=(0.125, 0.75)) if runs else None,
    )  # fmt: skip
    path = folder / f"{model}.run_lengths.json"
    scores.write(path, content)
    names = {"model": model, "agglomeration": "mean", "volume": NAME, "split": "predict"}
    return results.Entry.checked({**names, "run_lengths": str(path)})


def test_run_lengths_stand_where_there_are_lines(tmp_path: Path) -> None:
    assert (
        run_lengths.show(
            [results.Entry.checked({"model": "m", "agglomeration": "a", "volume": "v"})]
        ).text
        == ""
    )
    found = run_lengths.show([follow(tmp_path, "one", 0.25), follow(tmp_path, "two", 0.5)]).text
    first, second = cells(found)
    assert first[1:] == [
        "2.500<br/><small>1.000 to 3.000</small>", "0.2500<br/><small>0.1250 to 0.7500</small>",
        "3.000", "1,200", "50.0%", "25.0%", "12.5%", "12.5%",
    ]  # fmt: skip
    assert second[2].startswith("<strong>0.5000</strong>")
    # where no skeleton lies in a volume, the page says why there are none
    found = run_lengths.show([follow(tmp_path, "none", None)]).text
    assert "<table" not in found and "So it is with" in found


def test_a_page_of_run_lengths_alone(tmp_path: Path) -> None:
    one = follow(tmp_path, "m", 0.25).model_dump(mode="json")
    parameters = {"segmentations": [one], "models": {"m": record(tmp_path / "1.json", 1)}}
    found = run_page("evaluate", parameters, tmp_path / "report" / "e.html")
    assert "Run lengths" in found.source and "0.2500" in found.source
    assert "so no voxel is scored" in found.source


def test_an_evaluate_page_without_scores(tmp_path: Path) -> None:
    values = {"model": "m", "agglomeration": "a", "volume": NAME, "split": "predict"}
    models = {"m": record(tmp_path / "1.json", 1)}
    parameters = {"segmentations": [values], "models": models}
    found = run_page("evaluate", parameters, tmp_path / "report" / "e.html")
    assert "so no voxel is scored" in found.source and not found.pictures


def test_provenance_page(files: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "benchmarks" / "train"
    folder.mkdir(parents=True)
    (folder / f"{NAME}.tsv".replace("/", "")).write_text("s\tmax_rss\n60.0\t1500.0\n")
    (folder / "short.tsv").write_text("s\tmax_rss\n0.1\t-\n")
    values = {
        "config": {
            "train": {"seed": 17},
            "path": "${FGNET_DATA}/é",
            "em": "https://c.org/d",
        },
        "benchmarks": str(tmp_path / "benchmarks"),
        "ledger": str(tmp_path / "ledger"),
        "files": [str(files[name]) for name in ("image", "affinities", "segmentation")]
        + [str(write_scores(tmp_path / "scores.json", [1, 2, 3]))],
    }
    found = run_page("provenance", values, tmp_path / "report" / "p.html")
    assert "2 jobs, 60.1 s in all, at most 1.57 GB resident." in found.source
    assert sha256(files["image"]) in found.source
    assert "<td>train.seed</td>" in found.source
    assert "${FGNET_DATA}/é" in found.source
    assert "https://c.org/d" in found.source
    assert dict(records.read(values["files"]))[values["files"][-1]]["stage"] == "evaluate"


def make_notebook(path: Path, code: str) -> Path:
    cells = [nbformat.v4.new_code_cell(code)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def test_the_kernel_is_this_python_whatever_the_user_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = tmp_path / ".local" / "share" / "jupyter" / "kernels" / "python3" / "kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(json.dumps({"argv": ["false"], "display_name": "", "language": "python"}))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    monkeypatch.setenv("JUPYTER_PATH", str(spec.parents[2]))
    code = "import sys, fgnet\nprint('warning', file=sys.stderr)\nsys.executable"
    notebook, executed = make_notebook(tmp_path / "n.ipynb", code), tmp_path / "logs" / "n.ipynb"
    page.run(notebook, "{}", ".", executed, tmp_path / "n.html")
    source = (tmp_path / "n.html").read_text()
    assert sys.executable in source
    assert "warning" not in source
    assert "warning" in executed.read_text()


@pytest.mark.parametrize(("folder", "transport"), [("t", "ipc"), ("t" * 120, "tcp")])
def test_kernels_take_no_ports_that_others_may_want(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, transport: str
) -> None:
    """But for a temporary folder whose name is too long for a socket's."""
    short = Path(tempfile.mkdtemp())
    (short / folder).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(short / folder))
    code = (
        "from ipykernel.connect import get_connection_info\n"
        "one = get_connection_info(unpack=True)\n"
        "print('by', one['transport'], one['ip'])"
    )
    notebook = make_notebook(tmp_path / "n.ipynb", code)
    page.run(notebook, "{}", ".", tmp_path / "logs/n.ipynb", tmp_path / "n.html")
    # and in a folder of this job alone
    where = f"by ipc {short / folder}/fgnet-" if transport == "ipc" else "by tcp 127.0.0.1"
    assert where in (tmp_path / "n.html").read_text()
    shutil.rmtree(short)


def test_a_kernel_that_stays_silent_is_followed_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, start = [], KernelClient._async_wait_for_ready

    async def silent(self: KernelClient, timeout: float | None = None) -> None:
        begun.append(timeout)
        if len(begun) < 3 or tmp_path.joinpath("deaf").exists():
            raise RuntimeError(f"Kernel didn't respond in {timeout} seconds")
        await start(self, timeout)

    monkeypatch.setattr(AsyncKernelClient, "wait_for_ready", silent)
    notebook = make_notebook(tmp_path / "n.ipynb", "print('at', 'last')")
    page.run(notebook, "{}", ".", tmp_path / "logs/n.ipynb", tmp_path / "n.html")
    assert len(begun) == 3 and "at last" in (tmp_path / "n.html").read_text()
    (tmp_path / "deaf").touch()
    with pytest.raises(RuntimeError, match="Kernel didn't respond"):
        page.run(notebook, "{}", ".", tmp_path / "logs/n.ipynb", tmp_path / "n.html")
    assert len(begun) == 6


def test_a_page_that_fails_leaves_its_notebook_and_no_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = "from fgnet.errors import InputError\nraise InputError('no such file: mend it')"
    executed, output = tmp_path / "logs" / "n.ipynb", tmp_path / "n.html"
    status = command.main(
        __main__.parser,
        command.run_step,
        ["page", "--notebook", str(make_notebook(tmp_path / "n.ipynb", code)),
         "--executed", str(executed), "--output", str(output)],
    )  # fmt: skip
    assert status == 2
    assert capsys.readouterr().err.endswith("error: no such file: mend it\n")
    assert "mend it" in executed.read_text()
    assert not output.exists()


def test_unknown_parameters_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown parameter 'modle'; it knows augmentations, ex"):
        page.run(NOTEBOOKS / "train.ipynb", '{"modle": 1}', ".", tmp_path / "l", tmp_path)


def test_landing_page(files: dict[str, Path], tmp_path: Path) -> None:
    own = tmp_path / "pages" / f"{NAME}.html"
    own.parent.mkdir()
    own.touch()
    values = {
        "title": "A <title>",
        "segmentations": [
            entry(tmp_path, "train", [1, 1, 1], split="train", volume="other"),
            entry(tmp_path, "one", [3, 10.5, 4], page=str(own)),
            entry(tmp_path, "two", [5, 9.25, 4]),
        ],
        "pages": [{"title": "More & more", "page": str(own)}],
        "picture": {
            "title": "Neurons",
            "files": {name: str(path) for name, path in files.items()},
            "longest": 320,
        },
    }
    output, table = tmp_path / "report" / "index.html", tmp_path / "report" / "scores.txt"
    index.run(json.dumps(values), output, table)
    found = Page(output)
    assert "<title>A &lt;title&gt;</title>" in found.source
    assert len(found.pictures) == 6
    places = [(output.parent / unquote(link)).resolve() for link in found.links]
    assert places[len(navigation.ENTRIES) :] == [own] * 2
    lines = table.read_text(encoding="utf-8").splitlines()
    assert [line.split()[-6:] for line in lines[1:3]] == [
        ["10.5000", "0.0000", "10.5000", "0.1061", "10.5000", "0.1061"],
        ["9.2500", "0.0000", "9.2500", "0.0934", "9.2500", "0.0934"],
    ]


def test_landing_page_without_scores(tmp_path: Path) -> None:
    output, table = tmp_path / "index.html", tmp_path / "scores.txt"
    index.run('{"title": "T", "segmentations": [], "pages": []}', output, table)
    assert "so no voxel is scored" in output.read_text()
    assert "no scores" in table.read_text()


SCREENSHOTS = NOTEBOOKS.parent / "docs/screenshots.py"
BROWSER = any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome")))


@pytest.mark.skipif(not BROWSER, reason="there is no chromium or google-chrome on PATH")
def test_a_page_on_paper_is_light_and_cuts_nothing(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("screenshots", SCREENSHOTS)
    assert spec and spec.loader
    screenshots = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(screenshots)
    wide = html.table(["a"] * 30, [["a number of words"] * 30])
    body = html.join([html.tag("h1", "T"), html.tag("h2", "U"), wide,
                      html.details("folded", html.tag("b", "shown"))])  # fmt: skip
    path = tmp_path / "page.html"
    above = navigation.bar("index")
    path.write_text(html.page(body.text, above), encoding="utf-8")
    asked = {
        "light": "getComputedStyle(document.body).backgroundColor",
        "ink": "getComputedStyle(document.body).color",
        "bar": "getComputedStyle(document.querySelector('nav')).display",
        "heading": "getComputedStyle(document.querySelector('h2')).breakAfter",
        "row": "getComputedStyle(document.querySelector('tr')).breakInside",
        "table": "getComputedStyle(document.querySelector('.wide')).overflowX",
        "folded": "document.querySelector('details b').checkVisibility({contentVisibilityAuto: 1})",
    }
    found = {}
    with screenshots.browser() as shown:
        for media in ("screen", "print"):
            shown.shot(path, "desktop", "dark", "body", media)
            found[media] = {
                name: shown.call("Runtime.evaluate", expression=code)["result"]["value"]
                for name, code in asked.items()
            }
    assert found["print"] == {
        "light": "rgb(255, 255, 255)", "ink": "rgb(28, 33, 38)", "bar": "none",
        "heading": "avoid", "row": "avoid", "table": "visible", "folded": True,
    }  # fmt: skip
    assert found["screen"]["light"] == "rgb(20, 24, 28)" and found["screen"]["bar"] == "flex"
    assert found["screen"]["table"] == "auto" and not found["screen"]["folded"]


@pytest.mark.skipif(not BROWSER, reason="there is no chromium or google-chrome on PATH")
def test_screenshots_fail_where_a_page_is_too_wide(tmp_path: Path) -> None:
    def shoot(body: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "page.html").write_text(html.page(body), encoding="utf-8")
        command = [sys.executable, SCREENSHOTS, "--report", tmp_path, "--output", tmp_path,
                   "--pages", "page.html"]  # fmt: skip
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert shoot(f"<h1>T</h1>{html.table(['a'] * 30, [['words'] * 30]).text}").returncode == 0
    done = shoot('<h1>T</h1><div style="width: 500px">wide</div>')
    assert done.returncode == 1 and "page.html: 516 wide on a phone of 390" in done.stderr
    assert (tmp_path / "page-desktop-dark.png").is_file()
