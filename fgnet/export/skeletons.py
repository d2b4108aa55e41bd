"""Centre lines of segments, drawn by the program igneous, as a precomputed layer of their own.

igneous runs kimimaro's TEASAR in overlapping boxes and joins what it finds. Both are GPL, so they
stand in an environment of their own (envs/skeletons.yaml) and are called as a program, never
imported. igneous writes beside the voxels; it gets a stand-in folder that links to them, so that
the segmentation stays what the rule that made it wrote.
"""

import datetime
import gzip
import json
import math
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from fgnet import ledger, programs
from fgnet.errors import InputError
from fgnet.settings.export import Skeletons
from fgnet.whole import whole_folder_or_nothing

PROGRAM = "igneous"
LAYER = "layer"
BOX = 512


def run(input: Path, output: Path, settings: str, workers: int = 1) -> None:
    """Draw the centre lines of a segmentation.

    Args:
        input: precomputed folder of the segmentation.
        output: folder to write: an ``info``, a provenance record, and a file of vertices (nm),
            edges and radii for each segment.
        settings: JSON of :class:`fgnet.settings.export.Skeletons`.
        workers: processes.

    Raises:
        InputError: the program is not there or fails, or the input is no precomputed folder.
    """
    wanted = Skeletons.from_json(settings)
    program = programs.located(PROGRAM)
    if not (input / "info").is_file():
        raise InputError(f"{str(input)!r} is no precomputed folder: it has no info; export it")
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".skeletons.") as work:
        layer = Path(work) / LAYER
        layer.mkdir()
        for path in input.iterdir():
            if path.name == "info":
                shutil.copy(path, layer)  # igneous adds to it
            else:
                (layer / path.name).symlink_to(path.resolve())
        info = json.loads((layer / "info").read_text(encoding="utf-8"))
        ledger.voxels(math.prod(info["scales"][wanted.mip]["size"]))
        shape = box(info, wanted.mip)
        for arguments in (forge(wanted, shape), merge(wanted)):
            command = [program, "--parallel", str(workers), "skeleton", *arguments]
            programs.call(command, layer.parent)
        info = json.loads((layer / "info").read_text(encoding="utf-8"))
        version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
        with whole_folder_or_nothing(output) as folder:
            collect(layer / info["skeletons"], folder)
            record = provenance(input, wanted, version.stdout.strip())
            (folder / "provenance").write_text(json.dumps(record), encoding="utf-8")


def box(info: dict[str, Any], mip: int) -> list[int]:
    """The voxels (x, y, z) of a box at a scale.

    A volume that one box holds is cut in two: igneous would take its fragments for finished lines,
    and then merge would leave short ones and delete them all.
    """
    shape = [min(size, BOX) for size in info["scales"][mip]["size"]]
    if shape == info["scales"][mip]["size"]:
        longest = shape.index(max(shape))
        shape[longest] = max(shape[longest] // 2, 1)
    return shape


def forge(wanted: Skeletons, shape: list[int]) -> list[str]:
    """The arguments that draw fragments of centre lines, box by box."""
    values = {
        "--shape": ",".join(map(str, shape)),
        "--mip": wanted.mip,
        "--scale": wanted.scale,
        "--const": wanted.const,
        "--dust-threshold": wanted.min_voxels,
    }
    return ["forge", f"./{LAYER}", *(str(part) for item in values.items() for part in item)]


def merge(wanted: Skeletons) -> list[str]:
    """The arguments that join the fragments of each segment."""
    return [
        "merge", f"./{LAYER}", "--min-cable-length", str(wanted.min_length),
        "--delete-fragments", "--magnitude", "1",
    ]  # fmt: skip


def collect(source: Path, folder: Path) -> None:
    """Move the finished centre lines to a folder, unpacked: plain servers do not unpack."""
    info = json.loads((source / "info").read_text(encoding="utf-8"))
    for key in ("spatial_index", "mip"):
        info.pop(key, None)  # they speak of files that stay behind
    (folder / "info").write_text(json.dumps(info), encoding="utf-8")
    for path in source.iterdir():
        name = path.name.removesuffix(".gz")
        if not name.isdigit():
            continue
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        # the number of vertices comes first: a segment whose lines were all too short has none
        if any(content[:4]):
            (folder / name).write_bytes(content)


def provenance(layer: Path, wanted: Skeletons, version: str) -> dict[str, Any]:
    """The record of the segmentation and this step."""
    record: dict[str, Any] = json.loads((layer / "provenance").read_text(encoding="utf-8"))
    record["description"] = "Centre lines of the segments"
    record["processing"].append(
        {
            "method": "skeletons",
            "by": version,
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "parameters": wanted.model_dump(mode="json"),
            "software": {},
        }
    )
    return record
