"""The arrows of the architecture: who may import whom."""

import ast
from pathlib import Path

import pytest

from fgnet.fingerprint import PACKAGE, inside, locate, sources
from fgnet.parsed import parse

STAGES = ("download", "normalize", "train", "infer", "agglomerate", "mask", "evaluate", "report",
          "export")  # fmt: skip
FILES = sorted(PACKAGE.rglob("*.py"))
NOTEBOOKS = sorted((PACKAGE.parent / "notebooks").glob("*.ipynb"))


def module(path: Path) -> str:
    return ".".join(("fgnet", *path.relative_to(PACKAGE).with_suffix("").parts))


def stage_of(path: Path) -> str | None:
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return first if first in STAGES else None


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_point_from_stages_to_foundation(path: Path) -> None:
    own = stage_of(path)
    for name in inside(parse(path.read_bytes()).imported(), "fgnet"):
        found = locate(name, PACKAGE)
        other = stage_of(found) if found else None
        assert other is None or other == own, f"{module(path)} imports the stage {other}"
    roots = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert not any(root.split(".")[0] == "snakemake" for root in roots)
    if path.parent.name == "model":
        assert not any(root in {"fgnet.volume", "fgnet.checkpoint", "h5py"} for root in roots)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_its_own_settings_alone(stage: str) -> None:
    """A new key of one stage must not rerun another."""
    allowed = {stage, "base", "__init__"} | {
        "download": {"volumes", "sources", "locations", "parts", "phantom", "images"},
        "train": {"encoders", "network"},
        "infer": {"encoders", "network"},
        "evaluate": {"teasar", "mask"},
        "export": {"teasar"},
    }.get(stage, set())
    read = {p.stem for p in sources(stage) if p.parent.name == "settings"}
    assert read <= allowed


@pytest.mark.parametrize("stage", STAGES)
def test_an_edit_of_any_file_of_a_stage_reruns_it(stage: str) -> None:
    """A module that is imported by a computed name would be missed, and so would dead ones."""
    own = {path for path in FILES if stage_of(path) == stage}
    read = set(sources(stage))
    for notebook in NOTEBOOKS if stage == "report" else ():
        read |= set(sources(stage, "page", notebook))
    assert own <= read
