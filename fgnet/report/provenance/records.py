"""Where results come from: settings, versions, checksums, seeds."""

import json
import platform
from collections import defaultdict
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from fgnet import __version__, ledger, volume
from fgnet.report import html, words
from fgnet.report.private import without_credentials

REPORT_LIBRARIES = ("numpy", "h5py", "matplotlib", "nbconvert", "papermill")
MOST = 20  # of a kind that the page lists
LONGEST = 100_000  # letters of a config
WHOLE_CONFIG = "results/workflow/config.json"
Record = dict[str, Any]


def config(values: Record) -> html.Html:
    """The whole config with defaults filled in, folded away; of a very long one the beginning."""
    text = json.dumps(values, indent=2, ensure_ascii=False)
    parts = [html.tag("pre", text[:LONGEST])]
    if len(text) > LONGEST:
        left = f"… and {len(text) - LONGEST:,} letters more, in {WHOLE_CONFIG}."
        parts.append(html.tag("p", left))
    return html.details("The whole config", html.join(parts))


def seeds(values: Record) -> html.Html:
    """The seeds of the config."""
    found = [(key, str(value)) for key, value in words.flat(values) if "seed" in key.split(".")[-1]]
    if not found:
        return html.tag("p", "No seed is set.")
    shown = html.table(["seed", "value"], found[:MOST], 1)
    return html.join([shown, *more(found[MOST:], "in the config below")])


def more(left: Sequence[Any], where: str) -> list[html.Html]:
    """How many more there are, and where; nothing when nothing is left."""
    return [html.tag("p", f"… and {len(left):,} more, {where}.")] if left else []


def read(files: Iterable[str]) -> list[tuple[str, Record]]:
    """What made each file (HDF5 or JSON), of those that say so."""
    found = []
    for name in files:
        if name.endswith(".json"):
            record = json.loads(Path(name).read_text(encoding="utf-8")).get("made_by")
        else:
            with volume.opened(Path(name)) as file:
                record = volume.made_by(file) if "made_by" in file.attrs else None
        if record:
            record["inputs"] = {fetched(path): sum_ for path, sum_ in record["inputs"].items()}
            found.append((name, record))
    return found


def fetched(path: str) -> str:
    """Where an input lies now that was Snakemake's copy of what a storage keeps.

    The copy's path ends in the one below the working directory, to which results are fetched.
    """
    parts = Path(path).parts
    if not ledger.in_storage(Path(path)):
        return path
    ends = (Path(*parts[first:]) for first in range(len(parts)))
    return next((one.as_posix() for one in ends if one.exists()), parts[-1])


def versions(found: Iterable[tuple[str, Record]]) -> html.Html:
    """Versions behind each stage as its files recorded them, and those behind this page."""
    seen: dict[tuple[str, str], set[str]] = defaultdict(set)
    for _, record in found:
        stage = record["stage"]
        seen["fgnet", record["fgnet"]].add(stage)
        for name, version in record.get("versions", {}).items():
            seen[name, version].add(stage)
    seen["fgnet", __version__].add("report")
    seen["python", platform.python_version()].add("report")
    for name in REPORT_LIBRARIES:
        seen[name, metadata.version(name)].add("report")
    rows = [
        (name, version, ", ".join(sorted(stages)))
        for (name, version), stages in sorted(seen.items())
    ]
    return html.table(["package", "version", "stages"], rows)


def made(found: Iterable[tuple[str, Record]]) -> html.Html:
    """For each file its stage, its size, its settings and the checksums of what it was made of.

    Of a stage with many files the first ones.
    """
    stages: dict[str, list[tuple[str, Record]]] = defaultdict(list)
    for name, record in found:
        stages[record["stage"]].append((name, record))
    parts = []
    for files in stages.values():
        parts += [html.details(name, about(name, record)) for name, record in files[:MOST]]
        parts += more(files[MOST:], f"in {folders(name for name, _ in files[MOST:])}")
    return html.join(parts)


def about(name: str, record: Record) -> html.Html:
    """What made one file."""
    settings = without_credentials(record["settings"])
    bytes_ = words.size(Path(name).stat().st_size)
    parts = [html.tag("p", f"Stage {record['stage']}, fgnet {record['fgnet']}, {bytes_}.")]
    inputs = [(path, html.tag("code", sum_)) for path, sum_ in record["inputs"].items()]
    if inputs:
        parts.append(html.table(["made of", "sha256"], inputs[:MOST]))
        parts += more(inputs[MOST:], f"in {folders(list(record['inputs'])[MOST:])}")
    parts.append(html.tag("pre", json.dumps(settings, indent=2, ensure_ascii=False)))
    return html.join(parts)


def folders(files: Iterable[str]) -> str:
    """The folders that files lie in, the first three by name."""
    found = sorted({Path(name).parent.as_posix() for name in files})
    return ", ".join(found[:3]) + ", …" * (len(found) > 3)
