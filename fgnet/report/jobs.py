"""Where the time goes: every job of Snakemake's benchmark files and of the ledger, in one table."""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from matplotlib.axes import Axes

from fgnet import ledger
from fgnet.report import html
from fgnet.report.curves import LINES, chart
from fgnet.report.training import duration

# a kind of job with more jobs than this has one row
MOST = 8
SHARD = re.compile(r"\d+-of-\d+$")
UNKNOWN = "-"
OWN = "report provenance"  # the job that makes this page, which has no end yet
NAMED = 0.018  # of the longest bar, that a letter of a part's name takes
NOTE = (
    "Seconds, processor time and memory are Snakemake's where it measured them, of all processes "
    "of a job, and else the job's own. Bytes are what a job asked of the system, wherever it had "
    "them. "
    "A job without GPU memory used none, or left no entry in the ledger."
)


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


def show(benchmarks: Path, entries: Path) -> html.Html:
    """A chart of the stages, a table of their sums, and a table of jobs."""
    jobs = read(benchmarks, entries)
    if not jobs:
        return html.tag("p", f"There is no job in {benchmarks} and {entries}.")
    total = together(jobs, "all")
    facts = [f"{len(jobs):,} job{'s' * (len(jobs) != 1)}, {duration(total.seconds or 0)} in all"]
    if total.cpu is not None:
        facts.append(f"{duration(total.cpu)} of processor time")
    if total.memory is not None:
        facts.append(f"at most {size(total.memory)} resident")
    if total.gpu is not None:
        facts.append(f"{size(total.gpu)} on a GPU")
    stages = groups(jobs, "stage")
    picture = chart(
        partial(bars, stages=stages),
        "Time of each stage, in parts for its kinds of job",
        "Where the time goes: stages, in parts for their kinds of job",
        (9, 0.7 + 0.3 * len(stages)),
    )
    rows = [[one.name, f"{len(one.jobs):,}", *cells(one)] for one in stages]
    return html.join(
        [
            html.tag("p", ", ".join(facts) + "."),
            unfinished(jobs),
            picture,
            html.tag("h3", "Stages"),
            html.table(["stage", "jobs", *COLUMNS], rows, 1 + len(COLUMNS)),
            html.tag("h3", "Jobs, longest first"),
            table(jobs),
            html.Html(f'<p class="soft">{html.text(NOTE)}</p>'),
        ]
    )


COLUMNS = ("seconds", "processor, s", "memory", "GPU memory", "voxels/s", "read", "written")


def cells(job: Job) -> list[str]:
    """The columns of a job."""
    seconds = [UNKNOWN if v is None else f"{v:,.1f}" for v in (job.seconds, job.cpu)]
    speed = UNKNOWN if job.speed is None else f"{job.speed:,.0f}"
    rest = [size(v) if v is not None else UNKNOWN
            for v in (job.memory, job.gpu, job.read, job.written)]  # fmt: skip
    return [*seconds, *rest[:2], speed, *rest[2:]]


def table(jobs: Sequence[Job]) -> html.Html:
    """A row for each job; jobs of a kind that has many share one, with their median and longest."""
    rows: list[Job] = []
    for one in groups(jobs, "kind"):
        rows += [one] if len(one.jobs) > MOST else one.jobs
    rows.sort(key=lambda job: -(job.seconds or 0))
    if not any(row.jobs for row in rows):
        return html.table(
            ["job", *COLUMNS], [[row.name, *cells(row)] for row in rows], len(COLUMNS)
        )
    return html.table(
        ["job", "jobs", "median, s", "longest, s", *COLUMNS],
        [[row.name, *spread(row), *cells(row)] for row in rows],
        3 + len(COLUMNS),
    )


def spread(row: Job) -> list[str]:
    """How many jobs a row is, and the seconds of one."""
    times = [job.seconds for job in row.jobs if job.seconds is not None]
    if not row.jobs:
        return ["", "", ""]
    spans = [f"{median(times):,.1f}", f"{max(times):,.1f}"] if times else [UNKNOWN] * 2
    return [f"{len(row.jobs):,}", *spans]


def unfinished(jobs: Sequence[Job]) -> html.Html:
    """Which jobs of the ledger failed, or have no end: this page's own has none yet."""
    parts = []
    for words, found in (
        ("ended with an error when last tried", [j for j in jobs if j.status not in (0, None)]),
        ("have no end: they were killed, or were running still when this page was made",
         [j for j in jobs if j.status is None and j.kind != OWN]),
    ):  # fmt: skip
        if found:
            names = ", ".join(sorted(job.name for job in found)[:MOST])
            more = ", …" if len(found) > MOST else ""
            parts.append(html.tag("p", f"{len(found):,} {words}: {names}{more}."))
    return html.join(parts)


def bars(axes: Axes, stages: Sequence[Job]) -> None:
    """A bar for each stage, divided among its kinds of job."""
    unit, words = (3600, "hours") if (stages[0].seconds or 0) > 7200 else (60, "minutes")
    if (stages[0].seconds or 0) < 120:
        unit, words = 1, "seconds"
    longest = (stages[0].seconds or 0) / unit
    for place, stage in enumerate(stages):
        left = 0.0
        kinds = groups(stage.jobs, "kind")
        for number, one in enumerate(kinds):
            width = (one.seconds or 0) / unit
            # parts stay apart by their edges where colours are not told apart
            axes.barh(place, width, left=left, color=LINES[number % len(LINES)], edgecolor="white")
            name = one.name.removeprefix(f"{stage.name} ")
            if len(kinds) > 1 and width > NAMED * longest * len(name):
                ink = "white" if number % len(LINES) == 0 else "black"
                axes.text(left + width / 2, place, name, ha="center", va="center", color=ink,
                          fontsize=9)  # fmt: skip
            left += width
        axes.text(left, place, f" {duration(stage.seconds or 0)}", va="center", fontsize=10)
    axes.set_yticks(range(len(stages)), [stage.name for stage in stages])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.14)
    axes.set_xlim(left=0)
    axes.set_xlabel(words)


def size(count: float) -> str:
    """Bytes in words."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
