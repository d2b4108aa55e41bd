"""What Snakemake asks of conda, answered by rattler's solver and installer.

Snakemake 9 calls ``conda info``, ``--version``, ``config --get``, ``env create`` and ``clean``.
Channels are folders below ``$CONDA_CHANNEL_ALIAS``, packages are kept in ``$CONDA_PKGS_DIRS``. Of
pip's pins, :mod:`wheels` links what the environment of these tests holds. Each environment gets
:mod:`witness` besides.
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from rattler import Channel, ChannelConfig, ChannelPriority, VirtualPackage, install, solve
from rattler.platform import Platform

sys.path.insert(0, str(Path(__file__).parent))
from wheels import link

ANSWERS = {
    ("--version",): "conda 24.7.1",
    ("info", "--json"): json.dumps(
        {"conda_prefix": os.environ["CONDA_FRONT"], "platform": str(Platform.current())}
    ),
    ("config", "--get", "channel_priority", "--json"): json.dumps(
        {"get": {"channel_priority": "strict"}}
    ),
    ("clean", "-y", "--tarballs"): "",
}


def main(arguments: list[str]) -> None:
    """Answer one call."""
    if tuple(arguments) in ANSWERS:
        print(ANSWERS[tuple(arguments)])
    elif arguments[:2] == ["env", "create"]:
        parser = argparse.ArgumentParser()
        for flag in ("--quiet", "--no-default-packages", "--yes"):
            parser.add_argument(flag, action="store_true")
        parser.add_argument("--file", type=Path, required=True)
        parser.add_argument("--prefix", type=Path, required=True)
        wanted = parser.parse_args(arguments[2:])
        create(wanted.file, wanted.prefix)
    else:
        sys.exit(f"not answered: conda {' '.join(arguments)}")


def create(file: Path, prefix: Path) -> None:
    """Make an environment of an environment file, as conda does: its own packages, then pip's."""
    asked = yaml.safe_load(file.read_text())
    if unknown := set(asked) - {"name", "channels", "dependencies"}:
        sys.exit(f"{file}: conda knows no {', '.join(sorted(unknown))}")
    own = [one for one in asked["dependencies"] if isinstance(one, str)]
    (by_pip,) = (one["pip"] for one in asked["dependencies"] if isinstance(one, dict))
    asyncio.run(installed(asked["channels"], own, prefix))
    listed = prefix / "conda-meta" / "pip-requirements.txt"
    listed.write_text("\n".join(by_pip) + "\n")
    python = prefix / "bin" / "python"
    # the caller's own settings of Python are not those of the environment
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    if lacking := link(by_pip, prefix):
        # of all that is installed, jobs load a small part, which Python compiles then
        pip = [str(python), "-m", "pip", "install", "--quiet", "--no-compile", *lacking]
        subprocess.run(pip, check=True, env=clean)
    # ends with an error where two packages do not fit together, or one lacks another
    subprocess.run([str(python), "-m", "pip", "check"], check=True, env=clean, stdout=2)
    (packages,) = prefix.glob("lib/python*/site-packages")
    shutil.copy(Path(__file__).with_name("witness.py"), packages / "sitecustomize.py")


async def installed(channels: list[str], own: list[str], prefix: Path) -> None:
    """Solve and install conda's own packages."""
    settings = ChannelConfig(channel_alias=os.environ["CONDA_CHANNEL_ALIAS"])
    sources: list[Any] = [Channel(name, settings) for name in channels]
    records = await solve(
        sources, own, platforms=[Platform.current(), Platform("noarch")],
        virtual_packages=VirtualPackage.detect(), channel_priority=ChannelPriority.Strict,
    )  # fmt: skip
    await install(records, prefix, cache_dir=os.environ["CONDA_PKGS_DIRS"], show_progress=False)


if __name__ == "__main__":
    main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(0)  # rattler's threads may crash an interpreter that ends as usual
