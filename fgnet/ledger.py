"""The ledger: what each job took, in a small JSON file of its own.

Snakemake's benchmark files know neither GPU memory nor voxels and sample every few seconds; here
the system's own counters are read, when the job begins (after the imports of its command line, not
of its step) and when it ends. An entry is written at both times: one without ``ended`` is of a job
that runs still, or was killed.
"""

import hashlib
import json
import logging
import os
import platform
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from fgnet import __version__, counters
from fgnet.whole import whole_or_nothing

LOG = logging.getLogger(__name__)
FOLDER = "ledger"
STORAGE = (".snakemake", "storage")  # where Snakemake has copies of what a storage keeps
ENVIRONMENTS = "environments"
FIELD = re.compile(r"^(name|version):[ \t]*(.*)$", re.IGNORECASE | re.MULTILINE)
Record = dict[str, Any]


@dataclass
class Tally:
    """What a job says of itself while it runs."""

    status: int | None = None
    voxels: int | None = None
    gpu_bytes: int = 0
    precision: str | None = None
    instructions: str | None = None
    read: list[Path] = field(default_factory=list)


_running = Tally()


def voxels(count: int) -> None:
    """Add to the voxels that this job has processed."""
    _running.voxels = (_running.voxels or 0) + int(count)


def gpu_bytes(peak: int) -> None:
    """Note a peak of GPU memory before torch is told to forget it."""
    _running.gpu_bytes = max(_running.gpu_bytes, peak)


def computed(precision: str, instructions: str) -> None:
    """Note the precision that this job's network runs at, and by which instructions or GPU."""
    _running.precision, _running.instructions = precision, instructions


def read(paths: Iterable[Path]) -> None:
    """Note files and folders that this job reads and that its command line does not name."""
    _running.read += paths


@contextmanager
def kept(
    path: Path | None, stage: str, step: str | None, values: Mapping[str, Any]
) -> Iterator[Tally]:
    """Write the entry of the job that runs inside; without a path, nothing.

    Args:
        path: of the entry, ``results/ledger/….json``. One that is there of a try before, which
            failed or was killed, is counted in ``attempt`` and replaced.
        stage, step: such as infer and shard; a stage may have no steps.
        values: the job's arguments. Settings, which are JSON, stand in what it writes.

    Yields:
        Where the job's exit status goes.
    """
    global _running
    _running = tally = Tally()
    # of several processes that train together the first one writes
    if path is None or os.environ.get("RANK", "0") != "0":
        yield tally
        return
    files = states(values)
    entry: Record = {
        "stage": stage,
        "step": step,
        "arguments": {
            k: _text(v) if isinstance(v, str) else v for k, v in values.items() if _short(v)
        },
        "attempt": attempt(path),
        "started": now(),
        "ended": None,
        "status": None,
        "threads": threads(),
        "processes": int(os.environ.get("WORLD_SIZE", "1")),
        "host": platform.node(),
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
        "fgnet": __version__,
        "revision": os.environ.get("FGNET_REVISION") or None,
        "environment": environment(home(path)),
    }
    write(path, entry)
    before = counters.used()
    try:
        yield tally
    except BaseException as error:
        tally.status = error.code if isinstance(error, SystemExit) else 1  # type: ignore[assignment]
        raise
    finally:
        after = states(values)
        child = counters.peak_of_a_child()
        same = [one for one, state in after.items() if state and state == files[one]]
        said = states({"read": tally.read})
        same += [one for one, state in said.items() if state and one not in after]
        new = [one for one, state in after.items() if state and state != files[one]]
        # in such a copy results lie as they would in the working directory
        base = home(path).parent.parent if in_storage(path) else None
        taken = {key: _less(value, before[key]) for key, value in counters.used().items()}
        rate = tally.voxels / taken["seconds"] if tally.voxels and taken["seconds"] else None
        entry |= {
            "ended": now(),
            "status": tally.status,
            **taken,
            "peak_bytes": counters.peak(),
            # the shell that became this process may have had children, too
            "peak_bytes_of_a_child": child if taken["cpu_seconds_of_children"] else 0,
            "gpu": counters.gpu(tally.gpu_bytes),
            "precision": tally.precision,
            "instructions": tally.instructions,
            "voxels": tally.voxels,
            "voxels_per_second": rate,
            "read": list(dict.fromkeys(_shown(one, base) for one in same)),
            "wrote": [_shown(one, base) for one in new],
        }
        write(path, entry)


def now() -> str:
    """The time in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def threads() -> int:
    """Threads that the job may use; OMP_NUM_THREADS has one number for each level of nesting."""
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) else os.cpu_count() or 1


def states(values: Mapping[str, Any]) -> dict[Path, tuple[int, ...] | None]:
    """What the system says of each file or folder among the arguments, None where there is none."""
    found: dict[Path, tuple[int, ...] | None] = {}
    for value in values.values():
        for path in value if isinstance(value, list) else [value]:
            if isinstance(path, Path):
                try:
                    state = path.stat()
                except OSError:
                    found[path] = None
                else:
                    found[path] = (state.st_ino, state.st_size, state.st_mtime_ns)
    return found


def attempt(path: Path) -> int:
    """Which try this is, counted from the last that succeeded."""
    try:
        last = json.loads(path.read_text(encoding="utf-8"))
        status, number = last["status"], int(last["attempt"])
    except (OSError, ValueError, KeyError, TypeError):
        return 1
    if status is None and "RANK" in os.environ:
        return number  # the job became several processes, and had begun its entry before
    return 1 if status == 0 else number + 1


def home(path: Path) -> Path:
    """The folder ``ledger`` that an entry lies in, or the entry's own."""
    parts = path.parent.parts
    return Path(*parts[: parts.index(FOLDER) + 1]) if FOLDER in parts else path.parent


def in_storage(path: Path) -> bool:
    """Whether a path is that of Snakemake's copy of what a storage keeps."""
    parts = path.parts
    return any(parts[n : n + len(STORAGE)] == STORAGE for n in range(len(parts)))


def environment(folder: Path) -> str:
    """A short hash of all packages installed here; their list is kept in the folder, once."""
    content = {"python": platform.python_version(), "packages": dict(sorted(installed().items()))}
    text = json.dumps(content, indent=1)
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    listed = folder / ENVIRONMENTS / f"{name}.json"
    if not listed.is_file():
        _write(listed, text)
    return name


def installed() -> dict[str, str | None]:
    """Name -> version of all packages installed here, as ``importlib.metadata`` says.

    That parses whole descriptions, once for each question: a third of a second in every job.
    """
    found = {}
    for one in metadata.distributions():
        text = one.read_text("METADATA") or one.read_text("PKG-INFO") or one.read_text("") or ""
        fields = FIELD.findall(text.partition("\n\n")[0])
        head = {name.lower(): value for name, value in reversed(fields)}  # the first counts
        if head.get("name"):
            found[head["name"]] = head.get("version")
    return found


def write(path: Path, entry: Record) -> None:
    """Write an entry, in one line: Snakemake prints it after the log of a job that fails."""
    _write(path, json.dumps(entry, ensure_ascii=False))


def entries(folder: Path) -> Iterable[tuple[str, Record]]:
    """Every job's name, as ``infer/MODEL/VOLUME``, and its entry; what is no entry is left out."""
    for path in sorted(folder.rglob("*.json")):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name.startswith(f"{ENVIRONMENTS}/"):
            continue
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(entry, dict) and "stage" in entry:
            yield name, entry


def _write(path: Path, text: str) -> None:
    try:
        with whole_or_nothing(path) as partial:
            partial.write_text(text, encoding="utf-8")
    except OSError as error:  # a job must not fail for its bookkeeping
        LOG.warning("ledger: %s is not written (%s)", path, error)


def _less(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else round(after - before, 6)


def _short(value: Any) -> bool:
    """Whether an argument is a name or a number."""
    return isinstance(value, int | float) or (
        isinstance(value, str) and not value.lstrip().startswith(("{", "["))
    )


def _shown(path: Path, base: Path | None) -> str:
    """A path as seen from the working directory; of one that lies elsewhere the name alone.

    Args:
        base: another folder that stands for it.
    """
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    if base is not None and path.is_relative_to(base):
        path = path.relative_to(base)
    return _text(path.name if path.is_absolute() else path.as_posix())


def _text(text: str) -> str:
    """The text; bytes in it that are no UTF-8, as file names may have, are escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
