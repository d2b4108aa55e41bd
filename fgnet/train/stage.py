"""A training from its volumes to all that it leaves behind."""

import hashlib
import json
import logging
import math
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch

from fgnet import checkpoint, processors
from fgnet import device as devices
from fgnet.checksum import sha256
from fgnet.fingerprint import fingerprint
from fgnet.model.build import Part, build, load_official
from fgnet.model.counts import parameters
from fgnet.model.initial import DrawnByNumpy
from fgnet.precision import settled
from fgnet.settings.train import Model
from fgnet.silence import doing
from fgnet.train import examples, processes, record, sheet
from fgnet.train.data import Material, gathered
from fgnet.train.engine import Engine
from fgnet.train.state import Saved, Weights, alone, weights

LOG = logging.getLogger(__name__)


def run(
    model: Model, settings: str, output: Path, last: Path, history: Path, made_by: Path,
    augmentations: Path, examples_path: Path, volumes: list[Path], validation: list[Path],
    boxes: str, sam2: list[Path], sam1: list[Path], text: list[Path], threads: int,
    save_seconds: float,
) -> None:  # fmt: skip
    """Train and write all that the stage leaves behind.

    Args:
        settings: the model's, as JSON, by which a saved training is known.
    """
    places: dict[str, list[dict[str, Any]]] = {
        "train": [{}] * len(volumes),
        "validation": [{}] * len(validation),
    }
    places |= json.loads(boxes)
    published: dict[Part, list[Path]] = {"sam2": sam2, "sam1": sam1, "text": text}
    weights_files = [file for paths in published.values() for path in paths for file in files(path)]
    inputs = [*volumes, *validation, *weights_files]
    # not among the outputs, which Snakemake deletes when a job is killed
    path = output.with_name("saved.pt")
    with processes.joined() as group, only_writer(group, path):
        device = group.device(devices.choose(model.device))
        share = max(1, processors.threads(threads) // group.world)
        LOG.info("training on %s, %d processes of %d threads", device, group.world, share)
        model = model.model_copy(update={"precision": settled(model.precision, device)})
        with doing("read the volumes' shapes and the validation block"):
            material = gathered(volumes, validation, places, model)
        key = training_key(settings, boxes, [volumes, validation, weights_files])
        saved = Saved(path, key, model.precision, save_seconds)
        torch.set_num_threads(share)
        engine = prepared(model, material, published, saved, group, device, share)
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

        total, trained = parameters(engine.network)
        cost = {"parameters": total, "trained": trained, "steps": state.step,
                "seconds": round(state.seconds, 1)}  # fmt: skip
        with doing("write checkpoints, and pictures for the report"):
            checkpoint.save(last, packed(state.step, weights(engine.smooth())))
            checkpoint.save(output, packed(state.best_step, state.best_weights))
            record.write_history(history, state.history, model.precision)
            sheet.write(augmentations, material.training, model)
            examples.write(examples_path, engine.best(), material, model, engine.device)
            record.write_made_by(made_by, model, inputs, **cost)
            saved.remove()
    if state.best < math.inf:
        best = abs(state.best)  # of what is better the higher, the rank is below 0
        LOG.info("best validation %s %.4g at step %d", model.best_by, best, state.best_step)


def only_writer(group: processes.Processes, saved: Path) -> AbstractContextManager[None]:
    """The lock of this training, held by its first process."""
    return alone(saved) if group.first else nullcontext()


def prepared(
    model: Model, material: Material, published: dict[Part, list[Path]], saved: Saved,
    group: processes.Processes, device: torch.device, threads: int,
) -> Engine:  # fmt: skip
    """The engine with its network and crops; ``threads`` are this process's own."""
    assert model.network is not None, "the settings see to it"
    torch.manual_seed(model.seed)
    with doing(f"build the network {model.network.kind}"), DrawnByNumpy(model.seed):
        network = build(model.network, material.outputs, material.inputs)
    for part, paths in published.items():
        for path in paths:
            with doing(f"load {path}"):
                load_official(network, path, part)
    total, trained = parameters(network)
    LOG.info("%s: %.2f million parameters, %.2f of them trained", model.network.kind,
             total / 1e6, trained / 1e6)  # fmt: skip
    # on a GPU the processor is free to cut crops; otherwise it has the network to work on
    workers = max(1, threads - 1) if device.type == "cuda" else 1
    with doing("cut the validation crops"):
        return Engine(
            network, model, material.training, material.held_back, material.objective, saved, group,
            device, workers,
        )  # fmt: skip


def files(path: Path) -> list[Path]:
    """The file itself, or the files of a folder."""
    return sorted(path.iterdir()) if path.is_dir() else [path]


def training_key(settings: str, boxes: str, inputs: list[list[Path]]) -> str:
    """What a saved state must agree with to be resumed: settings, code, data by their role."""
    checksums = [[sha256(path) for path in paths] for paths in inputs]
    parts = json.dumps([settings, boxes, fingerprint("train"), checksums])
    return hashlib.sha256(parts.encode()).hexdigest()
