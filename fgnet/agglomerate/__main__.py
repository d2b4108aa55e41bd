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

# each step imports what it needs itself: an edit of how fragments are merged makes none anew


def run_volume(input: Path, output: Path, settings: str) -> None:
    """Segment a volume in one job."""
    from fgnet.agglomerate import stage

    stage.run(input, output, settings)


def run_fragments(input: Path, output: Path, settings: str, shard: int, shards: int) -> None:
    """Make the fragments of a job's blocks."""
    from fgnet.agglomerate import fill

    fill.run(input, output, settings, shard, shards)


def run_index(first: Path, output: Path) -> None:
    """Make one file over the fragments of all jobs."""
    from fgnet.agglomerate import index

    index.run(first, output)


def run_graph(
    input: Path, index: Path, output: Path, settings: str, shard: int, shards: int
) -> None:
    """Make the part of the region graph that a job's blocks own."""
    from fgnet.agglomerate import collect

    collect.run(input, index, output, settings, shard, shards)


def run_merge(fragments: Path, graph: Path, index: Path, output: Path, settings: str) -> None:
    """Merge the fragments of all jobs along their region graph."""
    from fgnet.agglomerate import stage

    stage.run_merge(fragments, graph, index, output, settings)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = command.parser("agglomerate", __doc__ or "")
    steps = command.steps(
        parser, volume=run_volume, fragments=run_fragments, index=run_index, graph=run_graph,
        merge=run_merge,
    )  # fmt: skip
    for name in ("volume", "fragments", "graph"):
        steps[name].add_argument(
            "--input", type=Path, required=True, help="affinities, as results/infer/MODEL/VOLUME.h5"
        )
    for name in ("fragments", "graph"):
        steps[name].add_argument("--shard", type=int, default=0, help="number of the job, from 0")
        steps[name].add_argument("--shards", type=int, default=1, help="number of jobs")
    steps["index"].add_argument(
        "--first", type=Path, required=True, help="of the fragments' pieces: 0-of-N.h5"
    )
    for name in ("graph", "merge"):
        steps[name].add_argument(
            "--index", type=Path, required=True, help="what the step index made of the fragments"
        )
    for name in ("fragments", "graph"):
        steps["merge"].add_argument(
            f"--{name}", type=Path, required=True, help=f"the first piece of {name}: 0-of-N.h5"
        )
    for name, step in steps.items():
        step.add_argument("--output", type=Path, required=True, help="HDF5 file to write")
        if name != "index":
            step.add_argument(
                "--settings",
                default="{}",
                metavar="JSON",
                help="of one of the config's agglomerate.methods, as far as the step needs it",
            )
    return command.main(parser, command.run_step, argv)


if __name__ == "__main__":
    sys.exit(main())
