"""A short hash of the code behind a rule, so that editing the code reruns what it touches.

Snakemake watches no imported module. The hash covers the tokens (comments, docstrings, descriptions
of settings, help of arguments and layout left out) of a module and of everything it imports inside
this package, but for what is ASIDE.
"""

import ast
import hashlib
import io
import json
import tokenize
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent
WORDS = {"description", "help"}  # keywords that hold text for people
LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.ENDMARKER}
BREAKS = {tokenize.NEWLINE: "\n", tokenize.INDENT: "\t", tokenize.DEDENT: "\b"}


# What a job says of itself, how it ends and how files come into place: no result holds any of it.
ASIDE = frozenset(
    {"command", "counters", "errors", "gpus", "ledger", "processors", "progress", "revision",
     "silence", "whole"}
)  # fmt: skip


def fingerprint(
    stage: str, step: str | None = None, notebook: Path | None = None, package: Path = PACKAGE
) -> str:
    """Sixteen hexadecimal digits that change when the code changes: see :func:`sources`."""
    digest = hashlib.sha256()
    for path in sources(stage, step, notebook, package):
        digest.update(path.relative_to(package).as_posix().encode())
        digest.update(bare(path.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()[:16]


def sources(
    stage: str, step: str | None = None, notebook: Path | None = None, package: Path = PACKAGE
) -> list[Path]:
    """The files of the package behind ``python -m fgnet.STAGE STEP``, sorted.

    Args:
        step: of the stage; what its ``__main__`` imports inside of ``run_OTHER`` alone is left out.
            Without one, all steps.
        notebook: that the step runs; what its cells import counts as well.
    """
    main = f"{package.name}.{stage}.__main__"
    todo = [f"{package.name}.{stage}"]
    if (package / stage).is_dir():
        todo.append(main)
    if notebook is not None:
        todo += inside(cells(notebook), package.name)
    seen: set[str] = set()
    while todo:
        module = todo.pop()
        if module in seen or (path := locate(module, package)) is None:
            continue
        seen.add(module)
        text = path.read_text(encoding="utf-8")
        todo += inside(text, package.name, step if module == main else None)
    aside = {f"{package.name}.{name}" for name in ASIDE}
    found = {locate(module, package) for module in seen - aside}
    return sorted(path for path in found if path is not None)


def cells(notebook: Path) -> str:
    """The code of a notebook."""
    found = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in found if cell["cell_type"] == "code")


def locate(module: str, package: Path) -> Path | None:
    """The file of a module of the package, or None when the name is no module of it."""
    parts = module.split(".")[1:]
    for path in (package.joinpath(*parts, "__init__.py"), package.joinpath(*parts)):
        path = path if path.suffix else path.with_suffix(".py")
        if path.is_file():
            return path
    return None


def inside(source: str, package: str, step: str | None = None) -> list[str]:
    """Modules of the package that a source may import, the packages around them included."""
    return [
        ".".join(parts[:length])
        for name in imported(source, step)
        for parts in [name.split(".")]
        for length in range(1, len(parts) + 1)
        if parts[0] == package
    ]


# Stages share most of their files, and every job of a cluster asks for every stage.
@cache
def imported(source: str, step: str | None = None) -> tuple[str, ...]:
    """The names that a source imports, the functions of other steps left out."""
    found: list[str] = []
    for part in ast.parse(source).body:
        name = part.name if isinstance(part, ast.FunctionDef) else ""
        if step is not None and name.startswith("run_") and name != f"run_{step}":
            continue
        for node in ast.walk(part):
            if isinstance(node, ast.Import):
                found += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                # "from fgnet.x import y": y may be a module or a name of x
                found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(found)


@cache
def bare(source: str) -> str:
    """The source's tokens in a row, without comments, blank lines and text for people.

    The same text on every Python: since 3.12 an f-string is several tokens, before it was one,
    so tokens are joined without a separator and doubled braces are halved.
    """
    words = sorted(prose(source))
    text: list[str] = []
    after_docstring = False
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        while words and words[0][1] <= token.start:
            words.pop(0)
        if words and words[0][0] <= token.start:
            after_docstring = True
        elif token.type == tokenize.NEWLINE and after_docstring:
            after_docstring = False
        elif token.type not in LAYOUT:
            after_docstring = False
            text.append(BREAKS.get(token.type, token.string))
    return "".join(text).replace("{{", "{").replace("}}", "}")


def prose(source: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where texts for people begin and end (line, character): docstrings and WORDS."""
    found: list[ast.expr] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if ast.get_docstring(node, clean=False) is not None and isinstance(first, ast.Expr):
                found.append(first.value)
        elif isinstance(node, ast.Call):
            found += [one.value for one in node.keywords if one.arg in WORDS]
    lines = source.split("\n")

    def place(line: int, offset: int) -> tuple[int, int]:
        # trees count bytes, tokens count characters
        return line, len(lines[line - 1].encode()[:offset].decode())

    return [
        (place(one.lineno, one.col_offset), place(one.end_lineno or 0, one.end_col_offset or 0))
        for one in found
    ]
