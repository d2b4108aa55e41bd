"""Settings of the evaluate stage."""

from typing import Literal

from pydantic import Field

from fgnet.settings.base import Section


class Choosing(Section):
    """How the agglomeration threshold is chosen."""

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


class Evaluate(Choosing):
    """Which voxels are scored, and how the agglomeration threshold is chosen.

    Every score is always written. Voxels without ground truth never count.
    """

    border: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="nm. Voxels at most so far from a border of the ground truth in their section "
        "are not scored, as in the evaluation of CREMI (usually 25); 0 scores every voxel. "
        "Boundaries and components are those of all labels.",
    )
    smallest_share: float = Field(
        0.01,
        gt=0,
        lt=1,
        description="From which share of a neuron on a part of it counts as one, where neurons are "
        "listed as split and merged.",
    )

    def choosing(self) -> Choosing:
        """What the choice of the threshold depends on."""
        return Choosing(
            threshold=self.threshold, choose_by=self.choose_by, ground_truth=self.ground_truth
        )
