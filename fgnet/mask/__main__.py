"""Write the masks that a model found in a set of images, as PNG files.

python -m fgnet.mask --input results/infer/MODEL/SET.h5 --output results/mask/MODEL/SET

Each image gives a file of its own name and size, 8 bits: the number of the class, counted from 1 in
the order of the set's classes, and 0 where no class is probable enough. Where several are, the most
probable wins. A single class is 255, so that it can be seen.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fgnet import command, imageset, ledger, volume
from fgnet.errors import InputError
from fgnet.imageset import Chances, Pixels
from fgnet.progress import track
from fgnet.settings.mask import Mask
from fgnet.whole import whole_folder_or_nothing

ONLY = 255


def run(input: Path, output: Path, settings: str) -> None:
    """Write the folder of masks.

    Args:
        input: chances, see :mod:`fgnet.imageset`.
        output: a folder; each file says what made it in the PNG text ``made_by``.
        settings: JSON of :class:`fgnet.settings.mask.Mask`.

    Raises:
        InputError: two images have one name, or there are more classes than 8 bits hold.
    """
    wanted = Mask.from_json(settings)
    with imageset.opened_chances(input) as chances:
        check(chances)
        text = PngInfo()
        record = volume.record("mask", wanted.model_dump(mode="json"), [input])
        text.add_text("made_by", json.dumps({**record, "classes": chances.classes}, sort_keys=True))
        with whole_folder_or_nothing(output) as folder:
            for number in track(range(len(chances)), f"mask {input.name}"):
                mask = mask_of(chances[number], wanted.threshold)
                ledger.voxels(mask.size)
                Image.fromarray(mask).save(folder / f"{chances.names[number]}.png", pnginfo=text)


def check(chances: Chances) -> None:
    """Raise InputError where masks cannot be files of their own."""
    where = chances.file.filename
    twice = sorted({name for name in chances.names if chances.names.count(name) > 1})
    if twice:
        raise InputError(
            f"{where}: several images are called {twice[0]!r}; give each image a name of its own"
        )
    if len(chances.classes) >= ONLY:
        raise InputError(
            f"{where}: {len(chances.classes)} classes, and a mask of 8 bits holds {ONLY - 1}; "
            "split the classes over several models"
        )


def mask_of(chances: Pixels, threshold: float) -> Pixels:
    """The mask (y, x) of chances (classes, y, x); of equally probable classes the first wins."""
    best = chances.argmax(0)
    values = np.where(len(chances) == 1, ONLY, best + 1)
    mask: Pixels = np.where(imageset.above(chances.max(0), threshold), values, 0).astype(np.uint8)
    return mask


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = command.parser("mask", __doc__ or "")
    parser.add_argument("--input", required=True, type=Path, help="results/infer/MODEL/SET.h5")
    parser.add_argument("--output", required=True, type=Path, help="folder to write")
    parser.add_argument("--settings", default="{}", metavar="JSON", help="section mask")
    return parser


if __name__ == "__main__":
    sys.exit(command.main(arguments(), run))
