"""What was done, for the RO-Crate: jobs as actions, their tools and steps, the run of them all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fgnet import __version__, ledger
from fgnet.report.crate import sources
from fgnet.report.crate.graph import Builder, Entity, Ids, unique
from fgnet.report.page import ROOT
from fgnet.revision import remote

# a text: the profile wants no reference here
DONE = "http://schema.org/CompletedActionStatus"
Facts = Mapping[str, Mapping[str, str]]  # of the data set of each volume, see sources.terms


@dataclass(frozen=True)
class Action:
    """A job: its id, the step that it took, when it ran."""

    id: dict[str, str]
    step: str
    started: str
    ended: str
    revision: str | None


def jobs(
    made: Builder, folder: Path, found: Mapping[str, Any], facts: Facts, agents: Ids
) -> tuple[list[Action], dict[str, str], Ids]:
    """An action for each job of the ledger that wrote a file which is described.

    Returns:
        the actions, the id of the tool of each step in the order of their first use, all tools.
    """
    repository = remote(ROOT)
    actions: list[Action] = []
    tools: dict[str, Entity] = {}
    listed = [(name, entry) for name, entry in ledger.entries(folder) if entry.get("status") == 0]
    for name, entry in sorted(listed, key=lambda one: one[1]["started"]):
        results = made.refer(map(Path, entry["wrote"]))
        if not results:
            continue
        words = " ".join(filter(None, (entry["stage"], entry["step"])))
        objects = made.refer(map(Path, entry["read"]))
        for path in entry["wrote"]:
            objects += made_of(made, path, found.get(path), facts)
        tool = tools.setdefault(
            words,
            {
                "@id": f"#tool/{quote(words.replace(' ', '-'))}",
                "@type": "SoftwareApplication",
                "name": f"fgnet {words}",
                "softwareVersion": entry["fgnet"],
                "softwareRequirements": [],
                **({"url": repository} if repository else {}),
            },
        )
        needs = {"@id": f"#environment/{entry['environment']}"}
        if needs not in tool["softwareRequirements"] and needs["@id"] in made.said:
            tool["softwareRequirements"].append(needs)
        code = entry.get("revision")
        reference = made.add(
            {
                "@id": f"#job/{quote(name)}",
                "@type": "CreateAction",
                "name": name,
                "description": f"fgnet {words} on {entry['host']}"
                + (f", code at {code}" if code else ""),
                "startTime": entry["started"],
                "endTime": entry["ended"],
                "actionStatus": DONE,
                "instrument": {"@id": tool["@id"]},
                "object": unique(objects),
                "result": results,
                **({"agent": agents} if agents else {}),
            }
        )
        actions.append(Action(reference, words, entry["started"], entry["ended"], code))
    steps = {words: tool["@id"] for words, tool in tools.items()}
    return actions, steps, [made.add(tool) for tool in tools.values()]


def made_of(made: Builder, path: str, record: Any, facts: Facts) -> Ids:
    """What a file was made of, by the record in it."""
    if record is None:
        return []
    described = made.refer(map(Path, record["inputs"]))
    name = Path(path).stem
    own = facts.get(name, {}) if record["stage"] == "download" else {}
    others = [
        {**sources.outside(other, checksum), **sources.terms(own)}
        for other, checksum in record["inputs"].items()
        if not Path(other).is_relative_to(made.root)
    ]
    if record["stage"] == "download":
        others += sources.given(record, name, own)
    return described + [made.add(one) for one in others]


def program(
    made: Builder, snakefile: Path, steps: Mapping[str, str], tools: Ids, actions: Sequence[Action]
) -> dict[str, str]:
    """The workflow as a file of the crate, its steps, and the language that it is written in."""
    language = made.add(
        {
            "@id": "https://w3id.org/workflowhub/workflow-ro-crate#snakemake",
            "@type": "ComputerLanguage",
            "name": "Snakemake",
            "identifier": {"@id": "https://doi.org/10.1093/bioinformatics/bts480"},
            "url": {"@id": "https://snakemake.readthedocs.io"},
        }
    )
    taken = [
        made.add(
            {
                "@id": f"#step/{quote(words.replace(' ', '-'))}",
                "@type": "HowToStep",
                "name": words,
                "position": str(number),
                "workExample": {"@id": tool},
            }
        )
        for number, (words, tool) in enumerate(steps.items(), 1)
    ]
    revisions = sorted({action.revision for action in actions if action.revision})
    repository = remote(ROOT)
    made.add_file(snakefile, version=", ".join(revisions) or __version__)
    main = made.said[made.ids[snakefile]]
    main["@type"] = ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"]
    main |= {
        "name": "fgnet",
        "description": "From an electron-microscopy volume to neurons. The version is that of the "
        "code's repository; +changed where files differed from it.",
        "license": "https://spdx.org/licenses/Apache-2.0",
        "programmingLanguage": language,
        "hasPart": tools,
        "step": taken,
        **({"codeRepository": repository, "url": repository} if repository else {}),
    }
    return {"@id": main["@id"]}


def whole_run(
    made: Builder,
    main: dict[str, str],
    actions: Sequence[Action],
    config: Path,
    seeds: Sequence[Entity],
    snakemake: str,
    agents: Ids,
) -> None:
    """The run of the workflow: what went in and came out, and which job took which step."""
    if not actions:
        return
    engine = made.add(
        {
            "@id": "#snakemake",
            "@type": "SoftwareApplication",
            "name": "Snakemake",
            "softwareVersion": snakemake,
            "url": {"@id": "https://snakemake.github.io"},
        }
    )
    entities = [made.said[action.id["@id"]] for action in actions]
    results = [one for entity in entities for one in entity["result"]]
    inner = {one["@id"] for one in results}
    objects = [one for each in entities for one in each["object"] if one["@id"] not in inner]
    objects += [*made.refer([config]), *(made.add(seed) for seed in seeds)]
    span = {
        "startTime": min(action.started for action in actions),
        "endTime": max(action.ended for action in actions),
        **({"agent": agents} if agents else {}),
    }
    run_id = made.add(
        {
            "@id": "#run",
            "@type": "CreateAction",
            "name": "Run of fgnet",
            "description": "From sources to results, by all jobs together",
            "actionStatus": DONE,
            "instrument": main,
            "object": unique(objects),
            "result": unique(results),
            **span,
        }
    )
    controls = [
        made.add(
            {
                "@id": f"#control/{action.id['@id'].removeprefix('#job/')}",
                "@type": "ControlAction",
                "name": f"orchestration of {action.step}",
                "instrument": {"@id": f"#step/{quote(action.step.replace(' ', '-'))}"},
                "object": action.id,
            }
        )
        for action in actions
    ]
    made.add(
        {
            "@id": "#orchestration",
            "@type": "OrganizeAction",
            "name": "Run of Snakemake",
            "instrument": engine,
            "object": controls,
            "result": run_id,
            **span,
        }
    )
    made.crate.root_dataset["mentions"] = [run_id, *(action.id for action in actions)]
