"""Fetch, copy or generate a volume and store it as HDF5; or fetch a SAM2 checkpoint."""

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path

from fgnet import command
from fgnet.download import skeletons
from fgnet.download.assemble import agreed_size, assemble
from fgnet.download.cache import Cache
from fgnet.download.formats.open import open_layer
from fgnet.download.layers import Layer
from fgnet.download.sam2 import checkpoint
from fgnet.download.store import store
from fgnet.errors import InputError
from fgnet.phantom import phantom
from fgnet.settings.download import Download, VolumeDownload
from fgnet.settings.phantom import Phantom
from fgnet.settings.volumes import Crop, Volume


def run_volume(volume: str, settings: str, output: Path, cache: Path | None = None) -> None:
    """Make one volume of the config.

    Args:
        volume: its name, for messages.
        settings: JSON of :class:`fgnet.settings.download.VolumeDownload`.
        output: HDF5 file to write.
        cache: folder of fetched files, ``sources`` beside the output by default.
    """
    wanted = VolumeDownload.from_json(settings)
    entry = wanted.volume
    folder = Cache(cache or output.parent / "sources", wanted.download)
    try:
        if entry.of is not None:
            raise InputError(f"is a box of {entry.of!r}; download that one")
        with ExitStack() as stack:
            layers, size = opened(entry, folder, stack), entry.voxel_size
            made = assemble(*layers, size, entry.crop or Crop.checked({}), entry.resample)
            lines = None
            if entry.skeletons is not None:
                own = agreed_size([one for one in layers if one is not None], size)
                lines = skeletons.given(entry.skeletons, layers[0], own, made, folder)
            record = wanted.model_dump(mode="json")
            store(made, entry.labels, output, record, folder.check, lines)
        folder.remember()
    except InputError as error:
        raise InputError(f"volume {volume!r}: {error}") from error


def opened(
    entry: Volume, cache: Cache, stack: ExitStack
) -> tuple[Layer, Layer | None, Layer | None]:
    """Image, labels and mask of a volume, whatever their formats; closed with the stack."""
    if entry.phantom is not None:
        return generated(entry.phantom)
    assert entry.source is not None  # settings hold exactly one origin
    image = stack.enter_context(open_layer(entry.source, "image", cache))
    size = image.voxel_size or entry.voxel_size
    labels = mask = None
    if entry.labels is not None:
        labels = stack.enter_context(open_layer(entry.labels, "labels", cache, size))
    if entry.mask is not None:
        mask = stack.enter_context(open_layer(entry.mask, "mask", cache, size))
    return image, labels, mask


def generated(settings: Phantom) -> tuple[Layer, Layer, None]:
    """The layers of a phantom."""
    raw, labels = phantom(settings)
    shape, size = settings.shape, settings.voxel_size
    return (
        Layer("phantom", shape, raw.dtype, lambda box: raw[box], size),
        Layer("phantom labels", shape, labels.dtype, lambda box: labels[box], size),
        None,
    )


def run_sam2(name: str, settings: str, output: Path) -> None:
    """Fetch one of the official SAM2 checkpoints; settings: JSON of ``Download``."""
    checkpoint(name, output, Download.from_json(settings))


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
