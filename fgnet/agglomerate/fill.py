"""The step that makes fragments, block by block, in any number of jobs with one result."""

from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from fgnet import joined, ledger, segmentation, volume
from fgnet.agglomerate import fragments, source
from fgnet.agglomerate.job import Job, dataset, widened
from fgnet.agglomerate.source import Affinities
from fgnet.progress import track
from fgnet.settings.agglomerate import Components, FragmentStep, Watershed
from fgnet.volume import Triple


def run(input: Path, output: Path, settings: str, shard: int, shards: int) -> None:
    """Fragments of the blocks of job number ``shard`` (from 0) of ``shards``.

    Args:
        input: affinities of the volume.
        output: a piece with fragments of the job's box.
        settings: JSON of :class:`fgnet.settings.agglomerate.FragmentStep`.
    """
    step = FragmentStep.from_json(settings)
    with volume.opened(input) as file:
        affinities = source.opened(file, None)
        job = Job.make(affinities.shape, step.blocks, shard, shards)
        with volume.create(output, "agglomerate", step.model_dump(mode="json"), [input]) as out:
            joined.mark(out, job.bounds, job.shape)
            ledger.voxels(job.voxels)
            ids = dataset(out, tuple(b - a for a, b in job.bounds), affinities, job.bounds)
            size = volume.voxel_size(affinities.data)
            known = fill(affinities, ids, job, step, size)
            segmentation.write_fragments(out, known)


def fill(
    affinities: Affinities, out: h5py.Dataset, job: Job, step: FragmentStep, voxel_size: Triple
) -> npt.NDArray[np.uint64]:
    """Make the fragments of a job's blocks.

    Args:
        out: (z, y, x) uint64 of the job's box, for the ids of :mod:`fgnet.segmentation`.
        voxel_size: nm along z, y, x.

    Returns:
        The ids of all, ascending.
    """
    halo = list(step.blocks.halo)
    if isinstance(step.fragments, Watershed) and step.fragments.per == "section":
        halo[0] = 0  # a section's fragments do not depend on the next
    if isinstance(step.fragments, Components):
        halo = [0, 0, 0]  # they begin where the block does
    known = [np.empty(0, np.uint64)]
    for box in track(job.blocks(), "fragments"):
        around, inner = widened(box, halo, halo, job.shape)
        found = fragments.make(affinities.read(around, nearest=True), step.fragments, voxel_size)
        first = np.unravel_index(np.maximum(found.begin, 0), found.labels.shape)
        inside = [at + cut.start for at, cut in zip(first, around, strict=True)]
        ids = np.ravel_multi_index(inside, job.shape).astype(np.uint64) + np.uint64(1)
        ids[0] = 0
        kept = found.labels[inner]
        used = np.zeros(len(ids), np.bool_)
        used[kept.ravel()] = True
        known.append(ids[used])
        place = tuple(
            slice(cut.start - first, cut.stop - first)
            for cut, (first, _) in zip(box, job.bounds, strict=True)
        )
        out[place] = ids[kept]
    every = np.unique(np.concatenate(known))
    return every[every > 0]
