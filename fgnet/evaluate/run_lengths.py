"""How far one follows neurons along their skeletons at every threshold, with or without labels."""

from pathlib import Path

import numpy as np

from fgnet import progress, scores, segmentation, skeletons, volume
from fgnet.evaluate.nodes import fragments_at
from fgnet.metrics import bootstrap, run_length
from fgnet.metrics.run_length import Runs
from fgnet.skeletons import Skeletons


def run(
    segmentation_file: Path,
    skeletons_file: Path,
    threshold_file: Path,
    output: Path,
    tolerance: float,
) -> None:
    """Write the run lengths of a segmentation at all thresholds, at the chosen one with intervals.

    Args:
        segmentation_file: see :mod:`fgnet.segmentation`; may be a box of the skeletons' volume.
        skeletons_file: see :mod:`fgnet.skeletons`.
        threshold_file: see :class:`fgnet.scores.Choice`.
        output: JSON, see :class:`fgnet.scores.RunLengths`.
        tolerance: nm, see :mod:`fgnet.metrics.run_length`.

    Raises:
        InputError: a file is missing, or the threshold was not swept.
    """
    choice = scores.read(threshold_file, scores.Choice)
    with volume.opened(skeletons_file) as file:
        drawn = skeletons.read(file)
    with volume.opened(segmentation_file) as segmented:
        fragments = volume.dataset(segmented, volume.FRAGMENTS, kind="u")
        size, offset = volume.voxel_size(fragments), volume.offset(fragments)
        lines = skeletons.within(drawn, size, offset, fragments.shape)
        chosen, swept = segmentation.table(segmented, choice.threshold), []
        if lines.lengths().sum() > 0:
            ids = fragments_at(fragments, skeletons.voxels(lines.nodes, size, offset))
            nodes = segmentation.numbered(ids, segmentation.fragments(segmented))
            thresholds = segmentation.thresholds(segmented)
            tables = progress.track(segmentation.tables(segmented), "thresholds", len(thresholds))
            runs = run_length.sweep(lines, nodes, (table for _, table in tables), tolerance)
            swept = [row(*pair) for pair in zip(thresholds, runs, strict=True)]
            (best,) = run_length.sweep(lines, nodes, [chosen], tolerance)
    neurons = np.unique(lines.neurons[lines.edges]).size
    several = len(swept) > 0 and neurons > 1
    content = scores.RunLengths(
        neurons=neurons,
        micrometres=float(lines.lengths().sum()) / 1000,
        tolerance=tolerance,
        words=words(drawn, lines, tolerance),
        skeletons=drawn.record,
        threshold=choice.threshold,
        chosen=row(choice.threshold, best) if swept else None,
        intervals=intervals(best) if several else None,
        resamples=bootstrap.RESAMPLES,
        sweep=swept,
        made_by=volume.record(
            "evaluate",
            {"tolerance": tolerance},
            [segmentation_file, skeletons_file, threshold_file],
        ),
    )
    scores.write(output, content)


def row(threshold: float, runs: Runs) -> scores.RunLength:
    """The run lengths at a threshold, in µm."""
    return scores.RunLength(
        threshold=threshold,
        expected=runs.erl() / 1000,
        normalised=runs.normalised(),
        with_mergers=runs.erl_with_mergers() / 1000,
        mergers=runs.mergers,
        **runs.shares(),
    )


def intervals(runs: Runs) -> scores.RunIntervals:
    """How sure the run lengths are, in µm."""
    drawn = bootstrap.run_lengths(runs.path, runs.squares)
    low, high = bootstrap.interval(drawn.expected / 1000)
    return scores.RunIntervals(
        expected=(low, high), normalised=bootstrap.interval(drawn.normalised)
    )


def words(drawn: Skeletons, lines: Skeletons, tolerance: float) -> str:
    """What run lengths were measured along and how, or why there are none.

    Args:
        drawn: all skeletons.
        lines: what lies in the segmentation's box.
    """
    given = drawn.record.get("from") == "given"
    kind = "skeletons that were given" if given else "centre lines of the labels"
    if not lines.lengths().sum() > 0:
        where = "no edge of them lies in this volume" if len(drawn.edges) else "they have no edge"
        return f"There is no run length along the {kind}: {where}."
    return (
        f"Along {kind}, against their neurons. A run is all path of a neuron in a segment; a "
        f"segment that holds at least {tolerance:g} nm of path of two neurons is a merger, whose "
        "runs count 0, and it holds half of each edge at each of its nodes. An edge with a node "
        "in no segment is omitted; nodes have no tolerance."
    )
