"""The config: errors that help, canonical sections, and a reference that is up to date."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from fgnet.errors import InputError
from fgnet.settings.config import load
from fgnet.settings.reference import reference

ROOT = Path(__file__).parent.parent


def tiny(**changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((ROOT / "tests/tiny.yaml").read_text())
    for path, value in changes.items():
        *parents, key = path.split("__")
        section = values
        for parent in parents:
            section = section.setdefault(parent, {})
        section[key] = value
    return values


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"train__step": 5}, ["train.step", "unknown key", "'steps'"]),
        ({"train__models__fgnet__netwrk": {}}, ["models.fgnet.netwrk", "'network'"]),
        ({"evaluate__threshold": -0.1}, ["evaluate.threshold", "-0.1", "greater than or equal"]),
        ({"evaluate__threshold": 0.123456}, ["evaluate.threshold", "0.123456", "add it"]),
        ({"train__crop": [4, 33, 64]}, ["crop", "33", "multiple of 32", "use 32"]),
        ({"infer__crop": [4, 64, 40]}, ["infer", "40", "multiple of 32"]),
        ({"train__offsets": [[0, 0, 0]]}, ["offsets", "no edge"]),
        ({"normalise": {}}, ["normalise", "'normalize'"]),
        ({"volumes__validation__split": "test"}, ["evaluate.threshold", "validation"]),
        ({"train__models": {"a/b": {}}}, ["a/b", "slash"]),
        ({"normalize__match": "wohle"}, ["normalize.match", "'wohle'", "did you mean 'whole'"]),
        ({"normalize__match": "test"}, ["normalize.match", "'test'", "did you mean 'whole'"]),
        (
            {"train__models": {"fgnet": {"checkpoint": "results/train/fgnet/checkpoint.pt"}}},
            ["train.models.fgnet: checkpoint", "is written; give the model another name"],
        ),
        (
            {"volumes": {"a": {"phantom": {}, "split": "train"}}, "evaluate__threshold": 0.5},
            ["volumes: there is none to segment; give one `split: predict`"],
        ),
        ({"volumes__whole__resample": 8}, ["volumes.whole.resample: a list is needed, such as"]),
        ({"volumes__test__inverted": True}, ["volumes.test", "inverted belongs", "'whole'"]),
        (
            {"volumes__validation": {"source": "a.h5", "split": "validation"}},
            ["volumes.validation: split is 'validation', which takes ground truth", "`labels`"],
        ),
        (
            {"volumes__test": {"source": "a.h5", "split": "test"}, "evaluate__skeletons": {}},
            ["volumes.test: split is 'test'", "give it `labels` or `skeletons`"],
        ),
    ],
)
def test_a_mistake_is_told_in_one_sentence(change: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        load(tiny(**change))
    text = str(error.value)
    assert all(word in text for word in words), text
    assert "\n" not in text and "{" not in text


def test_models_inherit_and_override() -> None:
    config = load(
        tiny(
            train__steps=7,
            train__models={"a": {}, "b": {"steps": 9, "network": {"kind": "mala"}}},
        )
    )
    assert (config.train.models["a"].steps, config.train.models["b"].steps) == (7, 9)


def test_equal_settings_give_equal_text() -> None:
    one = load(tiny())
    values = tiny(infer__shards=one.infer.shards)  # a default, or the same value, spelled out
    values = {key: values[key] for key in reversed(values)}
    assert load(values).infer.canonical() == one.infer.canonical()
    assert load(tiny(infer__shards=3)).infer.canonical() != one.infer.canonical()


def test_the_purpose_of_a_volume_is_not_part_of_its_download() -> None:
    one, other = load(tiny()), load(tiny(volumes__test__split="predict"))
    assert one.volume_download("test") == other.volume_download("test")


def test_contrast_belongs_to_normalize_and_not_to_download() -> None:
    one = load(tiny())
    other = load(tiny(volumes__whole__inverted=True, normalize__match="whole"))
    assert one.volume_download("whole") == other.volume_download("whole")
    assert other.volume_normalize("whole").inverted
    # the reference itself is matched to nothing
    assert other.volume_normalize("whole").match is None
    assert not other.volume_normalize("whole").reference_inverted
    train = other.volume_normalize("train")
    assert (train.match, train.inverted, train.reference_inverted) == ("whole", False, True)


def test_the_reference_is_up_to_date() -> None:
    assert (ROOT / "docs/config.md").read_text() == reference(), "run make docs"


def test_settings_need_no_heavy_package() -> None:
    """Snakemake's own environment holds pydantic and yaml, not torch."""
    code = (
        "import sys, fgnet.settings.config, fgnet.fingerprint;"
        "import fgnet.export.__main__, fgnet.export.serve;"  # also serves what was exported
        "print([m for m in ('torch', 'numpy', 'h5py', 'waterz', 'skimage', 'cloudvolume') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


SET: dict[str, Any] = {
    "images": {
        "all": {"phantom": {"count": 9}},
        "learnt": {"of": "all", "ranges": [[0, 6]], "split": "train"},
        "test": {"of": "all", "ranges": [[6, 9]], "split": "test"},
    },
    "train": {
        "crop": [1, 64, 64], "loss": "structure",
        "models": {"p": {"network": {"kind": "fgnet", "sam2": None}}},
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"train": {"crop": [4, 64, 64]}}, "train.models.p: crop .* has 4 sections, an image has"),
        ({"train": {"loss": "mse"}}, "loss 'mse' is not for images; take structure or dice_bce"),
        ({"train": {"best_by": "voi"}}, "best_by 'voi' is not for images; take loss or dice"),
        (
            {"train": {"models": {"p": {"network": {
                "kind": "fgnet", "sam2": None, "strides": [[1, 2, 2], [1, 2, 2], [2, 2, 2]]}}}}},
            r"train.models.p: network.strides .* join sections",
        ),
        ({"volumes": {"v": {"phantom": {}}}}, "a config has volumes or images, and this one has"),
        ({"export": {"formats": ["hdf5"]}}, "export.formats: volumes are exported"),
        (
            {"images": {"test": {"of": "al", "split": "test"}}},
            r"test.of: there is no set 'al' with a source or phantom; did you mean 'all'\?",
        ),
        (
            {"images": {"learnt": {"of": "all", "split": "test"}}},
            "train.models.p: no set of images has the split 'train'",
        ),
        (
            {"images": {"learnt": {"source": "x/", "split": "train"}}},
            "images.learnt: split is 'train', which takes ground truth, .* give it `masks`",
        ),
        ({"images": {"test": {"ranges": [[0, 1]], "source": "x/"}}}, "ranges need the key of"),
        (
            {"images": {"all": {"phantom": {}, "masks": "m/"}}}, "masks has no place beside phantom"
        ),
    ],
)  # fmt: skip
def test_errors_of_image_sets(change: dict[str, Any], words: str) -> None:
    load(SET)
    with pytest.raises(InputError, match=words):
        load({**SET, **{key: {**SET.get(key, {}), **value} for key, value in change.items()}})
