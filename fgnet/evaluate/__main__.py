"""The command line of the evaluate stage.

python -m fgnet.evaluate score --segmentation SEG.h5 --labels VOLUME.h5 --output SCORES.json
    --overlaps OVERLAPS.h5 --settings {}
python -m fgnet.evaluate skeletons --labels VOLUME.h5 --output SKELETONS.h5 --settings {}
python -m fgnet.evaluate choose --scores VALIDATION.json ... --output threshold.json --settings {}
python -m fgnet.evaluate neurons --overlaps OVERLAPS.h5 --segmentation SEG.h5 --scores SCORES.json
    --threshold threshold.json --output NEURONS.json --smallest-share 0.01
"""

import sys
from pathlib import Path

from fgnet import command
from fgnet.settings.evaluate import Choosing, Scoring

# each step imports what it needs itself: skeletons runs in an environment without the libraries of
# the others


def run_score(
    segmentation: Path,
    labels: Path,
    output: Path,
    overlaps: Path,
    settings: str,
    skeletons: Path | None,
) -> None:
    """Score all thresholds of a segmentation."""
    from fgnet.evaluate import score

    wanted = Scoring.from_json(settings)
    score.run(segmentation, labels, output, overlaps, wanted, skeletons)


def run_skeletons(labels: Path, output: Path, settings: str, box: str, workers: int) -> None:
    """Derive the skeletons of labels, along which run lengths are measured."""
    from fgnet.evaluate import skeletons

    skeletons.run(labels, output, settings, box, workers)


def run_choose(scores: list[Path], output: Path, settings: str) -> None:
    """Choose the threshold from the validation volumes' scores."""
    from fgnet.evaluate import choose

    choose.run(scores, output, Choosing.from_json(settings))


def run_neurons(
    overlaps: Path,
    segmentation: Path,
    scores: Path,
    threshold: Path,
    output: Path,
    smallest_share: float,
) -> None:
    """List the neurons at the chosen threshold."""
    from fgnet.evaluate import neurons

    neurons.run(overlaps, segmentation, scores, threshold, output, smallest_share)


parser = command.parser("evaluate", __doc__ or "")
steps = command.steps(
    parser, score=run_score, skeletons=run_skeletons, choose=run_choose, neurons=run_neurons
)

one = steps["score"]
one.add_argument("--segmentation", type=Path, required=True)
one.add_argument("--labels", type=Path, required=True)
one.add_argument("--output", type=Path, required=True)
one.add_argument("--overlaps", type=Path, required=True)
one.add_argument(
    "--settings",
    default="{}",
    help="what of the config's section evaluate scores depend on, as JSON",
)
one.add_argument("--skeletons", type=Path, nargs="?", help="file with them, if there is one")

two = steps["choose"]
two.add_argument("--scores", type=Path, nargs="*", default=[])
two.add_argument("--output", type=Path, required=True)
two.add_argument(
    "--settings", default="{}", help="what of the config's section evaluate chooses, as JSON"
)

three = steps["neurons"]
for name in ("overlaps", "segmentation", "scores", "threshold", "output"):
    three.add_argument(f"--{name}", type=Path, required=True)
three.add_argument("--smallest-share", type=float, required=True)

four = steps["skeletons"]
four.add_argument("--labels", type=Path, required=True, help="results/normalize/VOLUME.h5")
four.add_argument("--output", type=Path, required=True)
four.add_argument("--settings", default="{}", help="the config's evaluate.skeletons as JSON")
four.add_argument("--box", default="{}", help="the part that is scored, in voxels, as JSON")
four.add_argument("--workers", type=int, default=1, help="processes")

if __name__ == "__main__":
    sys.exit(command.main(parser, command.run_step))
