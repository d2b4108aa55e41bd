"""Make the grey values of a volume comparable, and find and mend its defective sections.

Two passes by blocks: the first counts grey values, the second stretches them between two
percentiles, or matches them to a reference volume. Labels and voxel size are copied. The images of
a set stay as they are, or are stretched each for itself.

    python -m fgnet.normalize --input demo.h5 --output normalized.h5 --settings '{"low": 1}'
"""

import argparse
import sys
from pathlib import Path

from fgnet import command, imageset, volume
from fgnet.normalize import images, stage


def run(input: Path, output: Path, settings: str, reference: Path | None = None) -> None:
    """Normalise a volume, or a set of images."""
    with volume.opened(input) as file:
        pictures = imageset.is_set(file)
    if pictures:
        images.run(input, output, settings)
    else:
        stage.run(input, output, settings, reference)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = command.parser("normalize", __doc__ or "")
    parser.add_argument(
        "--input",
        required=True,
        type=Path,
        help="a downloaded volume, as results/download/VOLUME.h5",
    )
    parser.add_argument(
        "--reference",
        type=Path,
        nargs="?",
        help="the downloaded volume to match, where settings ask for it",
    )
    parser.add_argument(
        "--output", required=True, type=Path, help="HDF5 file to write: raw with 8 bits"
    )
    parser.add_argument(
        "--settings", required=True, metavar="JSON", help="the section normalize; {}: defaults"
    )
    return parser


if __name__ == "__main__":
    sys.exit(command.main(arguments(), run))
