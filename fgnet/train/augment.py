"""Random changes of the grey values of a training crop, as cameras and sections make them."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from fgnet.settings.train import Augment

Image = npt.NDArray[np.float32]
DARK = 0.15  # contrast and brightness left to a dark section
STRONGEST_BLUR = 3.0  # standard deviation in voxels


def augment(raw: Image, settings: Augment, random: np.random.Generator) -> Image:
    """Change the grey values of a crop (z, y, x) in [0, 1] at random; labels are not touched.

    First what the microscope does to the volume, then to single sections, then what is lost.
    Returns (z, y, x) float32, which may leave [0, 1] a little.
    """
    per_section = (len(raw), 1, 1)
    gamma = 2 ** random.uniform(-settings.gamma, settings.gamma)
    contrast = 1 + spread(settings.contrast, (1, 1, 1), random)
    contrast = contrast * (1 + spread(settings.section_contrast, per_section, random))
    shift = spread(settings.brightness, (1, 1, 1), random)
    shift = shift + spread(settings.section_brightness, per_section, random)
    raw = ((np.clip(raw, 0, 1) ** gamma - 0.5) * contrast + 0.5 + shift).astype(np.float32)
    for z in chosen(settings.blur, len(raw), random):
        raw[z] = ndimage.gaussian_filter(raw[z], random.uniform(0.5, STRONGEST_BLUR))
    raw = raw + random.uniform(0, settings.noise) * random.standard_normal(raw.shape, np.float32)
    if random.random() < settings.cut_noise:
        box = part(raw.shape, random)
        raw[box] += random.uniform(0.1, 0.4) * random.standard_normal(raw[box].shape, np.float32)
    for z in chosen(settings.dark, len(raw), random):
        raw[z] *= DARK
    for z in chosen(settings.missing, len(raw), random):
        raw[z] = 0
    return raw.astype(np.float32)


def spread(
    reach: float, shape: tuple[int, ...], random: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Uniform random numbers in [-reach, reach]."""
    return random.uniform(-reach, reach, shape)


def chosen(share: float, count: int, random: np.random.Generator) -> npt.NDArray[np.intp]:
    """A random share of ``count`` sections."""
    return np.flatnonzero(random.random(count) < share)


def part(shape: tuple[int, ...], random: np.random.Generator) -> tuple[slice, ...]:
    """A random box of a quarter to half the size along each axis."""
    box = []
    for size in shape:
        length = max(1, int(random.uniform(0.25, 0.5) * size))
        start = int(random.integers(0, size - length + 1))
        box.append(slice(start, start + length))
    return tuple(box)
