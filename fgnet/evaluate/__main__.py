"""Compare segmentations with ground truth: scores, the threshold, neurons, run lengths.

python -m fgnet.evaluate score --segmentation SEG.h5 --labels VOLUME.h5 --output SCORES.json
    --overlaps OVERLAPS.h5 --settings {}
python -m fgnet.evaluate skeletons --labels VOLUME.h5 --output SKELETONS.h5 --settings {}
python -m fgnet.evaluate choose --scores VALIDATION.json ... --output threshold.json --settings {}
python -m fgnet.evaluate neurons --overlaps OVERLAPS.h5 --segmentation SEG.h5 --scores SCORES.json
    --threshold threshold.json --output NEURONS.json --smallest-share 0.01
python -m fgnet.evaluate run_lengths --segmentation SEG.h5 --skeletons SKELETONS.h5
    --threshold threshold.json --output RUN_LENGTHS.json --tolerance 100
python -m fgnet.evaluate masks --chances CHANCES.h5 --labels SET.h5 --ranges null
    --output SCORES.json --settings {}
"""

import sys
from pathlib import Path

from fgnet import command, processors
from fgnet.settings.evaluate import Choosing, MaskScoring, Scoring

# each step imports what it needs itself: skeletons runs in an environment without the libraries of
# the others


def run_score(
    segmentation: Path,
    labels: Path,
    output: Path,
    overlaps: Path,
    settings: str,
) -> None:
    """Score all thresholds of a segmentation."""
    from fgnet.evaluate import score

    wanted = Scoring.from_json(settings)
    score.run(segmentation, labels, output, overlaps, wanted)


def run_skeletons(labels: Path, output: Path, settings: str, box: str, workers: int) -> None:
    """Derive the skeletons of labels, along which run lengths are measured."""
    from fgnet.evaluate import skeletons

    skeletons.run(labels, output, settings, box, processors.threads(workers))


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


def run_run_lengths(
    segmentation: Path, skeletons: Path, threshold: Path, output: Path, tolerance: float
) -> None:
    """Follow the neurons along their skeletons."""
    from fgnet.evaluate import run_lengths

    run_lengths.run(segmentation, skeletons, threshold, output, tolerance)


def run_masks(chances: Path, labels: Path, ranges: str, output: Path, settings: str) -> None:
    """Score the masks of a set of images."""
    from fgnet import imageset
    from fgnet.evaluate import masks

    wanted = MaskScoring.from_json(settings)
    masks.run(chances, labels, imageset.ranges(ranges), output, wanted)


parser = command.parser("evaluate", __doc__ or "")
steps = command.steps(
    parser, score=run_score, skeletons=run_skeletons, choose=run_choose, neurons=run_neurons,
    run_lengths=run_run_lengths, masks=run_masks,
)  # fmt: skip

for name in ("score", "neurons", "run_lengths"):
    steps[name].add_argument(
        "--segmentation", type=Path, required=True,
        help="from agglomerate, as results/agglomerate/MODEL/METHOD/VOLUME.h5",
    )  # fmt: skip
for name in ("score", "skeletons"):
    steps[name].add_argument(
        "--labels", type=Path, required=True,
        help="a normalised volume with labels, as results/normalize/VOLUME.h5",
    )  # fmt: skip

one = steps["score"]
one.add_argument("--output", type=Path, required=True, help="JSON file to write: the scores")
one.add_argument("--overlaps", type=Path, required=True, help="HDF5 file to write, for neurons")
one.add_argument("--settings", default="{}", metavar="JSON", help="the section evaluate: border")

two = steps["choose"]
two.add_argument(
    "--scores", type=Path, nargs="*", default=[], help="what score wrote of validation volumes"
)
two.add_argument("--output", type=Path, required=True, help="JSON file to write: the threshold")
two.add_argument(
    "--settings",
    default="{}",
    metavar="JSON",
    help="the section evaluate: threshold, choose_by, ...",
)

three = steps["neurons"]
three.add_argument("--overlaps", type=Path, required=True, help="what score wrote")
three.add_argument("--scores", type=Path, required=True, help="the volume's, from score")
three.add_argument("--threshold", type=Path, required=True, help="what choose wrote")
three.add_argument("--output", type=Path, required=True, help="JSON file to write: the neurons")
three.add_argument(
    "--smallest-share",
    type=float,
    required=True,
    help="of a neuron, from which on a part of it counts",
)

four = steps["skeletons"]
four.add_argument("--output", type=Path, required=True, help="HDF5 file to write: the skeletons")
four.add_argument("--settings", default="{}", metavar="JSON", help="evaluate.skeletons")
four.add_argument("--box", default="{}", metavar="JSON", help="the part that is scored, in voxels")
four.add_argument("--workers", type=int, default=1, help="processes")

five = steps["run_lengths"]
five.add_argument(
    "--skeletons", type=Path, required=True, help="from the step skeletons or from download"
)
five.add_argument("--threshold", type=Path, required=True, help="what choose wrote")
five.add_argument("--output", type=Path, required=True, help="JSON file to write: run lengths")
five.add_argument(
    "--tolerance", type=float, required=True, help="nm by which a skeleton may miss its neuron"
)

six = steps["masks"]
six.add_argument("--chances", type=Path, required=True, help="results/infer/MODEL/SET.h5")
six.add_argument(
    "--labels", type=Path, required=True, help="a normalised set, results/normalize/SET.h5"
)
six.add_argument(
    "--ranges",
    default="null",
    metavar="JSON",
    help="its images: the first and the one after the last, of each range; null: all",
)
six.add_argument("--output", type=Path, required=True, help="JSON file to write: the scores")
six.add_argument(
    "--settings", default="{}", metavar="JSON", help="threshold and boundary_tolerance"
)

if __name__ == "__main__":
    sys.exit(command.main(parser, command.run_step))
