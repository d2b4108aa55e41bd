"""Take an existing checkpoint as a model, without torch."""

import logging
import shutil
from pathlib import Path

from fgnet import checkpoint, volume
from fgnet.errors import InputError
from fgnet.settings.train import Model
from fgnet.train import record
from fgnet.whole import whole_or_nothing

LOG = logging.getLogger(__name__)


def take(
    model: Model, output: Path, last: Path, history: Path, made_by: Path, augmentations: Path,
    examples: Path,
) -> None:  # fmt: skip
    """Use an existing checkpoint as the model; of a training there is nothing to tell.

    Raises:
        InputError: it is of another network than the config describes, where it describes one.
    """
    given = Path(model.checkpoint or "")
    found = checkpoint.without_weights(given)
    wanted = model.model_dump(mode="json")
    if wanted["network"] not in (None, found.network):
        differing = [k for k, v in wanted["network"].items() if found.network.get(k) != v]
        raise InputError(
            f"checkpoint: {str(given)!r} holds another network than the config describes "
            f"(differing: {', '.join(differing) or 'kind'}); leave network out, or name "
            "a checkpoint of that network"
        )
    record.write_history(history, [], model.precision)
    for pictures in (augmentations, examples):
        with volume.create(pictures, "train", wanted, []):
            pass
    record.write_made_by(made_by, model, [given])
    for target in (last, output):
        with whole_or_nothing(target) as partial:
            shutil.copyfile(given, partial)
    LOG.info("took the checkpoint %s, trained for %d steps", given, found.step)
