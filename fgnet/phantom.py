"""A generated volume that looks like electron microscopy, with exact labels.

The image is drawn from the partition of :mod:`fgnet.neurites`: sections of finite thickness,
dark membranes with faint spots, mitochondria, vesicles, shot noise, and a contrast that
changes from section to section.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.special import ndtri

from fgnet.neurites import (
    STEP,
    Curves,
    Floats,
    Ids,
    Noise,
    Points,
    Weighted,
    absorb_small,
    grow_neurites,
    heights,
    partition,
    plane_points,
    thin_slices,
)
from fgnet.progress import track
from fgnet.settings.phantom import Phantom
from fgnet.silence import doing

# grey levels before jitter and noise
CYTOPLASM, MEMBRANE, MATRIX, CRISTA, LUMEN = 168.0, 70.0, 104.0, 74.0, 190.0
VESICLE = 40.0  # outer diameter in nm
SECTIONS_AT_ONCE = 8
UNSEEN = -13.0  # nm: a mitochondrion's membrane, 9 deep, and half of its soft edge end here
BLOCK = 4  # voxels between the places that are looked up first


def phantom(settings: Phantom) -> tuple[npt.NDArray[np.uint8], Ids]:
    """Draw the volume; the same settings give the same volume.

    Returns:
        raw (z, y, x) uint8, and labels (z, y, x) uint32: every voxel belongs to a neurite
        1..n and every neurite is one 6-connected component.
    """
    growth, warp, paint, camera = (
        np.random.default_rng([settings.seed, part]) for part in range(4)
    )
    with doing("grow neurites"):
        curves = grow_neurites(settings, growth)
    ids = partition(settings, curves, warp)
    with doing("give small pieces to their neighbours", aloud=False):
        labels = absorb_small(ids, settings)
        painter = _Painter(settings, curves, ids, paint)
    raw = np.empty(settings.shape, np.uint8)
    sections = track(painter.sections(), "draw sections", settings.shape[0])
    for z, section in enumerate(sections):
        raw[z] = _photograph(section, settings, camera)
    return raw, labels


def _photograph(
    section: Floats, settings: Phantom, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """One section as the microscope records it: contrast, blur, counted electrons."""
    jitter = settings.section_jitter
    contrast = 1 + np.clip(rng.normal(0, jitter), -2 * jitter, 2 * jitter)
    brightness = 100 * np.clip(rng.normal(0, jitter), -2 * jitter, 2 * jitter)
    image = (section - 130) * contrast + 130 + brightness
    image = ndimage.gaussian_filter(image, 0.7)
    if settings.noise:
        electrons = CYTOPLASM / settings.noise**2  # counted per grey level
        image = rng.poisson(np.maximum(image, 1) * electrons) / electrons
    return np.asarray(np.clip(np.rint(image), 0, 255), np.uint8)


class _Painter:
    """Draws what the electrons meet: sections (y, x) in grey levels, without noise."""

    def __init__(
        self, settings: Phantom, curves: Curves, ids: Ids, rng: np.random.Generator
    ) -> None:
        self.settings, self.ids, self.rng = settings, ids, rng
        self.thin = thin_slices(settings)
        self.heights = heights(settings)
        self.flat = plane_points(settings)
        self.thin_size = (settings.voxel_size[0] / self.thin, *settings.voxel_size[1:])
        self.shade = np.clip(rng.normal(0, 18, len(curves) + 1), -36, 30).astype(np.float32)
        self.fading = Noise(settings, (110, 70, 70), rng)
        self.grain = [Noise(settings, (n, n, n), rng) for n in (22, 60)]
        self.bulge = Noise(settings, (120, 90, 90), rng)
        self.ripple = [Noise(settings, (160, 120, 120), rng) for _ in range(2)]
        self.mitochondria, self.hosts = _mitochondria(settings, curves, rng)
        self.hosting = np.isin(np.arange(len(curves) + 1), self.hosts)
        self.vesicles = _vesicles(settings, curves, rng)

    def sections(self) -> Iterator[Floats]:
        """The sections from the first to the last."""
        depth = self.settings.shape[0]
        for first in range(0, depth, SECTIONS_AT_ONCE):
            last = min(first + SECTIONS_AT_ONCE, depth)
            low, high = max(first - 2, 0) * self.thin, min(last + 2, depth) * self.thin
            distance = _to_interface(self.ids[low:high], self.thin_size)
            for z in range(first, last):
                slices = range(z * self.thin, (z + 1) * self.thin)
                drawn = [self._slice(index, distance[index - low]) for index in slices]
                yield np.mean(drawn, axis=0, dtype=np.float32)

    def _slice(self, index: int, distance: Floats) -> Floats:
        """One thin slice; ``distance`` (y, x) to the interface between neurites, in nm."""
        z, shape, ids = self.heights[index], self.settings.shape[1:], self.ids[index]
        texture = 7 * self.grain[0].plane(z) + 6 * self.grain[1].plane(z)
        image = CYTOPLASM + self.shade[ids] + texture
        depth = self._in_mitochondrion(z, ids, distance)
        inside = _edge(depth)
        folds = np.sin(0.13 * self._ripple(z)) > 0.2
        image += inside * (np.where(folds, CRISTA, MATRIX) + texture - image)
        image += 0.9 * _edge(9 - np.abs(depth)) * (MEMBRANE - image)
        rim, lumen = self._in_vesicle(z, shape)
        clear = _edge(distance - 0.5 * self.settings.membrane_width) * (1 - inside)
        image += clear * (0.85 * rim * (MEMBRANE - image) + 0.8 * lumen * (LUMEN - image))
        membrane = _edge(self.settings.membrane_width / 2 - distance)
        # a faint spot is where the noise is above its quantile
        over = self.fading.plane(z) - ndtri(1 - self.settings.faint)
        strength = 1 - 0.8 / (1 + np.exp(-8 * over))
        image += membrane * strength * (MEMBRANE - image)
        return np.asarray(image, np.float32)

    def _ripple(self, z: float) -> Floats:
        """A bent coordinate in nm along which cristae repeat."""
        one, two = (noise.plane(z) for noise in self.ripple)
        place = self.flat[:, 1].reshape(one.shape) + 0.6 * self.flat[:, 2].reshape(one.shape)
        return np.asarray(place + 45 * one + 0.3 * z * two, np.float32)

    def _in_mitochondrion(self, z: float, ids: Ids, distance: Floats) -> Floats:
        """Depth (y, x) in nm under a mitochondrion's surface, negative outside."""
        outside = np.full(ids.shape, -100.0, np.float32)
        if self.mitochondria is None:
            return outside
        steep, bulge = 2 * 0.75 * self.mitochondria.largest, 8 * self.bulge.plane(z)
        # the search is slow: only in hosts, and where the least power leaves something to draw
        least = self._least_power(z)
        among = self.hosting[ids] & (bulge - least / steep > UNSEEN)
        power = np.full(ids.shape, np.inf)
        index = np.full(ids.shape, len(self.hosts))
        places = self.flat[among.ravel()] + np.array((z, 0, 0))
        power[among], index[among] = self.mitochondria.nearest(places, within=100.0**2)
        host = np.append(self.hosts, 0)[index] == ids
        depth = -power / steep + bulge
        free = distance - self.settings.membrane_width / 2 - 8
        return np.where(host, np.minimum(depth, free), outside).astype(np.float32)

    def _least_power(self, z: float) -> Points:
        """A lower bound (y, x) of the power distance to every mitochondrion, in nm².

        The distance in four axes (:class:`Weighted`) changes by no more than the step from place
        to place. So the distance of a block's centre bounds the distances of its voxels.
        """
        assert self.mitochondria is not None
        size, shape = np.array(self.settings.voxel_size[1:]), self.settings.shape[1:]
        blocks = np.indices([-(-length // BLOCK) for length in shape])
        y, x = (blocks.reshape(2, -1) + 0.5) * BLOCK * size[:, None]
        power, _ = self.mitochondria.nearest(np.stack([np.full(len(y), z), y, x], 1))
        largest, step = self.mitochondria.largest, np.linalg.norm((BLOCK - 1) / 2 * size)
        distance = np.maximum(np.sqrt(np.maximum(power + largest**2, 0)) - step, 0)
        least: Points = (distance**2 - largest**2).reshape(blocks.shape[1:])
        return least.repeat(BLOCK, 0).repeat(BLOCK, 1)[: shape[0], : shape[1]]

    def _in_vesicle(self, z: float, shape: tuple[int, int]) -> tuple[Floats, Floats]:
        """Rim and lumen (y, x), 0 to 1, of the vesicles that this height cuts."""
        rim, lumen = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        radius = VESICLE / 2
        near = self.vesicles[np.abs(self.vesicles[:, 0] - z) < radius + 4]
        _, y, x = self.settings.voxel_size
        reach = int(np.ceil((radius + 8) / min(y, x)))
        rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, 1, -1)
        row = np.floor(near[:, 1:2] / y).astype(int) + rows
        column = np.floor(near[:, 2:3] / x).astype(int) + columns
        away = np.sqrt(
            (near[:, :1] - z) ** 2
            + ((row + 0.5) * y - near[:, 1:2]) ** 2
            + ((column + 0.5) * x - near[:, 2:3]) ** 2
        )
        seen = (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])
        where = row[seen], column[seen]
        np.maximum.at(rim, where, _edge(6 - np.abs(away[seen] - radius + 8)))
        np.maximum.at(lumen, where, _edge(radius - 14 - away[seen]))
        return rim, lumen


def _edge(depth: npt.NDArray[np.floating]) -> Floats:
    """A soft step over some nm: 0 well below 0, 1 well above."""
    return np.asarray(np.clip(0.5 + depth / 8, 0, 1), np.float32)


def _to_interface(ids: Ids, size: tuple[float, float, float]) -> Floats:
    """Distance in nm of every voxel's centre to the interface between two neurites."""
    inner = np.ones(ids.shape, np.bool_)
    for axis in range(3):
        lines, kept = np.moveaxis(ids, axis, 0), np.moveaxis(inner, axis, 0)
        same = lines[:-1] == lines[1:]
        kept[:-1] &= same
        kept[1:] &= same
    if inner.all():
        return np.full(ids.shape, 1e3, np.float32)
    nearest = ndimage.distance_transform_edt(
        inner, sampling=size, return_distances=False, return_indices=True
    )
    # from indices slice by slice: scipy's own distances take twice as long as the search, and
    # hundreds of bytes a voxel
    y, x = (np.arange(length) for length in ids.shape[1:])
    distance = np.empty(ids.shape, np.float32)
    for z, (at_z, at_y, at_x) in enumerate(nearest.swapaxes(0, 1)):
        along = (at_z - z) * size[0], (at_y - y[:, None]) * size[1], (at_x - x) * size[2]
        distance[z] = np.sqrt(along[0] ** 2 + along[1] ** 2 + along[2] ** 2) + min(size) / 2
    return distance


def _mitochondria(
    settings: Phantom, curves: Curves, rng: np.random.Generator
) -> tuple[Weighted | None, Ids]:
    """Mitochondria as chains of balls along wide neurites, and the neurite of each ball."""
    step = STEP * settings.calibre
    balls, hosts = [], []
    for neurite, (points, radii) in enumerate(curves, 1):
        wide = radii > 0.33 * settings.calibre
        begins = wide & (rng.random(len(points)) < settings.mitochondria * step / 1000)
        for start in np.flatnonzero(begins):
            count = int(rng.uniform(2, 5) * settings.calibre / step)
            chain = points[start : start + count]
            taper = np.sin(np.linspace(0.5, np.pi - 0.5, len(chain)))
            balls.append(np.column_stack([chain, 0.66 * radii[start : start + count] * taper]))
            hosts += [neurite] * len(chain)
    if not balls:
        return None, np.zeros(0, np.uint32)
    every = np.concatenate(balls)
    return Weighted(every[:, :3], every[:, 3]), np.array(hosts, np.uint32)


def _vesicles(settings: Phantom, curves: Curves, rng: np.random.Generator) -> Points:
    """Centres (n, 3) in nm of vesicles, in clusters inside neurites."""
    extent = np.multiply(settings.shape, settings.voxel_size)
    count = rng.poisson(settings.vesicles * np.prod(extent) / 1e9)
    points = np.concatenate([points for points, _ in curves])
    radii = np.concatenate([radii for _, radii in curves])
    seats = rng.choice(len(points), max(1, count // 25))
    seat = rng.choice(seats, count)
    spread = 0.6 * np.minimum(radii[seat], settings.calibre / 2)[:, None]
    return np.asarray(points[seat] + spread * rng.normal(size=(count, 3)))
