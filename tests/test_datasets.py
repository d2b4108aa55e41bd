"""The registry of public data sets: complete entries, and how a config takes them."""

from pathlib import Path

import pytest

from fgnet.errors import InputError
from fgnet.settings.config import load
from fgnet.settings.datasets import REGISTRY, Dataset, read, table

NAMES = sorted(path.stem for path in REGISTRY.glob("*.yaml"))
NEEDED = {"cremi", "cremi_test", "snemi3d", "ac3ac4", "fib25", "isbi2012", "hemibrain"}


def test_the_registry_holds_what_the_field_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FGNET_DATA", raising=False)
    assert set(NAMES) >= NEEDED
    text = table()
    for name in NAMES:
        dataset = Dataset.checked(read()[name])
        assert f"{name}: {dataset.title}" in text and dataset.citation in text
        used = {entry.of for entry in dataset.volumes.values()}
        for key, entry in dataset.volumes.items():
            if entry.of is None:
                assert entry.voxel_size and all("://" in s.path for s in entry.sources()), key
                assert entry.split is not None or key in used, f"{key} is for nothing"
    splits = [entry.split for entry in Dataset.checked(read()["cremi"]).volumes.values()]
    assert [splits.count(one) for one in ("train", "validation", "test", None)] == [3, 3, 3, 3]


def test_a_config_takes_a_data_set_or_one_volume_of_it_and_changes_it() -> None:
    whole = load({"datasets": ["cremi"]})
    assert whole.split("test") == ["cremi_a_test", "cremi_b_test", "cremi_c_test"]
    assert whole.box("cremi_a_test").z == (100, 125)
    one = load(
        {
            "datasets": ["cremi_b", "hemibrain"],
            "volumes": {
                "cremi_b_test": {"split": None},
                "hemibrain": {"crop": {"z": [1000, 1100]}},
                "mine": {"source": "em.tif", "voxel_size": [30, 8, 8], "split": "predict"},
            },
        }
    )
    assert {name for name in one.volumes if name.startswith("cremi")} == {
        "cremi_b", "cremi_b_train", "cremi_b_validation", "cremi_b_test"
    }  # fmt: skip
    assert one.split("test") == ["hemibrain_test"] and one.split("predict") == ["mine"]
    crop = one.volumes["hemibrain"].crop
    assert crop is not None and (crop.z, crop.y) == ((1000, 1100), None)
    # the record of a run holds what was taken, so that it can be read without these files
    assert load(one.model_dump(mode="json", exclude={"datasets"})).volumes == one.volumes


def test_a_name_that_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="datasets: there is no data set 'snemi'; did you mean"):
        load({"datasets": ["snemi"]})
    with pytest.raises(InputError, match="volumes: there is none; give `volumes`, `datasets`"):
        load({"datasets": [], "volumes": {}})
