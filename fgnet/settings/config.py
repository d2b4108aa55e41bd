"""The whole configuration: one section per stage, and the volumes they work on."""

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from fgnet.settings.agglomerate import Agglomerate
from fgnet.settings.base import Box, Section
from fgnet.settings.datasets import with_datasets
from fgnet.settings.download import (
    Download,
    ImagesDownload,
    SkeletonsDownload,
    VolumeDownload,
)
from fgnet.settings.encoders import Sam2
from fgnet.settings.evaluate import Evaluate, MaskScoring
from fgnet.settings.export import Export
from fgnet.settings.images import ImageSet, ImageSets
from fgnet.settings.infer import Infer
from fgnet.settings.mask import Mask
from fgnet.settings.network import FGNetNetwork, MasgNetwork
from fgnet.settings.normalize import ImagesNormalize, Normalize, VolumeNormalize
from fgnet.settings.report import Report
from fgnet.settings.train import Train
from fgnet.settings.volumes import Volume, Volumes

Split = Literal["train", "validation", "test", "predict"]
CHOICES = {
    "volumes": {"loss": "mse, bce or dice_bce", "best_by": "loss, voi or arand"},
    "images": {"loss": "structure or dice_bce", "best_by": "loss or dice"},
}


class Config(Section):
    """Everything that a run is determined by."""

    datasets: tuple[str, ...] = Field(
        (),
        description="Public data sets (or single volumes of them) whose volumes and splits are "
        "taken; `snakemake list_datasets` prints what there is. A volume of the same name "
        "below changes what is said here.",
    )
    volumes: Volumes = Field(
        {}, description="Named volumes: a source, a phantom, or a box of another volume."
    )
    images: ImageSets = Field(
        {},
        description="Named sets of 2-D images with masks of classes, in place of volumes: models "
        "then learn masks, and infer, mask and evaluate take the place of what makes neurons.",
    )
    download: Download = Field(
        Download(),  # type: ignore[call-arg]
        description="How files are fetched; an edit reruns nothing.",
    )
    normalize: Normalize = Field(Normalize(), description="How intensities are normalised.")  # type: ignore[call-arg]
    train: Train = Field(Train(), description="The models and their training.")  # type: ignore[call-arg]
    infer: Infer = Field(Infer(), description="How models are run over volumes.")  # type: ignore[call-arg]
    agglomerate: Agglomerate = Field(
        Agglomerate(),  # type: ignore[call-arg]
        description="Named ways from affinities to neurons.",
    )
    evaluate: Evaluate = Field(Evaluate(), description="How the threshold is chosen.")  # type: ignore[call-arg]
    mask: Mask = Field(Mask(), description="Of image sets: the masks made of probabilities.")  # type: ignore[call-arg]
    report: Report = Field(Report(), description="What the pages show.")  # type: ignore[call-arg]
    export: Export = Field(Export(), description="What is written for viewers.")  # type: ignore[call-arg]

    @model_validator(mode="after")
    def _volumes_or_images(self) -> Self:
        if not self.volumes and not self.images:
            raise ValueError(
                "volumes: there is none; give `volumes`, `datasets`, or `images` with masks"
            )
        if self.volumes and self.images:
            raise ValueError(
                "images: a config has volumes or images, and this one has both; make two of it"
            )
        if self.images and self.export.formats:
            raise ValueError(
                "export.formats: volumes are exported; masks of images are PNG files in "
                "results/mask, so leave it out"
            )
        wrong = ("structure", "dice") if self.volumes else ("mse", "bce", "voi", "arand")
        for name, model in self.train.models.items():
            where, kind = f"train.models.{name}", "volumes" if self.volumes else "images"
            for key in ("loss", "best_by"):
                if model.checkpoint is None and getattr(model, key) in wrong:
                    raise ValueError(
                        f"{where}: {key} {getattr(model, key)!r} is not for {kind}; take "
                        f"{CHOICES[kind][key]}"
                    )
            if self.images and model.checkpoint is None and model.crop[0] != 1:
                raise ValueError(
                    f"{where}: crop {list(model.crop)} has {model.crop[0]} sections, an image has "
                    f"one; give the size that images are brought to, such as [1, 352, 352]"
                )
            network = model.network
            strides = network.strides if isinstance(network, FGNetNetwork) else ()
            if self.images and any(z > 1 for z, _, _ in strides):
                raise ValueError(
                    f"{where}: network.strides {[list(one) for one in strides]} join sections, and "
                    "an image has one; give strides along z of 1"
                )
            if self.volumes and model.shots is not None:
                raise ValueError(f"{where}: shots are of images; leave it out for volumes")
        return self

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
        section, noun = ("images", "set of images") if self.images else ("volumes", "volume")
        for name, model in self.train.models.items():
            if model.checkpoint is None and not self.split("train"):
                raise ValueError(
                    f"train.models.{name}: no {noun} has the split 'train'; give one that split, "
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
        given = "`masks`" if self.images else "`labels`"
        for name, entry in self.entries.items():
            scored = ("train", "validation", "test") if self.images else ("train", "validation")
            if entry.split in scored and not self.labelled(name):
                raise ValueError(
                    f"{section}.{name}: split is {entry.split!r}, "
                    f"which takes ground truth, and it has none; give it {given}, or "
                    "`split: predict`"
                )
        for name, volume in self.volumes.items():
            if volume.split == "test" and not self.labelled(name) and self.lines(name) is None:
                raise ValueError(
                    f"volumes.{name}: split is 'test', and there is neither ground truth nor a "
                    "skeleton to score it by; give it `labels` or `skeletons`, or `split: predict`"
                )
        if not self.split("validation", "test", "predict"):
            raise ValueError(
                f"{section}: there is none to segment; give one `split: predict`, or with ground "
                "truth `split: test` or `validation`"
            )
        if self.images:
            return self
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

    @property
    def title(self) -> str:
        """The heading of the report."""
        usual = "Masks of images" if self.images else "Neurons from electron microscopy"
        return self.report.title or usual

    @property
    def entries(self) -> Mapping[str, Volume | ImageSet]:
        """The volumes, or the sets of images."""
        return self.images or self.volumes

    def split(self, *splits: Split) -> list[str]:
        """Names of the volumes or sets of these splits, in the order of the config."""
        return [name for name, entry in self.entries.items() if entry.split in splits]

    def whole(self, name: str) -> str:
        """What is downloaded and normalised for a volume or set: itself, or what it is of."""
        return self.entries[name].of or name

    def box(self, name: str) -> Box:
        """The box that this volume is of :meth:`whole`."""
        return self.volumes[name].box or Box.checked({})

    def labelled(self, name: str) -> bool:
        """Whether a volume or set has ground truth."""
        whole = self.entries[self.whole(name)]
        given = whole.masks if isinstance(whole, ImageSet) else whole.labels
        return whole.phantom is not None or given is not None

    def scored(self, name: str) -> bool:
        """Whether what is made of a volume or set is compared with its ground truth."""
        return self.entries[name].split in ("validation", "test") and self.labelled(name)

    def lines(self, name: str) -> Literal["given", "derived"] | None:
        """The skeletons along which the run lengths of a volume are measured."""
        if self.volumes[self.whole(name)].skeletons is not None:
            return "given"
        return "derived" if self.evaluate.skeletons is not None and self.scored(name) else None

    def volume_download(self, name: str) -> VolumeDownload:
        """What the download of a volume depends on; what it is used for is left out."""
        entry = self.volumes[name].model_dump(exclude={"split", "inverted", "skeletons"})
        return VolumeDownload(volume=Volume.model_validate(entry))

    def skeletons_download(self, name: str) -> SkeletonsDownload:
        """What the skeletons that are given with a volume depend on."""
        given = self.volumes[name].skeletons
        assert given is not None, f"{name} is given no skeletons"
        return SkeletonsDownload(skeletons=given)

    def reference(self, name: str) -> str | None:
        """The volume that this one is matched to; the one that others match is left as it is."""
        return None if self.normalize.match == name else self.normalize.match

    def volume_normalize(self, name: str) -> VolumeNormalize:
        """What the normalisation of a volume depends on."""
        reference = self.reference(name)
        values = self.normalize.model_dump(exclude={"images"}) | {
            "match": reference,
            "inverted": self.volumes[name].inverted,
            "reference_inverted": reference is not None and self.volumes[reference].inverted,
        }
        return VolumeNormalize.model_validate(values)

    def images_download(self, name: str) -> ImagesDownload:
        """What the download of a set of images depends on; what it is used for is left out."""
        entry = self.images[name].model_dump(exclude={"split"})
        return ImagesDownload(images=ImageSet.model_validate(entry))

    def images_normalize(self) -> ImagesNormalize:
        """What the normalisation of any set depends on."""
        wanted = self.normalize
        stretch = None if wanted.images == "keep" else (wanted.low, wanted.high)
        return ImagesNormalize(stretch=stretch)

    def ranges(self, name: str) -> str:
        """The images that a set is of :meth:`whole`, as JSON."""
        return json.dumps(self.images[name].ranges)

    def mask_scoring(self) -> MaskScoring:
        """What the scores of masks depend on."""
        return MaskScoring(
            threshold=self.mask.threshold, boundary_tolerance=self.evaluate.boundary_tolerance
        )

    def boxes(self) -> str:
        """Which parts of the training and validation volumes or sets are meant, as JSON."""
        boxes = {
            split: [
                self.images[name].ranges if self.images else self.box(name).model_dump(mode="json")
                for name in self.split(split)
            ]
            for split in ("train", "validation")
        }
        return json.dumps(boxes, sort_keys=True)

    def published(self, model: str) -> dict[str, str]:
        """Names of the folders of weights, SAM 2 apart, that parts of a model start from."""
        settings = self.train.models[model]
        if settings.checkpoint is not None or not isinstance(settings.network, MasgNetwork):
            return {}
        return settings.network.official()

    def sam2_checkpoint(self, model: str) -> str | None:
        """Name of the official SAM2 checkpoint that training a model needs, if any."""
        settings = self.train.models[model]
        network = settings.network
        sam2: Sam2 | None = getattr(network, "sam2", None)
        if settings.checkpoint is not None or sam2 is None or sam2.weights == "random":
            return None
        release = "sam2.1_hiera" if sam2.version == "2.1" else "sam2_hiera"
        return f"{release}_{sam2.size}"


def load(values: Mapping[str, Any]) -> Config:
    """The configuration from plain values, with the volumes of the data sets that it names.

    Raises:
        InputError: one sentence per mistake, with the key's path and the value seen.
    """
    return Config.checked(with_datasets(values))
