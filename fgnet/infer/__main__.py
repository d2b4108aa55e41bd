"""Run a trained model over a volume.

    python -m fgnet.infer shard --checkpoint checkpoint.pt --volume v.h5 --shard 0 --shards 1 \\
        --settings '{}' --output 0-of-1.h5
    python -m fgnet.infer join --first 0-of-1.h5 --output affinities.h5
    python -m fgnet.infer images --checkpoint checkpoint.pt --images s.h5 --output chances.h5

A volume is cut into shards, each computed by itself; join makes one file of them without a copy.
"""

import logging
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from fgnet import command

LOG = logging.getLogger(__name__)

# each step imports what it needs itself: join does without torch


def run_shard(
    checkpoint_path: Path, path: Path, box: str, shard: int, shards: int, settings: str,
    output: Path, threads: int, batch: int | None,
) -> None:  # fmt: skip
    """Affinities of shard number ``shard`` (from 0) of the box of a volume.

    Args:
        settings: JSON of :class:`fgnet.settings.infer.Inference`.
        batch: crops that go through the network together; None for as many as fit.
    """
    import numpy as np

    from fgnet import blocks, checkpoint, joined, volume
    from fgnet.errors import InputError
    from fgnet.infer.fit import DATASET, check, prepared, wanted
    from fgnet.infer.pipeline import run
    from fgnet.infer.predictor import Predictor
    from fgnet.infer.stream import Image, Plan
    from fgnet.settings.base import Box
    from fgnet.settings.infer import Inference
    from fgnet.silence import doing

    chosen = Inference.from_json(settings)
    with doing(f"load {checkpoint_path}", aloud=False):
        model = checkpoint.load(checkpoint_path)
    with volume.opened(path) as file:
        raw = volume.dataset(file, volume.RAW, "zyx", "u")
        check(raw, model, chosen)
        cut = Box.from_json(box).slices(raw.shape, str(path))
        shape = tuple(c.stop - c.start for c in cut)
        inner = blocks.shard(shape, shards, shard)
        if any(start == stop for start, stop in inner):
            raise InputError(
                f"infer.shards: {shards} shards leave some without a voxel in a volume of shape "
                f"{shape}; use fewer"
            )
        bounds = tuple((c.start + a, c.start + b) for c, (a, b) in zip(cut, inner, strict=True))
        # crops reach beyond the box where the image goes on: context is image, never labels
        plan = Plan.make(raw.shape, bounds, chosen.crop or model.crop, chosen.overlap)
        size = volume.voxel_size(raw)
        start = [first + b[0] * nm for first, b, nm in zip(
            volume.offset(raw), bounds, size, strict=True)]  # fmt: skip
        chosen, where = prepared(chosen, threads)
        names = wanted(model, chosen)
        with doing("build the network"):
            predictor = Predictor(model.model(), model.offsets, names, plan, chosen, where)
        inputs = [checkpoint_path, path]
        with volume.create(output, "infer", chosen.model_dump(mode="json"), inputs) as result:
            joined.mark(result, inner, shape)
            channels = len(model.offsets)
            maps = []
            for name in names:
                data = volume.add(
                    result, DATASET[name], (channels, *(b - a for a, b in bounds)),
                    chosen.dtype, size, start,
                )  # fmt: skip
                data.attrs["offsets"] = np.array(model.offsets)
                maps.append(data)

            def write(slabs: Iterable[tuple[int, Image]]) -> None:
                for z, slab in slabs:
                    rows = slice(z - bounds[0][0], z - bounds[0][0] + slab.shape[1])
                    for index, data in enumerate(maps):
                        part = slab[index * channels : (index + 1) * channels]
                        data[:, rows] = np.rint(part * 255) if chosen.dtype == "uint8" else part

            run(plan, lambda box: raw[box], predictor, write, batch)


def run_images(
    checkpoint_path: Path, path: Path, ranges: str, settings: str, output: Path, threads: int,
    batch: int | None,
) -> None:  # fmt: skip
    """Chances of every class at every pixel, of some images of a set.

    Args:
        ranges: JSON, see :func:`fgnet.imageset.ranges`.
        settings: JSON of :class:`fgnet.settings.infer.Inference`.
        batch: images that go through the network together; None for as many as fit.
    """
    from fgnet import checkpoint, imageset, ledger, volume
    from fgnet.infer import pictures
    from fgnet.infer.batch import Batch, Cuda
    from fgnet.infer.fit import prepared
    from fgnet.settings.infer import Inference
    from fgnet.silence import doing

    chosen = Inference.from_json(settings)
    with doing(f"load {checkpoint_path}", aloud=False):
        model = checkpoint.load(checkpoint_path)
    with imageset.opened(path) as images:
        pictures.check(images, model)
        chosen, where = prepared(chosen, threads)
        record = chosen.model_dump(mode="json")
        numbers = images.numbers(imageset.ranges(ranges))
        with doing("build the network"):
            predictor = pictures.Predictor(model, chosen, where)
        with volume.create(output, "infer", record, [checkpoint_path, path]) as result:
            sizes = [images.sizes[number] for number in numbers]
            ledger.voxels(sum(y * x for y, x in sizes))
            names = [images.names[number] for number in numbers]
            cuda = Cuda(predictor.device) if predictor.device.type == "cuda" else None
            found = pictures.chances(images, numbers, predictor, Batch(batch, cuda))
            imageset.write_chances(result, names, sizes, model.classes, found)


def run_join(first: Path, output: Path) -> None:
    """One file over all pieces: a virtual dataset, with the checksum of each piece.

    The file's attribute ``precision`` lists those that its shards were computed in.
    """
    from fgnet import joined, volume

    def precision_of(shard: Path) -> str:
        with volume.opened(shard) as file:
            return str(volume.made_by(file)["settings"].get("precision", "unknown"))

    shards = joined.beside(first)
    with volume.create(output, "infer", {}, []) as result:
        joined.join(result, output, shards)
        counts = Counter(map(precision_of, shards))
        result.attrs["precision"] = ", ".join(sorted(counts))
    if len(counts) > 1:
        parts = ", ".join(f"{count} in {name}" for name, count in sorted(counts.items()))
        LOG.warning(
            "precision: of the %d shards, %s, as they ran on different machines; set "
            "infer.precision to have all alike", len(shards), parts,
        )  # fmt: skip


def together(text: str) -> int | None:
    """The setting ``infer.batch`` from a command line."""
    return None if text == "auto" else int(text)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = command.parser("infer", __doc__ or "")
    steps = command.steps(parser, shard=run_shard, join=run_join, images=run_images)
    shard, images = steps["shard"], steps["images"]
    for step in (shard, images):
        step.add_argument(
            "--checkpoint",
            dest="checkpoint_path",
            type=Path,
            required=True,
            help="what train made, checkpoint.pt",
        )
    images.add_argument("--images", dest="path", type=Path, required=True, help="normalised set")
    images.add_argument(
        "--ranges",
        default="null",
        metavar="JSON",
        help="the first image and the one after the last, of each range; null: all",
    )
    images.add_argument(
        "--settings",
        default="{}",
        metavar="JSON",
        help="the section infer, of which chances depend",
    )
    images.add_argument("--output", type=Path, required=True, help="HDF5 file to write")
    images.add_argument("--threads", type=int, default=2, help="threads of torch")
    images.add_argument("--batch", type=together, help="images at a time; auto: as fit")
    shard.add_argument("--volume", dest="path", type=Path, required=True, help="normalised volume")
    shard.add_argument("--box", default="{}", help="JSON: the box of the volume, in voxels")
    shard.add_argument("--shard", type=int, default=0, help="number of the shard, from 0")
    shard.add_argument("--shards", type=int, default=1, help="number of shards")
    shard.add_argument(
        "--settings",
        default="{}",
        help="JSON: the section infer, as far as affinities depend on it",
    )
    shard.add_argument(
        "--output", type=Path, required=True, help="HDF5 file to write: affinities of the shard"
    )
    shard.add_argument("--threads", type=int, default=2, help="threads of torch")
    shard.add_argument("--batch", type=together, help="crops at a time; auto: as many as fit")
    join = steps["join"]
    join.add_argument("--first", type=Path, required=True, help="the first shard, 0-of-N.h5")
    join.add_argument(
        "--output", type=Path, required=True, help="HDF5 file to write, which refers to the shards"
    )
    return command.main(parser, command.run_step, argv)


if __name__ == "__main__":
    sys.exit(main())
