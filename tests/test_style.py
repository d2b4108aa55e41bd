"""Formatting, types, lint and pins: the checks that need no data."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from chain import TINY, snakemake

from fgnet.fingerprint import ASIDE, PACKAGE, sources

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
RULES = [
    "Snakefile",
    "workflow/Snakefile",
    *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("workflow/*/*.smk")),
]


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy", "--strict", "fgnet", "envs"],
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


def test_what_make_check_runs_starts_no_workflow(tmp_path: Path) -> None:
    """It leaves out the tests that are marked, and a test without the mark cannot start one."""
    with pytest.raises(RuntimeError, match=r"mark it with pytest\.mark\.workflow"):
        snakemake(tmp_path, TINY, "--dry-run")
    with pytest.raises(RuntimeError, match=r"mark it with pytest\.mark\.workflow"):
        subprocess.run([BIN / "snakemake", "--version"], check=True)
    check = re.search(r"^check:.*\n\t(.*)$", (ROOT / "Makefile").read_text(), re.M)
    assert check and '-m "not workflow"' in check[1]


def test_environments_pin_what_the_requirements_pin() -> None:
    names = ("-test", "-skeletons", "")
    texts = [(ROOT / f"requirements{name}.txt").read_text() for name in names]
    wanted = dict(pin for text in texts for pin in re.findall(r"^([\w-]+)==(\S+)", text, re.M))
    for path in [*ROOT.glob("envs/*.yaml"), ROOT / "environment.yml"]:
        pins = yaml.safe_load(path.read_text())["dependencies"][-1]["pip"]
        for name, version in (pin.split("==") for pin in pins):
            assert wanted[name] == version, f"{path.name}: {name}"
    sam2 = re.search(r"sam2==\S+", (ROOT / "Makefile").read_text())
    assert sam2 and sam2[0] in (ROOT / "envs/model.post-deploy.sh").read_text()


@pytest.mark.parametrize("name", ["slurm", "kubernetes"])
def test_profiles_name_rules_that_exist(name: str) -> None:
    """Snakemake says nothing of a group, or a rule to leave out, that has no rule."""
    rules = {rule for path in ROOT.glob("workflow/rules/*.smk")
             for rule in re.findall(r"^rule (\w+):", path.read_text(), re.M)}  # fmt: skip
    profile = yaml.safe_load((ROOT / f"profiles/{name}/profile.yaml").read_text())
    assert {*profile["groups"], *profile.get("omit-from", [])} <= rules
    assert {*profile.get("group-components", [])} <= set(profile["groups"].values())


IMPORTED_AS = {
    "PIL": "pillow", "bioimage_cpp": "bioimage-cpp", "cc3d": "connected-components-3d",
    "cloudfiles": "cloud-volume", "cloudvolume": "cloud-volume", "elf": "python-elf",
    "hydra": "hydra-core", "jupyter_client": "ipykernel", "nbformat": "nbconvert", "nrrd": "pynrrd",
    "skimage": "scikit-image",
    "traitlets": "ipykernel", "urllib3": "requests", "yaml": "pyyaml",
}  # fmt: skip
FAMILIES = {
    "data": ("download", "normalize", "mask"),
    "model": ("train", "infer"),
    "agglomerate": ("agglomerate", "evaluate"),
    "report": ("report",),
    "export": ("export",),
    "skeletons": ("evaluate.skeletons", "export.skeletons"),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_an_environment_holds_what_its_stages_import(family: str) -> None:
    environment = yaml.safe_load((ROOT / f"envs/{family}.yaml").read_text())
    pins = {pin.split("==")[0] for pin in environment["dependencies"][-1]["pip"]}
    if (later := ROOT / f"envs/{family}.post-deploy.sh").exists():
        pins |= set(re.findall(r"(\w+)==", later.read_text()))
    pages = ROOT.glob("notebooks/*.ipynb") if family == "report" else ()
    read = {path for notebook in pages for path in sources("report", "page", notebook)}
    read |= {PACKAGE / f"{name}.py" for name in ASIDE}
    for stage in FAMILIES[family]:
        for path in read | set(sources(stage)):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    roots = [alias.name for alias in node.names]
                else:
                    roots = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                for root in {name.split(".")[0] for name in roots}:
                    if root not in {*sys.stdlib_module_names, "fgnet", "__future__"}:
                        assert IMPORTED_AS.get(root, root) in pins, f"{path}: {root}"


def test_no_module_is_long_or_names_a_machine() -> None:
    for path in ROOT.glob("fgnet/**/*.py"):
        text = path.read_text()
        assert len(text.splitlines()) <= 300, path
        assert not re.search(r"/(home|root|work|tmp)/", text), path
