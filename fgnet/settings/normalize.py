"""Settings of the stage normalize."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from fgnet.settings.base import Name, Section

ClipLimit = Annotated[float, Field(gt=0, le=1, strict=True)]


class OfVolumes(Section):
    """Intensities made comparable between volumes or sections; defective sections mended."""

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

    match: Name | None = Field(
        None,
        description="Name of the volume that the others are made to look like: grey values of each "
        "other volume, or with `per: section` of each of its sections, are mapped so that their "
        "histogram meets that of this volume after its own stretch.",
    )
    defects: Literal["list", "interpolate"] = Field(
        "list",
        description="What is done to lost and bordered sections, which the result lists and the "
        "percentiles leave out: nothing more, or their bad pixels are interpolated between the "
        "nearest sound sections on both sides (copied at the volume's ends).",
    )
    max_gap: int = Field(
        3, ge=1, description="Most defective sections in a row that are interpolated."
    )
    lost_share: float = Field(
        0.95,
        gt=0,
        le=1,
        description="Share of a section with one and the same grey value from which on the section "
        "is lost.",
    )
    border_share: float = Field(
        0.005,
        gt=0,
        le=1,
        description="Share of a section that black or white areas at the image's sides (padding, "
        "wedges left by alignment) fill from which on the section is bordered.",
    )
    border_side: float = Field(
        0.25,
        gt=0,
        le=1,
        description="Part of a side that such an area runs along at least; tissue that was clipped "
        "to black or white meets the sides in shorter pieces.",
    )

    @model_validator(mode="after")
    def _low_below_high(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low ({self.low:g}) must be smaller than high ({self.high:g})")
        return self


class Normalize(OfVolumes):
    """The section ``normalize``: of volumes, and of sets of 2-D images."""

    images: Literal["keep", "stretch"] = Field(
        "keep",
        description="The images of a set: as they are, which is what image encoders were trained "
        "on, or each stretched between the percentiles low and high, all its colours alike.",
    )


class ImagesNormalize(Section):
    """What the rule of one set of images receives."""

    stretch: tuple[float, float] | None = Field(
        None, description="Percentiles that become 0 and 255; null: images as they are."
    )


class VolumeNormalize(OfVolumes):
    """What the rule of one volume receives: the section normalize, and what is the volume's."""

    inverted: bool = Field(False, description="Whether membranes are bright.")
    reference_inverted: bool = Field(
        False, description="Whether membranes are bright in the volume of `match`."
    )
