"""The tables that a training leaves: its history, and a record of its inputs and cost."""

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from fgnet import volume
from fgnet.settings.train import Model
from fgnet.whole import whole_or_nothing

COLUMNS = (
    "step", "seconds", "loss", "loss_refined", "loss_coarse", "loss_deep1", "loss_deep2",
    "loss_deep3", "loss_edge", "gradient", "learning_rate", "validation_loss", "validation_voi",
    "validation_arand", "validation_dice", "precision",
)  # fmt: skip


def write_history(path: Path, rows: Iterable[Mapping[str, float]], precision: str) -> None:
    """The history as a table, whole or not at all; a cell without a value is empty.

    Args:
        precision: that the network ran at, which every row names.
    """
    with whole_or_nothing(path) as partial, partial.open("w", newline="") as stream:
        table = csv.DictWriter(stream, COLUMNS, restval="")
        table.writeheader()
        table.writerows({**row, "precision": precision} for row in rows)


def write_made_by(path: Path, model: Model, inputs: list[Path], **cost: float) -> None:
    """Write the checkpoint's settings, inputs and cost as JSON."""
    made_by = volume.record("train", model.model_dump(mode="json"), inputs)
    with whole_or_nothing(path) as partial:
        partial.write_text(
            json.dumps({"made_by": made_by, **cost}, sort_keys=True), encoding="utf-8"
        )
