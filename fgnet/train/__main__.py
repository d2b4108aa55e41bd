"""Train a model on normalised volumes, or take an existing checkpoint.

    python -m fgnet.train --volumes a.h5 --validation b.h5 --boxes '{}' \\
        --settings '{"steps": 100}' --output checkpoint.pt --last last.pt --history history.csv \\
        --made-by made_by.json

A killed training resumes from saved.pt beside its output when settings, code and data are the
same.
"""

import csv
import hashlib
import json
import logging
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from fgnet import checkpoint, command, volume
from fgnet.errors import InputError
from fgnet.fingerprint import fingerprint
from fgnet.model.build import build
from fgnet.model.fgnet import FGNet
from fgnet.settings.base import Box
from fgnet.settings.network import FGNetNetwork
from fgnet.settings.train import Model
from fgnet.train.crops import Crops, Region, region
from fgnet.train.engine import Engine, Row, weights

LOG = logging.getLogger(__name__)
COLUMNS = (
    "step", "seconds", "loss", "loss_refined", "loss_coarse", "validation_loss", "learning_rate",
)  # fmt: skip


def run(
    volumes: list[Path], validation: list[Path], boxes: str, settings: str, sam2: list[Path],
    output: Path, last: Path, history: Path, made_by: Path, threads: int,
) -> None:  # fmt: skip
    """Train, or check and copy a given checkpoint; write both checkpoints and the history."""
    model = Model.from_json(settings)
    torch.set_num_threads(threads)
    if model.checkpoint is not None:
        given = Path(model.checkpoint)
        take(given, model, output, last, history)
        write_record(made_by, model, [given])
        return
    places: dict[str, list[dict[str, Any]]] = {
        "train": [{}] * len(volumes),
        "validation": [{}] * len(validation),
    }
    places |= json.loads(boxes)
    training = regions(volumes, places["train"], model)
    if not training:
        raise InputError(
            "train: no volume to train on; give one the split 'train', or name a checkpoint"
        )
    held_back = regions(validation, places["validation"], model, held_back=True)
    normalize = agreed_normalization([r.path for r in training + held_back])

    assert model.network is not None, "the settings see to it"
    torch.manual_seed(model.seed)
    network = build(model.network, len(model.offsets))
    if isinstance(model.network, FGNetNetwork):
        LOG.info("SAM2 %s with %s weights", model.network.sam2.size, model.network.sam2.weights)
    if sam2 and isinstance(network, FGNet):
        network.sam2.load_official(sam2[0])
    # not among the outputs, which Snakemake deletes when a job is killed
    saved = output.with_name("saved.pt")
    key = training_key(settings, boxes, [*volumes, *validation, *sam2])
    engine = Engine(
        network, model, Crops(training, model, augmented=True),
        Crops(held_back, model, augmented=False) if held_back else None, key, saved,
    )  # fmt: skip
    engine.resume(LOG.info)
    LOG.info("training on %s, %d threads, on %s", training[0].path, threads, engine.device)
    state = engine.run()

    def packed(step: int, state_dict: dict[str, torch.Tensor]) -> checkpoint.Checkpoint:
        values = model.model_dump(mode="json")
        return checkpoint.Checkpoint(
            network=values["network"], offsets=list(model.offsets), crop=model.crop,
            voxel_size=training[0].voxel_size, normalize=normalize, training=values, step=step,
            weights=state_dict,
        )  # fmt: skip

    checkpoint.save(last, packed(state.step, weights(engine.smooth())))
    checkpoint.save(output, packed(state.best_step, state.best_weights))
    write_history(history, state.history)
    write_record(made_by, model, [*volumes, *validation, *sam2])
    saved.unlink(missing_ok=True)
    LOG.info("best validation loss %.4g at step %d", state.best, state.best_step)


def regions(
    paths: list[Path], boxes: list[dict[str, Any]], model: Model, held_back: bool = False
) -> list[Region]:
    """The boxes of the files, each checked against the crop."""
    found = [
        region(path, Box.checked(box), model, held_back)
        for path, box in zip(paths, boxes, strict=True)
    ]
    return found


def agreed_normalization(paths: list[Path]) -> dict[str, Any]:
    """The settings by which all files were normalised. Raises InputError where they differ."""
    found: dict[str, Any] | None = None
    for path in paths:
        with volume.opened(path) as file:
            settings: dict[str, Any] = volume.made_by(file)["settings"]
        if found is not None and settings != found:
            raise InputError(
                f"{path}: normalised by {settings}, other volumes of this model by {found}; "
                "normalise all of them alike"
            )
        found = settings
    return found or {}


def training_key(settings: str, boxes: str, paths: list[Path]) -> str:
    """What a saved state must agree with to be resumed: settings, code, data."""
    parts = [settings, boxes, fingerprint("train")]
    parts += [volume.sha256(path) for path in paths]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def take(given: Path, model: Model, output: Path, last: Path, history: Path) -> None:
    """Use an existing checkpoint as the model.

    Raises:
        InputError: it is of another network than the config describes, where it describes one.
    """
    found = checkpoint.load(given)
    wanted = model.model_dump(mode="json")
    if wanted["network"] not in (None, found.network):
        differing = [k for k, v in wanted["network"].items() if found.network.get(k) != v]
        raise InputError(
            f"checkpoint: {str(given)!r} holds another network than the config describes "
            f"(differing: {', '.join(differing) or 'kind'}); leave network out, or name "
            "a checkpoint of that network"
        )
    for target in (last, output):
        with volume.whole_or_nothing(target) as partial:
            shutil.copyfile(given, partial)
    write_history(history, [])
    LOG.info("took the checkpoint %s, trained for %d steps", given, found.step)


def write_history(path: Path, rows: list[Row]) -> None:
    """The history as a table, whole or not at all."""
    with volume.whole_or_nothing(path) as partial, partial.open("w", newline="") as stream:
        table = csv.DictWriter(stream, COLUMNS, restval="")
        table.writeheader()
        table.writerows({k: "" if v is None else v for k, v in row.items()} for row in rows)


def write_record(path: Path, model: Model, inputs: list[Path]) -> None:
    """What made the checkpoint, readable without torch."""
    record = volume.record("train", model.model_dump(mode="json"), inputs)
    with volume.whole_or_nothing(path) as partial:
        partial.write_text(json.dumps({"made_by": record}, sort_keys=True), encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = command.parser("train", __doc__ or "")
    parser.add_argument("--volumes", type=Path, nargs="*", default=[], help="normalised volumes")
    parser.add_argument("--validation", type=Path, nargs="*", default=[], help="held-back volumes")
    parser.add_argument("--boxes", default="{}", help="JSON: boxes of train and of validation")
    parser.add_argument("--settings", default="{}", help="JSON: the model's settings")
    parser.add_argument("--sam2", type=Path, nargs="*", default=[], help="official SAM2 checkpoint")
    parser.add_argument("--output", type=Path, required=True, help="best checkpoint")
    parser.add_argument("--last", type=Path, required=True, help="last checkpoint")
    parser.add_argument("--history", type=Path, required=True, help="table of losses")
    parser.add_argument("--made-by", type=Path, required=True, help="record of what made it")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch")
    return command.main(parser, run, argv)


if __name__ == "__main__":
    sys.exit(main())
