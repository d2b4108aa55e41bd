"""Fetch, copy or generate a volume or a set of images, and store it; or weights of others.

    python -m fgnet.download volume --volume mine --output mine.h5 \\
        --settings '{"volume": {"source": {"path": "mine.tif"}, "voxel_size": [30, 8, 8]}}'
    python -m fgnet.download volume --volume demo --output demo.h5 \\
        --settings '{"volume": {"phantom": {"shape": [16, 96, 96], "seed": 1}}}'
    python -m fgnet.download skeletons --volume mine --input mine.h5 --output lines.h5 \\
        --settings '{"skeletons": {"path": "lines.swc"}}'
    python -m fgnet.download images --images polyps --output polyps.h5 \\
        --settings '{"images": {"source": {"path": "images"}, "masks": {"path": "masks"}}}'
    python -m fgnet.download sam2 --name sam2.1_hiera_tiny --output sam2.1_hiera_tiny.pt
    python -m fgnet.download pretrained --name sam_vit_base --output sam_vit_base

What a volume's entry may say stands in docs/config.md, and what can be read in docs/your-data.md.
"""

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path

from fgnet import command
from fgnet.errors import InputError

# each step imports what it needs itself: what reads all formats takes seconds to import

KINDS = {"sam2": "file to write, PyTorch", "pretrained": "folder to write"}


def run_volume(
    volume: str, settings: str, output: Path, cache: Path | None = None, fetching: str = "{}"
) -> None:
    """Make one volume of the config.

    Args:
        volume: its name, for messages.
        settings: JSON of :class:`fgnet.settings.download.VolumeDownload`.
        output: HDF5 file to write.
        cache: folder of fetched files, ``sources`` beside the output by default.
        fetching: JSON of :class:`fgnet.settings.download.Download`.
    """
    from fgnet.download.assemble import assemble
    from fgnet.download.cache import Cache
    from fgnet.download.origin import opened
    from fgnet.download.store import store
    from fgnet.settings.download import Download, VolumeDownload
    from fgnet.settings.volumes import Crop

    wanted = VolumeDownload.from_json(settings)
    entry = wanted.volume
    folder = Cache(cache or output.parent / "sources", Download.from_json(fetching))
    try:
        if entry.of is not None:
            raise InputError(f"is a box of {entry.of!r}; download that one")
        with ExitStack() as stack:
            layers, crop = opened(entry, folder, stack), entry.crop or Crop.checked({})
            made = assemble(*layers, entry.voxel_size, crop, entry.resample)
            record = wanted.model_dump(mode="json")
            store(made, entry.labels, output, record, folder.check)
        folder.remember()
    except InputError as error:
        raise InputError(f"volume {volume!r}: {error}") from error


def run_images(
    images: str, settings: str, output: Path, cache: Path | None = None, fetching: str = "{}"
) -> None:
    """Make one set of 2-D images of the config.

    Args:
        images: its name, for messages.
        settings: JSON of :class:`fgnet.settings.download.ImagesDownload`.
        output: HDF5 file to write, see :mod:`fgnet.imageset`.
        cache: folder of fetched files, ``sources`` beside the output by default.
        fetching: JSON of :class:`fgnet.settings.download.Download`.
    """
    from fgnet.download.cache import Cache
    from fgnet.download.images import store
    from fgnet.settings.download import Download, ImagesDownload

    wanted = ImagesDownload.from_json(settings)
    folder = Cache(cache or output.parent / "sources", Download.from_json(fetching))
    try:
        if wanted.images.of is not None:
            raise InputError(f"is a part of {wanted.images.of!r}; download that one")
        store(wanted.images, folder, output, wanted.model_dump(mode="json"))
        folder.remember()
    except InputError as error:
        raise InputError(f"images {images!r}: {error}") from error


def run_skeletons(
    volume: str, input: Path, settings: str, output: Path, cache: Path | None = None,
    fetching: str = "{}",
) -> None:  # fmt: skip
    """Read the skeletons that are given with a volume.

    Args:
        volume: its name, for messages.
        input: the downloaded volume, which they are put into.
        settings: JSON of :class:`fgnet.settings.download.SkeletonsDownload`.
        output: HDF5 file to write, see :mod:`fgnet.skeletons`.
        cache: folder of fetched files, ``sources`` beside the input by default.
        fetching: JSON of :class:`fgnet.settings.download.Download`.
    """
    from fgnet.download import skeletons
    from fgnet.download.cache import Cache
    from fgnet.settings.download import Download, SkeletonsDownload

    wanted = SkeletonsDownload.from_json(settings)
    folder = Cache(cache or input.parent / "sources", Download.from_json(fetching))
    try:
        skeletons.store(wanted.skeletons, input, output, wanted.model_dump(mode="json"), folder)
        folder.remember()
    except InputError as error:
        raise InputError(f"volume {volume!r}: {error}") from error


def run_sam2(name: str, output: Path, fetching: str = "{}") -> None:
    """Fetch one of the official SAM2 checkpoints; fetching: JSON of ``Download``."""
    from fgnet.download.sam2 import checkpoint
    from fgnet.settings.download import Download

    checkpoint(name, output, Download.from_json(fetching))


def run_pretrained(name: str, output: Path, fetching: str = "{}") -> None:
    """Fetch the weights of the first SAM, or of CLIP; fetching: JSON of ``Download``."""
    from fgnet.download import pretrained
    from fgnet.settings.download import Download

    pretrained.folder(name, output, Download.from_json(fetching))


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = command.parser("download", __doc__ or "")
    steps = command.steps(
        parser,
        volume=run_volume,
        images=run_images,
        skeletons=run_skeletons,
        sam2=run_sam2,
        pretrained=run_pretrained,
    )
    volume, images, lines, sam2, weights = steps.values()
    for kind, name, beside in (
        (volume, "volume", "OUTPUT"), (images, "images", "OUTPUT"), (lines, "volume", "INPUT"),
    ):  # fmt: skip
        kind.add_argument(
            f"--{name}", required=True, metavar="NAME", help="its name, which errors mention"
        )
        kind.add_argument(
            "--cache", type=Path, help=f"folder for fetched files [sources beside {beside}]"
        )
    lines.add_argument(
        "--input", required=True, type=Path, help="the downloaded volume, an HDF5 file"
    )
    sam2.add_argument("--name", required=True, help="of the checkpoint, such as sam2.1_hiera_tiny")
    weights.add_argument("--name", required=True, help="of the weights, such as sam_vit_base")
    for kind, text in (
        (volume, '{"volume": ...}'), (images, '{"images": ...}'), (lines, '{"skeletons": ...}')
    ):  # fmt: skip
        kind.add_argument(
            "--settings", required=True, metavar="JSON", help=f"{text}, as in the config"
        )
    for name, kind in steps.items():
        kind.add_argument(
            "--fetching", default="{}", metavar="JSON", help="the section download: retries, ..."
        )
        kind.add_argument(
            "--output", required=True, type=Path,
            help=KINDS.get(name, "file to write, HDF5"),
        )  # fmt: skip
    return parser


if __name__ == "__main__":
    sys.exit(command.main(arguments(), command.run_step))
