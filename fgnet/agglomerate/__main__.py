"""Turn affinities into fragments and their merges at each threshold; choose nothing.

python -m fgnet.agglomerate --input AFFINITIES.h5 --output SEGMENTATION.h5 --settings JSON
"""

import sys
from pathlib import Path

from fgnet import command
from fgnet.agglomerate.stage import run

parser = command.parser("agglomerate", __doc__ or "")
parser.add_argument("--input", required=True, type=Path, help="results/infer/MODEL/VOLUME.h5")
parser.add_argument("--output", required=True, type=Path, help="HDF5 file to write")
parser.add_argument("--settings", default="{}", metavar="JSON", help="one agglomerate method")

if __name__ == "__main__":
    sys.exit(command.main(parser, run))
