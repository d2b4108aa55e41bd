"""Packages of an environment, linked from where pip has installed the same versions before.

To install seven environments anew takes pip minutes, most of them to resolve pins and to unpack
what is there already. Links give the same files.
"""

import importlib.metadata
import os
import re
import shutil
import sysconfig
from importlib.metadata import Distribution
from importlib.util import cache_from_source
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


def link(pins: list[str], prefix: Path) -> list[str]:
    """Link what pins name, and all that it requires, into an environment.

    Returns:
        pins of which no package was found, for pip.
    """
    here = installed()
    lacking, todo, done = [], list(pins), set()
    while todo:
        wanted = Requirement(todo.pop())
        asked = plain(wanted.name), frozenset(wanted.extras)
        if asked in done or not needed(wanted):
            continue
        done.add(asked)
        fits = [one for one in here.get(asked[0], []) if wanted.specifier.contains(one.version)]
        if not fits:
            lacking.append(str(wanted))
            continue
        place(fits[0], prefix)
        # an extra that is spelt otherwise is none, as for the pip that comes with Python
        extras = wanted.extras & set(fits[0].metadata.get_all("Provides-Extra", []))
        for name in fits[0].requires or []:
            inner = Requirement(name)
            if any(needed(inner, extra) for extra in ("", *extras)):
                inner.marker = None
                todo.append(str(inner))
    return lacking


def installed() -> dict[str, list[Distribution]]:
    """The packages of the environments that these tests run in, by name."""
    folders = [sysconfig.get_path("purelib")]
    folders += map(str, ROOT.glob(".venv-skeletons/lib/python*/site-packages"))
    found: dict[str, list[Distribution]] = {}
    for folder in folders:
        for one in importlib.metadata.distributions(path=[folder]):
            found.setdefault(plain(one.name), []).append(one)
    return found


def plain(name: str) -> str:
    """A package's name as pip compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def needed(wanted: Requirement, extra: str = "") -> bool:
    """True where this Python, and an extra, are what a requirement is for."""
    return wanted.marker is None or wanted.marker.evaluate({"extra": extra})


def place(one: Distribution, prefix: Path) -> None:
    """Link the files of a package, and what Python compiled of them."""
    (packages,) = prefix.glob("lib/python*/site-packages")
    for file in one.files or []:
        source = Path(str(one.locate_file(file))).resolve()
        target = Path(os.path.normpath(packages / file))
        if target.exists() or not source.exists():
            continue
        if target.parent == prefix / "bin":
            # it begins with the path of its Python
            own, other = (str(path).encode() for path in (source.parent, target.parent))
            target.write_bytes(source.read_bytes().replace(own, other))
            shutil.copymode(source, target)
            continue
        linked(source, target)
        compiled = Path(cache_from_source(str(source))) if source.suffix == ".py" else None
        if compiled and compiled.exists():
            linked(compiled, Path(cache_from_source(str(target))))


def linked(source: Path, target: Path) -> None:
    """A second name of a file, or a copy where the two lie on different disks."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        return
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)
