"""The scores at the chosen threshold: how sure they are, what was best, each neuron's part."""

from pathlib import Path

from fgnet import scores, segmentation, volume
from fgnet.errors import InputError
from fgnet.evaluate import fates, store
from fgnet.evaluate.score import treatment
from fgnet.metrics import Contingency, bootstrap

DIGITS = 6  # of what is kept of each resample


def run(
    overlaps: Path,
    segmentation_file: Path,
    scores_file: Path,
    threshold_file: Path,
    output: Path,
    smallest_share: float,
) -> None:
    """Write the scores at the chosen threshold with intervals, the oracle, and all neurons.

    Args:
        overlaps: see :mod:`fgnet.evaluate.store`.
        segmentation_file: what the overlaps were measured of.
        scores_file: written with the overlaps.
        threshold_file: see :class:`fgnet.scores.Choice`.
        output: JSON, see :class:`fgnet.scores.Neurons`.
        smallest_share: of a neuron, from which on a part of it counts as one.

    Raises:
        InputError: a file is missing, or the threshold was not swept.
    """
    inputs = [overlaps, segmentation_file, scores_file, threshold_file]
    choice = scores.read(threshold_file, scores.Choice)
    swept = scores.read(scores_file, scores.Scores)
    with volume.opened(overlaps) as file:
        if store.GROUP not in file:
            raise InputError(f"{str(overlaps)!r} holds no overlaps; run the evaluate stage again")
        found, frame = store.read(file)
    with volume.opened(segmentation_file) as segmented:
        segments = segmentation.table(segmented, choice.threshold)
    components = found.shared.merged(fragments=segments)
    ids = components.merged(neurons=found.owners)
    against_ids, against_components = (
        verdict(sweep, choice.threshold, choice.criterion, shared.contingency)
        for sweep, shared in ((swept.against_ids, ids), (swept.against_components, components))
    )
    parts = choice.ground_truth == "components"
    listed = fates.neurons(components if parts else ids, frame, smallest_share)
    if parts:
        listed = [fates.named(one, found.owners) for one in listed]
    content = scores.Neurons(
        threshold=choice.threshold,
        reason=choice.reason,
        criterion=choice.criterion,
        ground_truth=choice.ground_truth,
        treatment=treatment(found, frame),
        resamples=bootstrap.RESAMPLES,
        smallest_share=smallest_share,
        against_ids=against_ids,
        against_components=against_components,
        neurons=listed,
        made_by=volume.record("evaluate", {"smallest_share": smallest_share}, inputs),
    )
    scores.write(output, content)


def verdict(
    sweep: scores.Sweep, threshold: float, criterion: scores.Criterion, table: Contingency
) -> scores.Verdict:
    """The scores at a threshold with intervals, and those at the threshold that is best here."""
    best = min(sweep.sweep, key=lambda row: row.voi_sum if criterion == "voi" else row.arand)
    objects = table.neurons.size
    intervals, samples = None, None
    if objects > 1:
        drawn = bootstrap.resampled(table)
        intervals = scores.Intervals(**drawn.intervals())
        samples = scores.Samples(
            voi_sum=drawn.voi_sum.round(DIGITS).tolist(), arand=drawn.arand.round(DIGITS).tolist()
        )
    return scores.Verdict(
        objects=objects,
        chosen=sweep.at(threshold),
        intervals=intervals,
        samples=samples,
        oracle=best,
    )
