"""Image, labels and mask of a volume, brought to one box of one voxel size."""

from dataclasses import dataclass

import numpy as np

from fgnet.download.layers import Layer, Shape, Slices, part
from fgnet.download.resample import resampled
from fgnet.errors import InputError
from fgnet.settings.volumes import Crop
from fgnet.volume import Triple

Bounds = list[tuple[int, int]]


@dataclass(frozen=True)
class Assembled:
    """Layers of one shape that are read alike.

    Attributes:
        voxel_size: nm along z, y, x.
        offset: place of the first voxel in nm along z, y, x.
        source_voxel_size: of the image before it was resampled, nm.
        source_offset: nm, where the voxel begins that the source's viewers call 0, 0, 0.
    """

    image: Layer
    labels: Layer | None
    mask: Layer | None
    voxel_size: Triple
    offset: Triple
    source_voxel_size: Triple
    source_offset: Triple

    def layers(self) -> list[Layer]:
        """Those of the three that there are."""
        return [one for one in (self.image, self.labels, self.mask) if one is not None]


def assemble(
    image: Layer,
    labels: Layer | None,
    mask: Layer | None,
    given: Triple | None,
    crop: Crop,
    resample: Triple | None = None,
) -> Assembled:
    """The part of the image that the crop asks for and that labels and mask cover.

    Args:
        given: voxel size in nm of the config.
        resample: voxel size in nm to bring all layers to.

    Raises:
        InputError: voxel sizes disagree or none is known, layers do not fit together by their
            offsets, or the crop leaves them.
    """
    others = [one for one in (labels, mask) if one is not None]
    size = agreed_size([image, *others], given)
    origin = image.offset or (0.0, 0.0, 0.0)
    starts = [start_in(one, image, origin, size) for one in others]
    wanted = cropped(image, origin, size, crop)
    for one, start in zip(others, starts, strict=True):
        wanted = common(wanted, image, one, start, crop)
    z, y, x = (box.stop - box.start for box in wanted)
    shape = (z, y, x)
    cut = [part(image, _starts(wanted), shape)]
    for one, start in zip(others, starts, strict=True):
        z, y, x = (box.start - low for box, low in zip(wanted, start, strict=True))
        cut.append(part(one, (z, y, x), shape))
    offset = tuple(
        start + box.start * nm for start, box, nm in zip(origin, wanted, size, strict=True)
    )
    z, y, x = (low - first * nm for low, first, nm in zip(origin, image.first, size, strict=True))
    if resample is not None:
        cut = [resampled(one, size, resample, smooth=one is cut[0]) for one in cut]
    if cut[0].shape[0] < 2:
        raise InputError(f"{image.name}: 1 section is left, a volume needs at least 2")
    rest = iter(cut[1:])
    return Assembled(
        cut[0],
        None if labels is None else next(rest),
        None if mask is None else next(rest),
        resample or size,
        (offset[0], offset[1], offset[2]),
        size,
        (z, y, x),
    )


def agreed_size(layers: list[Layer], given: Triple | None) -> Triple:
    """The voxel size in nm that config and sources agree on within 1 %."""
    known = [("voxel_size in the config", given)] if given else []
    known += [(one.name, one.voxel_size) for one in layers if one.voxel_size is not None]
    if not known:
        raise InputError("the source records no voxel size; give voxel_size in nm (z, y, x)")
    for name, own in known:
        if not all(0 < nm < np.inf for nm in own):
            raise InputError(
                f"{name} records the voxel size {_words(own)}; lengths are above 0: correct it"
            )
    name, size = known[0]
    for other, own in known[1:]:
        if not np.allclose(own, size, rtol=0.01):
            raise InputError(
                f"voxel sizes differ: {_words(size)} by {name}, {_words(own)} by {other}; "
                "correct the one or the other"
            )
    return known[min(1, len(known) - 1)][1] if given else size


def start_in(layer: Layer, image: Layer, origin: Triple, size: Triple) -> Shape:
    """Voxel of the image at which a layer begins, from their offsets."""
    if layer.offset is None:
        if layer.shape != image.shape:
            raise InputError(
                f"{layer.name} has the shape {layer.shape}, {image.name} has {image.shape}; they "
                "must agree, or give the `offset` in nm at which it lies in the image"
            )
        return 0, 0, 0
    steps = [(own - low) / nm for own, low, nm in zip(layer.offset, origin, size, strict=True)]
    z, y, x = (round(step) for step in steps)
    if any(abs(step - round(step)) > 0.05 for step in steps):
        raise InputError(
            f"{layer.name} begins at voxel {tuple(round(step, 2) for step in steps)} of "
            f"{image.name} by their offsets, which is between two voxels; correct `offset` (nm)"
        )
    return z, y, x


def cropped(image: Layer, origin: Triple, size: Triple, crop: Crop) -> Slices:
    """The crop as slices of the image."""
    if crop.unit == "voxels":
        return crop.slices(image.shape, f"{image.name}: crop", image.first)
    voxels = {
        axis: tuple(round((nm - low) / step) for nm in wanted)
        for axis, low, step in zip("zyx", origin, size, strict=True)
        if (wanted := getattr(crop, axis)) is not None
    }
    return Crop.checked(voxels).slices(image.shape, f"{image.name}: crop, in voxels,")


def common(wanted: Slices, image: Layer, layer: Layer, start: Shape, crop: Crop) -> Slices:
    """The wanted box where a layer covers it.

    A layer may be smaller than the image or larger; where the two only overlap, the crop has to
    say which part is meant, as offsets in a wrong unit look just like that.
    """
    ends = [low + length for low, length in zip(start, layer.shape, strict=True)]
    inside = all(low >= 0 for low in start) and all(
        end <= length for end, length in zip(ends, image.shape, strict=True)
    )
    asked = any(axis is not None for axis in (crop.z, crop.y, crop.x))
    found = [
        slice(max(cut.start, low), min(cut.stop, end))
        for cut, low, end in zip(wanted, start, ends, strict=True)
    ]
    covered = found == list(wanted)
    if not (covered or (inside and not asked)):
        raise InputError(
            f"{layer.name} covers z, y, x {_bounds(start, ends)} of {image.name}, whose part "
            f"{_bounds(_starts(wanted), [cut.stop for cut in wanted])} is asked for; "
            + ("move the crop" if asked else "correct `offset` (nm), or give a crop inside both")
        )
    return found[0], found[1], found[2]


def _starts(box: Slices) -> Shape:
    return box[0].start, box[1].start, box[2].start


def _bounds(starts: Shape, stops: list[int]) -> str:
    return ", ".join(f"{low} to {high}" for low, high in zip(starts, stops, strict=True))


def _words(size: Triple) -> str:
    return " x ".join(f"{nm:g}" for nm in size) + " nm"
