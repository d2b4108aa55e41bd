"""What people and catalogs read: one version, links that lead somewhere, forms and workflows."""

import re
import subprocess
import tomllib
from pathlib import Path

import yaml
from chain import ROOT

import fgnet

MARKDOWN = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("config/*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def test_one_version_stands_everywhere() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    heads = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    image = yaml.safe_load((ROOT / "profiles/kubernetes/profile.yaml").read_text())
    assert [fgnet.__version__, heads[0], citation["version"]] == [version] * 3
    assert version.startswith(f"{image['container-image'].split(':')[1]}.")


def test_links_lead_to_files_and_headings() -> None:
    broken = []
    for page in MARKDOWN:
        for link in LINK.findall(page.read_text()):
            if re.match(r"https?://|mailto:", link):
                continue
            name, _, heading = link.partition("#")
            target = page.parent / name if name else page
            if not target.exists() or (heading and heading not in anchors(target)):
                broken.append(f"{page.relative_to(ROOT)}: {link}")
    assert broken == []


def anchors(page: Path) -> set[str]:
    """What GitHub calls the headings of a page."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_forms_ask_for_what_a_report_needs() -> None:
    asked = {}
    for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"):
        form = yaml.safe_load(path.read_text())
        assert form["name"] and form["description"], path
        fields = {field["id"]: field for field in form["body"]}
        assert len(fields) == len(form["body"]), path
        assert all(field["attributes"]["label"] for field in fields.values()), path
        assert {field["type"] for field in fields.values()} <= {"textarea", "input"}, path
        asked[path.stem] = set(fields)
    assert asked["bug"] >= {"version", "config", "command", "log"} and "feature" in asked


def test_the_service_does_what_ci_run_does() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())["jobs"]
    (steps,) = (job["steps"] for job in jobs.values())
    python = next(step["with"] for step in steps if "setup-python" in step.get("uses", ""))
    wanted = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert f"python ={python['python-version']}" in wanted
    assert steps[-1] == {"run": "bash .ci/run"}
    subprocess.run(["bash", "-n", str(ROOT / ".ci/run")], check=True)


def test_the_catalog_finds_what_it_looks_for() -> None:
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert set(usage) == {"mandatory-flags", "software-stack-deployment", "report"}
    assert usage["software-stack-deployment"]["conda"] is True
    assert (ROOT / "workflow/Snakefile").is_file()
    named = re.findall(r"`([\w/]+\.(?:yaml|md))`", (ROOT / "config/README.md").read_text())
    assert len(named) > 5
    missing = [n for n in named if not ((ROOT / n).is_file() or (ROOT / "config" / n).is_file())]
    assert missing == []
