"""What became of each neuron of the ground truth: its segments, its neighbours, its errors."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fgnet.evaluate.shared import Counts, Ids, Shared
from fgnet.evaluate.store import Frame
from fgnet.metrics import voi
from fgnet.scores import Foreign, Mistake, Neuron

Kind = Literal["split", "merge", "lost"]
MISTAKES = 5
# a segment may hold all neurons there are; each of them lists so many
FOREIGN = 10


def neurons(shared: Shared, frame: Frame, smallest_share: float) -> list[Neuron]:
    """What became of each neuron, those that add most to VOI first."""
    table = shared.contingency
    split, merge = voi.split(table.pairs), voi.merge(table.pairs)
    rows = Rows.of(shared, smallest_share)
    found = [
        one_neuron(rows, column, frame, (float(split[column]), float(merge[column])))
        for column in range(table.neurons.size)
    ]
    return sorted(found, key=lambda one: (-one.voi_split - one.voi_merge, one.neuron))


@dataclass(frozen=True)
class Rows:
    """The rows of a table by neuron and by segment, the largest of each first.

    Attributes:
        shared: the table.
        share: of a neuron, from which on a part of it counts.
        names: (columns,) the neurons' ids, ascending; columns are neurons.
        sizes: (columns,) their voxels.
        column: (p,) the neuron of each row.
        by_neuron, by_segment: (p,) rows.
        of_neuron: (columns + 1,) where the rows of each neuron start in ``by_neuron``.
        segments, of_segment: the segments and where the rows of each start in ``by_segment``.
        less: (p,) minus the voxels of the rows in ``by_segment``, ascending in each segment.
        whole: places in ``by_segment``, ascending, of the rows that are a share of their neuron.
    """

    shared: Shared
    share: float
    names: Ids
    sizes: Counts
    column: Counts
    by_neuron: Counts
    of_neuron: Counts
    by_segment: Counts
    segments: Ids
    of_segment: Counts
    less: Counts
    whole: Counts

    @classmethod
    def of(cls, shared: Shared, share: float) -> "Rows":
        """The rows of a table in both orders."""
        names, column = np.unique(shared.neurons, return_inverse=True)
        segments, row = np.unique(shared.fragments, return_inverse=True)
        sizes = np.zeros(names.size, np.int64)
        np.add.at(sizes, column, shared.voxels)
        by_neuron = np.lexsort((row, -shared.voxels, column))
        by_segment = np.lexsort((column, -shared.voxels, row))
        counts = shared.voxels >= share * sizes[column]
        return cls(
            shared, share, names, sizes, column,
            by_neuron, np.searchsorted(column[by_neuron], np.arange(names.size + 1)),
            by_segment, segments, np.searchsorted(row[by_segment], np.arange(segments.size + 1)),
            -shared.voxels[by_segment], np.flatnonzero(counts[by_segment]),
        )  # fmt: skip

    def neuron(self, column: int) -> Counts:
        """The rows of a neuron, the segment with most of it first."""
        return self.by_neuron[self.of_neuron[column] : self.of_neuron[column + 1]]

    def segment(self, name: int) -> Counts:
        """The rows of a segment, the neuron with most of it first."""
        start, stop = self.bounds(name)
        return self.by_segment[start:stop]

    def bounds(self, name: int) -> tuple[int, int]:
        """Where the rows of a segment start and end in ``by_segment``."""
        place = int(np.searchsorted(self.segments, name))
        return int(self.of_segment[place]), int(self.of_segment[place + 1])

    def foreign(self, row: int) -> tuple[int, Counts]:
        """How many others have a part that counts in the segment of a row, and the largest of them.

        A part counts that is a share of the smaller of the two neurons: of this one, which are the
        segment's first rows, or of its own. No step takes each row, as a segment may hold all
        neurons there are.
        """
        column = self.column[row]
        start, stop = self.bounds(int(self.shared.fragments[row]))
        least = math.ceil(self.share * int(self.sizes[column]))
        first = start + int(np.searchsorted(self.less[start:stop], -least, side="right"))
        low, high = np.searchsorted(self.whole, (first, stop)).tolist()
        # this neuron's own row may be among them
        places = [*range(start, min(first, start + FOREIGN + 1))]
        places += self.whole[low : min(high, low + FOREIGN + 1)].tolist()
        rows = self.by_segment[places]
        count = first - start + high - low - int(self.shared.voxels[row] >= least)
        return count, rows[rows != row][:FOREIGN]


def one_neuron(rows: Rows, column: int, frame: Frame, bits: tuple[float, float]) -> Neuron:
    """What became of the neuron of a column."""
    shared, size = rows.shared, int(rows.sizes[column])
    own = rows.neuron(column)
    lost, held = own[shared.fragments[own] == 0], own[shared.fragments[own] > 0]
    main = int(shared.fragments[held[0]]) if held.size else 0
    large = shared.voxels[own] >= rows.share * size
    pieces = own[large & (shared.fragments[own] > 0)]
    count, foreign = rows.foreign(int(held[0])) if held.size else (0, own[:0])
    mistakes = [
        mistake(rows, row, "merge", int(shared.neurons[row]), frame) for row in foreign[:MISTAKES]
    ]
    for row in pieces[shared.fragments[pieces] != main][:MISTAKES]:
        most = rows.segment(int(shared.fragments[row]))[0]
        mistakes.append(mistake(rows, row, "split", int(shared.neurons[most]), frame))
    mistakes += [
        mistake(rows, row, "lost", int(rows.names[column]), frame) for row in own[large]
        if shared.fragments[row] == 0
    ]  # fmt: skip
    return Neuron(
        neuron=int(rows.names[column]),
        component=None,
        voxels=size,
        cubic_micrometres=size * float(np.prod(frame.size)) * 1e-9,
        segments=pieces.size,
        main=main,
        main_voxels=int(shared.voxels[held[0]]) if held.size else 0,
        background=int(shared.voxels[lost].sum()),
        merged_with=count,
        merged=[
            Foreign(neuron=int(shared.neurons[row]), component=None, voxels=int(shared.voxels[row]))
            for row in foreign
        ],
        voi_split=bits[0],
        voi_merge=bits[1],
        low=moved(shared.low[own].min(0), frame),
        high=moved(shared.high[own].max(0), frame),
        mistakes=sorted(mistakes, key=lambda one: -one.voxels)[:MISTAKES],
    )


def mistake(rows: Rows, row: int, kind: Kind, neuron: int, frame: Frame) -> Mistake:
    """The error that a row of the table is."""
    voxel = moved(rows.shared.middle[row], frame)
    z, y, x = (
        start + place * nm for start, place, nm in zip(frame.offset, voxel, frame.size, strict=True)
    )
    return Mistake(
        kind=kind,
        neuron=neuron,
        component=None,
        segment=int(rows.shared.fragments[row]),
        voxels=int(rows.shared.voxels[row]),
        voxel=voxel,
        nm=(z, y, x),
    )


def moved(place: Counts, frame: Frame) -> tuple[int, int, int]:
    """A voxel of the scored box as one of the volume."""
    z, y, x = (int(at) + start for at, start in zip(place, frame.start, strict=True))
    return z, y, x


def named(neuron: Neuron, owners: Ids) -> Neuron:
    """A neuron whose ids are components, by the ids of the ground truth that own them."""

    def owned(record: Foreign) -> dict[str, int]:
        return {"component": record.neuron, "neuron": int(owners[record.neuron])}

    return neuron.model_copy(
        update={
            "component": neuron.neuron,
            "neuron": int(owners[neuron.neuron]),
            "merged": [one.model_copy(update=owned(one)) for one in neuron.merged],
            "mistakes": [one.model_copy(update=owned(one)) for one in neuron.mistakes],
        }
    )
