"""Runs that are killed, and what becomes of them when they go on."""

import os
import random
import subprocess
import time
from pathlib import Path

import psutil
import pytest
import yaml
from chain import TINY, command, results, snakemake

from fgnet import ledger

pytestmark = pytest.mark.workflow

# twenty or more outside of CI
MOMENTS = int(os.environ.get("FGNET_MOMENTS", "5"))
KILLED = ("workflow", "job", "everything")


def jobs(process: psutil.Process) -> list[psutil.Process]:
    """The jobs that a workflow has at work."""
    return [
        one for one in process.children(recursive=True) if "fgnet." in " ".join(one.cmdline()[:4])
    ]


def interrupted(folder: Path, what: str, entries: int, seconds: float) -> list[psutil.Process]:
    """Start the workflow and kill a part of it; the processes that go on by themselves.

    Args:
        what: the main process, one of its jobs, or all of them.
        entries: of the ledger, which are awaited before.
        seconds: that pass then.
    """
    (folder / "config file.yaml").write_text(yaml.safe_dump(TINY, allow_unicode=True))
    with (folder / "log.txt").open("w") as log:
        main = psutil.Process(
            subprocess.Popen(
                command(folder, folder / "config file.yaml", "--rerun-incomplete"),
                stdout=log, stderr=log, cwd=folder,
            ).pid
        )  # fmt: skip
    while alive(main):
        ended = [one for _, one in ledger.entries(folder / "results/ledger") if "ended" in one]
        if len(ended) >= entries:
            break
        time.sleep(0.1)
    time.sleep(seconds)
    at_work = jobs(main)
    if what == "job":
        for one in at_work[:1]:
            one.kill()
    else:
        for one in [main, *(main.children(recursive=True) if what == "everything" else [])]:
            one.kill()
    main.wait()
    return at_work


def test_killed_at_any_moment_it_ends_with_the_same(chain: Path, tmp_path: Path) -> None:
    """Twice the same computation, one of them in pieces: nothing is lost, and nothing differs."""
    expected = results(chain)
    dice = random.Random(7)
    total = len(dict(ledger.entries(chain / "results/ledger")))
    for number in range(MOMENTS):
        at_work = interrupted(
            tmp_path, KILLED[number % len(KILLED)], int(total * (number + dice.random()) / MOMENTS),
            2 * dice.random(),
        )  # fmt: skip
        status, text = snakemake(tmp_path, TINY, "--unlock")
        assert status == 0, text
    while (done := snakemake(tmp_path, TINY, "--rerun-incomplete"))[0] != 0:
        # the training of a killed workflow may be at work still
        assert "another process is training" in done[1] and any(map(alive, at_work)), done[1]
        psutil.wait_procs(at_work)
    psutil.wait_procs(at_work)
    found = results(tmp_path)
    assert found.keys() == expected.keys() and len(found) > 10
    assert [name for name in found if found[name] != expected[name]] == []
    assert not list(tmp_path.rglob("*.partial"))
    status, text = snakemake(tmp_path, TINY, "--dry-run")
    assert status == 0 and "Nothing to be done" in text, text


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
