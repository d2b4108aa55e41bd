"""Settings of the networks: FGNet, and the baselines it is compared with."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from fgnet.settings.base import Section

Positive = Annotated[int, Field(gt=0)]
Stride = tuple[Positive, Positive, Positive]


class Levels(Section):
    """The levels of a 3-D encoder, from the full resolution down."""

    filters: tuple[Positive, ...] = Field(
        (16, 32, 48, 64), min_length=2, description="Channels of each level, finest first."
    )
    strides: tuple[Stride, ...] = Field(
        ((1, 2, 2), (1, 2, 2), (1, 2, 2)),
        description="Downsampling (z, y, x) from each level to the next; one fewer than filters. "
        "Keep z at 1 until the voxels are about isotropic.",
    )

    @model_validator(mode="after")
    def _one_stride_between_levels(self) -> "Levels":
        if len(self.strides) != len(self.filters) - 1:
            raise ValueError(
                f"strides: {len(self.strides)} strides for {len(self.filters)} filters; "
                "give one stride fewer than filters"
            )
        return self


class Sam2(Section):
    """The SAM2 image encoder that general features come from."""

    version: Literal["2.0", "2.1"] = Field("2.1", description="SAM release.")
    size: Literal["tiny", "small", "base_plus", "large"] = Field(
        "large", description="Size of the Hiera trunk: 27, 34, 69 or 212 million parameters."
    )
    weights: Literal["official", "random"] = Field(
        "official",
        description="official: Meta's checkpoint, downloaded by its own rule. "
        "random: untrained, for machines without a network, and as a control.",
    )
    mode: Literal["frozen", "finetuned", "last_blocks", "lora"] = Field(
        "frozen",
        description="What training changes of the encoder: nothing, everything, its last blocks, "
        "or low-rank adapters in its attention layers. The paper reports frozen and fine-tuned.",
    )
    blocks: Positive = Field(2, description="How many blocks `last_blocks` trains.")
    rank: Positive = Field(8, description="Rank of the adapters of `lora`.")
    upscale: Literal[1, 2, 4] = Field(
        1,
        description="Enlarge sections so many times before the encoder, for finer features at the "
        "square of the cost.",
    )
    channels: Positive = Field(
        32, description="Channels that each of the four feature maps is reduced to."
    )
    sections: Positive | None = Field(
        None,
        description="Sections encoded at once; null: all of a batch. Fewer need less memory, of a "
        "trained encoder only together with recompute, and change no result.",
    )
    recompute: bool = Field(
        False,
        description="Keep no activations of the encoder and compute them again for the gradient, "
        "those of one group of sections at a time: less memory, more time. Of use with a large "
        "trained encoder.",
    )


class FGNetNetwork(Levels):
    """FGNet: SAM2 features guide a fine-grained 3-D encoder; two decoders give affinities."""

    kind: Literal["fgnet"] = Field("fgnet", description="FGNet (arXiv 2511.13063).")
    sam2: Sam2 | None = Field(
        Sam2(),  # type: ignore[call-arg]
        description="The image encoder; null: the same network without it, which then has neither "
        "guidance nor a coarse map.",
    )
    attention: Literal["gate", "cross", "concatenate", "none"] = Field(
        "gate",
        description="How SAM2 features S guide the fine-grained encoder's F at each scale. "
        "gate: F + sigmoid(conv[F, S]) * F. cross: F + attention(query F, key and value S) in "
        "each section. concatenate: conv[F, S]. none: not at all.",
    )
    decoders: Literal["dual", "single"] = Field(
        "dual", description="dual: coarse and refined affinities. single: the refined ones alone."
    )

    @model_validator(mode="before")
    @classmethod
    def _without_sam2_nothing_hangs_on_it(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("sam2", ...) is not None:
            return values
        for key, left in (("attention", "none"), ("decoders", "single")):
            if values.get(key, left) != left:
                raise ValueError(
                    f"{key}: {values[key]} needs SAM2, and sam2 is null; leave {key} out"
                )
        return {**values, "attention": "none", "decoders": "single"}


class Sam2DecoderNetwork(Section):
    """SAM2's features and a light decoder: what the encoder gives alone."""

    kind: Literal["sam2_decoder"] = Field(
        "sam2_decoder", description="SAM2 features and FGNet's coarse decoder, nothing else."
    )
    sam2: Sam2 = Field(Sam2(), description="The image encoder.")  # type: ignore[call-arg]


class SuperHumanNetwork(Levels):
    """The residual symmetric U-Net of Lee et al. 2017, as published by weih527/SuperHuman."""

    kind: Literal["superhuman"] = Field(
        "superhuman", description="Residual symmetric U-Net (arXiv 1706.00120)."
    )
    filters: tuple[Positive, ...] = Field(
        (28, 36, 48, 64, 80), min_length=2, description="Channels of each level, finest first."
    )
    strides: tuple[Stride, ...] = Field(
        ((1, 2, 2),) * 4, description="Downsampling (z, y, x) from each level to the next."
    )
    momentum: float = Field(
        0.001,
        gt=0,
        le=1,
        description="Momentum of BatchNorm. The published one needs thousands of steps until the "
        "statistics that inference uses are those of training; take 0.1 for short trainings.",
    )


class MalaNetwork(Levels):
    """The U-Net of Funke et al. 2018 (MALA), padded so that it keeps the crop's shape."""

    kind: Literal["mala"] = Field("mala", description="MALA's U-Net (arXiv 1709.02974).")
    filters: tuple[Positive, ...] = Field(
        (12, 60, 300, 1500), min_length=2, description="Channels of each level, finest first."
    )
    strides: tuple[Stride, ...] = Field(
        ((1, 3, 3),) * 3, description="Downsampling (z, y, x) from each level to the next."
    )


Network = Annotated[
    FGNetNetwork | Sam2DecoderNetwork | SuperHumanNetwork | MalaNetwork,
    Field(discriminator="kind"),
]
