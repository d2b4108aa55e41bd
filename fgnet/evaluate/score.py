"""Score a segmentation at every threshold against the ground truth."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from fgnet import ledger, metrics, progress, scores, segmentation, volume
from fgnet.errors import InputError
from fgnet.evaluate.overlaps import measure


def run(segmentation_file: Path, labels_file: Path, output: Path) -> None:
    """Write the scores of all thresholds of a segmentation, against ids and components.

    Args:
        segmentation_file: see :mod:`fgnet.segmentation`; may be a box of the labels' volume.
        labels_file: a volume with labels, and perhaps a mask of where they count.
        output: JSON, see :mod:`fgnet.scores`.

    Raises:
        InputError: a dataset is missing, the two are not of one volume, or no voxel is labelled.
    """
    with volume.opened(segmentation_file) as segmented, volume.opened(labels_file) as labelled:
        fragments = volume.dataset(segmented, volume.FRAGMENTS, kind="u")
        labels = volume.dataset(labelled, volume.LABELS, kind="u")
        region = volume.region(labels, fragments)
        mask = labelled.get(volume.MASK)
        overlaps = measure(fragments, labels, region, mask)
        ledger.voxels(overlaps.voxels)
        scored = int(overlaps.ids.counts.sum())
        if scored == 0:
            box = ", ".join(
                f"{axis} {cut.start}-{cut.stop}" for axis, cut in zip("zyx", region, strict=True)
            )
            raise InputError(
                f"{labels_file}: {volume.LABELS} is 0 or masked everywhere in {box}, so there is "
                "nothing to score against; give this volume labels or the split 'predict'"
            )
        ids, components = [], []
        known = segmentation.fragments(segmented)
        against_ids, against_components = (
            replace(
                counted, segments=segmentation.numbered(counted.segments, known).astype(np.uint64)
            )
            for counted in (overlaps.ids, overlaps.components)
        )
        for threshold in progress.track(segmentation.thresholds(segmented), "thresholds"):
            table = segmentation.table(segmented, threshold)
            ids.append(row(threshold, against_ids.merged(segments=table)))
            components.append(row(threshold, against_components.merged(segments=table)))
    content = scores.Scores(
        voxels_scored=scored,
        voxels_ignored=overlaps.voxels - scored,
        against_ids=scores.Sweep(objects=overlaps.ids.neurons.size, sweep=ids),
        against_components=scores.Sweep(objects=overlaps.components.neurons.size, sweep=components),
        made_by=volume.record("evaluate", {}, [segmentation_file, labels_file]),
    )
    scores.write(output, content)


def row(threshold: float, table: metrics.Contingency) -> scores.Row:
    """The scores of one threshold from its table of segments against neurons."""
    result = metrics.score(table)
    return scores.Row(
        threshold=threshold,
        segments=table.segments.size,
        voi_split=result.voi_split,
        voi_merge=result.voi_merge,
        voi_sum=result.voi_sum,
        arand=result.arand,
    )
