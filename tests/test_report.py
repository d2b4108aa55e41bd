"""The report: colours, pictures, tables, and whole pages that need no network."""

import html as html_module
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import h5py
import nbformat
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fgnet import affinities, command, metrics, scores, segmentation, volume
from fgnet.checksum import sha256
from fgnet.errors import InputError
from fgnet.normalize import stage
from fgnet.report import (
    __main__,
    coarse,
    colours,
    curves,
    data,
    html,
    index,
    mistakes,
    navigation,
    neurons,
    page,
    pairs,
    pictures,
    planes,
    projection,
    provenance,
    ranks,
    results,
    slices,
    style,
    sweeps,
    training,
    verdicts,
    worst,
)
from fgnet.report.scene import Files
from fgnet.settings.report import Report
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
    found = {
        "image": tmp_path / f"{NAME}.h5",
        "affinities": tmp_path / "affinities.h5",
        "segmentation": tmp_path / "segmentation.h5",
        "threshold": tmp_path / "threshold.json",
    }
    with volume.create(found["image"], "normalize", {"low": 1}, []) as file:
        raw = np.random.default_rng(0).integers(0, 255, truth.shape)
        volume.add(file, volume.RAW, truth.shape, "u1", VOXEL)[:] = raw
        volume.add(file, volume.LABELS, truth.shape, "u4", VOXEL)[:] = truth
    ideal = affinities.from_labels(truth, affinities.NEAREST)[0].astype(np.float32)
    with volume.create(found["affinities"], "infer", {}, [found["image"]]) as file:
        for name in (volume.AFFINITIES, volume.COARSE_AFFINITIES):
            data = volume.add(file, name, ideal.shape, "f2", VOXEL)
            data[:] = ideal
            data.attrs["offsets"] = affinities.NEAREST
    with volume.create(found["segmentation"], "agglomerate", {}, []) as file:
        volume.add(file, volume.FRAGMENTS, truth.shape, "u4", VOXEL)[:] = fragments
        segmentation.write_fragments(file, np.arange(1, fragments.max() + 1))
        merges = np.array([[1, 3], [2, 4], [1, 2]], np.uint32)
        segmentation.write_merges(file, [0.1, 0.5, 0.9], merges, [0, 2, 3])
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
        scores.Row(
            threshold=t, segments=3, voi_split=voi, voi_merge=0, voi_sum=voi, arand=voi / 99,
            rand_precision=1 - voi / 99, average_precision_at=[1 - n / 10 for n in range(10)],
        )
        for t, voi in zip((0.1, 0.5, 0.9), sums, strict=True)
    ]  # fmt: skip
    sweep = scores.Sweep(objects=2, sweep=rows)
    record = {"stage": "evaluate", "fgnet": "0", "settings": {}, "inputs": {}}
    content = scores.Scores(
        voxels_scored=9, voxels_ignored=0, against_ids=sweep, against_components=sweep,
        made_by=record,
        treatment=scores.Treatment(
            voxel_size=VOXEL, voxels_unlabelled=1234, voxels_near_border=56, border=25,
            words="Some voxels count.",
        ),
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
    # two charts on a page share no id, and each refers to its own
    ids = set(re.findall(r' id="(.*?)"', source))
    assert ids and ids == set(re.findall(r'(?:url\(|href=")#(.*?)[")]', source))
    other = set(re.findall(r' id="(.*?)"', curves.chart(draw, "Another", "caption").text))
    assert len(other) == len(ids) and not ids & other


def test_the_bar_leads_to_all_pages_of_the_report(tmp_path: Path) -> None:
    links = [
        navigation.Link(title=title, page=tmp_path / page, group=group)
        for title, page, group in (
            ("Overview", "index.html", None), ("a <b>", "train/a.html", "Training"),
            ("c", "train/c d.html", "Training"), ("v", "data/v.html", "Data"),
        )
    ]  # fmt: skip
    own = tmp_path / "train/a.html"
    text = navigation.bar(links, own).text
    assert re.findall(r'href="(.*?)"', text) == [
        "../index.html", "", "c%20d.html", "../data/v.html"
    ]  # fmt: skip
    assert 'class="here"><summary>Training</summary>' in text
    assert '<a aria-current="page" href="">a &lt;b&gt;</a>' in text
    assert ">Data: v</a>" in text
    text = "".join(part.text for part in navigation.lists(links, links[0].page))
    assert re.findall(r"<h2>(.*?)</h2>", text) == ["Training", "Data"]
    assert "Overview" not in text


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
    page.run(
        NOTEBOOKS / f"{notebook}.ipynb", json.dumps(values),
        json.dumps([{"title": "Overview", "page": str(output.parents[1] / "index.html")}]),
        logs, output,
    )  # fmt: skip
    assert nbformat.read(logs, as_version=4).metadata.papermill.exception is None
    found = Page(output)
    assert not {"link", "iframe"} & set(found.tags) and "<script src" not in found.source
    assert all(re.match("data:image/|svg$", source) for source in found.pictures.values())
    outside = r"""url\((?!#)|@import|Traceback|(src|href|action)=["']?http"""
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
    history.write_text("\n".join([",".join(training.COLUMNS), *lines]))
    augmented, examples = tmp_path / "augmentations.h5", tmp_path / "examples.h5"
    random = np.random.default_rng(0)
    with h5py.File(examples, "w") as file:
        for name in ("0 training", "1 validation"):
            file.create_group(name).attrs["voxel_size"] = VOXEL
            for end, shape in (("", (20, 30)), ("_xz", (5, 30))):
                for key in ("raw", "labels", "target", "known", "coarse", "refined"):
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
    shown = ["Raw", "Labels", "Target affinities", "Coarse affinities (A_s)",
             "Refined affinities (A_r)"]  # fmt: skip
    assert [name.split(":")[0] for name in names[4:]] == [
        *(f"{title}, {crop}, {plane}" for crop in ("training crop 1", "validation crop 2")
          for title in shown for plane in ("xy", "xz")),
        "Augmentation none", "Augmentation cut noise",
    ]  # fmt: skip


def test_training_history() -> None:
    assert training.throughput([(1, 1.0), (3, 2.0), (4, 2.5)]) == [(3, 2.0), (4, 2.0)]


def test_training_without_steps_and_with_another_file(tmp_path: Path) -> None:
    history = tmp_path / "history.csv"
    history.write_text(",".join(training.COLUMNS) + "\n")
    assert "No step was trained" in training.show(history).text
    history.write_text("step,loss\n1,2\n")
    with pytest.raises(InputError, match="has no column 'seconds'; train the model again"):
        training.show(history)


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
    assert first[3][3] == "1.0000" and first[4][2:] == ["-", "-", "-"]
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
    assert rows[0][:4] == ["one, two", "fgnet", "large, frozen", "gate"]
    low = "<strong>9.875 ± 0.884</strong>"
    assert rows[0][7:] == [
        low, "<strong>0.000 ± 0.000</strong>", low, "<strong>0.100 ± 0.009</strong>",
        "1.23 M", "0.50 M", "100", "90.0 s",
    ]  # fmt: skip
    assert rows[1][:1] + rows[1][2:6] == ["other", "large, random, LoRA 8", "-", "dual", "12"]
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


def test_models_scored_on_different_voxels_have_no_difference(tmp_path: Path) -> None:
    found = results.read(
        results.entries([entry(tmp_path, name, [1, 2, 3]) for name in ("one", "two")])
    )
    assert pairs.interval(found[0], found[1], verdicts.ERRORS[2]) == (0, 0)
    other = found[1].file.treatment.model_copy(update={"border": 50.0})
    changed = results.Result(found[1].entry, found[1].file.model_copy(update={"treatment": other}))
    assert pairs.interval(found[0], changed, verdicts.ERRORS[2]) is None
    assert "no interval" in str([html.text(cell) for cell in pairs.rows([found[0], changed])[1]])


def test_run_lengths_stand_where_there_are_lines(tmp_path: Path) -> None:
    found = results.read(
        results.entries([entry(tmp_path, name, [1, 2, 3]) for name in ("one", "two")])
    )
    assert verdicts.run_lengths(found).text == ""
    runs = scores.RunLength(expected=2.5, normalised=0.25, with_mergers=3, correct=0.5, merged=0.25,
                            split=0.125, omitted=0.125, mergers=1200)  # fmt: skip
    followed = []
    for one, normalised in zip(found, (0.25, 0.5), strict=True):
        row = one.file.against_ids.chosen.model_copy(
            update={"run_length": runs.model_copy(update={"normalised": normalised})}
        )
        verdict = one.file.against_ids.model_copy(update={"chosen": row})
        file = one.file.model_copy(update={"against_ids": verdict})
        followed.append(results.Result(one.entry, file))
    first, second = cells(verdicts.run_lengths(followed).text)
    assert first[1:] == ["2.500", "0.2500", "3.000", "1,200", "50.0%", "25.0%", "12.5%", "12.5%"]
    assert second[2] == "<strong>0.5000</strong>"


def test_an_evaluate_page_without_scores(tmp_path: Path) -> None:
    values = {"model": "m", "agglomeration": "a", "volume": NAME, "split": "predict"}
    models = {"m": record(tmp_path / "1.json", 1)}
    parameters = {"segmentations": [values], "models": models}
    found = run_page("evaluate", parameters, tmp_path / "report" / "e.html")
    assert "there are no scores" in found.source and not found.pictures


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
    assert dict(provenance.records(values["files"]))[values["files"][-1]]["stage"] == "evaluate"


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
    page.run(notebook, "{}", "[]", executed, tmp_path / "n.html")
    source = (tmp_path / "n.html").read_text()
    assert sys.executable in source
    assert "warning" not in source
    assert "warning" in executed.read_text()


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
        page.run(NOTEBOOKS / "train.ipynb", '{"modle": 1}', "[]", tmp_path / "l", tmp_path / "o")


def test_landing_page(files: dict[str, Path], tmp_path: Path) -> None:
    own = tmp_path / "pages" / f"{NAME}.html"
    own.parent.mkdir()
    own.touch()
    values = {
        "segmentations": [
            entry(tmp_path, "train", [1, 1, 1], split="train", volume="other"),
            entry(tmp_path, "one", [3, 10.5, 4], page=str(own)),
            entry(tmp_path, "two", [5, 9.25, 4]),
        ],
        "pages": [{"title": "More & more", "page": str(own)}],
        "picture": {
            "title": "Neurons",
            "files": {name: str(path) for name, path in files.items()},
        },
    }
    output, table = tmp_path / "report" / "index.html", tmp_path / "report" / "scores.txt"
    index.run(json.dumps(values), Report(title="A <title>"), output, table)
    found = Page(output)
    assert "<title>A &lt;title&gt;</title>" in found.source
    assert len(found.pictures) == 6
    assert [(output.parent / unquote(link)).resolve() for link in found.links] == [own] * 3
    lines = table.read_text(encoding="utf-8").splitlines()
    assert [line.split()[-6:] for line in lines[1:3]] == [
        ["10.5000", "0.0000", "10.5000", "0.1061", "10.5000", "0.1061"],
        ["9.2500", "0.0000", "9.2500", "0.0934", "9.2500", "0.0934"],
    ]


def test_landing_page_without_scores(tmp_path: Path) -> None:
    output, table = tmp_path / "index.html", tmp_path / "scores.txt"
    index.run('{"segmentations": [], "pages": []}', Report(), output, table)
    assert "no scores" in output.read_text()
    assert "no scores" in table.read_text()


def test_more_neurons_than_a_table_holds(tmp_path: Path) -> None:
    file = Path(entry(tmp_path, "many", [1, 2, 3], 60)["neurons"])
    text = neurons.table(scores.read(file, scores.Neurons).neurons, file).text
    assert len(cells(text)) == neurons.LISTED == 50
    assert f"10 more neurons that add less, and all mistakes, are in <code>{file}" in text
