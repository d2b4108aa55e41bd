"""A segmentation side by side with what it came from, in xy and in xz."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
from PIL import Image

from fgnet import affinities, scores, segmentation, volume
from fgnet.report import colours, html

Array = npt.NDArray[Any]
Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class View:
    """One section through a segmentation's box.

    Attributes:
        name: "xy" or "xz".
        box: in voxels of the segmentation, one voxel thick along the axis that is cut.
        axis: that axis.
        width, height: in nm.
    """

    name: str
    box: Box
    axis: int
    width: float
    height: float

    def read(self, data: h5py.Dataset, region: Box | None = None) -> Array:
        """The section of a dataset in which the segmentation lies at ``region``."""
        box = self.box
        if region is not None:
            box = tuple(  # type: ignore[assignment]
                slice(cut.start + whole.start, cut.stop + whole.start)
                for cut, whole in zip(self.box, region, strict=True)
            )
        section: Array = np.take(data[(..., *box)], 0, axis=data.ndim - 3 + self.axis)
        return section


def views(shape: tuple[int, ...], voxel_size: volume.Triple, longest: int) -> list[View]:
    """The xy and the xz section through the middle, no side longer than so many voxels."""
    middle = [size // 2 for size in shape]
    cut = [
        slice(max(0, centre - longest // 2), min(size, max(0, centre - longest // 2) + longest))
        for centre, size in zip(middle, shape, strict=True)
    ]
    z, y, x = ((part.stop - part.start) * nm for part, nm in zip(cut, voxel_size, strict=True))
    section, row = slice(middle[0], middle[0] + 1), slice(middle[1], middle[1] + 1)
    return [
        View("xy", (section, cut[1], cut[2]), 0, x, y),
        View("xz", (cut[0], row, cut[2]), 1, x, z),
    ]


def show(
    volume_file: Path,
    affinities_file: Path,
    segmentation_file: Path,
    threshold: float,
    longest: int,
    across: bool = True,
) -> html.Html:
    """Raw, affinities, fragments, segmentation and ground truth, as far as the files hold them.

    Args:
        volume_file: raw and perhaps labels.
        affinities_file: predicted affinities, perhaps the coarse ones too.
        segmentation_file: see :mod:`fgnet.segmentation`; may be a box of the volume.
        threshold: at which the segmentation is shown.
        longest: side of the pictures in voxels.
        across: whether to show xz below xy.
    """
    with (
        volume.opened(volume_file) as source,
        volume.opened(affinities_file) as predicted,
        volume.opened(segmentation_file) as segmented,
    ):
        fragments = volume.dataset(segmented, volume.FRAGMENTS, kind="u")
        voxel_size = volume.voxel_size(fragments)
        planes = views(fragments.shape, voxel_size, longest)[: 1 + across]
        grey = _sections(volume.dataset(source, volume.RAW), fragments, planes)
        known = segmentation.fragments(segmented)
        pieces = [segmentation.numbered(plane.read(fragments), known) for plane in planes]
        panels: dict[str, list[Array]] = {"Raw": grey}
        for title, name in (
            ("Affinities", volume.AFFINITIES),
            ("Coarse affinities", volume.COARSE_AFFINITIES),
        ):
            if name in predicted:
                data = volume.dataset(predicted, name, "czyx")
                shown = affinities.nearest_channels(data.attrs["offsets"])
                maps = _sections(data, fragments, planes)
                panels[title] = [np.moveaxis(_bytes(part[shown]), 0, -1) for part in maps]
        parts = colours.assign(pieces)
        panels["Fragments"] = _painted(pieces, parts, grey, 1.0)
        table = segmentation.table(segmented, threshold)
        segments = [table[piece] for piece in pieces]
        wanted: dict[int, int] = {}
        truth: dict[str, list[Array]] = {}
        if volume.LABELS in source:
            neurons = _sections(volume.dataset(source, volume.LABELS), fragments, planes)
            owners = colours.assign(neurons)
            wanted = colours.wishes(segments, neurons, owners)
            truth["Ground truth"] = _painted(neurons, owners, grey, 0.62)
        names = colours.assign(segments, wanted)
        panels["Segmentation"] = _painted(segments, names, grey, 0.62)
        panels |= truth
    titles = {"xy": "A section, xy", "xz": "Across the sections, xz"}
    rows = [(titles[plane.name], _row(place, plane, panels)) for place, plane in enumerate(planes)]
    if not across:
        return rows[0][1]
    return html.join(part for title, row in rows for part in (html.tag("h2", title), row))


def _row(place: int, plane: View, panels: dict[str, list[Array]]) -> html.Html:
    length, share = scale_bar(plane.width)
    bar = f'<span class="scale" style="width: {share:.2%}">{length}</span>'
    figures = [
        html.figure(
            html.image(*encode(pictures[place]), f"{title}, {plane.name}",
                       plane.width / plane.height),
            title,
            bar if title == "Raw" else "",
        )
        for title, pictures in panels.items()
    ]  # fmt: skip
    return html.grid(figures, "20rem", "voxels")


def encode(picture: Array) -> tuple[bytes, str]:
    """A picture as PNG when it has few colours, else as JPEG, which is several times smaller."""
    image = Image.fromarray(picture)
    stream = io.BytesIO()
    if image.getcolors(256) is not None and picture.ndim == 3:
        image.convert("P", palette=Image.Palette.ADAPTIVE).save(stream, "PNG", optimize=True)
        return stream.getvalue(), "png"
    image.save(stream, "JPEG", quality=90, subsampling=0)
    return stream.getvalue(), "jpeg"


def scale_bar(width: float) -> tuple[str, float]:
    """A round length near a fifth of the width (nm), in words and as share of the width."""
    power = 10.0 ** np.floor(np.log10(width / 5))
    length = float(max(factor * power for factor in (1, 2, 5) if factor * power <= width / 5))
    words = f"{length / 1000:g} µm" if length >= 1000 else f"{length:g} nm"
    return words, length / width


def _sections(data: h5py.Dataset, part: h5py.Dataset, planes: list[View]) -> list[Array]:
    region = volume.region(data, part)
    return [plane.read(data, region) for plane in planes]


def _bytes(values: Array) -> Array:
    """Affinities as uint8, whether stored so or as floats from 0 to 1."""
    if values.dtype == np.uint8:
        return values
    scaled: Array = (values.astype(np.float32) * 255).clip(0, 255).astype(np.uint8)
    return scaled


def _painted(
    labels: list[Array], names: dict[int, int], grey: list[Array], opacity: float
) -> list[Array]:
    return [colours.paint(one, names, two, opacity) for one, two in zip(labels, grey, strict=True)]


def chosen(threshold_file: Path) -> float:
    """The threshold that the evaluate stage chose."""
    return scores.read(threshold_file, scores.Choice).threshold
