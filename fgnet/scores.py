"""The files of scores, of the chosen threshold, of neurons and of run lengths, as JSON.

A file of scores holds the whole threshold sweep of one segmentation, twice: against the ids of
the ground truth as they are, and against their 6-connected components inside the scored box (a
box cuts neurons into pieces that no segmentation can join). The file of neurons holds what became
of each at the chosen threshold. Run lengths, along skeletons, need no ground truth of voxels.
"""

from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from fgnet.errors import InputError
from fgnet.whole import whole_or_nothing

GroundTruth = Literal["ids", "components"]
Criterion = Literal["voi", "arand"]


class Record(BaseModel):
    """A part of a JSON file; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Row(Record):
    """The scores at one threshold; docs/scores.md defines them.

    ``segments`` is how many hold a scored voxel, background left out. VOI in bits, ARAND and CREMI
    score: 0 is perfect. The others go from 0 to 1, 1 is perfect. ``average_precision`` is the mean
    of ``average_precision_at`` the ten thresholds of intersection over union, 0.5 to 0.95.
    """

    threshold: float
    segments: int
    voi_split: float
    voi_merge: float
    voi_sum: float
    arand: float
    rand_precision: float
    rand_recall: float
    cremi: float
    average_precision: float
    average_precision_at: list[float]
    boundary_precision: float
    boundary_recall: float
    boundary_f1: float


class Sweep(Record):
    """The scores over all thresholds against one ground truth of so many objects."""

    objects: int
    sweep: list[Row]

    def at(self, threshold: float) -> Row:
        """The scores at a threshold. Raises InputError when it was not swept."""
        for row in self.sweep:
            if abs(row.threshold - threshold) < 1e-9:
                return row
        known = ", ".join(f"{row.threshold:g}" for row in self.sweep)
        raise InputError(f"threshold {threshold:g} was not scored; the file of scores has {known}")


class Treatment(Record):
    """Which voxels are scored, in numbers and in words.

    ``border`` is in nm, ``voxel_size`` too, along z, y, x. ``measures`` says of the scores what
    definitions leave open.
    """

    voxel_size: tuple[float, float, float]
    voxels_unlabelled: int
    voxels_near_border: int
    border: float
    words: str
    measures: str


class Scores(Record):
    """The file of scores of one segmentation."""

    voxels_scored: int
    voxels_ignored: int
    treatment: Treatment
    against_ids: Sweep
    against_components: Sweep
    made_by: dict[str, Any]

    def against(self, truth: GroundTruth) -> Sweep:
        """The sweep against one of the two ground truths."""
        return self.against_ids if truth == "ids" else self.against_components


class Choice(Record):
    """The file of the threshold chosen for one model and one agglomeration.

    ``reason`` says in words how; ``criterion`` is what an oracle would make smallest, also where
    the threshold is fixed; ``mean`` holds its mean over the validation volumes at every threshold,
    in the thresholds' order, and is empty for a fixed threshold.
    """

    threshold: float
    reason: str
    chosen_by: Literal["voi", "arand", "fixed"]
    criterion: Criterion
    ground_truth: GroundTruth
    mean: list[float]
    made_by: dict[str, Any]


Interval = tuple[float, float]


class Intervals(Record):
    """Of each score the middle 95 % of resamples of the neurons."""

    voi_split: Interval
    voi_merge: Interval
    voi_sum: Interval
    arand: Interval
    cremi: Interval


class Samples(Record):
    """Scores of every resample, to 6 digits; of all models on one volume, the same resamples."""

    voi_sum: list[float]
    arand: list[float]


class Verdict(Record):
    """The scores against one ground truth of so many objects.

    ``chosen`` holds those at the threshold that was chosen elsewhere, ``intervals`` what is about
    them and ``samples`` what that was made of (None for a single object), ``oracle`` those at the
    threshold that is best here.
    """

    objects: int
    chosen: Row
    intervals: Intervals | None
    samples: Samples | None
    oracle: Row


class Foreign(Record):
    """Voxels of another neuron; ``component`` says which part of it, where parts are scored."""

    neuron: int
    component: int | None
    voxels: int


class Mistake(Foreign):
    """One error of a neuron and a voxel to look at.

    split: ``voxels`` of the neuron lie in ``segment``, which is not its main one; ``neuron`` is
    the one that holds most of that segment. merge: ``voxels`` of ``neuron`` lie in ``segment``,
    the main one. lost: ``voxels`` of the neuron, which is ``neuron``, lie in background.
    ``voxel`` (z, y, x) counts in the volume's own file, ``nm`` includes that file's offset.
    """

    kind: Literal["split", "merge", "lost"]
    segment: int
    voxel: tuple[int, int, int]
    nm: tuple[float, float, float]


class Neuron(Record):
    """How one neuron of the ground truth fared; counts are of scored voxels.

    ``segments`` is how many segments hold a share of it worth counting, ``main`` the one with
    most of it (0 where none holds any) and ``main_voxels`` how much, ``background`` what none
    holds, ``merged_with`` of how many neurons ``main`` holds a share worth counting and ``merged``
    the largest such shares. ``voi_split`` and ``voi_merge`` are what it adds to the scores, in
    bits. ``low`` and ``high`` are the first and last voxel (z, y, x) of the box around it.
    ``mistakes`` are the largest.
    """

    neuron: int
    component: int | None
    voxels: int
    cubic_micrometres: float
    segments: int
    main: int
    main_voxels: int
    background: int
    merged_with: int
    merged: list[Foreign]
    voi_split: float
    voi_merge: float
    low: tuple[int, int, int]
    high: tuple[int, int, int]
    mistakes: list[Mistake]


class Neurons(Record):
    """The file of one segmentation at the chosen threshold, neuron by neuron, the worst first.

    ``criterion`` is what the oracle makes smallest; the neurons are those of ``ground_truth``.
    ``smallest_share`` is from which share on a part of a neuron counts.
    """

    threshold: float
    reason: str
    criterion: Criterion
    ground_truth: GroundTruth
    treatment: Treatment
    resamples: int
    smallest_share: float
    against_ids: Verdict
    against_components: Verdict
    neurons: list[Neuron]
    made_by: dict[str, Any]

    def against(self, truth: GroundTruth) -> Verdict:
        """The verdict against one of the two ground truths."""
        return self.against_ids if truth == "ids" else self.against_components


class RunLength(Record):
    """How far one follows a neuron before the segmentation is wrong; docs/scores.md defines it.

    ``expected`` in µm, ``with_mergers`` if mergers were no error; ``normalised`` from 0 to 1, which
    is perfect. ``correct``, ``merged``, ``split`` and ``omitted`` are shares of the path, and
    ``mergers`` is how many segments hold two neurons.
    """

    threshold: float
    expected: float
    normalised: float
    with_mergers: float
    correct: float
    merged: float
    split: float
    omitted: float
    mergers: int


class RunIntervals(Record):
    """The middle 95 % of resamples of the neurons; ``expected`` in µm."""

    expected: Interval
    normalised: Interval


class RunLengths(Record):
    """The file of the run lengths of one segmentation along skeletons, at every threshold.

    ``words`` says what they were measured along and how, or why there are none: then ``chosen`` is
    None and ``sweep`` empty. ``micrometres`` is the length of all lines in the volume, of so many
    ``neurons``; ``tolerance`` (nm) from how much path on a segment holds a neuron; ``skeletons``
    says where the lines came from. ``chosen`` holds those at the ``threshold`` that was chosen
    elsewhere, and ``intervals`` what is about them (None for a single neuron).
    """

    neurons: int
    micrometres: float
    tolerance: float
    words: str
    skeletons: dict[str, Any]
    threshold: float
    chosen: RunLength | None
    intervals: RunIntervals | None
    resamples: int
    sweep: list[RunLength]
    made_by: dict[str, Any]


File = TypeVar("File", bound=Record)


def read(path: Path, kind: type[File]) -> File:
    """Read a file of one of the kinds. Raises InputError when it is none."""
    if not path.is_file():
        raise InputError(f"there is no file {str(path)!r}; run the evaluate stage first")
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole file"
        raise InputError(
            f"{str(path)!r} is no file of {kind.__name__.lower()} of this version "
            f"({where}: {first['msg']}); delete it and run the evaluate stage again"
        ) from error


def write(path: Path, content: Record) -> None:
    """Write the file whole or not at all."""
    with whole_or_nothing(path) as partial:
        partial.write_text(content.model_dump_json(indent=1) + "\n", encoding="utf-8")
