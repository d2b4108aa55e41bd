"""What the machine refuses: each stage says so in a sentence, and damages nothing."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from chain import ROOT, TINY, changed, command, snakemake
from server import Server
from test_addresses import volume_file

pytestmark = pytest.mark.workflow

KEPT_APART = ("logs", "ledger", "benchmarks")
RULES = {
    "normalize": 16, "train": 2000, "infer_shard": 16, "agglomerate": 16, "evaluate": 1,
    "report_data": 16, "export_folder": 16, "export_file": 16,
}  # fmt: skip


@pytest.fixture(scope="module")
def commands(chain: Path) -> dict[str, str]:
    """A command of each rule, as Snakemake would run it again in the chain's folder."""
    config = changed(export={"formats": ["precomputed", "hdf5"], "layers": ["affinities"]})
    status, text = snakemake(chain, config, "--dry-run", "--forceall", "--printshellcmds")
    assert status == 0, text
    return dict(re.findall(r"^rule (\w+):\n(?:    .*\n)*Shell command: (.*)$", text, re.M))


def state(folder: Path) -> dict[str, str]:
    """Every file but those in which jobs say how they went, and what is in it."""
    files = (path for path in (folder / "results").rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in files}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in names.items()
        if name.split("/")[1] not in KEPT_APART and not name.endswith(".lock")
        and "tfevents" not in name
    }  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_a_file_that_cannot_be_written_to_its_end(
    chain: Path, tmp_path: Path, commands: dict[str, str], rule: str
) -> None:
    """As on a full disk: the system takes no more than some kB of a file."""
    folder = tmp_path / "run"
    shutil.copytree(chain, folder)
    log = folder / f"{rule}.log"
    line = re.split(r" &> | 2>&1 \| tee", commands[rule])[0]
    before = state(folder)
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "FGNET_FETCHING": "{}", "FGNET_BATCH": "1",
        "FGNET_SAVE_SECONDS": "0.001",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }  # fmt: skip
    script = f"(ulimit -f {RULES[rule]}; {line}) 2>&1 | cat > {rule}.log"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", script], cwd=folder, env=environment,
                          check=False)  # fmt: skip
    text = log.read_text()
    assert done.returncode == 2, text
    told = [one for one in text.splitlines() if one.startswith("error: ")]
    assert len(told) == 1 and "Traceback" not in text, text
    assert "File too large" in told[0] and "ulimit -f" in told[0]
    after = state(folder)
    # and the same command goes on once there is room
    again = subprocess.run(["bash", "-c", f"{line} &> {rule}.log"], cwd=folder, env=environment,
                           check=False)  # fmt: skip
    assert again.returncode == 0, log.read_text()
    assert after == before, set(after.items()) ^ set(before.items())


@pytest.mark.parametrize(
    ("where", "words"),
    [("results", "results cannot be written to"), (".", "/run' cannot be written to"),
     (".snakemake", "/.snakemake' cannot be written to")],
)  # fmt: skip
def test_a_folder_that_is_read_only(tmp_path: Path, where: str, words: str) -> None:
    folder = tmp_path / "run"
    (folder / where).mkdir(parents=True)
    (folder / "results").mkdir(exist_ok=True)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(TINY))
    unshare = ["unshare", "--mount"] + ([] if os.getuid() == 0 else ["--map-root-user"])
    place = folder / where
    mount = f"mount --bind '{place}' '{place}' && mount -o remount,ro,bind '{place}'"
    if not shutil.which("unshare") or subprocess.run(
        [*unshare, "sh", "-c", mount], check=False, capture_output=True
    ).returncode:  # fmt: skip
        pytest.skip("this machine lets nobody mount a folder")
    line = command(folder, tmp_path / "config.yaml", "results/download/train.h5")
    done = subprocess.run(
        [*unshare, "sh", "-c", f"{mount} && cd '{folder}' && exec \"$@\"", "sh", *line],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    text = done.stdout + done.stderr
    assert done.returncode == 1 and "Traceback" not in text, text
    (told,) = [one for one in text.splitlines() if "cannot be written to" in one]
    assert words in told and told.endswith("or run in another folder (--directory FOLDER)")
    assert not [path for path in (folder / "results").rglob("*") if path.is_file()]
    # the same command goes on once it can
    assert subprocess.run(line, capture_output=True, check=False, cwd=folder).returncode == 0


def test_the_second_workflow_in_a_folder_stops(tmp_path: Path, server: Server) -> None:
    url = server.put("em.h5", volume_file())
    server.stalls["em.h5"] = 1
    entry = {"source": url, "voxel_size": [30, 8, 8], "split": "predict"}
    config = changed(volumes={"far": entry}, download={"backoff": 0.0})
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    target = "results/normalize/far.h5"
    first = subprocess.Popen(
        command(tmp_path, tmp_path / "config.yaml", target), cwd=tmp_path,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    while not server.requests:
        assert first.poll() is None
        time.sleep(0.1)
    status, text = snakemake(tmp_path, config, target)
    assert status == 1 and "Traceback" not in text, text
    assert "Directory cannot be locked" in text and "--unlock" in text
    assert first.poll() is None and not (tmp_path / target).exists()
    server.closing.set()  # the connection breaks off, and the first goes on
    text, _ = first.communicate(timeout=300)
    assert first.returncode == 0, text
    status, text = snakemake(tmp_path, config, target)
    assert status == 0 and "Nothing to be done" in text, text
