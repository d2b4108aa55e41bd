"""Which format a source has, and the layer it opens as."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from fgnet.download.cache import Cache, remote
from fgnet.download.layers import Layer, Role
from fgnet.download.pieces import in_pieces
from fgnet.errors import Damaged, InputError
from fgnet.settings.locations import RANGE
from fgnet.settings.sources import Format, Source
from fgnet.volume import Triple

# each format has a library of its own, which is imported where a source is of that format
METADATA: dict[str, Format] = {
    "info": "precomputed", "zarr.json": "zarr", ".zarray": "zarr", ".zgroup": "zarr",
    "attributes.json": "n5",
}  # fmt: skip
SUFFIXES: dict[str, Format] = {".zarr": "zarr", ".n5": "n5", ".precomputed": "precomputed"}
FIRST_BYTES: dict[bytes, Format] = {
    b"\x89HDF\r\n\x1a\n": "hdf5", b"II*\0": "tiff", b"MM\0*": "tiff", b"II+\0": "tiff",
    b"MM\0+": "tiff", b"NRRD": "nrrd", b"\x89PNG": "images", b"\xff\xd8\xff": "images",
}  # fmt: skip


@contextmanager
def open_layer(
    source: Source, role: Role, cache: Cache, size: Triple | None = None
) -> Iterator[Layer]:
    """Open a source whatever its format; one that comes over a network comes in pieces.

    Args:
        size: voxel size of the image in nm, by which the scale of another layer is chosen.

    Raises:
        InputError: there is nothing at that place, or nothing that can be read.
    """
    kind = source.format or by_name(source)
    if kind in ("precomputed", "zarr", "n5") and remote(source.path) and "?" in source.path:
        raise InputError(
            f"{source.path!r}: a layer of chunks has an address without a query; leave out what "
            "follows the question mark"
        )
    with ExitStack() as stack:
        if kind == "images":
            from fgnet.download.formats.images import open_images

            layer = stack.enter_context(open_images(source, role, cache))
        elif kind == "precomputed":
            from fgnet.download.formats.precomputed import open_precomputed

            layer = stack.enter_context(open_precomputed(source, size))
        elif kind in ("zarr", "n5"):
            from fgnet.download.formats.zarr import open_container

            layer = stack.enter_context(open_container(source, role, size))
        else:
            path = cache.local(source.path, source.checksum, source.member, source.mirrors)
            with cache.using(source.path, path):
                layer = stack.enter_context(open_file(path, kind, source, role, cache))
            layer = replace(layer, files=(path,))
        if source.offset is not None:
            layer = replace(layer, offset=source.offset)
        yield in_pieces(layer, cache) if layer.remote else layer


@contextmanager
def open_file(
    path: Path, kind: Format | None, source: Source, role: Role, cache: Cache
) -> Iterator[Layer]:
    """Open a single file, by its first bytes where its format is not given."""
    kind = kind or by_content(path)
    with ExitStack() as stack:
        if kind == "hdf5":
            from fgnet.download.formats.hdf5 import open_hdf5

            yield stack.enter_context(open_hdf5(path, source, role))
        elif kind == "tiff":
            from fgnet.download.formats.tiff import open_tiff

            yield stack.enter_context(open_tiff(path, source))
        elif kind == "nrrd":
            from fgnet.download.formats.nrrd import open_nrrd

            yield stack.enter_context(open_nrrd(path, source))
        elif kind == "mrc":
            from fgnet.download.formats.mrc import open_mrc

            yield stack.enter_context(open_mrc(path, source))
        else:
            raise InputError(
                f"{str(path)!r} is one image, a section; give the folder or pattern of all sections"
            )


def by_name(source: Source) -> Format | None:
    """The format of a folder, a pattern or an address, or None for a file to be looked into."""
    path = source.path
    if RANGE.search(path) or ("://" not in path and not Path(path).exists() and "*" in path):
        return "images"
    if source.member is not None:
        return None
    if "://" not in path or path.startswith("file://"):
        folder = Path(path.removeprefix("file://"))
        if not folder.is_dir():
            return None
        for name, kind in METADATA.items():
            if (folder / name).is_file():
                return kind
        from fgnet.download.formats.images import ENDINGS

        if any(one.suffix.lower() in ENDINGS for one in folder.iterdir()):
            return "images"
        if folder.suffix in SUFFIXES:
            return SUFFIXES[folder.suffix]
        raise InputError(
            f"the folder {path!r} holds no images (sections end in {', '.join(ENDINGS)}) and is "
            "no Zarr, N5 or precomputed layer; check the path"
        )
    for name in reversed(path.split("://")[1].split("/")):
        if Path(name).suffix in SUFFIXES:
            return SUFFIXES[Path(name).suffix]
    if path.startswith(("http://", "https://")) and Path(path).suffix:
        return None
    return by_probing(source)


def by_probing(source: Source) -> Format | None:
    """The format of an address without an ending: what lies there under the known names."""
    from fgnet.download.formats.zarr import address, fetched

    for name, kind in METADATA.items():
        try:
            if fetched(address(source), name) is not None:
                return kind
        except (ValueError, OSError):
            continue
    if source.path.startswith(("http://", "https://")):
        return None
    raise InputError(
        f"there is no Zarr, N5 or precomputed layer at {source.path!r}; check the address, and "
        "for one that is not public set public: false"
    )


def by_content(path: Path) -> Format:
    """The format of a file by its first bytes. Raises InputError where it is none of ours."""
    with path.open("rb") as stream:
        start = stream.read(512)
    for first, kind in FIRST_BYTES.items():
        if start.startswith(first):
            return kind
    if start[208:211] == b"MAP":
        return "mrc"
    what = "is empty" if not start else f"begins with {start[:16]!r}"
    if start.lstrip().lower().startswith((b"<!doctype", b"<html")):
        what = "is a web page"
    raise Damaged(
        f"{str(path)!r} {what}, which is none of HDF5, TIFF, NRRD and MRC; get it anew, or give "
        "the path of a file in one of these formats"
    )
