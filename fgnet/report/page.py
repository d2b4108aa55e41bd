"""One page: run a notebook with parameters and turn what it shows into HTML without code.

The page holds everything it shows: no font, no picture, no script from elsewhere.
"""

import json
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbconvert import HTMLExporter
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

import fgnet
from fgnet import command, ledger
from fgnet.errors import InputError
from fgnet.report import html, navigation
from fgnet.silence import doing
from fgnet.whole import whole_or_nothing

Notebook = Any  # nbformat.NotebookNode is a dictionary without types
ROOT = Path(fgnet.__file__).resolve().parents[1]
LONGEST = 104  # bytes of a socket's place that every system takes
STARTS = 3  # of a kernel that does not answer within papermill's minute
UNANSWERED = "Kernel didn't respond"  # as jupyter_client says it
LOG = logging.getLogger(__name__)
SHOWN = ("config", "settings")  # parameters that a page shows as they are: it reads no file in them


def run(notebook: Path, parameters: str, root: str, executed: Path, output: Path) -> None:
    """Run a notebook and write its page.

    Args:
        parameters: JSON object of the notebook's parameters; paths in it hold from the working
            directory.
        root: the folder of all pages as seen from this one, for the links between them.
        executed: where the notebook with its outputs goes, also when it fails.
        output: the page.

    Raises:
        InputError: the notebook is missing, a parameter is unknown, or a cell met bad input.
    """
    text = command.need(notebook, "notebook").read_text(encoding="utf-8")
    source: Notebook = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
    values = checked(parameters, source, notebook)
    # other pages are led to, not read
    ledger.read(path for path in named(values) if path.suffix != ".html")
    with doing(f"run {notebook.name}: {len(source.cells)} cells"):
        done = execute(source, values, executed)
    for cell in done.cells:
        if cell.cell_type == "code":
            # warnings stay in the executed copy
            cell.outputs = [out for out in cell.outputs if out.get("name") != "stderr"]
    exporter = HTMLExporter(  # type: ignore[no-untyped-call]
        template_name="basic",
        exclude_input=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
    )
    body, _ = exporter.from_notebook_node(done)
    with whole_or_nothing(output) as partial:
        above = navigation.bar(notebook.stem, root)
        partial.write_text(html.page(body, above), encoding="utf-8")


def checked(parameters: str, notebook: Notebook, path: Path) -> dict[str, Any]:
    """The parameters, each of which the notebook must know."""
    try:
        values = json.loads(parameters)
    except json.JSONDecodeError as error:
        raise InputError(f"--parameters is not JSON ({error}): {parameters[:200]}") from error
    known = set(papermill.inspect_notebook(notebook))
    if unknown := sorted(set(values) - known):
        raise InputError(
            f"{path}: unknown parameter {unknown[0]!r}; it knows {', '.join(sorted(known))}"
        )
    return dict(values)


def named(value: Any) -> Iterator[Path]:
    """Files and folders among the values of parameters: texts with a slash that are one."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in SHOWN:
                yield from named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from named(inner)
    # of a text too long for a name Path.exists raises an error
    elif isinstance(value, str) and "/" in value and os.path.exists(value):  # noqa: PTH110
        yield Path(value)


def execute(notebook: Notebook, values: dict[str, Any], executed: Path) -> Notebook:
    """Run the notebook with this Python; its copy with outputs is kept whatever happens."""
    with tempfile.TemporaryDirectory(prefix="fgnet-") as folder, kernel(Path(folder)):
        # papermill fills braces in paths, so it gets a path of our own making
        copy = Path(folder) / "executed.ipynb"
        settings = Config({"KernelManager": spoken_to(Path(folder))})
        try:
            for left in reversed(range(STARTS)):
                try:
                    return papermill.execute_notebook(
                        notebook, copy, values, kernel_name="python3", progress_bar=False,
                        config=settings,
                    )  # fmt: skip
                except RuntimeError as error:
                    # a port that was free may be taken by now (see spoken_to); no cell has run
                    if UNANSWERED not in str(error) or not left:
                        raise
                    LOG.warning("%s: another kernel is started", error)
        except PapermillExecutionError as error:
            if error.ename == "InputError":
                raise InputError(error.evalue) from error
            raise
        finally:
            if copy.is_file():
                executed.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(copy, executed)


def spoken_to(folder: Path) -> dict[str, str]:
    """How the kernel is: through files of this job.

    Jupyter takes ports that are free when it looks, and another job may have one a moment later. A
    folder whose name is too long for the system's sockets leaves nothing else.
    """
    place = str(folder / "socket")  # unless told, jobs of one working directory share theirs
    short = len(os.fsencode(place)) + len("-5") < LONGEST
    return {"transport": "ipc", "ip": place} if short else {"transport": "tcp"}


@contextmanager
def kernel(folder: Path) -> Iterator[None]:
    """Make "python3" the Python that runs now, whatever kernels and profiles the user has."""
    spec = folder / "kernels" / "python3" / "kernel.json"
    spec.parent.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"}))
    places = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    changes = {
        "JUPYTER_PATH": str(folder),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "IPYTHONDIR": str(folder / "ipython"),
        "PYTHONPATH": os.pathsep.join(place for place in places if place),
    }
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
