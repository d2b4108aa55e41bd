"""The ledger: a job's entry holds what the job did, also when it fails or is killed."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import ROOT, normalized

from fgnet import counters, ledger, volume
from fgnet.revision import CHANGED, revision, web

MB = 2**20
# a stage of one step that does what it is told in Python
JOB = """
import sys
from pathlib import Path
from fgnet import command, ledger
from fgnet.errors import InputError

def run(code: str, output: Path, other: Path) -> None:
    exec(code)

parser = command.parser("some", "text")
steps = command.steps(parser, work=run)
for name, kind in (("code", str), ("output", Path), ("other", Path)):
    steps["work"].add_argument(f"--{name}", type=kind)
sys.exit(command.main(parser, command.run_step))
"""


def start(folder: Path, code: str, *options: str) -> "subprocess.Popen[bytes]":
    """Start a job in a folder, with the entry results/ledger/a/ä b.json."""
    (folder / "job.py").write_text(JOB)
    (folder / "input").touch()
    return subprocess.Popen(
        [sys.executable, "job.py", *options, "work", "--code", code, "--output", "out",
         "--other", "input"],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def job(folder: Path, code: str) -> dict[str, Any]:
    """The entry of a job that has run."""
    start(folder, code, "--ledger", "results/ledger/a/ä b.json").wait()
    ((name, entry),) = ledger.entries(folder / "results/ledger")
    assert name == "a/ä b"
    return entry


def test_an_entry_says_what_the_job_did(tmp_path: Path) -> None:
    entry = job(
        tmp_path,
        "from time import process_time as now; begun = now()\n"
        "output.write_bytes(bytearray(50 << 20)); ledger.voxels(7000); ledger.voxels(3000)\n"
        "while now() - begun < 0.3: pass",
    )
    assert (entry["stage"], entry["step"], entry["status"], entry["attempt"]) == ("some", "work",
                                                                                  0, 1)  # fmt: skip
    assert entry["wrote"] == ["out"] and entry["read"] == ["input"]
    assert 50 * MB <= entry["write_bytes"] < 51 * MB
    assert 60 * MB < entry["peak_bytes"] < 400 * MB and entry["peak_bytes_of_a_child"] == 0
    assert entry["cpu_seconds"] > 0.29 and entry["cpu_seconds_of_children"] == 0
    assert entry["voxels"] == 10_000 and entry["gpu"] is None
    assert entry["voxels_per_second"] == pytest.approx(10_000 / entry["seconds"])
    assert entry["started"] < entry["ended"]
    listed = tmp_path / f"results/ledger/environments/{entry['environment']}.json"
    assert json.loads(listed.read_text())["packages"]["h5py"] == __import__("h5py").__version__


def test_children_are_counted(tmp_path: Path) -> None:
    work = "import time; a = bytearray(300 << 20); open('out', 'wb').write(a[: 40 << 20])\n" \
           "while time.process_time() < 1: pass"  # fmt: skip
    entry = job(tmp_path, f"import subprocess; subprocess.run([sys.executable, '-c', {work!r}])")
    assert entry["cpu_seconds_of_children"] > 0.99
    assert entry["peak_bytes_of_a_child"] > 300 * MB > entry["peak_bytes"]
    assert entry["write_bytes"] >= 40 * MB and entry["wrote"] == ["out"]


def test_a_job_tells_what_else_it_reads(tmp_path: Path) -> None:
    entry = job(
        tmp_path,
        "Path('more').touch(); Path('folder').mkdir(); output.touch()\n"
        "ledger.read([output, Path('more'), Path('none')]); ledger.read([Path('folder'), other])",
    )
    assert entry["read"] == ["input", "more", "folder"] and entry["wrote"] == ["out"]


def entry_of(path: Path, **values: Any) -> dict[str, Any]:
    """The entry of a job in this process that writes its output."""
    with ledger.kept(path, "some", None, values):
        values["output"].touch()
    (entry,) = (json.loads(one.read_text(encoding="utf-8")) for one in path.parent.glob("*.json"))
    return dict(entry)


def test_copies_of_a_storage_have_their_own_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a folder /data/results/lab as the storage, which must not be told."""
    monkeypatch.chdir(tmp_path)
    copy = Path(".snakemake/storage/fs/data/results/lab")
    made = copy / "results/normalize"
    made.mkdir(parents=True)
    (made / "a.h5").touch()
    entry = entry_of(copy / "results/ledger/x.json", input=made / "a.h5", output=made / "b.h5")
    assert entry["read"] == ["results/normalize/a.h5"]
    assert entry["wrote"] == ["results/normalize/b.h5"]


def test_names_that_are_no_utf_8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = os.fsdecode(b"K\xe4se.h5")
    Path(name).touch()
    entry = entry_of(Path("x.json"), input=Path(name), volume=name, output=Path("Käse.h5"))
    assert entry["read"] == ["K\\udce4se.h5"] and entry["wrote"] == ["Käse.h5"]
    assert entry["arguments"] == {"volume": "K\\udce4se.h5"}


@pytest.mark.parametrize(
    ("given", "count"), [("3", 3), ("4,2", 4), ("", None), ("0", None), ("all", None)]
)
def test_threads(given: str, count: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert ledger.threads() == (count or os.cpu_count())


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("raise InputError('wrong: mend it')", 2),
        ("raise OSError(28, 'No space left on device', 'out')", 2),
        ("raise ValueError", 1),
        ("raise SystemExit(143)", 143),
    ],
)
def test_a_failed_job_leaves_its_status(tmp_path: Path, code: str, status: int) -> None:
    entry = job(tmp_path, code)
    assert entry["status"] == status and entry["ended"] and entry["seconds"] >= 0
    assert job(tmp_path, code)["attempt"] == 2
    assert job(tmp_path, "pass")["attempt"] == 3
    assert job(tmp_path, "pass")["attempt"] == 1


def test_a_killed_job_leaves_that_it_began(tmp_path: Path) -> None:
    path = tmp_path / "results/ledger/a/ä b.json"
    process = start(tmp_path, "output.touch(); __import__('time').sleep(60)", "--ledger",
                    "results/ledger/a/ä b.json")  # fmt: skip
    while not (tmp_path / "out").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    entry = json.loads(path.read_text())
    assert entry["started"] and entry["ended"] is None and entry["status"] is None
    assert job(tmp_path, "pass")["attempt"] == 2


def test_of_several_processes_the_first_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As torchrun starts them in place of the job, which has begun its entry."""
    path = "results/ledger/a/ä b.json"
    become = "import os; os.environ.update(RANK='0', WORLD_SIZE='2')\n" \
             "os.execv(sys.executable, [sys.executable, *sys.argv[:-6], '--code', 'pass', " \
             "*sys.argv[-4:]])"  # fmt: skip
    assert start(tmp_path, become, "--ledger", path).wait() == 0
    entry = json.loads((tmp_path / path).read_text())
    assert (entry["status"], entry["processes"], entry["attempt"]) == (0, 2, 1)
    monkeypatch.setenv("RANK", "1")
    assert start(tmp_path, "ledger.voxels(1)", "--ledger", path).wait() == 0
    assert json.loads((tmp_path / path).read_text()) == entry


def test_no_job_fails_for_its_ledger(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file where a folder is needed")
    assert start(tmp_path, "output.touch()", "--ledger", "results/ledger/x.json").wait() == 0
    assert start(tmp_path, "output.touch()").wait() == 0
    assert {path.name for path in tmp_path.iterdir()} == {"job.py", "input", "results", "out"}


def test_the_ledger_changes_no_byte_of_a_result(tmp_path: Path) -> None:
    source = normalized(tmp_path / "in.h5", (6, 40, 48))
    with volume.opened(source) as file:
        size = file[volume.RAW].size
    settings = json.dumps({"low": 1.0, "high": 99.0})
    made = []
    for name, options in (("a", []), ("b", ["--ledger", str(tmp_path / "ledger/b.json")])):
        output = tmp_path / f"{name}.h5"
        subprocess.run(
            [sys.executable, "-m", "fgnet.normalize", *options, "--input", str(source),
             "--output", str(output), "--settings", settings],
            check=True, cwd=ROOT,
        )  # fmt: skip
        made.append(output.read_bytes())
    assert made[0] == made[1]
    entry = json.loads((tmp_path / "ledger/b.json").read_text())
    assert entry["voxels"] == size and entry["arguments"] == {}
    # outside of the working directory nothing but names
    assert (entry["read"], entry["wrote"]) == (["in.h5"], ["b.h5"])


def test_memory_of_a_gpu_is_told_where_one_was_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(device: int) -> int:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    cuda = SimpleNamespace(
        is_initialized=lambda: True, device_count=lambda: 2,
        max_memory_allocated=[5, 9].__getitem__, get_device_name=["one", "two"].__getitem__,
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert counters.gpu() == {"name": "two", "peak_bytes": 9}
    assert counters.gpu(12) == {"name": "two", "peak_bytes": 12}
    cuda.max_memory_allocated = broken
    assert counters.gpu() is None
    cuda.is_initialized = lambda: False
    assert counters.gpu() is None


def test_the_revision_tells_whether_the_code_was_changed(tmp_path: Path) -> None:
    assert revision(tmp_path) == ""
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "fgnet").mkdir()
    (tmp_path / "fgnet/a.py").touch()
    for step in (["init", "-q"], ["add", "."], ["commit", "-qm", "a"]):
        subprocess.run([*git, *step], check=True)
    commit = revision(tmp_path)
    assert len(commit) == 40 and not commit.endswith(CHANGED)
    (tmp_path / "notes").touch()
    assert revision(tmp_path) == commit
    (tmp_path / "fgnet/b.py").touch()
    assert revision(tmp_path) == commit + CHANGED


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("git@github.com:lab/repo.git", "https://github.com/lab/repo"),
        ("ssh://git@git.lab.org:2222/~me/repo.git/", "https://git.lab.org/~me/repo"),
        ("https://me:t0ken@github.com/lab/repo.git?x=t0ken#y", "https://github.com/lab/repo"),
        ("http://git.lab.org:8080/repo", "http://git.lab.org:8080/repo"),
        ("git://git.lab.org/repo.git", "https://git.lab.org/repo"),
        # no place on the web, or none that can be told
        ("work:lab/repo.git", ""), ("git@lab.org:/srv/repo.git", ""), ("/srv/repo.git", ""),
        ("file:///srv/repo.git", ""), ("../repo", ""), ("https://[bad/repo", ""), ("C:\\repo", ""),
        ("s3://bucket.lab.org/repo", ""), ("https://github.com/", ""), ("", ""),
    ],
)  # fmt: skip
def test_the_repository_on_the_web(address: str, found: str) -> None:
    assert web(address) == found


def test_every_rule_keeps_the_ledger() -> None:
    """By the name of its benchmark file, with which its entry is joined."""
    text = "".join(path.read_text() for path in sorted(ROOT.glob("workflow/rules/*.smk")))
    rules = {rule.split(":")[0]: rule for rule in re.split(r"^rule ", text, flags=re.M)[1:]}
    assert len(rules) > 20
    for name in rules.keys() - {"list_datasets"}:
        (measured,) = re.findall(r'"results/benchmarks/(.*)\.tsv"', rules[name])
        assert f'ledger="results/ledger/{measured}.json"' in rules[name], name
        assert re.search(r"python -m fgnet\.\w+ --ledger \{log\.ledger:q\}", rules[name]), name
        assert "{log:q}" not in rules[name], name


def test_the_packages_of_an_environment_are_those_that_python_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {
        "a-1.dist-info/METADATA": "Metadata-Version: 2.1\nNAME:  Ä.a_B \nVersion: 1\n\nName: no\n",
        "b-2.dist-info/METADATA": "Version: 2+x\r\nSummary: s\r\n Name: no\r\nName: b\r\n",
        "c.egg-info/PKG-INFO": "Name: c\nVersion: 3\nName: no\n",
        "d-4.egg-info": "Name: d\nVersion: 4\n",
        "e-5.dist-info/RECORD": "",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    monkeypatch.syspath_prepend(tmp_path)
    known = {}
    for one in metadata.distributions():
        # a backport of importlib.metadata, once it is imported, raises where there is no name
        with contextlib.suppress(Exception):
            if one.name:
                known[one.name] = one.version
    assert ledger.installed() == known
    assert known.items() >= {"Ä.a_B ": "1", "b": "2+x", "c": "3", "d": "4"}.items()
