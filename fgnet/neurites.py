"""Generated neurites: curves that fill space, and the partition of voxels among them.

Neurites are branching random walks that avoid each other until no room is left; every voxel
goes to the neurite whose curve is nearest, weighted by its radius (a power diagram), after a
smooth warp. All lengths are in nm, so anisotropic voxels cut the same neurites.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.measure import label

from fgnet.progress import track
from fgnet.settings.phantom import Phantom

Floats = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]
Ids = npt.NDArray[np.uint32]
Indices = npt.NDArray[np.intp]
Curves = list[tuple[Points, Points]]

STEP = 0.15  # of the calibre, from point to point of a curve
STRIDE = 3  # voxels between the corners that are looked up first
LEAF = 40  # balls that a search looks at one by one: fastest of 4 to 192 for thousands of balls


@dataclass
class Room:
    """How far each place is from the neurites so far: a coarse grid around the volume, in nm."""

    extent: Points
    cell: float
    margin: float
    reach: float
    grid: Floats = field(init=False)

    def __post_init__(self) -> None:
        """Everything is free at first."""
        shape = np.ceil((self.extent + 2 * self.margin) / self.cell).astype(int)
        self.grid = np.full(shape, self.reach, np.float32)

    def index(self, points: Points) -> Indices:
        """The cells of points in nm."""
        return np.floor((points + self.margin) / self.cell).astype(np.intp)

    def clearance(self, points: Points) -> Points:
        """Distance from points (n, 3) to the nearest neurite's surface, -1 outside the grid."""
        index = self.index(points)
        inside = ((index >= 0) & (index < self.grid.shape)).all(1)
        found = np.full(len(points), -1.0)
        found[inside] = self.grid[tuple(index[inside].T)]
        return found

    def occupy(self, point: Points, radius: float) -> None:
        """Take the ball at ``point`` out of the free room."""
        low = np.maximum(self.index(point - self.reach - radius), 0)
        high = np.minimum(self.index(point + self.reach + radius) + 1, self.grid.shape)
        axes = [
            ((np.arange(a, b) + 0.5) * self.cell - self.margin - centre) ** 2
            for a, b, centre in zip(low, high, point, strict=True)
        ]
        distance = np.sqrt(axes[0][:, None, None] + axes[1][:, None] + axes[2]) - radius
        window = self.grid[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
        np.minimum(window, distance, out=window)


def grow_neurites(settings: Phantom, rng: np.random.Generator) -> Curves:
    """Neurites as curves: for each, points (n, 3) in nm z, y, x and the radius at each."""
    extent = np.multiply(settings.shape, settings.voxel_size).astype(float)
    typical = settings.calibre / 2
    room = Room(extent, 0.12 * settings.calibre, 0.6 * settings.calibre, 2.0 * typical)
    curves: Curves = []
    wanted = 1.0
    while wanted > 0.5:
        radius = typical * float(np.clip(wanted * rng.lognormal(0, 0.25), 0.6, 1.6))
        free = np.argwhere(room.grid > 0.9 * radius)
        if len(free) == 0:
            wanted *= 0.9
            continue
        start = (rng.choice(free) + 0.5) * room.cell - room.margin
        heading = _unit(rng.normal(size=3))
        walks = [_walk(room, start, sign * heading, radius, rng) for sign in (1, -1)]
        points = np.concatenate([walks[0][0][::-1], walks[1][0][1:]])
        radii = np.concatenate([walks[0][1][::-1], walks[1][1][1:]])
        for point, size in zip(points, radii, strict=True):
            room.occupy(point, size)
        for joint in np.flatnonzero(rng.random(len(points)) < 0.2 * STEP):
            twig = _branch(room, points[joint], radii[joint], rng)
            points = np.concatenate([points, twig[0]])
            radii = np.concatenate([radii, twig[1]])
            for point, size in zip(*twig, strict=True):
                room.occupy(point, size)
        curves.append((points, radii))
    return curves


def _walk(
    room: Room, start: Points, heading: Points, radius: float, rng: np.random.Generator
) -> tuple[Points, Points]:
    """Walk from ``start`` through free room until it gets too narrow or leaves the grid."""
    typical = room.reach / 2
    step = STEP * 2 * typical
    points, radii, swell = [start], [radius], 0.0
    while True:
        tries = heading + 0.45 * rng.normal(size=(12, 3))
        tries /= np.linalg.norm(tries, axis=1, keepdims=True)
        ahead = points[-1] + step * tries
        clear = room.clearance(ahead)
        best = int(np.argmax(np.minimum(clear / radius, 1.2) + 0.6 * (tries @ heading)))
        if clear[best] < 0.45 * typical or len(points) * step > room.extent.max():
            return np.array(points), np.array(radii)
        heading = _unit(0.6 * heading + 0.4 * tries[best])
        swell = 0.9 * swell + 0.12 * rng.normal()  # varicosities
        size = radius * float(np.exp(swell))
        radii.append(float(np.clip(size, 0.45 * typical, max(clear[best], 0.45 * typical))))
        points.append(ahead[best])


def _branch(
    room: Room, joint: Points, radius: float, rng: np.random.Generator
) -> tuple[Points, Points]:
    """A side branch from a point of a curve; no points where there is no room for one."""
    tries = rng.normal(size=(24, 3))
    tries /= np.linalg.norm(tries, axis=1, keepdims=True)
    clear = room.clearance(joint + 2.0 * radius * tries)
    best = int(np.argmax(clear))
    size = 0.75 * radius
    if clear[best] < 0.7 * size:
        return np.empty((0, 3)), np.empty(0)
    points, radii = _walk(room, joint + 2.0 * radius * tries[best], tries[best], size, rng)
    neck = joint + np.linspace(0.3, 0.9, 4)[:, None] * 2.0 * radius * tries[best]
    return np.concatenate([neck, points]), np.concatenate([np.full(4, 0.8 * size), radii])


def _unit(vector: Points) -> Points:
    return np.asarray(vector / np.linalg.norm(vector))


class Weighted:
    """Nearest of many balls by the power distance d² - r², as a plain search in four axes."""

    def __init__(self, points: Points, radii: Points) -> None:
        """Balls at points (n, 3) in nm z, y, x with radii (n,) in nm."""
        self.largest = float(radii.max())
        self.tree = cKDTree(np.column_stack([points, np.sqrt(self.largest**2 - radii**2)]), LEAF)

    def nearest(self, where: Points, within: float = np.inf) -> tuple[Points, Indices]:
        """Power distances (nm²) and indices; infinite and n where none is ``within`` nm²."""
        bound = np.sqrt(within + self.largest**2)
        flat = np.column_stack([where, np.zeros(len(where))])
        distance, index = self.tree.query(flat, distance_upper_bound=bound)
        return distance**2 - self.largest**2, index


class Noise:
    """Smooth noise of unit variance in space, with a correlation length in nm."""

    def __init__(
        self, settings: Phantom, length: tuple[float, float, float], rng: np.random.Generator
    ) -> None:
        """``length`` is the correlation length in nm along z, y, x."""
        self.voxel_size, self.shape = settings.voxel_size, settings.shape
        self.spacing = [value / 1.5 for value in length]
        extent = np.multiply(settings.shape, settings.voxel_size)
        cells = [int(e / s) + 3 for e, s in zip(extent, self.spacing, strict=True)]
        grid = ndimage.gaussian_filter(rng.standard_normal(cells, np.float32), 1.0, mode="wrap")
        self.grid = grid / grid.std()
        self.corners = [self._corners(axis) for axis in (1, 2)]

    def _corners(self, axis: int) -> tuple[Indices, Floats]:
        """The index of the grid value before each voxel of an axis, and the next one's weight."""
        place = (np.arange(self.shape[axis]) + 0.5) * self.voxel_size[axis] / self.spacing[axis]
        before = np.floor(place).astype(np.intp)
        return before, (place - before).astype(np.float32)

    def plane(self, z: float) -> Floats:
        """The noise (y, x) at a height z in nm.

        A product of matrices is rounded differently on each processor, and a seed is one volume.
        """
        low, part = divmod(max(z, 0.0) / self.spacing[0], 1.0)
        plane = _between(self.grid[int(low)], self.grid[int(low) + 1], np.float32(part))
        (row, down), (column, across) = self.corners
        plane = _between(plane[row], plane[row + 1], down[:, None])
        return _between(plane[:, column], plane[:, column + 1], across)


def _between(one: Floats, two: Floats, share: Floats | np.float32) -> Floats:
    """From one (share 0) to the other (share 1)."""
    return np.asarray((1 - share) * one + share * two, np.float32)


def thin_slices(settings: Phantom) -> int:
    """Into how many slices a section is cut to draw oblique membranes: an odd number."""
    z, _, x = settings.voxel_size
    return 3 if z > 1.5 * x else 1


def heights(settings: Phantom) -> Points:
    """The height in nm of every thin slice."""
    count = thin_slices(settings)
    return (np.arange(settings.shape[0] * count) + 0.5) * settings.voxel_size[0] / count


def plane_points(settings: Phantom) -> Points:
    """Coordinates (y * x, 3) in nm of the voxels of one plane, with z = 0."""
    _, y, x = settings.voxel_size
    rows, columns = np.indices(settings.shape[1:])
    return np.stack([np.zeros(rows.size), (rows.ravel() + 0.5) * y, (columns.ravel() + 0.5) * x], 1)


def partition(settings: Phantom, curves: Curves, rng: np.random.Generator) -> Ids:
    """The neurite 1..n at every voxel of every thin slice."""
    balls = Weighted(*(np.concatenate(parts) for parts in zip(*curves, strict=True)))
    owner = np.repeat(np.arange(1, len(curves) + 1), [len(points) for points, _ in curves])
    scales = [(size, share) for size, share in ((0.5, 0.10), (0.22, 0.04))]
    waves = [
        (share * settings.calibre, [Noise(settings, (size * settings.calibre,) * 3, rng)
                                    for _ in range(3)])
        for size, share in scales
    ]  # fmt: skip
    flat = plane_points(settings)
    ids = np.empty((len(heights(settings)), *settings.shape[1:]), np.uint32)
    for slice_, z in enumerate(track(heights(settings), "share out voxels")):
        shift = sum(
            share * np.stack([noise.plane(z).ravel() for noise in fields], 1)
            for share, fields in waves
        )
        places = (flat + shift + np.array((z, 0, 0))).reshape(*settings.shape[1:], 3)
        ids[slice_] = _owners(places, balls, owner)
    return ids


def _owners(places: Points, balls: Weighted, owner: npt.NDArray[np.int64]) -> Ids:
    """The neurite at each place (y, x, 3) of a plane.

    The search is the dear part, so cells of STRIDE voxels whose four corners belong to one
    neurite are filled without it.
    """
    rows, columns = (
        np.minimum(np.arange(0, size + STRIDE, STRIDE), size - 1) for size in places.shape[:2]
    )
    corners = places[np.ix_(rows, columns)]
    coarse = owner[balls.nearest(corners.reshape(-1, 3))[1]].reshape(corners.shape[:2])
    quads = np.stack([coarse[:-1, :-1], coarse[1:, :-1], coarse[:-1, 1:], coarse[1:, 1:]])
    sure = np.where((quads == quads[0]).all(0), quads[0], 0)
    ids = sure.repeat(STRIDE, 0).repeat(STRIDE, 1)[: places.shape[0], : places.shape[1]]
    unsure = ids == 0
    ids[unsure] = owner[balls.nearest(places[unsure])[1]]
    return ids.astype(np.uint32)


def absorb_small(ids: Ids, settings: Phantom) -> Ids:
    """Label components and give those too small to be a neurite to a neighbour.

    Args:
        ids: (thin slices, y, x) from :func:`partition`; changed along with the labels, so
            that no membrane is drawn around what was given away.

    Returns:
        labels (z, y, x) 1..n of the middle slice of every section, each one 6-connected.
    """
    thin = thin_slices(settings)
    least = 0.1 * settings.calibre**3 / np.prod(settings.voxel_size)
    while True:
        centre = ids[thin // 2 :: thin]
        labels = label(centre, connectivity=1)  # type: ignore[no-untyped-call]
        sizes = np.bincount(labels.ravel())
        small = sizes < least
        small[0] = False
        if not small.any() or len(sizes) == 2:
            return np.asarray(labels, np.uint32)
        # a piece goes to a larger neighbour only, so that two never swap for ever
        rank = np.argsort(np.argsort(sizes, kind="stable"))
        edges, contact = _contacts(labels, small)
        upward = small[edges[:, 0]] & (rank[edges[:, 1]] > rank[edges[:, 0]])
        edges, contact = edges[upward], contact[upward]
        order = np.argsort(contact, kind="stable")  # the widest contact is written last
        neurite = np.zeros(len(sizes), np.uint32)
        neurite[labels.ravel()] = centre.ravel()
        adopted = neurite.copy()
        adopted[edges[order, 0]] = neurite[edges[order, 1]]
        given = adopted[labels]
        changed = given != centre
        ids.reshape(-1, thin, *centre.shape[1:]).swapaxes(0, 1)[:, changed] = given[changed]


def _contacts(labels: Indices, small: npt.NDArray[np.bool_]) -> tuple[Indices, Indices]:
    """Ordered pairs (n, 2) of touching components, one of them small, and shared faces."""
    pairs = []
    for axis in range(3):
        lines = np.moveaxis(labels, axis, 0)
        one, two = lines[:-1], lines[1:]
        touch = (one != two) & (small[one] | small[two])
        pairs += [np.stack([one[touch], two[touch]], 1), np.stack([two[touch], one[touch]], 1)]
    edges, contact = np.unique(np.concatenate(pairs), axis=0, return_counts=True)
    return edges, contact
