# Which layers are exported, and the files that they are made of.
from types import SimpleNamespace

from fgnet.settings.export import SUFFIX


def exported_volumes():
    return CONFIG.split("test", "predict")


def segmentation_name(model, agglomeration):
    """What viewers call a segmentation."""
    return f"{model}, {agglomeration}"


def exported_layers(volume):
    """Folders and names below results/export of a volume's layers, and what each layer is."""
    wanted = CONFIG.export.layers
    truth = CONFIG.scored(volume)
    layers = [("image", volume, "image")] if "image" in wanted else []
    for model in CONFIG.train.models if "affinities" in wanted else []:
        layers.append((f"affinities {model}", f"{volume}/{model}", "affinities"))
    if "labels" in wanted and truth:
        layers.append(("ground truth", volume, "labels"))
    for model in CONFIG.train.models if "segmentation" in wanted else []:
        for name in CONFIG.agglomerate.methods:
            place = f"{volume}/{model}/{name}"
            layers.append((segmentation_name(model, name), place, "segmentation"))
    return layers


def exports():
    """Everything that the section export asks for."""
    made = [
        f"results/export/{place}/{layer}.{SUFFIX[kind]}"
        for volume in exported_volumes()
        for _, place, layer in exported_layers(volume)
        for kind in dict.fromkeys(CONFIG.export.formats)
    ]
    made += [folder for v in exported_volumes() for folder in skeletons(v)]
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
    """The pieces of affinities or fragments, which their file only names."""
    names = dict(zip(("volume", "model", "agglomeration"), wildcards.place.split("/")))
    if wildcards.layer == "affinities":
        return pieces(SimpleNamespace(**names))
    if wildcards.layer == "segmentation":
        return fragment_pieces(SimpleNamespace(**names))
    return []


def export_threshold(wildcards):
    if wildcards.layer != "segmentation":
        return []
    _, model, agglomeration = wildcards.place.split("/")
    return [f"results/evaluate/{model}/{agglomeration}.threshold.json"]


def export_box(wildcards):
    return CONFIG.box(wildcards.place.split("/")[0]).canonical()


def export_settings(wildcards):
    return CONFIG.export.folder(wildcards.layer, wildcards.kind).canonical()


def skeletons(volume):
    """Folders of the centre lines of a volume's segmentations."""
    return [
        f"results/export/{place}/segmentation.skeletons"
        for _, place, layer in exported_layers(volume)
        if layer == "segmentation" and CONFIG.export.skeletons is not None
    ]


def skeleton_settings(wildcards):
    return CONFIG.export.skeletons.canonical()


def shown_folders(wildcards):
    """The folders that Neuroglancer shows of a volume."""
    kind = CONFIG.export.viewable()
    folders = [
        f"results/export/{place}/{layer}.{kind}"
        for _, place, layer in exported_layers(wildcards.volume)
    ]
    return folders + skeletons(wildcards.volume)


def state_parameters(wildcards):
    kind = CONFIG.export.viewable()
    drawn = skeletons(wildcards.volume)
    layers = []
    for name, place, layer in exported_layers(wildcards.volume):
        lines = f"results/export/{place}/{layer}.skeletons"
        layers.append(
            {
                "name": name,
                "layer": layer,
                "path": f"{place}/{layer}.{kind}",
                "skeletons": (
                    lines.removeprefix("results/export/") if lines in drawn else None
                ),
            }
        )
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
