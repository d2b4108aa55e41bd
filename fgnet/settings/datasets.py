"""The registry of public data sets, config/datasets/*.yaml: where they lie, licence, citation.

python -m fgnet.settings.datasets    (or `snakemake list_datasets`) prints what there is.
"""

import difflib
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from fgnet.errors import InputError
from fgnet.settings.base import Section
from fgnet.settings.volumes import Volume, Volumes

FACTS = ("title", "homepage", "licence", "citation")
REGISTRY = Path(__file__).parents[2] / "config" / "datasets"


class Dataset(Section):
    """A public data set: the volumes it gives, and what its users have to know."""

    title: str = Field(description="What it is, in a line.")
    homepage: str = Field(description="Where its makers describe it.")
    licence: str = Field(description="On what terms it may be used.")
    citation: str = Field(description="What to cite.")
    volumes: Volumes = Field(description="Its volumes and their splits, as in a config.")


def read(registry: Path = REGISTRY) -> dict[str, dict[str, Any]]:
    """Name of each data set -> what its file says, unchecked.

    Raises:
        InputError: there is no registry, as beside an installed package.
    """
    if not registry.is_dir():
        raise InputError(
            f"datasets: there is no folder {str(registry)!r}; the registry is part of the "
            "workflow, not of the installed package: run in a clone"
        )
    return {
        path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
        for path in sorted(registry.glob("*.yaml"))
    }


def with_datasets(values: Mapping[str, Any], registry: Path = REGISTRY) -> dict[str, Any]:
    """The values of a config with the volumes of the data sets that it names.

    A name is that of a data set, or of one of its volumes, which comes with its boxes. What the
    config says of a volume of the same name stands before what the data set says.

    Raises:
        InputError: there is no such data set or volume.
    """
    names = values.get("datasets") or []
    if not names:
        return dict(values)
    known = read(registry)
    own = values.get("volumes") or {}
    found: dict[str, Any] = {}
    for name in names if isinstance(names, list | tuple) else [names]:
        found |= volumes_of(str(name), known)
    merged = {name: {**entry, **(own.get(name) or {})} for name, entry in found.items()}
    return {**values, "volumes": {**merged, **{k: v for k, v in own.items() if k not in merged}}}


def volumes_of(name: str, known: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The entries of a data set, or of one volume of it and its boxes."""
    if name in known:
        return dict(known[name]["volumes"])
    for dataset in known.values():
        entries = dataset["volumes"]
        if name in entries and "of" not in entries[name]:
            return {k: v for k, v in entries.items() if k == name or v.get("of") == name}
    names = [*known, *(v for d in known.values() for v in d["volumes"])]
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
    raise InputError(f"datasets: there is no data set {name!r}; {hint}")


def facts_of(names: Iterable[str], registry: Path = REGISTRY) -> dict[str, dict[str, str]]:
    """Volume -> title, homepage, licence and citation of its data set, for those named."""
    wanted = list(names)
    known = read(registry) if wanted else {}
    return {
        volume: {key: known[dataset][key] for key in FACTS}
        for name in wanted
        for volume in volumes_of(name, known)
        for dataset in known
        if volume in known[dataset]["volumes"]
    }


def table(registry: Path = REGISTRY) -> str:
    """Every data set with its volumes, as text."""
    lines = []
    for name, values in read(registry).items():
        dataset = Dataset.checked(values)
        lines += [f"{name}: {dataset.title}"]
        wholes = {k: v for k, v in dataset.volumes.items() if v.of is None}
        for key, entry in wholes.items():
            splits = [v.split for v in (entry, *boxes(key, dataset)) if v.split is not None]
            lines.append(f"    {key}: {facts(entry)}; {', '.join(splits)}")
        lines += [f"    licence: {dataset.licence}", f"    cite: {dataset.citation}"]
        lines += [f"    {dataset.homepage}", ""]
    return "\n".join([*lines, "Use one: `datasets: [NAME, …]` in the config (docs/your-data.md)."])


def boxes(name: str, dataset: Dataset) -> list[Volume]:
    """The volumes of a data set that are boxes of this one."""
    return [entry for entry in dataset.volumes.values() if entry.of == name]


def facts(entry: Volume) -> str:
    """Voxel size, labels and what stands for the content of a volume, in words."""
    assert entry.source is not None
    size = " x ".join(f"{nm:g}" for nm in entry.voxel_size or ()) + " nm (z, y, x)"
    labels = "labels" if entry.labels else "no labels"
    checksum = "checksum noted on first use"
    if all(source.checksum or source.checksums for source in entry.sources()):
        checksum = "checksum known"
    mirrors = f", {len(entry.source.mirrors)} mirror" if entry.source.mirrors else ""
    return f"{size}, {labels}, {checksum}{mirrors}"


if __name__ == "__main__":
    try:
        print(table())
    except InputError as error:
        sys.exit(f"error: {error}")
