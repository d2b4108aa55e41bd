"""The table of jobs: benchmark files and the ledger joined, and what is shown of them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

from fgnet.report import html, page, words
from fgnet.report.provenance import bars, jobs, origin, times

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


def rows(shown: html.Html, title: str) -> dict[str, list[str]]:
    """The table under a heading: first cell -> the others."""
    text = shown.text.split(f"<h3>{title}</h3>")[1].split("</table>")[0]
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
    shown = times.show(*folders)
    assert (
        "7 jobs, 58.4 s in all, 90.2 s of processor time, at most 1.05 GB resident, " in shown.text
    )
    assert "7 GB on a GPU." in shown.text
    stages = rows(shown, "Stages")
    assert list(stages) == ["train", "infer", "normalize"]
    # 900 voxels in 15 seconds by shards
    assert stages["infer"] == ["4", "16.0", "19.0", "62.9 MB", "-", "60", "40 B", "80 B"]
    assert stages["normalize"][:3] == ["2", "2.4", "1.2"]
    listed = rows(shown, "Jobs, longest first")
    assert listed["train/m ä"] == ["40.0", "70.0", "1.05 GB", "7 GB", "105", "10 B", "20 B"]
    assert list(listed) == [job.name for job in jobs.read(*folders)]
    assert "error" not in shown.text and "no end" not in shown.text


def test_many_jobs_of_a_kind_have_one_row(tmp_path: Path) -> None:
    for k in range(2000):
        step = "fragments" if k % 2 else None  # half of them by a run without a ledger
        write(tmp_path, f"agglomerate/m/a/v/fragments/{k}-of-2000", f"{1 + k % 3}\t9\t1\n", step)
    write(tmp_path, "agglomerate/m/a/v", "5000\t9\t1\n", "merge")
    shown = times.show(tmp_path / "benchmarks", tmp_path / "ledger")
    listed = rows(shown, "Jobs, longest first")
    assert list(listed) == ["agglomerate/m/a/v", "agglomerate fragments"]
    assert listed["agglomerate fragments"][:4] == ["2,000", "2.0", "3.0", "3,999.0"]
    assert len(shown.text) < 50_000


def test_failed_and_unfinished_jobs_are_told(tmp_path: Path) -> None:
    write(tmp_path, "train/a", "50\t9\t1\n", seconds=3.0, status=2)
    write(tmp_path, "train/b", status=None, seconds=0)
    found = {job.name: job for job in jobs.read(tmp_path / "benchmarks", tmp_path / "ledger")}
    assert found["train/a"].seconds == 3.0  # not those of the run that succeeded before
    shown = times.show(tmp_path / "benchmarks", tmp_path / "ledger")
    assert "1 ended with an error when last tried: train/a." in shown.text
    assert "1 have no end" in shown.text and "train/b." in shown.text


def test_a_page_of_a_run_without_a_gpu(tmp_path: Path) -> None:
    write(tmp_path, "train/a", "50\t9\t1\n", seconds=3.0)
    write(tmp_path, "train/<b>", "40\t9\t1\n", step="resume", seconds=3.0)
    shown = times.show(tmp_path / "benchmarks", tmp_path / "ledger")
    assert "GPU" not in shown.text
    assert rows(shown, "Stages")["train"] == ["2", "90.0", "2.0", "62.9 MB", "-", "20 B", "40 B"]


def test_every_part_of_a_bar_has_its_name_and_time(tmp_path: Path) -> None:
    for number, name in enumerate("abcdefgh"):
        write(tmp_path, f"x/{name}", f"{2**number}\t9\t1\n", step=f"<{name}>")
    write(tmp_path, "y", "51\t9\t1\n")
    shown = bars.bars(jobs.groups(jobs.read(tmp_path / "benchmarks", tmp_path / "ledger"), "stage"))
    found = re.findall(
        r'title="(.*?)" style="width: (.*?)%; background: var\(--(.*?)\)', shown.text
    )
    assert [name for name, _, _ in found] == [
        "x &lt;h&gt;: 2.1 min", "x &lt;g&gt;: 64.0 s", "x &lt;f&gt;: 32.0 s",
        "x &lt;e&gt;: 16.0 s", "x &lt;d&gt;: 8.0 s",
        "x &lt;c&gt;, &lt;b&gt;, &lt;a&gt;: 7.0 s", "y y: 51.0 s",
    ]  # fmt: skip
    # all to one scale, and no colour twice in a bar
    assert sum(float(width) for _, width, _ in found[:-1]) == pytest.approx(100, abs=0.1)
    assert float(found[-1][1]) == 20
    assert len({colour for _, _, colour in found[:-1]}) == 6
    keys = re.findall(r"var\(--(\w+)\)\"></i>(?=[^<])([^<]*)<", shown.text)
    assert ("c0", "&lt;h&gt; 2.1 min") in keys and len(keys) == 6


def test_hosts_and_revisions(tmp_path: Path) -> None:
    for number in range(30):
        code = "ab12" if number < 20 else "ab12+changed"
        write(tmp_path, f"train/{number}", seconds=1, fgnet="1.0", revision=code,
              host="<gpu1>" if number < 3 else f"n{number}")  # fmt: skip
    write(tmp_path, "old", seconds=1)
    text = origin.show(tmp_path / "ledger").text
    found = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in text.split("<tr>")]
    assert ["&lt;gpu1&gt;", "3"] in found and ["<code>ab12</code>", "1.0", "20"] in found
    assert ["<code>ab12</code> with changes", "1.0", "10"] in found
    assert ["of no repository", "unknown", "1"] in found
    assert "… and 9 more, in the ledger." in text
    assert "no entry" in origin.show(tmp_path / "none").text


def test_a_page_of_thousands_of_jobs_and_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    volumes = {f"v{n}": {"phantom": {"seed": n}, "text": "long" * 1000} for n in range(40)}
    made = {"stage": "infer", "fgnet": "1", "settings": {"overlap": 0.5}}
    many = {f"results/infer/m/v/{n}-of-5000.h5": f"{n:064}" for n in range(5000)}
    files = []
    for n in range(5000):
        write(tmp_path, f"infer/m/{n}", f"{n}\t9\t1\n", step=f"s{n % 3}", host=f"n{n}",
              revision=f"{n:040}", seconds=n)  # fmt: skip
        files.append(f"infer/{n % 5}/{n}.json")
        path = tmp_path / files[-1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"made_by": {**made, "inputs": {} if n else many}}))
    values = {"config": {"volumes": volumes}, "benchmarks": "benchmarks", "ledger": "ledger",
              "files": files}  # fmt: skip
    notebook = ROOT / "notebooks/provenance.ipynb"
    page.run(notebook, json.dumps(values), ".", tmp_path / "x.ipynb", tmp_path / "p.html")
    text = (tmp_path / "p.html").read_text()
    assert len(text) < 1_000_000
    for words_ in (
        "5,000 jobs", "… and 4,980 more, in infer/0, infer/1, infer/2, ….",
        "… and 4,980 more, in results/infer/m/v.", "… and 4,980 more, in the ledger.",
        "… and 20 more, in the config below.", "letters more, in results/workflow/config.json.",
    ):  # fmt: skip
        assert words_ in text, words_
    assert "infer/4/19.json" in text and "infer/0/20.json" not in text


def test_without_any_job(tmp_path: Path) -> None:
    assert "There is no job" in times.show(tmp_path, tmp_path).text


@pytest.mark.parametrize(
    ("count", "expected"), [(0, "0 B"), (999, "999 B"), (1234, "1.23 kB"), (999_700, "1 MB"),
                         (5e13, "50 TB")]
)  # fmt: skip
def test_sizes(count: float, expected: str) -> None:
    assert words.size(count) == expected
