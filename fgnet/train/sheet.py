"""Pictures of every augmentation, one at a time, for the report."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from fgnet import volume
from fgnet.settings.train import Augment, Model
from fgnet.train.crops import Crops, Cut
from fgnet.train.pictures import Pictures

TRIES = 20
NONE: dict[str, object] = {
    "flip": False, "transpose": "none", "rotate": 0, "elastic": 0, "misalign": 0, "contrast": 0,
    "brightness": 0, "gamma": 0, "section_contrast": 0, "section_brightness": 0, "noise": 0,
    "blur": 0, "dark": 0, "missing": 0, "cut_noise": 0,
}  # fmt: skip
# what turns each on, strongly enough to be seen in one crop
ONE: dict[str, dict[str, object]] = {
    "none": {},
    "flip": {"flip": True},
    "transpose": {"transpose": "in_plane"},
    "rotate": {"rotate": 1},
    "elastic": {"elastic": 1},
    "misalign": {"misalign": 1},
    "contrast and brightness": {"contrast": 0.5, "brightness": 0.2},
    "gamma": {"gamma": 1},
    "contrast and brightness of sections": {"section_contrast": 0.4, "section_brightness": 0.2},
    "noise": {"noise": 0.2},
    "blur": {"blur": 0.5},
    "dark": {"dark": 0.3},
    "missing": {"missing": 0.2},
    "cut_noise": {"cut_noise": 1},
}


# what has no counterpart in an image, see fgnet.train.pictures
OF_VOLUMES = ("transpose", "misalign", "blur", "dark", "missing")


def write(path: Path, training: Crops | Pictures, model: Model) -> None:
    """A crop before and after each augmentation alone, and after all as configured.

    The file holds a group for each, in order, with ``before``, ``raw`` and ``labels`` of the
    middle section (y, x) and, as ``before_xz`` and so on, of the middle row across sections
    (z, x); grey values are uint8. Of images it holds the whole image, ``before`` and ``raw``
    (y, x, 3).
    """
    with volume.create(path, "train", model.model_dump(mode="json"), []) as file:
        cases = {
            name: Augment.model_validate({**NONE, **on})
            for name, on in ONE.items()
            if isinstance(training, Crops) or name not in OF_VOLUMES
        }
        for name, augment in {**cases, "all, as configured": model.augment}.items():
            group = file.create_group(f"{len(file):02d} {name}")
            before, after = changed(training, augment)
            parts = {
                "before": grey(before.raw), "raw": grey(after.raw),
                "labels": np.where(after.valid, after.labels, 0),
            }  # fmt: skip
            for key, part in parts.items():
                if isinstance(training, Pictures):
                    group[key] = np.moveaxis(part, 0, -1) if part.ndim == 3 else part
                    continue
                group[key] = part[part.shape[0] // 2]
                group[f"{key}_xz"] = part[:, part.shape[1] // 2]


def changed(training: Crops | Pictures, augment: Augment) -> tuple[Cut, Cut]:
    """The first crop that an augmentation changes where it shows, before and after."""
    plain, random = (training.changed_by(each) for each in (Augment.model_validate(NONE), augment))
    for index in range(TRIES):
        before, after = plain.cut(index), random.cut(index)
        middle = before.raw.shape[0] // 2
        if not np.array_equal(before.raw[middle], after.raw[middle]):
            break
    return before, after


def grey(raw: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """[0, 1] as bytes."""
    return np.rint(np.clip(raw, 0, 1) * 255).astype(np.uint8)
