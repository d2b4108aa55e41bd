"""A short hash of the code behind a rule, so that editing the code reruns what it touches.

Snakemake watches no imported module. The hash covers the tokens (comments, docstrings, descriptions
of settings, help of arguments and layout left out) of a module and of everything it imports inside
this package, but for what is ASIDE.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from fgnet.parsed import Kept, Parsed

PACKAGE = Path(__file__).parent

# No result holds anything of these modules: a job's words, its end, its threads and GPU, how its
# files come into place, and fingerprints themselves.
ASIDE = frozenset(
    {"command", "counters", "errors", "fingerprint", "gpus", "ledger", "parsed",
     "processors", "progress", "revision", "silence", "whole"}
)  # fmt: skip


class Code:
    """The files of a package as they are now: each is located, read and parsed once."""

    def __init__(self, package: Path = PACKAGE) -> None:
        self.package = package
        self._kept = Kept(package)
        self._located: dict[str, Path | None] = {}
        self._parsed: dict[Path, Parsed] = {}

    def fingerprint(self, stage: str, step: str | None = None, notebook: Path | None = None) -> str:
        """Sixteen hexadecimal digits that change when the code changes: see :meth:`sources`."""
        digest = hashlib.sha256()
        for path in self.sources(stage, step, notebook):
            digest.update(path.relative_to(self.package).as_posix().encode())
            digest.update(self.parsed(path).bare.encode())
        return digest.hexdigest()[:16]

    def sources(
        self, stage: str, step: str | None = None, notebook: Path | None = None
    ) -> list[Path]:
        """The files of the package behind ``python -m fgnet.STAGE STEP``, sorted.

        Args:
            step: of the stage; what its ``__main__`` imports inside of ``run_OTHER`` alone is left
                out. Without one, all steps.
            notebook: that the step runs; what its cells import counts as well.
        """
        package = self.package.name
        main = f"{package}.{stage}.__main__"
        todo = [f"{package}.{stage}"]
        if (self.package / stage).is_dir():
            todo.append(main)
        if notebook is not None:
            todo += inside(self._kept.parsed(cells(notebook).encode()).imported(), package)
        seen: set[str] = set()
        while todo:
            module = todo.pop()
            if module in seen or (path := self.locate(module)) is None:
                continue
            seen.add(module)
            todo += inside(self.parsed(path).imported(step if module == main else None), package)
        self._kept.keep()
        aside = {f"{package}.{name}" for name in ASIDE}
        found = {self.locate(module) for module in seen - aside}
        return sorted(path for path in found if path is not None)

    def locate(self, module: str) -> Path | None:
        """The file of a module of the package, or None when the name is no module of it."""
        if module not in self._located:
            self._located[module] = locate(module, self.package)
        return self._located[module]

    def parsed(self, path: Path) -> Parsed:
        """A parsed file of the package."""
        if path not in self._parsed:
            self._parsed[path] = self._kept.parsed(path.read_bytes())
        return self._parsed[path]


def fingerprint(
    stage: str, step: str | None = None, notebook: Path | None = None, package: Path = PACKAGE
) -> str:
    """See :meth:`Code.fingerprint`."""
    return Code(package).fingerprint(stage, step, notebook)


def sources(
    stage: str, step: str | None = None, notebook: Path | None = None, package: Path = PACKAGE
) -> list[Path]:
    """See :meth:`Code.sources`."""
    return Code(package).sources(stage, step, notebook)


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


def inside(names: Iterable[str], package: str) -> list[str]:
    """The imported names that lie in the package, and the packages around them."""
    return [
        ".".join(parts[:length])
        for name in names
        for parts in [name.split(".")]
        if parts[0] == package
        for length in range(1, len(parts) + 1)
    ]
