# What rules of sets of images are made of, and what their pages show.


def image_sources(wildcards):
    """Files on this machine that a set of images is made from."""
    return CONFIG.images[wildcards.images].local_files()


def images_download_settings(wildcards):
    return CONFIG.images_download(wildcards.images).canonical()


def images_normalize_settings(wildcards):
    return CONFIG.images_normalize().canonical()


def whole_set(wildcards):
    return f"results/normalize/{CONFIG.whole(wildcards.images)}.h5"


def image_ranges(wildcards):
    return CONFIG.ranges(wildcards.images)


def mask_settings(wildcards):
    return CONFIG.mask.canonical()


def masks_settings(wildcards):
    return CONFIG.mask_scoring().canonical()


def predictions(*splits):
    """Every set of images of these splits by every model."""
    return [
        (model, images)
        for model in CONFIG.train.models
        for split in splits
        for images in CONFIG.split(split)
        if CONFIG.images
    ]


def masks():
    """Folders of the masks of all sets, as images."""
    return [
        f"results/mask/{m}/{s}" for m, s in predictions("validation", "test", "predict")
    ]


def own_scores(wildcards):
    """The scores of one set by one model, if it has ground truth."""
    m, s = wildcards.model, wildcards.images
    return [f"results/evaluate/{m}/{s}.json"] if CONFIG.scored(s) else []


def mask_pages():
    return [
        f"results/report/mask/{m}/{s}.html" for m, s in predictions("test", "predict")
    ]


def images_parameters(wildcards):
    name = wildcards.images
    return json.dumps(
        {
            "images": name,
            "downloaded": f"results/download/{name}.h5",
            "normalized": f"results/normalize/{name}.h5",
            "parts": {
                part: [CONFIG.images[part].split, CONFIG.images[part].ranges]
                for part in CONFIG.images
                if CONFIG.whole(part) == name and CONFIG.images[part].split
            },
        },
        sort_keys=True,
    )


def mask_parameters(wildcards):
    m, s = wildcards.model, wildcards.images
    return json.dumps(
        {
            "model": m,
            "images": s,
            "split": CONFIG.images[s].split,
            "set": whole_set(wildcards),
            "ranges": CONFIG.images[s].ranges,
            "chances": f"results/infer/{m}/{s}.h5",
            "scores": next(iter(own_scores(wildcards)), None),
            "threshold": CONFIG.mask.threshold,
        },
        sort_keys=True,
    )


def mask_list():
    """What the table of masks has a row for."""
    return [
        {
            "model": m,
            "images": s,
            "split": CONFIG.images[s].split,
            "scores": f"results/evaluate/{m}/{s}.json" if CONFIG.scored(s) else None,
            "page": (
                None
                if CONFIG.images[s].split == "validation"
                else f"results/report/mask/{m}/{s}.html"
            ),
        }
        for m, s in predictions("test", "validation", "predict")
    ]
