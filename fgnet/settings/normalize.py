"""Settings of the stage normalize."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from fgnet.settings.base import Section

ClipLimit = Annotated[float, Field(gt=0, le=1, strict=True)]


class Normalize(Section):
    """Intensities made comparable between volumes or sections."""

    low: float = Field(
        0.5, ge=0, lt=100, description="Percentile of the grey values that becomes 0."
    )
    high: float = Field(
        99.5, gt=0, le=100, description="Percentile of the grey values that becomes 255."
    )
    per: Literal["volume", "section"] = Field(
        "volume",
        description="Measure the percentiles over the whole volume, or in each section, which "
        "takes out contrast that jitters from section to section.",
    )
    clahe: Literal[False] | ClipLimit = Field(
        False,
        description="Contrast-limited adaptive histogram equalisation of each section after the "
        "stretch: false, or its clip limit in (0, 1], such as 0.01; higher gives more contrast.",
    )

    @model_validator(mode="after")
    def _low_below_high(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low ({self.low:g}) must be smaller than high ({self.high:g})")
        return self
