"""The files of scores and of the chosen threshold, as JSON.

A file of scores holds the whole threshold sweep of one segmentation, twice: against the ids of
the ground truth as they are, and against their 6-connected components inside the scored box (a
box cuts neurons into pieces that no segmentation can join).
"""

from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from fgnet import volume
from fgnet.errors import InputError

GroundTruth = Literal["ids", "components"]
Criterion = Literal["voi", "arand"]


class Record(BaseModel):
    """A part of a JSON file; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Row(Record):
    """The scores at one threshold; VOI in bits, ARAND from 0 to 1, lower is better."""

    threshold: float
    segments: int
    voi_split: float
    voi_merge: float
    voi_sum: float
    arand: float


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


class Scores(Record):
    """The file of scores of one segmentation."""

    voxels_scored: int
    voxels_ignored: int
    against_ids: Sweep
    against_components: Sweep
    made_by: dict[str, Any]

    def against(self, truth: GroundTruth) -> Sweep:
        """The sweep against one of the two ground truths."""
        return self.against_ids if truth == "ids" else self.against_components


class Choice(Record):
    """The file of the threshold chosen for one model and one agglomeration.

    ``reason`` says in words how; ``mean`` holds the criterion's mean over the validation volumes
    at every threshold, in the thresholds' order, and is empty for a fixed threshold.
    """

    threshold: float
    reason: str
    chosen_by: Literal["voi", "arand", "fixed"]
    ground_truth: GroundTruth
    mean: list[float]
    made_by: dict[str, Any]


File = TypeVar("File", Scores, Choice)


def read(path: Path, kind: type[File]) -> File:
    """Read a file of scores or of a choice. Raises InputError when it is none."""
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


def write(path: Path, content: Scores | Choice) -> None:
    """Write the file whole or not at all."""
    with volume.whole_or_nothing(path) as partial:
        partial.write_text(content.model_dump_json(indent=1) + "\n", encoding="utf-8")
