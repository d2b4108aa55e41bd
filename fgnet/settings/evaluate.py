"""Settings of the evaluate stage."""

from typing import Literal

from pydantic import Field

from fgnet.settings.base import Section


class RunLength(Section):
    """Expected run length, along the skeletons given with a volume or derived from its labels."""

    grid: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="Step in nm of the isotropic grid on which lines are derived from labels; "
        "neurites thinner than it fall into pieces. null: four times the finest edge of a voxel "
        "but no more than 40 nm, or its coarsest edge where that is more.",
    )
    spur: float = Field(
        100.0,
        ge=0,
        allow_inf_nan=False,
        description="Side branches of derived lines are cut off that reach no more than so many nm "
        "beyond the surface of the line that they leave.",
    )
    tolerance: float = Field(
        100.0,
        ge=0,
        allow_inf_nan=False,
        description="A segment that holds at least so many nm of the path of two neurons is a "
        "merger, whose runs count 0.",
    )


class Evaluate(Section):
    """How the agglomeration threshold is chosen; every score is always written."""

    threshold: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="A fixed agglomeration threshold (a score, so 1 - affinity for waterz), one "
        "of those swept; null chooses it from the scores of the validation volumes.",
    )
    choose_by: Literal["voi", "arand"] = Field(
        "voi",
        description="What the chosen threshold makes smallest, as a mean over the validation "
        "volumes: the VOI sum or the adapted Rand error.",
    )
    ground_truth: Literal["ids", "components"] = Field(
        "ids",
        description="The ground truth that the threshold is chosen against: the ids of the labels "
        "as they are, or their 6-connected components inside the scored box. Scores are written "
        "against both.",
    )
    skeletons: RunLength = Field(RunLength(), description="How run lengths are measured.")  # type: ignore[call-arg]
