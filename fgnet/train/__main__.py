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

from fgnet import checkpoint, command, processors, volume
from fgnet import device as devices
from fgnet.checksum import sha256
from fgnet.errors import InputError
from fgnet.fingerprint import fingerprint
from fgnet.model.build import Part, build, load_official
from fgnet.model.counts import parameters
from fgnet.settings.train import Model, Train
from fgnet.silence import doing
from fgnet.train import examples, processes, sheet
from fgnet.train import history as table
from fgnet.train.data import Material, gathered
from fgnet.train.engine import Engine
from fgnet.train.processes import become
from fgnet.train.state import Saved, State, Weights, alone, weights
from fgnet.whole import whole_or_nothing

LOG = logging.getLogger(__name__)


def run(
    volumes: list[Path], validation: list[Path], boxes: str, settings: str,
    sam2: list[Path], sam1: list[Path], text: list[Path],
    output: Path, last: Path, history: Path, made_by: Path, augmentations: Path,
    examples_path: Path, threads: int, save_seconds: float,
) -> None:  # fmt: skip
    """Train, or check and copy a given checkpoint; write all that the stage leaves behind."""
    model = Model.from_json(settings)
    if model.checkpoint is not None:
        given = Path(model.checkpoint)
        take(given, model, output, last)
        table.write(history, [])
        sheet.write(augmentations, None, model)
        examples.write(examples_path, None, None, model, torch.device("cpu"))
        write_record(made_by, model, [given])
        return
    places: dict[str, list[dict[str, Any]]] = {
        "train": [{}] * len(volumes),
        "validation": [{}] * len(validation),
    }
    places |= json.loads(boxes)
    with doing("read the volumes' shapes and the validation block"):
        material = gathered(volumes, validation, places, model)
    published: dict[Part, list[Path]] = {"sam2": sam2, "sam1": sam1, "text": text}
    weights_files = [file for paths in published.values() for path in paths for file in files(path)]
    inputs = [*volumes, *validation, *weights_files]
    key = training_key(settings, boxes, [volumes, validation, weights_files])
    # not among the outputs, which Snakemake deletes when a job is killed
    saved = Saved(output.with_name("saved.pt"), key, save_seconds)
    with processes.joined() as group, only_writer(group, saved):
        engine = prepared(model, material, published, saved, group, threads)
        state = engine.run()
        if not group.first:
            return

        def packed(step: int, values: Weights) -> checkpoint.Checkpoint:
            made = model.model_dump(mode="json")
            return checkpoint.Checkpoint(
                network=made["network"], inputs=material.inputs, offsets=list(material.offsets),
                classes=list(material.classes), crop=model.crop, voxel_size=material.voxel_size,
                normalize=material.normalize, training=made, step=step, weights=values,
            )  # fmt: skip

        with doing("write checkpoints, and pictures for the report"):
            checkpoint.save(last, packed(state.step, weights(engine.smooth())))
            checkpoint.save(output, packed(state.best_step, state.best_weights))
            table.write(history, state.history)
            sheet.write(augmentations, material.training, model)
            examples.write(examples_path, engine.best(), material, model, engine.device)
            write_record(made_by, model, inputs, engine.network, state)
            saved.remove()
    if state.best < math.inf:
        best = abs(state.best)  # of what is better the higher, the rank is below 0
        LOG.info("best validation %s %.4g at step %d", model.best_by, best, state.best_step)


def only_writer(group: processes.Processes, saved: Saved) -> AbstractContextManager[None]:
    """The lock of this training, held by its first process."""
    return alone(saved.path) if group.first else nullcontext()


def prepared(
    model: Model, material: Material, published: dict[Part, list[Path]], saved: Saved,
    group: processes.Processes, threads: int,
) -> Engine:  # fmt: skip
    """The engine with its network, crops and share of the processor."""
    assert model.network is not None, "the settings see to it"
    if not group.first:
        logging.getLogger().setLevel(logging.WARNING)
    torch.manual_seed(model.seed)
    with doing(f"build the network {model.network.kind}"):
        network = build(model.network, material.outputs, material.inputs)
    for part, paths in published.items():
        for path in paths:
            with doing(f"load {path}"):
                load_official(network, path, part)
    total, trained = parameters(network)
    LOG.info("%s: %.2f million parameters, %.2f of them trained", model.network.kind,
             total / 1e6, trained / 1e6)  # fmt: skip
    share = max(1, processors.threads(threads) // group.world)
    torch.set_num_threads(share)
    device = group.device(devices.choose(model.device))
    # on a GPU the processor is free to cut crops; otherwise it has the network to work on
    workers = max(1, share - 1) if device.type == "cuda" else 1
    with doing("cut the validation crops"):
        engine = Engine(
            network, model, material.training, material.held_back, material.objective, saved, group,
            device, workers,
        )  # fmt: skip
    LOG.info("training on %s, %d processes of %d threads, on %s",
             material.training.regions[0].path, group.world, share, device)  # fmt: skip
    return engine


def files(path: Path) -> list[Path]:
    """The file itself, or the files of a folder."""
    return sorted(path.iterdir()) if path.is_dir() else [path]


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
        with whole_or_nothing(target) as partial:
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
    with whole_or_nothing(path) as partial:
        partial.write_text(json.dumps(facts, sort_keys=True), encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = command.parser("train", __doc__ or "")
    parser.add_argument("--volumes", type=Path, nargs="*", default=[], help="normalised volumes")
    parser.add_argument("--validation", type=Path, nargs="*", default=[], help="held-back volumes")
    parser.add_argument("--boxes", default="{}", help="JSON: boxes of train and of validation")
    parser.add_argument("--settings", default="{}", help="JSON: the model's settings")
    parser.add_argument("--sam2", type=Path, nargs="*", default=[], help="official SAM2 checkpoint")
    parser.add_argument("--sam1", type=Path, nargs="*", default=[], help="folder of SAM's weights")
    parser.add_argument("--text", type=Path, nargs="*", default=[], help="folder of CLIP's weights")
    parser.add_argument("--output", type=Path, required=True, help="best checkpoint")
    parser.add_argument("--last", type=Path, required=True, help="last checkpoint")
    parser.add_argument("--history", type=Path, required=True, help="table of losses")
    parser.add_argument("--made-by", type=Path, required=True, help="record of what made it")
    parser.add_argument("--augmentations", type=Path, required=True, help="pictures of them")
    parser.add_argument(
        "--examples", dest="examples_path", type=Path, required=True, help="crops and maps of them"
    )
    parser.add_argument("--threads", type=int, default=2, help="of all processes together")
    often = Train.model_fields["save_seconds"].default
    parser.add_argument("--save-seconds", type=float, default=often, help="between two saves")
    parser.add_argument("--processes", type=int, default=1, help="GPUs to train on, one each")
    return command.main(parser, start, argv)


def start(processes: int, settings: str, **values: Any) -> None:
    """Train here, or in several processes that torchrun starts with the same arguments."""
    if processes > 1 and "RANK" not in os.environ:
        devices.choose(Model.from_json(settings).device, processes)
        become(processes, sys.argv[1:])
    run(settings=settings, **values)


if __name__ == "__main__":
    sys.exit(main())
