# What the rules share: the checked config, each rule's part of it, and where fgnet lies.
import json
import os
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

ROOT = Path(workflow.current_basedir).parent.parent
sys.path.insert(0, str(ROOT))

from fgnet.errors import InputError
from fgnet.fingerprint import fingerprint
from fgnet.settings.config import load
from fgnet.settings.export import SUFFIX

try:
    CONFIG = load(config)
except InputError as error:
    raise WorkflowError(f"config: {error}")

# Rules without a conda environment run in this Python; an activated one stands before it.
os.environ.update(
    PATH=os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()])
)
# Snakemake clears PYTHONPATH in conda rules, so every shell command sets it.
shell.prefix(f"set -euo pipefail; export PYTHONPATH={shlex.quote(str(ROOT))}; ")


def notebook(name):
    """Path of a notebook."""
    return str(ROOT / "notebooks" / f"{name}.ipynb")


def normalized(*splits):
    """Normalised files that the volumes of these splits lie in, one for each volume."""
    return [
        f"results/normalize/{CONFIG.whole(name)}.h5" for name in CONFIG.split(*splits)
    ]


def local_sources(wildcards):
    """Files on this machine that a volume is made from; a change of one reruns its download."""
    return CONFIG.volumes[wildcards.volume].local_files()


def download_settings(wildcards):
    return CONFIG.volume_download(wildcards.volume).canonical()


def normalize_settings(wildcards):
    return CONFIG.volume_normalize(wildcards.volume).canonical()


def reference_volume(wildcards):
    name = CONFIG.reference(wildcards.volume)
    return f"results/download/{name}.h5" if name else []


def model_settings(wildcards):
    return CONFIG.train.models[wildcards.model].canonical()


def training_boxes(wildcards):
    return CONFIG.boxes()


def training_volumes(wildcards):
    given = CONFIG.train.models[wildcards.model].checkpoint
    return [] if given else normalized("train")


def validation_volumes(wildcards):
    given = CONFIG.train.models[wildcards.model].checkpoint
    return [] if given else normalized("validation")


def given_checkpoint(wildcards):
    given = CONFIG.train.models[wildcards.model].checkpoint
    return [given] if given and Path(given).is_file() else []


def sam2_checkpoint(wildcards):
    name = CONFIG.sam2_checkpoint(wildcards.model)
    return f"results/download/sam2/{name}.pt" if name else []


def whole_volume(wildcards):
    return f"results/normalize/{CONFIG.whole(wildcards.volume)}.h5"


def box(wildcards):
    return CONFIG.box(wildcards.volume).canonical()


def infer_settings(wildcards):
    return CONFIG.infer.canonical()


def pieces(wildcards):
    n = CONFIG.infer.shards
    folder = f"results/infer/{wildcards.model}/{wildcards.volume}"
    return [f"{folder}/{k}-of-{n}.h5" for k in range(n)]


def agglomerate_settings(wildcards):
    return CONFIG.agglomerate.methods[wildcards.agglomeration].canonical()


def validation_scores(wildcards):
    if CONFIG.evaluate.threshold is not None:
        return []
    folder = f"results/evaluate/{wildcards.model}/{wildcards.agglomeration}"
    return [f"{folder}/{name}.json" for name in CONFIG.split("validation")]


def evaluate_settings(wildcards):
    return CONFIG.evaluate.canonical()


def segmentations(*splits):
    """Every segmentation of volumes of these splits: model x agglomeration x volume."""
    return [
        (model, agglomeration, volume)
        for model in CONFIG.train.models
        for agglomeration in CONFIG.agglomerate.methods
        for split in splits
        for volume in CONFIG.split(split)
    ]


def scored():
    """Score files of all segmentations that have ground truth."""
    return [
        f"results/evaluate/{m}/{a}/{v}.json"
        for m, a, v in segmentations("validation", "test")
    ]


def thresholds():
    """The chosen threshold of every model and agglomeration."""
    return [
        f"results/evaluate/{m}/{a}.threshold.json"
        for m in CONFIG.train.models
        for a in CONFIG.agglomerate.methods
    ]


def segment_pages():
    return [
        f"results/report/segment/{m}/{a}/{v}.html"
        for m, a, v in segmentations("test", "predict")
    ]


def wholes():
    """The volumes that are normalised: those that have a split, or boxes that have one."""
    used = CONFIG.split("train", "validation", "test", "predict")
    return sorted({CONFIG.whole(name) for name in used})


def data_pages():
    return [f"results/report/data/{volume}.html" for volume in wholes()]


def train_pages():
    return [f"results/report/train/{model}.html" for model in CONFIG.train.models]


def model_records():
    """What each model's training noted of itself."""
    return {
        model: f"results/train/{model}/made_by.json" for model in CONFIG.train.models
    }


def made_files():
    """Files that hold a record of what made them, for the provenance page."""
    made = [
        f"results/{stage}/{w}.h5"
        for w in wholes()
        for stage in ("download", "normalize")
    ]
    made += model_records().values()
    for m, a, v in segmentations("validation", "test", "predict"):
        made += [f"results/infer/{m}/{v}.h5", f"results/agglomerate/{m}/{a}/{v}.h5"]
    return list(dict.fromkeys(made + scored() + thresholds()))


def data_parameters(wildcards):
    volume = wildcards.volume
    return json.dumps(
        {
            "volume": volume,
            "downloaded": f"results/download/{volume}.h5",
            "normalized": f"results/normalize/{volume}.h5",
        },
        sort_keys=True,
    )


def train_parameters(wildcards):
    return json.dumps(
        {
            "model": wildcards.model,
            "history": f"results/train/{wildcards.model}/history.csv",
            "augmentations": f"results/train/{wildcards.model}/augmentations.h5",
            "settings": json.loads(model_settings(wildcards)),
        },
        sort_keys=True,
    )


def segment_parameters(wildcards):
    m, a, v = wildcards.model, wildcards.agglomeration, wildcards.volume
    return json.dumps(
        {
            "model": m,
            "agglomeration": a,
            "volume": v,
            "image": whole_volume(wildcards),
            "affinities": f"results/infer/{m}/{v}.h5",
            "segmentation": f"results/agglomerate/{m}/{a}/{v}.h5",
            "threshold": f"results/evaluate/{m}/{a}.threshold.json",
            "picture": CONFIG.report.picture,
        },
        sort_keys=True,
    )


def score_list():
    """What the score table has a row for."""
    rows = []
    for m, a, v in segmentations("test", "validation", "predict"):
        split = CONFIG.volumes[v].split
        page = f"results/report/segment/{m}/{a}/{v}.html"
        rows.append(
            {
                "model": m,
                "agglomeration": a,
                "volume": v,
                "split": split,
                "scores": (
                    None if split == "predict" else f"results/evaluate/{m}/{a}/{v}.json"
                ),
                "threshold": f"results/evaluate/{m}/{a}.threshold.json",
                "page": None if split == "validation" else page,
            }
        )
    return rows


def evaluate_parameters(wildcards):
    return json.dumps(
        {"segmentations": score_list(), "models": model_records()}, sort_keys=True
    )


def provenance_parameters(wildcards):
    return json.dumps(
        {
            # exports carry a record of their own, and an edit of them changes no page
            "config": CONFIG.model_dump(mode="json", exclude={"export"}),
            "benchmarks": "results/benchmarks",
            "files": made_files(),
        },
        sort_keys=True,
    )


def index_parameters(wildcards):
    pages = [{"title": "Scores and thresholds", "page": "results/report/evaluate.html"}]
    for model, page in zip(CONFIG.train.models, train_pages()):
        pages.append({"title": f"Training of {model}", "page": page})
    for volume, page in zip(wholes(), data_pages()):
        pages.append({"title": f"Data: {volume}", "page": page})
    pages.append({"title": "Provenance", "page": "results/report/provenance.html"})
    m, a, v = segmentations("test", "predict", "validation")[0]
    picture = {
        "title": f"{v} by {m}, {a}",
        "volume": f"results/normalize/{CONFIG.whole(v)}.h5",
        "affinities": f"results/infer/{m}/{v}.h5",
        "segmentation": f"results/agglomerate/{m}/{a}/{v}.h5",
        "threshold": f"results/evaluate/{m}/{a}.threshold.json",
    }
    return json.dumps(
        {"segmentations": score_list(), "pages": pages, "picture": picture},
        sort_keys=True,
    )


def report_settings(wildcards):
    return CONFIG.report.canonical()


def exported_volumes():
    return CONFIG.split("test", "predict")


def exported_layers(volume):
    """Folders and names below results/export of a volume's layers, and what each layer is."""
    wanted = CONFIG.export.layers
    truth = CONFIG.volumes[volume].split == "test"
    layers = [("image", volume, "image")] if "image" in wanted else []
    for model in CONFIG.train.models if "affinities" in wanted else []:
        layers.append((f"affinities {model}", f"{volume}/{model}", "affinities"))
    if "labels" in wanted and truth:
        layers.append(("ground truth", volume, "labels"))
    for model in CONFIG.train.models if "segmentation" in wanted else []:
        for name in CONFIG.agglomerate.methods:
            layers.append(
                (f"{model}, {name}", f"{volume}/{model}/{name}", "segmentation")
            )
    return layers


def exports():
    """Everything that the section export asks for."""
    made = [
        f"results/export/{place}/{layer}.{SUFFIX[kind]}"
        for volume in exported_volumes()
        for _, place, layer in exported_layers(volume)
        for kind in dict.fromkeys(CONFIG.export.formats)
    ]
    if CONFIG.export.viewable():
        made += [f"results/export/{v}/neuroglancer.json" for v in exported_volumes()]
    return made


def export_input(wildcards):
    """The file that holds a layer, from the folder that it is exported to."""
    volume, *rest = wildcards.place.split("/")
    if wildcards.layer in ("image", "labels"):
        return f"results/normalize/{CONFIG.whole(volume)}.h5"
    if wildcards.layer == "affinities":
        return f"results/infer/{rest[0]}/{volume}.h5"
    return f"results/agglomerate/{rest[0]}/{rest[1]}/{volume}.h5"


def export_pieces(wildcards):
    """The pieces of affinities, which their file only names."""
    if wildcards.layer != "affinities":
        return []
    volume, model = wildcards.place.split("/")
    n = CONFIG.infer.shards
    return [f"results/infer/{model}/{volume}/{k}-of-{n}.h5" for k in range(n)]


def export_threshold(wildcards):
    if wildcards.layer != "segmentation":
        return []
    _, model, agglomeration = wildcards.place.split("/")
    return [f"results/evaluate/{model}/{agglomeration}.threshold.json"]


def export_box(wildcards):
    return CONFIG.box(wildcards.place.split("/")[0]).canonical()


def export_settings(wildcards):
    return CONFIG.export.folder(wildcards.layer, wildcards.kind).canonical()


def shown_folders(wildcards):
    """The folders that Neuroglancer shows of a volume."""
    kind = CONFIG.export.viewable()
    return [
        f"results/export/{place}/{layer}.{kind}"
        for _, place, layer in exported_layers(wildcards.volume)
    ]


def state_parameters(wildcards):
    kind = CONFIG.export.viewable()
    layers = [
        {"name": name, "layer": layer, "path": f"{place}/{layer}.{kind}"}
        for name, place, layer in exported_layers(wildcards.volume)
    ]
    return json.dumps(
        {
            "volume": wildcards.volume,
            "input": whole_volume(wildcards),
            "box": CONFIG.box(wildcards.volume).model_dump(mode="json"),
            "layers": layers,
            "address": CONFIG.export.address,
        },
        sort_keys=True,
    )
