# What the rules share: the checked config, each rule's part of it, and where fgnet lies. Which
# files report and export are made of stands in workflow/inputs/.
import json
import os
import re
import shlex
import sys
from pathlib import Path

import snakemake
from snakemake.exceptions import WorkflowError

ROOT = Path(workflow.current_basedir).parent.parent
sys.path.insert(0, str(ROOT))

from fgnet.errors import InputError
from fgnet.fingerprint import fingerprint
from fgnet.report.private import without_credentials
from fgnet.revision import revision
from fgnet.settings.config import load
from fgnet.settings.datasets import facts_of

try:
    CONFIG = load(config)
except InputError as error:
    raise WorkflowError(f"config: {error}")

# The agglomerations whose fragments and region graph are made by several jobs.
SCATTERED = [
    name
    for name, method in CONFIG.agglomerate.methods.items()
    if CONFIG.agglomerate.shards > 1 and not method.whole
]

# Rules without a conda environment run in this Python; an activated one stands before it.
os.environ.update(
    PATH=os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()])
)
# Snakemake clears PYTHONPATH in conda rules, so every shell command sets it. The revision is for the
# ledger; asked for here, not by each job, whose own children it would be counted among.
shell.prefix(
    f"set -euo pipefail; export PYTHONPATH={shlex.quote(str(ROOT))}"
    f" FGNET_REVISION={revision(ROOT)}; "
)


def names(section):
    """The pattern that matches the names in a section and no other."""
    return "|".join(map(re.escape, sorted(section))) or "(?!)"


def growing(amount):
    """A resource of a rule: this much, and as much again for each time that a job is retried,
    as after a scheduler killed it for its memory or its time."""

    def of_attempt(wildcards, attempt):
        return amount * attempt

    return of_attempt


def notebook(name):
    """A notebook, which lies beside the code also where a profile keeps results in a storage."""
    return local(str(ROOT / "notebooks" / f"{name}.ipynb"))


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


def shards(folder, n):
    """The files of n jobs that a folder holds."""
    return [f"{folder}/{k}-of-{n}.h5" for k in range(n)]


def pieces(wildcards):
    """The pieces that the affinities of a volume are made of."""
    folder = f"results/infer/{wildcards.model}/{wildcards.volume}"
    return shards(folder, CONFIG.infer.shards)


def agglomerate_settings(wildcards):
    return CONFIG.agglomerate.methods[wildcards.agglomeration].canonical()


def fragment_settings(wildcards):
    method = CONFIG.agglomerate.methods[wildcards.agglomeration]
    return method.fragment_step().canonical()


def graph_settings(wildcards):
    return CONFIG.agglomerate.methods[wildcards.agglomeration].graph_step().canonical()


def fragment_pieces(wildcards):
    """The pieces that the fragments of a volume are made of, if several jobs made them."""
    w = wildcards
    folder = f"results/agglomerate/{w.model}/{w.agglomeration}/{w.volume}/fragments"
    scattered = w.agglomeration in SCATTERED
    return shards(folder, CONFIG.agglomerate.shards) if scattered else []


def graph_pieces(wildcards):
    w = wildcards
    folder = f"results/agglomerate/{w.model}/{w.agglomeration}/{w.volume}/graph"
    # a job of the graph is twenty times as fast as one of the fragments; it should not be shorter
    # than a cluster takes to start it
    return shards(folder, -(-CONFIG.agglomerate.shards // 16))


def validation_scores(wildcards):
    if CONFIG.evaluate.threshold is not None:
        return []
    folder = f"results/evaluate/{wildcards.model}/{wildcards.agglomeration}"
    return [f"{folder}/{name}.json" for name in CONFIG.split("validation")]


def evaluate_settings(wildcards):
    return CONFIG.evaluate.choosing().canonical()


def scoring_settings(wildcards):
    return CONFIG.evaluate.scoring().canonical()


def lines(wildcards):
    """The file of the skeletons along which a volume's run lengths are measured, if any."""
    whole = CONFIG.whole(wildcards.volume)
    if CONFIG.volumes[whole].skeletons is not None:
        return f"results/normalize/{whole}.h5"
    if CONFIG.evaluate.skeletons is None:
        return []
    return f"results/evaluate/skeletons/{wildcards.volume}.h5"


def deriving_settings(wildcards):
    return CONFIG.evaluate.skeletons.canonical()
