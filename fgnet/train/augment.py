"""Random changes of a training crop. Geometry moves image and labels alike."""

import numpy as np
import numpy.typing as npt

from fgnet.settings.train import Augment

Image = npt.NDArray[np.float32]
Labels = npt.NDArray[np.integer]


def augment(
    raw: Image, labels: Labels, settings: Augment, random: np.random.Generator
) -> tuple[Image, Labels]:
    """Change a crop at random; its axes were moved before (:func:`move_axes`).

    Args:
        raw: (z, y, x) in [0, 1].
        labels: (z, y, x).

    Returns:
        raw and labels of the same shape; raw may leave [0, 1] a little. Affinities are to be
        made from the labels afterwards.
    """
    if settings.flip:
        mirrored = tuple(axis for axis in range(3) if random.random() < 0.5)
        raw, labels = np.flip(raw, mirrored), np.flip(labels, mirrored)
    contrast = random.uniform(1 - settings.contrast, 1 + settings.contrast)
    shift = random.uniform(-settings.brightness, settings.brightness)
    jitter = random.uniform(-settings.section_jitter, settings.section_jitter, (len(raw), 1, 1))
    noise = random.uniform(0, settings.noise)
    changed = (raw - 0.5) * contrast + 0.5 + shift + jitter
    changed = changed + noise * random.standard_normal(raw.shape, np.float32)
    return changed.astype(np.float32), np.ascontiguousarray(labels)


def move_axes(settings: Augment, random: np.random.Generator) -> tuple[int, int, int]:
    """A random order of the axes among those that the settings allow to swap.

    Drawn before the crop is cut, so that a crop of any shape can be taken along any axes.
    """
    if settings.transpose == "all":
        z, y, x = random.permutation(3)
        return int(z), int(y), int(x)
    if settings.transpose == "in_plane" and random.random() < 0.5:
        return 0, 2, 1
    return 0, 1, 2
