"""Opening a layer that lies as a series of images, one a section."""

import functools
import itertools
import logging
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import tifffile
from PIL import Image

from fgnet import volume
from fgnet.download.cache import PROJECT, Cache
from fgnet.download.layers import Layer, Role, Shape, Slices
from fgnet.errors import Damaged, InputError
from fgnet.progress import track
from fgnet.settings.locations import RANGE, numbered
from fgnet.settings.sources import Source
from fgnet.volume import Array

LOG = logging.getLogger(__name__)

# a section of EM is larger than what Pillow takes for an attack
Image.MAX_IMAGE_PIXELS = None
ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".pgm")
# what the endings stand for; Pillow knows kinds for which it starts other programs
KINDS = ("PNG", "JPEG", "BMP", "PPM")
DTYPES = {"L": "u1", "P": "u1", "1": "u1", "I;16": "u2", "I;16B": "u2", "I": "i4", "F": "f4"}
NAMED = 8  # missing sections that a warning names
Kind = tuple[np.dtype[np.generic], int, int]


@contextmanager
def open_images(source: Source, role: Role, cache: Cache) -> Iterator[Layer]:
    """Open a folder, or the files of a pattern, in natural order.

    Sections at an address are fetched when a box is prepared, those alone that it needs.

    Raises:
        InputError: there are no sections, or one is missing, not in the list of checksums or
            different from it, no greyscale image, or of another size or kind than the first.
    """
    places = sections(source.path)
    sums = checksums(listed(cache, source.checksums)) if source.checksums else None

    def fetched(place: str) -> Path:
        return cache.local(place, _sum_of(place, sums))

    def prepare(box: Slices) -> tuple[Path, ...]:
        wanted = places[box[0]]
        with ThreadPoolExecutor(cache.settings.connections) as pool:
            found = pool.map(fetched, wanted)
            paths = tuple(track(found, f"fetch {source.path}", total=len(wanted)))
        for place, path in zip(wanted, paths, strict=True):
            with cache.using(place, path):
                _agrees(path, first)
        return paths

    @functools.lru_cache(maxsize=volume.CHUNK[0])
    def section(index: int) -> Array:
        path = fetched(places[index])
        with cache.using(places[index], path):
            return pixels(path, role)

    def read(box: Slices) -> Array:
        numbers = range(len(places))[box[0]]
        return np.stack([section(number)[box[1], box[2]] for number in numbers])

    if source.axes not in (None, "zyx"):
        raise InputError(f"{source.path}: a series of images has the axes zyx, not {source.axes}")
    first = fetched(places[0])
    with cache.using(places[0], first):
        dtype, height, width = kind(first)
    shape: Shape = (len(places), height, width)
    yield replace(Layer(source.path, shape, dtype, read), prepare=prepare)


def sections(place: str) -> list[str]:
    """The files of a folder, or of a pattern: em/*.png, or one range such as em.{00..99}.png.

    In natural order: section 10 comes after section 9.
    """
    found = named(place)
    if RANGE.search(place):
        return found
    if Path(place).is_dir():
        endings = {Path(path).suffix.lower() for path in found}
        if len(endings) > 1:
            raise InputError(
                f"{place!r} holds images that end in {', '.join(sorted(endings))}; say with a "
                f"pattern which are meant, such as {place.rstrip('/')}/*{min(endings)}"
            )
    if gaps := missing([Path(path) for path in found]):
        LOG.warning(
            "%s: no section is numbered %s; those around it are taken for neighbours",
            place, ", ".join(map(str, gaps)),
        )  # fmt: skip
    return found


def named(place: str) -> list[str]:
    """The images that a folder, a pattern or a range names, in natural order.

    Raises:
        InputError: there are none.
    """
    if RANGE.search(place):
        return numbered(place)
    folder = Path(place)
    inside = folder.iterdir() if folder.is_dir() else folder.parent.glob(folder.name)
    found = [path for path in shown(inside) if path.suffix.lower() in ENDINGS]
    if not found:
        raise InputError(
            f"{place!r} names no images; they end in {', '.join(ENDINGS)}: check the path"
        )
    return [str(path) for path in sorted(found, key=natural)]


def missing(paths: list[Path]) -> list[int]:
    """The first numbers that a series lacks, where its names differ in one number alone."""
    parts = [re.split(r"(\d+)", path.name) for path in paths]
    if len({len(part) for part in parts}) > 1:
        return []
    differ = [place for place, texts in enumerate(zip(*parts, strict=True)) if len({*texts}) > 1]
    if len(differ) != 1 or not parts[0][differ[0]].isdecimal():
        return []
    numbers = {int(part[differ[0]]) for part in parts}
    lacking = (n for n in range(min(numbers), max(numbers)) if n not in numbers)
    return list(itertools.islice(lacking, NAMED))


def shown(paths: Iterable[Path]) -> Iterator[Path]:
    """Without what systems hide, such as ._1.png."""
    return (path for path in paths if not path.name.startswith("."))


def natural(path: Path) -> list[tuple[int, str]]:
    """What to sort names by so that numbers in them count as numbers."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def kind(path: Path) -> Kind:
    """Dtype, height and width of an image, from its header."""
    try:
        if path.suffix.lower() in (".tif", ".tiff"):
            with tifffile.TiffFile(path) as file:
                page = file.pages[0]
                if len(file.pages) > 1 or len(page.shape) != 2:
                    raise InputError(
                        f"{str(path)!r} has {len(file.pages)} pages of shape {page.shape}; a "
                        "section is one grey image: give a file of many pages by its own name"
                    )
                return np.dtype(page.dtype), page.shape[0], page.shape[1]
        with Image.open(path, formats=KINDS) as image:
            mode, height, width = image.mode, image.height, image.width
    except (OSError, ValueError, tifffile.TiffFileError) as error:
        raise Damaged(f"{str(path)!r} is no image ({error}); get it anew") from error
    if mode not in DTYPES:
        raise InputError(
            f"{str(path)!r} has pixels of the kind {mode!r}; sections must be greyscale: convert it"
        )
    return np.dtype(DTYPES[mode]), height, width


def _agrees(path: Path, first: Path) -> None:
    if kind(path) != kind(first):
        raise InputError(
            f"{str(path)!r} is {_words(kind(path))}, {str(first)!r} is {_words(kind(first))}; all "
            "sections must agree"
        )


def _words(kind: Kind) -> str:
    return f"{kind[1]} x {kind[2]} {kind[0]}"


def pixels(path: Path, role: Role) -> Array:
    """The image of a section, (y, x)."""
    try:
        if path.suffix.lower() in (".tif", ".tiff"):
            return np.asarray(tifffile.imread(path))
        with Image.open(path, formats=KINDS) as image:
            if image.mode == "P" and role == "image":
                return shades(image, path)
            return np.asarray(image).astype(DTYPES[image.mode], copy=False)
    except (OSError, ValueError, RuntimeError) as error:
        raise Damaged(
            f"{str(path)!r} cannot be read ({error}), it may be truncated; get it anew"
        ) from error


def shades(image: Image.Image, path: Path) -> Array:
    """The grey values that a palette stands for; of labels its numbers themselves are meant."""
    numbers = np.asarray(image)
    palette = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    if np.ptp(palette[np.unique(numbers)], axis=1).any():
        raise InputError(
            f"{str(path)!r} has a palette of colours; sections must be grey: convert it"
        )
    grey: Array = palette[numbers, 0]
    return grey


def listed(cache: Cache, place: str) -> Path:
    """The list of checksums: at an address, where the run is, or beside the project."""
    beside = PROJECT / place
    return beside if not Path(place).is_file() and beside.is_file() else cache.local(place)


def checksums(path: Path) -> dict[str, str]:
    """File name -> SHA-256 from a list as sha256sum writes it."""
    sums: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip():
            continue
        digest, _, name = line.strip().partition(" ")
        name = name.strip().removeprefix("*").rsplit("/", 1)[-1]
        if len(digest) != 64 or sums.setdefault(name, digest.lower()) != digest.lower():
            raise InputError(
                f"{str(path)!r}: the line {line!r} is no SHA-256 checksum and file name, or the "
                "name came before with another checksum; correct the list"
            )
    return sums


def _sum_of(place: str, sums: dict[str, str] | None) -> str | None:
    if sums is None:
        return None
    name = unquote(urlsplit(place).path).rsplit("/", 1)[-1] if "://" in place else Path(place).name
    if name not in sums:
        raise InputError(f"the list of checksums has no line for {name!r}; add it")
    return f"sha256:{sums[name]}"
