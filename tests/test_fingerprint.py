"""The code fingerprint: what changes it and what does not."""

import json
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from fgnet import parsed
from fgnet.fingerprint import PACKAGE, Code, fingerprint, sources

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


STEPS = [("stage", None), ("steps", None), ("steps", "one"), ("steps", "two")]


def known(package: Path) -> list[str]:
    """Every fingerprint of the small package, by one look at its code."""
    code = Code(package)
    return [code.fingerprint(*one) for one in STEPS]


@pytest.fixture
def kept(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of what was parsed of the small package, which is not yet there."""
    monkeypatch.chdir(tmp_path)
    (place,) = parsed.places(package)
    assert place.parent == package / "__pycache__" and not place.exists()
    return place


def afresh(package: Path) -> list[str]:
    """Every fingerprint of a copy of the package, of which nothing was kept."""
    copy = package.parent / "copy" / package.name
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    try:
        return known(copy)
    finally:
        shutil.rmtree(copy.parent)


def test_a_file_is_parsed_once_whatever_its_time(
    package: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[bytes] = []
    parse = parsed.parse

    def counted(source: bytes) -> parsed.Parsed:
        done.append(source)
        return parse(source)

    monkeypatch.setattr(parsed, "parse", counted)
    first = known(package)
    assert len(done) == len(set(done)) and kept.is_file()
    done.clear()
    (package / "inner.py").touch()
    assert known(package) == first and done == []
    (package / "inner.py").write_text("value = 4\n")
    second = known(package)
    assert done == [b"value = 4\n"]
    assert [a == b for a, b in zip(first, second, strict=True)] == [False, False, False, True]
    assert second == afresh(package)


@pytest.mark.parametrize("how", ["cut", "changed", "of other code", "no text", "a folder"])
def test_a_damaged_or_foreign_file_is_not_believed(
    package: Path, kept: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = known(package)
    whole = kept.read_bytes()
    if how == "cut":
        kept.write_bytes(whole[:-20])
    elif how == "changed":
        first_line, _, body = whole.partition(b"\n")
        text = zlib.decompress(body)
        assert b"value=2" in text
        kept.write_bytes(first_line + b"\n" + zlib.compress(text.replace(b"value=2", b"value=3")))
    elif how == "no text":
        kept.write_bytes(b"\xff\0\n" * 9)
    elif how == "of other code":
        with monkeypatch.context() as other:
            other.setattr(parsed, "code", lambda: b"other code")
            other.setattr(parsed, "parse", lambda source: parsed.Parsed("other", {}))
            assert known(package) != first and kept.read_bytes() != whole
    else:
        kept.unlink()
        kept.mkdir()
    assert known(package) == first
    if how != "a folder":
        assert kept.read_bytes() == whole  # made anew


def test_where_nothing_can_be_kept_it_is_computed(
    package: Path, kept: Path, tmp_path: Path
) -> None:
    (package / "__pycache__").write_text("no folder")
    first = known(package)
    assert first == afresh(package)
    assert {path.name for path in tmp_path.iterdir()} == {"pkg"}
    # with Snakemake, every job of the run finds it below the working folder
    (tmp_path / ".snakemake").mkdir()
    assert known(package) == first
    (second,) = (tmp_path / ".snakemake").rglob("*.z")
    assert parsed.read(second)
    # nor does a folder that refuses stop anyone
    shutil.rmtree(second.parent)
    second.parent.write_text("no folder")
    assert known(package) == first


def test_jobs_that_begin_at_once_agree(package: Path, kept: Path, tmp_path: Path) -> None:
    text = (
        "import sys; from pathlib import Path; from fgnet.fingerprint import Code;"
        "code = Code(Path(sys.argv[1])); print(*(code.fingerprint(*one) for one in "
        "[('stage', None), ('steps', None), ('steps', 'one'), ('steps', 'two')]))"
    )
    jobs = [
        subprocess.Popen(
            [sys.executable, "-c", text, str(package)], stdout=subprocess.PIPE, text=True,
            cwd=PACKAGE.parent,
        )
        for _ in range(4)
    ]  # fmt: skip
    said = {job.communicate()[0] for job in jobs}
    assert said == {" ".join(afresh(package)) + "\n"}
    assert parsed.read(kept) and [path.name for path in kept.parent.iterdir()] == [kept.name]


def test_what_is_kept_changes_no_fingerprint_of_fgnet(tmp_path: Path) -> None:
    copy = tmp_path / PACKAGE.name
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    assert not list(copy.rglob("*.z"))
    first = Code(copy).fingerprint("normalize")
    assert list(copy.rglob("*.z"))
    assert [first] * 2 == [Code(copy).fingerprint("normalize"), fingerprint("normalize")]
