"""Settings of the stage infer."""

from typing import Literal

from pydantic import Field, model_validator

from fgnet.settings.base import Precision, Section
from fgnet.settings.encoders import Positive


class Inference(Section):
    """What the affinities of a trained model depend on."""

    crop: tuple[Positive, Positive, Positive] | None = Field(
        None,
        description="Crop (z, y, x) in voxels, y and x multiples of 32; null takes the crop that "
        "the model was trained with.",
    )
    overlap: float = Field(
        0.5, ge=0, lt=1, description="Share of a crop that it has in common with the next."
    )
    flips: bool = Field(
        False,
        description="Test-time augmentation: the mean over the 16 flips along z, y and x and "
        "transpositions of y and x, at 16 times the cost (8 times that of SAM2).",
    )
    maps: Literal["refined", "both"] = Field(
        "refined", description="Keep the refined affinities alone, or the coarse ones as well."
    )
    dtype: Literal["uint8", "float16", "float32"] = Field(
        "uint8", description="How affinities are stored; uint8 is affinity times 255."
    )
    precision: Precision = Field(
        "auto",
        description="Of the network's computations. auto: bfloat16 on GPUs and processors that are "
        "faster in it, else float32, chosen where the job runs; docs/train.md says which are.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="auto takes a GPU when there is one."
    )
    voxel_size_tolerance: float = Field(
        0.1,
        ge=0,
        description="Largest relative difference between the voxel sizes of the volume and of "
        "the model's training volumes.",
    )

    @model_validator(mode="after")
    def _multiples_of_32(self) -> "Inference":
        for axis, size in zip("yx", (self.crop or (1, 32, 32))[1:], strict=True):
            if size % 32:
                raise ValueError(
                    f"crop: {axis} is {size}, no multiple of 32, which SAM2 needs; "
                    f"use {max(32, round(size / 32) * 32)}"
                )
        return self


class Infer(Inference):
    """How a trained model is run over a volume."""

    shards: Positive = Field(
        1, description="Number of boxes that a volume is cut into, each a job of its own."
    )
    batch: Positive | Literal["auto"] = Field(
        "auto",
        description="Crops that go through the network together. auto: as many as fill 80 % of a "
        "GPU's free memory, one on a CPU. Where memory runs out the batch is halved. An edit "
        "reruns nothing, as results differ by rounding alone.",
    )

    def inference(self) -> Inference:
        """What a shard depends on, wherever it is cut and whatever fits into memory."""
        return Inference.model_validate(self.model_dump(include=set(Inference.model_fields)))
