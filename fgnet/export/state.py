"""What Neuroglancer shows of a volume: its layers, where it looks, how it is laid out.

The layers of one volume are folders of :mod:`fgnet.export.precomputed` or
:mod:`fgnet.export.ome_zarr`. The keys are those of Neuroglancer's own JSON state.
"""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fgnet import ledger, volume
from fgnet.export import links, segments
from fgnet.settings.base import Box, Section
from fgnet.settings.export import SUFFIX, LayerName
from fgnet.whole import whole_or_nothing

# meshes that are loaded at once; the other segments stay in sight in the sections
SELECTED = 10
# pixels of a panel's shorter side in a browser window of common size
PANEL = 350
# the volume is seen from above one of its corners
OBLIQUE = [-0.86, 0.2, -0.18, 0.43]
SHADER = (
    "void main() {\n  emitRGB(vec3(toNormalized(getDataValue(0)), "
    "toNormalized(getDataValue(1)), toNormalized(getDataValue(2))));\n}\n"
)


class Shown(Section):
    """A layer to show: its name in the list, what it is, and its folder.

    ``path`` and ``skeletons`` (centre lines, if there are any) are relative to the folder that
    is served.
    """

    name: str
    layer: LayerName
    path: str
    skeletons: str | None = None


class Parameters(Section):
    """What a state is made of: the volume as a box of a normalised file, and its layers."""

    volume: str
    input: Path
    box: Box
    layers: list[Shown]
    address: str


def run(parameters: str, output: Path) -> None:
    """Write the state, and beside it a page with links that open it.

    Args:
        parameters: JSON of :class:`Parameters`.
        output: ``neuroglancer.json`` in the volume's folder in the folder that is served.
    """
    wanted = Parameters.from_json(parameters)
    with volume.opened(wanted.input) as file:
        raw = volume.dataset(file, volume.RAW)
        cut = wanted.box.slices(raw.shape, str(wanted.input))
        size, offset = volume.voxel_size(raw), volume.offset(raw)
    ledger.read([wanted.input, *layer_folders(wanted, output.parent.parent)])
    first = [start / nm + part.start for start, nm, part in zip(offset, size, cut, strict=True)]
    shape = [part.stop - part.start for part in cut]
    shown = state(wanted, output.parent.parent, size, first, shape)
    with whole_or_nothing(output) as partial:
        partial.write_text(json.dumps(shown, indent=1, ensure_ascii=False), encoding="utf-8")
    with whole_or_nothing(output.with_suffix(".html")) as partial:
        partial.write_text(links.page(wanted.address, [wanted.volume]), encoding="utf-8")


def layer_folders(wanted: Parameters, served: Path) -> list[Path]:
    """The folders of the layers and of their centre lines, in the folder that is served."""
    places = [place for one in wanted.layers for place in (one.path, one.skeletons) if place]
    return [served / place for place in places]


def state(
    wanted: Parameters, folder: Path, size: volume.Triple, first: list[float], shape: list[int]
) -> dict[str, Any]:
    """The state as plain values.

    Args:
        folder: the one that is served, in which the layers lie.
        size: of a voxel, nm along z, y, x.
        first, shape: of the volume, in voxels along z, y, x.
    """
    middle = [a + n / 2 for a, n in zip(first, shape, strict=True)]
    # Neuroglancer counts the size of a pixel and of the 3-D view in a voxel's shortest side
    extent = max(n * nm for n, nm in zip(shape, size, strict=True)) / min(size)
    layers = [layer(shown, wanted.address, folder, size) for shown in wanted.layers]
    segmented = [one for one, shown in zip(layers, wanted.layers, strict=True)
                 if shown.layer == "segmentation"]  # fmt: skip
    for one, shown in zip(layers, wanted.layers, strict=True):
        one["visible"] = shown.layer == "image" or one in segmented[:1]
    return {
        "title": wanted.volume,
        "dimensions": dimensions(size),
        "position": middle[::-1],
        "crossSectionScale": extent / PANEL,
        "projectionScale": extent * 1.7,
        "projectionOrientation": OBLIQUE,
        # they would hide surfaces behind them
        "showSlices": not any("segments" in one for one in layers),
        "layers": layers,
        "layout": "4panel",
    }


def dimensions(size: volume.Triple) -> dict[str, list[Any]]:
    """The voxel size (nm along z, y, x) in metres along x, y, z."""
    return {axis: [nm / 1e9, "m"] for axis, nm in zip("xyz", size[::-1], strict=True)}


def layer(shown: Shown, address: str, folder: Path, size: volume.Triple) -> dict[str, Any]:
    """One layer of the state."""
    precomputed = shown.path.endswith(SUFFIX["precomputed"])
    kind = "precomputed" if precomputed else "zarr3"
    source: Any = f"{kind}://{address}/{quote(shown.path)}"
    if shown.layer == "image":
        return {"type": "image", "source": source, "name": shown.name}
    if shown.layer == "affinities":
        if not precomputed:
            # c^ is an axis of colours; Neuroglancer takes OME-Zarr's c for a position
            source = {"url": source, "transform": {
                "outputDimensions": {"c^": [1, ""], **dict(reversed(dimensions(size).items()))}
            }}  # fmt: skip
        return {"type": "image", "source": source, "name": shown.name, "shader": SHADER}
    made: dict[str, Any] = {"type": "segmentation", "source": source, "name": shown.name,
                            "selectedAlpha": 0.4}  # fmt: skip
    if shown.skeletons:
        made["source"] = [source, f"precomputed://{address}/{quote(shown.skeletons)}"]
    if shown.skeletons or (folder / shown.path / segments.SURFACES).is_dir():
        # 3-D shows what is selected; sections show the rest too, so that nothing seems missing
        made["segments"] = segments.largest(folder / shown.path, SELECTED)
        made["notSelectedAlpha"] = 0.25
    return made
