"""The whole configuration: one section per stage, and the volumes they work on."""

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from fgnet.settings.agglomerate import Agglomerate
from fgnet.settings.base import Box, Section
from fgnet.settings.datasets import with_datasets
from fgnet.settings.download import Download, VolumeDownload
from fgnet.settings.evaluate import Evaluate
from fgnet.settings.export import Export
from fgnet.settings.infer import Infer
from fgnet.settings.network import FGNetNetwork, Sam2DecoderNetwork
from fgnet.settings.normalize import Normalize, VolumeNormalize
from fgnet.settings.report import Report
from fgnet.settings.train import Train
from fgnet.settings.volumes import Volume, Volumes

Split = Literal["train", "validation", "test", "predict"]


class Config(Section):
    """Everything that a run is determined by."""

    datasets: tuple[str, ...] = Field(
        (),
        description="Public data sets (or single volumes of them) whose volumes and splits are "
        "taken; `snakemake list_datasets` prints what there is. A volume of the same name "
        "below changes what is said here.",
    )
    volumes: Annotated[Volumes, Field(min_length=1)] = Field(
        description="Named volumes: a source, a phantom, or a box of another volume; needed "
        "where `datasets` is empty."
    )
    download: Download = Field(Download(), description="How files are fetched.")  # type: ignore[call-arg]
    normalize: Normalize = Field(Normalize(), description="How intensities are normalised.")  # type: ignore[call-arg]
    train: Train = Field(Train(), description="The models and their training.")  # type: ignore[call-arg]
    infer: Infer = Field(Infer(), description="How models are run over volumes.")  # type: ignore[call-arg]
    agglomerate: Agglomerate = Field(
        Agglomerate(),  # type: ignore[call-arg]
        description="Named ways from affinities to neurons.",
    )
    evaluate: Evaluate = Field(Evaluate(), description="How the threshold is chosen.")  # type: ignore[call-arg]
    report: Report = Field(Report(), description="What the pages show.")  # type: ignore[call-arg]
    export: Export = Field(Export(), description="What is written for viewers.")  # type: ignore[call-arg]

    @model_validator(mode="after")
    def _match_is_a_volume(self) -> Self:
        name = self.normalize.match
        wholes = [name for name, volume in self.volumes.items() if volume.of is None]
        if name is not None and name not in wholes:
            box = self.volumes.get(name)
            close = [box.of] if box else difflib.get_close_matches(name, wholes, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(wholes)}"
            raise ValueError(
                f"normalize.match: there is no volume {name!r} with a source or phantom; {hint}"
            )
        return self

    @model_validator(mode="after")
    def _can_run(self) -> Self:
        for name, model in self.train.models.items():
            if model.checkpoint is None and not self.split("train"):
                raise ValueError(
                    f"train.models.{name}: no volume has the split 'train'; give one that split, "
                    "or give the model a checkpoint"
                )
            place = Path("results/train") / name
            if (
                model.checkpoint is not None
                and place.resolve() in Path(model.checkpoint).resolve().parents
            ):
                raise ValueError(
                    f"train.models.{name}: checkpoint is {model.checkpoint!r}, which lies where "
                    "a model of this name is written; give the model another name"
                )
        if not self.split("validation", "test", "predict"):
            raise ValueError(
                "volumes: there is none to segment; give one `split: predict`, or with ground "
                "truth `split: test` or `validation`"
            )
        if self.evaluate.threshold is None and not self.split("validation"):
            raise ValueError(
                "evaluate.threshold: no volume has the split 'validation' to choose the threshold "
                "on; give one that split, or give a threshold"
            )
        if self.evaluate.threshold is not None:
            for name, method in self.agglomerate.methods.items():
                if not any(abs(t - self.evaluate.threshold) < 1e-9 for t in method.thresholds):
                    raise ValueError(
                        f"evaluate.threshold: {self.evaluate.threshold:g} is none of "
                        f"agglomerate.methods.{name}.thresholds; add it there"
                    )
        return self

    def split(self, *splits: Split) -> list[str]:
        """Names of the volumes of these splits, in the order of the config."""
        return [name for name, volume in self.volumes.items() if volume.split in splits]

    def whole(self, name: str) -> str:
        """The volume that is downloaded and normalised for this one: itself, or what it is of."""
        return self.volumes[name].of or name

    def box(self, name: str) -> Box:
        """The box that this volume is of :meth:`whole`."""
        return self.volumes[name].box or Box.checked({})

    def volume_download(self, name: str) -> VolumeDownload:
        """What the download of a volume depends on; what it is used for is left out."""
        entry = self.volumes[name].model_dump(exclude={"split", "inverted"})
        return VolumeDownload(volume=Volume.model_validate(entry), download=self.download)

    def reference(self, name: str) -> str | None:
        """The volume that this one is matched to; the one that others match is left as it is."""
        return None if self.normalize.match == name else self.normalize.match

    def volume_normalize(self, name: str) -> VolumeNormalize:
        """What the normalisation of a volume depends on."""
        reference = self.reference(name)
        values = self.normalize.model_dump() | {
            "match": reference,
            "inverted": self.volumes[name].inverted,
            "reference_inverted": reference is not None and self.volumes[reference].inverted,
        }
        return VolumeNormalize.model_validate(values)

    def boxes(self) -> str:
        """The boxes of the training and validation volumes, as canonical JSON."""
        boxes = {
            split: [self.box(name).model_dump(mode="json") for name in self.split(split)]
            for split in ("train", "validation")
        }
        return json.dumps(boxes, sort_keys=True)

    def sam2_checkpoint(self, model: str) -> str | None:
        """Name of the official SAM2 checkpoint that training a model needs, if any."""
        settings = self.train.models[model]
        network = settings.network
        if settings.checkpoint is not None or not isinstance(
            network, FGNetNetwork | Sam2DecoderNetwork
        ):
            return None
        sam2 = network.sam2
        if sam2 is None or sam2.weights == "random":
            return None
        release = "sam2.1_hiera" if sam2.version == "2.1" else "sam2_hiera"
        return f"{release}_{sam2.size}"


def load(values: Mapping[str, Any]) -> Config:
    """The configuration from plain values, with the volumes of the data sets that it names.

    Raises:
        InputError: one sentence per mistake, with the key's path and the value seen.
    """
    return Config.checked(with_datasets(values))
