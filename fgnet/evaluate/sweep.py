"""The scores of all thresholds from the tables of fragments."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from fgnet import metrics, scores
from fgnet.metrics import Contingency
from fgnet.metrics.boundary import Boundaries
from fgnet.metrics.detection import average_precision

Tables = tuple[Contingency, Contingency, Boundaries]
Lookup = npt.NDArray[np.integer[Any]]


def scored(
    fragments: Tables, thresholds: Iterable[tuple[float, Lookup]]
) -> tuple[list[scores.Row], list[scores.Row]]:
    """The scores at every threshold, against ids and against components.

    Where the segments of a threshold are those of the one before, some of them merged, its tables
    are merged from that one's, which have fewer rows.

    Args:
        fragments: against ids, against components, and their boundaries, of numbered fragments.
        thresholds: each with the segment (n + 1,) of every fragment, from 0 on.
    """
    tables, before = fragments, None
    found: tuple[list[scores.Row], list[scores.Row]] = [], []
    for threshold, segments in thresholds:
        if before is not None and np.array_equal(before, segments):
            for rows in found:
                rows.append(rows[-1].model_copy(update={"threshold": threshold}))
            continue
        step = None if before is None else coarser(before, segments)
        if step is None:
            tables, step = fragments, segments
        ids, components, boundaries = tables
        tables = ids.merged(step), components.merged(step), boundaries.merged(step)
        before = segments
        for table, target in zip(tables[:2], found, strict=True):
            target.append(row(threshold, table, tables[2]))
    return found


def coarser(fine: Lookup, coarse: Lookup) -> Lookup | None:
    """The segment of ``coarse`` that each one of ``fine`` lies in; None where one lies in two."""
    step = np.zeros(int(fine.max()) + 1, coarse.dtype)
    step[fine] = coarse
    return step if np.array_equal(step[fine], coarse) else None


def row(threshold: float, table: Contingency, boundaries: Boundaries) -> scores.Row:
    """The scores of one threshold from its tables."""
    result = metrics.score(table)
    found = average_precision(table)
    edges = boundaries.score()
    return scores.Row(
        threshold=threshold,
        segments=int(np.count_nonzero(table.segments)),
        voi_split=result.voi_split,
        voi_merge=result.voi_merge,
        voi_sum=result.voi_sum,
        arand=result.arand,
        rand_precision=result.rand_precision,
        rand_recall=result.rand_recall,
        cremi=result.cremi,
        average_precision=float(found.mean()),
        average_precision_at=found.tolist(),
        boundary_precision=edges.precision,
        boundary_recall=edges.recall,
        boundary_f1=edges.f1,
    )
