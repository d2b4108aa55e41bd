"""What a run was given: sources of volumes, their checksums and licences, checkpoints, seeds."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from fgnet.report.private import place, public, without_credentials
from fgnet.report.training import flat

Record = dict[str, Any]
Entity = dict[str, Any]
LAYERS = ("source", "labels", "mask")
SHA256 = "sha256:"


def given(record: Record, name: str, facts: Mapping[str, str]) -> list[Entity]:
    """What a downloaded volume came from, apart from files: addresses, or the phantom's settings.

    Args:
        record: what made the volume's file.
        name: of the volume.
        facts: see :func:`terms`.
    """
    entry = record["settings"].get("volume", {})
    if entry.get("phantom"):
        value = json.dumps(entry["phantom"], sort_keys=True)
        return [property_value(f"phantom/{name}", f"phantom of volume {name}", value)]
    layers = {layer: entry[layer] for layer in LAYERS if entry.get(layer)}
    return [
        {**address(source, f"The {layer} of volume {name}"), **terms(facts)}
        for layer, source in layers.items()
        if "://" in source["path"] and not source["path"].startswith("file://")
    ]


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


def address(source: Record, description: str) -> Entity:
    """What lies at an address: a file, a layer, or a series of images."""
    clean = str(public(source["path"]))
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
        for key, value in flat(config)
        if "seed" in key.split(".")[-1]
    ]


def property_value(place: str, name: str, value: str) -> Entity:
    """A name and its value."""
    return {"@id": f"#{quote(place)}", "@type": "PropertyValue", "name": name, "value": value}
