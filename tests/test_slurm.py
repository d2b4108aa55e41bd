"""profiles/slurm on a real Slurm: GPUs where they belong, killed jobs, and going on after them."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster import Cluster, missing, run

ROOT = Path(__file__).parent.parent
TINY: dict[str, Any] = yaml.safe_load((ROOT / "tests/tiny.yaml").read_text())
STEPS = 40
HANGS = 1200  # seconds; the tests beside it share the processor with its jobs
CONFIG = {
    "volumes": {name: TINY["volumes"][name] for name in ("train", "whole", "test")},
    "train": TINY["train"] | {
        "steps": STEPS, "validate_every": STEPS, "save_seconds": 0.1,
        "models": {"plain": {"network": {
            "kind": "superhuman", "filters": [4, 4], "strides": [[1, 2, 2]]}}},
    },
    "infer": TINY["infer"] | {"maps": "refined"},
    "agglomerate": {"shards": 2, "methods": {"mean": {"blocks": {"size": [12, 40, 90]}}}},
    "evaluate": {"threshold": 0.5},
}  # fmt: skip
# 50 MB are too few even for snakemake itself
SHORT_OF_MEMORY = "report_data:mem_mb=50 + 4000 * (attempt - 1)"
NEVER_ENOUGH = "report_train:mem_mb=50"

pytestmark = [pytest.mark.slow, pytest.mark.workflow]


@dataclass
class Run:
    """One run of snakemake: how it ended, what it said, and its jobs as Slurm saw them."""

    status: int
    text: str
    jobs: list[dict[str, str]]

    def of(self, rule: str) -> list[dict[str, str]]:
        """The jobs of a rule, in the order of their submission."""
        named = re.compile(rf"rule_{rule}(_wildcards_.*)?")
        return [job for job in self.jobs if named.fullmatch(job["Comment"])]


@dataclass
class Story:
    """A run in which jobs are killed and one never has enough memory, then one in which it has."""

    folder: Path
    devices: dict[str, str] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)  # that the first run made


# the plugin waits ten seconds longer each time that it finds no job finished
IMPATIENT = """
from snakemake.cli import main
from snakemake_executor_plugin_slurm import Executor
Executor.next_seconds_between_status_checks = property(lambda _: 1, lambda _, seconds: None)
main()
"""


def command(folder: Path, *options: str) -> list[str]:
    """The profile with this cluster's partition; no conda, one retry, shorter waits."""
    return [
        sys.executable, "-c", IMPATIENT, "--snakefile", str(ROOT / "Snakefile"),
        "--profile", str(ROOT / "profiles/slurm"), "--configfile", str(folder / "config.yaml"),
        "--default-resources", f"slurm_partition={Cluster.partition}", "--sdm", "env-modules",
        "--slurm-status-command", "squeue", "--latency-wait", "20", "--max-threads", "1",
        "--retries", "1", *options,
    ]  # fmt: skip


class Killer:
    """Cancels the training once it saved its state, and lets the time of one shard run out."""

    def __init__(self, results: Path) -> None:
        self.begun = {
            "rule_train_wildcards_plain": results / "train/plain/saved.pt",
            "rule_infer_shard_wildcards_plain_test_0_2": results
            / "logs/infer/plain/test/0-of-2.log",
        }

    def __call__(self, jobs: list[dict[str, str]]) -> None:
        for job in jobs:
            sign = self.begun.get(job["Comment"])
            if job["JobState"] == "RUNNING" and sign and sign.exists():
                if "train" in job["Comment"]:
                    run("scancel", job["JobId"])
                else:
                    run("scontrol", "update", f"JobId={job['JobId']}", "TimeLimit=0")
                del self.begun[job["Comment"]]


def submit(cluster: Cluster, folder: Path, killer: Killer, *options: str) -> Run:
    """Run snakemake to its end, with somebody who kills jobs."""
    before = len(cluster.jobs())
    said = folder / "said"
    with said.open("w") as file:
        process = subprocess.Popen(
            command(folder, *options), cwd=folder, stdout=file, stderr=subprocess.STDOUT
        )
    try:
        end = time.monotonic() + HANGS
        while process.poll() is None and time.monotonic() < end:
            killer(cluster.jobs()[before:])
            time.sleep(0.3)
        assert process.poll() is not None, said.read_text()
    finally:
        process.kill()
    return Run(process.wait(), said.read_text(), cluster.jobs()[before:])


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    why_not = missing()
    if why_not:
        pytest.skip(why_not)
    told = Story(tmp_path_factory.mktemp("slurm run"))
    (told.folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        killer = Killer(told.folder / "results")
        sabotage = ["--set-resources", SHORT_OF_MEMORY, NEVER_ENOUGH]
        told.runs.append(submit(cluster, told.folder, killer, *sabotage))
        report = told.folder / "results/report"
        told.pages = sorted(page.relative_to(report).as_posix() for page in report.rglob("*.html"))
        told.runs.append(submit(cluster, told.folder, killer))
        told.devices = cluster.devices()
        yield told
    finally:
        cluster.close()


def states(jobs: list[dict[str, str]]) -> list[str]:
    return [job["JobState"] for job in jobs]


def memory(jobs: list[dict[str, str]]) -> list[str]:
    return [re.search(r"mem=(\w+)", job["TRES"])[1] for job in jobs]  # type: ignore[index]


def test_a_cancelled_training_is_retried_with_more_memory_and_goes_on(story: Story) -> None:
    first = story.runs[0]
    jobs = first.of("train")
    assert states(jobs) == ["CANCELLED", "COMPLETED"] and memory(jobs) == ["16000M", "32000M"]
    assert "SLURM status is: 'CANCELLED'" in first.text
    # Slurm's log of the job is named and printed
    assert f"slurm/rule_train/plain/{jobs[0]['JobId']}.log:" in first.text
    assert f"JOB {jobs[0]['JobId']} ON" in first.text and "CANCELLED AT" in first.text
    log = (story.folder / "results/logs/train/plain.log").read_text()
    assert "training resumes at step" in log and f"step {STEPS}:" in log


def test_a_shard_out_of_time_is_retried_with_more(story: Story) -> None:
    first = story.runs[0]
    killed, other, again = sorted(
        first.of("infer_shard"), key=lambda job: job["JobState"] != "TIMEOUT"
    )
    assert states([killed, other, again]) == ["TIMEOUT", "COMPLETED", "COMPLETED"]
    assert killed["Comment"] == again["Comment"] and again["TimeLimit"] == "1-00:00:00"
    assert "SLURM status is: 'TIMEOUT'" in first.text
    assert f"infer_shard/plain_test_0_2/{killed['JobId']}.log" in first.text
    # profiles/default lets one job at a time have this machine's GPU, but not a cluster's GPUs
    assert other["StartTime"] < killed["EndTime"] and killed["StartTime"] < other["EndTime"]


def test_a_job_out_of_memory_is_retried_with_more(story: Story) -> None:
    first = story.runs[0]
    jobs = first.of("report_data_report_data")
    assert states(jobs) == ["FAILED", "COMPLETED"] and memory(jobs) == ["100M", "8100M"]
    assert f"StepId={jobs[0]['JobId']}.batch exceeded memory limit" in first.text


def test_what_fails_for_good_is_reported_and_the_rest_goes_on(story: Story) -> None:
    first = story.runs[0]
    jobs = first.of("report_train_report_train")
    assert states(jobs) == ["FAILED", "FAILED"]
    assert first.status == 1
    for job in jobs:
        assert f"StepId={job['JobId']}.batch exceeded memory limit" in first.text
        assert f"report_train/{job['JobId']}.log (check log file(s)" in first.text
    assert story.pages == ["data/train.html", "data/whole.html", "segment/plain/mean/test.html"]


def test_the_same_command_makes_what_is_missing_and_no_more(story: Story) -> None:
    second = story.runs[1]
    assert second.status == 0, second.text
    groups = ["report_train_report_train", "report_report_report_evaluate_report_provenance",
              "report_crate"]  # fmt: skip
    assert [job["Comment"] for job in second.jobs] == [f"rule_{group}" for group in groups]
    results = story.folder / "results"
    assert "plain" in (results / "report/scores.txt").read_text()
    for page in ("index", "evaluate", "provenance", "train/plain", *story.pages):
        assert (results / "report" / page).with_suffix(".html").stat().st_size > 5000
    left = subprocess.run(
        command(story.folder, "--dry-run"), cwd=story.folder, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert "Nothing to be done" in left.stdout + left.stderr


def test_train_and_infer_get_a_gpu_and_nothing_else_does(story: Story) -> None:
    jobs = [job for each in story.runs for job in each.jobs]
    asked = {job["JobId"] for job in jobs if job.get("TresPerJob") == "gres:gpu:1"}
    assert asked == {job["JobId"] for each in story.runs for rule in ("train", "infer_shard")
                     for job in each.of(rule)}  # fmt: skip
    assert len(asked) == 5 and len(jobs) > 10
    # a job killed before its first task began wrote nothing
    assert {job for job, seen in story.devices.items() if seen != "none"} == asked
    assert {seen for seen in story.devices.values() if seen != "none"} <= {"0", "1"}


def test_shards_are_alone_and_last_jobs_together(story: Story) -> None:
    first, second = story.runs
    for rule, jobs in (("agglomerate_fragments", 2), ("agglomerate_graph", 1), ("infer", 1)):
        assert len(first.of(rule)) == jobs
    assert len(second.of("report_report_report_evaluate_report_provenance")) == 1
    assert "localrule evaluate_threshold:" in first.text
