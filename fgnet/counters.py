"""What the system counts of this process: time, bytes, memory, and torch's of its GPU."""

import logging
import resource
import sys
import time
from pathlib import Path
from typing import Any

LOG = logging.getLogger(__name__)
UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
# as fields of an entry, and as the system calls them
COUNTED = {
    "read_bytes": "rchar",
    "write_bytes": "wchar",
    "disk_read_bytes": "read_bytes",
    "disk_write_bytes": "write_bytes",
}


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


def peak_of_a_child() -> int:
    """Bytes that the largest child of those waited for had resident at most."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * UNIT


def gpu(before: int = 0) -> dict[str, Any] | None:
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


def _lines(path: Path) -> dict[str, str]:
    """A file of the system with lines of names and values; empty where there is none."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    return dict(line.split(":", 1) for line in lines if ":" in line)
