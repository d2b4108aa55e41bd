"""Where the weights of the first SAM and of CLIP are published, for those who download them.

Each is a folder of files in the layout of the transformers package. Nothing here touches the
network, and no checksum is known to us from elsewhere.
"""

from pathlib import Path
from typing import Any

HUB = "https://huggingface.co"
MODEL = ("config.json", "pytorch_model.bin")
TOKENIZER = ("vocab.json", "merges.txt")
FOLDERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "sam_vit_base": ("facebook/sam-vit-base", MODEL),
    "sam_vit_large": ("facebook/sam-vit-large", MODEL),
    "sam_vit_huge": ("facebook/sam-vit-huge", MODEL),
    "clip_vit_b_32": ("openai/clip-vit-base-patch32", MODEL + TOKENIZER),
    "clip_vit_b_16": ("openai/clip-vit-base-patch16", MODEL + TOKENIZER),
    "clip_vit_l_14": ("openai/clip-vit-large-patch14", MODEL + TOKENIZER),
}
CHECKSUMS: dict[str, str] = {}  # of addresses, as "sha256:..."


def addresses(name: str) -> dict[str, str]:
    """The files of a folder and their addresses. Raises KeyError for a name that is none."""
    repository, files = FOLDERS[name]
    return {file: f"{HUB}/{repository}/resolve/main/{file}" for file in files}


def opened(kind: Any, path: Path) -> Any:
    """A model of the class ``kind`` of transformers from such a folder.

    Raises ValueError where the folder lacks weights, which the package would make up.
    """
    model, told = kind.from_pretrained(path, local_files_only=True, output_loading_info=True)
    if told["missing_keys"]:
        raise ValueError(f"it has no {min(told['missing_keys'])}")
    return model
