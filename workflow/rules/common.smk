# What the rules share: the checked config, each rule's part of it, and where fgnet lies. Which
# files report and export are made of stands in workflow/inputs/.
import json
import os
import re
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

import snakemake
from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod
from snakemake.sourcecache import HostingProviderFile


def code_folder(rules):
    """Where fgnet lies: around its rules, or, where those are read from a forge (a module's
    `github(...)`), in a clone of that revision below .snakemake, as jobs run what lies beside.
    """
    if not isinstance(rules, HostingProviderFile):
        return Path(rules).parent.parent
    hosted = rules.hosted_repo
    commit = hosted.repo.commit(rules.ref).hexsha
    folder = Path(".snakemake/fgnet", commit).resolve()
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = tempfile.mkdtemp(dir=folder.parent)
        clone = hosted.repo.clone(partial, no_checkout=True)
        clone.git.checkout(commit)
        clone.remotes.origin.set_url(f"https://{hosted.host}/{hosted.repo_name}")
        try:
            os.rename(partial, folder)
        except OSError:  # another process was faster
            shutil.rmtree(partial)
    return folder


ROOT = code_folder(workflow.current_basedir)
sys.path.insert(0, str(ROOT))

from fgnet import gpus
from fgnet.errors import InputError
from fgnet.fingerprint import Code
from fgnet.report.private import without_credentials
from fgnet.revision import revision
from fgnet.settings.config import load
from fgnet.settings.datasets import facts_of

# One look at the code for all rules.
fingerprint = Code().fingerprint

try:
    CONFIG = load(config)
except InputError as error:
    raise WorkflowError(f"config: {error}")

if workflow.modifier.path_modifier.replace_prefix("results") != "results":
    # pages and records name each other by these paths, and sources are the user's own
    raise WorkflowError(
        "a module of fgnet was given `prefix` or `replace_prefix`; its results lie in results/ of "
        "the folder that snakemake runs in: leave it out and give each run a folder (--directory)"
    )

if DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method:
    place = Path(workflow.deployment_settings.conda_prefix or ".snakemake/conda")
    if " " in str(place.resolve()):
        # Snakemake calls the script after an environment's own by a path without quotes
        raise WorkflowError(
            f"environments would be made in {str(place.resolve())!r}, and Snakemake cannot make "
            "them below a name with a space; give --conda-prefix FOLDER, one without"
        )

# No more jobs with a GPU at a time than GPUs here, unless the command or a profile says how many. A
# cluster counts its own, and a job there has what it was given.
on_cluster = workflow.global_resources["_nodes"].value is not None
if (
    workflow.is_main_process
    and not on_cluster
    and "gpu" not in workflow.global_resources
):
    workflow.register_resource("gpu", max(1, gpus.count()))

# The ways from affinities to neurons; images know none.
METHODS = [] if CONFIG.images else list(CONFIG.agglomerate.methods)
EVALUATE_PAGE = "evaluate_masks" if CONFIG.images else "evaluate"

# Snakemake keeps a book of its own, also of dry runs; without it, it ends in a traceback.
book = next(path for path in (Path(".snakemake"), Path(".")) if path.exists())
if not os.access(book, os.W_OK):
    raise WorkflowError(
        f"{str(book.resolve())!r} cannot be written to; give yourself the rights, or run in "
        "another folder (--directory FOLDER)"
    )


onstart:
    place = next(path for path in (Path("results"), Path(".")) if path.exists())
    if not os.access(place, os.W_OK):
        raise WorkflowError(
            f"results cannot be written to {str(place.resolve())!r}; give yourself the rights, "
            "or run in another folder (--directory FOLDER)"
        )


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
# ledger; asked for here, not by each job, whose own children it would be counted among. The others
# are what jobs work by and no result depends on: as params, an edit of them would rerun it all.
VARIABLES = {
    "PYTHONPATH": ROOT,
    "FGNET_REVISION": revision(ROOT),
    "FGNET_FETCHING": CONFIG.download.canonical(),
    "FGNET_SAVE_SECONDS": CONFIG.train.save_seconds,
    "FGNET_BATCH": CONFIG.infer.batch,
}
exported = " ".join(
    f"{key}={shlex.quote(str(value))}" for key, value in VARIABLES.items()
)
shell.prefix(
    f"set -euo pipefail; export {exported}; ".replace("{", "{{").replace("}", "}}")
)


def names(section):
    """The pattern that matches the names in a section and no other."""
    return "|".join(map(re.escape, sorted(section))) or "(?!)"


def places():
    """The pattern of the folders of exports: a volume, then a model, then an agglomeration."""
    sections = (CONFIG.volumes, CONFIG.train.models, CONFIG.agglomerate.methods)
    volume, model, agglomeration = map(names, sections)
    return f"(?:{volume})(?:/(?:{model})(?:/(?:{agglomeration}))?)?"


def growing(amount):
    """A resource of a rule: this much, and as much again for each time that a job is retried,
    as after a scheduler killed it for its memory or its time."""

    def of_attempt(wildcards, attempt):
        return amount * attempt

    return of_attempt


def notebook(name):
    """A notebook, which lies beside the code also where a profile keeps results in a storage."""
    return local(str(ROOT / "notebooks" / f"{name}.ipynb"))


def page_code(name):
    """The fingerprint of a page: of what its notebook imports, and of what runs notebooks."""
    return fingerprint("report", "page", ROOT / "notebooks" / f"{name}.ipynb")


def normalized(*splits):
    """Normalised files that the volumes of these splits lie in, one for each volume."""
    return [
        f"results/normalize/{CONFIG.whole(name)}.h5" for name in CONFIG.split(*splits)
    ]


def local_sources(wildcards):
    """Files on this machine that a volume is made from; a change of one reruns its download."""
    return CONFIG.volumes[wildcards.volume].local_files()


def skeleton_sources(wildcards):
    """Files on this machine that a volume's skeletons are read from."""
    return CONFIG.volumes[wildcards.volume].skeletons.local_files()


def skeletons_settings(wildcards):
    return CONFIG.skeletons_download(wildcards.volume).canonical()


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


def published(model, part):
    """The folder of what others trained of a part of a model, if it takes that."""
    name = CONFIG.published(model).get(part)
    return f"results/download/pretrained/{name}" if name else []


def sam1_weights(wildcards):
    return published(wildcards.model, "sam1")


def text_weights(wildcards):
    return published(wildcards.model, "text")


def whole_volume(wildcards):
    return f"results/normalize/{CONFIG.whole(wildcards.volume)}.h5"


def box(wildcards):
    return CONFIG.box(wildcards.volume).canonical()


def infer_settings(wildcards):
    return CONFIG.infer.inference().canonical()


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
    """The file of the skeletons along which a volume's run lengths are measured."""
    kind = CONFIG.lines(wildcards.volume)
    if kind is None:
        raise WorkflowError(
            f"volume {wildcards.volume!r} has no skeletons; give it `skeletons`, or with labels "
            "`evaluate: {skeletons: {}}`"
        )
    if kind == "given":
        return f"results/download/skeletons/{CONFIG.whole(wildcards.volume)}.h5"
    return f"results/evaluate/skeletons/{wildcards.volume}.h5"


def deriving_settings(wildcards):
    return CONFIG.evaluate.skeletons.canonical()
