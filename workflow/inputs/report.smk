# What the pages of the report show, and the files that they are made of.


def segmentations(*splits):
    """Every segmentation of volumes of these splits: model x agglomeration x volume."""
    return [
        (model, agglomeration, volume)
        for model in CONFIG.train.models
        for agglomeration in METHODS
        for split in splits
        for volume in CONFIG.split(split)
    ]


def scored():
    """Score files of all segmentations and masks that have ground truth."""
    return [
        f"results/evaluate/{m}/{a}/{v}.json"
        for m, a, v in segmentations("validation", "test")
        if CONFIG.scored(v)
    ] + [
        f"results/evaluate/{m}/{s}.json"
        for m, s in predictions("validation", "test")
        if CONFIG.scored(s)
    ]


def own_neurons(wildcards):
    """The file of the neurons of one segmentation, if it has ground truth."""
    m, a, v = wildcards.model, wildcards.agglomeration, wildcards.volume
    return [f"results/evaluate/{m}/{a}/{v}.neurons.json"] if CONFIG.scored(v) else []


def neurons():
    """Files of the neurons of all segmentations that have ground truth."""
    found = [] if CONFIG.images else scored()
    return [path.removesuffix(".json") + ".neurons.json" for path in found]


def followed():
    """Files of the run lengths of all segmentations that skeletons lie in."""
    return [
        f"results/evaluate/{m}/{a}/{v}.run_lengths.json"
        for m, a, v in segmentations("validation", "test", "predict")
        if CONFIG.lines(v)
    ]


def thresholds():
    """The chosen threshold of every model and agglomeration."""
    return [
        f"results/evaluate/{m}/{a}.threshold.json"
        for m in CONFIG.train.models
        for a in METHODS
    ]


def segment_pages():
    return [
        f"results/report/segment/{m}/{a}/{v}.html"
        for m, a, v in segmentations("test", "predict")
    ]


def wholes():
    """The volumes or sets that are normalised: those that have a split, or boxes that have one."""
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
    made += [
        f"results/download/skeletons/{w}.h5"
        for w in wholes()
        if CONFIG.volumes and CONFIG.volumes[w].skeletons is not None
    ]
    made += model_records().values()
    for m, a, v in segmentations("validation", "test", "predict"):
        made += [f"results/infer/{m}/{v}.h5", f"results/agglomerate/{m}/{a}/{v}.h5"]
    for m, s in predictions("validation", "test", "predict"):
        made += [f"results/infer/{m}/{s}.h5"]
    return list(dict.fromkeys(made + scored() + neurons() + followed() + thresholds()))


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


def viewer(wildcards):
    """Where a segmentation can be looked at, if it is exported for that."""
    if CONFIG.export.viewable() is None or "segmentation" not in CONFIG.export.layers:
        return None
    return {
        "address": without_credentials(CONFIG.export.address),
        "volume": wildcards.volume,
        "layer": segmentation_name(wildcards.model, wildcards.agglomeration),
    }


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
            "viewer": viewer(wildcards),
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
        labelled = CONFIG.scored(v)
        rows.append(
            {
                "model": m,
                "agglomeration": a,
                "volume": v,
                "split": split,
                "scores": f"{file}.json" if labelled else None,
                "neurons": f"{file}.neurons.json" if labelled else None,
                "run_lengths": f"{file}.run_lengths.json" if CONFIG.lines(v) else None,
                "page": None if split == "validation" else page,
            }
        )
    return rows


def evaluate_parameters(wildcards):
    return json.dumps(
        {
            **(
                {"masks": mask_list()}
                if CONFIG.images
                else {"segmentations": score_list()}
            ),
            "models": model_records(),
            "page": "results/report/evaluate.html",
        },
        sort_keys=True,
    )


def provenance_parameters(wildcards):
    return json.dumps(
        {
            # exports carry a record of their own, and an edit of them changes no result that this
            # page tells of; its notebook is kept with the results
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
    pages = ["results/report/index.html", *(page["page"] for page in report_pages())]
    checkpoints = [f"results/download/sam2/{name}.pt" for name in sam2 if name]
    return list(dict.fromkeys(made_files() + masks() + checkpoints + pages + exports()))


def crate_parameters(wildcards):
    return json.dumps(
        {
            "title": CONFIG.title,
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
    """All pages that the overview lists, in this order."""
    pages = [{"title": "Scores", "page": "results/report/evaluate.html"}]
    groups = {
        "Segmentation": [
            (f"{v}: {m}, {a}", f"results/report/segment/{m}/{a}/{v}.html")
            for m, a, v in segmentations("test", "predict")
        ],
        "Masks": [
            (f"{s}: {m}", f"results/report/mask/{m}/{s}.html")
            for m, s in predictions("test", "predict")
        ],
        "Training": zip(CONFIG.train.models, train_pages()),
        "Data": zip(wholes(), data_pages()),
    }
    for group, found in groups.items():
        pages += [{"group": group, "title": t, "page": page} for t, page in found]
    return [*pages, {"title": "Provenance", "page": "results/report/provenance.html"}]


def first_picture():
    """What the overview shows first."""
    if CONFIG.images:
        m, s = predictions("test", "predict", "validation")[0]
        return {
            "title": f"{s} by {m}",
            "set": f"results/normalize/{CONFIG.whole(s)}.h5",
            "ranges": CONFIG.images[s].ranges,
            "chances": f"results/infer/{m}/{s}.h5",
            "threshold": CONFIG.mask.threshold,
        }
    m, a, v = segmentations("test", "predict", "validation")[0]
    return {
        "title": f"{v} by {m}, {a}",
        "files": {
            "image": f"results/normalize/{CONFIG.whole(v)}.h5",
            "affinities": f"results/infer/{m}/{v}.h5",
            "segmentation": f"results/agglomerate/{m}/{a}/{v}.h5",
            "threshold": f"results/evaluate/{m}/{a}.threshold.json",
        },
        "longest": CONFIG.report.picture,
    }


def index_parameters(wildcards):
    return json.dumps(
        {
            "title": CONFIG.title,
            **(
                {"masks": mask_list()}
                if CONFIG.images
                else {"segmentations": score_list()}
            ),
            "pages": report_pages(),
            "picture": first_picture(),
        },
        sort_keys=True,
    )
