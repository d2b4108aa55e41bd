"""Settings of the evaluate stage."""

from typing import Literal

from pydantic import Field

from fgnet.settings.base import Section
from fgnet.settings.mask import Mask
from fgnet.settings.teasar import Teasar


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


class Derived(Teasar):
    """Centre lines of labels by kimimaro's TEASAR (Sato et al., 2000)."""

    grid: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="Step in nm of the isotropic grid on which they are drawn; neurites thinner "
        "than it fall into pieces. null: four times the finest edge of a voxel but no more than "
        "40 nm, or its coarsest edge where that is more.",
    )
    min_voxels: int = Field(16, ge=1, description="Pieces of fewer points of the grid get no line.")


class Scoring(Section):
    """What the scores depend on."""

    border: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="nm. Voxels at most so far from a border of the ground truth in their section "
        "are not scored, as in the evaluation of CREMI (usually 25); 0 scores every voxel. "
        "Boundaries and components are those of all labels.",
    )


class Outlines(Section):
    """What scores of the boundaries of masks depend on."""

    boundary_tolerance: float = Field(
        0.0075,
        ge=0,
        lt=1,
        description="Of image sets: how far boundaries of masks may lie apart and still meet, as a "
        "share of the image's diagonal (0.0075: 3.6 pixels at 288 x 384).",
    )


class MaskScoring(Mask, Outlines):
    """What the scores of masks depend on."""


class Evaluate(Choosing, Scoring, Outlines):
    """Which voxels are scored, how the threshold is chosen, how run lengths are measured.

    Every score is always written. Voxels and pixels without ground truth never count.
    """

    smallest_share: float = Field(
        0.01,
        gt=0,
        lt=1,
        description="From which share of a neuron on a part of it counts as one, where neurons are "
        "listed as split and merged.",
    )
    tolerance: float = Field(
        100.0,
        ge=0,
        allow_inf_nan=False,
        description="nm. For the run length, a segment that holds at least so much path of two "
        "neurons is a merger, whose runs count 0.",
    )
    skeletons: Derived | None = Field(
        None,
        description="Derive centre lines from the labels of volumes that are given none, so that "
        "their run length is scored too, by the program kimimaro (GPL), which is called in an "
        "environment of its own; `{}` takes the defaults.",
    )

    def scoring(self) -> Scoring:
        """What the scores depend on."""
        return Scoring(border=self.border)

    def choosing(self) -> Choosing:
        """What the choice of the threshold depends on."""
        return Choosing(
            threshold=self.threshold, choose_by=self.choose_by, ground_truth=self.ground_truth
        )
