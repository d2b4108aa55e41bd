"""What strangers may put into a config, an archive or a checkpoint, and what becomes of it."""

import ast
import json
import os
import pickle
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unicodedata
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from chain import ROOT, TINY, changed, snakemake
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from snakemake.iocontainers import InputFiles, Log, OutputFiles, Params, ResourceList, Wildcards
from snakemake.utils import format as rendered

from fgnet import checkpoint
from fgnet.download.cache import Cache
from fgnet.download.formats.open import open_layer
from fgnet.download.images import store
from fgnet.errors import InputError
from fgnet.settings.base import Name
from fgnet.settings.config import load
from fgnet.settings.download import Download
from fgnet.settings.images import ImageSet
from fgnet.settings.sources import Source

SHELL = re.compile(
    r"^rule (\w+):(?:(?!^rule ).)*?^    shell:\n((?:^        [^\n]*\n)+)", re.M | re.S
)
COMMANDS = {
    name: ast.literal_eval(f"({text})")
    for path in sorted(ROOT.glob("workflow/rules/*.smk"))
    for name, text in SHELL.findall(path.read_text())
}
FIELD = re.compile(r"\{([^{}]*)\}")
NUMBERS = {"threads", "resources.gpu", "wildcards.shard", "wildcards.shards", "wildcards.layer"}
HOSTILE = [
    "a b", "it's", 'a "b"', "$(touch pwned)", "`touch pwned`", ";touch pwned;", "|touch pwned",
    "&touch pwned&", "&> pwned", "\n", "\r", "{x}", "{{", "}", "*", "?", "[a]", "-rf",
    "--help", "..", "../x", "/etc", "\\", "!", "~", "$HOME", "%s", "# x", "<", ">", "ä", "数",
    "\x00", "\x1b[31m", "\u2028", "\u202e", "x" * 300,
]  # fmt: skip
TEXT = st.lists(
    st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
    min_size=1, max_size=4,
).map("".join)  # fmt: skip
NAME = TypeAdapter(Name)


def accepted(text: str) -> bool:
    try:
        NAME.validate_python(text)
    except ValidationError:
        return False
    return True


NAMES = TEXT.map(lambda text: f"n{text}").filter(accepted)


@given(TEXT)
def test_a_name_is_refused_or_is_one_file_name(text: str) -> None:
    values = changed(train={"models": {text: {"checkpoint": "x.pt"}}})
    if accepted(text):
        assert Path(text).name == text and text[0] not in "-." and len(text.encode()) <= 100
        assert all(unicodedata.category(c) not in ("Cc", "Zl", "Zp") for c in text)
        assert not {*"{}<>"} & {*text} and list(load(values).train.models) == [text]
    else:
        with pytest.raises(InputError, match=r"a name |control characters"):
            load(values)


def test_every_field_of_a_command_is_quoted_or_a_number() -> None:
    assert len(COMMANDS) >= 20
    constraints = (ROOT / "Snakefile").read_text()
    assert 'shard=r"\\d+"' in constraints and 'shards=r"\\d+"' in constraints
    assert 'layer="image|labels|affinities|segmentation"' in constraints
    for name, command in COMMANDS.items():
        for field in FIELD.findall(command):
            assert field.endswith(":q") or field in NUMBERS, f"rule {name}: {field}"
        # and no variable of the shell stands outside of quotes
        assert re.sub(r'"\$FGNET_\w+"', "", command).count("$") == 0, name
    for path in ROOT.glob("workflow/rules/*.smk"):
        text = path.read_text()
        assert text.count("shell:") == len(SHELL.findall(text))
        assert not re.search(r"^    (run|script):", text, re.M)
    # what runs after an environment is made takes nothing from anywhere
    assert not re.search(
        r"[$`*]", (ROOT / "envs/model.post-deploy.sh").read_text().split("\n", 1)[1]
    )


STUB = """
python() { printf '%s\\0' $# "$@" >> called; }
tee() { cat > /dev/null; }
"""
VARIABLES = {"FGNET_BATCH": "-1 *", "FGNET_SAVE_SECONDS": "$(touch pwned)",
             "FGNET_FETCHING": '{"lock": "`touch pwned` *"}'}  # fmt: skip


def ran(script: str, folder: Path) -> list[list[str]]:
    """The arguments of each call of python in a script of bash, in which python does nothing."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-s"], input=STUB + script, text=True, cwd=folder,
        capture_output=True, env={"PATH": os.environ["PATH"], **VARIABLES}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with (folder / "called").open(newline="") as file:
        words = file.read().split("\0")[:-1]
    calls = []
    while words:
        count = 1 + int(words[0])
        calls.append(words[1:count])
        words = words[count:]
    return calls


def expected(command: str, known: dict[str, Any]) -> list[str]:
    """The arguments that a rule's command stands for, each field taken as it is."""
    found: list[str] = []
    for word in shlex.split(re.split(r" &> | 2>&1 | 2> ", command)[0])[1:]:
        if word.startswith("$"):
            found.append(VARIABLES[word[1:]])
        elif field := FIELD.fullmatch(word):
            value = known[field[1].removesuffix(":q")]
            found += value if isinstance(value, list) else [value]
        else:
            found.append(word)
    return found


@given(st.lists(TEXT.filter(lambda text: text and "\0" not in text), min_size=4), NAMES)
@settings(max_examples=40, deadline=None)
def test_a_command_gives_its_job_each_word_as_it_is(texts: list[str], name: str) -> None:
    """Each rule's command, put together by Snakemake's own formatter and run by bash."""
    commands = [one for name, one in COMMANDS.items() if name != "list_datasets"]
    used = [field.removesuffix(":q") for field in FIELD.findall(" ".join(commands))]
    kinds = {"input": InputFiles, "output": OutputFiles, "params": Params, "log": Log,
             "wildcards": Wildcards, "resources": ResourceList}  # fmt: skip
    numbers = {"wildcards.shard": "0", "wildcards.shards": "2", "wildcards.layer": "image",
               "resources.gpu": "1", "threads": "3"}  # fmt: skip
    known: dict[str, Any] = {**numbers, "log[0]": f"{name}.log"}
    jobs: dict[str, Any] = {kind: {} for kind in kinds} | {"threads": 3}
    jobs["log"]["first"] = known["log[0]"]
    for number, field in enumerate(dict.fromkeys(used)):
        kind, _, rest = field.partition(".")
        if not rest:
            continue
        if kind == "params":
            value: Any = texts[number % len(texts)]
        elif rest in ("volumes", "validation") or rest.endswith("[0]"):
            value = [f"results/{name}.{number}", f"{number}"]
        else:
            value = numbers.get(field, f"results/{name}.{number}" if kind != "wildcards" else name)
        jobs[kind][rest.removesuffix("[0]")] = value
        known[field] = value[0] if rest.endswith("[0]") else value
    made = {kind: make(fromdict=jobs[kind]) for kind, make in kinds.items()}
    with tempfile.TemporaryDirectory() as place:
        lines = [rendered(one, threads=3, **made) for one in commands]
        calls = ran("\n".join(f"( {line}\n)" for line in lines), Path(place))
        assert {path.name for path in Path(place).iterdir()} <= {"called", f"{name}.log"}
    assert calls == [expected(one, known) for one in commands]


# every one of these is accepted as a name
NASTY = ["a $(touch pwned)", "b `touch pwned`", "c'; touch pwned; '", 'd"|touch pwned|"',
         "e&touch pwned&", "f & pwned &", "g*?[a]", "h\\", "i!~$HOME %s # x",
         "j ä数", "k..", "l --help -rf"]  # fmt: skip


@pytest.mark.workflow
def test_hostile_names_in_a_whole_plan(tmp_path: Path) -> None:
    """The commands that Snakemake would run, run by bash with a python that does nothing."""
    phantom = {"shape": [16, 64, 64], "seed": 1}
    models = {f"m{name}": {"checkpoint": name} for name in NASTY[:3]}
    title = "".join(HOSTILE).replace("\0", "")
    kinds = [dict.fromkeys(["split"], kind) for kind in ("train", "validation", "test", "predict")]
    config = {
        **TINY,
        "volumes": {f"v{name}": {"phantom": {**phantom, "seed": n}, **kinds[n % 4]}
                    for n, name in enumerate(NASTY)},
        "train": {**TINY["train"], "models": models},
        "agglomerate": {"shards": 2, "methods": {f"a{name}": {} for name in NASTY[3:6]}},
        "report": {"title": title, "authors": [{"name": "{x}'$(touch pwned)"}]},
        "export": {"formats": ["precomputed"]},
    }  # fmt: skip
    status, text = snakemake(tmp_path, config, "--dry-run", "--printshellcmds")
    assert status == 0, text
    commands = [line.removeprefix("Shell command: ") for line in text.splitlines()
                if re.match("Shell command: (?!None)", line)]  # fmt: skip
    # the folders of logs, which Snakemake makes
    folders = {"."}
    for line in re.findall(r"^    log: (results/logs/.*?), results/ledger/", text, re.M):
        folders.add(str(Path(line).parent))
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    calls = ran("\n".join(f"( {line}\n)" for line in commands), tmp_path)
    assert len(calls) == len(commands) > 300
    found = [dict(pairwise(call)) for call in calls]
    downloads = {one["--volume"]: one["--settings"] for one in found if "--volume" in one
                 and one["-m"] == "fgnet.download"}  # fmt: skip
    resolved = load(config)
    assert downloads == {
        name: resolved.volume_download(name).canonical() for name in resolved.volumes
    }
    trained = {one["--output"]: one["--settings"] for one in found if one["-m"] == "fgnet.train"}
    assert trained == {f"results/train/{name}/checkpoint.pt": model.canonical()
                       for name, model in resolved.train.models.items()}  # fmt: skip
    crates = [json.loads(one["--parameters"]) for one in found if one.get("--workflow")]
    assert [(one["title"], one["authors"][0]["name"]) for one in crates] == [
        (resolved.report.title, resolved.report.authors[0].name)
    ]
    places = {Path(word).parts for call in calls for word in call if word.startswith("results/")}
    assert all(".." not in parts for parts in places)
    known = {*resolved.volumes, *resolved.train.models, *resolved.agglomerate.methods}
    assert {name for name in known if any(name in str(Path(*parts)) for parts in places)} == known
    assert {path.name for path in tmp_path.iterdir()} <= {
        "called", "results", "config file.yaml", ".snakemake"
    }  # fmt: skip


@pytest.mark.parametrize(
    "target",
    [
        "results/download/../../x.h5",
        "results/export/test/../../../x/image.precomputed",
        "results/download/sam2/../x.pt",
    ],
)
@pytest.mark.workflow
def test_no_target_leads_out_of_the_results(tmp_path: Path, target: str) -> None:
    status, text = snakemake(tmp_path, TINY, target, "--dry-run")
    assert status != 0 and "MissingRuleException" in text and "Traceback" not in text, text


class Payload:
    """What a pickle runs as it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def hostile(path: Path, pwned: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"format": checkpoint.FORMAT, "weights": Payload(pwned), "model": {}}, path)
    return path


def test_torch_loads_weights_alone_and_nothing_else_is_unpickled() -> None:
    """All that fgnet loads of torch's goes through one function; nothing else can run code."""
    for path in [*ROOT.glob("fgnet/**/*.py"), *ROOT.glob("notebooks/*.ipynb"),
                 *ROOT.glob("workflow/**/*.smk"), ROOT / "Snakefile"]:  # fmt: skip
        text = path.read_text()
        loads = re.findall(r"torch\.load\(.*", text)
        assert loads == [] or path.name == "tensors.py"
        assert all("weights_only=True" in one for one in loads)
        for word in (r"np\.load\(", "allow_pickle", r"pickle\.loads?\(",
                     r"yaml\.(full_|unsafe_)?load\(", r"\bh5pickle|joblib|\bdill\b",
                     r"shell=True", r"os\.system", r"\beval\((?!\))",
                     r"(?<![.\w])exec\("):  # fmt: skip
            assert not re.search(word, text), f"{path}: {word}"


@pytest.mark.parametrize("kind", ["checkpoint", "state", "sam2"])
def test_a_malicious_checkpoint_is_refused_and_runs_nothing(tmp_path: Path, kind: str) -> None:
    from fgnet.model.sam2 import Sam2Encoder
    from fgnet.settings.network import Sam2
    from fgnet.train.state import Saved

    pwned = tmp_path / "pwned"
    path = hostile(tmp_path / "checkpoint.pt", pwned)
    pickle.loads(pickle.dumps(Payload(pwned)))
    pwned.rmdir()  # it would have worked
    words = "holds more than tensors, numbers and text, which could be a program"
    if kind == "state":
        said = Saved(path, "key", "float32", 1).read()
        assert isinstance(said, str) and words in said
    else:
        with pytest.raises(InputError, match=words) as told:
            if kind == "checkpoint":
                checkpoint.load(path)
            else:
                Sam2Encoder(Sam2.checked({"size": "tiny"})).load_official(path)
        assert "weights_only" not in str(told.value) and "\n" not in str(told.value)
    assert not pwned.exists()


@pytest.mark.parametrize("given", [True, False], ids=["given", "of results/train"])
def test_a_run_refuses_a_malicious_checkpoint(chain: Path, tmp_path: Path, given: bool) -> None:
    pwned, folder = tmp_path / "pwned", tmp_path / "run"
    shutil.copytree(chain, folder)
    if given:
        path = hostile(tmp_path / "checkpoint.pt", pwned)
        config = changed(train={"models": {"theirs": {"checkpoint": str(path)}}})
        target = "results/train/theirs/checkpoint.pt"
    else:
        hostile(folder / "results/train/fgnet/checkpoint.pt", pwned)
        config, target = TINY, "results/infer/fgnet/test/0-of-2.h5"
    status, text = snakemake(folder, config, target, "--forcerun", target, "--rerun-triggers=mtime")
    assert status != 0 and "holds more than tensors, numbers and text" in text, text
    assert "Traceback" not in text and not pwned.exists()


def links(archive: Path) -> None:
    """Members that would lie elsewhere, were they unpacked by their names."""
    with zipfile.ZipFile(archive, "w") as file:
        for name in (
            "../up.h5",
            "/tmp/root.h5",
            "a/../../b.h5",
            "C:\\c.h5",
            "n" * 300 + ".h5",
            "ä" * 120,
        ):
            file.writestr(name, name)
        link = zipfile.ZipInfo("link.h5")
        link.external_attr = 0o120777 << 16
        file.writestr(link, "/etc/passwd")
        device = zipfile.ZipInfo("device.h5")
        device.external_attr = 0o060666 << 16
        file.writestr(device, "")


def test_a_member_of_an_archive_stays_in_its_folder(tmp_path: Path) -> None:
    links(tmp_path / "in.zip")
    cache = Cache(tmp_path / "a/b/cache", Download.checked({}))
    with zipfile.ZipFile(tmp_path / "in.zip") as file:
        names = file.namelist()
    found = [cache.local(str(tmp_path / "in.zip"), member=name) for name in names]
    assert [path.read_text() for path in found] == [*names[:-2], "/etc/passwd", ""]
    assert len({*found}) == len(names)
    for path in found:
        assert path.parent == cache.folder and path.is_file() and not path.is_symlink()
        assert path.resolve() == path.absolute()
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert files == sorted([*found, tmp_path / "in.zip"])
    # the link's text is no volume, wherever it points
    source = Source.checked({"path": str(tmp_path / "in.zip"), "member": "link.h5"})
    with (
        pytest.raises(InputError, match="begins with b'/etc/passwd'"),
        open_layer(source, "image", cache),
    ):
        pass


def test_a_tar_archive_is_not_unpacked(tmp_path: Path) -> None:
    """Whatever is in it, such as a link out of the folder and a file through it."""
    with tarfile.open(tmp_path / "in.tar.gz", "w:gz") as file:
        link = tarfile.TarInfo("out")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "elsewhere")
        file.addfile(link)
        file.addfile(tarfile.TarInfo("out/x.h5"))
        hard = tarfile.TarInfo("hard.h5")
        hard.type, hard.linkname = tarfile.LNKTYPE, "/etc/passwd"
        file.addfile(hard)
        file.addfile(tarfile.TarInfo("../up.h5"))
    cache = Cache(tmp_path / "cache", Download.checked({}))
    source = Source.checked({"path": str(tmp_path / "in.tar.gz")})
    with pytest.raises(InputError, match="none of HDF5"), open_layer(source, "image", cache):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"in.tar.gz", "cache"}


def test_an_archive_larger_than_its_disk_leaves_nothing(tmp_path: Path) -> None:
    """A small file that unpacks to 64 MB where no file may have more than 1 MB."""
    with zipfile.ZipFile(tmp_path / "in.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("em.h5", bytes(64 << 20))
    entry = {"volume": {"source": str(tmp_path / "in.zip"), "voxel_size": [9, 9, 9]}}
    line = [sys.executable, "-m", "fgnet.download", "volume", "--volume", "mine", "--settings",
            json.dumps(entry), "--output", str(tmp_path / "results/mine.h5")]  # fmt: skip
    done = subprocess.run(
        ["bash", "-c", 'ulimit -f 1024; exec "$@"', "bash", *line], cwd=ROOT, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    (told,) = [one for one in done.stderr.splitlines() if one.startswith("error: ")]
    assert "File too large" in told and "ulimit -f" in told
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["in.zip"]


def test_an_image_starts_no_other_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostScript that is called .png, for which Pillow would start Ghostscript."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/gs").write_text(f"#!/bin/sh\ntouch '{tmp_path}/pwned'\n")
    (tmp_path / "bin/gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    (tmp_path / "em").mkdir()
    text = "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"
    text += '%ImageData: 9 9 8 1 0 1 1 "x"\n%%EndComments\n'
    for number in range(3):
        (tmp_path / f"em/{number}.png").write_text(text)
    source = Source.checked({"path": str(tmp_path / "em")})
    cache = Cache(tmp_path / "cache", Download.checked({}))
    with (
        pytest.raises(InputError, match="is no image"),
        open_layer(source, "image", cache) as layer,
    ):
        layer.read((slice(0, 1),) * 3)
    with pytest.raises(InputError, match="cannot be read as an image"):
        store(ImageSet.checked({"source": str(tmp_path / "em")}), cache, tmp_path / "set.h5", {})
    assert not (tmp_path / "pwned").exists()
