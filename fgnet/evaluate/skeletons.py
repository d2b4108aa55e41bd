"""The skeletons along which a volume's run length is measured: those given, or centre lines."""

from pathlib import Path

from fgnet import skeletons, volume
from fgnet.errors import InputError
from fgnet.evaluate.centrelines import derive
from fgnet.settings.base import Box
from fgnet.settings.evaluate import RunLength


def run(labels: Path, output: Path, settings: str, box: str = "{}") -> None:
    """Write the skeletons of a volume, in the form of :mod:`fgnet.skeletons`.

    Args:
        labels: normalised or downloaded file with skeletons, or with labels to derive them from.
        output: HDF5 file to write.
        settings: JSON of :class:`fgnet.settings.evaluate.RunLength`.
        box: JSON of :class:`fgnet.settings.base.Box`, the part of the volume that is scored.

    Raises:
        InputError: the volume has neither skeletons nor labels, or the box leaves it.
    """
    wanted = RunLength.from_json(settings)
    with volume.opened(labels) as file:
        raw = volume.dataset(file, volume.RAW)
        region = Box.from_json(box).slices(raw.shape, labels.name)
        size, offset = volume.voxel_size(raw), volume.offset(raw)
        if skeletons.GROUP in file:
            low = [o + cut.start * nm for o, cut, nm in zip(offset, region, size, strict=True)]
            shape = [cut.stop - cut.start for cut in region]
            found = skeletons.within(skeletons.read(file), size, low, shape)
        elif volume.LABELS in file:
            known = volume.dataset(file, volume.LABELS, kind="u")
            found = derive(known, region, size, offset, wanted, file.get(volume.MASK))
        else:
            raise InputError(
                f"{str(labels)!r} has neither skeletons nor labels, so no run length can be "
                "measured; give this volume one of them or the split 'predict'"
            )
    with volume.create(output, "evaluate", wanted.model_dump(mode="json"), [labels]) as file:
        skeletons.write(file, found)
