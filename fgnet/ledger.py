"""The ledger: what each job took, in a small JSON file of its own.

Snakemake's benchmark files know neither GPU memory nor voxels and sample every few seconds; here
the system's own counters are read, when the job begins (after its imports) and when it ends. An
entry is written at both times: one without ``ended`` is of a job that runs still, or was killed.
"""

import hashlib
import json
import logging
import os
import platform
import resource
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from fgnet import __version__
from fgnet.whole import whole_or_nothing

LOG = logging.getLogger(__name__)
FOLDER = "ledger"
ENVIRONMENTS = "environments"
UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
# as fields of an entry, and as the system calls them
COUNTED = {
    "read_bytes": "rchar",
    "write_bytes": "wchar",
    "disk_read_bytes": "read_bytes",
    "disk_write_bytes": "write_bytes",
}
Record = dict[str, Any]


@dataclass
class Tally:
    """What a job says of itself while it runs."""

    status: int | None = None
    voxels: int | None = None
    gpu_bytes: int = 0


_running = Tally()


def voxels(count: int) -> None:
    """Add to the voxels that this job has processed."""
    _running.voxels = (_running.voxels or 0) + int(count)


def gpu_bytes(peak: int) -> None:
    """Note a peak of GPU memory before torch is told to forget it."""
    _running.gpu_bytes = max(_running.gpu_bytes, peak)


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
        "arguments": {k: v for k, v in values.items() if _short(v)},
        "attempt": attempt(path),
        "started": now(),
        "ended": None,
        "status": None,
        "threads": int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1),
        "processes": int(os.environ.get("WORLD_SIZE", "1")),
        "host": platform.node(),
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
        "fgnet": __version__,
        "revision": os.environ.get("FGNET_REVISION") or None,
        "environment": environment(home(path)),
    }
    write(path, entry)
    before = used()
    try:
        yield tally
    except BaseException as error:
        tally.status = error.code if isinstance(error, SystemExit) else 1  # type: ignore[assignment]
        raise
    finally:
        after = states(values)
        child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * UNIT
        taken = {key: _less(value, before[key]) for key, value in used().items()}
        rate = tally.voxels / taken["seconds"] if tally.voxels and taken["seconds"] else None
        entry |= {
            "ended": now(),
            "status": tally.status,
            **taken,
            "peak_bytes": peak(),
            # the shell that became this process may have had children, too
            "peak_bytes_of_a_child": child if taken["cpu_seconds_of_children"] else 0,
            "gpu": gpu(tally.gpu_bytes),
            "voxels": tally.voxels,
            "voxels_per_second": rate,
            "read": [_shown(p) for p, state in after.items() if state and state == files[p]],
            "wrote": [_shown(p) for p, state in after.items() if state and state != files[p]],
        }
        write(path, entry)


def now() -> str:
    """The time in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def used() -> dict[str, float | None]:
    """Counters of this process and of the children that it has waited for.

    Seconds on the wall and of processor time; bytes asked of the system (``read_bytes``) and, of
    those, bytes that came from a disk (``disk_read_bytes``); None where the system does not count.
    """
    own, children = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    found: dict[str, float | None] = {
        "seconds": time.monotonic(),
        "cpu_seconds": own.ru_utime + own.ru_stime,
        "cpu_seconds_of_children": children.ru_utime + children.ru_stime,
    }
    counted = _lines(Path("/proc/self/io"))
    for name, key in COUNTED.items():
        found[name] = int(counted[key]) if key in counted else None
    return found


def peak() -> int:
    """Bytes of memory that this process had resident at most."""
    # ru_maxrss also remembers what the process was before it became this program
    high = _lines(Path("/proc/self/status")).get("VmHWM")
    if high is not None:
        return int(high.split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT


def gpu(before: int = 0) -> Record | None:
    """Name of the GPU that was used, and bytes that torch had there at most; None where none was.

    Args:
        before: a peak that torch was told to forget.
    """
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    try:
        peaks = [torch.cuda.max_memory_allocated(n) for n in range(torch.cuda.device_count())]
        most = max(range(len(peaks)), key=peaks.__getitem__)
        name = torch.cuda.get_device_name(most)
    except RuntimeError as error:  # a GPU that failed answers nothing any more
        LOG.warning("ledger: the GPU tells nothing of its memory (%s)", error)
        return None
    return {"name": name, "peak_bytes": max(before, peaks[most])}


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


def environment(folder: Path) -> str:
    """A short hash of all packages installed here; their list is kept in the folder, once."""
    installed = {one.name: one.version for one in metadata.distributions() if one.name}
    content = {"python": platform.python_version(), "packages": dict(sorted(installed.items()))}
    text = json.dumps(content, indent=1)
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    listed = folder / ENVIRONMENTS / f"{name}.json"
    if not listed.is_file():
        _write(listed, text)
    return name


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


def _lines(path: Path) -> dict[str, str]:
    """A file of the system with lines of names and values; empty where there is none."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    return dict(line.split(":", 1) for line in lines if ":" in line)


def _less(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else round(after - before, 6)


def _short(value: Any) -> bool:
    """Whether an argument is a name or a number."""
    return isinstance(value, int | float) or (
        isinstance(value, str) and not value.lstrip().startswith(("{", "["))
    )


def _shown(path: Path) -> str:
    """A path as seen from the working directory; of one that lies elsewhere the name alone."""
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return path.name if path.is_absolute() else path.as_posix()
