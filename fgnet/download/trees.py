"""What a file of skeletons looks like once read: lines in the file's own unit."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fgnet.volume import Triple


@dataclass(frozen=True)
class Tree:
    """The centre line of one neuron.

    Attributes:
        name: what its file calls it.
        neuron: its id, or None where the file knows none.
        nodes: (n, 3) float64 along z, y, x.
        edges: (m, 2) int64, nodes by number.
        unit: nm along z, y, x of the file's unit of length, or None where it does not say.
    """

    name: str
    neuron: int | None
    nodes: npt.NDArray[np.float64]
    edges: npt.NDArray[np.int64]
    unit: Triple | None = None
