"""Turn affinities into fragments and their merges at each threshold; choose nothing.

    python -m fgnet.agglomerate volume --input AFFINITIES.h5 --output SEGMENTATION.h5

or in several jobs, with the same result:

    python -m fgnet.agglomerate fragments --input AFFINITIES.h5 --shard 0 --shards 2 ...
    python -m fgnet.agglomerate index --first fragments/0-of-2.h5 --output fragments.h5
    python -m fgnet.agglomerate graph --input AFFINITIES.h5 --index fragments.h5 --shard 0 ...
    python -m fgnet.agglomerate merge --index fragments.h5 --fragments fragments/0-of-2.h5 ...
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from fgnet import command
from fgnet.agglomerate.stage import run, run_fragments, run_graph, run_index, run_merge


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = command.parser("agglomerate", __doc__ or "")
    steps = command.steps(
        parser, volume=run, fragments=run_fragments, index=run_index, graph=run_graph,
        merge=run_merge,
    )  # fmt: skip
    for name in ("volume", "fragments", "graph"):
        steps[name].add_argument(
            "--input", type=Path, required=True, help="results/infer/MODEL/VOLUME.h5"
        )
    for name in ("fragments", "graph"):
        steps[name].add_argument("--shard", type=int, default=0, help="number of the job, from 0")
        steps[name].add_argument("--shards", type=int, default=1, help="number of jobs")
    steps["index"].add_argument(
        "--first", type=Path, required=True, help="of the fragments: 0-of-N.h5"
    )
    for name in ("graph", "merge"):
        steps[name].add_argument(
            "--index", type=Path, required=True, help="the fragments of all jobs"
        )
    for name in ("fragments", "graph"):
        steps["merge"].add_argument(
            f"--{name}", type=Path, required=True, help="the first of these: 0-of-N.h5"
        )
    for name, step in steps.items():
        step.add_argument("--output", type=Path, required=True, help="HDF5 file to write")
        if name != "index":
            step.add_argument(
                "--settings",
                default="{}",
                metavar="JSON",
                help="of one agglomerate method",
            )
    return command.main(parser, command.run_step, argv)


if __name__ == "__main__":
    sys.exit(main())
