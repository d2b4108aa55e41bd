"""The step that makes one file over the fragments of all jobs."""

from pathlib import Path

import numpy as np

from fgnet import joined, segmentation, volume


def run(first: Path, output: Path) -> None:
    """One file over the fragments of all jobs, which knows the ids of all."""
    paths = joined.beside(first)
    with volume.create(output, "agglomerate", {}, []) as out:
        joined.join(out, output, paths)
        known = [np.empty(0, np.uint64)]
        for path in paths:
            with volume.opened(path) as piece:
                known.append(segmentation.fragments(piece))
        segmentation.write_fragments(out, np.unique(np.concatenate(known)))
