"""Generated 2-D images with exact masks: what endoscopes and scanners show, in rough.

Tissue is smooth, reddish and vignetted, with veins and bright reflections; an object is a rounded
bump, of the colour of its class, lit from one side. Colour alone does not tell an object: tissue
has blotches of the same colour.
"""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from fgnet.imageset import Picture, Pixels
from fgnet.settings.images import ImagePhantom

Plane = npt.NDArray[np.float64]
TISSUE = np.array([0.62, 0.36, 0.30])


def pictures(settings: ImagePhantom, classes: int) -> list[Picture]:
    """The images of a set, every one with a size and objects of its own."""
    return [picture(settings, classes, number) for number in range(settings.count)]


def picture(settings: ImagePhantom, classes: int, number: int) -> Picture:
    """Image number ``number``: (y, x, 3) uint8, and labels 1 to ``classes``."""
    random = np.random.default_rng((settings.seed, number))
    shape = tuple(round(n * random.uniform(0.8, 1.2)) for n in settings.size)
    y, x = np.indices(shape)
    away = np.hypot((y / shape[0] - 0.5), (x / shape[1] - 0.5))
    light = 1.1 - 0.9 * away**2
    image = TISSUE * (light + 0.25 * smooth(shape, min(shape) / 6, random))[..., None]
    veins = np.abs(smooth(shape, min(shape) / 12, random)) < 0.05
    image[ndimage.binary_opening(veins)] *= 0.8
    labels = np.zeros(shape, np.uint8)
    for label in range(1, classes + 1):
        for _ in range(1 + int(random.random() < 0.3)):
            inside, height = bump(shape, random)
            inside &= labels == 0
            colour = shade(label, classes) * settings.contrast
            image[inside] += (colour + 0.35 * height[inside, None] - 0.1)[..., :]
            labels[inside] = label
    blotch = ndimage.gaussian_filter((smooth(shape, 8, random) > 1.6).astype(float), 2)
    image += blotch[..., None] * shade(1, classes) * settings.contrast * 0.5
    image[smooth(shape, 2, random) > 3.2] = 0.95
    image += settings.noise * random.standard_normal((*shape, 3))
    raw: Pixels = np.clip(image * 255, 0, 255).astype(np.uint8)
    return Picture(f"image_{number:03d}", raw, labels)


def smooth(shape: tuple[int, ...], sigma: float, random: np.random.Generator) -> Plane:
    """Smooth noise of unit variance."""
    noise = ndimage.gaussian_filter(random.standard_normal(shape), sigma, mode="wrap")
    result: Plane = noise / noise.std()
    return result


def bump(
    shape: tuple[int, ...], random: np.random.Generator
) -> tuple[npt.NDArray[np.bool_], Plane]:
    """A rounded object: where it is, and how it is lit there, -1 to 1."""
    y, x = np.indices(shape)
    centre = [n * random.uniform(0.25, 0.75) for n in shape]
    radius = min(shape) * random.uniform(0.12, 0.28)
    turn, stretch = random.uniform(0, np.pi), random.uniform(0.7, 1.4)
    dy, dx = y - centre[0], x - centre[1]
    u = (dy * np.cos(turn) + dx * np.sin(turn)) * stretch
    v = (dx * np.cos(turn) - dy * np.sin(turn)) / stretch
    edge = 1 + 0.12 * smooth(shape, radius / 2, random)
    inside = np.hypot(u, v) < radius * edge
    lit = (dy * np.cos(1.0) + dx * np.sin(1.0)) / radius
    return inside, np.clip(-lit, -1, 1)


def shade(label: int, classes: int) -> npt.NDArray[np.float64]:
    """The colour of a class, as a difference from tissue."""
    angle = 2 * np.pi * (label - 1) / max(classes, 1)
    return np.array([0.6, 0.4, 0.2]) + 0.8 * np.cos(angle + np.array([0, 2.1, 4.2]))
