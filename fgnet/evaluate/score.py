"""Score a segmentation at every threshold against the ground truth."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from fgnet import ledger, progress, scores, segmentation, volume
from fgnet.errors import InputError
from fgnet.evaluate import store, sweep
from fgnet.evaluate.overlaps import Overlaps, measure
from fgnet.metrics.contingency import Ids
from fgnet.settings.evaluate import Scoring

WORDS = "Voxels without ground truth are not scored; background of the segmentation is."
MEASURES = (
    "Rand pairs are of distinct voxels. A segment matches a neuron where their intersection over "
    "union is above the threshold. Edges join voxels that share a face, and have no tolerance."
)


def run(
    segmentation_file: Path,
    labels_file: Path,
    output: Path,
    overlaps: Path,
    settings: Scoring,
) -> None:
    """Write the scores of all thresholds of a segmentation, against ids and components.

    Args:
        segmentation_file: see :mod:`fgnet.segmentation`; may be a box of the labels' volume.
        labels_file: a volume with labels, and perhaps a mask of where they count.
        output: JSON, see :mod:`fgnet.scores`.
        overlaps: HDF5, see :mod:`fgnet.evaluate.store`.

    Raises:
        InputError: a dataset is missing, the two are not of one volume, or no voxel is scored.
    """
    inputs = [segmentation_file, labels_file]
    border = settings.border
    with volume.opened(segmentation_file) as segmented, volume.opened(labels_file) as labelled:
        fragments = volume.dataset(segmented, volume.FRAGMENTS, kind="u")
        labels = volume.dataset(labelled, volume.LABELS, kind="u")
        region = volume.region(labels, fragments)
        found = measure(fragments, labels, region, labelled.get(volume.MASK), border)
        ledger.voxels(found.voxels)
        scored = int(found.shared.voxels.sum())
        if scored == 0:
            box = ", ".join(
                f"{axis} {cut.start}-{cut.stop}" for axis, cut in zip("zyx", region, strict=True)
            )
            if found.near_border:
                raise InputError(
                    f"{labels_file}: every labelled voxel in {box} lies within {border:g} nm of a "
                    "border, so none is scored; lower evaluate.border"
                )
            raise InputError(
                f"{labels_file}: {volume.LABELS} is 0 or masked everywhere in {box}, so there is "
                "nothing to score against; give this volume labels or the split 'predict'"
            )
        found = numbered(found, segmentation.fragments(segmented))
        tables = found.ids, found.components, found.boundaries
        total = len(segmentation.thresholds(segmented))
        ids, components = sweep.scored(
            tables, progress.track(segmentation.tables(segmented), "thresholds", total)
        )
        z, y, x = (cut.start for cut in region)
        frame = store.Frame(
            (z, y, x), volume.voxel_size(labels), volume.offset(labels), float(border)
        )
    recorded = settings.model_dump(mode="json")
    with volume.create(overlaps, "evaluate", recorded, inputs) as file:
        store.write(file, found, frame)
    content = scores.Scores(
        voxels_scored=scored,
        voxels_ignored=found.voxels - scored,
        treatment=treatment(found, frame),
        against_ids=scores.Sweep(objects=tables[0].neurons.size, sweep=ids),
        against_components=scores.Sweep(objects=tables[1].neurons.size, sweep=components),
        made_by=volume.record("evaluate", recorded, inputs),
    )
    scores.write(output, content)


def numbered(found: Overlaps, known: Ids) -> Overlaps:
    """The same of fragments that are numbered in the order of all ids ``known``."""

    def number(ids: Ids) -> Ids:
        return segmentation.numbered(ids, known).astype(np.uint64)

    return replace(
        found,
        shared=replace(found.shared, fragments=number(found.shared.fragments)),
        boundaries=replace(found.boundaries, fragments=number(found.boundaries.fragments)),
    )


def treatment(found: Overlaps, frame: store.Frame) -> scores.Treatment:
    """Which voxels were scored, and how."""
    words = WORDS
    if frame.border:
        words += (
            f" Voxels at most {frame.border:g} nm from a border of the ground truth in their "
            "section are not scored either; boundaries and components are those of all labels."
        )
    return scores.Treatment(
        voxel_size=frame.size,
        voxels_unlabelled=found.unlabelled,
        voxels_near_border=found.near_border,
        border=frame.border,
        words=words,
        measures=MEASURES,
    )
