"""Many dry runs of one folder: snakemake is loaded once, and each run is a fork of that process.

python dryruns.py FOLDER < configs.json > planned.json
"""

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import yaml
from chain import command, planned


def main(folder: Path) -> None:
    """Read configs by name, write the rules that each of them would run."""
    import snakemake.cli  # noqa: F401, the forks have it then

    configs: dict[str, Any] = json.load(sys.stdin)
    files = {name: folder / f".dry-{number}.yaml" for number, name in enumerate(configs)}
    found, running = {}, {}
    for name, file in files.items():
        file.write_text(yaml.safe_dump(configs[name], allow_unicode=True))
        running[forked(folder, file)] = name
        if len(running) == (os.cpu_count() or 1) or len(found) + len(running) == len(files):
            while running:
                child, status = os.wait()
                said = files[running[child]].with_suffix(".txt")
                if status:
                    sys.exit(f"{running[child]}: {said.read_text()}")
                found[running.pop(child)] = sorted(planned(said.read_text()))
    for file in files.values():
        file.unlink()
        file.with_suffix(".txt").unlink()
    json.dump(found, sys.stdout)


def forked(folder: Path, file: Path) -> int:
    """Start a dry run; the number of its process."""
    from snakemake.cli import main as snakemake

    child = os.fork()
    if child:
        return child
    with file.with_suffix(".txt").open("w") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
        status = 1
        with contextlib.suppress(SystemExit):
            try:
                snakemake([*command(folder, file)[3:], "--dry-run", "--nolock"])
            except SystemExit as end:
                status = int(end.code or 0)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
