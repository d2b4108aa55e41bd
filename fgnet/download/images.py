"""A set of 2-D images and their masks, read from folders or archives and stored as one file."""

import logging
import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from fgnet import imageset, ledger, volume
from fgnet.download.cache import Cache
from fgnet.download.formats.images import ENDINGS, named, natural
from fgnet.download.picture import File, bits, classes, colours, grey, size
from fgnet.errors import Damaged, InputError
from fgnet.imageset import Picture
from fgnet.progress import track
from fgnet.settings.images import ImageSet, ImageSource, MaskSource

LOG = logging.getLogger(__name__)
NAMED = 5  # files that a message names


def store(entry: ImageSet, cache: Cache, output: Path, record: object) -> None:
    """Write one set of images.

    Args:
        record: what goes into the file as the settings that made it.

    Raises:
        InputError: there are no images, one is broken, has no mask, or one of another size.
    """
    if entry.phantom is not None:
        from fgnet import image_phantom

        pictures = image_phantom.pictures(entry.phantom, len(entry.classes))
        sizes = [(one.raw.shape[0], one.raw.shape[1]) for one in pictures]
        _write(output, record, [], iter(pictures), sizes, entry, labelled=True)
        return
    assert entry.source is not None, "settings hold exactly one origin"
    images = listed(entry.source, cache)
    masks = None if entry.masks is None else paired(images, listed(entry.masks, cache), entry.masks)
    sizes, depth = [], 8
    for number, image in enumerate(track(images, "look at images")):
        depth = max(depth, bits(image))
        sizes.append(size(image))
        if masks is not None and size(masks[number]) != sizes[-1]:
            raise InputError(
                f"{masks[number].words} has {_pixels(size(masks[number]))}, its image "
                f"{image.words} {_pixels(sizes[-1])}; they must agree"
            )
    if depth > 8:
        LOG.info("grey values need %d bits; the upper 8 of these are kept", depth)
    inputs = list(dict.fromkeys(one.path for one in [*images, *(masks or [])]))
    read = _read(images, masks, entry, depth)
    _write(output, record, inputs, read, sizes, entry, labelled=masks is not None)


def _write(
    output: Path, record: object, inputs: Sequence[Path], pictures: Iterator[Picture],
    sizes: list[tuple[int, int]], entry: ImageSet, labelled: bool,
) -> None:  # fmt: skip
    ledger.voxels(sum(y * x for y, x in sizes))
    with volume.create(output, "download", record, inputs) as file:
        shown = track(pictures, f"write {output.name}", total=len(sizes))
        imageset.write(file, shown, sizes, entry.classes, labelled)


def _read(
    images: list[File], masks: list[File] | None, entry: ImageSet, depth: int
) -> Iterator[Picture]:
    for number, image in enumerate(images):
        labels = None
        if masks is not None:
            assert entry.masks is not None
            labels = classes(grey(masks[number]), entry.masks, len(entry.classes), masks[number])
        yield Picture(image.name, colours(image, depth), labels)


def listed(source: ImageSource, cache: Cache) -> list[File]:
    """The images of a folder, a pattern or an archive, in natural order of their names."""
    path = source.path
    if path.lower().split("?")[0].endswith(".zip"):
        archive = cache.fetched(path, source.checksum, source.mirrors)
        with cache.using(path, archive):
            found = [File(_name(one), archive, one) for one in members(archive, source.folder)]
    else:
        found = [File(_name(one), cache.local(one)) for one in named(path.removeprefix("file://"))]
    seen: dict[str, File] = {}
    for file in found:
        if (other := seen.setdefault(file.name, file)) is not file:
            raise InputError(
                f"{file.words} and {other.words} have one name; give each image a name of its own"
            )
    return found


def members(archive: Path, folder: str) -> list[str]:
    """The images in a folder of a .zip archive, in natural order."""
    try:
        with zipfile.ZipFile(archive) as opened:
            names = opened.namelist()
    except zipfile.BadZipFile as error:
        raise Damaged(f"{str(archive)!r} is no .zip archive ({error}); get it anew") from error
    inside = PurePosixPath(folder)
    found = [
        name
        for name in names
        if PurePosixPath(name).parent == inside
        and PurePosixPath(name).suffix.lower() in ENDINGS
        and not PurePosixPath(name).name.startswith(".")
    ]
    if not found:
        folders = sorted({str(PurePosixPath(name).parent) for name in names})
        raise InputError(
            f"{str(archive)!r} holds no images in the folder {folder!r}; it has the folders "
            f"{', '.join(folders)}: set `folder` to one of them"
        )
    return sorted(found, key=lambda name: natural(Path(name)))


def paired(images: list[File], masks: list[File], source: MaskSource) -> list[File]:
    """The mask of each image, by its name. Raises InputError where one has none."""
    by_name = {mask.name: mask for mask in masks}
    wanted = [f"{image.name}{source.suffix}" for image in images]
    lacking = [name for name in wanted if name not in by_name]
    if lacking:
        more = ", …" if len(lacking) > NAMED else ""
        raise InputError(
            f"{source.path!r} has no mask for {len(lacking)} of {len(images)} images "
            f"({', '.join(lacking[:NAMED])}{more}); a mask is named like its image, plus "
            "`masks: suffix`"
        )
    if unused := len(by_name.keys() - set(wanted)):
        LOG.warning("%s: %d masks belong to no image and are left out", source.path, unused)
    return [by_name[name] for name in wanted]


def _name(place: str) -> str:
    return re.sub(r"\.[^.]*$", "", place.rsplit("/", 1)[-1])


def _pixels(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]} pixels"
