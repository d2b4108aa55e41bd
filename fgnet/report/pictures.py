"""Pictures as the pages hold them: small files, scale bars, several side by side."""

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Array = npt.NDArray[Any]
GAP = 4  # pixels between pictures
FEW = 256  # colours that a picture is kept exactly with


def encode(picture: Array) -> tuple[bytes, str]:
    """A picture as WebP: exactly when it has few colours, else with losses that nobody sees.

    Half as large as JPEG, which knows no transparency either.

    Args:
        picture: (rows, columns), or with a last axis of 3 or 4 (red, green, blue, opacity), uint8.

    Returns:
        the file and its kind.
    """
    image = Image.fromarray(picture)
    stream = io.BytesIO()
    if picture.ndim == 3 and image.getcolors(FEW) is not None:
        image.save(stream, "WEBP", lossless=True, method=4)
    else:
        image.save(stream, "WEBP", quality=85, method=4, use_sharp_yuv=True)
    return stream.getvalue(), "webp"


def scale_bar(width: float) -> tuple[str, float]:
    """A round length near a fifth of the width (nm), in words and as share of the width."""
    power = 10.0 ** np.floor(np.log10(width / 5))
    length = float(max(factor * power for factor in (1, 2, 5) if factor * power <= width / 5))
    words = f"{length / 1000:g} µm" if length >= 1000 else f"{length:g} nm"
    return words, length / width


def as_rgb(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(y, x) -> (y, x, 3)."""
    return np.repeat(grey[..., None], 3, axis=2)


def beside(panels: list[npt.NDArray[np.uint8]], axis: int) -> npt.NDArray[np.uint8]:
    """Pictures (y, x, 3 or 4) along an axis with nothing between them: (y, x, 4)."""
    opaque = [
        np.concatenate([panel, np.full((*panel.shape[:2], 1), 255, np.uint8)], axis=2)
        if panel.shape[2] == 3
        else panel
        for panel in panels
    ]
    shape = list(opaque[0].shape)
    shape[axis] = GAP
    nothing = np.zeros(shape, np.uint8)
    parts = [part for panel in opaque for part in (panel, nothing)]
    return np.concatenate(parts[:-1], axis=axis)


def as_bytes(values: Array) -> npt.NDArray[np.uint8]:
    """Affinities as uint8, whether stored so or as floats from 0 to 1."""
    if values.dtype == np.uint8:
        return values
    scaled: npt.NDArray[np.uint8] = (values.astype(np.float32) * 255).clip(0, 255).astype(np.uint8)
    return scaled
