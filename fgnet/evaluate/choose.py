"""Choose the agglomeration threshold from the scores of the validation volumes."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from fgnet import scores, volume
from fgnet.errors import InputError
from fgnet.settings.evaluate import Choosing


def run(scores_files: Sequence[Path], output: Path, settings: Choosing) -> None:
    """Write the threshold with the best mean of the criterion over the validation volumes.

    Args:
        scores_files: of the validation volumes, of one model and one agglomeration.
        output: JSON, see :class:`fgnet.scores.Choice`.

    Raises:
        InputError: nothing to choose from, or a fixed threshold that was not swept.
    """
    sweeps = [
        scores.read(path, scores.Scores).against(settings.ground_truth) for path in scores_files
    ]
    mean: list[float] = []
    if settings.threshold is not None:
        for sweep in sweeps:
            sweep.at(settings.threshold)
        threshold = settings.threshold
        reason = f"fixed at {threshold:g} in the config"
    else:
        threshold, mean = best(scores_files, sweeps, settings.choose_by)
        name = {"voi": "VOI sum", "arand": "ARAND"}[settings.choose_by]
        count = f"{len(sweeps)} validation volume" + "s" * (len(sweeps) > 1)
        reason = f"lowest mean {name} over {count}, against {settings.ground_truth}"
    content = scores.Choice(
        threshold=threshold,
        reason=reason,
        criterion=settings.choose_by,
        chosen_by=settings.choose_by if settings.threshold is None else "fixed",
        ground_truth=settings.ground_truth,
        mean=mean,
        made_by=volume.record("evaluate", settings.model_dump(mode="json"), scores_files),
    )
    scores.write(output, content)


def best(
    files: Sequence[Path], sweeps: Sequence[scores.Sweep], choose_by: scores.Criterion
) -> tuple[float, list[float]]:
    """The threshold with the lowest mean criterion, and that mean at every threshold.

    Of equal thresholds the first in the sweep wins: it merges least, and a split is easier to
    mend than a merger.
    """
    if not sweeps:
        raise InputError(
            "no threshold can be chosen: there is no validation volume and evaluate.threshold is "
            "null; give a volume with labels 'split: validation', or set evaluate.threshold"
        )
    thresholds = [row.threshold for row in sweeps[0].sweep]
    for path, sweep in zip(files, sweeps, strict=True):
        if [row.threshold for row in sweep.sweep] != thresholds:
            raise InputError(
                f"{str(path)!r} was scored at other thresholds than {str(files[0])!r}; "
                "delete both and run the evaluate stage again"
            )
    mean = [
        fmean(row.voi_sum if choose_by == "voi" else row.arand for row in rows)
        for rows in zip(*(sweep.sweep for sweep in sweeps), strict=True)
    ]
    return thresholds[mean.index(min(mean))], mean
