"""Settings of the networks: FGNet and the plain U-Net it is compared with."""

from typing import Annotated, Literal

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
    """The SAM2 image encoder that FGNet takes its general features from."""

    version: Literal["2.0", "2.1"] = Field("2.1", description="SAM release.")
    size: Literal["tiny", "small", "base_plus", "large"] = Field(
        "large", description="Size of the Hiera trunk: 27, 34, 69 or 212 million parameters."
    )
    weights: Literal["official", "random"] = Field(
        "official",
        description="official: Meta's checkpoint, downloaded by its own rule. "
        "random: untrained, for machines without a network, and as a control.",
    )
    mode: Literal["frozen", "finetuned"] = Field(
        "frozen", description="Whether training changes the encoder; the paper reports both."
    )
    channels: Positive = Field(
        32, description="Channels that each of the four feature maps is reduced to."
    )


class FGNetNetwork(Levels):
    """FGNet: SAM2 features guide a fine-grained 3-D encoder; two decoders give affinities."""

    kind: Literal["fgnet"] = Field("fgnet", description="FGNet (arXiv 2511.13063).")
    sam2: Sam2 = Field(Sam2(), description="The image encoder.")  # type: ignore[call-arg]
    attention: Literal["gate", "concatenate", "none"] = Field(
        "gate",
        description="How SAM2 features guide the fine-grained encoder at each scale. "
        "gate: F + sigmoid(conv[F, S]) * F. concatenate: conv[F, S]. none: not at all.",
    )


class UNetNetwork(Levels):
    """A plain 3-D U-Net, the baseline on equal terms."""

    kind: Literal["unet"] = Field("unet", description="Plain 3-D U-Net with GroupNorm.")


Network = Annotated[FGNetNetwork | UNetNetwork, Field(discriminator="kind")]
