"""Crops to affinities: a model on its device, with SAM2's features from the rolling window."""

import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from fgnet.infer import weights
from fgnet.infer.features import Fresh, Window
from fgnet.infer.stream import Crop, Image, Plan
from fgnet.infer.views import ALL, AS_IT_IS, Mean
from fgnet.model.convolution import channels_last
from fgnet.precision import autocast
from fgnet.settings.base import Offset
from fgnet.settings.infer import Inference


class Predictor:
    """A network that is called with the crops of a plan, in their order.

    Attributes:
        window: SAM2's features; None where the network has no SAM2.
        seconds: spent in the network so far, with the way to the device and back.
    """

    def __init__(
        self, network: nn.Module, offsets: Sequence[Offset], names: Sequence[str], plan: Plan,
        settings: Inference, device: torch.device,
    ) -> None:  # fmt: skip
        """``names`` are the network's maps that are wanted."""
        self.network = network.to(device).eval()
        channels_last(self.network)
        if settings.precision == "bfloat16":
            weights.bfloat16(self.network)
        self.offsets, self.names = offsets, names
        self.device, self.precision = device, settings.precision
        self.views = ALL if settings.flips else AS_IT_IS
        self.z_flips = (False, True) if settings.flips else (False,)
        sam2 = getattr(network, "sam2", None)
        self.window = None if sam2 is None else Window(plan, sam2.encode, len(self.views))
        self.seconds = 0.0

    def __call__(self, crops: Sequence[Crop]) -> Image:
        """Crops of B images (z, y, x) of uint8 -> (B, maps * channels, z, y, x) in [0, 1]."""
        start = time.perf_counter()
        images = np.stack([crop.image for crop in crops if crop.image is not None])
        origins = [crop.origin for crop in crops]
        with torch.inference_mode(), autocast(self.device, self.precision):
            raw = torch.from_numpy(images).to(self.device).float() / 255  # (B, D, H, W)
            mean = None
            passed: list[Fresh] = []
            for number, view in enumerate(self.views):
                seen = view.of(raw).contiguous()
                encoded = None
                if self.window is not None:
                    encoded, fresh = self.window.maps(seen, origins, number)
                    passed.append(fresh)
                for flip in self.z_flips:
                    found = self.affinities(seen, encoded, flip)  # (B * maps, C, D, H, W)
                    if len(self.views) == 1:
                        break
                    if mean is None:
                        mean = Mean(self.offsets, found.shape[:2] + raw.shape[1:], self.device)
                    mean.add(found, view, flip)
            whole = found if mean is None else mean.value()
            affinities: Image = whole.reshape(len(crops), -1, *raw.shape[1:]).cpu().numpy()
            if self.window is not None:
                for fresh in passed:  # now that nothing can run out of memory
                    self.window.keep(fresh)
        self.seconds += time.perf_counter() - start
        return affinities

    def affinities(self, seen: Tensor, encoded: list[Tensor] | None, flip: bool) -> Tensor:
        """Affinities (B * maps, C, D, H, W) of crops (B, D, H, W), perhaps flipped along z."""
        crops = (seen.flip(1) if flip else seen)[:, None]  # (B, 1, D, H, W)
        if encoded is None:
            maps = self.network(crops)
        else:
            maps = self.network(crops, [m.flip(2) for m in encoded] if flip else encoded)
        logits = torch.stack([maps[name].float() for name in self.names], dim=1)
        return torch.sigmoid(logits).flatten(0, 1)
