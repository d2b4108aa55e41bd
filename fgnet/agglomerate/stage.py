"""From affinities to fragments and their merges, by one job or after several, with one result.

:func:`run` does everything; where several jobs share the work, :mod:`fgnet.agglomerate.fill`,
:mod:`fgnet.agglomerate.index` and :mod:`fgnet.agglomerate.collect` come before :func:`run_merge`.
"""

import logging
import math
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from fgnet import joined, ledger, segmentation, volume
from fgnet.agglomerate import collect, fill, graphs, merge, mutex, source
from fgnet.agglomerate.fragments import make
from fgnet.agglomerate.graphs import Contacts
from fgnet.agglomerate.job import Job, dataset
from fgnet.agglomerate.source import Affinities
from fgnet.errors import InputError
from fgnet.settings.agglomerate import Method, Mutex, MutexGraph, Waterz
from fgnet.silence import doing

LOG = logging.getLogger(__name__)


def run(input: Path, output: Path, settings: str) -> None:
    """Agglomerate one volume of affinities, in memory of one of its blocks.

    Args:
        input: HDF5 file with ``volumes/predictions/affinities`` (channels, z, y, x).
        output: a segmentation, see :mod:`fgnet.segmentation`.
        settings: JSON of :class:`fgnet.settings.agglomerate.Method`.

    Raises:
        InputError: the file is missing or broken, holds no affinities or no edges of the
            offsets that the method needs, or the volume does not fit the method.
    """
    method = Method.from_json(settings)
    with volume.opened(input) as file:
        affinities = source.opened(file, shortest(method))
        with volume.create(output, "agglomerate", method.model_dump(mode="json"), [input]) as out:
            segment(affinities, out, method)


def segment(affinities: Affinities, out: h5py.File, method: Method) -> None:
    """Write the segmentation of a volume."""
    shape = affinities.shape
    ledger.voxels(math.prod(shape))
    if method.whole:
        ids = whole(affinities, out, method)
        dataset(out, shape, affinities)[:] = ids
        return
    job = Job.make(shape, method.blocks)
    ids = dataset(out, shape, affinities)
    step, size = method.fragment_step(), volume.voxel_size(affinities.data)
    known = fill.fill(affinities, ids, job, step, size)
    LOG.info("%d fragments in %s voxels", len(known), shape)
    contacts = collect.collect(affinities, ids, known, job, method.graph_step())
    finish(out, known, contacts, method)


def finish(
    out: h5py.File, known: npt.NDArray[np.uint64], contacts: Contacts, method: Method
) -> None:
    """Merge fragments of these ids along a region graph."""
    LOG.info("%d fragments, %d pairs touch", len(known), len(contacts.near.edges))
    segmentation.write_fragments(out, known)
    merge.solve(out, len(known), contacts, method)


def whole(affinities: Affinities, out: h5py.File, method: Method) -> npt.NDArray[np.uint64]:
    """Segment a volume by a method that needs all of its voxels at once; its fragments' ids."""
    shape, block = affinities.shape, method.blocks.size
    if any(length > most for length, most in zip(shape, block, strict=True)):
        raise InputError(
            f"merge.method: {method.merge.method} needs all voxels at once, but the volume has "
            f"{shape} of them and a block {block}; raise blocks.size to the volume's (about 40 "
            "bytes of memory a voxel), or take hierarchical, multicut or mutex_graph"
        )
    values = affinities.read(tuple(slice(0, length) for length in shape))
    if isinstance(method.merge, Mutex):
        found, tables = mutex.sweep(values, affinities.offsets, method.merge, method.thresholds)
        segmentation.write_tables(out, method.thresholds, tables)
    else:
        assert isinstance(method.merge, Waterz) and method.fragments is not None
        size = volume.voxel_size(affinities.data)
        with doing("fragments"):
            found = make(values[:3], method.fragments, size).numbered()
        merges, counts = merge.waterz(values, found.labels, method.merge.score, method.thresholds)
        segmentation.write_merges(out, method.thresholds, merges, counts)
    ids = (found.begin + 1).astype(np.uint64)
    LOG.info("%s: %d fragments in %s voxels", method.merge.method, len(ids) - 1, shape)
    segmentation.write_fragments(out, ids[1:])
    return ids[found.labels]


def run_merge(fragments: Path, graph: Path, index: Path, output: Path, settings: str) -> None:
    """Merge the fragments of a volume along the region graph of all jobs.

    Args:
        fragments: the first piece from :mod:`fgnet.agglomerate.fill`.
        graph: the first from :mod:`fgnet.agglomerate.collect`.
        index: from :mod:`fgnet.agglomerate.index`.
        output: a segmentation, see :mod:`fgnet.segmentation`.
        settings: JSON of :class:`fgnet.settings.agglomerate.Method`.
    """
    method = Method.from_json(settings)
    contacts = graphs.total(joined.beside(graph))
    with volume.create(output, "agglomerate", method.model_dump(mode="json"), [index]) as out:
        joined.join(out, output, joined.beside(fragments))
        with volume.opened(index) as found:
            known = segmentation.fragments(found)
        finish(out, known, contacts, method)


def shortest(method: Method) -> int | None:
    """The length in voxels from which on a method reads long-range affinities."""
    return method.merge.shortest if isinstance(method.merge, Mutex | MutexGraph) else None
