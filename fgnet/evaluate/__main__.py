"""The command line of the evaluate stage.

python -m fgnet.evaluate score --segmentation SEG.h5 --labels VOLUME.h5 --output SCORES.json
python -m fgnet.evaluate skeletons --labels VOLUME.h5 --output SKELETONS.h5 --settings {}
python -m fgnet.evaluate choose --scores VALIDATION.json ... --output threshold.json --settings {}
"""

import sys
from pathlib import Path

from fgnet import command
from fgnet.settings.evaluate import Choosing

# each step imports what it needs itself: skeletons runs in an environment without the libraries of
# the others


def run_score(segmentation: Path, labels: Path, output: Path) -> None:
    """Score all thresholds of a segmentation."""
    from fgnet.evaluate import score

    score.run(segmentation, labels, output)


def run_skeletons(labels: Path, output: Path, settings: str, box: str, workers: int) -> None:
    """Derive the skeletons of labels, along which run lengths are measured."""
    from fgnet.evaluate import skeletons

    skeletons.run(labels, output, settings, box, workers)


def run_choose(scores: list[Path], output: Path, settings: str) -> None:
    """Choose the threshold from the validation volumes' scores."""
    from fgnet.evaluate import choose

    choose.run(scores, output, Choosing.from_json(settings))


parser = command.parser("evaluate", __doc__ or "")
steps = command.steps(parser, score=run_score, skeletons=run_skeletons, choose=run_choose)

one = steps["score"]
one.add_argument("--segmentation", type=Path, required=True)
one.add_argument("--labels", type=Path, required=True)
one.add_argument("--output", type=Path, required=True)

two = steps["choose"]
two.add_argument("--scores", type=Path, nargs="*", default=[])
two.add_argument("--output", type=Path, required=True)
two.add_argument(
    "--settings", default="{}", help="what of the config's section evaluate chooses, as JSON"
)

three = steps["skeletons"]
three.add_argument("--labels", type=Path, required=True, help="results/normalize/VOLUME.h5")
three.add_argument("--output", type=Path, required=True)
three.add_argument("--settings", default="{}", help="the config's evaluate.skeletons as JSON")
three.add_argument("--box", default="{}", help="the part that is scored, in voxels, as JSON")
three.add_argument("--workers", type=int, default=1, help="processes")

if __name__ == "__main__":
    sys.exit(command.main(parser, command.run_step))
