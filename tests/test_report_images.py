"""Pages of sets of images: data, masks of a model, scores of all, overview, training."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import h5py
import numpy as np
import numpy.typing as npt
import pytest
from test_report import NAME, Page, cells, record, run_page

from fgnet import imageset, scores, volume
from fgnet.errors import InputError
from fgnet.evaluate import masks as step
from fgnet.imageset import Picture
from fgnet.mask_scores import SetScores
from fgnet.normalize import images as normalize
from fgnet.report import images as pages
from fgnet.report import index, navigation, painted
from fgnet.report.evaluate_masks import pairs, results
from fgnet.report.mask import gallery, listed
from fgnet.report.mask.scene import Files
from fgnet.report.train import course
from fgnet.settings.evaluate import MaskScoring

Array = npt.NDArray[Any]
CLASSES = ["polyp & co", "tool <i>"]
PANELS = ["Image", "Drawn", "Probability", "Found", "Errors"]
SIZES = [(20, 40), (40, 20), (30, 30), (20, 20)]


def labels(number: int, classes: int = 2) -> Array:
    """A quarter of each image is the first class; 1 shows the second too, 3 shows nothing."""
    made = np.zeros(SIZES[number % 4], np.uint8)
    y, x = made.shape
    if number != 3:
        made[: y // 2, : x // 2] = 1
    if number == 1:
        made[: y // 2, x // 2 :] = min(classes, 2)
    if number == 2:
        made[-3:] = 255  # 90 of 900
    return made


def write_set(path: Path, count: int = 4, labelled: bool = True, classes: int = 2) -> Path:
    random = np.random.default_rng(0)
    sizes = [SIZES[n % 4] for n in range(count)]
    made = [
        Picture(f"image <{n}>", random.integers(60, 70, (*size, 3)).astype(np.uint8),
                labels(n, classes) if labelled else None)
        for n, size in enumerate(sizes)
    ]  # fmt: skip
    with volume.create(path, "download", {}, []) as file:
        imageset.write(file, made, sizes, CLASSES[:classes], labelled)
    return path


def write_chances(path: Path, numbers: list[int], classes: int = 2) -> Path:
    """All of image n, but for its first column with the last; of the second class nothing."""
    maps = []
    for n in numbers:
        chances = np.zeros((classes, *SIZES[n % 4]), np.uint8)
        chances[0] = (labels(n, classes) == 1) * 200
        if n == numbers[-1]:
            chances[0, :, 0] = 255
        maps.append(chances)
    with volume.create(path, "infer", {}, []) as file:
        names, sizes = [f"image <{n}>" for n in numbers], [SIZES[n % 4] for n in numbers]
        imageset.write_chances(file, names, sizes, CLASSES[:classes], maps)
    return path


def scored(folder: Path, model: str, numbers: list[int], classes: int = 2) -> dict[str, Any]:
    """The files of a model on the first images of a set, and their scores."""
    found = {"set": write_set(folder / "set.h5", classes=classes),
             "chances": write_chances(folder / f"{model}.h5", numbers, classes),
             "scores": folder / f"{model}.json"}  # fmt: skip
    ranges = [(n, n + 1) for n in numbers]
    step.run(found["chances"], found["set"], ranges, found["scores"], MaskScoring())
    return {**{key: str(path) for key, path in found.items()}, "ranges": ranges}


def mask_page(values: dict[str, Any], output: Path, **more: Any) -> Page:
    given = {"model": "m", "images": NAME, "split": "test", "threshold": 0.5, **values, **more}
    return run_page("mask", given, output)


def test_the_page_of_a_set(tmp_path: Path) -> None:
    downloaded, normalized = write_set(tmp_path / "d.h5"), tmp_path / "n.h5"
    normalize.run(downloaded, normalized, '{"stretch": [0, 100]}')
    parts = {"new": ["test", [[1, 2], [3, 4]]], "learnt": ["train", [[0, 1]]]}
    values = {"images": NAME, "downloaded": str(downloaded), "normalized": str(normalized),
              "parts": parts}  # fmt: skip
    found = run_page("images", values, tmp_path / "report" / "d.html")
    rows = cells(found.source)
    for expected in (
        ["images", "4"], ["size", "20 to 40 x 20 to 40 pixels (y, x), 4 different ones"],
        ["classes", "polyp &amp; co, tool &lt;i&gt;"], ["pixels not labelled", "3.10%, on 1 image"],
        # part, images, height, width, and for each class images and pixels; empty; unlabelled
        ["learnt (train)", "1", "20", "40", "1", "25.00%", "0", "0.00%", "0", "0.00%"],
        ["new (test)", "2", "20 to 40", "20", "1", "16.67%", "1", "16.67%", "1", "0.00%"],
        ["in no part", "1", "30", "30", "1", "27.78%", "0", "0.00%", "0", "10.00%"],
        ["stretch", "[0.0, 100.0]"],
    ):  # fmt: skip
        assert expected in rows
    order = [rows.index(row) for row in rows if row[0] in ("learnt (train)", "new (test)")]
    assert order == sorted(order)
    assert "Images that show no class: 1 (image &lt;3&gt;)." in found.source
    marked = ", with outlines of its masks"
    assert list(found.pictures) == [
        f"Image image <0>, of learnt (train){marked}", f"Image image <1>, of new (test){marked}",
        f"Image image <3>, of new (test){marked}", f"Image image <2>, of in no part{marked}",
        "Histogram of brightness, as downloaded", "Histogram of brightness, normalised",
    ]  # fmt: skip


def test_the_page_of_one_image_without_masks(tmp_path: Path) -> None:
    path = write_set(tmp_path / "d.h5", 1, labelled=False)
    values = {"images": NAME, "downloaded": str(path), "normalized": str(path),
              "parts": {NAME: ["predict", None]}}  # fmt: skip
    found = run_page("images", values, tmp_path / "report" / "d.html")
    assert ["masks", "no"] in cells(found.source) and "not labelled" not in found.source
    assert ["size", "20 x 40 pixels (y, x)"] in cells(found.source)
    # nothing was changed, so that there is one histogram
    assert len(found.pictures) == 2
    assert "Histogram of brightness, as downloaded, and normalised" in found.pictures


def test_a_part_that_leaves_the_set_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"range \[0, 9\] does not lie in the set"):
        pages.parts_of(write_set(tmp_path / "d.h5"), {"p": ["test", [[0, 9]]]})


def test_errors_have_the_colour_of_what_they_are() -> None:
    raw = np.full((1, 6, 3), 90, np.uint8)
    truth = np.array([[1, 1, 2, 0, 0, 255]], np.uint8)
    one = np.array([[True, False, True, True, False, True]])
    two = np.zeros_like(one)
    picture = painted.errors(raw, [one, two], truth)[0].tolist()

    def mixed(code: tuple[int, ...], strength: float) -> list[int]:
        return [round(90 * (1 - strength) + value * strength) for value in code]

    assert picture == [
        mixed(painted.RIGHT, painted.FAINT), mixed(painted.MISSED, painted.FILL),
        mixed(painted.CONFUSED, painted.FILL), mixed(painted.FALSE, painted.FILL),
        [90] * 3, mixed(painted.NOBODY, painted.FILL),
    ]  # fmt: skip
    assert len({painted.colour(k) for k in range(18)}) == 18
    chances = np.array([[[0, 255]], [[51, 100]]], np.uint8)
    shown = painted.probable(chances)[0].tolist()
    assert shown == [[round(v / 5) for v in painted.colour(1)], list(painted.colour(0))]
    assert painted.probable(chances[:1])[0].tolist() == [[0] * 3, [255] * 3]


def test_an_outline_lies_on_the_mask_and_leaves_the_rest(tmp_path: Path) -> None:
    raw = np.full((20, 20, 3), 100, np.uint8)
    mask = np.zeros((20, 20), np.bool_)
    mask[5:15, 5:15] = True
    picture = painted.outlined(raw, [mask])
    assert (picture[5, 5:15] == painted.colour(0)).all()
    assert (picture[4, 5:15] < 100).all() and (picture[:3] == 100).all()
    assert not (picture[10, 10] == painted.colour(0)).all()
    assert painted.fitted(raw[:10], 40).shape == (20, 40, 3)
    assert set(np.unique(painted.fitted(np.uint8(mask * 255), 7, exact=True))) == {0, 255}


def test_the_masks_of_a_model(tmp_path: Path) -> None:
    values = scored(tmp_path, "m", [0, 1, 2])
    found = mask_page(values, tmp_path / "r é" / f"{NAME}.html")
    # image 2 has a false column; its Dice of the first class is 2 * 225 / (225 + 225 + 12)
    dice = 450 / 462
    rows = cells(found.source)
    # image 1 shows a tool that is not found, the others none, so that nothing is right
    assert [row[:2] for row in rows[-3:]] == [
        ["image &lt;1&gt;", "0.5000"], ["image &lt;2&gt;", f"{(dice + 1) / 2:.4f}"],
        ["image &lt;0&gt;", "1.0000"],
    ]  # fmt: skip
    polyp, tool = rows[4:6]  # above: scores of masks and of chances, twice
    assert polyp[0].startswith("polyp &amp; co<br/>") and polyp[5] == "3"
    assert polyp[1].startswith(f"{(2 + dice) / 3:.4f}<br/>")
    assert tool[1].startswith("0.6667<br/>") and tool[5:7] == ["1", "0.0000"]
    mean = ((2 + dice) / 3 + 2 / 3) / 2
    assert rows[0][2].startswith(f"{mean:.4f}<br/><small>") and rows[0][1] == "3"
    assert "<summary>Over images that show a class</summary>" in found.source
    assert list(found.pictures) == [
        f"{panel}, image <{n}>" for n in (1, 2, 0) for panel in PANELS
    ]  # fmt: skip
    assert (
        "Dice 0.5000 (polyp &amp; co 1.0000, tool &lt;i&gt; 0.0000); 400 pixels drawn, 200 found, "
        "of 40 x 20." in found.source
    )
    assert "taken for another class" in found.source and ">not labelled<" in found.source
    assert "at least 0.5" in found.source and values["scores"] in found.source
    assert 'aria-current="true" href="../index.html#segmentation"' in found.source


def test_one_class_and_one_image(tmp_path: Path) -> None:
    values = scored(tmp_path, "m", [0], 1)
    found = mask_page(values, tmp_path / "report" / "m.html")
    assert "The image</h2>" in found.source and "Class by class" not in found.source
    assert "taken for another" not in found.source and "not labelled<" not in found.source
    # of the false column of 20 pixels 10 are right anyway
    assert cells(found.source)[0][2] == f"{400 / 410:.4f}"  # a single image has no interval
    assert len(found.pictures) == len(PANELS)


def test_masks_of_a_set_without_any_are_pictures_alone(tmp_path: Path) -> None:
    values = {"set": str(write_set(tmp_path / "s.h5", 30, labelled=False)),
              "chances": str(write_chances(tmp_path / "c.h5", list(range(30)))),
              "ranges": None, "split": "predict"}  # fmt: skip
    found = mask_page(values, tmp_path / "report" / "m.html", scores=None)
    assert "There are no masks to compare with." in found.source and "<table" not in found.source
    assert "12 of the images</h2>" in found.source
    names = list(found.pictures)
    assert len(names) == 12 * 3 and names[:3] == [
        "Image, image <0>", "Probability, image <0>", "Found, image <0>"
    ]  # fmt: skip
    assert names[-1] == "Found, image <29>"


def test_chances_of_other_images_are_refused(tmp_path: Path) -> None:
    values = {"set": write_set(tmp_path / "s.h5"), "chances": write_chances(tmp_path / "c.h5", [1]),
              "ranges": ((0, 1),), "threshold": 0.5}  # fmt: skip
    with (
        pytest.raises(InputError, match=r"of other images than the ranges \[\(0, 1\)\].*run infer"),
        Files(**values).opened(),  # type: ignore[arg-type]
    ):
        pass


def many(file: SetScores, count: int) -> SetScores:
    """As many images, from the best to the worst."""
    first = file.images[0]

    def one(number: int) -> Any:
        scores_ = first.classes[0].scores.model_copy(update={"dice": 1 - number / count})
        of = first.classes[0].model_copy(update={"scores": scores_})
        return first.model_copy(update={"name": f"image <{number}>", "classes": [of]})

    images = [one(number) for number in range(count)]
    return file.model_copy(update={"classes": CLASSES[:1], "images": images})


def test_of_many_images_the_worst_middle_and_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = many(scores.read(Path(scored(tmp_path, "m", [0], 1)["scores"]), SetScores), 21)
    paths = {"set": write_set(tmp_path / "s.h5", 21, classes=1), "threshold": 0.5,
             "chances": write_chances(tmp_path / "c.h5", list(range(21)), 1)}  # fmt: skip
    with Files(**paths).opened() as scene:  # type: ignore[arg-type]
        text = gallery.show(scene, file).text
        assert re.findall(r"<h2>(.*?)</h2>|<h3>image &lt;(\d+)&gt;</h3>", text)[1:] == [
            ("The worst images", ""), *(("", str(n)) for n in (20, 19, 18, 17)),
            ("Images in the middle", ""), *(("", str(n)) for n in (12, 11, 10, 9)),
            ("The best images", ""), *(("", str(n)) for n in (3, 2, 1, 0)),
        ]  # fmt: skip
        # where there is room for few, the worst, the middle and the best are among them
        monkeypatch.setattr(gallery, "BUDGET", 1.5 * len(gallery.card(scene, 20, None).text))
        text = gallery.show(scene, file).text
        assert re.findall(r"<h3>image &lt;(\d+)&gt;</h3>", text) == ["20"]


def test_of_thousands_of_images_the_worst_are_listed(tmp_path: Path) -> None:
    file = many(scores.read(Path(scored(tmp_path, "m", [0], 1)["scores"]), SetScores), 2345)
    text = listed.table(file, Path("results/x.json")).text
    assert text.count("<tr>") == listed.MOST + 2 and "<summary>950 more</summary>" in text
    assert text.index("image &lt;2344&gt;") < text.index("image &lt;2343&gt;")
    assert "1,345 images with higher Dice, and all scores of every class, are in <code>" in text


@pytest.fixture
def two(tmp_path: Path) -> list[dict[str, Any]]:
    """Entries of two models on two sets; ``good`` is better on the first, there is one of both."""
    made = []
    for model, numbers, split in (
        ("good", [0, 1], "test"), ("bad", [1, 2], "test"), ("good", [2], "validation")
    ):  # fmt: skip
        folder = tmp_path / f"{model} {split}"
        folder.mkdir()
        page = str(tmp_path / "report" / "x é.html") if split == "test" else None
        made.append({"model": model, "images": f"set <{split}>", "split": split, "page": page,
                     "scores": scored(folder, "m", numbers)["scores"]})  # fmt: skip
    new = {"model": "bad", "images": "new", "split": "predict", "scores": None, "page": None}
    return [new, made[2], *made[:2]]


POLYP = {"kind": "polyp", "sam2": {"size": "tiny", "weights": "random"}, "side_outputs": False}
MASG = {"kind": "masg", "sam1": {"size": "tiny"}, "text": None}


def test_the_scores_of_all_masks(two: list[dict[str, Any]], tmp_path: Path) -> None:
    models = {
        "good": record(tmp_path / "1.json", 1_230_000, network=POLYP, loss="structure", shots=2),
        "bad": record(tmp_path / "2.json", 9_870_000, network=MASG, loss="dice_bce"),
    }
    output = tmp_path / "report" / "e.html"
    found = run_page(
        "evaluate_masks", {"masks": two, "models": models, "page": str(output)}, output
    )
    main, by_class = found.source.split("Class by class</h2>")
    main = main.split("<summary>")[0]
    by_class, compared = by_class.split("Models</h2>")
    rows = cells(main)
    assert len(rows) == 2 * 3 and "new" not in re.sub(r"\(.*?\)", "", main.split("<h1")[1])
    first, second, third = (re.sub("<.*?>", " ", row[2]).split()[0] for row in rows[:3])
    files = [scores.read(Path(one["scores"]), SetScores) for one in (two[2], two[3], two[1])]
    means = [f"{file.overall.every_image.means.dice:.4f}" for file in files]
    assert [first, second, third] == means
    best = max(range(2), key=lambda n: float(means[n]))
    assert [("<strong>" in row[2]) for row in rows[:2]] == [n == best for n in range(2)]
    assert "<strong>" not in rows[2][2]  # alone on its set
    assert "<small>good</small>" in rows[0][0] and "set &lt;test&gt; (test)" in rows[0][0]
    assert "and the best of each set stands out" in main
    assert unquote(found.links[-1]) == "x é.html" or "x é.html" in map(unquote, found.links)
    classes = cells(by_class)
    assert [row[0].split("<br/>")[0] for row in classes] == [
        "polyp &amp; co", "polyp &amp; co", "tool &lt;i&gt;", "tool &lt;i&gt;",
        "polyp &amp; co", "tool &lt;i&gt;",
    ]  # fmt: skip
    assert classes[2][5:7] == ["1", "0.0000"] and classes[5][5:7] == ["0", "-"]
    good, bad = cells(compared)[:2]
    assert good[:5] == [
        "good", "polyp: se gates, no side outputs", "SAM2 tiny, random, prompts 32", "structure",
        "2",
    ]  # fmt: skip
    assert bad[:5] == [
        "bad", "masg: attended maps, pooled edges, no text", "SAM tiny, random, frozen", "dice_bce",
        "all",
    ]  # fmt: skip
    assert good[-4:] == ["1.23 M", "0.50 M", "100", "90.0 s"]
    assert [name for name in found.pictures if name.startswith("Dice")] == [
        "Dice of every image, worst first, set <test> (test)",
        "Dice of every image, worst first, set <validation> (validation)",
    ]
    assert found.source.count("Every image is scored at its own size") == 1


def test_masks_are_told_apart_image_by_image(two: list[dict[str, Any]]) -> None:
    file = scores.read(Path(two[2]["scores"]), SetScores)

    def by(model: str, dices: list[float], names: str = "abcd") -> results.Result:
        """Both classes of every image have the same Dice."""
        images, means = [], file.overall.every_image.means
        for name, dice in zip(names, dices, strict=True):
            one = file.images[0]
            classes = [
                of.model_copy(update={"scores": of.scores.model_copy(update={"dice": dice})})
                for of in one.classes
            ]
            images.append(one.model_copy(update={"name": name, "classes": classes}))
        every = file.overall.every_image.model_copy(
            update={"means": means.model_copy(update={"dice": float(np.mean(dices))})}
        )
        overall = file.overall.model_copy(update={"every_image": every})
        changed = file.model_copy(update={"images": images, "overall": overall})
        entry = results.Entry(model=model, images="s", split="test")
        return results.Result(entry, changed)

    found = pairs.show([
        by("top", [0.9, 0.8, 0.9, 0.7]), by("lower", [0.8, 0.7, 0.8, 0.6]),
        by("mixed", [0.9, 0.9, 0.6, 0.7]), by("other", [0.5, 0.5, 0.5, 0.5], "abce"),
    ])  # fmt: skip
    rows = {row[0]: row[3] for row in cells(found.text)}
    assert rows["top"] == "<strong>the best</strong>"
    assert rows["lower"].replace("\N{MINUS SIGN}", "-") == (
        "-0.1000<br/><small>-0.1000 to -0.1000</small>"
    )
    mixed = re.findall(r"[+-]?[\d.]+", rows["mixed"].replace("\N{MINUS SIGN}", "-"))
    # the means of four drawn from 0, 0.1, -0.3, 0: all of the third is one resample in 256
    assert float(mixed[0]) == -0.05 and -0.3 <= float(mixed[1]) < -0.15 < 0 < float(mixed[2]) <= 0.1
    assert rows["mixed"].endswith(", not told apart</small>")
    assert rows["other"].endswith("<small>no interval</small>")
    assert pairs.show([by("alone", [0.5] * 4)]).text == ""


def test_no_scores_of_masks(tmp_path: Path) -> None:
    values = [{"model": "m", "images": NAME, "split": "predict", "scores": None, "page": None}]
    models = {"m": record(tmp_path / "1.json", 1, network=POLYP)}
    found = run_page(
        "evaluate_masks", {"masks": values, "models": models}, tmp_path / "r" / "e.html"
    )
    assert results.NONE in found.source and not found.pictures and "<table" not in found.source


def test_the_overview_of_masks(two: list[dict[str, Any]], tmp_path: Path) -> None:
    files = scored(tmp_path, "m", [0, 1, 2])
    values = {
        "title": "T", "masks": two,
        "pages": [{"group": "Masks", "title": "a", "page": str(tmp_path / "report" / "m.html")}],
        "picture": {"title": "those", "threshold": 0.5,
                    **{key: files[key] for key in ("set", "ranges", "chances")}},
    }  # fmt: skip
    output, table = tmp_path / "report" / "index.html", tmp_path / "report" / "scores.txt"
    index.run(json.dumps(values), output, table)
    found = Page(output)
    assert list(found.pictures) == [f"{panel}, image <1>" for panel in PANELS]
    assert 'id="segmentation">Masks</h2>' in found.source and "volume" not in found.source
    header, *lines = table.read_text(encoding="utf-8").splitlines()
    assert re.split(r"\s{2,}", header) == list(results.HEADER)
    dice = [scores.read(Path(one["scores"]), SetScores).overall.every_image.means.dice
            for one in (two[2], two[3], two[1])]  # fmt: skip
    assert [re.split(r"\s{2,}", line)[:3] for line in lines] == [
        ["set <test>", "good", f"{dice[0]:.4f}"], ["set <test>", "bad", f"{dice[1]:.4f}"],
        ["set <validation>", "good", f"{dice[2]:.4f}"],
    ]  # fmt: skip
    values = {"title": "T", "masks": [], "pages": []}
    index.run(json.dumps(values), output, table)
    assert results.NONE in output.read_text() and "no scores" in table.read_text()
    assert {navigation.bar(kind).text for kind in ("mask", "segment")} == {
        navigation.bar("segment").text
    }


def test_the_training_of_images(tmp_path: Path) -> None:
    history = tmp_path / "history.csv"
    columns = (*course.COLUMNS, *course.LATER)
    lines = [
        ",".join({"step": f"{n}", "seconds": f"{n}", "validation_dice": f"{n / 10}"}.get(c, "0.5")
                 if c not in ("loss_coarse", "validation_voi", "validation_arand") else ""
                 for c in columns)
        for n in range(1, 4)
    ]  # fmt: skip
    history.write_text("\n".join([",".join(columns), *lines]))
    random = np.random.default_rng(0)
    augmented, examples = tmp_path / "a.h5", tmp_path / "e.h5"
    with h5py.File(examples, "w") as file:
        for name, maps in (
            ("0 training", ("refined", "deep1")),
            ("1 validation", ("refined", "edge")),
        ):
            group = file.create_group(name)
            group["raw"] = random.integers(0, 255, (20, 30, 3)).astype(np.uint8)
            group["labels"] = random.integers(0, 3, (20, 30)).astype(np.uint8)
            for key in maps:
                group[key] = np.zeros((1 if key == "edge" else 2, 20, 30), np.uint8)
    with h5py.File(augmented, "w") as file:
        for name in ("00 none", "01 contrast of sections"):
            for key in ("before", "raw"):
                file[f"{name}/{key}"] = random.integers(0, 255, (20, 30, 3)).astype(np.uint8)
            file[f"{name}/labels"] = np.ones((20, 30), np.uint8)
    values = {"model": NAME, "history": str(history), "augmentations": str(augmented),
              "examples": str(examples), "settings": {}}  # fmt: skip
    found = run_page("train", values, tmp_path / "report" / "train.html")
    assert "highest Dice of the validation images 0.3 at step 3." in found.source
    shown = ("Image", "Masks", "Probability")
    assert list(found.pictures) == [
        "Loss over steps", "Dice of the validation images over steps",
        "Learning rate over steps", "Steps per second over steps",
        *(f"{title}, training image 1" for title in (*shown, "Side output 1")),
        *(f"{title}, validation image 2" for title in (*shown, "Edges")),
        *(f"Augmentation {name}: before, after, with labels"
          for name in ("none", "contrast of colours")),
    ]  # fmt: skip
    assert "above xz" not in found.source and "across sections" not in found.source
