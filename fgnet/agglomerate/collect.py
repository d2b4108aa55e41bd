"""The step that makes the region graph, block by block, in any number of jobs with one result."""

from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from fgnet import ledger, segmentation, volume
from fgnet.agglomerate import graphs, regions, source
from fgnet.agglomerate.graphs import Contacts
from fgnet.agglomerate.job import Job, widened
from fgnet.agglomerate.source import Affinities
from fgnet.progress import track
from fgnet.settings.agglomerate import GraphStep


def run(input: Path, index: Path, output: Path, settings: str, shard: int, shards: int) -> None:
    """The part of the region graph that the blocks of a job own.

    Args:
        input: affinities of the volume.
        index: its fragments, from :mod:`fgnet.agglomerate.index`.
        output: edges, see :mod:`fgnet.agglomerate.graphs`.
        settings: JSON of :class:`fgnet.settings.agglomerate.GraphStep`.
    """
    step = GraphStep.from_json(settings)
    with volume.opened(input) as file, volume.opened(index) as found:
        affinities = source.opened(file, step.shortest)
        job = Job.make(affinities.shape, step.blocks, shard, shards)
        ledger.voxels(job.voxels)
        ids = volume.dataset(found, volume.FRAGMENTS, kind="u")
        known = segmentation.fragments(found)
        contacts = collect(affinities, ids, known, job, step)
        record = step.model_dump(mode="json")
        with volume.create(output, "agglomerate", record, [input, index]) as out:
            graphs.write(out, contacts)


def collect(
    affinities: Affinities,
    ids: h5py.Dataset,
    known: npt.NDArray[np.uint64],
    job: Job,
    step: GraphStep,
) -> Contacts:
    """What a job's blocks own of the region graph.

    Args:
        ids: (z, y, x) uint64, the fragments of the whole volume.
        known: (n,) all of these ids, ascending; they number the fragments from 1 on.
    """
    seeds = np.stack(np.unravel_index(known.astype(np.int64) - 1, job.shape), 1)
    near, far, same = [], [], [np.empty((0, 2), np.int64)]
    reach = np.array(affinities.offsets)
    low, high = (-np.minimum(reach.min(0), 0)).tolist(), np.maximum(reach.max(0), 0).tolist()
    for box in track(job.blocks(), "region graph"):
        around, inner = widened(box, low, high, job.shape)
        labels = segmentation.numbered(ids[around], known)
        values = affinities.read(box)
        before = [cut.start for cut in inner]
        near.append(
            regions.of_block(
                values[:3], labels, affinities.offsets[:3], before, histograms=step.histograms
            )
        )
        if len(affinities.channels) > 3:
            far.append(regions.of_block(values[3:], labels, affinities.offsets[3:], before))
        start, stop = np.array([(cut.start, cut.stop) for cut in box]).T
        here = np.flatnonzero(((seeds >= start) & (seeds < stop)).all(axis=1))
        at = labels[inner][tuple((seeds[here] - start).T)].astype(np.int64)
        other = (at > 0) & (at != here + 1)
        same.append(np.stack([at, here + 1], 1)[other])
    return Contacts(regions.added(near), regions.added(far), np.concatenate(same))
