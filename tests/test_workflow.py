"""The workflow as users run it, on a tiny config: the chain, reruns, odd names, bad input."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import h5py
import numpy as np
import pytest
import tifffile
import yaml
import zarr
from chain import TINY, changed, command, planned, snakemake
from cloudvolume import CloudVolume
from conftest import shared
from test_conda import front as conda_front

from fgnet import ledger, volume
from fgnet.checksum import sha256

pytestmark = pytest.mark.workflow

ROOT = Path(__file__).parent.parent


def test_the_chain_makes_every_result(chain: Path) -> None:
    results = chain / "results"
    with volume.opened(results / "infer/fgnet/test.h5") as file:
        assert file[volume.AFFINITIES].shape == (3, 12, 70, 90)
        assert file[volume.COARSE_AFFINITIES].shape == (3, 12, 70, 90)
    scores = sorted(p.relative_to(results).as_posix() for p in results.glob("evaluate/**/*.json"))
    assert len(scores) == 5
    table = (results / "report/scores.txt").read_text()
    assert "fgnet" in table and "test" in table
    pages = [p.relative_to(results / "report").as_posix() for p in results.glob("report/**/*.html")]
    assert {
        "index.html",
        "evaluate.html",
        "provenance.html",
        "train/fgnet.html",
        "data/whole.html",
    } <= set(pages)
    assert not list(results.rglob("*.partial")) and not list(results.rglob("saved.pt"))
    for page in results.glob("report/**/*.html"):
        for link in re.findall(r'href="([^"#]+?)(?:#.*?)?"', page.read_text()):
            assert link.startswith("http") or (page.parent / unquote(link)).is_file(), (page, link)


def test_every_job_is_in_the_ledger_and_the_crate(
    chain: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    results = chain / "results"
    measured = {p.relative_to(results / "benchmarks").with_suffix("").as_posix()
                for p in results.glob("benchmarks/**/*.tsv")}  # fmt: skip
    jobs = dict(ledger.entries(results / "ledger"))
    assert jobs.keys() == measured and len(jobs) == 29
    assert all(job["status"] == 0 and job["wrote"] and job["revision"] for job in jobs.values())
    without = {name for name, job in jobs.items() if not job["voxels"]}
    # what joins, chooses or tells reads no voxel
    assert {name for name in without if not name.startswith("report/")} == {
        "infer/fgnet/test", "infer/fgnet/validation", "evaluate/fgnet/mean.threshold",
        "evaluate/fgnet/mean/test.neurons", "evaluate/fgnet/mean/validation.neurons",
    }  # fmt: skip
    assert jobs["train/fgnet"]["voxels"] == 3 * 8 * 64 * 64
    assert jobs["infer/fgnet/test/1-of-2"]["voxels"] == 6 * 70 * 90
    text = (results / "ro-crate-metadata.json").read_text()
    crate = {one["@id"]: one for one in json.loads(text)["@graph"]}
    actions = {one["name"] for one in crate.values() if one["@id"].startswith("#job/")}
    assert actions == jobs.keys() - {"report/crate"}
    assert all(crate[id]["object"] for id in crate if id.startswith("#job/"))
    assert {one["@id"] for one in crate["#job/report/segment/fgnet/mean/test"]["object"]} == {
        "normalize/whole.h5", "infer/fgnet/test.h5", "agglomerate/fgnet/mean/test.h5",
        "evaluate/fgnet/mean.threshold.json", "evaluate/fgnet/mean/test.neurons.json",
    }  # fmt: skip
    assert str(shared(tmp_path_factory)) not in text and str(ROOT) not in text
    checkpoint = crate["train/fgnet/checkpoint.pt"]["sha256"]
    assert checkpoint == sha256(results / "train/fgnet/checkpoint.pt")
    shown = (results / "report/provenance.html").read_text()
    assert "infer/fgnet/test/0-of-2" in shown and "report/provenance" in shown
    pages = [name for name in jobs if name.startswith("report/")]
    assert len(pages) == 9
    ended = jobs["report/provenance"]["started"]
    later = {name for name in pages if jobs[name]["ended"] > ended}
    assert later == {"report/provenance", "report/index", "report/crate"}


def test_nothing_is_left_to_do_and_touching_changes_nothing(chain: Path) -> None:
    for path in ("download/whole.h5", "train/fgnet/checkpoint.pt"):
        os.utime(chain / "results" / path)
    # above what Snakemake compares by itself
    assert (chain / "results/train/fgnet/checkpoint.pt").stat().st_size > 10**6
    machine = ("--set-threads", "train=1", "infer_shard=4", "--set-resources", "train:mem_mb=9",
               "agglomerate:runtime=9", "--cores", "1", "--profile", str(ROOT / "profiles/default"),
               )  # fmt: skip
    for options in ((), machine):
        status, text = snakemake(chain, TINY, "--dry-run", *options)
        assert status == 0 and "Nothing to be done" in text, text


def test_an_input_that_changed_reruns_what_reads_it(chain: Path) -> None:
    path = chain / "results/evaluate/fgnet/mean.threshold.json"
    before = path.read_text()
    path.write_text(f"{before}\n")
    status, text = snakemake(chain, TINY, "--dry-run")
    path.write_text(before)
    assert status == 0 and planned(text) == ALWAYS | {
        "report", "evaluate_neurons", "report_segment", "report_evaluate"
    }, text  # fmt: skip
    status, text = snakemake(chain, TINY, "--dry-run")
    assert status == 0 and "Nothing to be done" in text, text


def test_conda_on_or_off_is_another_environment(
    chain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a dry run nor --touch, which notes what a run would, makes an environment."""
    monkeypatch.setenv("PATH", f"{conda_front(tmp_path / 'front')}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("CONDA_FRONT", str(tmp_path / "front"))
    on = ("--use-conda", "--conda-prefix", str(tmp_path / "environments"))
    folder = tmp_path / "run"
    shutil.copytree(chain, folder)
    status, text = snakemake(folder, TINY, "--dry-run", *on)
    assert status == 0 and "Software environment definition has changed" in text, text
    everything = planned(text)
    assert everything == ALWAYS | {"download"} | NORMALIZE | TRAIN | INFER
    assert snakemake(folder, TINY, "--touch", *on)[0] == 0
    status, text = snakemake(folder, TINY, "--dry-run", *on)
    assert status == 0 and "Nothing to be done" in text, text
    status, text = snakemake(folder, TINY, "--dry-run")
    assert status == 0 and planned(text) == everything, text


def test_snakemakes_own_report_holds_every_page(chain: Path, tmp_path: Path) -> None:
    status, text = snakemake(chain, TINY, "--report", str(tmp_path / "report.zip"))
    assert status == 0, text
    with zipfile.ZipFile(tmp_path / "report.zip") as file:
        names = [Path(name).name for name in file.namelist()]
        main = file.read("report/report.html").decode()
    pages = [path.name for path in (chain / "results/report").rglob("*.html")]
    assert sorted(names) == sorted([*pages, "report.html"])
    for words in ("From an electron-microscopy volume", "The training of fgnet", "Volume test by",
                  "The volume whole before"):  # fmt: skip
        assert words in main
    found = [json.loads(re.findall(rf"var {name} = (\{{.*?\}});?\n", main)[0])
             for name in ("categories", "results")]  # fmt: skip
    groups, entries = found
    folder = "results/report"
    segment = f"{folder}/segment/fgnet/mean/test.html"
    assert groups == {
        "Scores": {"Other": [f"{folder}/evaluate.html", f"{folder}/index.html"]},
        "Segmentation": {"test": [segment]},
        "Training": {"Other": [f"{folder}/train/fgnet.html"]},
        "Data": {"Other": [f"{folder}/data/{v}.html" for v in ("train", "validation", "whole")]},
        "Provenance": {"Other": [f"{folder}/provenance.html"]},
    }
    assert {path: entry["labels"] for path, entry in entries.items()} == {
        f"{folder}/evaluate.html": {"page": "Models and thresholds"},
        f"{folder}/index.html": {"page": "Overview"},
        segment: {"volume": "test", "model": "fgnet", "agglomeration": "mean"},
        f"{folder}/train/fgnet.html": {"model": "fgnet"},
        **{f"{folder}/data/{v}.html": {"volume": v} for v in ("train", "validation", "whole")},
        f"{folder}/provenance.html": {"page": "Provenance"},
    }
    assert all(entry["caption"] for entry in entries.values())


# the provenance page and the crate hold the config, so every edit makes them anew
ALWAYS = {"report_provenance", "report_crate"}
SCORES = {"report_segment", "report_evaluate", "report"}
CHOSEN = {"evaluate_threshold", "evaluate_neurons"} | SCORES
INFER = {"infer_shard", "infer", "agglomerate", "evaluate"} | CHOSEN
TRAIN = {"train", "report_train"}
NORMALIZE = {"normalize", "report_data"}
LINES = {"download_skeletons", "evaluate_run_lengths", "report_evaluate", "report"}


@pytest.mark.parametrize(
    ("config", "rules"),
    [
        (changed(report={"title": "Other"}), {"report"}),
        (changed(evaluate={"choose_by": "arand"}), CHOSEN),
        (changed(infer={"overlap": 0.3}), INFER),
        (changed(train={"steps": 4}), TRAIN | INFER),
        (changed(normalize={"low": 2}), NORMALIZE | TRAIN | INFER),
        (changed(normalize={"match": "train"}), NORMALIZE | TRAIN | INFER),
        (
            # of the volume that is tested alone
            changed(volumes={"whole": {**TINY["volumes"]["whole"], "inverted": True}}),
            NORMALIZE | INFER - {"evaluate_threshold"},
        ),
        # how jobs work, which no result depends on
        (changed(download={"retries": 9}), {"report"}),
        (changed(train={"save_seconds": 9}), {"report"}),
        (changed(infer={"batch": 2}), {"report"}),
        (
            changed(volumes={"whole": {**TINY["volumes"]["whole"], "skeletons": "lines.swc"}}),
            LINES,
        ),
    ],
    ids=[
        "report",
        "evaluate",
        "infer",
        "train",
        "normalize",
        "match",
        "inverted",
        "download",
        "save_seconds",
        "batch",
        "skeletons",
    ],
)
def test_an_edit_reruns_what_it_touches(
    chain: Path, config: dict[str, Any], rules: set[str]
) -> None:
    status, text = snakemake(chain, config, "--dry-run")
    assert status == 0, text
    assert planned(text) - ALWAYS == rules and "report_crate" in planned(text)


def test_mending_skeletons_trains_nothing_anew(chain: Path, tmp_path: Path) -> None:
    """Of a volume of which a box alone is scored."""
    folder, lines = tmp_path / "run", tmp_path / "lines.swc"
    shutil.copytree(chain, folder)
    lines.write_text("1 3 10 9 4 1 -1\n2 3 40 9 5 1 1\n3 3 40 60 1 1 2\n")
    given = {"path": str(lines), "unit": "voxels"}
    config = changed(volumes={"whole": {**TINY["volumes"]["whole"], "skeletons": given}})
    output = "results/evaluate/fgnet/mean/test.run_lengths.json"
    status, text = snakemake(folder, config, output)
    assert status == 0 and planned(text) == {"download_skeletons", "evaluate_run_lengths"}, text
    found = json.loads((folder / output).read_text())
    # the box begins at section 2, so that the third node lies outside: 30 and 1 voxels are left
    assert found["micrometres"] == pytest.approx(np.hypot(30 * 8, 30) / 1000)
    assert found["chosen"] in found["sweep"] and found["intervals"] is None
    # its sources are told with the file's checksum
    with volume.opened(folder / "results/download/skeletons/whole.h5") as file:
        assert volume.made_by(file)["inputs"][str(lines)] == sha256(lines)
    lines.write_text(lines.read_text().replace("40 9 5", "40 9 4"))
    status, text = snakemake(folder, config, "--dry-run")
    assert status == 0 and planned(text) - ALWAYS == LINES, text
    status, text = snakemake(folder, config, output)
    found = json.loads((folder / output).read_text())
    assert status == 0 and found["micrometres"] == pytest.approx(0.24), text


@pytest.mark.parametrize(
    ("config", "name", "rules"),
    [
        (
            changed(train={"models": {**TINY["train"]["models"], "more": {"network": {
                "kind": "superhuman", "filters": [4, 4], "strides": [[1, 2, 2]]}}}}),
            "more",
            TRAIN | INFER,
        ),
        (
            changed(volumes={"more": {"phantom": {"shape": [8, 70, 90], "seed": 4},
                                      "split": "predict"}}),
            "more",
            {"download"} | NORMALIZE | INFER - {"evaluate", *CHOSEN} | SCORES,
        ),
    ],
    ids=["model", "volume"],
)  # fmt: skip
def test_another_model_or_volume_leaves_the_pages_of_others(
    chain: Path, config: dict[str, Any], name: str, rules: set[str]
) -> None:
    status, text = snakemake(chain, config, "--dry-run")
    assert status == 0, text
    assert planned(text) - ALWAYS == rules
    made = {path for line in re.findall(r"^ +output: (.*)$", text, re.MULTILINE)
            for path in line.split(", ")}  # fmt: skip
    assert {path for path in made if name not in Path(path).with_suffix("").parts} == {
        *(f"results/report/{page}" for page in
          ("evaluate.html", "provenance.html", "index.html", "scores.txt")),
        "results/ro-crate-metadata.json", "results/workflow", "results/README.md",
    }  # fmt: skip


def test_agglomeration_by_several_jobs_gives_the_same(chain: Path, tmp_path: Path) -> None:
    """On the chain's affinities; then a piece is lost, and only what needs it runs again."""
    folder = tmp_path / "run"
    shutil.copytree(chain, folder)
    method = {
        "fragments": {"method": "watershed", "inside": 0.45, "smoothing": 1, "rescue": 5},
        "blocks": {"size": [8, 30, 40], "halo": [4, 16, 16]},
    }
    found = []
    for shards in (1, 3):
        config = changed(agglomerate={"shards": shards, "methods": {"mean": method}})
        output = "results/agglomerate/fgnet/mean/test.h5"
        status, text = snakemake(folder, config, output, "results/evaluate/fgnet/mean/test.json")
        assert status == 0, text
        with volume.opened(folder / output) as file:
            names = [n for n in volume.names(file) if n.startswith("segmentation/")]
            found.append([volume.dataset(file, volume.FRAGMENTS)[:], *(file[n][:] for n in names)])
        scored = folder / "results/evaluate/fgnet/mean/test.json"
        found[-1].append(json.loads(scored.read_text())["against_ids"])
    assert len(np.unique(found[0][0])) > 20
    for one, other in zip(*found, strict=True):
        np.testing.assert_equal(one, other)
    (folder / "results/agglomerate/fgnet/mean/test/fragments/1-of-3.h5").unlink()
    (folder / "results/evaluate/fgnet/mean/test.json").unlink()
    status, text = snakemake(folder, config, "results/evaluate/fgnet/mean/test.json")
    assert status == 0, text
    assert {"agglomerate_fragments", "agglomerate_merge", "evaluate"} <= planned(text)
    assert not {"infer", "infer_shard", "train"} & planned(text)


def test_no_query_reaches_the_notebooks_that_are_kept(chain: Path) -> None:
    """A page's parameters stand in its notebook among the logs, and so in what is deposited."""
    secret = {
        "source": "https://lab.org/em.zarr?part=5ecret",
        "split": "predict",
    }
    config = changed(volumes={"far": secret})
    status, text = snakemake(chain, config, "--dry-run", "--printshellcmds")
    assert status == 0, text
    pages = [line for line in text.splitlines() if "fgnet.report" in line and " page " in line]
    assert any("provenance.ipynb" in line and "lab.org/em.zarr" in line for line in pages)
    assert not any("5ecret" in line for line in pages)


def test_run_lengths_along_lines_of_the_labels(
    chain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = ROOT / ".venv-skeletons/bin"
    if not there.is_dir():
        pytest.skip("there is no .venv-skeletons: make .venv-skeletons/installed")
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:{there}")
    folder = tmp_path / "run"
    shutil.copytree(chain, folder)
    output = "results/evaluate/fgnet/mean/test.run_lengths.json"
    status, text = snakemake(folder, changed(evaluate={"skeletons": {"const": 100}}), output)
    assert status == 0, text
    assert planned(text) == {"evaluate_skeletons", "evaluate_run_lengths"}
    found = json.loads((folder / output).read_text())
    assert found["neurons"] > 3 and found["skeletons"]["from"] == "labels"
    low, high = found["intervals"]["normalised"]
    assert 0 <= low <= found["chosen"]["normalised"] <= high <= 1
    for row in found["sweep"]:
        assert row["with_mergers"] >= row["expected"]
        assert sum(row[key] for key in ("correct", "merged", "split", "omitted")) == pytest.approx(
            1
        )
    # so little is learnt that all is merged
    assert row["with_mergers"] > 0 and row["mergers"] > 0
    wanted = {"skeletons": {"const": 100}, "tolerance": 50}
    status, text = snakemake(folder, changed(evaluate=wanted), output, "--dry-run")
    assert status == 0 and planned(text) == {"evaluate_run_lengths"}, text


def test_results_are_exported_for_viewers(chain: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(chain, run)
    wanted = {"formats": ["precomputed", "tiff"], "mips": 2, "meshes": True, "min_voxels": 50,
              "layers": ["image", "labels", "affinities", "segmentation"]}  # fmt: skip
    status, text = snakemake(run, changed(export=wanted))
    assert status == 0, text
    # the page of the segmentation leads to the viewer
    linked = {"report_segment", "report_provenance", "report", "report_crate"}
    assert planned(text) == {"export_folder", "export_file", "export_state"} | linked
    page = (run / "results/report/segment/fgnet/mean/test.html").read_text()
    target = re.search(r'<a class="place" href="(.*?)"', page)
    assert target and re.fullmatch(
        r"http://127.0.0.1:8090/client/v/fgnet/#!http://127.0.0.1:8090/test/neuroglancer.json"
        r"\?position=\d+%2C\d+%2C\d+&amp;segments=\d+(%2C\d+)*&amp;layer=fgnet%2C%20mean", target[1]
    )  # fmt: skip
    folder = run / "results/export/test"
    for place in ("image", "labels", "fgnet/affinities", "fgnet/mean/segmentation"):
        assert (folder / f"{place}.ome.tif").is_file()
        record = json.loads((folder / f"{place}.precomputed/provenance").read_text())
        assert record["sources"][0].startswith("fgnet.phantom {")
        methods = [step["method"] for step in record["processing"]]
        assert methods[:2] == ["download", "normalize"] and methods[-1] == "export"
    image = CloudVolume(f"file://{folder}/image.precomputed", progress=False)
    # the box of the volume begins at its third section
    assert image.bounds.minpt.tolist() == [0, 0, 2] and image.volume_size.tolist() == [90, 70, 12]
    shown = json.loads((folder / "neuroglancer.json").read_text())["layers"]
    assert [one["name"] for one in shown] == ["image", "affinities fgnet", "ground truth",
                                              "fgnet, mean"]  # fmt: skip
    entry = dict(ledger.entries(run / "results/ledger"))["export/test/neuroglancer"]
    assert entry["read"] == [
        "results/normalize/whole.h5",
        *(f"results/export/test/{place}.precomputed"
          for place in ("image", "fgnet/affinities", "labels", "fgnet/mean/segmentation")),
    ]  # fmt: skip
    for export, rules in (
        ({**wanted, "min_voxels": 60}, {"export_folder", "export_state"}),
        ({**wanted, "address": "https://lab.org"}, {"export_state"} | linked),
        ({**wanted, "skeletons": {}}, {"export_skeletons", "export_state"}),
        ({}, linked),
    ):
        status, text = snakemake(run, changed(export=export), "--dry-run")
        # without exports the crate names fewer files
        assert status == 0 and planned(text) == rules | {"report_crate"}, text


def test_a_volume_is_matched_to_another(tmp_path: Path) -> None:
    config = changed(normalize={"match": "validation"})
    status, text = snakemake(tmp_path, config, "results/normalize/whole.h5")
    assert status == 0, text
    with volume.opened(tmp_path / "results/normalize/whole.h5") as file:
        inputs = {Path(name).name for name in volume.made_by(file)["inputs"]}
    assert inputs == {"whole.h5", "validation.h5"}


def test_a_model_takes_a_checkpoint_and_segments_without_labels(
    chain: Path, tmp_path: Path
) -> None:
    raw = tmp_path / "raw only.h5"
    with h5py.File(chain / "results/download/whole.h5") as file, h5py.File(raw, "w") as made:
        made["em"] = file[volume.RAW][:]
    # all that was kept of another config's run
    given = "results/train/fgnet/checkpoint.pt"
    (tmp_path / "run" / given).parent.mkdir(parents=True)
    shutil.copy(chain / given, tmp_path / "run" / given)
    (tmp_path / "lines.swc").write_text("1 3 10 9 4 1 -1\n2 3 40 9 4 1 1\n")
    cube = {
        "source": str(raw),
        "voxel_size": [30, 8, 8],
        "split": "predict",
        "skeletons": {"path": str(tmp_path / "lines.swc"), "unit": "voxels"},
    }
    config = {
        "volumes": {"mein Würfel; $(touch x)": cube},
        "train": {
            "models": {"it's mine": {"checkpoint": given}},
        },
        "infer": TINY["infer"],
        "evaluate": {"threshold": 0.5},
    }
    status, text = snakemake(tmp_path / "run", config)
    assert status == 0, text
    assert not list(tmp_path.rglob("x")) and (tmp_path / "run" / given).is_file()
    page = next((tmp_path / "run/results/report/segment").rglob("mein*.html"))
    assert page.stat().st_size > 10_000
    # what is followed along skeletons needs no labels, whatever the split
    scored = (tmp_path / "run/results/report/evaluate.html").read_text()
    assert "Run lengths" in scored and "VOI" not in scored and "Along skeletons" in scored
    cube["split"] = "test"
    status, text = snakemake(tmp_path / "run", config, "--dry-run")
    assert status == 0 and all(one.startswith("report") for one in planned(text)), text


UNLABELLED = {"test": {**TINY["volumes"]["test"], "split": "predict"}}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (changed(train={"stpes": 1}), ["train.stpes", "unknown key", "'steps'"]),
        (
            changed(volumes={"whole": {"source": "missing.h5"}, **UNLABELLED}),
            ["'whole'", "missing.h5"],
        ),
        (
            changed(volumes={"whole": {"source": "http://127.0.0.1:9/a.h5"}, **UNLABELLED},
                    download={"retries": 0}),
            ["'whole'", "http://127.0.0.1:9/a.h5"],
        ),
        (changed(train={"crop": [64, 64, 64]}), ["train.crop", "z is 64", "16 voxels"]),
    ],
    ids=["unknown key", "missing file", "no server", "crop too large"],
)  # fmt: skip
def test_bad_input_stops_it_with_a_sentence(
    tmp_path: Path, config: dict[str, Any], words: list[str]
) -> None:
    target = "results/train/fgnet/checkpoint.pt" if "train.crop" in words else None
    options = [target] if target else ["results/normalize/whole.h5"]
    status, text = snakemake(tmp_path, config, *options)
    assert status != 0
    end = "\n".join(text.splitlines()[-20:])
    assert all(word in end for word in words), text
    assert "Traceback" not in text
    if "unknown key" not in words:  # which no job is needed for
        # what failed ends by naming its log and showing it
        log = re.search(
            r"^Logfile (results/logs/\S+):\n=+\n(?:.*\n)*?error: (.*)$", end, re.MULTILINE
        )
        assert log and all(word in log[2] for word in words), end
        assert (tmp_path / log[1]).read_text().endswith(f"error: {log[2]}\n")
    assert not list(tmp_path.glob("results/train/*/*.pt"))
    assert not (tmp_path / "results/download/whole.h5").exists() or "train.crop" in words


def test_a_training_outlives_its_workflow(tmp_path: Path) -> None:
    """Snakemake deletes what a killed job leaves; the state to resume from is not among it."""
    train = {"steps": 40, "save_seconds": 0.01, "validate_every": 40}
    train["models"] = {"plain": {"network": {"kind": "superhuman", "filters": [4, 4],
                                             "strides": [[1, 2, 2]]}}}  # fmt: skip
    config = {**TINY, "train": {**TINY["train"], **train}}
    target = "results/train/plain/checkpoint.pt"
    snakemake(tmp_path, config, "results/normalize/train.h5", "results/normalize/validation.h5")
    process = subprocess.Popen(
        command(tmp_path, tmp_path / "config file.yaml", target), cwd=tmp_path,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    saved = tmp_path / "results/train/plain/saved.pt"
    while not saved.exists():
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / target).exists()
    assert snakemake(tmp_path, config, "--unlock")[0] == 0
    status, text = snakemake(tmp_path, config, target)
    assert status == 0, text
    assert "training resumes at step" in (tmp_path / "results/logs/train/plain.log").read_text()
    assert (tmp_path / target).exists() and not saved.exists()


# profiles/default lets one job have the GPU, and these have none
TWO_AT_A_TIME = ("--resources", "gpu=2", "--set-threads", "train=1", "infer_shard=1")


def shrunk(name: str) -> dict[str, Any]:
    """A shipped config of phantoms with tiny ones, and two steps of training."""
    config: dict[str, Any] = yaml.safe_load((ROOT / f"config/{name}.yaml").read_text())
    del config["volumes"]["phantom_validation"]
    config["evaluate"] = {"threshold": 0.5}
    for split, depth in (("train", 10), ("test", 6)):
        phantom = {"shape": [depth, 64, 64], "seed": depth, "calibre": 160}
        config["volumes"][f"phantom_{split}"]["phantom"] = phantom
    # torch's bfloat16 on a CPU cannot be trusted on grids as small as these (docs/train.md)
    config["train"] |= {"steps": 2, "crop": [6, 64, 64], "max_minutes": None,
                        "validation_crops": 1, "precision": "float32"}  # fmt: skip
    return config


def models_of(page: str) -> dict[str, list[str]]:
    """The cells of the table of models, by the model's name."""
    table = page.split("Models", 1)[1].split("</table>", 1)[0]
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)[1:]
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows]
    return {cell[0]: cell for cell in cells if cell and "." in cell[-5]}


@pytest.mark.slow
def test_the_ablation_gives_a_row_for_every_switch(tmp_path: Path) -> None:
    """config/ablation.yaml with tiny volumes and two steps; all else as it is shipped."""
    config = shrunk("ablation")
    config["train"]["models"]["mala"]["network"]["filters"] = [3, 6, 12, 24]
    page = "results/report/evaluate.html"
    status, text = snakemake(tmp_path, config, page, *TWO_AT_A_TIME)
    assert status == 0, text
    found = models_of((tmp_path / page).read_text())
    assert set(found) >= set(config["train"]["models"])
    # what the rows say is what their networks were: parameters, and how many of them are trained
    size = {name: (float(row[-4][:-2]), float(row[-3][:-2])) for name, row in found.items()}
    assert size["without_sam2"][0] < 1 < 26 < size["fgnet"][0]
    assert size["fgnet"][1] < 1.5 < size["last_blocks"][1] < 20 < size["finetuned"][1]
    assert size["fgnet"][1] < size["lora"][1] < 2
    assert size["single_decoder"][0] < size["fgnet"][0] < size["cross"][0]
    assert size["superhuman"] == (1.48, 1.48)


@pytest.mark.slow
def test_the_three_systems_and_a_unet_learn_from_one_volume(tmp_path: Path) -> None:
    """config/compare.yaml with tiny volumes and two steps; all else as it is shipped."""
    config = shrunk("compare")
    page = "results/report/evaluate.html"
    status, text = snakemake(tmp_path, config, page, *TWO_AT_A_TIME)
    assert status == 0, text
    found = models_of((tmp_path / page).read_text())
    assert set(found) >= {"fgnet", "polyp", "masg", "unet"}
    size = {name: (float(row[-4][:-2]), float(row[-3][:-2])) for name, row in found.items()}
    # frozen encoders, prompt layers apart
    for name in ("fgnet", "polyp", "masg"):
        assert size[name][1] < 4 < 26 < size[name][0]
    assert size["unet"] == (1.48, 1.48)


@pytest.mark.parametrize(
    "name",
    ["cremi", "ac3ac4", "fib25", "ablation", "compare", "images", "polyp", "masg", "polyp_gpu"],
)
def test_shipped_configs_plan_their_whole_run(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = yaml.safe_load((ROOT / f"config/{name}.yaml").read_text())
    if "images" in config:
        monkeypatch.setenv("FGNET_DATA", str(tmp_path))
        monkeypatch.setenv("POLYP_DATA", str(tmp_path))
    status, text = snakemake(tmp_path, config, "--dry-run")
    assert status == 0, text
    if "images" in config:
        assert planned(text) == {
            "download_images", "normalize_images", "train", "infer_images", "mask",
            "evaluate_masks", "report_images", "report_train", "report_mask",
            "report_evaluate", "report_provenance", "report", "report_crate",
        } | ({"download_sam2"} if name == "polyp_gpu" else set())  # fmt: skip
        return
    expected = {"download", "normalize", "train", "infer_shard", "infer", "agglomerate",
                "evaluate", "evaluate_threshold", "report", "report_train"}  # fmt: skip
    if name in ("cremi", "ac3ac4"):
        expected |= {"download_sam2"}
    assert expected <= planned(text)
    jobs = json.dumps(sorted(planned(text)))
    assert "report_segment" in jobs


def test_the_list_of_data_sets(tmp_path: Path) -> None:
    status, text = snakemake(tmp_path, TINY, "list_datasets")
    assert status == 0, text
    for line in ("cremi: CREMI samples", "snemi3d: ", "licence: CC BY 4.0", "cite: Scheffer"):
        assert line in text
    config = {**TINY, "datasets": ["cremy_a"]}
    status, text = snakemake(tmp_path, config, "--dry-run")
    assert status == 1
    assert "there is no data set 'cremy_a'; did you mean 'cremi_a'?" in text


@pytest.mark.slow
def test_real_volumes_from_three_formats_are_the_same(tmp_path: Path, data: Path) -> None:
    """ISBI 2012 and both FIB-25 volumes as HDF5, TIFF and Zarr: one result of normalize."""
    names = ("isbi2012_vnc_2d", "fib25_ts2_z000-168", "fib25_val_raw")
    config: dict[str, Any] = {"volumes": {}, "evaluate": {"threshold": 0.5}}
    config["train"] = {"models": {"given": {"checkpoint": "none.pt"}}}
    for name in names:
        original = data / f"{name}.h5"
        with h5py.File(original) as file:
            size = [float(nm) for nm in file[volume.RAW].attrs["resolution"]]
            layers = {
                role: file[path][()]
                for role, path in (("source", volume.RAW), ("labels", volume.LABELS))
                if path in file
            }
        entries: dict[str, Any] = {kind: {"voxel_size": size} for kind in ("h5", "tif", "zarr")}
        for role, values in layers.items():
            stack, chunks = tmp_path / f"{name}.{role}.tif", tmp_path / f"{name}.{role}.zarr"
            tifffile.imwrite(stack, values, compression="zlib", photometric="minisblack")
            zarr.create_array(chunks, data=values, chunks=(32, 128, 128))
            for kind, path in (("h5", original), ("tif", stack), ("zarr", chunks)):
                entries[kind][role] = str(path)
        config["volumes"] |= {f"{name}_{k}": {**e, "split": "predict"} for k, e in entries.items()}
    targets = [f"results/normalize/{name}.h5" for name in config["volumes"]]
    status, text = snakemake(tmp_path, config, *targets)
    assert status == 0, text
    for name in names:
        with h5py.File(tmp_path / f"results/normalize/{name}_h5.h5") as first:
            for kind in ("tif", "zarr"):
                with h5py.File(tmp_path / f"results/normalize/{name}_{kind}.h5") as other:
                    paths = [path for path in (volume.RAW, volume.LABELS) if path in first]
                    assert paths == [path for path in (volume.RAW, volume.LABELS) if path in other]
                    for path in paths:
                        assert np.array_equal(first[path], other[path])
                        assert dict(first[path].attrs).keys() == dict(other[path].attrs).keys()
                        assert volume.voxel_size(first[path]) == volume.voxel_size(other[path])
                        assert volume.offset(first[path]) == volume.offset(other[path])
