"""The RO-Crate of the results: valid to an independent validator, true, and free of secrets."""

import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import requests
import requests_cache
from requests.adapters import HTTPAdapter
from rocrate import vocabs
from rocrate_validator import services
from rocrate_validator.models import Severity, ValidationSettings
from urllib3 import HTTPResponse

from fgnet import __version__, ledger
from fgnet.checksum import sha256
from fgnet.report import page, private
from fgnet.report.crate import sources
from fgnet.report.provenance import records
from fgnet.settings.datasets import facts_of

ROOT = Path(__file__).parent.parent
NAME = "Würfel 'ä' \"b\"; $(c) <d> #1?&100%"
SECRET = "https://me:pa55word@lab.org/em.h5?X-Amz-Signature=5ecret#x"
PHANTOM = {"shape": [6, 40, 48], "seed": 17, "calibre": 160}
DOWNLOAD = {"volume": {"phantom": PHANTOM}}
NORMALIZE = {"low": 1.0, "high": 99.0}
# the library has the terms of RO-Crate 1.3, which call these differently than those of 1.1 do
# (https://www.researchobject.org/ro-crate/1.1/metadata.html#additional-metadata-standards)
AS_IN_1_1 = {
    "ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow",
    "FormalParameter": "https://bioschemas.org/FormalParameter",
    "input": "https://bioschemas.org/ComputationalWorkflow#input",
    "output": "https://bioschemas.org/ComputationalWorkflow#output",
}
# what the profiles recommend and we do not do
LEFT = {
    "process-run-crate-0.5_3.2": "addresses of programs, where the repository has no remote",
    "process-run-crate-0.5_5.1": "ids of programs are absolute: a stage is known by no address",
    "workflow-ro-crate-1.0_8.1": "Bioschemas 1.0, which wants inputs and outputs by types of EDAM",
    "ro-crate-1.1_22.3": "a publisher: nothing is published yet",
    "ro-crate-1.1_31.2": "addresses of affiliations",
}
LISTS = {"object", "result", "softwareRequirements", "hasPart", "author"}
Entities = dict[str, dict[str, Any]]


class Context(HTTPAdapter):
    """Answers with the terms of RO-Crate as the library has them: no test needs a network."""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        terms = {"@context": vocabs.RO_CRATE["@context"] | AS_IN_1_1}
        body = io.BytesIO(json.dumps(terms).encode())
        headers = {"Content-Type": "application/ld+json"}
        return self.build_response(
            request,
            HTTPResponse(body, headers, 200, preload_content=False, request_url=request.url),
        )


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the validator finds in place of a network."""
    path = tmp_path_factory.mktemp("cache") / "http"
    with requests_cache.CachedSession(str(path), backend="sqlite") as session:
        session.mount("https://", Context())
        session.get("https://w3id.org/ro/crate/1.1/context")
    return path


def step(folder: Path, *words: str) -> None:
    """Run a stage in a folder, as a rule does."""
    subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, check=True,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "FGNET_REVISION": "ab12+changed"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of two stages, an export, and their crate, by awkward names.

    The folder's own name is plain: the validator takes a space in it for an error of the crate.
    """
    folder = tmp_path_factory.mktemp("run") / "inner"
    export = folder / f"results/export/{NAME}/image.precomputed"
    export.mkdir(parents=True)
    (export / "info").write_text("{}")
    made, normal = (f"results/{stage}/{NAME}.h5" for stage in ("download", "normalize"))
    step(folder, "fgnet.download", "--ledger", f"results/ledger/download/{NAME}.json", "volume",
         "--volume", NAME, "--settings", json.dumps(DOWNLOAD), "--output", made)  # fmt: skip
    given = folder.parent / "reference.h5"
    shutil.copy(folder / made, given)
    step(folder, "fgnet.normalize", "--ledger", f"results/ledger/normalize/{NAME}.json",
         "--input", made, "--reference", str(given), "--output", normal,
         "--settings", json.dumps({**NORMALIZE, "match": "x"}))  # fmt: skip
    describe(folder)
    return folder


def describe(folder: Path, **changes: Any) -> None:
    """Make the crate of the results."""
    config = {
        "volumes": {
            NAME: {"source": {"path": SECRET}},
            "other": {"source": {"path": "/data/a.h5"}},
        },
        "train": {"models": {"a": {"seed": 4}}},
    }
    files = [f"results/{stage}/{NAME}.h5" for stage in ("download", "normalize")]
    files += [f"results/export/{NAME}/image.precomputed", "results/is/not/there.h5"]
    parameters = {"title": "Neurons", "config": config, "files": files, "snakemake": "9.27.1",
                  "authors": [{"name": "Ä. Curie", "orcid": "0000-0002-1825-0097",
                               "affiliation": "Universität \"X\""}],
                  "licence": "https://creativecommons.org/licenses/by/4.0/", **changes}  # fmt: skip
    step(folder, "fgnet.report", "--ledger", "results/ledger/report/crate.json", "crate",
         "--parameters", json.dumps(parameters), "--output", "results/ro-crate-metadata.json",
         "--workflow", "results/workflow", "--readme", "results/README.md")  # fmt: skip


def problems(folder: Path, cache: Path, severity: Severity = Severity.REQUIRED) -> list[str]:
    """What the validator finds wrong with a crate."""
    settings = ValidationSettings(
        rocrate_uri=str(folder), profile_identifier="provenance-run-crate", cache_path=cache,
        offline=True, requirement_severity=severity, requirement_severity_only=False,
    )  # fmt: skip
    found = services.validate(settings)
    return [f"{one.check.identifier} {one.violatingEntity}: {one.message}"
            for one in found.get_issues()]  # fmt: skip


def entities(folder: Path) -> Entities:
    graph = json.loads((folder / "ro-crate-metadata.json").read_text())["@graph"]
    assert len({one["@id"] for one in graph}) == len(graph)
    # several values, or one
    for one in graph:
        for key in LISTS & one.keys():
            one[key] = one[key] if isinstance(one[key], list) else [one[key]]
    return {one["@id"]: one for one in graph}


def test_the_crate_is_valid(run: Path, cache: Path) -> None:
    found = problems(run / "results", cache, Severity.RECOMMENDED)
    assert {one.split()[0] for one in found} <= LEFT.keys(), found


@pytest.mark.parametrize(
    ("id", "key"),
    [("./", "license"), ("#run", "instrument"), ("#step/normalize", "workExample"),
     ("#orchestration", "object")],
)  # fmt: skip
def test_a_broken_crate_is_found_invalid(
    run: Path, cache: Path, tmp_path: Path, id: str, key: str
) -> None:
    """So that a validator which checks nothing, for want of its terms, passes no crate."""
    folder = tmp_path / "broken"
    shutil.copytree(run / "results", folder)
    path = folder / "ro-crate-metadata.json"
    crate = json.loads(path.read_text())
    (entity,) = (one for one in crate["@graph"] if one["@id"] == id)
    del entity[key]
    path.write_text(json.dumps(crate))
    assert problems(folder, cache)


def test_files_are_there_and_have_their_checksums(run: Path) -> None:
    found = entities(run / "results")
    files = {id: one for id, one in found.items() if "File" in one["@type"]}
    assert len(files) > 15
    for id, one in files.items():
        path = run / "results" / unquote(id)
        assert one["sha256"] == sha256(path) and int(one["contentSize"]) == path.stat().st_size
        assert re.fullmatch(r"[\w./%~-]+", id)
    folders = {unquote(id) for id, one in found.items() if one["@type"] == "Dataset"}
    assert folders == {"./", "ledger/", f"export/{NAME}/image.precomputed/"}
    parts = {one["@id"] for one in found["./"]["hasPart"]}
    assert parts == files.keys() | {id for id in found if unquote(id) in folders - {"./"}}
    assert not any("there" in id for id in found)


def test_jobs_are_linked_to_what_they_made_and_were_given(run: Path) -> None:
    found = entities(run / "results")
    jobs = {one["name"]: one for one in found.values()
            if one["@type"] == "CreateAction" and one["@id"] != "#run"}  # fmt: skip
    assert jobs.keys() == {f"{stage}/{NAME}" for stage in ("download", "normalize")}
    made, normal = jobs.values()
    (raw,) = made["result"]
    assert found[raw["@id"]]["name"] == f"download/{NAME}.h5"
    (phantom,) = made["object"]
    assert json.loads(found[phantom["@id"]]["value"])["seed"] == PHANTOM["seed"]
    first, reference = normal["object"]
    assert first == raw
    outside = found[reference["@id"]]
    assert outside["name"] == "reference.h5"
    assert outside["sha256"] == found[raw["@id"]]["sha256"]  # it is a copy
    entry = dict(ledger.entries(run / "results/ledger"))[f"normalize/{NAME}"]
    assert (normal["startTime"], normal["endTime"]) == (entry["started"], entry["ended"])
    assert entry["host"] in normal["description"] and "ab12+changed" in normal["description"]
    tool = found[normal["instrument"]["@id"]]
    assert tool["softwareVersion"] == __version__
    (environment,) = (found[one["@id"]] for one in tool["softwareRequirements"])
    listed = json.loads((run / "results" / environment["subjectOf"]["@id"]).read_text())
    assert listed["packages"]["h5py"] == __import__("h5py").__version__
    assert found["#run"]["startTime"] == made["startTime"]
    assert {"@id": "#seed/train.models.a.seed"} in found["#run"]["object"]
    assert found["workflow/Snakefile"]["version"] == "ab12+changed"
    assert found["./"]["author"] == [{"@id": "https://orcid.org/0000-0002-1825-0097"}]
    copied = (run / "results/workflow/workflow/rules/train.smk").read_text()
    assert copied == (ROOT / "workflow/rules/train.smk").read_text()


def test_nothing_tells_of_this_machine_or_its_secrets(run: Path) -> None:
    results = run / "results"
    config = json.loads((results / "workflow/config.json").read_text())
    assert config["volumes"][NAME]["source"]["path"] == "https://lab.org/em.h5"
    assert config["volumes"]["other"]["source"]["path"] == "a.h5"
    written = [results / "ro-crate-metadata.json", *results.glob("ledger/**/*.json"),
               results / "workflow/config.json"]  # fmt: skip
    for path in written:
        text = path.read_text()
        assert not re.search(r"pa55word|5ecret|\"(/|file:)", text), path
        assert str(run) not in text and str(ROOT) not in text and str(Path.home()) not in text


def test_a_crate_made_again_without_authors_or_a_licence(
    run: Path, cache: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "again"
    shutil.copytree(run, folder)
    describe(folder, authors=[], licence=None, datasets=facts_of(["isbi2012"]))
    assert problems(folder / "results", cache) == []
    found = entities(folder / "results")
    assert "author" not in found["./"] and "citation required" in found["./"]["license"]
    # the files are as they were, and so is all that is said of them
    before = entities(run / "results")
    gone = {id for id, one in before.items() if one["@type"] in ("Person", "Organization")}
    assert found.keys() == before.keys() - gone - {before["./"]["license"]["@id"]}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("https://a:b@lab.org:8/em.{0000..0099}.png?token=1#x", "https://lab.org:8/em.{0000..0099}.png"),
        ("s3://key:secret@bucket/em", "s3://bucket/em"),
        ("gs://bucket/layer", "gs://bucket/layer"),
        ("/data/lab/em.h5", "em.h5"), ("~/em/", "em"), ("file:///data/em.h5", "em.h5"),
        ("C:\\data\\em.h5", "em.h5"), ("results/a/b.h5", "results/a/b.h5"), ("/", "folder"),
        ("http://[bad", "http://"), ("per section", "per section"),
    ],
)  # fmt: skip
def test_what_is_public_of_a_place(text: str, left: str) -> None:
    assert private.public({"a": [text, 1, None]}) == {"a": [left, 1, None]}


def test_sources_at_addresses_are_described_with_their_terms() -> None:
    facts = facts_of(["fib25_large", "cremi_a"])
    assert facts["cremi_a"]["citation"].startswith("Funke") and "cremi_b" not in facts
    source = {"path": SECRET, "checksum": "sha256:" + "a" * 64}
    entry = {"source": source, "labels": {"path": "em.{0000..0099}.png", "checksum": None}}
    record = {"stage": "download", "settings": {"volume": entry}, "inputs": {"/x/em.h5": "b" * 64}}
    (found,) = sources.given(record, "cremi_a", facts["cremi_a"])
    assert found["@id"] == "https://lab.org/em.h5" and found["sha256"] == "a" * 64
    assert found["license"] == facts["cremi_a"]["licence"]


@pytest.mark.parametrize("alone", [False, True])
def test_skeletons_at_addresses_are_described(alone: bool) -> None:
    """Of a volume's own file, and of one that holds nothing else."""
    places = ["https://a:b@lab.org/1.swc", "https://lab.org/2.swc?token=1", "here/3.swc"]
    lines = {"path": places, "unit": "nm", "checksum": None}
    settings = {"skeletons": lines} if alone else {"volume": {"skeletons": lines}}
    record = {"stage": "download", "settings": settings, "inputs": {}}
    found = sources.given(record, "a", {"licence": "CC0"})
    assert [one["@id"] for one in found] == ["https://lab.org/1.swc", "https://lab.org/2.swc"]
    assert {one["description"] for one in found} == {"The skeletons of volume a"}
    assert found[1]["license"] == "CC0"
    # one address, as any layer
    record["settings"] = {"skeletons": {"path": "gs://bucket/layer", "checksum": None}}
    assert [one["name"] for one in sources.given(record, "a", {})] == ["layer"]


def test_which_files_parameters_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies there is read: neither a word, nor settings that are shown."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results/whole").mkdir(parents=True)
    for name in ("results/a.h5", "results/b.h5", "whole"):
        (tmp_path / name).touch()
    parameters = {"volume": "whole", "image": "results/a.h5", "rows": [{"s": "results/b.h5"}, 1],
                  "ledger": "results/whole", "not": "results/c.h5", "text": "/".join("ab" * 5000),
                  "config": {"path": "results/a.h5"}}  # fmt: skip
    found = [path.as_posix() for path in page.named(parameters)]
    assert found == ["results/a.h5", "results/b.h5", "results/whole"]


def test_inputs_that_a_storage_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record names Snakemake's copy; the results were fetched."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results/infer").mkdir(parents=True)
    (tmp_path / "results/infer/a.h5").touch()
    copy = ".snakemake/storage/s3/bucket/results/results/infer"
    record = {"stage": "x", "inputs": {f"{copy}/a.h5": "1", f"{copy}/b.h5": "2", "/c/d.h5": "3"}}
    (tmp_path / "x.json").write_text(json.dumps({"made_by": record}))
    ((_, found),) = records.read(["x.json"])
    assert found["inputs"] == {"results/infer/a.h5": "1", "b.h5": "2", "/c/d.h5": "3"}
