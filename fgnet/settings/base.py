"""What all sections of the configuration share: strictness, canonical text, plain errors."""

import difflib
import json
import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from fgnet.errors import InputError, public

Range = tuple[int, int]
Offset = tuple[int, int, int]
Precision = Literal["auto", "float32", "bfloat16"]
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
LONGEST = 100  # bytes of a name, to which files add theirs
MESSAGES = {"tuple_type": "a list is needed, such as [30, 8, 8] for z, y, x"}
NEAREST: tuple[Offset, ...] = ((-1, 0, 0), (0, -1, 0), (0, 0, -1))


def _name(text: str) -> str:
    if not re.fullmatch(r"\w[^/{}<>]*", text):
        raise ValueError("a name starts with a letter or digit and has no slash, brace, < or >")
    if len(text.encode()) > LONGEST:
        raise ValueError(f"a name has at most {LONGEST} bytes, as files are called by it")
    return _plain(text)


def _plain(text: str) -> str:
    if CONTROL.search(text):
        raise ValueError("neither line breaks nor other control characters have a place here")
    return text


def watched(path: str) -> str:
    """The path of a file that Snakemake watches. Raises ValueError for one that it cannot."""
    if {*"{}<>"} & {*path}:
        raise ValueError(
            "braces, < and > in a path mean something to Snakemake; rename the file, or give a "
            "link to it"
        )
    return path


Name = Annotated[str, AfterValidator(_name)]
Plain = Annotated[str, AfterValidator(_plain)]
File = Annotated[Plain, AfterValidator(watched)]


class Section(BaseModel):
    """A frozen part of the configuration in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    def canonical(self) -> str:
        """The section as one JSON line: defaults filled in, keys sorted.

        Equal settings give equal text, however they were spelled, so that a rule reruns
        when its settings change and never otherwise.
        """
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a section from JSON text. Raises InputError naming the key at fault."""
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(f"--settings is not JSON ({error}): {text[:200]}") from error
        return cls.checked(values)

    @classmethod
    def checked(cls, values: Any) -> Self:
        """Build the section from plain values. Raises InputError naming the key at fault."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise InputError("; ".join(explain(cls, error, values))) from error


class Box(Section):
    """A box of a volume in voxels, half open; an axis left out is taken whole."""

    z: Range | None = Field(None, description="First section and the one after the last.")
    y: Range | None = Field(None, description="First row and the one after the last.")
    x: Range | None = Field(None, description="First column and the one after the last.")

    def slices(
        self, shape: tuple[int, ...], name: str, first: tuple[int, int, int] = (0, 0, 0)
    ) -> tuple[slice, slice, slice]:
        """The box as slices of a volume of this shape (z, y, x).

        ``first`` is the coordinate that the box calls the volume's first voxel; the slices
        count from 0. Raises InputError where the box is empty or leaves the volume.
        """
        cut = []
        boxes = (self.z, self.y, self.x)
        for axis, wanted, size, low in zip("zyx", boxes, shape[-3:], first, strict=True):
            start, stop = wanted or (low, low + size)
            if not low <= start < stop <= low + size:
                raise InputError(
                    f"{name}: the box {axis}: [{start}, {stop}] does not lie in the volume, "
                    f"whose {axis} runs from {low} to {low + size}; change {axis}"
                )
            cut.append(slice(start - low, stop - low))
        return cut[0], cut[1], cut[2]


def explain(model: type[BaseModel], error: ValidationError, values: Any) -> list[str]:
    """One sentence per mistake: the key's path, the value seen, what is right."""
    sentences = []
    for item in error.errors():
        # pydantic names the class or tag of a union member in the path; users wrote no such key
        path = [part for part in item["loc"] if _is_key(part, values, item)]
        where = ".".join(map(_shown, path)) or "config"
        if item["type"] == "extra_forbidden":
            known = sorted(_keys_beside(model, item["loc"]))
            close = difflib.get_close_matches(str(item["loc"][-1]), known, n=1, cutoff=0.5)
            hint = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known)}"
            sentences.append(f"{where}: unknown key; {hint}")
        elif item["type"] == "missing":
            sentences.append(f"{where}: this key is needed and was not given")
        else:
            message = MESSAGES.get(item["type"], item["msg"].removeprefix("Value error, "))
            message = message[0].lower() + message[1:]
            if item["type"] == "value_error" and isinstance(item["input"], dict):
                # said of a whole section, and names the key and the value itself
                sentences.append(f"{where}: {message}" if path else message)
            else:
                sentences.append(f"{where}: {message} (got {public(repr(item['input']))})"[:500])
    return sentences


def _shown(part: str | int) -> str:
    """A key as one word of a sentence, whatever stands in it."""
    text = str(part)
    return text if text.isprintable() and len(text) <= LONGEST else f"{text[:LONGEST]!r}…"


def _is_key(part: str | int, values: Any, item: Any) -> bool:
    """Whether this part of an error's path is a key or index of the user's own values."""
    if isinstance(part, int) or (item["type"] == "missing" and part == item["loc"][-1]):
        return True
    return _contains_key(values, part)


def _contains_key(values: Any, key: str) -> bool:
    if isinstance(values, dict):
        return key in values or any(_contains_key(value, key) for value in values.values())
    if isinstance(values, list):
        return any(_contains_key(value, key) for value in values)
    return False


def _keys_beside(model: type[BaseModel], path: tuple[str | int, ...]) -> set[str]:
    """The keys that a section knows in which an unknown key was met."""
    found: list[type[BaseModel]] = [model]
    for part in path[:-1]:
        inner: list[type[BaseModel]] = []
        for candidate in found:
            field = candidate.model_fields.get(str(part))
            inner += _models_in(field.annotation) if field else [candidate]
        found = inner or found
    return {name for candidate in found for name in candidate.model_fields}


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    inner = getattr(annotation, "__args__", ())
    return [model for argument in inner for model in _models_in(argument)]
