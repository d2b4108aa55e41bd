"""Settings of the report stage."""

from typing import Annotated

from pydantic import Field

from fgnet.settings.base import Section

Orcid = Annotated[str, Field(pattern=r"^(\d{4}-){3}\d{3}[\dX]$")]


class Author(Section):
    """Somebody who made the results."""

    name: str = Field(min_length=1, description="As in a publication.")
    affiliation: str | None = Field(None, min_length=1, description="University or institute.")
    orcid: Orcid | None = Field(None, description="Such as 0000-0002-1825-0097.")


class Report(Section):
    """What the pages show."""

    title: str | None = Field(
        None,
        description="Heading of the report; null: Neurons from electron microscopy, or Masks of "
        "images.",
    )
    picture: int = Field(
        320,
        ge=32,
        le=512,
        description="Longest side of the pictures of a segmentation in voxels; they are cut from "
        "the middle of the volume.",
    )
    authors: tuple[Author, ...] = Field(
        (), description="Who made the results, as it is to stand where they are deposited."
    )
    licence: str | None = Field(
        None,
        min_length=1,
        description="On what terms the results may be used: an address such as "
        "https://creativecommons.org/licenses/by/4.0/, or words.",
    )
