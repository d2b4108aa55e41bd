"""Settings of the registry of volumes: where each comes from and what it is for."""

import difflib
import os
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from fgnet.settings.base import Box, Name, Section
from fgnet.settings.phantom import Phantom

VARIABLE = re.compile(r"\$\{(\w+)\}")
RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
CLOUD = {"gs", "s3", "file", "https", "http"}

Nanometres = Annotated[float, Field(gt=0)]


def _checksum(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", text.lower()):
        raise ValueError("a SHA-256 checksum of 64 hexadecimal digits is needed")
    return text.lower()


def _location(text: str) -> str:
    scheme, colon, _ = text.partition("://")
    if colon and scheme not in {"http", "https", "file"}:
        raise ValueError("a path or an http(s) address is needed")
    return text


def _layer(text: str) -> str:
    scheme, colon, _ = text.removeprefix("precomputed://").partition("://")
    if colon and scheme not in CLOUD:
        raise ValueError("a path or an address that starts with gs, s3, https or file is needed")
    return text.removeprefix("precomputed://")


def _pattern(text: str) -> str:
    ranges = RANGE.findall(text)
    if len(ranges) != 1 or int(ranges[0][0]) > int(ranges[0][1]):
        raise ValueError("one range of section numbers is needed, such as {0000..0099}")
    return text


Sha256 = Annotated[str, AfterValidator(_checksum)]
Location = Annotated[str, Field(min_length=1), AfterValidator(_location)]
Layer = Annotated[str, Field(min_length=1), AfterValidator(_layer)]
Pattern = Annotated[Location, AfterValidator(_pattern)]


class Hdf5Source(Section):
    """A volume in one HDF5 file, or raw in one and labels in another."""

    file: Location = Field(description="HDF5 file: a path or an http(s) address; may end in .gz.")
    raw: str = Field("volumes/raw", description="Path of the image inside the file; axes z, y, x.")
    labels: str | None = Field(
        "volumes/labels/neuron_ids",
        description="Path of the labels inside the file; null for a volume without labels.",
    )
    labels_file: Location | None = Field(
        None, description="File that holds the labels where they stand in a file of their own."
    )
    member: str | None = Field(
        None, description="Name of the HDF5 file inside the archive where `file` is a .zip."
    )
    labels_member: str | None = Field(None, description="The same for `labels_file`.")
    sha256: Sha256 | None = Field(
        None, description="SHA-256 checksum of `file` as it is downloaded, 64 hexadecimal digits."
    )
    labels_sha256: Sha256 | None = Field(None, description="The same for `labels_file`.")

    @model_validator(mode="after")
    def _labels_have_a_file(self) -> Self:
        if self.labels_file is None and (self.labels_member or self.labels_sha256):
            raise ValueError("labels_member and labels_sha256 need labels_file")
        return self


class ImagesSource(Section):
    """A series of 8-bit greyscale images, one a section, with labels in an HDF5 file."""

    images: Pattern = Field(
        description="Path or address of the sections with their range of numbers in braces: "
        "iso.{2600..2849}.png; zeros in front of the first number pad all of them."
    )
    labels: Location | None = Field(
        None, description="HDF5 file of the labels, a path or an address; may end in .gz."
    )
    labels_dataset: str = Field(
        "volumes/labels/neuron_ids", description="Path of the labels inside the file; z, y, x."
    )
    labels_mapping: str | None = Field(
        None,
        description="Path of a table inside the file, two columns (or two rows): id as stored, "
        "id of the body. An id that the table leaves out keeps its value (NeuroProof's "
        "`transforms`).",
    )
    checksums: Location | None = Field(
        None,
        description="List of SHA-256 checksums as sha256sum writes it, matched by file name; "
        "every file fetched must be in it.",
    )


class PrecomputedSource(Section):
    """A layer that cloud-volume reads; `crop` is its region of interest."""

    precomputed: Layer = Field(
        description="Image layer: a path or a gs, s3, https or file address."
    )
    labels: Layer | None = Field(
        None, description="Segmentation layer; read at the scale whose voxel size is the image's."
    )
    mip: int = Field(0, ge=0, description="Scale of the image layer; 0 is the finest.")
    public: bool = Field(True, description="Read a gs or s3 layer over https without credentials.")


KINDS = {"file": Hdf5Source, "images": ImagesSource, "precomputed": PrecomputedSource}
Source = Hdf5Source | ImagesSource | PrecomputedSource


def _kind(value: Any) -> str | None:
    if isinstance(value, Section):
        return type(value).__name__
    if isinstance(value, Mapping):
        return next((kind.__name__ for key, kind in KINDS.items() if key in value), None)
    return None


Alternative = Annotated[
    Annotated[Hdf5Source, Tag("Hdf5Source")]
    | Annotated[ImagesSource, Tag("ImagesSource")]
    | Annotated[PrecomputedSource, Tag("PrecomputedSource")],
    Discriminator(
        _kind,
        custom_error_type="source_kind",
        custom_error_message="A source needs one of the keys file, images or precomputed",
    ),
]
ALTERNATIVE: TypeAdapter[Source] = TypeAdapter(Alternative)


def choose(value: Any, check: ValidatorFunctionWrapHandler) -> Source:
    """The first source whose environment variables are all set, with these filled in.

    All alternatives are checked, also those that this machine does not use.
    """
    alternatives = [check(item) for item in (value if isinstance(value, list) else [value])]
    unset: dict[str, None] = {}
    for alternative in alternatives:
        values = alternative.model_dump()
        texts = [text for text in values.values() if isinstance(text, str)]
        missing = [
            name for text in texts for name in VARIABLE.findall(text) if not os.environ.get(name)
        ]
        if not missing:
            filled = {key: _filled(text) for key, text in values.items()}
            return ALTERNATIVE.validate_python(filled)
        unset |= dict.fromkeys(missing)
    if not alternatives:
        raise ValueError("the list of alternatives is empty")
    raise ValueError(
        f"the environment variable {' or '.join(unset)} is not set; "
        "set it or give an alternative without it"
    )


def _filled(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return VARIABLE.sub(lambda match: os.environ[match[1]], value)


class Volume(Section):
    """An EM image with or without labels: from a source, generated, or a box of another."""

    source: (
        Annotated[
            Alternative,
            WrapValidator(choose, json_schema_input_type=Alternative | list[Alternative]),
        ]
        | None
    ) = Field(
        None,
        description="Where the volume comes from: an HDF5 file, a series of images or a "
        "precomputed layer; or a list of these, of which the first is taken whose ${VARIABLES} "
        "are all set in the environment.",
    )
    phantom: Phantom | None = Field(None, description="Generate the volume instead.")
    of: str | None = Field(None, description="Name of the volume of which this is a box.")
    box: Box | None = Field(
        None, description="The box of that volume, in voxels from its first; null for all of it."
    )
    split: Literal["train", "validation", "test", "predict"] | None = Field(
        None,
        description="What the volume is for; predict is segmented but not scored; null for a "
        "volume of which only boxes are used.",
    )
    voxel_size: tuple[Nanometres, Nanometres, Nanometres] | None = Field(
        None,
        description="Voxel size in nm along z, y, x; needed where the source records none, an "
        "error where it records one that differs by more than 1 %.",
    )
    crop: Box | None = Field(
        None,
        description="Part to download, in voxels; everything later sees only this part. Counts "
        "from the first voxel of the source (where labels cover a part of the image, from "
        "theirs), and for a precomputed layer in its own coordinates at `mip`.",
    )
    inverted: bool = Field(
        False,
        description="Membranes are bright; normalize turns grey values round before anything else.",
    )

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        given = [key for key in ("source", "phantom", "of") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(
                "exactly one of source, phantom and of is needed, not "
                + (" and ".join(given) or "none")
            )
        own = [key for key in ("crop", "voxel_size") if getattr(self, key) is not None]
        if self.inverted:
            own.append("inverted")
        if self.of is not None and own:
            raise ValueError(f"{own[0]} belongs to the volume {self.of!r}; give a box here")
        if self.of is None and self.box is not None:
            raise ValueError("box needs the key of; to download a part use crop")
        return self


def _known_wholes(volumes: dict[str, Volume]) -> dict[str, Volume]:
    wholes = [name for name, volume in volumes.items() if volume.of is None]
    for name, volume in volumes.items():
        if volume.of is not None and volume.of not in wholes:
            close = difflib.get_close_matches(volume.of, wholes, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(wholes)}"
            raise ValueError(
                f"{name}.of: there is no volume {volume.of!r} with a source or phantom; {hint}"
            )
    return volumes


Volumes = Annotated[dict[Name, Volume], AfterValidator(_known_wholes)]
