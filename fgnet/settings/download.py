"""Settings of the stage download."""

from pydantic import Field

from fgnet.settings.base import Plain, Section
from fgnet.settings.images import ImageSet
from fgnet.settings.sources import SkeletonSource
from fgnet.settings.volumes import Volume


class Download(Section):
    """How files and layers are fetched over a network; no result depends on it."""

    retries: int = Field(
        5, ge=0, description="Tries after a failed one, each of which resumes where it broke off."
    )
    backoff: float = Field(
        1.0, ge=0, description="Seconds before the first retry; doubled before each further one."
    )
    timeout: float = Field(
        60.0,
        gt=0,
        description="Seconds without a byte from the server after which a try failed; a piece of a "
        "layer of chunks may take ten times as long.",
    )
    connections: int = Field(
        4, ge=1, le=32, description="Files of an image series fetched at the same time."
    )
    lock: Plain = Field(
        "checksums.lock",
        description="File in which the checksum of every download is noted for which the config "
        "gives none; what comes later from the same address must be the same. Keep it with "
        "your config.",
    )


class VolumeDownload(Section):
    """What the rule of one volume receives; its skeletons have a rule of their own."""

    volume: Volume = Field(description="The volume's entry in the config.")


class ImagesDownload(Section):
    """What the rule of one set of images receives."""

    images: ImageSet = Field(description="The set's entry in the config.")


class SkeletonsDownload(Section):
    """What the rule of one volume's skeletons receives."""

    skeletons: SkeletonSource = Field(description="Where they lie.")
