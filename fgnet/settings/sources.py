"""Settings of the sources: where an image, its labels, their mask or skeletons lie."""

import json
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    Field,
    TypeAdapter,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from fgnet.settings.base import Plain, Section
from fgnet.settings.locations import VARIABLE, Location, filled, local_files

DIGITS = {"sha256": 64, "md5": 32}

Format = Literal["hdf5", "tiff", "images", "zarr", "n5", "precomputed", "nrrd", "mrc"]


def _checksum(text: str) -> str:
    kind, colon, digits = text.lower().rpartition(":")
    kind = kind if colon else "sha256"
    if not re.fullmatch(r"[0-9a-f]+", digits) or DIGITS.get(kind) != len(digits):
        raise ValueError("sha256:… with 64 or md5:… with 32 hexadecimal digits is needed")
    return f"{kind}:{digits}"


def _axes(text: str) -> str:
    letters = {*text}
    if not re.fullmatch(r"[a-z]+", text) or len(letters) < len(text) or not letters >= {*"zyx"}:
        raise ValueError("z, y, x in the order of the file, and a letter for each further axis")
    return text


def _id(number: int) -> int:
    if number >= 2**64:
        raise ValueError("an id has 64 bits, so it is at most 18446744073709551615")
    return number


Nanometres = Annotated[float, Field(gt=0)]
Id = Annotated[int, Field(ge=0), AfterValidator(_id)]
Checksum = Annotated[str, AfterValidator(_checksum)]
Axes = Annotated[str, AfterValidator(_axes)]


class Source(Section):
    """Where one layer of a volume lies: a path or an address, and what else it takes to read it."""

    path: Location = Field(
        description="A file, a folder or an address (http, https, gs, s3): HDF5, TIFF, a folder of "
        "images, Zarr 2 and 3, N5, Neuroglancer precomputed, NRRD, MRC; packed as .gz or in a .zip "
        "where a file. A series of images may be a pattern: em/*.png in natural order, or "
        "https://…/em.{0000..0099}.png, where zeros in front of the first number pad all of them."
    )
    format: Format | None = Field(
        None,
        description="What it is, where neither its first bytes nor its name tell: needed for "
        "an address that does not end in .zarr, .n5, .precomputed or in the name of a file.",
    )
    dataset: Plain | None = Field(
        None,
        description="Name of the array inside an HDF5 file, Zarr or N5 container; null: CREMI's "
        "name (volumes/raw, volumes/labels/neuron_ids, volumes/labels/mask), or the only one.",
    )
    axes: Axes | None = Field(
        None,
        description="Order of the axes in the file, such as xyz; null: as the format has them. "
        "An axis other than z, y, x must have the length 1.",
    )
    mip: Annotated[int, Field(ge=0)] | None = Field(
        None,
        description="Scale of a layer that has several, 0 the finest; null: 0 for the image, the "
        "image's voxel size for the others.",
    )
    offset: tuple[float, float, float] | None = Field(
        None,
        description="Place of the first voxel in nm along z, y, x, in place of what the file "
        "records; it tells where labels lie in a larger image.",
    )
    member: Plain | None = Field(None, description="Name of the file inside a .zip archive.")
    checksum: Checksum | None = Field(
        None,
        description="Checksum of the file as it is downloaded, sha256:… or md5:…; null: what "
        "comes first is noted in the file that `download: lock:` names and must come ever after.",
    )
    checksums: Location | None = Field(
        None,
        description="For a series of images, their list of SHA-256 checksums as sha256sum writes "
        "it, matched by file name; a path is looked up where the run is, then beside the project.",
    )
    mirrors: tuple[Location, ...] = Field(
        (), description="Addresses of the same file, tried in turn where the first fails."
    )
    public: bool = Field(
        True, description="Read gs and s3 without credentials; false takes this machine's."
    )

    def local_files(self) -> list[str]:
        """The files on this machine whose change is a change of the source.

        Of a folder those that lie in it directly: its images, or the metadata of its chunks.
        """
        return local_files(self.path)

    @model_validator(mode="before")
    @classmethod
    def _named_by_viewers(cls, values: Any) -> Any:
        """Take addresses as Neuroglancer shows them: precomputed://gs://…"""
        return _named(values, ("precomputed", "zarr", "n5"))


class Labels(Source):
    """Where the ground truth lies, and what its ids mean."""

    mapping: Plain | None = Field(
        None,
        description="Name of a table in the same HDF5 file, two columns (or two rows): id as "
        "stored, id of the body. An id that the table leaves out keeps its value (NeuroProof's "
        "`transforms`).",
    )
    background: tuple[Id, ...] = Field(
        (), description="Ids that are no neuron (glia, extracellular space): they become 0."
    )
    unlabelled: tuple[Id, ...] = Field(
        (),
        description="Ids of voxels that nobody labelled: neither trained on nor scored, unlike "
        "background.",
    )


class SkeletonSource(Section):
    """Where the centre lines of neurons lie, against which the run length is measured."""

    path: Location | tuple[Location, ...] = Field(
        description="SWC or NML (WEBKNOSSOS) files: one, a folder, a pattern or a list, here or at "
        "http(s) addresses; or a Neuroglancer precomputed layer of skeletons, or of a segmentation "
        "that has some. An SWC file is one neuron, and so is a tree of an NML file."
    )
    format: Literal["swc", "nml", "precomputed"] | None = Field(
        None, description="What they are, where their names do not end in .swc or .nml."
    )
    unit: Literal["nm", "um", "voxels"] | tuple[Nanometres, Nanometres, Nanometres] | None = Field(
        None,
        description="What one of the files' units of length is: nm, um, voxels of the image "
        "(counted as `crop` counts), or so many nm along z, y, x. SWC needs it; null: NML's own "
        "scale, and nm for a precomputed layer.",
    )
    offset: tuple[float, float, float] = Field(
        (0.0, 0.0, 0.0), description="nm along z, y, x that are added to every place."
    )
    ids: tuple[Id, ...] = Field(
        (),
        description="The neurons to take of a precomputed layer; needed at an address whose files "
        "cannot be listed. Empty: all.",
    )
    member: Plain | None = Field(None, description="Name of the file inside a .zip archive.")
    checksum: Checksum | None = Field(
        None, description="Checksum of a single file as it is downloaded, sha256:… or md5:…"
    )
    public: bool = Field(
        True, description="Read gs and s3 without credentials; false takes this machine's."
    )

    def local_files(self) -> list[str]:
        """The files on this machine whose change is a change of the skeletons."""
        found: dict[str, None] = {}
        for path in [self.path] if isinstance(self.path, str) else self.path:
            found |= dict.fromkeys(local_files(path))
            # a segmentation names the folder of its skeletons
            info = Path(path.removeprefix("file://")) / "info"
            with suppress(OSError, ValueError):  # what is wrong with it the download says
                values = json.loads(info.read_bytes())
                if isinstance(values, dict) and isinstance(values.get("skeletons"), str):
                    found |= dict.fromkeys(local_files(str(info.parent / values["skeletons"])))
        return list(found)

    @model_validator(mode="before")
    @classmethod
    def _named_by_viewers(cls, values: Any) -> Any:
        return _named(values, ("precomputed",))


def _named(values: Any, kinds: tuple[str, ...]) -> Any:
    if isinstance(values, dict) and isinstance(values.get("path"), str):
        kind, _, rest = values["path"].partition("://")
        if kind in kinds:
            return {"format": kind, **values, "path": rest}
    return values


def _long(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


Chosen = TypeVar("Chosen", bound=Section)


def choose(value: Any, check: ValidatorFunctionWrapHandler) -> Chosen | None:
    """The first source whose environment variables are all set, with these filled in.

    All alternatives are checked, also those that this machine does not use.
    """
    if value is None:
        return None
    alternatives: list[Chosen] = [
        check(_long(item)) for item in (value if isinstance(value, list | tuple) else [value])
    ]
    unset: dict[str, None] = {}
    for alternative in alternatives:
        values = alternative.model_dump()
        texts = [text for value in values.values() for text in _texts(value)]
        missing = [
            name for text in texts for name in VARIABLE.findall(text) if not os.environ.get(name)
        ]
        if not missing:
            known = {key: _filled(text) for key, text in values.items()}
            return TypeAdapter(type(alternative)).validate_python(known)
        unset |= dict.fromkeys(missing)
    if not alternatives:
        raise ValueError("the list of alternatives is empty")
    raise ValueError(
        f"the environment variable {' or '.join(unset)} is not set; "
        "set it or give an alternative without it"
    )


def _texts(value: Any) -> list[str]:
    if isinstance(value, tuple):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []


def _filled(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_filled(item) for item in value)
    if not isinstance(value, str):
        return value
    return filled(value)


AnySource = Annotated[
    Source, WrapValidator(choose, json_schema_input_type=str | Source | list[str | Source])
]
AnyLabels = Annotated[
    Labels, WrapValidator(choose, json_schema_input_type=str | Labels | list[str | Labels])
]
AnySkeletons = Annotated[
    SkeletonSource,
    WrapValidator(choose, json_schema_input_type=str | SkeletonSource | list[str | SkeletonSource]),
]
