"""Surfaces of segments by marching cubes, block by block, in the precomputed mesh format.

Blocks overlap by one voxel, so that the surfaces of neighbouring blocks meet in the same
vertices, which stay when surfaces are simplified; at the faces of the volume they are closed. The
format is the unsharded legacy one: for each segment a manifest ``ID:0`` that lists its fragments,
one for each block that it lies in.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pyfqmr import Simplify
from scipy import ndimage
from skimage.measure import marching_cubes

from fgnet.blocks import tiles
from fgnet.export.pyramid import Scale
from fgnet.export.segments import SURFACES
from fgnet.progress import track
from fgnet.volume import Array

BLOCK = (64, 256, 256)

Vertices = npt.NDArray[np.float64]
Faces = npt.NDArray[np.int64]


def write(
    layer: Any, ids: Any, scale: Scale, folder: Path, wanted: Collection[int], share: float
) -> None:
    """Name the surfaces in the layer's info and write them.

    Args:
        ids: the scale as a tensorstore (1, z, y, x) at absolute coordinates.
        scale: where its voxels lie.
        folder: of the layer.
        wanted: the segments that get a surface.
        share: of the triangles that are kept.
    """
    (folder / SURFACES).mkdir()
    (folder / SURFACES / "info").write_text('{"@type": "neuroglancer_legacy_mesh"}')
    layer.info["mesh"] = SURFACES
    layer.commit_info()
    parts: dict[int, list[str]] = defaultdict(list)
    keep = np.array(sorted(wanted), np.uint64)
    for number, box in enumerate(track(tiles(scale.shape, BLOCK), "surfaces")):
        low, high = zip(*((part.start, part.stop) for part in box), strict=True)
        block, start = padded(ids, scale, low, high)
        for name, vertices, faces in surfaces(block, keep):
            # a voxel's centre lies half a voxel beyond its coordinate
            place = (vertices + start + 0.5) * scale.voxel_size
            place, faces = simplified(place, faces, share)
            parts[name].append(f"{name}:0:{number}")
            (folder / SURFACES / parts[name][-1]).write_bytes(encoded(place, faces))
    for name, fragments in parts.items():
        manifest = json.dumps({"fragments": fragments})
        (folder / SURFACES / f"{name}:0").write_text(manifest)


def padded(ids: Any, scale: Scale, low: Any, high: Any) -> tuple[Array, npt.NDArray[np.int64]]:
    """A block and one voxel beyond it, where the volume ends a voxel of 0.

    Returns:
        the ids (z, y, x), and the absolute coordinate of the first of them.
    """
    first = [a + offset for a, offset in zip(low, scale.first, strict=True)]
    last = [
        min(b + 1, size) + offset
        for b, size, offset in zip(high, scale.shape, scale.first, strict=True)
    ]
    place = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
    block = np.asarray(ids[(0, *place)].read().result())
    before = [int(a == 0) for a in low]
    after = [int(b == size) for b, size in zip(high, scale.shape, strict=True)]
    block = np.pad(block, list(zip(before, after, strict=True)))
    return block, np.array(first, np.int64) - before


def surfaces(block: Array, wanted: npt.NDArray[np.uint64]) -> Iterator[tuple[int, Vertices, Faces]]:
    """The surface of every wanted segment (sorted ids) of a block, open where the block ends.

    Yields:
        its id, vertices (n, 3) as z, y, x in voxels of the block, and faces (m, 3) whose normals
        point outwards when their vertices are seen as x, y, z.
    """
    names, inverse = np.unique(block, return_inverse=True)
    dense = inverse.reshape(block.shape).astype(np.int32)
    for index, box in enumerate(ndimage.find_objects(dense + 1)):
        name = int(names[index])
        if name == 0 or box is None or not np.isin(np.uint64(name), wanted):
            continue
        # one voxel around the segment, as far as the block goes: beyond it, the next one goes on
        grown = tuple(slice(max(part.start - 1, 0), part.stop + 1) for part in box)
        inside = dense[grown] == index
        if inside.all():
            continue
        mask = inside.view(np.uint8)
        vertices, faces, _, _ = marching_cubes(mask, 0.5)  # type: ignore[no-untyped-call]
        yield name, vertices + [part.start for part in grown], faces.astype(np.int64)


def simplified(vertices: Vertices, faces: Faces, share: float) -> tuple[Vertices, Faces]:
    """A surface of fewer triangles; the vertices of its open border stay as they are.

    Edges collapse in the order of the quadric error (Garland and Heckbert, 1997, as pyfqmr has it).
    """
    if share == 1:
        return vertices, faces
    surface = Simplify()
    surface.setMesh(np.ascontiguousarray(vertices), faces.astype(np.int32))
    # a closed surface has four at least
    count = max(round(len(faces) * share), 4)
    surface.simplify_mesh(target_count=count, preserve_border=True, verbose=False)
    less, triangles, _ = surface.getMesh()
    return less, triangles


def encoded(vertices: Vertices, faces: Faces) -> bytes:
    """A fragment: the number of vertices, vertices as x, y, z in nm, triangles."""
    return b"".join(
        (
            np.uint32(len(vertices)).tobytes(),
            vertices[:, ::-1].astype("<f4").tobytes(),
            faces.astype("<u4").tobytes(),
        )
    )
