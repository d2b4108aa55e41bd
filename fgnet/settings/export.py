"""Settings of the stage export."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from fgnet.settings.base import Section
from fgnet.settings.teasar import Teasar

Format = Literal["precomputed", "ome_zarr", "hdf5", "tiff"]
LayerName = Literal["image", "labels", "affinities", "segmentation"]

SUFFIX: dict[Format, str] = {
    "precomputed": "precomputed",
    "ome_zarr": "ome.zarr",
    "hdf5": "h5",
    "tiff": "ome.tif",
}
# folders of chunks at several scales, which Neuroglancer reads, the better one first
FOLDERS: tuple[Format, ...] = ("precomputed", "ome_zarr")
IDS: tuple[LayerName, ...] = ("labels", "segmentation")


class Folder(Section):
    """What is written into a folder of chunks beside the voxels themselves."""

    mips: int = Field(
        4,
        ge=1,
        le=16,
        description="Number of scales, the full one among them; each next one halves the axes "
        "that bring its voxels closer to cubes.",
    )
    meshes: bool = Field(False, description="Surfaces of the segments (precomputed only).")
    mesh_mip: int = Field(
        1,
        ge=0,
        description="Scale that surfaces are drawn at; 0 is the finest, with about four times as "
        "many triangles as 1.",
    )
    mesh_faces: float = Field(
        0.2,
        gt=0,
        le=1,
        description="Share of the triangles that simplified surfaces keep; 1 keeps all.",
    )
    min_voxels: int = Field(
        1000,
        ge=1,
        description="Segments of fewer voxels get no surface and no row in the list of segments.",
    )


class Skeletons(Teasar):
    """Centre lines by kimimaro's TEASAR (Sato et al., 2000)."""

    mip: int = Field(0, ge=0, description="Scale that they are drawn at; 0 is the finest.")
    min_voxels: int = Field(
        1000, ge=0, description="Pieces of fewer voxels in a box of 512 a side get no line."
    )
    min_length: float = Field(1000, ge=0, description="Shorter ones (nm) are left out.")


class Export(Folder):
    """Results in the formats that viewers read, for volumes of the splits test and predict."""

    formats: tuple[Format, ...] = Field(
        (),
        description="What to write; nothing by default. precomputed and ome_zarr are for "
        "Neuroglancer, hdf5 is CREMI's layout with ids of 64 bits, tiff is OME-TIFF.",
    )
    layers: tuple[LayerName, ...] = Field(
        ("image", "segmentation"),
        description="Which layers: the normalised image, the ground truth of test volumes, the "
        "nearest affinities (three times as large as the image), and the segmentations at the "
        "thresholds that were chosen.",
    )
    skeletons: Skeletons | None = Field(
        None,
        description="Centre lines of the segments beside the precomputed segmentations, by the "
        "program igneous (GPL), which is called in an environment of its own; `{}` takes the "
        "defaults.",
    )
    address: Annotated[str, Field(pattern=r"^https?://[^\s@?]+[^/\s@?]$")] = Field(
        "http://127.0.0.1:8090",
        description="Address under which the folder `results/export` will be served, without a "
        "slash at its end; the links to Neuroglancer name it.",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.formats and not self.layers:
            raise ValueError("layers: the list is empty; name a layer or leave the key out")
        scales = {"mesh_mip": self.mesh_mip} if self.meshes else {}
        if self.skeletons is not None:
            scales["skeletons.mip"] = self.skeletons.mip
        for key, mip in scales.items():
            if self.formats and mip >= self.mips:
                raise ValueError(
                    f"{key} is {mip}, but the scales are 0 to {self.mips - 1}; lower it or raise "
                    "mips"
                )
        for key in ("meshes", "skeletons"):
            if getattr(self, key) not in (False, None) and "precomputed" not in self.formats:
                raise ValueError(f"{key}: needs the format precomputed; add it to formats")
        if self.meshes and not set(IDS) & set(self.layers):
            raise ValueError("meshes: needs the layer segmentation or labels; add one to layers")
        if self.skeletons is not None and "segmentation" not in self.layers:
            raise ValueError("skeletons: needs the layer segmentation; add it to layers")
        return self

    def folder(self, layer: str, suffix: str) -> Folder:
        """What the folder of one layer depends on; an edit of the rest does not rewrite it."""
        if layer in IDS and suffix == SUFFIX["precomputed"]:
            return Folder.model_validate(self.model_dump(include=set(Folder.model_fields)))
        return Folder.model_validate({"mips": self.mips})

    def viewable(self) -> str | None:
        """Suffix of the folders that Neuroglancer is to read, if there are any."""
        return next((SUFFIX[name] for name in FOLDERS if name in self.formats), None)
