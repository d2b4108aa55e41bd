"""Masks of sets of images: the chances that models write, the stage mask, the step of evaluate."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from fgnet import command, imageset, scores, volume
from fgnet.errors import InputError
from fgnet.evaluate import __main__ as evaluate
from fgnet.evaluate import masks as step
from fgnet.imageset import Picture
from fgnet.infer import pictures
from fgnet.infer.batch import Batch
from fgnet.infer.stream import Crop
from fgnet.mask import __main__ as mask
from fgnet.mask_scores import SetScores
from fgnet.metrics import masks
from fgnet.settings.config import Config
from fgnet.settings.evaluate import MaskScoring

Array = npt.NDArray[Any]
SIZES = [(20, 30), (24, 18), (16, 40), (30, 30), (22, 26)]
CLASSES = ["polyp", "tool"]
PART = (1, 5)
RANGES = [PART]  # of the set, what chances are of


def labels(number: int) -> Array:
    """A polyp on every image, a tool on 1 and 3; some of 1 and all of 4 is not labelled."""
    made = np.zeros(SIZES[number], np.uint8)
    made[4:12, 5:13] = 1
    if number % 2:
        made[13:15, 2:14] = 2
    if number == 1:
        made[:3] = 255
    if number == 4:
        made[:] = 255
    return made


def chances_of(number: int) -> Array:
    """Moved by a pixel a number, and noisy."""
    random = np.random.default_rng(number)
    true = [np.roll(labels(number) == n, number, 1) for n in (1, 2)]
    return np.array([(160 * one + random.integers(0, 80, one.shape)) for one in true], np.uint8)


def write_set(path: Path, labelled: bool = True, classes: list[str] = CLASSES) -> Path:
    pictures = [
        Picture(f"image {n} ä", np.zeros((*size, 3), np.uint8), labels(n) if labelled else None)
        for n, size in enumerate(SIZES)
    ]
    with volume.create(path, "normalize", {}, []) as file:
        imageset.write(file, pictures, SIZES, classes, labelled)
    return path


def write_chances(
    path: Path, maps: list[Array], names: list[str] | None = None, classes: list[str] = CLASSES
) -> Path:
    names = names or [f"image {n} ä" for n in range(PART[0], PART[0] + len(maps))]
    with volume.create(path, "infer", {}, []) as file:
        sizes = [(one.shape[1], one.shape[2]) for one in maps]
        imageset.write_chances(file, names, sizes, classes, maps)
    return path


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    maps = [chances_of(n) for n in range(*PART)]
    return write_chances(tmp_path / "chances.h5", maps), write_set(tmp_path / "set.h5")


def test_chances_come_back_at_their_own_sizes(files: tuple[Path, Path]) -> None:
    with imageset.opened_chances(files[0]) as found:
        assert found.classes == CLASSES and len(found) == 4
        assert found.sizes == SIZES[slice(*PART)]
        for place, number in enumerate(range(*PART)):
            np.testing.assert_array_equal(found[place], chances_of(number))
    message = "images/chances: no such dataset, so this is no set of chances"
    with pytest.raises(InputError, match=message), imageset.opened_chances(files[1]):
        pass


def test_running_out_of_memory_halves_the_batch_of_images(tmp_path: Path) -> None:
    asked = []

    class Scarce:
        def of_crops(self, crops: Sequence[Crop]) -> list[Any]:
            asked.append(len(crops))
            if len(crops) > 2:
                raise torch.OutOfMemoryError
            return [crop.image for crop in crops]

    path = write_set(tmp_path / "set.h5")
    with imageset.opened(path) as images:
        numbers = [3, 0, 4, 1, 2]
        found = list(pictures.chances(images, numbers, cast(Any, Scarce()), Batch(4, None)))
        assert asked == [4, 2, 2, 1]
        for number, one in zip(numbers, found, strict=True):
            assert np.array_equal(one, images[number].raw)


def test_scores_are_those_of_each_image_and_class(files: tuple[Path, Path], tmp_path: Path) -> None:
    output = tmp_path / "deep" / "scores.json"
    argv = ["masks", "--chances", str(files[0]), "--labels", str(files[1]), "--ranges", "[[1, 5]]",
            "--output", str(output),
            "--settings", '{"threshold": 0.7, "boundary_tolerance": 0.05}']  # fmt: skip
    assert command.main(evaluate.parser, command.run_step, argv) == 0
    found = scores.read(output, SetScores)

    assert [one.name for one in found.images] == [f"image {n} ä" for n in (1, 2, 3)]
    assert found.unlabelled == ["image 4 ä"]
    assert (found.threshold, found.boundary_tolerance) == (0.7, 0.05)
    assert "at least 0.7" in found.treatment and "1000 resamples" in found.treatment
    assert found.made_by["settings"]["ranges"] == [[1, 5]]
    for number, image in enumerate(found.images, 1):
        known = labels(number) != 255
        assert image.size == SIZES[number] and image.pixels == known.sum()
        for index, one in enumerate(image.classes):
            chance, true = chances_of(number)[index], labels(number) == index + 1
            mask_ = chance / 255 >= 0.7
            assert (one.true, one.found) == (true.sum(), (mask_ & known).sum())
            assert one.scores.dice == masks.dice(mask_[known], true[known])
            assert one.scores.iou == masks.iou(mask_[known], true[known])
            swept = masks.curves(chance, true, known)
            assert one.scores.dice_swept == swept.dice.mean()
            assert one.scores.iou_swept == swept.iou.mean()
            assert one.scores.e_mean == swept.e_measure.mean()
            assert one.scores.e_max == swept.e_measure.max()
            assert one.scores.weighted_f == masks.weighted_f(chance, true, known)
            assert one.scores.s_measure == masks.s_measure(chance, true, known)
            error = masks.mean_absolute_error(chance, true, known)
            assert one.scores.mean_absolute_error == error
            tolerance = 0.05 * np.hypot(*SIZES[number])
            assert one.scores.boundary_f1 == masks.boundary_f1(mask_, true, tolerance, known)


def test_means_are_over_images_and_then_over_classes(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    step.run(*files, RANGES, tmp_path / "scores.json", MaskScoring())
    found = scores.read(tmp_path / "scores.json", SetScores)
    polyp, tool = (
        np.array([list(one.classes[k].scores.model_dump().values()) for one in found.images])
        for k in range(2)
    )
    free = [k for k, name in enumerate(step.NAMES) if name != "e_max"]

    def means(one: Any) -> Array:
        return np.array(list(one.means.model_dump().values()))[free]

    one, two = found.by_class
    assert means(one.every_image) == pytest.approx(polyp.mean(0)[free])
    assert one.where_shown == one.every_image  # polyps are on every image
    assert means(two.every_image) == pytest.approx(tool.mean(0)[free])
    assert two.where_shown and two.where_shown.images == 2
    assert means(two.where_shown) == pytest.approx(tool[[0, 2]].mean(0)[free])
    both = (polyp.mean(0) + tool.mean(0)) / 2
    assert means(found.overall.every_image) == pytest.approx(both[free])
    assert found.overall.where_shown and found.overall.where_shown.images == 3
    both = (polyp.mean(0) + tool[[0, 2]].mean(0)) / 2
    assert means(found.overall.where_shown) == pytest.approx(both[free])

    # the best threshold is one for all images
    curves = [masks.curves(chances_of(n)[0], labels(n) == 1, labels(n) != 255) for n in (1, 2, 3)]
    best = np.mean([each.e_measure for each in curves], axis=0).max()
    assert one.every_image.means.e_max == pytest.approx(best)
    assert best < polyp[:, step.E_MAX].mean()

    for summary in (one, two, found.overall):
        assert summary.every_image.intervals is not None
        for name, (low, high) in summary.every_image.intervals.model_dump().items():
            assert low <= getattr(summary.every_image.means, name) <= high


def test_intervals_are_of_resampled_images() -> None:
    """Two images, one perfect and one missed; of the other class only the second counts."""
    rows, curves = np.zeros((2, 2, len(step.NAMES))), np.zeros((2, 2, 256))
    rows[0, 0], curves[0, 0], rows[1, 1], curves[1, 1] = 1, 1, 0.25, 0.25
    counted = np.array([[True, False], [True, True]])
    overall, one, two = step.means(rows, curves, counted)
    assert overall and one and two
    assert one.means.dice == 0.5
    assert one.intervals and one.intervals.dice == one.intervals.e_max == (0, 1)
    assert two.images == 1 and two.means.dice == 0.25 and two.intervals is None
    assert overall.images == 2 and overall.means.dice == (0.5 + 0.25) / 2
    # the first image twice leaves out the other class; the second twice: (0 + 0.25) / 2
    assert overall.intervals and overall.intervals.dice == (0.125, 1)
    assert step.means(rows, curves, np.zeros((2, 2), bool)) == [None, None, None]


def test_masks_as_drawn_are_perfect(tmp_path: Path) -> None:
    whole = write_set(tmp_path / "set.h5")
    maps = [np.array([labels(n) == k for k in (1, 2)], np.uint8) * 255 for n in range(*PART)]
    drawn = write_chances(tmp_path / "drawn.h5", maps)
    step.run(drawn, whole, RANGES, tmp_path / "scores.json", MaskScoring())
    found = scores.read(tmp_path / "scores.json", SetScores).overall.every_image.means
    assert (found.dice, found.iou, found.boundary_f1, found.mean_absolute_error) == (1, 1, 1, 0)
    assert (found.weighted_f, found.s_measure, found.e_max) == pytest.approx((1, 1, 1))


Changed = Callable[[Path, list[Array]], tuple[Path, Path, Any]]


def other_name(folder: Path, maps: list[Array]) -> tuple[Path, Path, Any]:
    names = ["image 1 ä", "image 3 ä", "image 2 ä", "image 4 ä"]
    return write_chances(folder / "c.h5", maps, names), write_set(folder / "s.h5"), RANGES


def other_size(folder: Path, maps: list[Array]) -> tuple[Path, Path, Any]:
    maps[1] = maps[1][:, :-1]
    return write_chances(folder / "c.h5", maps), write_set(folder / "s.h5"), RANGES


def other_classes(folder: Path, maps: list[Array]) -> tuple[Path, Path, Any]:
    whole = write_set(folder / "s.h5", classes=["tool", "polyp"])
    return write_chances(folder / "c.h5", maps), whole, RANGES


def other_part(folder: Path, maps: list[Array]) -> tuple[Path, Path, Any]:
    return write_chances(folder / "c.h5", maps), write_set(folder / "s.h5"), None


def no_masks(folder: Path, maps: list[Array]) -> tuple[Path, Path, Any]:
    whole = write_set(folder / "s.h5", labelled=False)
    return write_chances(folder / "c.h5", maps), whole, RANGES


def unlabelled(folder: Path, maps: list[Array]) -> tuple[Path, Path, Any]:
    drawn = write_chances(folder / "c.h5", maps[3:], ["image 4 ä"])
    return drawn, write_set(folder / "s.h5"), [(4, 5)]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (other_name, "image 1 has the name 'image 3 ä', and image 2 of .* has 'image 2 ä'; run"),
        (other_size, r"image 1 has the size \(15, 40\), and image 2 of .* has \(16, 40\)"),
        (other_classes, "chances of polyp, tool, and the masks of .* show tool, polyp"),
        (other_part, "chances of 4 images, and the ranges of .* hold 5"),
        (no_masks, "holds no masks to score against; give the set `masks`"),
        (unlabelled, "no pixel of these images is labelled"),
    ],
)
def test_what_does_not_fit_is_told(changed: Changed, message: str, tmp_path: Path) -> None:
    given = changed(tmp_path, [chances_of(n) for n in range(*PART)])
    with pytest.raises(InputError, match=message):
        step.run(*given, tmp_path / "scores.json", MaskScoring())
    assert not (tmp_path / "scores.json").exists()


def test_chances_may_be_of_several_ranges(tmp_path: Path) -> None:
    names = ["image 3 ä", "image 0 ä", "image 1 ä"]
    drawn = write_chances(tmp_path / "c.h5", [chances_of(n) for n in (3, 0, 1)], names)
    ranges = imageset.ranges("[[3, 4], [0, 2]]")
    step.run(drawn, write_set(tmp_path / "s.h5"), ranges, tmp_path / "o.json", MaskScoring())
    assert [one.name for one in scores.read(tmp_path / "o.json", SetScores).images] == names
    assert imageset.ranges("null") is None
    with pytest.raises(InputError, match=r"--ranges: '\[1, 5\]' names no images"):
        imageset.ranges("[1, 5]")


def test_the_mask_is_of_the_most_probable_class(files: tuple[Path, Path], tmp_path: Path) -> None:
    output = tmp_path / "masks"
    output.mkdir()
    (output / "old.png").touch()
    argv = ["--input", str(files[0]), "--output", str(output), "--settings", '{"threshold": 0.25}']
    assert command.main(mask.arguments(), mask.run, argv) == 0
    assert sorted(path.name for path in output.iterdir()) == [
        f"image {n} ä.png" for n in range(*PART)
    ]
    for number in range(*PART):
        with Image.open(output / f"image {number} ä.png") as found:
            assert found.mode == "L"
            values = np.asarray(found)
            record = json.loads(found.text["made_by"])
        polyp, tool = chances_of(number) / 255
        expected = np.where(tool > polyp, 2, 1) * (np.maximum(polyp, tool) >= 0.25)
        np.testing.assert_array_equal(values, expected)
        assert len(np.unique(values)) == 3
    assert record["classes"] == CLASSES and record["settings"] == {"threshold": 0.25}


def test_the_mask_of_a_single_class_can_be_seen(tmp_path: Path) -> None:
    only = write_chances(tmp_path / "c.h5", [np.array([[[127, 128]]], np.uint8)], ["a"], ["one"])
    mask.run(only, tmp_path / "masks", "{}")
    assert np.asarray(Image.open(tmp_path / "masks/a.png")).tolist() == [[0, 255]]


def test_two_images_of_one_name_are_told(tmp_path: Path) -> None:
    twice = write_chances(tmp_path / "c.h5", [chances_of(1), chances_of(2)], ["a", "a"])
    with pytest.raises(InputError, match="several images are called 'a'"):
        mask.run(twice, tmp_path / "masks", "{}")
    assert not (tmp_path / "masks").exists()


def test_masks_and_their_scores_share_a_threshold() -> None:
    given = {"volumes": {"v": {"phantom": {}, "split": "test"}}, "mask": {"threshold": 0.3},
             "evaluate": {"threshold": 0.5, "boundary_tolerance": 0.01}}  # fmt: skip
    config = Config.checked({**given, "train": {"models": {"m": {"checkpoint": "c.pt"}}}})
    assert config.mask_scoring() == MaskScoring(threshold=0.3, boundary_tolerance=0.01)
