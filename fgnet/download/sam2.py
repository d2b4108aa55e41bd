"""The official checkpoints of SAM 2 and 2.1.

Addresses as in facebookresearch/sam2, checkpoints/download_ckpts.sh. Only one checksum is known
from elsewhere; the others are noted in the lock file when they first come.
"""

from pathlib import Path

from fgnet.checksum import digest, sha256
from fgnet.download.cache import Cache, locked
from fgnet.download.http import fetch
from fgnet.errors import InputError
from fgnet.settings.download import Download

HOST = "https://dl.fbaipublicfiles.com/segment_anything_2"
RELEASES = {"sam2.1_hiera": "092824", "sam2_hiera": "072824"}
SIZES = ("tiny", "small", "base_plus", "large")
ADDRESSES = {
    f"{family}_{size}": f"{folder}/{family}_{size}.pt"
    for family, folder in RELEASES.items()
    for size in SIZES
}
CHECKSUMS = {
    "sam2.1_hiera_large": "sha256:2647878d5dfa5098f2f8649825738a9345572bae2d4350a2468587ece47dd318"
}


def checkpoint(name: str, output: Path, settings: Download) -> None:
    """Fetch a checkpoint and write its SHA-256 beside it as ``OUTPUT.sha256``.

    Raises InputError for a name that is not one of the eight, or when it cannot be fetched.
    """
    if name not in ADDRESSES:
        raise InputError(f"there is no SAM2 checkpoint {name!r}; choose {', '.join(ADDRESSES)}")
    url, cache = f"{HOST}/{ADDRESSES[name]}", Cache(output.parent, settings)
    with locked(output):
        fetch(url, output, settings, CHECKSUMS.get(name) or cache.first(url))
    if name not in CHECKSUMS:
        cache.check(url, digest(output))
        cache.remember()
    sidecar = output.with_name(f"{output.name}.sha256")
    sidecar.write_text(f"{sha256(output)}  {output.name}\n", encoding="utf-8")
