"""Folders of weights that others published: the first SAM, CLIP's text encoder."""

from pathlib import Path

from fgnet import pretrained
from fgnet.checksum import digest
from fgnet.download.cache import Cache, locked
from fgnet.download.http import fetch
from fgnet.errors import InputError
from fgnet.settings.download import Download
from fgnet.whole import whole_folder_or_nothing


def folder(name: str, output: Path, settings: Download) -> None:
    """Fetch the files of a folder that :mod:`fgnet.pretrained` names.

    They are kept beside the output while some are missing, so that a broken run goes on there.

    Raises:
        InputError: there is no such folder, or a file cannot be fetched or is not what came first.
    """
    if name not in pretrained.FOLDERS:
        raise InputError(
            f"there are no weights {name!r}; choose {', '.join(sorted(pretrained.FOLDERS))}"
        )
    cache = Cache(output.parent, settings)
    fetched = {}
    for file, url in pretrained.addresses(name).items():
        target = output.parent / f".{name}.{file}"
        wanted = pretrained.CHECKSUMS.get(url) or cache.first(url)
        with locked(target):
            if not (target.is_file() and wanted and digest(target, wanted) == wanted):
                fetch(url, target, settings, wanted)
        cache.check(url, digest(target))
        fetched[file] = target
    cache.remember()
    with whole_folder_or_nothing(output) as partial:
        for file, target in fetched.items():
            target.rename(partial / file)
