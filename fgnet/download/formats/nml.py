"""Reading NML, the skeletons of WEBKNOSSOS: one neuron for each tree (``thing``) with nodes."""

from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

import numpy as np

from fgnet.download.formats.units import nanometres
from fgnet.download.trees import Tree
from fgnet.errors import Damaged, InputError
from fgnet.volume import Triple

Attributes = dict[str, str]


@dataclass
class Reader:
    """What has been met so far.

    Attributes:
        things: id and name of each tree, its nodes (id -> z, y, x) and its edges.
    """

    name: str
    scale: Triple | None = None
    things: list[tuple[int, str, dict[str, Triple], list[tuple[str, str]]]] = field(
        default_factory=list
    )

    def start(self, element: str, values: Attributes) -> None:
        """Take in an element as it begins."""
        try:
            if element == "scale":
                unit = nanometres(values.get("unit", "nm"))
                if unit is None:
                    raise InputError(
                        f"{self.name!r} has the unit {values['unit']!r}, which is no length; "
                        "give `unit`"
                    )
                z, y, x = (float(values[axis]) * unit for axis in "zyx")
                self.scale = z, y, x
            elif element == "thing":
                self.things.append((int(values["id"]), values.get("name", ""), {}, []))
            elif element == "node":
                z, y, x = (float(values[axis]) for axis in "zyx")
                self.things[-1][2][values["id"]] = z, y, x
            elif element == "edge":
                self.things[-1][3].append((values["source"], values["target"]))
        except (KeyError, ValueError, IndexError) as error:
            raise InputError(
                f"{self.name!r}: a {element} with {values} is none of NML ({error}); mend it"
            ) from error

    def refuse(self, *declared: object) -> None:
        """Take no document type: it may declare entities that grow without bounds."""
        raise InputError(
            f"{self.name!r} declares a document type, which no NML file has; remove it"
        )

    def trees(self) -> list[Tree]:
        """The trees that have nodes."""
        return [self.tree(*thing) for thing in self.things if thing[2]]

    def tree(
        self, neuron: int, name: str, nodes: dict[str, Triple], edges: list[tuple[str, str]]
    ) -> Tree:
        """One tree with its nodes numbered."""
        number = {node: place for place, node in enumerate(nodes)}
        for pair in edges:
            for node in pair:
                if node not in number:
                    raise InputError(
                        f"{self.name!r}: an edge of the tree {neuron} ends at node {node}, which "
                        "the tree does not hold; mend it"
                    )
        pairs = np.array([[number[first], number[second]] for first, second in edges], np.int64)
        places = np.array(list(nodes.values()))
        if not np.isfinite(places).all():
            raise InputError(f"{self.name!r}: a node of the tree {neuron} lies nowhere; mend it")
        return Tree(name or str(neuron), neuron, places, pairs.reshape(-1, 2), self.scale)


def read_nml(path: Path, name: str) -> list[Tree]:
    """The trees of a file. Their unit is the file's scale: nodes are in voxels of the data set.

    Raises:
        InputError: the file is no XML or declares a document type, a tree holds no such node, or
            there are no nodes.
    """
    reader, parser = Reader(name), expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    try:
        with path.open("rb") as stream:
            parser.ParseFile(stream)
    except expat.ExpatError as error:
        raise Damaged(f"{name!r} is no NML file ({error}); get it anew") from error
    trees = reader.trees()
    if not trees:
        raise Damaged(f"{name!r} holds no nodes; get it anew or leave it out")
    return trees
