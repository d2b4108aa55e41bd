"""Where the time goes: a bar for each stage, a table of stages and one of jobs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from fgnet.report import html, words
from fgnet.report.provenance.bars import bars
from fgnet.report.provenance.jobs import Job, groups, read, together

# a kind of job with more jobs than this has one row
MOST = 8
UNKNOWN = "-"
GPU = "GPU memory"
# the columns of a job, and how their values are written
COLUMNS: dict[str, Callable[[float], str]] = {
    "seconds": "{:,.1f}".format,
    "processor, s": "{:,.1f}".format,
    "memory": words.size,
    GPU: words.size,
    "voxels/s": "{:,.0f}".format,
    "read": words.size,
    "written": words.size,
}
OWN = "report provenance"  # the job that makes this page, which has no end yet
NOTE = (
    "Seconds, processor time and memory are Snakemake's where it measured them, of all processes "
    "of a job, and else the job's own. Bytes are what a job asked of the system, wherever it had "
    "them."
)
OF_GPU = " A job without GPU memory used none, or left no entry in the ledger."


def show(benchmarks: Path, entries: Path) -> html.Html:
    """A chart of the stages, a table of their sums, and a table of jobs."""
    jobs = read(benchmarks, entries)
    if not jobs:
        return html.tag("p", f"There is no job in {benchmarks} and {entries}.")
    total = together(jobs, "all")
    facts = [
        f"{len(jobs):,} job{'s' * (len(jobs) != 1)}, {words.duration(total.seconds or 0)} in all"
    ]
    if total.cpu is not None:
        facts.append(f"{words.duration(total.cpu)} of processor time")
    if total.memory is not None:
        facts.append(f"at most {words.size(total.memory)} resident")
    if total.gpu is not None:
        facts.append(f"{words.size(total.gpu)} on a GPU")
    stages = groups(jobs, "stage")
    names = columns(jobs)
    rows = [[one.name, f"{len(one.jobs):,}", *cells(one, names)] for one in stages]
    return html.join(
        [
            html.tag("p", ", ".join(facts) + "."),
            unfinished(jobs),
            bars(stages),
            html.tag("h3", "Stages"),
            html.table(["stage", "jobs", *names], rows, 1 + len(names), folds=True),
            html.tag("h3", "Jobs, longest first"),
            table(jobs),
            html.Html(f'<p class="soft">{html.text(NOTE + OF_GPU * (GPU in names))}</p>'),
        ]
    )


def columns(jobs: Sequence[Job]) -> list[str]:
    """The columns of a table: GPU memory only where a job used a GPU."""
    used = any(job.gpu is not None for job in jobs)
    return [name for name in COLUMNS if used or name != GPU]


def cells(job: Job, names: Sequence[str]) -> list[str]:
    """These columns of a job."""
    values = (job.seconds, job.cpu, job.memory, job.gpu, job.speed, job.read, job.written)
    shown = {
        name: UNKNOWN if value is None else write(value)
        for (name, write), value in zip(COLUMNS.items(), values, strict=True)
    }
    return [shown[name] for name in names]


def table(jobs: Sequence[Job]) -> html.Html:
    """A row for each job; jobs of a kind that has many share one, with their median and longest."""
    rows: list[Job] = []
    for one in groups(jobs, "kind"):
        rows += [one] if len(one.jobs) > MOST else one.jobs
    rows.sort(key=lambda job: -(job.seconds or 0))
    names = columns(jobs)
    header = ["job", *names]
    several = any(row.jobs for row in rows)
    if several:
        header[1:1] = ["jobs", "median, s", "longest, s"]
    listed = [[row.name, *(spread(row) if several else []), *cells(row, names)] for row in rows]
    return html.table(header, listed, len(header) - 1)


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
    for what, found in (
        ("ended with an error when last tried", [j for j in jobs if j.status not in (0, None)]),
        ("have no end: they were killed, or were running still when this page was made",
         [j for j in jobs if j.status is None and j.kind != OWN]),
    ):  # fmt: skip
        if found:
            names = ", ".join(sorted(job.name for job in found)[:MOST])
            more = ", …" if len(found) > MOST else ""
            parts.append(html.tag("p", f"{len(found):,} {what}: {names}{more}."))
    return html.join(parts)
