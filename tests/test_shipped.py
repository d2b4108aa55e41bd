"""Configs that are shipped: crops fit their volumes, where shapes are known without a download.

What refuses a crop is asked, not copied: :mod:`fgnet.train.crops`.
"""

import re
from pathlib import Path

import pytest
import yaml
from chain import ROOT
from snakemake.utils import update_config

from fgnet.errors import InputError
from fgnet.settings.config import Config, load
from fgnet.train import validation
from fgnet.train.crops import Region, fitted, within

ENDLESS = 1_000_000  # voxels along an axis whose length is not known here
# what headers in config/ say of data sets
FACTS = {f"cremi_{name}": (125, 1250, 1250) for name in "abc"} | {
    f"ac{name}": (ENDLESS, 1024, 1024) for name in ("4_train", "4_validation", "3_test")
}
CONFIGS = sorted(path.stem for path in ROOT.glob("config/*.yaml"))


def layers(name: str) -> list[str]:
    """The config, after the one that it is laid over as its header says."""
    text = (ROOT / f"config/{name}.yaml").read_text()
    over = re.search(rf"--configfile config/(\w+)\.yaml config/{name}\.yaml", text)
    return [over[1], name] if over else [name]


def shipped(*names: str) -> Config:
    """The config that Snakemake makes of files."""
    values: dict[str, object] = {}
    for name in names:
        update_config(values, yaml.safe_load((ROOT / f"config/{name}.yaml").read_text()))
    return load(values)


def place(config: Config, name: str) -> Region:
    """The region that a volume stands for, without its file."""
    whole = config.volumes[config.whole(name)]
    shape = FACTS.get(config.whole(name), (ENDLESS,) * 3)
    if whole.phantom is not None:
        shape = whole.phantom.shape
    if whole.crop is not None:
        assert whole.crop.unit == "voxels" and whole.resample is None
        cut = whole.crop.slices(shape, name)
        shape = (*(part.stop - part.start for part in cut),)
    return Region(Path(name), config.box(name).slices(shape, name), (1, 1, 1), (1, 1, 1))


def check(config: Config) -> int:
    """Ask for every model's crops of every volume; how many were asked for."""
    count = 0
    for model in config.train.models.values():
        for split in ("train", "validation"):
            for name in () if config.images else config.split(split):
                held_back = split == "validation"
                found = fitted(place(config, name), model, held_back)
                if held_back:
                    size = model.validation_block or validation.BLOCK
                    within(size, found, "train.validation_block")
                count += 1
    return count


@pytest.mark.parametrize("name", CONFIGS)
def test_crops_of_a_shipped_config_fit_its_volumes(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for variable in ("FGNET_DATA", "POLYP_DATA"):
        monkeypatch.setenv(variable, "/data")
    config = shipped(*layers(name))
    assert bool(check(config)) is not bool(config.images)


def test_a_crop_that_does_not_fit_is_found() -> None:
    """As of config/fib25_gpu.yaml once: 128 voxels along any axis, of 120 sections."""
    values = yaml.safe_load((ROOT / "config/fib25.yaml").read_text())
    update_config(values, {"train": {"crop": [32, 128, 128]}})
    with pytest.raises(InputError, match=r"train.crop: z is 128, .* has only 120 voxels"):
        check(load(values))
    assert layers("fib25_gpu") == ["fib25", "fib25_gpu"]
