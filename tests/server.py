"""A real HTTP server on loopback that can be told to misbehave."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, unquote


class Server:
    """Serves bytes by path.

    Attributes:
        files: what lies at each path.
        limits: of each path, after how many bytes the next answers break off.
        statuses: of each path, what the next answers say instead of giving the file.
        stalls: of each path, how many of the next answers stop in the middle and never go on.
        lies: of each path, what is added to the length that is told.
        redirects: of each path, where its answer sends who asks.
        authorization: of each path, what the request's header of that name must be.
        ranges: whether ranges are answered with ranges.
        tags: whether the server says by which ETag a file is known.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.limits: dict[str, list[int]] = {}
        self.statuses: dict[str, list[int]] = {}
        self.stalls: dict[str, int] = {}
        self.lies: dict[str, int] = {}
        self.redirects: dict[str, str] = {}
        self.authorization: dict[str, str] = {}
        self.ranges = self.tags = True
        self.requests: list[tuple[str, str | None]] = []
        self.sent = 0
        self.closing = threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.answer(self)

            def do_HEAD(self) -> None:
                owner.answer(self, body=False)

            def log_message(self, *values: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def put(self, name: str, content: bytes) -> str:
        self.files[name] = content
        return self.url + quote(name)

    def close(self) -> None:
        self.closing.set()
        self.http.shutdown()
        self.http.server_close()

    def answer(self, handler: BaseHTTPRequestHandler, body: bool = True) -> None:
        name = unquote(handler.path[1:])
        wanted = handler.headers.get("Range")
        self.requests.append((name, wanted))
        status = self.statuses.get(name, []).pop(0) if self.statuses.get(name) else 200
        if self.authorization.get(name) not in (None, handler.headers.get("Authorization")):
            status = 401
        if name in self.redirects:
            handler.send_response(302)
            handler.send_header("Location", self.redirects[name])
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        if status != 200 or name not in self.files:
            handler.send_error(status if status != 200 else 404)
            return
        content = self.files[name]
        tag = f'"{hashlib.md5(content).hexdigest()}"' if self.tags else None
        start, stop = 0, len(content)
        partial = False
        if wanted and self.ranges and handler.headers.get("If-Range") in (None, tag):
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start = int(first) if first else len(content) - int(last)
            stop = min(int(last) + 1, stop) if first and last else stop
            if start >= len(content):
                handler.send_error(416)
                return
            partial = True
        handler.send_response(206 if partial else 200)
        if partial:
            handler.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(content)}")
        handler.send_header("Content-Length", str(stop - start + self.lies.get(name, 0)))
        if tag:
            handler.send_header("ETag", tag)
        handler.end_headers()
        if not body:
            return
        piece = content[start:stop]
        if self.limits.get(name):
            piece = piece[: self.limits[name].pop(0)]
        if self.stalls.get(name):
            self.stalls[name] -= 1
            piece = piece[: len(piece) // 2]
            self._send(handler, piece)
            handler.wfile.flush()
            self.closing.wait(30)
            return
        self._send(handler, piece)

    def _send(self, handler: BaseHTTPRequestHandler, piece: bytes) -> None:
        self.sent += len(piece)
        handler.wfile.write(piece)
