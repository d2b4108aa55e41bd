"""For every key of a config, a copy of the config in which that key alone is another."""

import copy
from collections.abc import Iterator
from typing import Any

from fgnet.errors import InputError
from fgnet.settings.config import Config, load
from fgnet.settings.train import Training

Path = tuple[str, ...]


def edits(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Configs by the key that differs; keys that have no other value by themselves are left out."""
    found: dict[str, dict[str, Any]] = {}
    resolved = load(config)
    whole = resolved.model_dump(mode="json")
    for model in whole["train"]["models"].values():
        for key in Training.model_fields:
            del model[key]  # inherited
    words = list(dict.fromkeys(choices(Config.model_json_schema())))
    for path, value in leaves(whole):
        for other in others(value, words):
            edited = copy.deepcopy(whole)
            place = edited
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = other
            try:
                changed = load(edited)
            except (InputError, TypeError):
                continue
            if changed != resolved:
                found[".".join(path)] = edited
                break
    return found


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Keys and values of a resolved config."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    else:
        yield path, value


def choices(schema: Any) -> Iterator[str]:
    """All words that some key takes."""
    if isinstance(schema, dict):
        yield from (word for word in schema.get("enum", []) if isinstance(word, str))
        for inner in schema.values():
            yield from choices(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from choices(inner)


def others(value: Any, words: list[str]) -> Iterator[Any]:
    """Values that a key may take beside its own, the likely ones first."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, value - 1, value * 2, value + 32)
    elif isinstance(value, float):
        yield from (value * 1.25, value * 0.75, value + 0.25)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            for other in others(inner, words):
                yield [*value[:index], other, *value[index + 1 :]]
        yield from (value[:-1], *([word] for word in words))
    yield from (0.5, 3, [2, 32, 32], [4, 8, 8], {}, {"z": [1, 3]}, "new/x")
    yield from words
