"""Settings of the sets of 2-D images with masks: where each comes from and what it is for."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, WrapValidator, model_validator

from fgnet.settings.base import Name, Range, Section
from fgnet.settings.locations import RANGE, Location, local_files
from fgnet.settings.parts import known_wholes, one_origin
from fgnet.settings.sources import Checksum, choose

Pixels = Annotated[int, Field(ge=32)]
Value = Annotated[int, Field(ge=0, le=255)]


class ImageSource(Section):
    """Where the images of a set lie."""

    path: Location = Field(
        description="A folder, a pattern such as images/*.png, or a .zip archive; at an http(s) "
        "address an archive, or a pattern with a range such as {001..100}.png. PNG, JPEG, BMP or "
        "TIFF, one image a file, grey or colour, each of any size; of 16 bits the upper eight of "
        "those that the set uses are kept."
    )
    folder: str = Field("", description="Folder inside the .zip archive.")
    checksum: Checksum | None = Field(
        None, description="Checksum of the archive as it is downloaded, sha256:… or md5:…"
    )
    mirrors: tuple[Location, ...] = Field(
        (), description="Addresses of the same archive, tried in turn where the first fails."
    )

    @model_validator(mode="after")
    def _listed(self) -> Self:
        here = "://" not in self.path or self.path.startswith("file://")
        named = self.path.lower().split("?")[0].endswith(".zip") or RANGE.search(self.path)
        if not here and not (named and self.path.startswith(("http://", "https://"))):
            raise ValueError(
                f"path: what lies in {self.path!r} cannot be listed over a network; give a .zip "
                "archive, a pattern with a range such as {001..100}.png, or a folder here"
            )
        return self

    def local_files(self) -> list[str]:
        """The files on this machine whose change is a change of the source."""
        return local_files(self.path)


class MaskSource(ImageSource):
    """Where the masks of a set lie; a mask has the name of its image, whatever the ending."""

    suffix: str = Field(
        "", description="What a mask's name has more than its image's, such as _mask."
    )
    values: tuple[Value, ...] | None = Field(
        None,
        description="The grey value of each class. null: of one class 1 where a mask is of 0 and "
        "1, else everything from 128 on, as masks are often JPEG; of several 1, 2, 3, ….",
    )
    unlabelled: tuple[Value, ...] = Field(
        (), description="Grey values of pixels that nobody labelled: neither trained on nor scored."
    )


AnyImages = Annotated[
    ImageSource,
    WrapValidator(choose, json_schema_input_type=str | ImageSource | list[str | ImageSource]),
]
AnyMasks = Annotated[
    MaskSource,
    WrapValidator(choose, json_schema_input_type=str | MaskSource | list[str | MaskSource]),
]


class ImagePhantom(Section):
    """A generated set: smooth coloured tissue with rounded objects of each class."""

    count: Annotated[int, Field(ge=1)] = Field(12, description="Number of images.")
    size: tuple[Pixels, Pixels] = Field(
        (128, 160), description="Typical size in pixels along y and x; every image has its own."
    )
    seed: int = Field(0, ge=0, description="Same seed and settings, same images.")
    contrast: float = Field(
        0.25, gt=0, le=1, description="How much objects differ from the tissue, of the full range."
    )
    noise: float = Field(
        0.03, ge=0, le=1, description="Standard deviation of the noise, of the full range."
    )


class ImageSet(Section):
    """2-D images with or without masks: from files, generated, or a part of another set."""

    source: AnyImages | None = Field(
        None,
        description="Where the images lie: a path or an address, or these with more keys; or a "
        "list, of which the first is taken whose ${VARIABLES} are all set in the environment.",
    )
    masks: AnyMasks | None = Field(None, description="Where their masks lie, given as `source` is.")
    classes: tuple[Name, ...] = Field(
        ("object",), min_length=1, description="What the masks show, in the order of their values."
    )
    phantom: ImagePhantom | None = Field(None, description="Generate the set instead.")
    of: str | None = Field(None, description="Name of the set of which this is a part.")
    ranges: tuple[Range, ...] | None = Field(
        None,
        min_length=1,
        description="The images of `of` that are meant, in natural order of their names: the first "
        "and the one after the last of each range, such as [[0, 40], [60, 80]]; null: all.",
    )
    split: Literal["train", "validation", "test", "predict"] | None = Field(
        None,
        description="What the set is for; predict is segmented but not scored; null for one of "
        "which only parts are used.",
    )

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        origin = one_origin(self)
        if self.of is None and self.ranges is not None:
            raise ValueError("ranges need the key of; give a part of a set an entry of its own")
        if self.masks is not None and self.source is None:
            raise ValueError(f"masks has no place beside {origin}")
        if self.of is not None and "classes" in self.model_fields_set:
            raise ValueError(f"classes belongs to the set {self.of!r}")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("classes: a name stands twice; remove one")
        values = self.masks.values if self.masks is not None else None
        if values is not None and len(values) != len(self.classes):
            raise ValueError(
                f"masks.values: {len(values)} values for {len(self.classes)} classes; give one each"
            )
        return self

    def local_files(self) -> list[str]:
        """The files on this machine whose change is a change of the set."""
        found = [one.local_files() for one in (self.source, self.masks) if one is not None]
        return list(dict.fromkeys(path for paths in found for path in paths))


def _known_wholes(sets: dict[str, ImageSet]) -> dict[str, ImageSet]:
    known_wholes(sets, "set")
    return sets


ImageSets = Annotated[dict[Name, ImageSet], AfterValidator(_known_wholes)]
