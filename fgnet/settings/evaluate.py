"""Settings of the evaluate stage."""

from typing import Literal

from pydantic import Field

from fgnet.settings.base import Section


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
