"""The thin command line under every stage: log lines, exit status, one-sentence errors."""

import argparse
import errno
import inspect
import logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from fgnet import ledger, silence
from fgnet.errors import InputError

PROGRAM = "python -m fgnet."
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
REFUSED = {
    errno.EACCES: "give yourself the rights, or name another path",
    errno.EPERM: "give yourself the rights, or name another path",
    errno.EROFS: "name a path that can be written to",
    errno.ENOSPC: "free some space there, or run in a folder on a larger disk",
    errno.EDQUOT: "free some space there, or run in a folder on a larger disk",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f), or run on another file system",
    errno.ENAMETOOLONG: "choose a shorter name",
}


def parser(stage: str, text: str) -> argparse.ArgumentParser:
    """A parser for ``python -m fgnet.STAGE`` whose help starts with the module's docstring."""
    made = argparse.ArgumentParser(
        prog=f"{PROGRAM}{stage}",
        description=text,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "--ledger", type=Path, metavar="JSON", help="write what the job took to this file"
    )
    return made


def main(
    arguments: argparse.ArgumentParser,
    run: Callable[..., Any],
    argv: Sequence[str] | None = None,
) -> int:
    """Parse the arguments, call ``run(**arguments)``; 0 when done, 2 for an input error.

    What the machine refuses (a full disk, a file without rights) is told in one sentence too.
    """
    values = vars(arguments.parse_args(argv))
    stage, step = arguments.prog.removeprefix(PROGRAM), values.pop("named", None)
    path = values.pop("ledger")
    logging.basicConfig(
        # of several processes that train together the first one tells
        level=logging.INFO if os.environ.get("RANK", "0") == "0" else logging.WARNING,
        format=f"%(asctime)s {prefix(path)}%(message)s", datefmt="%H:%M:%S", stream=sys.stderr,
    )  # fmt: skip
    sys.excepthook = told
    sys.unraisablehook = lambda last: told(last.exc_type, last.exc_value, last.exc_traceback)
    status, full = 0, None
    with (
        silence.unsilenced(" ".join(filter(None, (stage, step)))),
        ledger.kept(path, stage, step, values) as job,
    ):
        try:
            run(**values)
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            status = 2
        except (OSError, RuntimeError) as error:
            number = cause(error)
            if number is None:
                raise
            print(f"error: {refused(error)}", file=sys.stderr, flush=True)
            # kept, as what it refers to holds the file that must not be closed
            status, full = 2, error if number in FULL else None
        job.status = status
    if full is not None:
        # HDF5 crashes when it closes a file that it could not write; all else is closed
        os._exit(status)
    return status


def prefix(path: Path | None) -> str:
    """The beginning of a job's log lines: its name, as the terminal shows lines of several jobs.

    Args:
        path: of the job's entry in the ledger; None outside of the workflow.
    """
    if path is None:
        return ""
    name = path.relative_to(ledger.home(path)).with_suffix("").as_posix()
    return f"{name}: ".replace("%", "%%")


def cause(error: BaseException | None) -> int | None:
    """The number of what the machine refused, also where HDF5 says it in words; None if none."""
    if isinstance(error, OSError) and error.errno is not None:
        number: int | None = error.errno
    else:
        found = re.search(r"errno = (\d+)", str(error))
        number = int(found[1]) if found else None
    return number if number in REFUSED else None


def told(
    kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> None:
    """Print an exception, but for what HDF5 repeats of a refusal as its objects go."""
    if cause(error) is None:
        sys.__excepthook__(kind, error or kind(), trace)


def refused(error: BaseException) -> str:
    """What the machine refused and what to do, in a sentence."""
    number = cause(error)
    assert number is not None
    found = re.search(r"(?:file)?name = '([^']*)'", str(error))
    where = getattr(error, "filename", None) or (found[1] if found else None)
    what = f"{os.strerror(number)}: {str(where)!r}" if where else os.strerror(number)
    return f"{what}; {REFUSED[number]}"


def need(path: Path, role: str) -> Path:
    """The path itself, or an InputError when there is no file."""
    if not path.is_file():
        raise InputError(f"{role}: there is no file {str(path)!r}; check the path in the config")
    return path


def steps(
    arguments: argparse.ArgumentParser, **functions: Callable[..., Any]
) -> dict[str, argparse.ArgumentParser]:
    """A parser for each step of a stage, which calls its function; see :func:`run_step`.

    What a function's docstring says before its arguments is the step's help.
    """
    made = arguments.add_subparsers(
        required=True, dest="named", metavar=" | ".join(functions), title="steps",
        description=f"Each explains itself: {arguments.prog} STEP --help",
    )  # fmt: skip
    parsers = {}
    for name, function in functions.items():
        text = re.split(r"\n(?:Args|Raises):", inspect.getdoc(function) or "")[0].strip()
        parsers[name] = made.add_parser(
            name, help=text.split("\n")[0], description=text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            epilog=f"An example of every step: {arguments.prog} --help",
        )  # fmt: skip
        parsers[name].set_defaults(step=function)
    return parsers


def run_step(step: Callable[..., Any], **values: Any) -> None:
    """What :func:`main` runs for a stage of several steps: the one that was named."""
    step(**values)
