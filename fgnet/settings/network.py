"""Settings of the networks: FGNet, its siblings, and the baselines they are compared with."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from fgnet.settings.base import Section
from fgnet.settings.encoders import Positive, PromptedSam2, Sam1, Sam2, Text

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


Sections = Literal["copies", "neighbours"]
SECTIONS = (
    "The three colours of a section of a grey volume. copies: itself thrice. neighbours: the "
    "section before, itself, and the one after, without which no affinity along z can be learnt."
)


class PolypNetwork(Section):
    """SAM2 with prompt layers, a full-scale decoder, channel attention and side outputs."""

    kind: Literal["polyp"] = Field(
        "polyp", description="Fine-tuned SAM2 with a channel-attention decoder, section by section."
    )
    sam2: PromptedSam2 = Field(
        PromptedSam2(),  # type: ignore[call-arg]
        description="The image encoder.",
    )
    attention: Literal["se", "eca", "cbam", "none"] = Field(
        "se",
        description="The gate on a node's concatenated scales: squeeze and excitation, efficient "
        "channel attention, CBAM (channels, then places), or none.",
    )
    side_outputs: bool = Field(
        True, description="Give the logits of the coarser nodes as well, for deep supervision."
    )
    sections: Sections = Field("neighbours", description=SECTIONS)


class MasgNetwork(Section):
    """MASG-SAM: hierarchical attention, boundary enhancement and semantic fusion on SAM."""

    kind: Literal["masg"] = Field("masg", description="MASG-SAM, section by section.")
    encoder: Literal["sam1", "sam2"] = Field(
        "sam1", description="Whose image encoder: the first SAM's, or SAM2's."
    )
    sam1: Sam1 | None = Field(None, description="The encoder sam1; null with the other.")
    sam2: Sam2 | None = Field(None, description="The encoder sam2; null with the other.")
    hierarchy: Literal["attended", "mean"] = Field(
        "attended",
        description="How the encoder's maps become one. attended: channel and spatial attention on "
        "each, and a sum by learned shares. mean: their mean.",
    )
    edges: Literal["pooled", "sobel", "none"] = Field(
        "pooled",
        description="What stresses boundaries: a map less its 3x3 mean, Sobel's slope, or nothing, "
        "and no edge output.",
    )
    text: Text | None = Field(
        Text(),  # type: ignore[call-arg]
        description="What is told in words; null: nothing.",
    )
    sections: Sections = Field("neighbours", description=SECTIONS)

    @model_validator(mode="before")
    @classmethod
    def _one_encoder(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("encoder", "sam1") not in ("sam1", "sam2"):
            return values
        chosen = values.get("encoder", "sam1")
        other = "sam2" if chosen == "sam1" else "sam1"
        if values.get(other) is not None:
            raise ValueError(f"{other}: the encoder is {chosen}; leave {other} out")
        return {**values, chosen: values.get(chosen) or {}}

    def official(self) -> dict[str, str]:
        """Names in :mod:`fgnet.pretrained` of what ``sam1`` and ``text`` need, by those keys."""
        found: dict[str, str] = {}
        if self.sam1 is not None and self.sam1.weights == "official":
            found["sam1"] = f"sam_vit_{self.sam1.size}"
        if self.text is not None and self.text.weights == "official":
            found["text"] = f"clip_{self.text.model}"
        return found


Network = Annotated[
    FGNetNetwork | Sam2DecoderNetwork | SuperHumanNetwork | MalaNetwork | PolypNetwork
    | MasgNetwork,
    Field(discriminator="kind"),
]  # fmt: skip
