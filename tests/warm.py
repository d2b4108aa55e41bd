"""Snakemake loaded once: each run is a fork of that process, as loading takes longer than a plan.

A fork has loaded what does not depend on the run: snakemake, the models of settings, and what
fgnet.fingerprint keeps by the text of a file. ``chain.snakemake(..., own=True)`` starts a Python.

python warm.py < requests > answers, one line of JSON each
"""

import atexit
import importlib
import json
import os
import re
import subprocess
import sys
import tempfile
import traceback
from functools import cache
from pathlib import Path
from typing import Any

LOADED = (
    "snakemake.cli", "smart_open", "fgnet.gpus", "fgnet.revision", "fgnet.report.private",
    "fgnet.settings.config", "fgnet.settings.datasets",
)  # fmt: skip


@cache
def process() -> "subprocess.Popen[str]":
    """The process that loads snakemake, one for these tests."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    found = subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=environment,
    )  # fmt: skip
    atexit.register(found.kill)
    return found


def run(
    arguments: list[str], folder: Path, environment: dict[str, str], python: str
) -> tuple[int, str]:
    """Run snakemake in a folder, and its jobs by a python; all that it said and its exit status."""
    with tempfile.TemporaryDirectory() as place:
        said = [f"{place}/stdout", f"{place}/stderr"]
        request = {"arguments": arguments, "folder": str(folder), "environment": environment,
                   "python": python}  # fmt: skip
        server = process()
        assert server.stdin and server.stdout
        server.stdin.write(json.dumps({**request, "said": said}) + "\n")
        server.stdin.flush()
        status = int(server.stdout.readline())
        return status, "".join(Path(name).read_text() for name in said)


def serve() -> None:
    """Load, then fork for each request; a request waits for the one before."""
    root = Path(__file__).parent.parent
    sys.path[0] = str(root)
    for name in LOADED:
        importlib.import_module(name)
    from snakemake.cli import get_argument_parser

    from fgnet.fingerprint import fingerprint

    get_argument_parser()  # finds the plugins
    rules = "".join(path.read_text() for path in (root / "workflow/rules").glob("*.smk"))
    for stage, step in re.findall(r'\bfingerprint\("(\w+)"(?:, "(\w+)")?\)', rules):
        fingerprint(stage, step or None)
    for page in (root / "notebooks").glob("*.ipynb"):
        fingerprint("report", "page", page)
    sys.path.pop(0)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            os._exit(answer(json.loads(line)))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def answer(request: Any) -> int:
    """One run, in a fork: its exit status."""
    from snakemake.cli import main

    for number, name in enumerate(request["said"], 1):
        file = os.open(name, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(request["folder"])
    sys.path.insert(0, request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["snakemake", *request["arguments"]]
    sys.executable = request["python"]  # the Snakefile puts its folder first on the path of jobs
    status = 1
    try:
        main(request["arguments"])
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return status


if __name__ == "__main__":
    serve()
