"""Settings of the stage train: models, and how they are trained."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from fgnet.settings.base import NEAREST, Name, Offset, Section
from fgnet.settings.network import Network, Positive

Share = Annotated[float, Field(ge=0, le=1)]
Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["float32", "bfloat16"]


class Augment(Section):
    """Random changes of each training crop; image and labels stay aligned."""

    flip: bool = Field(True, description="Mirror along z, y and x, each half of the time.")
    transpose: Literal["none", "in_plane", "all"] = Field(
        "in_plane", description="Swap y and x, or any axes (all: isotropic voxels)."
    )
    contrast: Share = Field(0.3, description="Largest relative change of contrast.")
    brightness: Share = Field(0.15, description="Largest shift of brightness, of the full range.")
    noise: Share = Field(0.05, description="Largest standard deviation of added noise.")
    section_jitter: Share = Field(
        0.0, description="Largest shift of brightness of single sections, of the full range."
    )


class Training(Section):
    """How a model is trained. Given under ``train`` it holds for all models; a model may differ."""

    steps: int = Field(200_000, ge=0, description="Optimizer steps; 0 leaves the model untrained.")
    max_minutes: float | None = Field(
        None,
        gt=0,
        description="Stop after this many minutes of training at the latest and let the learning "
        "rate decay accordingly; gives models of different cost the same time.",
    )
    batch: Positive = Field(2, description="Crops in a step.")
    crop: tuple[Positive, Positive, Positive] = Field(
        (18, 160, 160), description="Crop (z, y, x) in voxels; y and x multiples of 32."
    )
    offsets: tuple[Offset, ...] = Field(
        NEAREST,
        min_length=1,
        description="Edges (z, y, x) in voxels whose affinity is learnt. The nearest three are "
        "the field's standard; long-range ones are for mutex watershed and multicut.",
    )
    widen_borders: Literal["none", "in_plane", "all"] = Field(
        "in_plane", description="Where neurons touch, make the border this wide before training."
    )
    loss: Literal["bce", "mse"] = Field(
        "mse", description="Class-balanced squared error or class-balanced cross entropy."
    )
    coarse_weight: float = Field(
        1.0, ge=0, description="Weight of the coarse affinities' loss beside the refined ones'."
    )
    learning_rate: float = Field(1e-4, gt=0, description="Learning rate of AdamW.")
    sam2_learning_rate: float = Field(
        1e-5, gt=0, description="Learning rate of a fine-tuned SAM2 encoder."
    )
    weight_decay: float = Field(1e-6, ge=0, description="Weight decay of AdamW.")
    schedule: Literal["constant", "cosine"] = Field(
        "constant", description="Learning rate after warm-up: constant, or down to 1 % by cosine."
    )
    warmup: int = Field(0, ge=0, description="Steps over which the learning rate rises.")
    clip: float | None = Field(5.0, gt=0, description="Largest norm of the gradient.")
    ema: float = Field(
        0.0, ge=0, lt=1, description="Decay of the moving average of weights; 0 keeps no average."
    )
    precision: Precision = Field(
        "float32", description="bfloat16 is about twice as fast where the processor knows it."
    )
    device: Device = Field("auto", description="auto takes a GPU when there is one.")
    seed: int = Field(555, ge=0, description="Seed of weights, crops and augmentation.")
    validate_every: Positive = Field(1000, description="Steps between validations.")
    validation_crops: Positive = Field(8, description="Fixed crops a validation looks at.")
    save_minutes: float = Field(
        5.0, gt=0, description="Minutes between saves that a killed training resumes from."
    )
    augment: Augment = Field(Augment(), description="Random changes of crops.")  # type: ignore[call-arg]

    @model_validator(mode="after")
    def _consistent(self) -> "Training":
        for axis, size in zip("yx", self.crop[1:], strict=True):
            if size % 32:
                raise ValueError(
                    f"crop: {axis} is {size}, no multiple of 32, which SAM2 needs; "
                    f"use {max(32, round(size / 32) * 32)}"
                )
        if any(offset == (0, 0, 0) for offset in self.offsets):
            raise ValueError("offsets: [0, 0, 0] is no edge; remove it")
        if len(set(self.offsets)) < len(self.offsets):
            raise ValueError("offsets: an offset stands twice; remove one")
        return self


class Model(Training):
    """A model: its network and training; or an existing checkpoint that is used as it is."""

    network: Network | None = Field(
        None,
        description="The network; left out, it is FGNet with its defaults, or with a checkpoint "
        "the network of that.",
    )
    checkpoint: str | None = Field(
        None, description="Path of a trained checkpoint, used instead of training."
    )

    @model_validator(mode="before")
    @classmethod
    def _train_fgnet_by_default(cls, values: Any) -> Any:
        if isinstance(values, dict) and not (values.get("network") or values.get("checkpoint")):
            return {**values, "network": {"kind": "fgnet"}}
        return values


class Train(Training):
    """The section ``train``: keys for all models, and the models."""

    models: dict[Name, Model] = Field(
        {"fgnet": Model.checked({})},
        min_length=1,
        description="Named models. Each may override any key of train.",
    )

    @model_validator(mode="before")
    @classmethod
    def _models_inherit(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        models = values.get("models", {"fgnet": {}})
        shared = {key: value for key, value in values.items() if key in Training.model_fields}
        if isinstance(models, dict):
            models = {
                name: {**shared, **(model or {})} if isinstance(model or {}, dict) else model
                for name, model in models.items()
            }
        return {**values, "models": models}
