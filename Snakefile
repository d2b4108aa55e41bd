# fgnet: from an electron-microscopy volume to neurons. Settings: config/; machine: profiles/.
from snakemake.utils import min_version

min_version("9.0")


# The first page of snakemake --report.
report: "workflow/report/workflow.rst"


# A config file given on the command line replaces the demo's, it is not merged into it.
if not {"volumes", "datasets", "images"} & set(config):

    configfile: workflow.source_path("config/config.yaml")


include: "workflow/rules/common.smk"


# Results of another config, such as a model that it trained, are files like any other here.
wildcard_constraints:
    volume=names(CONFIG.volumes),
    images=names(CONFIG.images),
    model=names(CONFIG.train.models),
    agglomeration=names(CONFIG.agglomerate.methods),
    checkpoint=r"sam2(\.1)?_hiera_\w+",
    place=places(),
    shard=r"\d+",
    shards=r"\d+",
    layer="image|labels|affinities|segmentation",


include: "workflow/inputs/images.smk"
include: "workflow/inputs/report.smk"
include: "workflow/inputs/export.smk"
include: "workflow/rules/download.smk"
include: "workflow/rules/normalize.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/infer.smk"
include: "workflow/rules/agglomerate.smk"
include: "workflow/rules/mask.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/export.smk"


rule all:
    default_target: True
    input:
        rules.report.output,
        exports(),
        masks(),
        rules.report_crate.output,
