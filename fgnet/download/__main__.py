"""Fetch, copy or generate a volume and store it as HDF5; or fetch a SAM2 checkpoint."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fgnet import command
from fgnet.download.cache import Cache
from fgnet.download.hdf5 import open_hdf5
from fgnet.download.images import open_images
from fgnet.download.layers import Layer, Layers
from fgnet.download.precomputed import open_precomputed
from fgnet.download.sam2 import checkpoint
from fgnet.download.store import store
from fgnet.errors import InputError
from fgnet.phantom import phantom
from fgnet.settings.base import Box
from fgnet.settings.download import Download, VolumeDownload
from fgnet.settings.volumes import Hdf5Source, ImagesSource, PrecomputedSource, Volume


def run_volume(volume: str, settings: str, output: Path, cache: Path | None = None) -> None:
    """Make one volume of the registry.

    Args:
        volume: its name, for messages.
        settings: JSON of :class:`fgnet.settings.download.VolumeDownload`.
        output: HDF5 file to write.
        cache: folder of fetched files, ``sources`` beside the output by default.
    """
    wanted = VolumeDownload.from_json(settings)
    entry = wanted.volume
    try:
        if entry.of is not None:
            raise InputError(f"is a box of {entry.of!r}; download that one")
        crop = entry.crop or Box.checked({})
        folder = Cache(cache or output.parent / "sources", wanted.download)
        with opened(entry, crop, folder) as layers:
            store(layers, crop, entry.voxel_size, output, wanted.model_dump(mode="json"))
    except InputError as error:
        raise InputError(f"volume {volume!r}: {error}") from error


def run_sam2(name: str, settings: str, output: Path) -> None:
    """Fetch one of the official SAM2 checkpoints; settings: JSON of ``Download``."""
    checkpoint(name, output, Download.from_json(settings))


@contextmanager
def opened(entry: Volume, crop: Box, cache: Cache) -> Iterator[Layers]:
    """The volume of a registry entry, whatever its kind, ready to be read."""
    source = entry.source
    if isinstance(source, Hdf5Source):
        with open_hdf5(source, cache, entry.voxel_size) as layers:
            yield layers
    elif isinstance(source, ImagesSource):
        with open_images(source, cache, crop) as layers:
            yield layers
    elif isinstance(source, PrecomputedSource):
        with open_precomputed(source, crop) as layers:
            yield layers
    else:
        assert entry.phantom is not None  # settings hold exactly one origin
        raw, labels = phantom(entry.phantom)
        yield Layers(
            Layer("phantom", entry.phantom.shape, raw.dtype, lambda box: raw[box]),
            Layer("phantom labels", entry.phantom.shape, labels.dtype, lambda box: labels[box]),
            entry.phantom.voxel_size,
        )


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = command.parser("download", __doc__ or "")
    steps = command.steps(parser, volume=run_volume, sam2=run_sam2)
    volume, sam2 = steps["volume"], steps["sam2"]
    volume.add_argument("--volume", required=True, metavar="NAME", help="its name, for messages")
    volume.add_argument("--cache", type=Path, help="folder of fetched files [OUTPUT/../sources]")
    sam2.add_argument("--name", required=True, help="such as sam2.1_hiera_tiny")
    for kind, text in ((volume, '{"volume": ..., "download": ...}'), (sam2, "section download")):
        kind.add_argument("--settings", required=True, metavar="JSON", help=text)
        kind.add_argument("--output", required=True, type=Path, help="file to write")
    return parser


if __name__ == "__main__":
    sys.exit(command.main(arguments(), command.run_step))
