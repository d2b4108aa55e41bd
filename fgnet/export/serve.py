"""A small web server for exported folders: ranges, CORS, and Neuroglancer's client.

Neuroglancer reads chunks over http, from another origin, and parts of files by range. The client
is the one that the package neuroglancer brings, where it is installed. Meant for one's own
machine: it listens on 127.0.0.1 unless told otherwise, and only reads.
"""

import importlib.util
import io
import json
import re
import socket
import time
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from fgnet import viewer
from fgnet.errors import InputError
from fgnet.export import links

EVENTS = viewer.CLIENT.replace("/v/", "/events/").rstrip("/")
EVERYWHERE = ("", "0.0.0.0")  # noqa: S104
PIECE = 1 << 20
NEAR = 0.5  # voxels a pixel, where one looks at a place
# what is selected stands out there; the others stay in sight, lest something seem to be missing
ALPHAS = {"selectedAlpha": 0.6, "notSelectedAlpha": 0.15}
RANGE = re.compile(r"bytes=(?:(\d+)-(\d*)|-(\d+))")
SOURCE = re.compile(r"(?<=\")(precomputed|zarr3)://(https?://[^\"]+)")
HEADERS = {
    "Accept-Ranges": "bytes",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "Range",
    "Access-Control-Allow-Private-Network": "true",
    "Access-Control-Expose-Headers": "Content-Length, Content-Range",
    "Cache-Control": "no-cache",
}


def run(folder: Path, host: str, port: int) -> None:
    """Serve until interrupted; prints the links of every volume.

    Raises:
        InputError: the folder holds no export, or the port is taken.
    """
    found = volumes(folder)
    if not found:
        raise InputError(
            f"{str(folder)!r} holds no VOLUME/{viewer.STATE}; name precomputed or ome_zarr in "
            "export.formats and run the workflow first"
        )
    with server(folder, host, port) as made:
        for name in found:
            if client():
                print(f"{name}: {viewer.local(made.address, name)}")
            print(f"{name} in the public client: {viewer.public(made.address, name)}")
        print("Open a link in a browser; Ctrl-C ends the server.", flush=True)
        with suppress(KeyboardInterrupt):
            made.serve_forever()


def volumes(folder: Path) -> list[str]:
    """The volumes that can be shown."""
    return sorted(path.parent.name for path in folder.glob(f"*/{viewer.STATE}"))


class Server(ThreadingHTTPServer):
    """The server; ``address`` is what its links name."""

    daemon_threads = True
    address = ""


def server(folder: Path, host: str, port: int) -> Server:
    """A server that is bound but does not serve yet; port 0 takes a free one."""
    try:
        made = Server((host, port), partial(Handler, directory=str(folder.resolve())))
    except OSError as error:
        raise InputError(f"{host}:{port} cannot be listened on ({error}); try --port") from error
    # all addresses of a machine are none that a browser elsewhere could ask
    name = socket.getfqdn() if host in EVERYWHERE else host
    made.address = f"http://{name}:{made.server_port}"
    return made


def client() -> Path | None:
    """The folder of Neuroglancer's client if its package is installed; nothing is imported."""
    found = importlib.util.find_spec("neuroglancer")
    if found is None or not found.submodule_search_locations:
        return None
    path = Path(found.submodule_search_locations[0]) / "static" / "client"
    return path if (path / "index.html").is_file() else None


class Handler(SimpleHTTPRequestHandler):
    """Answers requests; ``server`` is a :class:`Server`."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_OPTIONS(self) -> None:
        """Allow what browsers ask about before they read."""
        self.send_response(HTTPStatus.NO_CONTENT)
        self.end_headers()

    def do_HEAD(self) -> None:
        """The headers alone."""
        self.do_GET()

    def do_GET(self) -> None:
        """A file or a part of it, a state, the page of links, or the client's events."""
        try:
            parts = urlsplit(self.path)
        except ValueError:
            return self.send_error(HTTPStatus.BAD_REQUEST)
        place = parts.path
        if place == EVENTS:
            return self.wait()
        if place == "/":
            page = links.page(self.asked(), volumes(Path(self.directory)))
            return self.reply(io.BytesIO(page.encode()), "text/html; charset=utf-8")
        root: Path | None = Path(self.directory)
        if place.startswith(viewer.CLIENT):
            root, place = client(), place.removeprefix(viewer.CLIENT) or "index.html"
        path = inside(root, unquote(place)) if root else None
        if root is None or path is None:
            return self.send_error(HTTPStatus.NOT_FOUND)
        if path.name == viewer.STATE:
            state = here(path, root, self.asked())
            try:
                if wanted := viewer.Place.read(parts.query):
                    state = looking(state, wanted)
            except ValueError as error:
                return self.send_error(HTTPStatus.BAD_REQUEST, explain=str(error))
            return self.reply(io.BytesIO(state), "application/json")
        with path.open("rb") as stream:
            self.reply(stream, self.guess_type(path))

    def asked(self) -> str:
        """The address as the browser knows it, which differs behind a forwarded port."""
        name = self.headers.get("Host")
        return f"http://{name}" if name else self.server.address

    def reply(self, stream: BinaryIO, kind: str) -> None:
        """Send a stream, or the range of it that is asked for."""
        size = stream.seek(0, io.SEEK_END)
        start, stop = 0, size
        wanted = RANGE.fullmatch(self.headers.get("Range", ""))
        if wanted:
            first, last, tail = wanted.groups()
            start = max(size - int(tail), 0) if tail else int(first)
            stop = min(int(last) + 1, size) if last else size
        if wanted and start >= stop:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self.send_header("Content-Range", f"bytes */{size}")
            start = stop = 0
        else:
            self.send_response(HTTPStatus.PARTIAL_CONTENT if wanted else HTTPStatus.OK)
            self.send_header("Content-Type", kind)
            if wanted:
                self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
        self.send_header("Content-Length", str(stop - start))
        self.end_headers()
        stream.seek(start)
        while self.command == "GET" and start < stop:
            start += self.wfile.write(stream.read(min(PIECE, stop - start)))

    def wait(self) -> None:
        """The stream on which the client waits for orders from Python: there are none."""
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        while self.command == "GET":
            self.wfile.write(b":\n\n")
            time.sleep(5)

    def handle(self) -> None:
        """Answer until the browser hangs up."""
        with suppress(ConnectionError):
            super().handle()

    def end_headers(self) -> None:
        """Let pages of other origins read everything, always as it is now."""
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of single requests: a view takes hundreds."""


def inside(root: Path, place: str) -> Path | None:
    """The file at a place under a folder; None where there is none, or it lies outside."""
    try:
        path = (root / place.lstrip("/")).resolve()
        return path if path.is_relative_to(root.resolve()) and path.is_file() else None
    except (OSError, ValueError):
        return None


def here(path: Path, root: Path, address: str) -> bytes:
    """A state whose sources name this server instead of the address that it was written for."""

    def moved(match: re.Match[str]) -> str:
        parts = match[2].split("/")
        tails = ["/".join(parts[start:]) for start in range(len(parts))]
        known = next((tail for tail in tails if (root / unquote(tail)).is_dir()), None)
        return f"{match[1]}://{address}/{known}" if known else match[0]

    return SOURCE.sub(moved, path.read_text(encoding="utf-8")).encode()


def looking(state: bytes, place: viewer.Place) -> bytes:
    """A state that looks at a place from near by, with its segments selected.

    Raises:
        ValueError: the state has no such layer of segments.
    """
    found: dict[str, Any] = json.loads(state)
    # the middle of the voxel
    found["position"] = [at + 0.5 for at in place.voxel[::-1]]
    found["crossSectionScale"] = min(found["crossSectionScale"], NEAR)
    if place.layer:
        layers = [one for one in found["layers"] if one["type"] == "segmentation"]
        if place.layer not in [one["name"] for one in layers]:
            raise ValueError("there is no such layer; export it and run the workflow again")
        for one in layers:
            one["visible"] = one["name"] == place.layer
            if one["visible"]:
                one |= {"segments": [*map(str, place.segments)], **ALPHAS}
    return json.dumps(found, ensure_ascii=False).encode()
