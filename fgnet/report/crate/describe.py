"""The results as a Provenance Run RO-Crate: what was run on what, by which code, with which result.

Profiles: https://w3id.org/ro/wfrun/provenance/0.5 and those that it builds on. Every job that wrote
one of the files described is an action; its figures are in the ledger, which is part of the crate.
"""

import json
import shutil
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import Field

from fgnet import ledger
from fgnet.progress import track
from fgnet.report.crate import sources
from fgnet.report.crate.actions import jobs, program, whole_run
from fgnet.report.crate.graph import VERSION, Builder, Entity, Ids
from fgnet.report.page import ROOT
from fgnet.report.private import public
from fgnet.report.provenance import records
from fgnet.settings.base import Section
from fgnet.settings.report import Author
from fgnet.whole import whole_folder_or_nothing, whole_or_nothing

PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
COPIED = ("Snakefile", "workflow", "envs")
CONFIG = "config.json"
FOLDERS = {
    "ledger": "What each job took, and the packages of each environment",
    "benchmarks": "What each job took, as Snakemake measured it",
    "logs": "What each job said, and the notebooks of the report as they ran",
}


README = """# {title}

Results of fgnet, from volumes of electron microscopy to neurons, or from sets of images to masks.
Begin with `report/index.html`.

| folder | what it holds |
| --- | --- |
| `report` | pages about data, training, segmentations, scores and provenance |
| `download`, `normalize` | volumes or images as they came, and with comparable values (HDF5) |
| `train` | models: weights, losses, what made them |
| `infer`, `agglomerate` | affinities; fragments and their merges at every threshold (HDF5) |
| `mask` | masks that models found in images (PNG), whose probabilities are in `infer` |
| `evaluate` | scores, and the threshold chosen |
| `export` | layers for viewers |
| `ledger`, `benchmarks`, `logs` | what every job took and said |
| `workflow` | the rules and environments, and `config.json`, the config as it was resolved |

`ro-crate-metadata.json` describes the files, with checksums, and the jobs that made them, for
machines (RO-Crate, profile Provenance Run Crate).
"""


class Contents(Section):
    """What the crate describes; paths hold from the working directory."""

    title: str
    licence: str | None = None
    authors: tuple[Author, ...] = ()
    config: dict[str, Any] = Field(description="The whole config.")
    datasets: dict[str, dict[str, str]] = Field({}, description="Facts of each volume's data set.")
    files: list[Path] = Field(
        description="Results: files, and folders of exports; what their jobs wrote is added."
    )
    snakemake: str = Field(description="Its version.")


def run(parameters: str, output: Path, workflow: Path, readme: Path) -> None:
    """Describe the results.

    Args:
        parameters: JSON, see :class:`Contents`.
        output: ``ro-crate-metadata.json`` in the folder of the results.
        workflow: a folder there for a copy of the workflow and the config as it was resolved.
        readme: a file there that says what is where.
    """
    contents = Contents.from_json(parameters)
    with whole_or_nothing(readme) as partial:
        partial.write_text(README.format(title=contents.title), encoding="utf-8")
    with whole_folder_or_nothing(workflow) as folder:
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, folder / name)
        text = json.dumps(public(contents.config), indent=1, ensure_ascii=False)
        (folder / CONFIG).write_text(text, encoding="utf-8")
    made = described(contents, output.parent, workflow, readme)
    text = json.dumps(made.generate(), indent=1, ensure_ascii=False)
    with whole_or_nothing(output) as partial:
        partial.write_text(text, encoding="utf-8")


def described(contents: Contents, root: Path, workflow: Path, readme: Path) -> Builder:
    """The crate of the results in the folder ``root``."""
    made = Builder(root)
    files = [path for path in contents.files if path.exists()]
    found = dict(records.read([str(path) for path in files if path.suffix in (".h5", ".json")]))
    checksums = recorded(found.values())
    for path in track(files, "describe files"):
        made.add_file(path, checksums.get(str(path)))
    # what the same jobs wrote besides
    for _, entry in ledger.entries(root / ledger.FOLDER):
        wrote = [Path(name) for name in entry.get("wrote", ())]
        for path in wrote if made.refer(wrote) else []:
            if path.is_relative_to(root) and path.exists():
                made.add_file(path, checksums.get(str(path)))
    # pieces of the files that are made of pieces, and what else results were made of
    others = [path for path in sorted(set(map(Path, checksums)) - set(files))
              if path.is_relative_to(root) and path.is_file()]  # fmt: skip
    for path in others:
        made.add_file(path, checksums[str(path)])
    found |= records.read([str(path) for path in others if path.suffix == ".h5"])
    for name, about in FOLDERS.items():
        if (root / name).is_dir():
            made.add_file(root / name, description=about)
    made.add_file(readme, about={"@id": "./"})
    environments(made, root / ledger.FOLDER / ledger.ENVIRONMENTS)
    for path in sorted(workflow.rglob("*")):
        if path.is_file() and path != workflow / "Snakefile":
            made.add_file(path)
    agents = [made.add(person(made, author)) for author in contents.authors]
    actions, steps, tools = jobs(made, root / ledger.FOLDER, found, contents.datasets, agents)
    main = program(made, workflow / "Snakefile", steps, tools, actions)
    seeds = sources.seeds(contents.config)
    whole_run(made, main, actions, workflow / CONFIG, seeds, contents.snakemake, agents)
    root_entity(made, contents, main, agents)
    return made


def recorded(made_by: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The checksums that stages noted of their inputs, but for those of which two were noted."""
    found: dict[str, set[str]] = {}
    for record in made_by:
        for path, checksum in record["inputs"].items():
            found.setdefault(path, set()).add(checksum)
    return {path: sums.pop() for path, sums in found.items() if len(sums) == 1}


def environments(made: Builder, folder: Path) -> None:
    """The lists of packages that jobs ran with."""
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        made.add_file(path, description="Packages of a Python environment")
        made.add(
            {
                "@id": f"#environment/{path.stem}",
                "@type": "SoftwareApplication",
                "name": f"Python {content['python']} with {len(content['packages'])} packages",
                "softwareVersion": path.stem,
                "subjectOf": {"@id": made.ids[path]},
                "url": "https://www.python.org",
            }
        )


def root_entity(made: Builder, contents: Contents, main: dict[str, str], agents: Ids) -> None:
    """The results as a whole."""
    made.crate.metadata["conformsTo"] = [
        {"@id": f"https://w3id.org/ro/crate/{VERSION}"},
        {"@id": "https://w3id.org/workflowhub/workflow-ro-crate/1.0"},
    ]
    root: Entity = made.crate.root_dataset.properties()
    root |= {
        "name": contents.title,
        "description": "Results of fgnet: normalised volumes, trained models, affinities, "
        "segmentations or masks, scores and the report on them.",
        "datePublished": datetime.now(UTC).date().isoformat(),
        "license": licence(made, contents),
        "conformsTo": [
            made.add({"@id": key, "@type": "CreativeWork", "name": name, "version": version})
            for key, (name, version) in PROFILES.items()
        ],
        "mainEntity": main,
        **({"author": agents} if agents else {}),
    }


def person(made: Builder, author: Author) -> Entity:
    """Somebody who made the results."""
    return {
        "@id": f"https://orcid.org/{author.orcid}" if author.orcid else f"#{quote(author.name)}",
        "@type": "Person",
        "name": author.name,
        **({"affiliation": made.add(organization(author.affiliation))}
           if author.affiliation else {}),
    }  # fmt: skip


def organization(name: str) -> Entity:
    """What somebody belongs to."""
    return {"@id": f"#organization/{quote(name)}", "@type": "Organization", "name": name}


def licence(made: Builder, contents: Contents) -> Any:
    """The licence of the results, or what is known of that of the data."""
    if contents.licence is None:
        known = "; ".join(sorted({facts["licence"] for facts in contents.datasets.values()}))
        data = f"; the data that they were made of: {known}" if known else ""
        return f"Not stated by those who made the results{data}"
    if "://" not in contents.licence:
        return contents.licence
    name = contents.licence.rstrip("/").partition("://")[2]
    return made.add({"@id": contents.licence, "@type": "CreativeWork", "name": name})
