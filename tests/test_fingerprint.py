"""The code fingerprint: what changes it and what does not."""

import json
from pathlib import Path

import pytest

from fgnet.fingerprint import fingerprint, sources

FILES = {
    "__init__.py": "",
    "stage.py": '"""Doc."""\nfrom pkg.inner import value  # why\n\n\ndef run():\n    """Doc."""\n'
    '    if value:\n        print(f"{value} x")\n    return value\n',
    "inner.py": "value = 1\n",
    "other.py": "value = 2\n",
    "ledger.py": "value = 3\n",
    "steps/__init__.py": "",
    "steps/__main__.py": "from pkg import ledger\n\n\ndef run_one():\n    from pkg import inner\n"
    "\n\ndef run_two():\n    from pkg import other\n",
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "pkg"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_it_covers_what_the_stage_imports(package: Path) -> None:
    found = [path.name for path in sources("stage", package=package)]
    assert found == ["__init__.py", "inner.py", "stage.py"]


def test_it_covers_what_a_step_imports_and_no_bookkeeping(package: Path, tmp_path: Path) -> None:
    def names(step: str | None, notebook: Path | None = None) -> set[str]:
        return {path.stem for path in sources("steps", step, notebook, package)} - {"__init__"}

    assert names(None) == {"__main__", "inner", "other"}
    assert names("one") == {"__main__", "inner"}
    assert names("two") == {"__main__", "other"}
    page = tmp_path / "page.ipynb"
    cells = [
        {"cell_type": "markdown", "source": "from pkg import inner"},
        {"cell_type": "code", "source": ["import json\n", "from pkg import stage"]},
    ]
    page.write_text(json.dumps({"cells": cells}))
    assert names("two", page) == {"__main__", "other", "stage", "inner"}


@pytest.mark.parametrize(
    ("name", "old", "new", "changes"),
    [
        ("stage.py", "# why", "# because", False),
        ("stage.py", '    """Doc."""\n', "", False),
        ("stage.py", "\n\n\ndef", "\ndef", False),
        ("stage.py", "    return value", "        return value", True),
        ("inner.py", "1", "3", True),
        ("other.py", "2", "3", False),
        ("__init__.py", "", "import os", True),
    ],
)
def test_code_changes_it_and_words_do_not(
    package: Path, name: str, old: str, new: str, changes: bool
) -> None:
    before = fingerprint("stage", package=package)
    path = package / name
    path.write_text(path.read_text().replace(old, new, 1) if old else new)
    assert (fingerprint("stage", package=package) != before) is changes


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("metres", "miles", False),
        ("{value} of", "of {value}", False),
        ("1", "2", True),
        ("more=", "less=", True),
    ],
)
def test_the_words_of_a_setting_or_an_argument_are_no_code(
    package: Path, old: str, new: str, changes: bool
) -> None:
    path = package / "inner.py"
    path.write_text("value = f(description='µ µ metres', more=1, help=f'{value} of' 'it')\n")
    before = fingerprint("stage", package=package)
    path.write_text(path.read_text().replace(old, new, 1))
    assert (fingerprint("stage", package=package) != before) is changes
