"""What each job took: Snakemake's benchmark files and the ledger, joined job by job."""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fgnet import ledger

SHARD = re.compile(r"\d+-of-\d+$")


@dataclass(frozen=True)
class Job:
    """One job, or several of a kind.

    Attributes:
        name: as in ``results/ledger``: ``infer/MODEL/VOLUME/0-of-2``.
        kind: the stage, its step or page, and nothing of its volume or model.
        seconds, cpu: on the wall, and of processors.
        memory, gpu: bytes at most.
        voxels: processed; ``speed`` is those in a second.
        read, written: bytes.
        status: exit status, None of a job that did not end; 0 where only Snakemake knows of it.
    """

    name: str
    kind: str
    seconds: float | None = None
    cpu: float | None = None
    memory: float | None = None
    gpu: float | None = None
    voxels: float | None = None
    speed: float | None = None
    read: float | None = None
    written: float | None = None
    status: int | None = 0
    jobs: Sequence["Job"] = field(default=(), compare=False)

    @property
    def stage(self) -> str:
        """The stage that the job is of."""
        return self.name.split("/")[0]


def read(benchmarks: Path, entries: Path) -> list[Job]:
    """All jobs that either of the two folders knows, longest first.

    A benchmark file says what the last run that succeeded took, so it counts for no entry that
    failed.
    """
    measured = dict(_measured(benchmarks))
    found = []
    for name, entry in ledger.entries(entries):
        seen = measured.pop(name, {}) if entry.get("status") == 0 else {}
        found.append(_job(name, entry, seen))
        measured.pop(name, None)
    found += [_job(name, {}, seen) for name, seen in measured.items()]
    return sorted(found, key=lambda job: -(job.seconds or 0))


def _job(name: str, entry: dict[str, Any], seen: dict[str, float]) -> Job:
    own = _sum(entry.get("cpu_seconds"), entry.get("cpu_seconds_of_children"))
    held = [entry.get(key) or 0 for key in ("peak_bytes", "peak_bytes_of_a_child")]
    return Job(
        name=name,
        kind=kind(name, entry),
        seconds=seen.get("s", entry.get("seconds")),
        # of jobs shorter than its period Snakemake notes 0 or nothing
        cpu=max(filter(None, (seen.get("cpu_time"), own)), default=None),
        memory=max(seen.get("max_rss", 0) * 2**20, *held) or None,
        gpu=(entry.get("gpu") or {}).get("peak_bytes"),
        voxels=entry.get("voxels"),
        speed=entry.get("voxels_per_second"),
        read=entry.get("read_bytes"),
        written=entry.get("write_bytes"),
        status=entry.get("status", 0),
    )


def kind(name: str, entry: dict[str, Any]) -> str:
    """What a job does, as ``infer shard`` or ``report data``."""
    stage, *rest = name.split("/")
    step = entry.get("step")
    if stage == "report":
        step = Path(rest[0]).stem
    elif step is None and rest and SHARD.match(rest[-1]):
        # of a run that kept no ledger: shards stay together
        step = rest[-2] if rest[-2] in ("fragments", "graph") else "shard"
    return f"{stage} {step}" if step else stage


def _measured(folder: Path) -> Iterable[tuple[str, dict[str, float]]]:
    """Job and the columns of its benchmark file that hold a number; of several lines the last."""
    for path in folder.rglob("*.tsv"):
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t"))
        if rows:
            job = path.relative_to(folder).with_suffix("").as_posix()
            yield job, {key: float(text) for key, text in rows[-1].items() if _number(text)}


def _number(text: str | None) -> bool:
    try:
        return text is not None and float(text) == float(text)
    except ValueError:
        return False


def _sum(*values: float | None) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def together(jobs: Sequence[Job], name: str) -> Job:
    """Several jobs as one: sums, of memory the most, and the voxels a second of all of them."""
    speeds = [job for job in jobs if job.voxels and job.speed]
    timed = sum((job.voxels or 0) / (job.speed or 1) for job in speeds)
    most = {
        key: max(filter(None, (getattr(job, key) for job in jobs)), default=None)
        for key in ("memory", "gpu")
    }
    sums = {
        key: _sum(*(getattr(job, key) for job in jobs))
        for key in ("seconds", "cpu", "voxels", "read", "written")
    }
    return Job(
        name=name, kind=jobs[0].kind, **most, **sums, jobs=jobs,
        speed=sum(job.voxels or 0 for job in speeds) / timed if timed else None,
        status=next((job.status for job in jobs if job.status != 0), 0),
    )  # fmt: skip


def groups(jobs: Sequence[Job], key: str) -> list[Job]:
    """The jobs together by ``stage`` or ``kind``, longest first."""
    found: dict[str, list[Job]] = {}
    for job in jobs:
        found.setdefault(getattr(job, key), []).append(job)
    made = [together(each, name) for name, each in found.items()]
    return sorted(made, key=lambda job: -(job.seconds or 0))
