"""What the network is told in words: one embedding for each prompt, computed once.

CLIP's text encoder (arXiv 2103.00020) comes from the transformers package. It is not part of the
network: only its embeddings are, as a buffer that a checkpoint stores, so that inference needs
neither the encoder nor its weights.
"""

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fgnet import pretrained
from fgnet.errors import InputError
from fgnet.settings.encoders import Text

WIDTHS = {"vit_b_32": 512, "vit_b_16": 512, "vit_l_14": 768}


class Prompts(nn.Module):
    """Embeddings (P, width) of the prompts, each of length one.

    Official ones are no numbers until :meth:`load_official` has computed them or a checkpoint has
    brought them, so that no loss can be had without them.
    """

    embeddings: Tensor

    def __init__(self, settings: Text) -> None:
        super().__init__()
        self.prompts = settings.prompts
        width = WIDTHS[settings.model]
        given = torch.full((len(self.prompts), width), torch.nan)
        if settings.weights == "random":
            given = torch.stack([arbitrary(prompt, width) for prompt in self.prompts])
        self.register_buffer("embeddings", given)

    def forward(self) -> Tensor:
        """(P, width)."""
        return self.embeddings

    @torch.no_grad()
    def load_official(self, path: Path) -> None:
        """Compute the embeddings with CLIP from a folder in the layout of transformers.

        Raises:
            InputError: it holds no CLIP, or one of another size.
        """
        from transformers import CLIPTextModelWithProjection, CLIPTokenizer  # slow to import

        try:
            encoder = pretrained.opened(CLIPTextModelWithProjection, path)
            tokenizer: Any = CLIPTokenizer.from_pretrained(path, local_files_only=True)
            words = tokenizer(
                list(self.prompts), padding=True, truncation=True, return_tensors="pt"
            )
            found = encoder.eval()(**words).text_embeds  # (P, width)
            self.embeddings.copy_(nn.functional.normalize(found, dim=1))
        except Exception as error:  # the package raises many kinds for a folder that is no model
            raise InputError(
                f"{str(path)!r} does not hold the CLIP that network.text.model asks for "
                f"({str(error)[:200]}); name the model of the weights or download them again"
            ) from error


def arbitrary(prompt: str, width: int) -> Tensor:
    """A random vector (width,) of length one that hangs on the prompt's letters alone."""
    seed = int.from_bytes(hashlib.sha256(prompt.encode()).digest()[:8], "big")
    drawn = np.random.default_rng(seed).standard_normal(width)
    # an exact sum has the same bits on every processor
    return torch.from_numpy((drawn / math.sqrt(math.fsum(drawn**2))).astype(np.float32))
