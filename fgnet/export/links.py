"""The page of links that lies beside exported volumes."""

import html
from collections.abc import Iterable

from fgnet import viewer


def page(address: str, volumes: Iterable[str]) -> str:
    """A page with the links of volumes."""
    rows = "\n".join(
        f'<p><a href="{html.escape(viewer.local(address, name))}">{html.escape(name)}</a> '
        f'(<a href="{html.escape(viewer.public(address, name))}">in the public client</a>)</p>'
        for name in volumes
    )
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>Neuroglancer</title>\n'
        f"<h1>Neuroglancer</h1>\n{rows}\n"
        "<p>The links work while <code>python -m fgnet.export serve</code> runs.</p>\n</html>\n"
    )
