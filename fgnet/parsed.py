"""Source files parsed for fingerprints: once each, the outcome kept on disk.

Parsing the package takes seconds of a processor, and every job of a cluster asks for every rule's
fingerprint. Contents are told by the digest of their bytes, so that times and paths do not matter.
"""

import ast
import hashlib
import importlib.util
import io
import json
import sys
import tokenize
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from fgnet.whole import whole_or_nothing

WORDS = {"description", "help"}  # keywords that hold text for people
LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.ENDMARKER}
BREAKS = {tokenize.NEWLINE: "\n", tokenize.INDENT: "\t", tokenize.DEDENT: "\b"}
LARGEST = 2 << 20  # bytes of a file of Kept, several times what the package's own sources take


@dataclass(frozen=True)
class Parsed:
    """A source file's code without its words, and its imports.

    Attributes:
        bare: see :func:`bare`.
        names: of modules that it imports, by the function ``run_STEP`` that does, "" for the rest.
    """

    bare: str
    names: dict[str, list[str]]

    def imported(self, step: str | None = None) -> list[str]:
        """The names that the source imports, the functions of other steps left out."""
        wanted = {"", f"run_{step}"}
        return [
            name
            for function, names in self.names.items()
            if step is None or function in wanted
            for name in names
        ]


def parse(source: bytes) -> Parsed:
    """Parse a file's content, UTF-8."""
    text = io.TextIOWrapper(io.BytesIO(source), encoding="utf-8").read()  # any ends of lines
    tree = ast.parse(text)
    names: dict[str, list[str]] = {}
    for part in tree.body:
        name = part.name if isinstance(part, ast.FunctionDef) else ""
        found = names.setdefault(name if name.startswith("run_") else "", [])
        for node in ast.walk(part):
            if isinstance(node, ast.Import):
                found += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                # "from fgnet.x import y": y may be a module or a name of x
                found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return Parsed(bare(text, tree), names)


def bare(text: str, tree: ast.Module) -> str:
    """The source's tokens in a row, without comments, blank lines and text for people.

    Since Python 3.12 an f-string is several tokens, before it was one: so tokens are joined
    without a separator and doubled braces are halved.
    """
    words = sorted(prose(text, tree))
    found: list[str] = []
    after_docstring = False
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        while words and words[0][1] <= token.start:
            words.pop(0)
        if words and words[0][0] <= token.start:
            after_docstring = True
        elif token.type == tokenize.NEWLINE and after_docstring:
            after_docstring = False
        elif token.type not in LAYOUT:
            after_docstring = False
            found.append(BREAKS.get(token.type, token.string))
    return "".join(found).replace("{{", "{").replace("}}", "}")


def prose(text: str, tree: ast.Module) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Begin and end (line, character) of each text for people: docstrings and WORDS."""
    found: list[ast.expr] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if ast.get_docstring(node, clean=False) is not None and isinstance(first, ast.Expr):
                found.append(first.value)
        elif isinstance(node, ast.Call):
            found += [one.value for one in node.keywords if one.arg in WORDS]
    lines = text.split("\n")

    def place(line: int, offset: int) -> tuple[int, int]:
        # trees count bytes, tokens count characters
        return line, len(lines[line - 1].encode()[:offset].decode())

    return [
        (place(one.lineno, one.col_offset), place(one.end_lineno or 0, one.end_col_offset or 0))
        for one in found
    ]


class Kept:
    """Parsed contents, kept in a file where one can be written, else for this process alone."""

    def __init__(self, package: Path) -> None:
        """Args: package: the folder whose sources are parsed."""
        self._places = list(places(package))
        self._used: dict[str, Parsed] = {}
        self._before = next((found for one in self._places if (found := read(one))), {})
        self._new = False

    def parsed(self, source: bytes) -> Parsed:
        """The parsed content, from the kept file or parsed now."""
        key = hashlib.sha256(source).hexdigest()
        if key not in self._used:
            self._new |= key not in self._before
            self._used[key] = self._before.get(key) or parse(source)
        return self._used[key]

    def keep(self) -> None:
        """Write the file anew where something was parsed since.

        Of several processes that do so at once the last one's file stays. It may lack what another
        parsed, which the next that needs it adds.
        """
        if not self._new:
            return
        self._new = False
        for entries in ({**self._before, **self._used}, self._used):
            text = json.dumps({key: asdict(one) for key, one in entries.items()})
            # smaller, and no line of it turns up where the code is searched for a word
            body = zlib.compress(text.encode(), 1)
            if len(body) <= LARGEST:
                break
        for place in self._places:
            try:
                with whole_or_nothing(place) as partial:
                    partial.write_bytes(seal(body) + b"\n" + body)
            except OSError:  # another's folder, a full disk
                continue
            return


def places(package: Path) -> Iterator[Path]:
    """The paths at which a package's file may lie, the best first.

    Beside the code, where Python itself keeps what it parses: there it serves every working folder
    and every machine that sees the code, and goes when the code does. Code that is installed for
    many may not be written to, nor a home where there is one at all; then below Snakemake's own
    folder, which every job of a run shares. None is made where Snakemake does not run.
    """
    # tokens of an f-string are not quite the same in every Python, so each has its own file
    tag = sys.implementation.cache_tag or "python"
    name = f"fingerprint.{tag}.z"
    if sys.implementation.cache_tag:  # else Python keeps nothing itself
        yield Path(importlib.util.cache_from_source(str(package / "__init__.py"))).with_name(name)
    if (snakemake := Path(".snakemake")).is_dir():
        yield snakemake.absolute() / "fgnet" / name


def read(place: Path) -> dict[str, Parsed]:
    """Parsed contents by their digests; {} where a file is damaged or of other code."""
    try:
        first, _, body = place.read_bytes().partition(b"\n")
    except OSError:
        return {}
    if first != seal(body):
        return {}
    return {key: Parsed(**one) for key, one in json.loads(zlib.decompress(body)).items()}


def seal(body: bytes) -> bytes:
    """A digest of what was kept and of the code that parsed it."""
    return hashlib.sha256(code() + body).hexdigest().encode()


@cache
def code() -> bytes:
    """The bytes of this module."""
    return Path(__file__).read_bytes()
