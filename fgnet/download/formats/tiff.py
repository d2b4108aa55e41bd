"""Opening a TIFF file of many pages, or one page of a series."""

import functools
import logging
import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from fgnet import volume
from fgnet.download.formats.units import nanometres
from fgnet.download.layers import Layer, oriented
from fgnet.errors import Damaged, InputError
from fgnet.settings.sources import Source
from fgnet.volume import Array, Triple

LOG = logging.getLogger(__name__)


@contextmanager
def open_tiff(path: Path, source: Source) -> Iterator[Layer]:
    """Open the first series of a TIFF, page by page, or as it lies where it is not compressed.

    Voxel size and offset are taken from OME's metadata, the voxel size also from ImageJ's.

    Raises:
        InputError: the file is no TIFF, is truncated, or holds colour or several stacks.
    """
    try:
        file = tifffile.TiffFile(path)
    except (tifffile.TiffFileError, ValueError, OSError, IndexError) as error:
        raise Damaged(f"{str(path)!r} cannot be read as TIFF ({error}); get it anew") from error
    with file:
        with complaints() as found:
            series = first(file, path)
        if found:
            raise Damaged(f"{str(path)!r} is damaged or truncated ({found[0]}); get it anew")
        if series is None or not series.shape:
            raise Damaged(f"{str(path)!r} is a TIFF without an image; get it anew")
        whole(file, path)
        if series.keyframe.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
            LOG.warning(
                "%s: 0 stands for white there; values are taken as they are, so where membranes "
                "come out bright set `inverted: true`", path
            )  # fmt: skip
        axes = source.axes or stack_axes(series.axes, series.shape, str(path))
        if series.dataoffset is not None:
            # also the only way into ImageJ's stacks above 4 GB, which have one page
            data = np.memmap(
                path, np.dtype(file.byteorder + series.dtype.char), "r", series.dataoffset,
                series.shape,
            )  # fmt: skip
            layer = oriented(str(path), series.shape, data.dtype, axes, lambda box: data[box])
        else:
            layer = oriented(str(path), series.shape, series.dtype, axes, pages(series, path))
        size, offset = metadata(file)
        yield replace(layer, voxel_size=size, offset=offset)


def first(file: Any, path: Path) -> Any:
    """The first series, or None. Raises InputError where sections differ in size or kind."""
    try:
        found = file.series
    except RuntimeError as error:
        raise InputError(
            f"{str(path)!r} holds sections that differ ({error}); all must agree"
        ) from error
    if len(found) > 1 and not file.is_ome:
        shapes = " and ".join(str(one.shape) for one in found[:2])
        raise InputError(
            f"{str(path)!r} holds images of shapes that differ, such as {shapes}; all sections "
            "must agree: save those that are meant as a stack of their own"
        )
    if found and found[0].kind == "uniform":  # so called after a glance at a few pages
        for number, page in enumerate(found[0].pages):
            if page is not None and (shape := page.aspage().shape) != found[0].keyframe.shape:
                raise InputError(
                    f"{str(path)!r}: section {number} has the shape {shape}, the first "
                    f"{found[0].keyframe.shape}; all sections must agree"
                )
    return found[0] if found else None


@contextmanager
def complaints() -> Iterator[list[str]]:
    """The errors that tifffile only logs, such as a list of pages that breaks off."""
    found: list[str] = []

    class Note(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record.getMessage())

    note, log = Note(logging.ERROR), logging.getLogger("tifffile")
    passed_on = log.propagate
    log.addHandler(note)
    log.propagate = False
    try:
        yield found
    finally:
        log.removeHandler(note)
        log.propagate = passed_on


def stack_axes(axes: str, shape: tuple[int, ...], name: str) -> str:
    """The axes of a TIFF as ours: the one axis beside Y and X that is long is z, whatever its name.

    ImageJ and others store stacks of sections as time or channels.
    """
    long = [place for place, letter in enumerate(axes) if letter not in "YXS" and shape[place] > 1]
    if "S" in axes and shape[axes.index("S")] > 1:
        raise InputError(
            f"{name} has {shape[axes.index('S')]} colours a voxel; an EM image has one grey "
            "value: convert it"
        )
    if len(long) > 1:
        raise InputError(
            f"{name} has the shape {shape} along {','.join(axes)}; a volume has z, y and x: "
            "choose one channel or time, or give `axes`"
        )
    if not long:
        raise InputError(
            f"{name} holds one section of shape {shape}; a volume has several: give the folder or "
            "pattern of all of them"
        )
    spare = iter("abcdefgh")
    return "".join(
        "z" if place == long[0] else letter.lower() if letter in "YX" else next(spare)
        for place, letter in enumerate(axes)
    )


def pages(series: Any, path: Path) -> Any:
    """Reads boxes of a series whose pages are compressed, the last few kept."""
    height, width = series.keyframe.imagelength, series.keyframe.imagewidth
    count = math.prod(series.shape) // (height * width)
    if series.keyframe.imagedepth > 1:
        raise InputError(
            f"{str(path)!r} has tiles of {series.keyframe.imagedepth} sections; save it with a "
            "page for each section"
        )

    @functools.lru_cache(maxsize=volume.CHUNK[0])
    def page(index: int) -> Array:
        try:
            return np.asarray(series.pages[index].asarray()).reshape(height, width)
        except (ValueError, RuntimeError, OSError, AttributeError, TypeError) as error:
            raise InputError(
                f"{str(path)!r}: section {index} of {count} cannot be read ({error}); get it anew"
            ) from error

    def read(box: tuple[slice, ...]) -> Array:
        *leading, rows, columns = box
        sections = max(leading, key=lambda cut: cut.stop)  # the others are axes of length 1
        stack = np.stack([page(index)[rows, columns] for index in range(count)[sections]])
        return stack.reshape([cut.stop - cut.start for cut in box])

    return read


def whole(file: Any, path: Path) -> None:
    """Raise InputError when the file ends before its last strip or tile does."""
    size = path.stat().st_size
    for series in file.series[:1]:
        if series.dataoffset is not None:
            ends = [series.dataoffset + series.nbytes]
        else:
            ends = [
                start + length
                for page in series.pages
                if page is not None
                for start, length in zip(page.dataoffsets, page.databytecounts, strict=True)
            ]
        missing = sum(page is None for page in series.pages) if series.dataoffset is None else 0
        if missing or max(ends, default=0) > size:
            raise Damaged(
                f"{str(path)!r} is truncated: {size} bytes, and its image reaches to "
                f"{max(ends, default=0)}; get it anew"
            )


def metadata(file: Any) -> tuple[Triple | None, Triple | None]:
    """Voxel size and offset in nm along z, y, x, where the file records them whole."""
    if file.ome_metadata:
        return ome(file.ome_metadata)
    return imagej(file), None


def ome(text: str) -> tuple[Triple | None, Triple | None]:
    """Voxel size and the first plane's position from OME-XML."""
    if "<!DOCTYPE" in text:  # OME's has none, and one may declare entities without bounds
        return None, None
    root = ElementTree.fromstring(text)  # noqa: S314
    pixels = next((node for node in root.iter() if node.tag.endswith("Pixels")), None)
    if pixels is None:
        return None, None
    plane = next((node for node in pixels.iter() if node.tag.endswith("Plane")), None)
    size = _lengths(pixels.attrib, "PhysicalSize", "µm")
    # a position without a unit is in a frame of its own, no length
    return size, None if plane is None else _lengths(plane.attrib, "Position", "")


def _lengths(attributes: dict[str, str], key: str, default: str) -> Triple | None:
    found = []
    for axis in "ZYX":
        name = f"{key}{axis}"
        unit = nanometres(attributes.get(f"{name}Unit", default))
        if name not in attributes or unit is None:
            return None
        found.append(round(float(attributes[name]) * unit, 6))
    return found[0], found[1], found[2]


def imagej(file: Any) -> Triple | None:
    """Voxel size from ImageJ's metadata: spacing of sections, pixels a unit."""
    about = file.imagej_metadata or {}
    unit = nanometres(str(about.get("unit", "")).replace("\\u00B5", "µ"))
    tags = file.pages[0].tags
    if unit is None or "spacing" not in about or "XResolution" not in tags:
        return None
    found = [abs(float(about["spacing"])) * unit]  # below 0 where the stack was reversed
    for name in ("YResolution", "XResolution"):
        pixels, per = tags[name].value
        if not pixels:
            return None
        found.append(per / pixels * unit)
    z, y, x = (round(value, 6) for value in found)
    return z, y, x
