"""The demo of `make demo`: it learns, and it is the training that does it."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from chain import snakemake

from fgnet import scores

pytestmark = pytest.mark.workflow

ROOT = Path(__file__).parent.parent
DEMO: dict[str, Any] = yaml.safe_load((ROOT / "config/config.yaml").read_text())
AGGLOMERATION = next(iter(DEMO["agglomerate"]["methods"]))
TEST = f"results/evaluate/fgnet/{AGGLOMERATION}/phantom_test.json"
THRESHOLD = f"results/evaluate/fgnet/{AGGLOMERATION}.threshold.json"


def sweep(folder: Path) -> list[scores.Row]:
    """The scores of the test volume at every threshold."""
    return scores.read(folder / TEST, scores.Scores).against_ids.sweep


@pytest.mark.slow
def test_the_demo_reaches_its_score_by_training(tmp_path: Path) -> None:
    # beside another test's process two threads would mostly wait for each other
    status, text = snakemake(tmp_path, DEMO, "--set-threads", "train=1", own=True)
    assert status == 0, text
    threshold = scores.read(tmp_path / THRESHOLD, scores.Choice).threshold
    trained = next(row.arand for row in sweep(tmp_path) if row.threshold == threshold)
    assert trained < 0.1
    assert (tmp_path / "results/report/index.html").stat().st_size > 10_000
    status, text = snakemake(tmp_path, DEMO, "--dry-run")
    assert status == 0 and "Nothing to be done" in text, text

    untrained = {**DEMO, "train": {**DEMO["train"], "steps": 0}}
    status, text = snakemake(tmp_path, untrained, TEST)
    assert status == 0, text
    assert min(row.arand for row in sweep(tmp_path)) > trained + 0.4
