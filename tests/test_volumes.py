"""The registry of volumes: which source is taken, and errors that name the key."""

from typing import Any

import pytest

from fgnet.errors import InputError
from fgnet.settings.base import Section
from fgnet.settings.volumes import Volumes


class Registry(Section):
    """The part of the config that holds volumes."""

    volumes: Volumes


def test_the_first_source_whose_variables_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    source = [{"path": "${FGNET_A}/${FGNET_B}.h5"}, "${FGNET_B}/b.h5"]
    values = {"volumes": {"v": {"source": source}}}
    monkeypatch.delenv("FGNET_A", raising=False)
    monkeypatch.delenv("FGNET_B", raising=False)
    with pytest.raises(InputError, match=r"volumes.v.source: .* FGNET_A or FGNET_B is not set"):
        Registry.checked(values)
    monkeypatch.setenv("FGNET_B", "/ä b")
    chosen = Registry.checked(values)
    assert chosen.model_dump()["volumes"]["v"]["source"]["path"] == "/ä b/b.h5"
    monkeypatch.setenv("FGNET_A", "x")
    assert Registry.from_json(chosen.canonical()) == chosen
    again = Registry.checked(values).model_dump()["volumes"]["v"]["source"]
    assert again["path"] == "x//ä b.h5"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"source": {"pathh": "x"}}, "v.source.pathh: unknown key; did you mean 'path'"),
        ({"source": 5}, "v.source: input should be .*Source"),
        ({"source": {"path": "x", "datset": "y"}}, "datset: unknown key; did you mean 'dataset'"),
        ({"source": ["x", {"path": "y", "row": "z"}]}, "v.source.row: unknown key"),
        ({"source": "ftp://x"}, "v.source: a path or an address is needed that starts with http"),
        ({"source": "x{9..1}.png"}, "v.source: a pattern has one range that goes up"),
        ({"source": {"path": "x", "axes": "zy"}}, "v.source.axes: z, y, x in the order"),
        ({"source": {"path": "x", "checksum": "12"}}, "v.source.checksum: .*64 .* hexadecimal"),
        ({"source": "x", "labels": {"path": "x", "background": [-1]}}, "v.labels.background.0"),
        ({"source": "x", "crop": {"units": "nm"}}, "crop.units: unknown key; did you mean 'unit'"),
        ({"phantom": {}, "labels": "x"}, "v: labels has no place beside phantom"),
        ({"source": "x", "of": "w"}, "v: exactly one of source, phantom and of"),
        ({"split": "train"}, "v: exactly one of .* not none"),
        ({"source": "x", "box": {}}, "v: box needs the key of"),
        ({"of": "wholes"}, "v.of: there is no volume 'wholes' .*did you mean 'whole'"),
        ({"of": "whole", "crop": {}}, "v: crop belongs to the volume 'whole'"),
    ],
)
def test_a_wrong_entry_names_its_key(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Registry.checked({"volumes": {"whole": {"source": "x"}, "v": entry}})


def test_a_name_must_do_for_a_file() -> None:
    for name in ("a/b", "", ".a", "{a}"):
        with pytest.raises(InputError, match="a name starts with a letter"):
            Registry.checked({"volumes": {name: {"source": "x"}}})
    name = "v \"1\"; 'Größe' 脳"
    assert name in Registry.checked({"volumes": {name: {"source": "x"}}}).volumes
