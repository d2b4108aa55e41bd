"""The command line of the evaluate stage.

python -m fgnet.evaluate score --segmentation SEG.h5 --labels VOLUME.h5 --output SCORES.json
    --overlaps OVERLAPS.h5 --border 0
python -m fgnet.evaluate choose --scores VALIDATION.json ... --output threshold.json --settings {}
python -m fgnet.evaluate neurons --overlaps OVERLAPS.h5 --segmentation SEG.h5 --scores SCORES.json
    --threshold threshold.json --output NEURONS.json --smallest-share 0.01
"""

import sys
from pathlib import Path

from fgnet import command
from fgnet.evaluate import choose, neurons, score
from fgnet.settings.evaluate import Choosing


def run_score(
    segmentation: Path, labels: Path, output: Path, overlaps: Path, border: float
) -> None:
    """Score all thresholds of a segmentation."""
    score.run(segmentation, labels, output, overlaps, border)


def run_choose(scores: list[Path], output: Path, settings: str) -> None:
    """Choose the threshold from the validation volumes' scores."""
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
    neurons.run(overlaps, segmentation, scores, threshold, output, smallest_share)


parser = command.parser("evaluate", __doc__ or "")
steps = command.steps(parser, score=run_score, choose=run_choose, neurons=run_neurons)

one = steps["score"]
one.add_argument("--segmentation", type=Path, required=True)
one.add_argument("--labels", type=Path, required=True)
one.add_argument("--output", type=Path, required=True)
one.add_argument("--overlaps", type=Path, required=True)
one.add_argument("--border", type=float, required=True, help="evaluate.border, nm")

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

if __name__ == "__main__":
    sys.exit(command.main(parser, command.run_step))
