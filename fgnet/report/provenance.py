"""Where results come from: settings, versions, checksums, seeds."""

import json
import platform
from collections import defaultdict
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from fgnet import __version__, volume
from fgnet.report import html
from fgnet.report.jobs import size
from fgnet.report.private import without_credentials
from fgnet.report.training import flat

REPORT_LIBRARIES = ("numpy", "h5py", "matplotlib", "nbconvert", "papermill")


def config(values: dict[str, Any]) -> html.Html:
    """The whole config with defaults filled in, folded away."""
    words = json.dumps(values, indent=2, ensure_ascii=False)
    return html.details("The whole config", html.tag("pre", words))


def seeds(values: dict[str, Any]) -> html.Html:
    """Every seed of the config."""
    found = [(key, str(value)) for key, value in flat(values) if "seed" in key.split(".")[-1]]
    return html.table(["seed", "value"], found, 1) if found else html.tag("p", "No seed is set.")


def records(files: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """What made each file (HDF5 or JSON), of those that say so."""
    found = []
    for name in files:
        if name.endswith(".json"):
            record = json.loads(Path(name).read_text(encoding="utf-8")).get("made_by")
        else:
            with volume.opened(Path(name)) as file:
                record = volume.made_by(file) if "made_by" in file.attrs else None
        if record:
            found.append((name, record))
    return found


def versions(files: Sequence[str]) -> html.Html:
    """Versions behind each stage as its files recorded them, and those behind this page."""
    seen: dict[tuple[str, str], set[str]] = defaultdict(set)
    for _, record in records(files):
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


def made(files: Sequence[str]) -> html.Html:
    """For each file its stage, its size, its settings and the checksums of what it was made of."""
    parts = []
    for name, record in records(files):
        settings = without_credentials(record["settings"])
        bytes_ = size(Path(name).stat().st_size)
        inner = [
            html.tag(
                "p",
                f"Stage {record['stage']}, fgnet {record['fgnet']}, {bytes_}.",
            ),
            html.tag("pre", json.dumps(settings, indent=2, ensure_ascii=False)),
        ]
        if record["inputs"]:
            inputs = [(path, html.tag("code", sum_)) for path, sum_ in record["inputs"].items()]
            inner.insert(1, html.table(["made of", "sha256"], inputs))
        parts.append(html.details(name, html.join(inner)))
    return html.join(parts)
