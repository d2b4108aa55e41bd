"""What a run was given: sources of volumes, their checksums and licences, checkpoints, seeds."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from fgnet.report import words
from fgnet.report.private import place, public, without_credentials

Record = dict[str, Any]
Entity = dict[str, Any]
LAYERS = ("source", "labels", "mask", "masks", "skeletons")
WHOLES = ("volume", "images")  # what a record is of; skeletons may have a file of their own
SHA256 = "sha256:"


def given(record: Record, name: str, facts: Mapping[str, str]) -> list[Entity]:
    """What a volume or set came from, apart from files: addresses, or the phantom's settings.

    Args:
        record: what made the volume's file.
        name: of the volume.
        facts: see :func:`terms`.
    """
    settings = record["settings"]
    kind = next((key for key in WHOLES if isinstance(settings.get(key), dict)), None)
    entry = settings[kind] if kind else settings
    thing = "set of images" if kind == "images" else "volume"
    if entry.get("phantom"):
        value = json.dumps(entry["phantom"], sort_keys=True)
        return [property_value(f"phantom/{name}", f"phantom of {thing} {name}", value)]
    layers = {layer: entry[layer] for layer in LAYERS if isinstance(entry.get(layer), dict)}
    return [
        {**address(at, source, f"The {layer} of {thing} {name}"), **terms(facts)}
        for layer, source in layers.items()
        for at in addresses(source)
    ]


def addresses(source: Record) -> list[str]:
    """The addresses, of all places that a source names: one, or a list."""
    named = source.get("path") or []
    found = [named] if isinstance(named, str) else named
    return [one for one in found if "://" in one and not one.startswith("file://")]


def terms(facts: Mapping[str, str]) -> Entity:
    """Licence, citation and homepage of a data set, where they are known."""
    names = (("license", "licence"), ("citation", "citation"), ("url", "homepage"))
    return {key: without_credentials(facts[known]) for key, known in names if facts.get(known)}


def outside(path: str, checksum: str) -> Entity:
    """A file that results were made of and that does not lie among them."""
    return {
        "@id": f"#input/{checksum[:16]}/{quote(place(path))}",
        "@type": "CreativeWork",
        "name": place(path),
        "description": "A file outside of the results",
        "sha256": checksum,
    }


def address(at: str, source: Record, description: str) -> Entity:
    """What lies at an address that a source names: a file, a layer, or a series of images."""
    clean = str(public(at))
    entity = {
        "@id": quote(clean, safe=":/?#@!$&'()*+,;=%~"),
        "@type": "CreativeWork",
        "name": clean.rstrip("/").rsplit("/", 1)[-1] or clean,
        "description": description,
    }
    checksum = source.get("checksum") or ""
    if checksum.startswith(SHA256):
        entity["sha256"] = checksum.removeprefix(SHA256)
    return entity


def seeds(config: Record) -> list[Entity]:
    """Every seed of a config."""
    return [
        property_value(f"seed/{key}", key, str(value))
        for key, value in words.flat(config)
        if "seed" in key.split(".")[-1]
    ]


def property_value(place: str, name: str, value: str) -> Entity:
    """A name and its value."""
    return {"@id": f"#{quote(place)}", "@type": "PropertyValue", "name": name, "value": value}
