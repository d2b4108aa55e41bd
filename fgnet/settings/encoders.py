"""Settings of what comes trained by others: the image encoders of SAM and SAM2, CLIP's text."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from fgnet.settings.base import Section

Positive = Annotated[int, Field(gt=0)]


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
    mode: Literal["frozen", "finetuned", "last_blocks", "lora", "prompts"] = Field(
        "frozen",
        description="What training changes of the encoder: nothing, everything, its last blocks, "
        "low-rank adapters in its attention layers, or prompt layers before its blocks. FGNet's "
        "paper reports frozen and fine-tuned.",
    )
    blocks: Positive = Field(2, description="How many blocks `last_blocks` trains.")
    rank: Positive = Field(8, description="Rank of the adapters of `lora`.")
    hidden: Positive = Field(32, description="Hidden width of each prompt layer of `prompts`.")
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


class PromptedSam2(Sam2):
    """The SAM2 image encoder, frozen but for its prompt layers: SAM 2.0 as in SAM2-UNet."""

    version: Literal["2.0", "2.1"] = Field("2.0", description="SAM release.")
    mode: Literal["frozen", "finetuned", "last_blocks", "lora", "prompts"] = Field(
        "prompts", description="What training changes of the encoder: see Sam2."
    )
    channels: Positive = Field(
        64, description="Channels that each scale is reduced to in every node of the decoder."
    )


class Sam1(Section):
    """The image encoder of the first SAM, a plain vision transformer at stride 16."""

    size: Literal["tiny", "base", "large", "huge"] = Field(
        "base",
        description="ViT-B, -L or -H of 90, 308 or 637 million parameters; tiny: one of ours, "
        "never trained by Meta, for trying the workflow out.",
    )
    weights: Literal["official", "random"] = Field(
        "random", description="official: Meta's, as published for transformers. random: untrained."
    )
    mode: Literal["frozen", "finetuned"] = Field(
        "frozen", description="What training changes of the encoder: nothing or everything."
    )
    taps: tuple[Annotated[int, Field(ge=0)], ...] | None = Field(
        None,
        description="Blocks, counted from 0, whose outputs are used beside the neck's; null: in "
        "ViT-B 3, 5, 7 and 11, as MASG-SAM's public code, in others the last of each quarter.",
    )
    image: Annotated[int, Field(ge=32, multiple_of=16)] | None = Field(
        1024,
        description="Longer side that a section is resized to for the encoder, 1024 as the encoder "
        "was trained; null: as it is.",
    )
    sections: Positive | None = Field(
        1, description="Sections encoded at once; null: all of a batch. Changes no result."
    )
    channels: Positive = Field(256, description="Channels that each feature map is reduced to.")

    @model_validator(mode="after")
    def _only_published_sizes_have_official_weights(self) -> "Sam1":
        if self.size == "tiny" and self.weights == "official":
            raise ValueError("weights: there are no official ones of size tiny; use random")
        return self


class Text(Section):
    """What the network is told in words, as embeddings of CLIP's text encoder."""

    weights: Literal["official", "random"] = Field(
        "random",
        description="official: OpenAI's CLIP. random: a fixed random vector for each prompt, for "
        "machines without a network, and as a control.",
    )
    model: Literal["vit_b_32", "vit_b_16", "vit_l_14"] = Field(
        "vit_b_32", description="The CLIP whose text encoder it is."
    )
    prompts: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        ("a neuron in electron microscopy", "a cell membrane in electron microscopy"),
        min_length=1,
        description="What is to be seen in the images, such as a prompt for each class.",
    )
    fusion: Literal["film", "cross"] = Field(
        "film",
        description="film: the prompts' mean scales and shifts each channel. cross: every place "
        "attends to the prompts.",
    )
