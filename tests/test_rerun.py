"""What an edit reruns: the table in docs/rerun.md is made of dry runs, and must be true."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from chain import ROOT, TINY, planned, snakemake
from edits import edits
from test_architecture import STAGES

from fgnet.fingerprint import ASIDE, PACKAGE, sources

PAGE = ROOT / "docs/rerun.md"
WRITE = "FGNET_WRITE_DOCS"  # make the page anew: FGNET_WRITE_DOCS=1 pytest tests/test_rerun.py
# these hold the config and what every job took, so that every edit makes them anew
ALWAYS = {"report_provenance", "report", "report_crate"}
RULES = re.compile(r"^rule (\w+):(.*?)(?=^rule |\Z)", re.MULTILINE | re.DOTALL)
Rows = dict[tuple[str, ...], list[str]]


def order() -> list[str]:
    """All rules, as data flow through them."""
    return [
        name
        for stage in STAGES
        for name, _ in RULES.findall((ROOT / f"workflow/rules/{stage}.smk").read_text())
    ]


def sections(found: Mapping[str, tuple[str, ...]], prefix: str = "") -> Rows:
    """Keys by what they rerun; where all keys of a section rerun the same, the section alone."""
    rows: Rows = {}
    below: dict[str, dict[str, tuple[str, ...]]] = {}
    for key, rules in found.items():
        first, _, rest = key.partition(".")
        below.setdefault(first, {})[rest] = rules
    for first, inner in below.items():
        name = f"{prefix}{first}"
        kinds = set(inner.values())
        if len(kinds) == 1:
            section = name if "" in inner else f"{name}.*"
            rows.setdefault(kinds.pop(), []).append(section)
        else:
            for rules, names in sections(inner, f"{name}.").items():
                rows.setdefault(rules, []).extend(names)
    return rows


def table(rows: Rows, heads: tuple[str, str]) -> str:
    """A table in Markdown."""
    lines = [f"| {' | '.join(heads)} |", "| --- | --- |"]
    for rules, names in rows.items():
        keys = ", ".join(f"`{name}`" for name in names)
        lines.append(f"| {keys} | {', '.join(rules) or 'nothing'} |")
    return "\n".join(lines)


def check(name: str, text: str) -> None:
    """Compare a part of the page, or write it."""
    page = PAGE.read_text()
    part = re.search(rf"(<!-- {name} -->\n)(.*?)(\n<!-- end -->)", page, re.DOTALL)
    assert part is not None, f"{PAGE} has no part {name}"
    if WRITE in os.environ:
        PAGE.write_text(page[: part.end(1)] + text + page[part.start(3) :])
    else:
        assert part[2] == text, f"{PAGE} differs; {WRITE}=1 makes it anew"


@pytest.mark.slow
def test_what_an_edit_of_each_key_reruns(chain: Path) -> None:
    known, found = order(), {}
    for key, config in edits(TINY).items():
        status, text = snakemake(chain, config, "--dry-run")
        assert status == 0, text
        found[key] = tuple(sorted(planned(text) - ALWAYS, key=known.index))
    assert set(found) >= {"train.steps", "infer.overlap", "evaluate.choose_by", "report.picture"}
    check("keys", table(sections(found), ("edit", "runs again")))


def test_which_files_of_the_package_a_rule_runs() -> None:
    """An edit of another file reruns it never; an edit of words alone reruns nothing."""
    rules: dict[str, list[str]] = {}
    for stage in STAGES:
        text = (ROOT / f"workflow/rules/{stage}.smk").read_text()
        for name, body in RULES.findall(text):
            if code := re.search(r'code=(fingerprint|page_code)\("(\w+)"(?:, "(\w+)")?\)', body):
                given = (code[2], code[3]) if code[1] == "fingerprint" else ("report", "page")
                notebook = ROOT / f"notebooks/{code[2]}.ipynb" if code[1] == "page_code" else None
                for path in sources(*given, notebook):
                    rules.setdefault(path.relative_to(PACKAGE).as_posix(), []).append(name)
    rows: Rows = {}
    for path, names in sorted(rules.items()):
        rows.setdefault(tuple(names), []).append(path)
    check("files", table(rows, ("file of `fgnet/`", "rules that run it")))
    assert all(f"`{name}`" in PAGE.read_text() for name in ASIDE)


def test_which_rules_share_an_environment() -> None:
    rows: Rows = {}
    for path in sorted((ROOT / "workflow/rules").glob("*.smk")):
        for name, body in RULES.findall(path.read_text()):
            if found := re.search(r'conda:\s+"../../(envs/\w+.yaml)"', body):
                rows.setdefault((found[1],), []).append(name)
    swapped = {tuple(names): list(key) for key, names in sorted(rows.items())}
    check("environments", table(swapped, ("environment", "rules")))
