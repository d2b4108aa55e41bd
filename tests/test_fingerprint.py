"""The code fingerprint: what changes it and what does not."""

from pathlib import Path

import pytest

from fgnet.fingerprint import fingerprint, sources

FILES = {
    "__init__.py": "",
    "stage.py": '"""Doc."""\nfrom pkg.inner import value  # why\n\n\ndef run():\n    """Doc."""\n'
    '    if value:\n        print(f"{value} x")\n    return value\n',
    "inner.py": "value = 1\n",
    "other.py": "value = 2\n",
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "pkg"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


def test_it_covers_what_the_stage_imports(package: Path) -> None:
    assert [p.name for p in sources("stage", package)] == ["__init__.py", "inner.py", "stage.py"]


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
    before = fingerprint("stage", package)
    path = package / name
    path.write_text(path.read_text().replace(old, new, 1) if old else new)
    assert (fingerprint("stage", package) != before) is changes
