"""The table of jobs: benchmark files and the ledger joined, and what is shown of them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from fgnet.report import html, jobs

GB = 10**9
COLUMNS = "s\tmax_rss\tcpu_time\n"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A training, two volumes and three shards; the second volume is of a run without a ledger."""
    write(tmp_path, "train/m ä", "40\t1000\t70\n", voxels=4000, gpu=7 * GB, seconds=38.0)
    write(tmp_path, "normalize/a", "0.4\t-\t0\n", voxels=900, seconds=0.3, cpu_seconds=0.2)
    write(tmp_path, "normalize/b", "2\t50\t1\n")
    for k, seconds in enumerate((3.0, 4.0, 8.0)):
        write(tmp_path, f"infer/m/v/{k}-of-3", f"{seconds}\tNA\t6\n", step="shard",
              voxels=300, seconds=seconds)  # fmt: skip
    write(tmp_path, "infer/m/v", "1\t30\t1\n", step="join")
    return tmp_path / "benchmarks", tmp_path / "ledger"


def write(
    folder: Path, name: str, measured: str | None = None, step: str | None = None,
    voxels: int | None = None, gpu: int = 0, status: int | None = 0, **entry: Any,
) -> None:  # fmt: skip
    """A job's benchmark file, and its entry where one is given."""
    if measured is not None:
        path = folder / f"benchmarks/{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(COLUMNS + measured)
    if entry or step:
        path = folder / f"ledger/{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        rate = voxels / entry["seconds"] if voxels else None
        more = {"gpu": {"name": "g", "peak_bytes": gpu} if gpu else None, "voxels": voxels,
                "voxels_per_second": rate, "read_bytes": 10, "write_bytes": 20,
                "peak_bytes": 60 * 2**20, "status": status}  # fmt: skip
        path.write_text(json.dumps({"stage": name.split("/")[0], "step": step, **more, **entry}))


def rows(page: html.Html, title: str) -> dict[str, list[str]]:
    """The table under a heading: first cell -> the others."""
    text = page.text.split(f"<h3>{title}</h3>")[1].split("</table>")[0]
    found = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in text.split("<tr>")]
    return {row[0]: row[1:] for row in found if row}


def test_figures_are_joined_job_by_job(folders: tuple[Path, Path]) -> None:
    found = {job.name: job for job in jobs.read(*folders)}
    assert list(found) == ["train/m ä", "infer/m/v/2-of-3", "infer/m/v/1-of-3", "infer/m/v/0-of-3",
                           "normalize/b", "infer/m/v", "normalize/a"]  # fmt: skip
    train, short, old = (found[name] for name in ("train/m ä", "normalize/a", "normalize/b"))
    # Snakemake's figures cover starting Python, and all processes
    assert (train.seconds, train.cpu, train.memory) == (40, 70, 1000 * 2**20)
    assert (train.gpu, train.speed, train.read, train.written) == (7 * GB, 4000 / 38, 10, 20)
    # what it was too slow to see is the job's own
    assert (short.seconds, short.cpu, short.memory) == (0.4, 0.2, 60 * 2**20)
    assert (old.seconds, old.memory, old.voxels, old.read) == (2, 50 * 2**20, None, None)


def test_a_page_with_sums_by_stage(folders: tuple[Path, Path]) -> None:
    page = jobs.show(*folders)
    assert (
        "7 jobs, 58.4 s in all, 90.2 s of processor time, at most 1.05 GB resident, " in page.text
    )
    assert "7 GB on a GPU." in page.text
    stages = rows(page, "Stages")
    assert list(stages) == ["train", "infer", "normalize"]
    # 900 voxels in 15 seconds by shards
    assert stages["infer"] == ["4", "16.0", "19.0", "62.9 MB", "-", "60", "40 B", "80 B"]
    assert stages["normalize"][:3] == ["2", "2.4", "1.2"]
    listed = rows(page, "Jobs, longest first")
    assert listed["train/m ä"] == ["40.0", "70.0", "1.05 GB", "7 GB", "105", "10 B", "20 B"]
    assert list(listed) == [job.name for job in jobs.read(*folders)]
    assert "error" not in page.text and "no end" not in page.text


def test_many_jobs_of_a_kind_have_one_row(tmp_path: Path) -> None:
    for k in range(2000):
        step = "fragments" if k % 2 else None  # half of them by a run without a ledger
        write(tmp_path, f"agglomerate/m/a/v/fragments/{k}-of-2000", f"{1 + k % 3}\t9\t1\n", step)
    write(tmp_path, "agglomerate/m/a/v", "5000\t9\t1\n", "merge")
    page = jobs.show(tmp_path / "benchmarks", tmp_path / "ledger")
    listed = rows(page, "Jobs, longest first")
    assert list(listed) == ["agglomerate/m/a/v", "agglomerate fragments"]
    assert listed["agglomerate fragments"][:4] == ["2,000", "2.0", "3.0", "3,999.0"]
    assert len(page.text) < 50_000


def test_failed_and_unfinished_jobs_are_told(tmp_path: Path) -> None:
    write(tmp_path, "train/a", "50\t9\t1\n", seconds=3.0, status=2)
    write(tmp_path, "train/b", status=None, seconds=0)
    found = {job.name: job for job in jobs.read(tmp_path / "benchmarks", tmp_path / "ledger")}
    assert found["train/a"].seconds == 3.0  # not those of the run that succeeded before
    page = jobs.show(tmp_path / "benchmarks", tmp_path / "ledger")
    assert "1 ended with an error when last tried: train/a." in page.text
    assert "1 have no end" in page.text and "train/b." in page.text


def test_without_any_job(tmp_path: Path) -> None:
    assert "There is no job" in jobs.show(tmp_path, tmp_path).text


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 B"), (999, "999 B"), (1234, "1.23 kB"), (999_700, "1 MB"),
                         (5e13, "50 TB")]
)  # fmt: skip
def test_sizes(count: float, words: str) -> None:
    assert jobs.size(count) == words
