"""Images and masks as people have them: what they are read as, and what is refused."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image

from fgnet import imageset, volume
from fgnet.download.cache import Cache
from fgnet.download.images import store
from fgnet.errors import InputError
from fgnet.imageset import UNLABELLED, Picture
from fgnet.settings.download import Download
from fgnet.settings.images import ImageSet
from fgnet.settings.locations import local_files
from fgnet.settings.train import Training
from fgnet.train.pictures import Part, Pictures, shots

Array = npt.NDArray[Any]
SIZE = (40, 60)
INSIDE = np.zeros(SIZE, bool)
INSIDE[5:20, 10:50] = True
RAW = np.random.default_rng(0).integers(0, 255, (*SIZE, 3), dtype=np.uint8)


def read(folder: Path, *, classes: tuple[str, ...] = ("a",), **masks: Any) -> list[Picture]:
    """The set of a folder's ``images`` and, if there are any, ``masks``."""
    entry: dict[str, Any] = {"source": str(folder / "images"), "classes": classes}
    if (folder / "masks").exists():
        entry["masks"] = {"path": str(folder / "masks"), **masks}
    cache = Cache(folder / "cache", Download.checked({}))
    store(ImageSet.checked(entry), cache, folder / "set.h5", {})
    with imageset.opened(folder / "set.h5") as found:
        return [found[number] for number in range(len(found))]


def saved(values: Array, path: Path, **options: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(values).save(path, **options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    saved(RAW, tmp_path / "images/a.png")
    return tmp_path


def palette(path: Path) -> None:
    image = Image.fromarray(INSIDE.astype(np.uint8), mode="P")
    image.putpalette([0, 0, 0, 200, 30, 30])
    image.save(path, transparency=0)


def blurred() -> Array:
    """Edges as a smooth resizing leaves them."""
    image = Image.fromarray((INSIDE * 255).astype(np.uint8)).resize((15, 10), Image.Resampling.BOX)
    return np.asarray(image.resize(SIZE[::-1], Image.Resampling.BILINEAR))


@pytest.mark.parametrize("write", [
    lambda p: saved((INSIDE * 255).astype(np.uint8), p),
    lambda p: saved(INSIDE.astype(np.uint8), p),
    lambda p: saved(INSIDE, p),
    palette,
    lambda p: saved(np.repeat((INSIDE * 255).astype(np.uint8)[..., None], 3, 2), p),
    lambda p: saved((INSIDE * 65535).astype(np.uint16), p),
    lambda p: saved((INSIDE * 255).astype(np.uint8), p.with_suffix(".jpg"), quality=90),
    lambda p: tifffile.imwrite(p.with_suffix(".tif"), (INSIDE * 255).astype(np.uint8)),
], ids=["0 255", "0 1", "one bit", "palette", "rgb", "16 bits", "jpeg", "tiff"])  # fmt: skip
def test_a_mask_of_one_class(folder: Path, write: Callable[[Path], None]) -> None:
    (folder / "masks").mkdir()
    write(folder / "masks/a.png")
    (one,) = read(folder)
    assert np.array_equal(one.raw, RAW)
    assert one.labels is not None and np.array_equal(one.labels, INSIDE.astype(np.uint8))


def test_blurred_edges_are_cut_in_the_middle(folder: Path) -> None:
    saved(blurred(), folder / "masks/a.png")
    (one,) = read(folder)
    assert one.labels is not None and np.array_equal(one.labels == 1, blurred() >= 128)


@pytest.mark.parametrize(("on", "void"), [(1, 255), (255, 128), (1, 2)])
def test_unlabelled_values_do_not_say_what_the_others_mean(
    folder: Path, on: int, void: int
) -> None:
    values = (INSIDE * on).astype(np.uint8)
    values[30:] = void
    saved(values, folder / "masks/a.png")
    (one,) = read(folder, unlabelled=[void])
    wanted = INSIDE.astype(np.uint8)
    wanted[30:] = UNLABELLED
    assert one.labels is not None and np.array_equal(one.labels, wanted)


def numbers(count: int, dtype: type) -> Array:
    """Objects painted with their numbers."""
    y, x = np.indices(SIZE)
    return (1 + (y // 4 * 15 + x // 4) % count).astype(dtype)


def half_transparent() -> Array:
    return np.dstack([RAW, np.where(INSIDE, 255, 0)]).astype(np.uint8)


@pytest.mark.parametrize(("values", "words"), [
    (INSIDE.astype(np.uint8) * 2, "grey values up to 2"),
    (INSIDE.astype(np.uint8) * 100, "grey values up to 100"),
    (numbers(5, np.uint8), "grey values up to 5"),
    (numbers(150, np.uint8), "grey values up to 150"),
    (numbers(150, np.uint16), "grey values up to 150"),
    (numbers(150, np.uint16) * 300, "grey values up to 45000"),
    (RAW, "mask in colours"),
    (half_transparent(), "transparent pixels"),
    (INSIDE[:-1].astype(np.uint8), "39 x 60 pixels, its image"),
])  # fmt: skip
def test_a_mask_that_may_mean_anything_is_refused(folder: Path, values: Array, words: str) -> None:
    saved(values, folder / "masks/a.png")
    with pytest.raises(InputError, match=words):
        read(folder)
    assert not (folder / "set.h5").exists()


def test_values_name_the_classes(folder: Path) -> None:
    values = (INSIDE * 100).astype(np.uint8)
    values[25:30] = 7
    saved(values, folder / "masks/a_seg.png")
    (one,) = read(folder, classes=("a", "b"), values=[7, 100], suffix="_seg")
    assert one.labels is not None
    assert (one.labels[25:30] == 1).all() and np.array_equal(one.labels == 2, INSIDE)
    with pytest.raises(InputError, match="pixels of 100, which stand for no class"):
        read(folder, classes=("a", "b"), values=[7, 8], suffix="_seg")


@pytest.mark.parametrize("ending", ["png", "jpg", "tif"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_images_are_as_viewers_show_them(tmp_path: Path, ending: str, turn: int) -> None:
    """A camera's note of how it was held is heeded; masks are drawn on what viewers show."""
    shown = np.zeros((*SIZE, 3), np.uint8)
    shown[INSIDE] = 200, 100, 50
    back = {2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: lambda a: a.swapaxes(0, 1),
            6: lambda a: np.rot90(a, 1), 7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
            8: lambda a: np.rot90(a, -1)}  # fmt: skip
    kept = back[turn](shown) if turn > 1 else shown
    exif = Image.Exif()
    exif[0x0112] = turn
    saved(np.ascontiguousarray(kept), tmp_path / f"images/a.{ending}", exif=exif)
    saved((INSIDE * 255).astype(np.uint8), tmp_path / "masks/a.png")
    (one,) = read(tmp_path)
    assert one.raw.shape == shown.shape
    assert abs(one.raw.astype(int) - shown).mean() < 5
    assert one.labels is not None and np.array_equal(one.labels == 1, INSIDE)


def test_sixteen_bits_keep_the_eight_that_say_most(tmp_path: Path) -> None:
    """One depth for the whole set, so that images stay comparable; 8 bits as they are."""
    ramp = np.linspace(0, 4095, SIZE[0] * SIZE[1]).reshape(SIZE).astype(np.uint16)
    saved(ramp, tmp_path / "images/1.png")
    saved(ramp // 8, tmp_path / "images/2.png")
    saved(RAW[..., 0], tmp_path / "images/3.png")
    one, two, three = read(tmp_path)
    assert np.array_equal(one.raw, np.repeat((ramp // 16)[..., None], 3, 2))
    assert np.array_equal(two.raw[..., 0], ramp // 8 // 16)
    assert np.array_equal(three.raw[..., 1], RAW[..., 0])


def broken_png() -> bytes:
    """A PNG whose second part of pixels says that it is something else."""
    with io.BytesIO() as stream:
        Image.fromarray(RAW).save(stream, "PNG")
        data = stream.getvalue()
    at = data.index(b"IDAT")
    length = struct.unpack(">I", data[at - 4 : at])[0]
    body = data[at + 4 : at + 4 + length]

    def part(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    parts = part(b"IDAT", body[:100]) + part(b"\1\2\3\4", body[100:])
    return data[: at - 4] + parts + data[at + 8 + length :]


@pytest.mark.parametrize(("name", "write", "words"), [
    ("a.tif", lambda p: tifffile.imwrite(p, np.zeros((5, *SIZE), np.uint8)), "holds 5 pages"),
    ("a.tif", lambda p: tifffile.imwrite(p, np.zeros(SIZE, np.float32)), "of the kind 'F'"),
    ("a.png", lambda p: saved(half_transparent(), p), "transparent pixels"),
    ("a.png", lambda p: p.write_bytes(broken_png()), "cannot be read as an image"),
    ("a.png", lambda p: p.write_text("%!PS-Adobe-3.0 EPSF-3.0\n"), "cannot be read as an image"),
])  # fmt: skip
def test_an_image_that_is_none_is_refused(
    tmp_path: Path, name: str, write: Callable[[Path], None], words: str
) -> None:
    (tmp_path / "images").mkdir()
    write(tmp_path / "images" / name)
    with pytest.raises(InputError, match=words):
        read(tmp_path)


def test_a_folder_of_an_archive(folder: Path) -> None:
    saved((INSIDE * 255).astype(np.uint8), folder / "a.png")
    with zipfile.ZipFile(folder / "set.zip", "w") as archive:
        archive.write(folder / "images/a.png", "set/images/a.png")
        archive.write(folder / "a.png", "set/masks/a.png")
    source = {"path": str(folder / "set.zip"), "folder": "set/images"}
    masks = {"path": str(folder / "set.zip"), "folder": "set/masks"}
    entry = ImageSet.checked({"source": source, "masks": masks})
    cache = Cache(folder / "cache", Download.checked({}))
    store(entry, cache, folder / "set.h5", {})
    with imageset.opened(folder / "set.h5") as found:
        assert np.array_equal(found[0].labels == 1, INSIDE)
    wrong = ImageSet.checked({"source": {**source, "folder": "images"}})
    with pytest.raises(InputError, match="it has the folders set/images, set/masks"):
        store(wrong, cache, folder / "no.h5", {})


def test_places_that_cannot_be_listed_are_told_at_once() -> None:
    for path in ("https://example.org/images", "https://example.org/*.png", "s3://a/set.zip"):
        with pytest.raises(InputError, match="cannot be listed over a network"):
            ImageSet.checked({"source": path})
    ImageSet.checked({"source": "https://example.org/set.zip?v=1"})
    ImageSet.checked({"source": "https://example.org/{01..20}.png"})


@pytest.mark.parametrize("pattern", ["*.png", "?.png", "[ab].png"])
def test_every_file_of_a_pattern_is_watched(folder: Path, pattern: str) -> None:
    saved(RAW, folder / "images/b.png")
    wanted = [str(folder / f"images/{name}.png") for name in "ab"]
    assert local_files(str(folder / "images" / pattern)) == wanted


def painted(path: Path, classes: list[list[int]]) -> Path:
    """Images that show these classes: a stripe of each, in grey values of its own."""
    images = []
    for number, shown in enumerate(classes):
        labels = np.zeros(SIZE, np.uint8)
        for k in shown:
            labels[:, 10 * k : 10 * k + 8] = k
        raw = np.repeat((labels * 60)[..., None], 3, 2).astype(np.uint8)
        images.append(Picture(f"{number}", raw, labels))
    with volume.create(path, "normalize", {}, []) as file:
        imageset.write(file, images, [SIZE] * len(images), ["a", "b"], labelled=True)
    return path


def test_shots_are_so_many_images_of_each_class(tmp_path: Path) -> None:
    shown = [[1], [1, 2], [2], [1], [1], [1]]
    part = Part(painted(tmp_path / "s.h5", shown), tuple(range(6)), ("a", "b"))
    drawn = set()
    for seed in range(20):
        (some,) = shots([part], 2, seed)
        drawn.add(some.numbers)
        for k in (1, 2):
            assert sum(k in shown[number] for number in some.numbers) >= 2
        assert len(some.numbers) <= 4
    assert len(drawn) > 1
    with pytest.raises(InputError, match="3 images of 'b' are asked for, and 2 show it"):
        shots([part], 3, 0)


def test_masks_follow_their_images_through_every_change(tmp_path: Path) -> None:
    part = Part(painted(tmp_path / "s.h5", [[1], [1, 2], [2]]), (0, 1, 2), ("a", "b"))
    settings = Training.checked(
        {"crop": [1, 64, 96], "augment": {
            "rotate": 1, "elastic": 1, "contrast": 0, "brightness": 0, "gamma": 0, "noise": 0,
            "section_contrast": 0, "section_brightness": 0, "cut_noise": 0}}
    )  # fmt: skip
    some = Pictures([part], settings, augmented=True)
    changed = 0
    for index in range(12):
        cut = some.cut(index)
        # grey values are 60 of the first class and 120 of the second
        found = np.rint(cut.raw[0] * 255 / 60)
        agree = (found == cut.labels)[cut.valid].mean()
        assert agree > 0.9, (index, agree)  # but for what lies between the stripes
        changed += not np.array_equal(cut.labels[0], cut.labels[-1])
    assert changed


def test_validations_look_at_images_of_the_whole_set(tmp_path: Path) -> None:
    part = Part(painted(tmp_path / "s.h5", [[1]] * 40), tuple(range(40)), ("a", "b"))
    settings = Training.checked({"crop": [1, 64, 96]})
    some = Pictures([part], settings, augmented=False)
    first = [some.place(index)[1] for index in range(8)]
    assert len(set(first)) == 8 and max(first) > 20
    again = Pictures([part], settings, augmented=False)
    assert first == [again.place(index)[1] for index in range(8)]
    assert sorted(some.place(index)[1] for index in range(40)) == list(range(40))
