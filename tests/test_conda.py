"""The chain in conda environments, from nothing but what environment.yml makes.

tests/conda answers for conda, from a channel that holds this interpreter and pip. This shows
Snakemake's part, that environment files are read as conda reads them, that pip's pins fit together,
and that each environment holds all that its jobs load. It does not show conda-forge itself, and
files of packages are links to those of the environment that these tests run in.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from chain import ROOT, TINY, planned, results
from test_architecture import STAGES
from test_images_workflow import CONFIG as IMAGES
from test_rerun import PAGE
from test_style import FAMILIES

from fgnet import ledger

pytestmark = pytest.mark.workflow

HERE = Path(__file__).parent / "conda"
CONFIG = {
    **TINY,
    "evaluate": {"skeletons": {}},
    "export": {"formats": ["precomputed", "ome_zarr", "hdf5", "tiff"], "meshes": True,
               "skeletons": {}},
}  # fmt: skip
# of the rules that have an environment, those that this config has jobs of
RAN = {
    "download", "normalize", "train", "infer_shard", "infer", "agglomerate", "evaluate",
    "evaluate_threshold", "evaluate_neurons", "evaluate_run_lengths", "evaluate_skeletons",
    "report_data", "report_train", "report_segment", "report_evaluate", "report_provenance",
    "report", "report_crate", "export_folder", "export_file", "export_skeletons", "export_state",
}  # fmt: skip
# how threads wait, and the instruction set of a processor that is held back
KEPT = {
    "HOME", "OMP_NUM_THREADS", "OMP_WAIT_POLICY",
    "ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "MKL_ENABLE_INSTRUCTIONS",
}  # fmt: skip
# what Numba compiled for the chain without conda stays with its sources
NO_CODE = shutil.ignore_patterns(".*", "results", "*.pyc")
ACTIVATE = """# sourced by Snakemake: activate PREFIX
export CONDA_PREFIX="$1"
export PATH="$1/bin:$PATH"
"""


def front(folder: Path) -> Path:
    """What $CONDA_FRONT is to name; the folder in it that $PATH is to begin with."""
    programs = folder / "bin"
    programs.mkdir(parents=True)
    (programs / "activate").write_text(ACTIVATE)
    words = shlex.join([sys.executable, "-I", str(HERE / "conda.py")])
    (programs / "conda").write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    (programs / "conda").chmod(0o755)
    return programs


@pytest.fixture(scope="module")
def conda(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment variables of a shell that knows conda, and nothing of this Python."""
    folder = tmp_path_factory.mktemp("conda")
    channel = folder / "channels" / "conda-forge"
    subprocess.run([sys.executable, str(HERE / "channel.py"), str(channel)], check=True)
    return {
        **{
            name: value
            for name, value in os.environ.items()
            # and where the packages of this machine come from
            if name in KEPT or name.startswith("PIP_")
        },
        "PATH": os.pathsep.join([str(front(folder / "front")), "/usr/bin", "/bin"]),
        "CONDA_FRONT": str(folder / "front"),
        "CONDA_CHANNEL_ALIAS": f"{channel.parent.as_uri()}/",
        "CONDA_PKGS_DIRS": str(folder / "packages"),
    }


@pytest.fixture(scope="module")
def run(
    conda: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, dict[str, str], Any]]:
    """A run of the whole chain: its folder, its environment variables, and how it went on."""
    folder = tmp_path_factory.mktemp("run") / 'it\'s a "folder"; with ä name'
    folder.mkdir()
    shutil.copytree(ROOT, folder.parent / "code", ignore=NO_CODE)
    own = folder.parent / "snakemake"
    subprocess.run(
        ["conda", "env", "create", "--file", str(ROOT / "environment.yml"), "--prefix", str(own)],
        check=True, env=conda,
    )  # fmt: skip
    environment = {**conda, "PATH": os.pathsep.join([str(own / "bin"), conda["PATH"]])}
    yield folder, environment, snakemake(folder, environment)
    # gigabytes, which other tests need not wait for
    subprocess.Popen(["rm", "-rf", str(folder.parent)], start_new_session=True)


def snakemake(
    folder: Path, environment: dict[str, str], *options: str, config: dict[str, Any] = CONFIG
) -> Any:
    """Run snakemake in a folder; how it ended and all that it said."""
    (folder.parent / "said").mkdir(exist_ok=True)
    (folder / "config file.yaml").write_text(yaml.safe_dump(config))
    return subprocess.run(
        ["snakemake", "--snakefile", str(folder.parent / "code/Snakefile"),
         "--directory", str(folder),
         "--configfile", str(folder / "config file.yaml"), "--cores", "2", "--use-conda",
         "--conda-prefix", str(folder.parent / "environments"), *options],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        env={**environment, "FGNET_WITNESS": str(folder.parent / "said")},
    )  # fmt: skip


def test_the_chain_runs_in_its_environments(
    run: tuple[Path, dict[str, str], Any], chain: Path
) -> None:
    folder, environment, done = run
    assert done.returncode == 0, done.stdout
    assert (folder / "results/report/index.html").is_file()
    again = snakemake(folder, environment, "--dry-run")
    assert again.returncode == 0 and "Nothing to be done" in again.stdout, again.stdout
    jobs = dict(ledger.entries(folder / "results/ledger"))
    assert all(job["status"] == 0 for job in jobs.values())
    # the same versions as without conda, so the same numbers
    expected, found = results(chain), results(folder)
    assert [name for name in expected if found[name] != expected[name]] == []


def test_a_chain_of_images_runs_in_the_same_environments(
    run: tuple[Path, dict[str, str], Any],
) -> None:
    folder, environment, _ = run
    done = snakemake(
        folder, environment, "--directory", str(folder.parent / "images"), config=IMAGES
    )
    assert done.returncode == 0, done.stdout
    assert (folder.parent / "images/results/report/index.html").is_file()


def test_every_job_loads_its_environment_and_fgnet_alone(
    run: tuple[Path, dict[str, str], Any],
) -> None:
    """As each Python says that was at work in the jobs, kernels of notebooks included."""
    folder, environment, _ = run
    listed = snakemake(folder, environment, "--list-conda-envs").stdout
    made = {
        (folder / words[1]).resolve(): Path(words[0]).stem
        for words in (line.split("\t")[::2] for line in listed.splitlines() if ".yaml" in line)
    }
    assert set(made.values()) == set(FAMILIES)
    seen = set()
    for path in (folder.parent / "said").iterdir():
        said = json.loads(path.read_text())
        prefix = Path(said["prefix"]).resolve()
        if prefix == (folder.parent / "snakemake").resolve():
            continue  # the one that starts the jobs
        assert prefix in made and Path(said["executable"]).is_relative_to(prefix)
        outside = [one for one in said["loaded"] if not Path(one).is_relative_to(prefix)]
        code = (folder.parent / "code/fgnet").resolve()
        assert all(Path(one).is_relative_to(code) for one in outside), outside
        program = Path(said["arguments"][0])
        if program.is_relative_to(code):
            stage = program.relative_to(code).parts[0]
            lines = ".skeletons" if "skeletons" in said["arguments"] else ""
            assert f"{stage}{lines}" in FAMILIES[made[prefix]], said["arguments"]
            seen.add(f"{stage}{lines}")
    assert seen == {stage for stages in FAMILIES.values() for stage in stages}


@pytest.mark.parametrize("family", FAMILIES)
def test_an_edit_of_an_environment_reruns_its_rules(
    run: tuple[Path, dict[str, str], Any], family: str
) -> None:
    """And no other, but what comes after; docs/rerun.md lists them."""
    folder, environment, _ = run
    file = folder.parent / f"code/envs/{family}.yaml"
    before = file.read_text()
    file.write_text(f"{before}# edited\n")
    said = snakemake(folder, environment, "--dry-run").stdout
    file.write_text(before)
    (row,) = re.findall(rf"^\| `envs/{family}.yaml` \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    everything = planned(said)
    ran = {name.partition("/")[0] for name, _ in ledger.entries(folder / "results/ledger")}
    own = {name for name in row.split(", ") if name in RAN}
    assert {name.partition("_")[0] for name in own} <= ran
    assert "oftware environment" in said and own <= everything, said
    # and what comes before stays
    stages = {name.partition("_")[0] for name in everything - own} - {"report"}
    first = min(STAGES.index(name.partition("_")[0]) for name in own)
    assert all(STAGES.index(stage) >= first for stage in stages)


def test_a_folder_that_conda_cannot_use_is_told_at_once(
    run: tuple[Path, dict[str, str], Any],
) -> None:
    """Snakemake calls the script that installs sam2 without quotes."""
    folder, environment, _ = run
    done = snakemake(folder, environment, "--conda-prefix", str(folder / "two words"), "--dry-run")
    assert done.returncode == 1 and "--conda-prefix" in done.stdout
    assert "two words" in done.stdout
