"""What Zarr and N5 containers say of their arrays: scales, axes, voxel size, offset.

OME-Zarr 0.4 and 0.5 (ngff.openmicroscopy.org), N5 as Fiji, BigDataViewer and Paintera write it,
and the attributes `resolution` and `offset` that CREMI and funlib use.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fgnet.download.formats.units import NANOMETRES
from fgnet.errors import InputError
from fgnet.settings.sources import Source
from fgnet.volume import Triple

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Scale:
    """One array of a pyramid; voxel size and offset in nm along z, y, x."""

    name: str
    voxel_size: Triple | None
    offset: Triple | None


def scales_of(attributes: Json, child: Callable[[str], Any]) -> list[Scale]:
    """The scales of a group, finest first: OME-Zarr's, or N5's s0, s1, …; none where it has none.

    Args:
        child: describes the node of a name inside the group, None where there is none.
    """
    if about := ome(attributes):
        return ome_scales(about)
    found: list[Scale] = []
    base = attributes_in_nm(attributes, "xyz")
    while (node := child(f"s{len(found)}")) is not None and node.driver == "n5":
        own = attributes_in_nm(node.attributes, "xyz")
        size = own.get("resolution", base.get("resolution"))
        factors = node.attributes.get("downsamplingFactors", [1, 1, 1])[::-1]
        if size is not None:
            size = _nm(size, factors)
        found.append(Scale(f"s{len(found)}", size, own.get("offset", base.get("offset"))))
    return found


def ome(attributes: Json) -> Json | None:
    """The first multiscale image of OME-Zarr 0.5 or 0.4, or None."""
    held = (attributes.get("ome") or attributes).get("multiscales") or [None]
    found: Json | None = held[0]
    return found


def axes_of(attributes: Json) -> str | None:
    """The axes that OME-Zarr names, a letter each, or None."""
    about = ome(attributes)
    if about is None or not all(isinstance(axis, dict) for axis in about.get("axes", [None])):
        return None
    names = [str(axis["name"])[:1].lower() for axis in about["axes"]]
    return "".join(names) if {*"zyx"} <= {*names} else None


def ome_scales(about: Json) -> list[Scale]:
    """The scales of an OME-Zarr image.

    Its translations are those of voxel centres; the first voxel's place on the grid of the finest
    scale, which is what `offset` means here, is half a voxel of each beside it.
    """
    axes = about.get("axes", [])
    units = {
        str(axis["name"])[:1].lower(): NANOMETRES.get(str(axis.get("unit", "")).lower())
        for axis in axes
        if isinstance(axis, dict)
    }
    found: list[Scale] = []
    for one in about["datasets"]:
        scale, move = np.ones(len(axes)), np.zeros(len(axes))
        steps = [*one.get("coordinateTransformations", []),
                 *about.get("coordinateTransformations", [])]  # fmt: skip
        for step in steps:
            if step["type"] == "scale":
                scale, move = scale * step["scale"], move * step["scale"]
            elif step["type"] == "translation":
                move = move + step["translation"]
        if any(units.get(axis) is None for axis in "zyx") or not steps:
            found.append(Scale(one["path"], None, None))
            continue
        order = [list(units).index(axis) for axis in "zyx"]
        factors = [units[axis] for axis in "zyx"]
        size, place = _nm(scale[order], factors), _nm(move[order], factors)
        finest = found[0].voxel_size if found else size
        assert finest is not None
        offset = _nm([p - s / 2 + f / 2 for p, s, f in zip(place, size, finest, strict=True)])
        moved = any(step["type"] == "translation" for step in steps)
        found.append(Scale(one["path"], size, offset if moved else None))
    return found


def chosen(sizes: list[Triple | None], source: Source, wanted: Triple | None) -> int:
    """Which scale is read: the one asked for, or the one of this voxel size, or the finest."""
    if source.mip is None and wanted is not None and sizes[0] is not None:
        for mip, own in enumerate(sizes):
            if own is not None and np.allclose(own, wanted, rtol=0.01):
                return mip
        raise InputError(
            f"{source.path!r} has no scale of the image's voxel size {wanted} nm (z, y, x), only "
            f"{', '.join(map(str, sizes))}; choose another mip for the image"
        )
    mip = source.mip or 0
    if mip >= len(sizes):
        raise InputError(
            f"{source.path!r} has no scale {mip}, only 0 to {len(sizes) - 1}; choose a smaller mip"
        )
    return mip


def attributes_in_nm(attributes: Json, order: str) -> dict[str, Any]:
    """`resolution` and `offset` in nm along z, y, x, of the attributes that labs write.

    Args:
        order: of the axes in the attributes.
    """
    found: dict[str, Any] = {}
    units = attributes.get("units", attributes.get("unit", "nm"))
    for key, names in (
        ("resolution", ("resolution", "voxel_size", "pixelResolution")),
        ("offset", ("offset", "translate")),
    ):
        name = next((name for name in names if name in attributes), None)
        if name is None:
            continue
        value: Any = attributes[name]
        unit = units
        if isinstance(value, dict):
            value, unit = value.get("dimensions"), value.get("unit", "nm")
        each = [unit] * 3 if isinstance(unit, str) else list(unit)
        factors = [NANOMETRES.get(str(one).lower()) for one in each]
        if not isinstance(value, list) or len(value) != 3 or len(factors) != 3:
            raise InputError(f"the attribute {name!r} is {value!r}, needs three numbers; mend it")
        if all(factor is not None for factor in factors):
            turned = _nm(value, factors)
            found[key] = turned if order == "zyx" else turned[::-1]
    return found


def _nm(values: Any, factors: Any = (1, 1, 1)) -> Triple:
    z, y, x = (round(float(v) * float(f), 6) for v, f in zip(values, factors, strict=True))
    return z, y, x
