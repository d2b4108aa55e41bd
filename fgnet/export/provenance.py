"""Where a layer comes from: every stage behind it, as cloud-volume's provenance record has it.

The record holds ``description``, ``sources``, ``owners`` (empty) and ``processing``, a list of
the steps from the first to the last, each with ``method``, ``by``, ``date`` (the day, UTC, on
which its file was made), ``parameters`` and ``software``.
"""

import datetime
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py

from fgnet import __version__, volume

Record = dict[str, Any]
DESCRIPTION = {
    "image": "Electron microscopy, normalised",
    "labels": "Ground truth",
    "affinities": "Predicted affinities to the nearest voxel along z, y, x, times 255",
    "segmentation": "Neurons segmented by fgnet",
}
LAYERS = ("source", "labels", "mask")


def record(layer: str, inputs: Sequence[Path], parameters: Record) -> Record:
    """The record of a layer that is made from these files now."""
    made: list[tuple[Path, Record]] = []
    seen: set[Path] = set()
    for path in inputs:
        _collect(path, made, seen)
    steps = [step(record["stage"], record["fgnet"], record["settings"], record["versions"],
                  path.stat().st_mtime) for path, record in made]  # fmt: skip
    now = datetime.datetime.now(datetime.UTC).timestamp()
    steps.append(step("export", __version__, parameters, volume.versions(), now))
    unique = {json.dumps(one, sort_keys=True): one for one in steps}
    return {
        "description": DESCRIPTION[layer],
        "sources": list(dict.fromkeys(place for _, made_by in made for place in origins(made_by))),
        "owners": [],
        "processing": list(unique.values()),
    }


def step(method: str, version: str, parameters: Any, software: Any, time: float) -> Record:
    """One entry of ``processing``; ``time`` in seconds since 1970."""
    date = datetime.datetime.fromtimestamp(time, datetime.UTC).date().isoformat()
    return {"method": method, "by": f"fgnet {version}", "date": date,
            "parameters": parameters, "software": software}  # fmt: skip


def origins(made_by: Record) -> list[str]:
    """Where a download came from: its files or addresses, or the phantom's settings."""
    if made_by["stage"] != "download":
        return []
    entry = made_by["settings"].get("volume", {})
    if entry.get("phantom"):
        return [f"fgnet.phantom {json.dumps(entry['phantom'], sort_keys=True)}"]
    return [entry[layer]["path"] for layer in LAYERS if entry.get(layer)]


def _collect(path: Path, made: list[tuple[Path, Record]], seen: set[Path]) -> None:
    """Append what made a file, after what made the files that it was made from."""
    if path in seen or not path.is_file():
        return
    seen.add(path)
    found = _made_by(path)
    if found is None:
        return
    # what a model was trained on, and a threshold chosen on, is no source of this volume
    if path.suffix not in (".pt", ".json"):
        for name in found["inputs"]:
            _collect(Path(name), made, seen)
    made.append((path, found))


def _made_by(path: Path) -> Record | None:
    """What made a file: HDF5 and JSON files hold it, checkpoints have it beside them."""
    if path.suffix == ".pt":
        path = path.with_name("made_by.json")
    if path.suffix == ".json" and path.is_file():
        found = json.loads(path.read_text(encoding="utf-8")).get("made_by")
        return found if found and "stage" in found else None
    if not h5py.is_hdf5(path):
        return None
    with h5py.File(path) as file:
        return volume.made_by(file) if "made_by" in file.attrs else None
