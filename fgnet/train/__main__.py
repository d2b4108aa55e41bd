"""Train a model on normalised volumes, or take an existing checkpoint.

    python -m fgnet.train --volumes a.h5 --validation b.h5 --boxes '{}' \\
        --settings '{"steps": 100}' --output checkpoint.pt --last last.pt --history history.csv \\
        --made-by made_by.json --augmentations augmentations.h5 --examples examples.h5

A stopped or killed training resumes from saved.pt beside its output when settings, code and data
are the same. While it runs: tensorboard --logdir results/train
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fgnet import command
from fgnet.settings.train import Model, Train
from fgnet.train.take import take

# torch is imported where a network is trained, not where one is taken


def run(
    settings: str, output: Path, last: Path, history: Path, made_by: Path, augmentations: Path,
    examples_path: Path, **training: Any,
) -> None:  # fmt: skip
    """Train, or check and copy a given checkpoint; write all that the stage leaves behind."""
    model = Model.from_json(settings)
    results = (output, last, history, made_by, augmentations, examples_path)
    if model.checkpoint is not None:
        take(model, *results)
        return
    from fgnet.train import stage

    stage.run(model, settings, *results, **training)


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
        from fgnet import device as devices
        from fgnet.train.processes import become

        devices.choose(Model.from_json(settings).device, processes)
        become(processes, sys.argv[1:])
    run(settings=settings, **values)


if __name__ == "__main__":
    sys.exit(main())
