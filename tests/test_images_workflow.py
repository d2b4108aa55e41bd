"""The workflow on sets of images, as a user runs it: from a phantom to masks, scores and pages."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
import yaml
from chain import ROOT, planned, snakemake
from PIL import Image

from fgnet import imageset, ledger, scores
from fgnet.mask_scores import MaskScores, SetScores

pytestmark = pytest.mark.workflow

MODELS: dict[str, Any] = {
    "polyp": {
        "network": {
            "kind": "polyp",
            "sam2": {"size": "tiny", "weights": "random", "channels": 8},
        }
    },
    "masg": {"shots": 2, "network": {"kind": "masg", "sam1": {"size": "tiny", "image": None}}},
}
CONFIG: dict[str, Any] = {
    "images": {
        "polyps": {"phantom": {"count": 10, "size": [64, 64], "seed": 1}, "classes": ["polyp"]},
        "train": {"of": "polyps", "ranges": [[0, 4]], "split": "train"},
        "validation": {"of": "polyps", "ranges": [[4, 6]], "split": "validation"},
        "test": {"of": "polyps", "ranges": [[6, 10]], "split": "test"},
    },
    "train": {
        "steps": 3, "batch": 2, "crop": [1, 64, 64], "loss": "structure", "best_by": "dice",
        "device": "cpu", "validate_every": 3, "validation_crops": 2, "models": MODELS,
    },
    "infer": {"device": "cpu"},
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, in a folder with an awkward name."""
    folder = tmp_path_factory.mktemp("run") / "it's a set; with ä name"
    status, text = snakemake(folder, CONFIG)
    assert status == 0, text
    return folder


def test_the_chain_of_images_makes_every_result(run: Path) -> None:
    results = run / "results"
    for model in MODELS:
        with imageset.opened_chances(results / f"infer/{model}/test.h5") as chances:
            names, sizes = chances.names, chances.sizes
        assert len(names) == 4 and len(set(sizes)) > 1
        for name, size in zip(names, sizes, strict=True):
            mask = np.asarray(Image.open(results / f"mask/{model}/test/{name}.png"))
            assert mask.shape == size and set(np.unique(mask)) <= {0, 255}
        for images, count in (("test", 4), ("validation", 2)):
            file = scores.read(results / f"evaluate/{model}/{images}.json", SetScores)
            assert len(file.images) == count
            for found in MaskScores.model_fields:
                assert 0 <= getattr(file.overall.every_image.means, found) <= 1
    lines = (results / "report/scores.txt").read_text().splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [
        [images, model] for images in ("test", "validation") for model in sorted(MODELS)
    ]
    pages = {
        p.relative_to(results / "report").as_posix(): p for p in results.glob("report/**/*.html")
    }
    assert set(pages) == {
        "index.html", "evaluate.html", "provenance.html", "data/polyps.html",
        *(f"train/{model}.html" for model in MODELS),
        *(f"mask/{model}/test.html" for model in MODELS),
    }  # fmt: skip
    for page in pages.values():
        for link in re.findall(r'href="([^"#]+?)(?:#.*?)?"', page.read_text()):
            assert link.startswith("http") or (page.parent / unquote(link)).is_file(), (page, link)


def test_every_job_of_images_is_in_the_ledger_and_the_crate(run: Path) -> None:
    results = run / "results"
    measured = {p.relative_to(results / "benchmarks").with_suffix("").as_posix()
                for p in results.glob("benchmarks/**/*.tsv")}  # fmt: skip
    jobs = dict(ledger.entries(results / "ledger"))
    assert jobs.keys() == measured and all(job["status"] == 0 for job in jobs.values())
    graph = json.loads((results / "ro-crate-metadata.json").read_text())["@graph"]
    entities = {one["@id"]: one for one in graph}
    assert entities["mask/polyp/test/"]["@type"] == "Dataset"
    assert entities["#job/mask/polyp/test"]["result"] == {"@id": "mask/polyp/test/"}
    phantom = entities["#phantom/polyps"]
    assert phantom["name"] == "phantom of set of images polyps" and "64, 64" in phantom["value"]
    assert entities["#job/download/polyps"]["object"] == {"@id": "#phantom/polyps"}


def test_what_an_edit_of_images_reruns(run: Path) -> None:
    def edit(**sections: Any) -> set[str]:
        status, text = snakemake(run, {**CONFIG, **sections}, "--dry-run")
        assert status == 0, text
        return planned(text)

    ends = {"report_provenance", "report", "report_crate"}
    assert edit() == set()
    found = edit(mask={"threshold": 0.4})
    assert found == {"mask", "evaluate_masks", "report_mask", "report_evaluate", *ends}
    found = edit(evaluate={"boundary_tolerance": 0.02})
    assert found == {"evaluate_masks", "report_mask", "report_evaluate", *ends}
    # the page of the set has a part more, and no model a job more than its masks of it
    more = {**CONFIG["images"], "last": {"of": "polyps", "ranges": [[9, 10]], "split": "predict"}}
    found = edit(images=more)
    assert not found & {"train", "download_images", "normalize_images"}
    assert {"infer_images", "mask", "report_mask", "report_images"} <= found


@pytest.mark.slow
def test_both_systems_learn_real_polyps_by_heart(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """config/polyp.yaml and config/masg.yaml as one, on smaller images and for fewer steps."""
    polyp, masg = (
        yaml.safe_load((ROOT / f"config/{name}.yaml").read_text()) for name in ("polyp", "masg")
    )
    models = {
        name: {
            **{key: value for key, value in one["train"].items() if key != "models"},
            "steps": 170, "crop": [1, 64, 96], "batch": 4, **one["train"]["models"][name],
        }
        for name, one in (("polyp", polyp), ("masg", masg))
    }  # fmt: skip
    monkeypatch.setenv("FGNET_DATA", str(data))
    config = {**masg, "train": {"models": models}}
    options = ["--set-threads", "train=1", "--resources", "gpu=2"]  # both at the same time
    status, text = snakemake(tmp_path, config, *options)
    assert status == 0, text
    results = tmp_path / "results"
    for model in models:
        seen, held_back = (
            scores.read(results / f"evaluate/{model}/{images}.json", SetScores)
            for images in ("seen", "held_back")
        )
        assert len(seen.images) == 5 and len(held_back.images) == 10
        assert seen.overall.every_image.means.dice > 0.85
        page = (results / f"report/mask/{model}/held_back.html").read_text()
        names = {one.name for one in held_back.images}
        assert all(f"<h3>{name}</h3>" in page for name in names), names
        assert page.count("<img") >= 5 * 10
