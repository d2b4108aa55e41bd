"""Settings of the generated volume."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from fgnet.settings.base import Section

Size = Annotated[int, Field(ge=4)]
Nanometres = Annotated[float, Field(gt=0)]


class Phantom(Section):
    """A generated volume that looks like EM and has exact labels."""

    shape: tuple[Size, Size, Size] = Field(
        (32, 192, 192), description="Size in voxels along z, y, x."
    )
    voxel_size: tuple[Nanometres, Nanometres, Nanometres] = Field(
        (30.0, 8.0, 8.0), description="Voxel size in nm along z, y, x."
    )
    seed: int = Field(0, ge=0, description="Same seed and settings, same volume.")
    calibre: float = Field(
        220.0, gt=0, description="Typical diameter of a neurite in nm; they vary around it."
    )
    membrane_width: float = Field(
        28.0, gt=0, description="Width in nm of the dark line between two neurites."
    )
    faint: float = Field(
        0.08, ge=0, lt=1, description="Part of the membrane that is faint, 0 to 1, in spots."
    )
    mitochondria: float = Field(
        2.0, ge=0, description="Mitochondria per µm of neurite that is wide enough for one."
    )
    vesicles: float = Field(
        1200.0, ge=0, description="Vesicles per µm³ of the volume; they lie in clusters."
    )
    noise: float = Field(
        22.0, ge=0, description="Shot noise: standard deviation at cytoplasm in grey levels."
    )
    section_jitter: float = Field(
        0.12, ge=0, lt=0.5, description="Relative change of contrast from section to section."
    )

    @model_validator(mode="after")
    def _neurites_span_sections(self) -> Self:
        if self.calibre < 3 * max(self.voxel_size):
            raise ValueError(
                f"calibre {self.calibre:g} nm is less than 3 voxels of {max(self.voxel_size):g} "
                "nm, so neurites would not overlap from section to section; raise calibre or "
                "lower voxel_size"
            )
        return self
