"""The entities of an RO-Crate: what is a file of the results and what is said about them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rocrate.model.contextentity import ContextEntity
from rocrate.model.dataset import Dataset
from rocrate.model.file import File
from rocrate.rocrate import ROCrate

from fgnet.checksum import sha256

VERSION = "1.1"  # of RO-Crate, which the profiles build on
# files larger than this get a checksum only where a stage has noted one
HASHED = 10**9
FORMATS = {
    ".h5": "application/x-hdf5", ".json": "application/json", ".html": "text/html",
    ".md": "text/markdown", ".smk": "text/plain", "": "text/plain", ".yaml": "application/yaml",
    ".sh": "application/x-sh", ".csv": "text/csv", ".ipynb": "application/x-ipynb+json",
    ".py": "text/x-python", ".rst": "text/x-rst", ".txt": "text/plain", ".tif": "image/tiff",
    ".pt": "application/zip",
}  # fmt: skip
Entity = dict[str, Any]
Ids = list[dict[str, str]]


@dataclass
class Builder:
    """The crate while it grows.

    Attributes:
        root: folder of the results.
        ids: of each file or folder that is described.
        said: what is said of each entity, by its id.
    """

    root: Path
    crate: ROCrate = field(default_factory=lambda: ROCrate(version=VERSION))
    ids: dict[Path, str] = field(default_factory=dict)
    said: dict[str, Entity] = field(default_factory=dict)

    def add(self, entity: Entity) -> dict[str, str]:
        """Add what is no file; the same id again changes nothing."""
        found = entity.pop("@id")
        # the crate itself looks through all of its entities to find one
        if found not in self.said:
            made = self.crate.add(ContextEntity(self.crate, found, entity))
            self.said[found] = made.properties()
        return {"@id": found}

    def add_file(self, path: Path, checksum: str | None = None, **facts: Any) -> None:
        """Add a file or folder of the results."""
        if path in self.ids:
            return
        inner, about = path.relative_to(self.root), {"name": inner_name(path, self.root), **facts}
        if path.is_dir():
            made = self.crate.add(Dataset(self.crate, dest_path=inner, properties=about))
        else:
            state = path.stat()
            if checksum is None and state.st_size <= HASHED:
                checksum = sha256(path)
            about |= {"contentSize": str(state.st_size), "dateModified": date(state.st_mtime)}
            about |= {"sha256": checksum} if checksum else {}
            kind = FORMATS.get(path.suffix)
            about |= {"encodingFormat": kind} if kind else {}
            made = self.crate.add(File(self.crate, dest_path=inner, properties=about))
        self.ids[path] = made.id
        self.said[made.id] = made.properties()

    def generate(self) -> Entity:
        """The content of the metadata file."""
        made: Entity = self.crate.metadata.generate()
        for entity in made["@graph"]:
            for key, value in list(entity.items()):
                if value == []:
                    del entity[key]
                elif isinstance(value, list) and len(value) == 1:
                    entity[key] = value[0]
        return made

    def refer(self, paths: Iterable[Path]) -> Ids:
        """References to those of the files that are described."""
        return [{"@id": self.ids[path]} for path in dict.fromkeys(paths) if path in self.ids]


def inner_name(path: Path, root: Path) -> str:
    """A file's name as seen from the results."""
    return path.relative_to(root).as_posix()


def unique(references: Ids) -> Ids:
    """Each reference once, in their order."""
    return [{"@id": found} for found in dict.fromkeys(one["@id"] for one in references)]


def date(seconds: float) -> str:
    """Seconds since 1970 as a date and time."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
