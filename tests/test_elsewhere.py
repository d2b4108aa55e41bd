"""fgnet outside of its own folder: as a module of another workflow, and installed by pip."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from chain import ROOT, TINY, planned
from test_architecture import STAGES

from fgnet import ledger, volume

# a workflow of the user's own, one rule of which reads what a rule of fgnet makes
SNAKEFILE = """
configfile: "my config.yaml"

module fgnet:
    snakefile: {source}
    config: config{more}

use rule * from fgnet as em_*

rule weigh:
    default_target: True
    input: "results/normalize/train.h5"
    output: "weighed.txt"
    shell: "wc -c < {{input:q}} > {{output}}"

rule count_neurons:
    input: "results/agglomerate/fgnet/mean/test.h5"
    output: "counted.txt"
    shell: "touch {{output}}"
"""
GIT = ("git", "-c", "user.name=me", "-c", "user.email=me@localhost")


def git(*arguments: str | Path, folder: Path) -> str:
    return subprocess.run(
        [*GIT, *map(str, arguments)], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stands in for GitHub: owner/fgnet with the tag v0, made of the files of this folder."""
    folder = tmp_path_factory.mktemp("forge")
    repository = folder / "owner/fgnet"
    for name in git("ls-files", "--cached", "--others", "--exclude-standard", folder=ROOT).split(
        "\n"
    ):
        if (ROOT / name).is_file():
            (repository / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, repository / name)
    git("init", "--quiet", folder=repository)
    git("add", "--all", folder=repository)
    git("commit", "--quiet", "--message", "all", folder=repository)
    git("tag", "v0", folder=repository)
    return folder


def run(
    folder: Path, forge: Path, source: str, *options: str, more: str = "", **config: Any
) -> tuple[int, str]:
    """Run the user's workflow in a folder, with fgnet from a source."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Snakefile").write_text(SNAKEFILE.format(source=source, more=more))
    (folder / "my config.yaml").write_text(yaml.safe_dump({**TINY, **config}))
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment |= {
        # where Snakemake keeps what it fetched, and where git finds GitHub
        "XDG_CACHE_HOME": str(forge / "cache"), "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{forge.as_uri()}/.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", *options],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.mark.workflow
def test_paths_may_be_relative_to_where_it_is_called(tmp_path: Path) -> None:
    """Called in one folder, the code in another, results in a third."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here/my config.yaml").write_text(yaml.safe_dump(TINY))
    (tmp_path / "code").symlink_to(ROOT)
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--snakefile", "../code/Snakefile", "--directory",
         "../there", "--configfile", "my config.yaml", "--cores", "1", "results/download/train.h5"],
        cwd=tmp_path / "here", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "there/results/download/train.h5").is_file()
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["my config.yaml"]


@pytest.fixture(scope="module", params=["clone", "github"])
def module(
    request: pytest.FixtureRequest, forge: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """How a user's workflow names fgnet, and the folder of that workflow."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "clone":
        git("clone", "--quiet", forge / "owner/fgnet", "its clone", folder=folder)
        yield '"../its clone/Snakefile"', folder / "mine"
    else:
        # the file that snakedeploy writes into its module
        yield 'github("owner/fgnet", path="workflow/Snakefile", tag="v0")', folder / "mine"


@pytest.mark.workflow
def test_a_workflow_takes_fgnet_as_a_module(module: tuple[str, Path], forge: Path) -> None:
    source, folder = module
    status, text = run(folder, forge, source)
    assert status == 0, text
    assert planned(text) == {"em_download", "em_normalize", "weigh"}
    size = (folder / "results/normalize/train.h5").stat().st_size
    assert int((folder / "weighed.txt").read_text()) == size
    # the jobs know their code, wherever it was taken from
    commit = git("rev-parse", "v0", folder=forge / "owner/fgnet").strip()
    jobs = dict(ledger.entries(folder / "results/ledger"))
    assert {job["revision"] for job in jobs.values()} == {commit} and len(jobs) == 2
    # neither a second run nor a plan of all does that again
    status, text = run(folder, forge, source, "--dry-run")
    assert status == 0 and "Nothing to be done" in text, text
    status, text = run(folder, forge, source, "--dry-run", "em_all", "count_neurons")
    assert status == 0, text
    assert {"em_train", "em_agglomerate", "em_report_crate", "count_neurons"} <= planned(text)
    assert all(name.startswith("em_") for name in planned(text) - {"count_neurons"})
    made = re.findall(r"^ +output: (.*)$", text, re.MULTILINE)
    assert "results/normalize/whole.h5" in made and "results/normalize/train.h5" not in made


@pytest.mark.workflow
def test_a_module_refuses_a_prefix_at_once(tmp_path: Path, forge: Path) -> None:
    status, text = run(
        tmp_path, forge, f'"{ROOT}/Snakefile"', "--dry-run", more='\n    prefix: "em"'
    )
    assert status == 1 and "`prefix`" in text and "--directory" in text, text


@pytest.fixture(scope="module")
def installed(forge: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that pip installs fgnet into, and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    source = tmp_path_factory.mktemp("source") / "fgnet"
    git("clone", "--quiet", forge / "owner/fgnet", source, folder=folder)
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
         "--no-index", "--target", str(folder / "packages"), str(source)],
        check=True,
    )  # fmt: skip
    shutil.rmtree(source)
    return folder / "packages"


def python(folder: Path, installed: Path, *arguments: str) -> tuple[int, str]:
    """Run the Python of these tests in a folder, with the installed fgnet alone."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_an_installed_package_answers_in_every_stage(tmp_path: Path, installed: Path) -> None:
    for stage in STAGES:
        status, text = python(tmp_path, installed, "-m", f"fgnet.{stage}", "--help")
        assert status == 0 and f"usage: python -m fgnet.{stage}" in text, text
    # and nothing of the package is missed, whatever imports it
    names = [path.relative_to(ROOT).as_posix() for path in (ROOT / "fgnet").rglob("*.py")]
    assert [name for name in names if not (installed / name).is_file()] == []


def test_an_installed_package_works_without_snakemake(tmp_path: Path, installed: Path) -> None:
    phantom = '{"volume": {"phantom": {"shape": [8, 64, 64], "seed": 1}}}'
    for arguments in (
        ["download", "volume", "--volume", "demo", "--settings", phantom, "--output", "demo.h5"],
        ["normalize", "--input", "demo.h5", "--settings", '{"low": 1}', "--output", "out.h5"],
    ):
        status, text = python(tmp_path, installed, "-m", f"fgnet.{arguments[0]}", *arguments[1:])
        assert status == 0, text
    with volume.opened(tmp_path / "out.h5") as file:
        assert volume.dataset(file, volume.RAW).shape == (8, 64, 64)
    # the registry of data sets is the workflow's
    status, text = python(tmp_path, installed, "-m", "fgnet.settings.datasets")
    assert status == 1 and "run in a clone" in text and "Traceback" not in text
