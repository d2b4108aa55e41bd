"""Settings of the volumes: where each comes from and what it is for."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from fgnet.settings.base import Box, Name, Section
from fgnet.settings.parts import known_wholes, one_origin
from fgnet.settings.phantom import Phantom
from fgnet.settings.sources import (
    AnyLabels,
    AnySkeletons,
    AnySource,
    Nanometres,
    Source,
)

VoxelSize = tuple[Nanometres, Nanometres, Nanometres]


class Crop(Box):
    """Part of a source; an axis left out is taken whole."""

    unit: Literal["voxels", "nm"] = Field(
        "voxels",
        description="voxels count from the image's first, or as a precomputed layer's viewers "
        "count at its scale; nm is the place that the offset and voxel size say.",
    )


class Volume(Section):
    """An EM image with or without labels: from a source, generated, or a box of another."""

    source: AnySource | None = Field(
        None,
        description="Where the image lies: a path or an address, or these with more keys; or a "
        "list, of which the first is taken whose ${VARIABLES} are all set in the environment.",
    )
    labels: AnyLabels | None = Field(
        None, description="Where the ground truth lies, given as `source` is; it may be smaller."
    )
    mask: AnySource | None = Field(
        None,
        description="Where the layer lies that is 0 at voxels without ground truth: neither "
        "trained on nor scored.",
    )
    skeletons: AnySkeletons | None = Field(
        None,
        description="Where centre lines of neurons lie: a path or an address, or these with more "
        "keys. The run length is measured along them, also where there are no labels; without "
        "them, along lines derived from the labels if `evaluate.skeletons` asks for it.",
    )
    phantom: Phantom | None = Field(None, description="Generate the volume instead.")
    of: str | None = Field(None, description="Name of the volume of which this is a box.")
    box: Box | None = Field(
        None, description="The box of that volume, in voxels from its first; null for all of it."
    )
    split: Literal["train", "validation", "test", "predict"] | None = Field(
        None,
        description="What the volume is for; test takes labels or skeletons to score by; predict "
        "is segmented but not scored, unless along skeletons; null for a volume of which only "
        "boxes are used.",
    )
    voxel_size: VoxelSize | None = Field(
        None,
        description="Voxel size in nm along z, y, x; needed where the source records none, an "
        "error where it records one that differs by more than 1 %.",
    )
    crop: Crop | None = Field(
        None, description="Part to download; everything later sees only this part."
    )
    resample: VoxelSize | None = Field(
        None,
        description="Voxel size in nm along z, y, x to bring the volume to, such as that of the "
        "volumes which a model was trained on: the image by linear interpolation (smoothed where "
        "it shrinks), labels by their nearest voxel. `crop` counts before, `box` after.",
    )
    inverted: bool = Field(
        False,
        description="Membranes are bright; normalize turns grey values round before anything else.",
    )

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        one_origin(self)
        keys = ("labels", "mask", "skeletons", "crop", "voxel_size", "resample")
        own = [key for key in keys if getattr(self, key) is not None]
        if self.inverted:
            own.append("inverted")
        if self.of is not None and own:
            raise ValueError(f"{own[0]} belongs to the volume {self.of!r}; give a box here")
        if self.phantom is not None and {"labels", "mask", "voxel_size"} & set(own):
            raise ValueError(f"{own[0]} has no place beside phantom, which makes its own")
        if self.of is None and self.box is not None:
            raise ValueError("box needs the key of; to download a part use crop")
        return self

    def sources(self) -> list[Source]:
        """The sources of its layers."""
        return [one for one in (self.source, self.labels, self.mask) if one is not None]

    def local_files(self) -> list[str]:
        """The files on this machine whose change is a change of the volume, skeletons apart."""
        return list(dict.fromkeys(path for one in self.sources() for path in one.local_files()))


def _known_wholes(volumes: dict[str, Volume]) -> dict[str, Volume]:
    known_wholes(volumes, "volume")
    return volumes


Volumes = Annotated[dict[Name, Volume], AfterValidator(_known_wholes)]
