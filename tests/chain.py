"""Runs of the workflow on the tiny config, as a user starts them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
import warm
import warm_jobs
import yaml

ROOT = Path(__file__).parent.parent
TINY: dict[str, Any] = yaml.safe_load((ROOT / "tests/tiny.yaml").read_text())

ALLOWED = True  # whether the test at work is marked as one that starts workflows


def allowed() -> None:
    """Raise where a test starts a workflow that is not marked so."""
    if not ALLOWED:
        raise RuntimeError("this test starts snakemake: mark it with pytest.mark.workflow")


def snakemake(
    folder: Path, config: dict[str, Any], *options: str, own: bool = False
) -> tuple[int, str]:
    """Run snakemake in a folder; its exit status and everything it said.

    Args:
        own: start a Python for it and for each of its jobs, as a user's run does, instead of forks
            of a process that has loaded what they need.
    """
    allowed()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config file.yaml"
    path.write_text(yaml.safe_dump(config, allow_unicode=True))
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    line = command(folder, path, *options)
    if not own:
        plan = {"--dry-run", "--unlock", "--touch"} & set(options)
        python = sys.executable if plan else warm_jobs.python()
        return warm.run(line[3:], folder, environment, python)
    done = subprocess.run(
        line, capture_output=True, text=True, check=False, env=environment, cwd=folder
    )
    return done.returncode, done.stdout + done.stderr


def command(folder: Path, config: Path, *options: str) -> list[str]:
    """What a user would type."""
    return [
        sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"),
        "--directory", str(folder), "--configfile", str(config), "--cores", "2", *options,
    ]  # fmt: skip


def planned(text: str) -> set[str]:
    """The rules that a dry run names."""
    rules = {line.split()[1].rstrip(":") for line in text.splitlines() if line.startswith("rule ")}
    local = {line.split()[1].rstrip(":") for line in text.splitlines() if "localrule " in line}
    return (rules | local) - {"all"}


def changed(**sections: dict[str, Any]) -> dict[str, Any]:
    return {**TINY, **{key: {**TINY.get(key, {}), **value} for key, value in sections.items()}}


def contents(path: Path) -> Any:
    """What a result says, without when and where it was made."""
    if path.suffix == ".h5":
        found: dict[str, Any] = {}

        def keep(name: str, one: h5py.Dataset | h5py.Group) -> None:
            # names and checksums of other files, which are results themselves
            if isinstance(one, h5py.Dataset) and name != "pieces":
                value = one[()]
                numbers = isinstance(value, np.ndarray) and value.dtype.kind in "biuf"
                found[name] = value.tobytes() if numbers else str(value)

        with h5py.File(path) as file:
            file.visititems(keep)
        return found
    if path.suffix == ".pt":
        weights = torch.load(path, weights_only=True)["weights"]
        return {name: value.numpy().tobytes() for name, value in weights.items()}
    return {key: value for key, value in json.loads(path.read_text()).items() if key != "made_by"}


def results(folder: Path) -> dict[str, Any]:
    """Weights, affinities, segmentations and scores of a run."""
    wanted = ("train/*/checkpoint.pt", "infer/**/*.h5", "agglomerate/**/*.h5", "evaluate/**/*.json")
    found = [path for pattern in wanted for path in (folder / "results").glob(pattern)]
    return {str(path.relative_to(folder)): contents(path) for path in sorted(found)}
