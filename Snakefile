# fgnet: from an electron-microscopy volume to neurons. Settings: config/; machine: profiles/.
from snakemake.utils import min_version

min_version("9.0")

# A config file given on the command line replaces the demo's, it is not merged into it.
if "volumes" not in config and "datasets" not in config:

    configfile: workflow.source_path("config/config.yaml")


wildcard_constraints:
    volume="[^/]+",
    model="[^/]+",
    agglomeration="[^/]+",
    shard=r"\d+",
    shards=r"\d+",
    layer="image|labels|affinities|segmentation",


include: "workflow/rules/common.smk"
include: "workflow/inputs/report.smk"
include: "workflow/inputs/export.smk"
include: "workflow/rules/download.smk"
include: "workflow/rules/normalize.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/infer.smk"
include: "workflow/rules/agglomerate.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/export.smk"


rule all:
    default_target: True
    input:
        rules.report.output,
        exports(),
