"""Links that open exported volumes in Neuroglancer."""

import html
from collections.abc import Iterable
from urllib.parse import quote

STATE = "neuroglancer.json"
# the client that the package neuroglancer brings wants a token in its address, after /v/
CLIENT = "/client/v/fgnet/"
PUBLIC = "https://neuroglancer-demo.appspot.com/"


def local(address: str, volume: str) -> str:
    """The link to a volume in the client that :mod:`fgnet.export.serve` serves itself."""
    return f"{address}{CLIENT}#!{address}/{quote(volume)}/{STATE}"


def public(address: str, volume: str) -> str:
    """The link to a volume in the public client, which reads from the same address."""
    return f"{PUBLIC}#!{address}/{quote(volume)}/{STATE}"


def page(address: str, volumes: Iterable[str]) -> str:
    """A page with the links of volumes."""
    rows = "\n".join(
        f'<p><a href="{html.escape(local(address, name))}">{html.escape(name)}</a> '
        f'(<a href="{html.escape(public(address, name))}">in the public client</a>)</p>'
        for name in volumes
    )
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>Neuroglancer</title>\n'
        f"<h1>Neuroglancer</h1>\n{rows}\n"
        "<p>The links work while <code>python -m fgnet.export serve</code> runs.</p>\n</html>\n"
    )
