"""Settings of the stage train: models, and how they are trained."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from fgnet.settings.base import NEAREST, File, Name, Offset, Precision, Section
from fgnet.settings.encoders import Positive
from fgnet.settings.network import Network

Share = Annotated[float, Field(ge=0, le=1)]
Device = Literal["auto", "cpu", "cuda"]
NEIGHBOURHOODS: dict[str, tuple[Offset, ...]] = {
    "nearest": NEAREST,
    # weih527/Pixel-Embedded-Affinity
    "pea": (
        *NEAREST,
        *((-z, 0, 0) for z in (2, 3, 4)),
        *((0, -y, 0) for y in (3, 9, 27)),
        *((0, 0, -x) for x in (3, 9, 27)),
    ),
}


class Augment(Section):
    """Random changes of each training crop; image and labels stay aligned.

    Shares of crops or sections say how often a change happens, the other numbers how large it
    is at most; 0 turns one off.
    """

    flip: bool = Field(True, description="Mirror along z, y and x, each half of the time.")
    transpose: Literal["none", "in_plane", "all"] = Field(
        "in_plane", description="Swap y and x, or any axes (all: isotropic voxels)."
    )
    rotate: Share = Field(0.5, description="Share of crops turned in plane by any angle.")
    elastic: Share = Field(0.5, description="Share of crops bent smoothly in plane.")
    elastic_voxels: float = Field(
        4.0, ge=0, description="Standard deviation of the bending, in voxels."
    )
    misalign: Share = Field(
        0.2,
        description="Share of crops in which a section slips, or all sections from one on shift.",
    )
    misalign_voxels: int = Field(
        8, ge=0, description="Largest slip or shift along y and x, in voxels."
    )
    contrast: Share = Field(0.3, description="Largest relative change of contrast.")
    brightness: Share = Field(0.15, description="Largest shift of brightness, of the full range.")
    gamma: float = Field(0.5, ge=0, description="Largest power of two that gamma is or divides.")
    section_contrast: Share = Field(
        0.1, description="Largest relative change of contrast of single sections."
    )
    section_brightness: Share = Field(
        0.05, description="Largest shift of brightness of single sections, of the full range."
    )
    noise: Share = Field(0.05, description="Largest standard deviation of added noise.")
    blur: Share = Field(0.05, description="Share of sections out of focus.")
    dark: Share = Field(0.02, description="Share of sections nearly without contrast, and dark.")
    missing: Share = Field(0.02, description="Share of sections lost: all black.")
    cut_noise: Share = Field(0.1, description="Share of crops with a box of strong noise.")


class Training(Section):
    """How a model is trained. Given under ``train`` it holds for all models; a model may differ."""

    steps: int = Field(200_000, ge=0, description="Optimizer steps; 0 leaves the model untrained.")
    max_minutes: float | None = Field(
        None,
        gt=0,
        description="Stop after this many minutes of training at the latest and let the learning "
        "rate decay accordingly; gives models of different cost the same time.",
    )
    batch: Positive = Field(
        2, description="Crops in a step, over all its passes and all processes."
    )
    accumulate: Positive = Field(
        1,
        description="Passes that the crops of a step are split into, their gradients added up: "
        "less memory, the same result (but for BatchNorm). Divides batch.",
    )
    crop: tuple[Positive, Positive, Positive] = Field(
        (18, 160, 160), description="Crop (z, y, x) in voxels; y and x multiples of 32."
    )
    shots: Positive | None = Field(
        None, description="Of image sets, learn from so many images of each class; null: from all."
    )
    labelled: Share = Field(
        0.05, description="Draw a crop again when a smaller share of its voxels is in a neuron."
    )
    offsets: tuple[Offset, ...] = Field(
        NEAREST,
        min_length=1,
        description="Edges (z, y, x) in voxels whose affinity is learnt. nearest: the field's "
        "three. pea: Pixel-Embedded-Affinity's twelve, along z 1 to 4, along y and x 1, 3, 9 and "
        "27. Or a list; long-range ones serve mutex watershed and multicut.",
    )
    widen_borders: Literal["none", "in_plane", "all"] = Field(
        "in_plane", description="Where neurons touch, make the border this wide before training."
    )
    loss: Literal["mse", "bce", "dice_bce", "structure"] = Field(
        "mse",
        description="Of affinities: class-balanced squared error, class-balanced cross entropy, or "
        "the latter plus the Dice loss of borders. Of masks: dice_bce, cross entropy plus the Dice "
        "loss of objects; or structure, which stresses pixels near a mask's boundary.",
    )
    coarse_weight: float = Field(
        1.0,
        ge=0,
        description="Weight of the loss of each further map (coarse affinities, side outputs, "
        "edges) beside the refined one's.",
    )
    optimizer: Literal["adamw", "adam", "muon"] = Field(
        "adamw",
        description="AdamW; or Adam as the field sets it since SuperHuman's code: eps 0.01 and "
        "amsgrad, weight decay added to the gradient; or Muon for weights, AdamW for the rest and "
        "for the SAM encoder, prompt layers apart.",
    )
    learning_rate: float = Field(1e-4, gt=0, description="Learning rate.")
    sam2_learning_rate: float = Field(
        1e-5,
        gt=0,
        description="Learning rate of what is trained of the SAM encoder, prompt layers apart.",
    )
    weight_decay: float = Field(1e-6, ge=0, description="Weight decay.")
    schedule: Literal["constant", "cosine"] = Field(
        "constant", description="Learning rate after warm-up: constant, or down to 1 % by cosine."
    )
    warmup: int = Field(0, ge=0, description="Steps over which the learning rate rises.")
    clip: float | None = Field(5.0, gt=0, description="Largest norm of the gradient.")
    explode: float | None = Field(
        20.0, gt=1, description="Stop when the loss is so many times its running mean."
    )
    ema: float = Field(
        0.0, ge=0, lt=1, description="Decay of the moving average of weights; 0 keeps no average."
    )
    precision: Precision = Field(
        "auto",
        description="Of the network's computations. auto: bfloat16 on GPUs and processors that are "
        "faster in it, else float32, chosen where the job runs; docs/train.md says which are.",
    )
    compile: bool = Field(
        False,
        description="Compile the network (torch.compile): minutes at the start, faster steps on "
        "a GPU.",
    )
    device: Device = Field("auto", description="auto takes a GPU when there is one.")
    seed: int = Field(555, ge=0, description="Seed of weights, crops and augmentation.")
    validate_every: Positive = Field(
        1000, description="Steps between validations (an epoch, as there is no pass over the data)."
    )
    validation_crops: Positive = Field(
        8,
        description="Fixed crops a validation looks at; of image sets so many images, drawn by "
        "the seed.",
    )
    validation_block: tuple[Positive, Positive, Positive] | None = Field(
        None,
        description="Block (z, y, x) from the middle of the first validation volume that a "
        "validation segments and scores by VOI and ARAND, in one pass; made smaller where the "
        "volume is. null: 24 x 192 x 192.",
    )
    best_by: Literal["loss", "voi", "arand", "dice"] = Field(
        "loss",
        description="What makes the best checkpoint in a validation; dice of image sets, voi and "
        "arand of volumes.",
    )
    patience: Positive | None = Field(
        None, description="Stop after so many validations without a better best_by; null: never."
    )
    augment: Augment = Field(Augment(), description="Random changes of crops.")  # type: ignore[call-arg]

    @field_validator("offsets", mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        if isinstance(value, str):
            if value not in NEIGHBOURHOODS:
                raise ValueError(f"name one of {', '.join(NEIGHBOURHOODS)}, or give a list")
            return NEIGHBOURHOODS[value]
        return value

    @model_validator(mode="after")
    def _consistent(self) -> "Training":
        for key in ("crop", "validation_block"):
            for axis, size in zip("yx", (getattr(self, key) or (1, 32, 32))[1:], strict=True):
                if size % 32:
                    raise ValueError(
                        f"{key}: {axis} is {size}, no multiple of 32, which SAM2 needs; "
                        f"use {max(32, round(size / 32) * 32)}"
                    )
        if self.batch % self.accumulate:
            raise ValueError(
                f"accumulate: {self.accumulate} passes do not divide a batch of {self.batch}; "
                "change one of them"
            )
        if any(offset == (0, 0, 0) for offset in self.offsets):
            raise ValueError("offsets: [0, 0, 0] is no edge; remove it")
        if len(set(self.offsets)) < len(self.offsets):
            raise ValueError("offsets: an offset stands twice; remove one")
        if self.best_by in ("voi", "arand") and not set(NEAREST) <= set(self.offsets):
            raise ValueError(
                f"best_by: {self.best_by} needs the nearest three offsets to segment with; "
                "add them to offsets"
            )
        return self


class Model(Training):
    """A model: its network and training; or an existing checkpoint that is used as it is."""

    network: Network | None = Field(
        None,
        description="The network; left out, it is FGNet with its defaults, or with a checkpoint "
        "the network of that.",
    )
    checkpoint: File | None = Field(
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

    save_seconds: float = Field(
        300.0,
        gt=0,
        description="Seconds between saves that a killed training resumes from. An edit reruns "
        "nothing.",
    )
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
