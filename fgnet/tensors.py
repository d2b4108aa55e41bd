"""Files of tensors, from whoever they come: nothing in them is run."""

import pickle
from pathlib import Path
from typing import Any

import torch


def save(values: Any, path: Path) -> None:
    """``torch.save``, which says OSError where the machine refuses it."""
    try:
        torch.save(values, path)
    except RuntimeError:
        # torch does not tell why it could not write on; asking for more does
        with path.open("ab") as stream:
            stream.write(bytes(1 << 20))
        raise


def load(path: Path) -> Any:
    """What ``torch.save`` wrote: tensors on the CPU, numbers, text, and lists and dicts of these.

    Raises ValueError, which says why, for a file that is damaged or holds anything else.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # torch's own words say how to run what is in the file
        raise ValueError(
            "it is damaged, or holds more than tensors, numbers and text, which could be a program"
        ) from error
    except Exception as error:  # torch raises many kinds for a damaged file
        raise ValueError(f"it may be truncated: {str(error).splitlines()[0][:200]}") from error
