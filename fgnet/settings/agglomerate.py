"""Settings of the stage agglomerate."""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from fgnet.settings.base import Name, Section

Positive = Annotated[int, Field(gt=0)]
Natural = Annotated[int, Field(ge=0)]
Threshold = Annotated[float, Field(ge=0, le=1)]

# what the waterz wheel carries compiled; another function would need a compiler at run time
Score = Literal[
    "mean", "quantile_10", "quantile_15", "quantile_20", "quantile_25", "quantile_30",
    "quantile_35", "quantile_40", "quantile_45", "quantile_50", "quantile_55", "quantile_60",
    "quantile_65", "quantile_70", "quantile_75", "quantile_80", "quantile_85", "quantile_90",
    "quantile_95",
]  # fmt: skip

LARGEST = 2_000_000_000  # voxels that 32 bits number, with room to spare

# finer where high quantiles are decided
MANY = (
    *(round(0.01 * step, 2) for step in range(1, 20)),
    *(round(0.02 * step, 2) for step in range(10, 50)),
)
FEW = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


class Components(Section):
    """Fragments are what nearest affinities connect: exact where affinities are certain."""

    method: Literal["components"] = Field("components", description="Connected components.")
    affinity: float = Field(
        0.5, ge=0, lt=1, description="Voxels are connected where the affinity is above this."
    )
    smallest: Positive = Field(
        1, description="Components of fewer voxels become background (fragment 0)."
    )


class Watershed(Section):
    """Fragments by a watershed whose seeds are the places farthest from any boundary."""

    method: Literal["watershed"] = Field("watershed", description="Seeded watershed.")
    per: Literal["volume", "section"] = Field(
        "volume",
        description="Flood the volume in 3-D, or each section alone, which suits sections much "
        "thicker than a voxel is wide.",
    )
    inside: float = Field(
        0.8,
        gt=0,
        lt=1,
        description="A voxel lies inside a neuron where all its nearest affinities are above this.",
    )
    smoothing: float = Field(
        5.5,
        ge=0,
        le=50,
        description="Standard deviation of the Gaussian over the distance to the boundary before "
        "its maxima become seeds, in widths of the finest voxel side; more gives fewer fragments.",
    )
    rescue: int = Field(
        100,
        ge=0,
        description="A piece connected by affinities above `inside` in which no seed fell, as in "
        "a thin neurite, becomes a seed of its own from this many voxels on; 0 rescues none.",
    )
    smallest: Positive = Field(
        1, description="Fragments of fewer voxels are dissolved into those around them."
    )
    epsilon: float = Field(
        0,
        ge=0,
        lt=1,
        description="Fragments whose score (1 minus their mean affinity) is below this are one "
        "from the start, which makes the region graph smaller; 0 leaves them apart.",
    )


class Hierarchical(Section):
    """Hierarchical agglomeration of the region graph, of a volume of any size."""

    method: Literal["hierarchical"] = Field(
        "hierarchical", description="Merge the best pair first, again."
    )
    score: Score = Field(
        "mean",
        description="1 minus this statistic of the nearest affinities between two segments is "
        "their score; pairs whose score is below a threshold merge.",
    )


class Waterz(Section):
    """The same by the waterz library, on voxels: for volumes that fit one block."""

    method: Literal["waterz"] = Field(
        "waterz",
        description="As hierarchical, by funkey/waterz with its queue of 256 bins, which orders "
        "near ties differently.",
    )
    score: Score = Field("mean", description="As for hierarchical.")


class Multicut(Section):
    """The partition of the region graph with the lowest total cost, for each threshold."""

    method: Literal["multicut"] = Field(
        "multicut",
        description="Two fragments attract each other where 1 minus the mean affinity between "
        "them is below the threshold and repel where it is above, by contact area.",
    )


class MutexGraph(Section):
    """The mutex watershed on the region graph, of a volume of any size."""

    method: Literal["mutex_graph"] = Field(
        "mutex_graph",
        description="Fragments attract each other by the mean of the nearest affinities between "
        "them plus the threshold - 0.5, and repel by 1 minus the mean of those at longer range.",
    )
    shortest: Annotated[int, Field(ge=2)] = Field(
        2, description="Leave out repulsive edges shorter than this many voxels."
    )


class Mutex(Section):
    """The mutex watershed on voxels, for volumes that fit one block.

    Nearest affinities attract, long-range ones repel.
    """

    method: Literal["mutex"] = Field(
        "mutex",
        description="Needs affinities at longer range and makes its own fragments. A threshold "
        "of 0.5 is the published method; more favours attraction.",
    )
    strides: tuple[Positive, Positive, Positive] = Field(
        (1, 4, 4), description="Take repulsive edges at every n-th voxel along z, y, x."
    )
    shortest: Annotated[int, Field(ge=2)] = Field(
        2, description="Leave out repulsive edges shorter than this many voxels."
    )


class Blocks(Section):
    """The blocks that a volume is worked on in; memory is bounded by one of them."""

    size: tuple[Positive, Positive, Positive] = Field(
        (256, 512, 512),
        description="Voxels (z, y, x) of a block; with the halo, about 25 bytes of memory each.",
    )
    halo: tuple[Natural, Natural, Natural] = Field(
        (32, 32, 32),
        description="Voxels (z, y, x) around a block that its fragments are made with and cut "
        "off again; fragments by section need none along z.",
    )

    @model_validator(mode="after")
    def _countable(self) -> Self:
        sides = [size + 2 * halo for size, halo in zip(self.size, self.halo, strict=True)]
        if math.prod(sides) > LARGEST:
            raise ValueError(
                f"size: a block with its halo has {math.prod(sides):,} voxels, at most {LARGEST:,} "
                "can be counted; make it smaller"
            )
        return self


class FragmentStep(Section):
    """What the fragments of a volume depend on."""

    fragments: Annotated[Components | Watershed, Field(discriminator="method")]
    blocks: Blocks


class GraphStep(Section):
    """What the region graph of given fragments depends on, besides them."""

    blocks: Blocks
    histograms: bool
    shortest: int | None


class Method(Section):
    """One named way from affinities to neurons."""

    fragments: Annotated[Components | Watershed, Field(discriminator="method")] | None = Field(
        Watershed(),  # type: ignore[call-arg]
        description="How voxels become fragments; null for `mutex`, which makes its own.",
    )
    merge: Annotated[
        Hierarchical | Waterz | Multicut | MutexGraph | Mutex, Field(discriminator="method")
    ] = Field(
        Hierarchical(),  # type: ignore[call-arg]
        description="How fragments become neurons.",
    )
    blocks: Blocks = Field(
        Blocks(),  # type: ignore[call-arg]
        description="The blocks that the volume is worked on in.",
    )
    thresholds: tuple[Threshold, ...] = Field(
        MANY,
        description="Thresholds to keep a segmentation for, ascending, from 0 to 1; the higher, "
        "the more is merged. `mutex` takes 0.1, 0.2 ... 0.7 unless told otherwise, for each is a "
        "run of its own.",
    )

    @model_validator(mode="before")
    @classmethod
    def _mutex_defaults(cls, values: Any) -> Any:
        merge = values.get("merge") if isinstance(values, dict) else None
        if isinstance(merge, Mutex) or (isinstance(merge, dict) and merge.get("method") == "mutex"):
            return {"fragments": None, "thresholds": FEW} | values
        return values

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if isinstance(self.merge, Mutex) != (self.fragments is None):
            raise ValueError(
                "fragments must be null where merge.method is 'mutex', which makes its own, "
                "and must be given for any other"
            )
        if not self.thresholds or list(self.thresholds) != sorted(set(self.thresholds)):
            raise ValueError("thresholds must ascend, each given once, at least one")
        return self

    @property
    def whole(self) -> bool:
        """Whether the method needs all voxels of a volume at once."""
        return isinstance(self.merge, Waterz | Mutex)

    def fragment_step(self) -> FragmentStep:
        """What the fragments depend on; of a method that makes them blockwise."""
        assert self.fragments is not None, "only a whole method has none"
        return FragmentStep(fragments=self.fragments, blocks=self.blocks)

    def graph_step(self) -> GraphStep:
        """What the region graph depends on."""
        merge = self.merge
        return GraphStep(
            blocks=self.blocks,
            histograms=isinstance(merge, Hierarchical) and merge.score != "mean",
            shortest=merge.shortest if isinstance(merge, MutexGraph) else None,
        )


class Agglomerate(Section):
    """The agglomerations that every model's affinities go through."""

    shards: Positive = Field(
        1,
        description="Number of jobs among which a volume's blocks are divided; the result is the "
        "same for any. Methods that fit one block take one job.",
    )
    methods: dict[Name, Method] = Field(
        {"mean": Method()},  # type: ignore[call-arg]
        min_length=1,
        description="Named agglomerations; each gives a segmentation of its own.",
    )
