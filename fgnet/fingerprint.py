"""A short hash of the code behind a stage, so that editing the code reruns what it touches.

Snakemake watches no imported module. The hash covers the tokens (comments, docstrings and
layout left out) of a module and of everything it imports inside this package.
"""

import ast
import hashlib
import io
import tokenize
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent
LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.ENDMARKER}
BREAKS = {tokenize.NEWLINE: "\n", tokenize.INDENT: "\t", tokenize.DEDENT: "\b"}


def fingerprint(stage: str, package: Path = PACKAGE) -> str:
    """Sixteen hexadecimal digits that change when the code of ``fgnet.STAGE`` changes."""
    digest = hashlib.sha256()
    for path in sources(stage, package):
        digest.update(path.relative_to(package).as_posix().encode())
        digest.update(bare(path.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()[:16]


def sources(stage: str, package: Path = PACKAGE) -> list[Path]:
    """The files of the package that ``python -m fgnet.STAGE`` reads, sorted."""
    todo = [f"{package.name}.{stage}"]
    if (package / stage).is_dir():
        todo.append(f"{package.name}.{stage}.__main__")
    seen: set[str] = set()
    while todo:
        module = todo.pop()
        if module in seen or (path := locate(module, package)) is None:
            continue
        seen.add(module)
        todo += imports(path, module, package.name)
    found = {locate(module, package) for module in seen}
    return sorted(path for path in found if path is not None)


def locate(module: str, package: Path) -> Path | None:
    """The file of a module of the package, or None when the name is no module of it."""
    parts = module.split(".")[1:]
    for path in (package.joinpath(*parts, "__init__.py"), package.joinpath(*parts)):
        path = path if path.suffix else path.with_suffix(".py")
        if path.is_file():
            return path
    return None


def imports(path: Path, module: str, package: str) -> list[str]:
    """Modules of the package that a file may import, the packages around them included."""
    found = imported(path.read_text(encoding="utf-8"))
    inside = [name for name in found if name.split(".")[0] == package]
    return [
        ".".join(parts[:length])
        for name in inside
        for parts in [name.split(".")]
        for length in range(1, len(parts) + 1)
    ]


# Stages share most of their files, and every job of a cluster asks for every stage.
@cache
def imported(source: str) -> tuple[str, ...]:
    """The names that a source imports."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # "from fgnet.x import y": y may be a module or a name of x
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(found)


@cache
def bare(source: str) -> str:
    """The source's tokens in a row, without comments, blank lines and docstrings.

    The same text on every Python: since 3.12 an f-string is several tokens, before it was one,
    so tokens are joined without a separator and doubled braces are halved.
    """
    docstrings = {
        (node.body[0].lineno, node.body[0].col_offset)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and ast.get_docstring(node, clean=False) is not None
    }
    text: list[str] = []
    after_docstring = False
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.start in docstrings:
            after_docstring = True
        elif token.type == tokenize.NEWLINE and after_docstring:
            after_docstring = False
        elif token.type not in LAYOUT:
            text.append(BREAKS.get(token.type, token.string))
    return "".join(text).replace("{{", "{").replace("}}", "}")
