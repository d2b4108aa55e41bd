# What the pages of the report show, and the files that they are made of.


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


def own_neurons(wildcards):
    """The file of the neurons of one segmentation, if it has ground truth."""
    m, a, v = wildcards.model, wildcards.agglomeration, wildcards.volume
    labelled = CONFIG.volumes[v].split != "predict"
    return [f"results/evaluate/{m}/{a}/{v}.neurons.json"] if labelled else []


def neurons():
    """Files of the neurons of all segmentations that have ground truth."""
    return [path.removesuffix(".json") + ".neurons.json" for path in scored()]


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
    return list(dict.fromkeys(made + scored() + neurons() + thresholds()))


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
            "examples": f"results/train/{wildcards.model}/examples.h5",
            "settings": without_credentials(json.loads(model_settings(wildcards))),
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
            "split": CONFIG.volumes[v].split,
            "image": whole_volume(wildcards),
            "affinities": f"results/infer/{m}/{v}.h5",
            "segmentation": f"results/agglomerate/{m}/{a}/{v}.h5",
            "threshold": f"results/evaluate/{m}/{a}.threshold.json",
            "neurons": next(iter(own_neurons(wildcards)), None),
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
        file = f"results/evaluate/{m}/{a}/{v}"
        labelled = split != "predict"
        rows.append(
            {
                "model": m,
                "agglomeration": a,
                "volume": v,
                "split": split,
                "scores": f"{file}.json" if labelled else None,
                "neurons": f"{file}.neurons.json" if labelled else None,
                "page": None if split == "validation" else page,
            }
        )
    return rows


def evaluate_parameters(wildcards):
    return json.dumps(
        {
            "segmentations": score_list(),
            "models": model_records(),
            "page": "results/report/evaluate.html",
        },
        sort_keys=True,
    )


def provenance_parameters(wildcards):
    return json.dumps(
        {
            # exports carry a record of their own, and an edit of them changes no page; the page's
            # notebook is kept with the results
            "config": without_credentials(
                CONFIG.model_dump(mode="json", exclude={"export"})
            ),
            "benchmarks": "results/benchmarks",
            "ledger": "results/ledger",
            "files": made_files(),
        },
        sort_keys=True,
    )


def crate_files():
    """What the results consist of; what the same jobs wrote besides comes with it."""
    sam2 = [CONFIG.sam2_checkpoint(model) for model in CONFIG.train.models]
    pages = [page["page"] for page in report_pages()]
    checkpoints = [f"results/download/sam2/{name}.pt" for name in sam2 if name]
    return list(dict.fromkeys(made_files() + checkpoints + pages + exports()))


def crate_parameters(wildcards):
    return json.dumps(
        {
            "title": CONFIG.report.title,
            "licence": CONFIG.report.licence,
            "authors": [author.model_dump() for author in CONFIG.report.authors],
            "config": CONFIG.model_dump(mode="json"),
            "datasets": facts_of(CONFIG.datasets),
            "files": crate_files(),
            "snakemake": snakemake.__version__,
        },
        sort_keys=True,
    )


def report_pages():
    """All pages in the order in which they are listed."""
    pages = [{"title": "Overview", "page": "results/report/index.html"}]
    pages.append({"title": "Scores", "page": "results/report/evaluate.html"})
    groups = {
        "Segmentation": [
            (f"{v}: {m}, {a}", f"results/report/segment/{m}/{a}/{v}.html")
            for m, a, v in segmentations("test", "predict")
        ],
        "Training": zip(CONFIG.train.models, train_pages()),
        "Data": zip(wholes(), data_pages()),
    }
    for group, found in groups.items():
        pages += [{"group": group, "title": t, "page": page} for t, page in found]
    return [*pages, {"title": "Provenance", "page": "results/report/provenance.html"}]


def page_list(wildcards):
    return json.dumps(report_pages(), sort_keys=True)


def index_parameters(wildcards):
    m, a, v = segmentations("test", "predict", "validation")[0]
    picture = {
        "title": f"{v} by {m}, {a}",
        "files": {
            "image": f"results/normalize/{CONFIG.whole(v)}.h5",
            "affinities": f"results/infer/{m}/{v}.h5",
            "segmentation": f"results/agglomerate/{m}/{a}/{v}.h5",
            "threshold": f"results/evaluate/{m}/{a}.threshold.json",
        },
    }
    return json.dumps(
        {
            "segmentations": score_list(),
            "pages": report_pages(),
            "picture": picture,
        },
        sort_keys=True,
    )


def report_settings(wildcards):
    return CONFIG.report.canonical()
