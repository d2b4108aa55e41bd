"""Formatting, types, lint and pins: the checks that need no data."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
RULES = ["Snakefile", *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("workflow/rules/*.smk"))]


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy", "--strict", "fgnet"],
        ["snakefmt", "--check", *RULES],
        ["snakemake", "--lint"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_clean(command: list[str]) -> None:
    done = subprocess.run(
        [BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_environments_pin_what_the_requirements_pin() -> None:
    wanted = dict(re.findall(r"^([\w-]+)==(\S+)", (ROOT / "requirements.txt").read_text(), re.M))
    for path in [*ROOT.glob("envs/*.yaml"), ROOT / "environment.yml"]:
        pins = yaml.safe_load(path.read_text())["dependencies"][-1]["pip"]
        for name, version in (pin.split("==") for pin in pins):
            if name != "snakemake-executor-plugin-slurm":
                assert wanted[name] == version, f"{path.name}: {name}"
    sam2 = re.search(r"sam2==\S+", (ROOT / "Makefile").read_text())
    assert sam2 and sam2[0] in (ROOT / "envs/model.post-deploy.sh").read_text()


def test_no_module_is_long_or_names_a_machine() -> None:
    for path in ROOT.glob("fgnet/**/*.py"):
        text = path.read_text()
        assert len(text.splitlines()) <= 300, path
        assert not re.search(r"/(home|root|work|tmp)/", text), path
