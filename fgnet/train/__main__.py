"""Train a model on normalised volumes, or take an existing checkpoint.

    python -m fgnet.train --volumes a.h5 --validation b.h5 --boxes '{}' \\
        --settings '{"steps": 100}' --output checkpoint.pt --last last.pt --history history.csv \\
        --made-by made_by.json --augmentations augmentations.h5 --examples examples.h5

A stopped or killed training resumes from saved.pt beside its output when settings, code and data
are the same. While it runs: tensorboard --logdir results/train
"""

import hashlib
import json
import logging
import math
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fgnet import checkpoint, command, volume
from fgnet import device as devices
from fgnet.checksum import sha256
from fgnet.errors import InputError
from fgnet.fingerprint import fingerprint
from fgnet.model.build import build, load_official
from fgnet.model.counts import parameters
from fgnet.settings.base import Box
from fgnet.settings.train import Model
from fgnet.train import examples as pictures
from fgnet.train import history as table
from fgnet.train import processes, sheet
from fgnet.train.crops import Crops, Region, region
from fgnet.train.engine import Engine, weights
from fgnet.train.processes import become
from fgnet.train.state import Saved, State, Weights, alone

LOG = logging.getLogger(__name__)


def run(
    volumes: list[Path], validation: list[Path], boxes: str, settings: str, sam2: list[Path],
    output: Path, last: Path, history: Path, made_by: Path, augmentations: Path, examples: Path,
    threads: int,
) -> None:  # fmt: skip
    """Train, or check and copy a given checkpoint; write all that the stage leaves behind."""
    model = Model.from_json(settings)
    if model.checkpoint is not None:
        given = Path(model.checkpoint)
        take(given, model, output, last)
        table.write(history, [])
        sheet.write(augmentations, [], model)
        pictures.write(examples, None, [], [], model, torch.device("cpu"))
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
    inputs = [*volumes, *validation, *sam2]
    key = training_key(settings, boxes, [volumes, validation, sam2])
    # not among the outputs, which Snakemake deletes when a job is killed
    saved = Saved(output.with_name("saved.pt"), key)
    with processes.joined() as group, only_writer(group, saved):
        engine = prepared(model, training, held_back, sam2, saved, group, threads)
        state = engine.run()
        if not group.first:
            return

        def packed(step: int, values: Weights) -> checkpoint.Checkpoint:
            made = model.model_dump(mode="json")
            return checkpoint.Checkpoint(
                network=made["network"], offsets=list(model.offsets), crop=model.crop,
                voxel_size=training[0].voxel_size, normalize=normalize, training=made,
                step=step, weights=values,
            )  # fmt: skip

        checkpoint.save(last, packed(state.step, weights(engine.smooth())))
        checkpoint.save(output, packed(state.best_step, state.best_weights))
        table.write(history, state.history)
        sheet.write(augmentations, training, model)
        best = engine.best()
        pictures.write(examples, best, training, held_back, model, engine.device)
        write_record(made_by, model, inputs, engine.network, state)
        saved.remove()
    if state.best < math.inf:
        LOG.info("best validation %s %.4g at step %d", model.best_by, state.best, state.best_step)


def only_writer(group: processes.Processes, saved: Saved) -> AbstractContextManager[None]:
    """The lock of this training, held by its first process."""
    return alone(saved.path) if group.first else nullcontext()


def prepared(
    model: Model, training: list[Region], held_back: list[Region], sam2: list[Path],
    saved: Saved, group: processes.Processes, threads: int,
) -> Engine:  # fmt: skip
    """The engine with its network, crops and share of the processor."""
    assert model.network is not None, "the settings see to it"
    if not group.first:
        logging.getLogger().setLevel(logging.WARNING)
    torch.manual_seed(model.seed)
    network = build(model.network, len(model.offsets))
    if sam2:
        load_official(network, sam2[0])
    total, trained = parameters(network)
    LOG.info("%s: %.2f million parameters, %.2f of them trained", model.network.kind,
             total / 1e6, trained / 1e6)  # fmt: skip
    share = max(1, threads // group.world)
    torch.set_num_threads(share)
    device = group.device(devices.choose(model.device))
    # on a GPU the processor is free to cut crops; otherwise it has the network to work on
    workers = max(1, share - 1) if device.type == "cuda" else 1
    engine = Engine(
        network, model, Crops(training, model, augmented=True),
        Crops(held_back, model, augmented=False) if held_back else None, saved, group, device,
        workers,
    )  # fmt: skip
    LOG.info("training on %s, %d processes of %d threads, on %s", training[0].path, group.world,
             share, device)  # fmt: skip
    return engine


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
            settings = volume.look(file)
        if found is not None and settings != found:
            raise InputError(
                f"{path}: normalised by {settings}, other volumes of this model by {found}; "
                "normalise all of them alike"
            )
        found = settings
    return found or {}


def training_key(settings: str, boxes: str, inputs: list[list[Path]]) -> str:
    """What a saved state must agree with to be resumed: settings, code, data by their role."""
    checksums = [[sha256(path) for path in paths] for paths in inputs]
    parts = json.dumps([settings, boxes, fingerprint("train"), checksums])
    return hashlib.sha256(parts.encode()).hexdigest()


def take(given: Path, model: Model, output: Path, last: Path) -> None:
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
    LOG.info("took the checkpoint %s, trained for %d steps", given, found.step)


def write_record(
    path: Path, model: Model, inputs: list[Path], network: nn.Module | None = None,
    state: State | None = None,
) -> None:  # fmt: skip
    """What made the checkpoint and what it cost, readable without torch."""
    facts: dict[str, Any] = {
        "made_by": volume.record("train", model.model_dump(mode="json"), inputs)
    }
    if network is not None and state is not None:
        total, trained = parameters(network)
        facts |= {"parameters": total, "trained": trained, "steps": state.step,
                  "seconds": round(state.seconds, 1)}  # fmt: skip
    with volume.whole_or_nothing(path) as partial:
        partial.write_text(json.dumps(facts, sort_keys=True), encoding="utf-8")


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
    parser.add_argument("--augmentations", type=Path, required=True, help="pictures of them")
    parser.add_argument("--examples", type=Path, required=True, help="crops and maps of them")
    parser.add_argument("--threads", type=int, default=2, help="of all processes together")
    parser.add_argument("--processes", type=int, default=1, help="GPUs to train on, one each")
    return command.main(parser, start, argv)


def start(processes: int, **values: Any) -> None:
    """Train here, or in several processes that torchrun starts with the same arguments."""
    if processes > 1 and "RANK" not in os.environ:
        become(processes, sys.argv[1:])
    run(**values)


if __name__ == "__main__":
    sys.exit(main())
