"""The workflow as users run it, on a tiny config: the chain, reruns, odd names, bad input."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
import yaml
import zarr
from cloudvolume import CloudVolume

from fgnet import ledger, volume
from fgnet.checksum import sha256

ROOT = Path(__file__).parent.parent
TINY: dict[str, Any] = yaml.safe_load((ROOT / "tests/tiny.yaml").read_text())


def snakemake(folder: Path, config: dict[str, Any], *options: str) -> tuple[int, str]:
    """Run snakemake in a folder; its exit status and everything it said."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config file.yaml"
    path.write_text(yaml.safe_dump(config, allow_unicode=True))
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        command(folder, path, *options), capture_output=True, text=True, check=False,
        env=environment, cwd=folder,
    )  # fmt: skip
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


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the tiny config, in a folder with an awkward name."""
    folder = tmp_path_factory.mktemp("run") / 'it\'s a "folder"; with ä name'
    status, text = snakemake(folder, TINY)
    assert status == 0, text
    return folder


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


def test_every_job_is_in_the_ledger_and_the_crate(chain: Path) -> None:
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
    assert str(chain) not in text and str(ROOT) not in text
    checkpoint = crate["train/fgnet/checkpoint.pt"]["sha256"]
    assert checkpoint == sha256(results / "train/fgnet/checkpoint.pt")
    shown = (results / "report/provenance.html").read_text()
    assert "infer/fgnet/test/0-of-2" in shown and "report/provenance" in shown


def test_nothing_is_left_to_do_and_touching_changes_nothing(chain: Path) -> None:
    for path in ("download/whole.h5", "train/fgnet/checkpoint.pt"):
        os.utime(chain / "results" / path)
    status, text = snakemake(chain, TINY, "--dry-run")
    assert status == 0 and "Nothing to be done" in text, text


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


# the provenance page and the crate hold the config, so every edit makes them anew
ALWAYS = {"report_provenance", "report_crate"}
SCORES = {"report_segment", "report_evaluate", "report"}
CHOSEN = {"evaluate_threshold", "evaluate_neurons"} | SCORES
INFER = {"infer_shard", "infer", "agglomerate", "evaluate"} | CHOSEN
TRAIN = {"train", "report_train"}
NORMALIZE = {"normalize", "report_data"}


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
        (changed(download={"retries": 9}), {"download"} | NORMALIZE | TRAIN | INFER),
    ],
    ids=["report", "evaluate", "infer", "train", "normalize", "match", "inverted", "download"],
)
def test_an_edit_reruns_what_it_touches(
    chain: Path, config: dict[str, Any], rules: set[str]
) -> None:
    status, text = snakemake(chain, config, "--dry-run")
    assert status == 0, text
    assert planned(text) - ALWAYS == rules and "report_crate" in planned(text)


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


def test_no_credential_reaches_the_notebooks_that_are_kept(chain: Path) -> None:
    """A page's parameters stand in its notebook among the logs, and so in what is deposited."""
    secret = {
        "source": "https://me:pa55word@lab.org/em.zarr?X-Signature=5ecret",
        "split": "predict",
    }
    config = changed(volumes={"far": secret})
    status, text = snakemake(chain, config, "--dry-run", "--printshellcmds")
    assert status == 0, text
    pages = [line for line in text.splitlines() if "fgnet.report" in line and " page " in line]
    assert any("provenance.ipynb" in line and "lab.org/em.zarr" in line for line in pages)
    assert not any("pa55word" in line or "5ecret" in line for line in pages)


def test_run_lengths_along_lines_of_the_labels(
    chain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = ROOT / ".venv-skeletons/bin"
    if not there.is_dir():
        pytest.skip("there is no .venv-skeletons: make .venv-skeletons/installed")
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:{there}")
    folder = tmp_path / "run"
    shutil.copytree(chain, folder)
    output = "results/evaluate/fgnet/mean/test.json"
    status, text = snakemake(folder, changed(evaluate={"skeletons": {"const": 100}}), output)
    assert status == 0, text
    assert planned(text) == {"evaluate_skeletons", "evaluate"}
    found = json.loads((folder / output).read_text())
    assert found["skeletons"]["neurons"] > 3 and found["skeletons"]["record"]["from"] == "labels"
    for row in (row["run_length"] for row in found["against_ids"]["sweep"]):
        assert row["with_mergers"] >= row["expected"]
        assert sum(row[key] for key in ("correct", "merged", "split", "omitted")) == pytest.approx(
            1
        )
    # so little is learnt that all is merged
    assert row["with_mergers"] > 0 and row["mergers"] > 0
    wanted = {"skeletons": {"const": 100}, "tolerance": 50}
    status, text = snakemake(folder, changed(evaluate=wanted), output, "--dry-run")
    assert status == 0 and planned(text) == {"evaluate"}, text


def test_results_are_exported_for_viewers(chain: Path) -> None:
    wanted = {"formats": ["precomputed", "tiff"], "mips": 2, "meshes": True, "min_voxels": 50,
              "layers": ["image", "labels", "affinities", "segmentation"]}  # fmt: skip
    status, text = snakemake(chain, changed(export=wanted))
    assert status == 0, text
    assert planned(text) == {"export_folder", "export_file", "export_state", "report_crate"}
    folder = chain / "results/export/test"
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
    for export, rules in (
        ({**wanted, "min_voxels": 60}, {"export_folder", "export_state"}),
        ({**wanted, "address": "https://lab.org"}, {"export_state"}),
        ({**wanted, "skeletons": {}}, {"export_skeletons", "export_state"}),
        ({}, set()),
    ):
        status, text = snakemake(chain, changed(export=export), "--dry-run")
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
    config = {
        "volumes": {
            "mein Würfel; $(touch x)": {
                "source": str(raw),
                "voxel_size": [30, 8, 8],
                "split": "predict",
            }
        },
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


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (changed(train={"stpes": 1}), ["train.stpes", "unknown key", "'steps'"]),
        (
            changed(volumes={"whole": {"source": "missing.h5"}}),
            ["'whole'", "missing.h5"],
        ),
        (
            changed(volumes={"whole": {"source": "http://127.0.0.1:9/a.h5"}},
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
    assert all(word in text for word in words), text
    assert "Traceback" not in text
    assert not list(tmp_path.glob("results/train/*/*.pt"))
    assert not (tmp_path / "results/download/whole.h5").exists() or "train.crop" in words


def test_a_training_outlives_its_workflow(tmp_path: Path) -> None:
    """Snakemake deletes what a killed job leaves; the state to resume from is not among it."""
    train = {"steps": 120, "save_seconds": 0.01, "validate_every": 120}
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


@pytest.mark.slow
def test_the_ablation_gives_a_row_for_every_switch(tmp_path: Path) -> None:
    """config/ablation.yaml with tiny volumes and two steps; all else as it is shipped."""
    config = yaml.safe_load((ROOT / "config/ablation.yaml").read_text())
    del config["volumes"]["phantom_validation"]
    config["evaluate"] = {"threshold": 0.5}
    for split, depth in (("train", 10), ("test", 6)):
        phantom = {"shape": [depth, 64, 64], "seed": depth, "calibre": 160}
        config["volumes"][f"phantom_{split}"]["phantom"] = phantom
    # torch's bfloat16 on a CPU cannot be trusted on grids as small as these (docs/train.md)
    config["train"] |= {"steps": 2, "crop": [6, 64, 64], "max_minutes": None,
                        "validation_crops": 1, "precision": "float32"}  # fmt: skip
    config["train"]["models"]["mala"]["network"]["filters"] = [3, 6, 12, 24]
    page = "results/report/evaluate.html"
    status, text = snakemake(tmp_path, config, page)
    assert status == 0, text
    table = (tmp_path / page).read_text().split("Models", 1)[1].split("</table>", 1)[0]
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)[1:]
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows]
    found = {cell[0]: cell for cell in cells if cell and "." in cell[-5]}
    assert set(found) >= set(config["train"]["models"])
    # what the rows say is what their networks were: parameters, and how many of them are trained
    size = {name: (float(row[-4][:-2]), float(row[-3][:-2])) for name, row in found.items()}
    assert size["without_sam2"][0] < 1 < 26 < size["fgnet"][0]
    assert size["fgnet"][1] < 1.5 < size["last_blocks"][1] < 20 < size["finetuned"][1]
    assert size["fgnet"][1] < size["lora"][1] < 2
    assert size["single_decoder"][0] < size["fgnet"][0] < size["cross"][0]
    assert size["superhuman"] == (1.48, 1.48)


@pytest.mark.parametrize("name", ["cremi", "ac3ac4", "fib25", "ablation"])
def test_shipped_configs_plan_their_whole_run(tmp_path: Path, name: str) -> None:
    config = yaml.safe_load((ROOT / f"config/{name}.yaml").read_text())
    status, text = snakemake(tmp_path, config, "--dry-run")
    assert status == 0, text
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
