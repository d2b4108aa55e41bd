"""Settings of the mask stage."""

from pydantic import Field

from fgnet.settings.base import Section


class Mask(Section):
    """Of image sets, which pixels belong to the masks that are written, and scored as such."""

    threshold: float = Field(
        0.5,
        gt=0,
        le=1,
        description="How probable a class must be at a pixel to be in its mask.",
    )
