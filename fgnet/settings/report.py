"""Settings of the report stage."""

from pydantic import Field

from fgnet.settings.base import Section


class Report(Section):
    """What the pages show."""

    title: str = Field("Neurons from electron microscopy", description="Heading of the report.")
    picture: int = Field(
        320,
        ge=32,
        le=512,
        description="Longest side of the pictures of a segmentation in voxels; they are cut from "
        "the middle of the volume.",
    )
