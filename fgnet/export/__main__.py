"""Write results in the formats that viewers read, and show them.

python -m fgnet.export layer --layer image --input results/normalize/VOLUME.h5
                             --output results/export/VOLUME/image.precomputed
python -m fgnet.export skeletons --input results/export/VOLUME/MODEL/METHOD/segmentation.precomputed
                                 --output results/export/VOLUME/MODEL/METHOD/segmentation.skeletons
python -m fgnet.export state --parameters JSON --output results/export/VOLUME/neuroglancer.json
python -m fgnet.export serve --folder results/export

A layer's format follows from the suffix of its output: .precomputed, .ome.zarr, .h5, .ome.tif.
"""

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from fgnet import command, ledger, processors
from fgnet.errors import InputError
from fgnet.settings.base import Box
from fgnet.settings.export import SUFFIX, Folder, Format, LayerName

if TYPE_CHECKING:
    from fgnet.export.source import Layer

# each step imports what it needs itself: serve runs where snakemake does, without the libraries of
# the others


def run_layer(
    layer: LayerName, input: Path, box: str, threshold: Path | None, settings: str, output: Path
) -> None:
    """Write one layer of a volume in one format."""
    from fgnet.export import source

    format = next((name for name, end in SUFFIX.items() if output.name.endswith(f".{end}")), None)
    if format is None:
        raise InputError(
            f"{str(output)!r} has none of the suffixes {', '.join(SUFFIX.values())}; rename it"
        )
    wanted, part = Folder.from_json(settings), Box.from_json(box)
    parameters = {"format": format, **wanted.model_dump(mode="json")}
    with source.opened(layer, input, part, threshold, parameters) as opened:
        ledger.voxels(math.prod(opened.shape))
        writer(format)(opened, output, wanted)


def writer(format: Format) -> Callable[["Layer", Path, Folder], Any]:
    """What writes a format; it brings libraries of its own, so only the one needed is imported."""
    if format == "precomputed":
        from fgnet.export.precomputed import write
    elif format == "ome_zarr":
        from fgnet.export.ome_zarr import write
    elif format == "hdf5":
        from fgnet.export.hdf5 import write
    else:
        from fgnet.export.tiff import write
    return write


def run_skeletons(input: Path, settings: str, workers: int, output: Path) -> None:
    """Draw the centre lines of a precomputed segmentation."""
    from fgnet.export import skeletons

    skeletons.run(input, output, settings, processors.threads(workers))


def run_state(parameters: str, output: Path) -> None:
    """Write what Neuroglancer is to show of a volume, and a page that links to it."""
    from fgnet.export import state

    state.run(parameters, output)


def run_serve(folder: Path, host: str, port: int) -> None:
    """Serve a folder of exports to Neuroglancer in the browser."""
    from fgnet.export import serve

    serve.run(folder, host, port)


parser = command.parser("export", __doc__ or "")
steps = command.steps(
    parser, layer=run_layer, skeletons=run_skeletons, state=run_state, serve=run_serve
)

one = steps["layer"]
one.add_argument(
    "--layer", required=True, choices=get_args(LayerName), help="what to write of the input"
)
one.add_argument("--input", required=True, type=Path, help="HDF5 file that holds the layer")
one.add_argument(
    "--box", default="{}", metavar="JSON", help="the part of a normalised volume, in voxels"
)
one.add_argument(
    "--threshold", nargs="?", type=Path, help="the threshold chosen, for a segmentation"
)
one.add_argument(
    "--settings", default="{}", metavar="JSON", help="the section export: mips, meshes, ..."
)
one.add_argument(
    "--output", required=True, type=Path, help="file or folder to write; its suffix is the format"
)

two = steps["skeletons"]
two.add_argument("--input", required=True, type=Path, help="precomputed folder of a segmentation")
two.add_argument("--settings", default="{}", metavar="JSON", help="section export.skeletons")
two.add_argument("--workers", type=int, default=1, help="processes")
two.add_argument("--output", required=True, type=Path, help="precomputed folder to write")

three = steps["state"]
three.add_argument("--parameters", required=True, help="volume, box, layers, address as JSON")
three.add_argument(
    "--output", required=True, type=Path, help="JSON file to write; a page beside it links to it"
)

four = steps["serve"]
four.add_argument(
    "--folder", type=Path, default=Path("results/export"), help="what to serve [results/export]"
)
four.add_argument(
    "--host", default="127.0.0.1", help="address to listen on [127.0.0.1: this machine alone]"
)
four.add_argument("--port", type=int, default=8090, help="to listen on; 0 takes a free one [8090]")

if __name__ == "__main__":
    sys.exit(command.main(parser, command.run_step))
