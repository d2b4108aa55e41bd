"""Make the grey values of a volume comparable, and find and mend its defective sections.

Two passes by blocks: the first counts grey values, the second stretches them between two
percentiles, or matches them to a reference volume. Labels and voxel size are copied.
"""

import argparse
import sys
from pathlib import Path

from fgnet import command
from fgnet.normalize.stage import run


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = command.parser("normalize", __doc__ or "")
    parser.add_argument("--input", required=True, type=Path, help="results/download/VOLUME.h5")
    parser.add_argument("--reference", type=Path, nargs="?", help="the volume that is matched")
    parser.add_argument("--output", required=True, type=Path, help="HDF5 file to write")
    parser.add_argument("--settings", required=True, metavar="JSON", help="section normalize")
    return parser


if __name__ == "__main__":
    sys.exit(command.main(arguments(), run))
