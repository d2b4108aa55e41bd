"""Pictures of the report's pages as a phone and a desktop show them, in light and dark.

    python docs/screenshots.py                 # docs/images/, from results/report of the demo
    python docs/screenshots.py --of images     # and of config/images.yaml
    python docs/screenshots.py --pages train/fgnet.html --output SCRATCH --whole

Fails where a page is wider than its window. Needs Chromium or Chrome and nothing of fgnet. It is
steered through a pipe (the devtools protocol with --remote-debugging-pipe), as a window on the
command line cannot be as narrow as a phone.
"""

import argparse
import base64
import io
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
WIDTHS = {"phone": 390, "desktop": 1280}
HEIGHTS = {"phone": 844, "desktop": 900}
# a browser reads commands from file 3 and answers to file 4
LAUNCHER = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
for number, end in enumerate(ends, 3):
    os.dup2(end, number)
os.execv(sys.argv[3], sys.argv[3:])
"""
TALLEST = 12_000  # pixels of a whole page
# what docs show of which run: page, device, scheme, and where to scroll to (a selector)
SHOWN = {
    "demo": {
        "segment-desktop": ("segment/fgnet/mean/phantom_test.html", "desktop", "light", ".keys"),
        "worst-desktop": ("segment/fgnet/mean/phantom_test.html", "desktop", "dark", ".cards"),
        "scores-desktop": ("evaluate.html", "desktop", "light", "body"),
        "train-desktop": ("train/fgnet.html", "desktop", "light", "h2"),
        "index-phone": ("index.html", "phone", "light", "body"),
        "segment-phone": ("segment/fgnet/mean/phantom_test.html", "phone", "dark", ".keys"),
    },
    "images": {
        "images-scores-desktop": ("evaluate.html", "desktop", "light", "body"),
        "mask-desktop": ("mask/polyp/test.html", "desktop", "light", ".keys"),
    },
}  # fmt: skip


class Browser:
    """A Chromium that answers over a pipe."""

    def __init__(self, process: subprocess.Popen[bytes], send: int, receive: int) -> None:
        self.process, self.send = process, send
        self.stream = os.fdopen(receive, "rb")
        self.numbers = itertools.count(1)
        self.session: str | None = None
        self.rest = b""
        self.wide: list[str] = []

    def call(self, method: str, **values: Any) -> dict[str, Any]:
        """One command; waits for its answer."""
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": values}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.send, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.answer()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result

    def wait(self, event: str) -> None:
        """Read until an event comes."""
        while self.answer().get("method") != event:
            pass

    def answer(self) -> dict[str, Any]:
        """The next message, which ends with a zero byte."""
        while b"\0" not in self.rest:
            more = os.read(self.stream.fileno(), 1 << 20)
            if not more:
                raise RuntimeError("the browser has ended")
            self.rest += more
        message, self.rest = self.rest.split(b"\0", 1)
        found: dict[str, Any] = json.loads(message)
        return found

    def shot(self, page: Path, device: str, scheme: str, at: str | None, media: str) -> Image.Image:
        """A page as one screen from ``at`` on, or whole."""
        width, height = WIDTHS[device], HEIGHTS[device]
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=device == "phone")  # fmt: skip
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", media=media, features=[feature])
        self.call("Page.navigate", url=page.resolve().as_uri())
        self.wait("Page.loadEventFired")
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        if size["width"] > width:
            self.wide.append(f"{page}: {size['width']} wide on a {device} of {width}")
        top = 0.0
        if at is None:
            height = min(int(size["height"]), TALLEST)
        else:
            code = f"document.querySelector({at!r}).getBoundingClientRect().top + scrollY"
            top = max(self.call("Runtime.evaluate", expression=code)["result"]["value"] - 12, 0)
        clip = {"x": 0, "y": top, "width": width, "height": height, "scale": 1}
        data = self.call("Page.captureScreenshot", format="png", clip=clip,
                         captureBeyondViewport=True)["data"]  # fmt: skip
        return Image.open(io.BytesIO(base64.b64decode(data)))


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser with one empty page."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        sys.exit(f"none of {', '.join(NAMES)} is installed; install one")
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    # its processes may write a little longer than the first of them lives
    with tempfile.TemporaryDirectory(prefix="fgnet-", ignore_cleanup_errors=True) as profile:
        command = [sys.executable, "-c", LAUNCHER, str(theirs_in), str(theirs_out), program,
                   "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                   "--remote-debugging-pipe", f"--user-data-dir={profile}"]  # fmt: skip
        process = subprocess.Popen(
            command, pass_fds=(theirs_in, theirs_out), stderr=subprocess.DEVNULL
        )
        os.close(theirs_in)
        os.close(theirs_out)
        found = Browser(process, ours_out, ours_in)
        try:
            target = found.call("Target.createTarget", url="about:blank")["targetId"]
            attached = found.call("Target.attachToTarget", targetId=target, flatten=True)
            found.session = attached["sessionId"]
            found.call("Page.enable")
            yield found
        finally:
            process.terminate()
            process.wait()


def save(picture: Image.Image, path: Path, colours: int | None = None) -> None:
    """As a PNG, of so many colours; one of 256 is a third as large."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = picture.convert("RGB")
    # without the means, rare colours such as those of thin curves would be mixed
    picture = picture.quantize(colours, kmeans=2) if colours else picture
    picture.save(path, optimize=True)
    print(f"{path}: {path.stat().st_size:,} bytes")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--of", choices=SHOWN, default="demo", help="whose report it is")
    parser.add_argument("--report", type=Path, default=Path("results/report"), help="its folder")
    parser.add_argument("--output", type=Path, default=ROOT / "docs/images")
    parser.add_argument("--pages", nargs="*", help="these, on all devices, in both schemes")
    parser.add_argument("--whole", action="store_true", help="from top to bottom, with --pages")
    parser.add_argument("--print", action="store_true", help="as on paper too, with --pages")
    given = parser.parse_args()
    with browser() as found:
        if not given.pages:
            for name, (page, device, scheme, at) in SHOWN[given.of].items():
                picture = found.shot(given.report / page, device, scheme, at, "screen")
                save(picture, given.output / f"report-{name}.png", 256)
        looks = [(device, scheme, "screen") for device in WIDTHS for scheme in ("light", "dark")]
        if given.print:
            looks.append(("desktop", "dark", "print"))
        for page, (device, scheme, media) in itertools.product(given.pages or (), looks):
            at = None if given.whole else "body"
            picture = found.shot(given.report / page, device, scheme, at, media)
            name = page.removesuffix(".html").replace("/", "-")
            word = scheme if media == "screen" else media
            save(picture, given.output / f"{name}-{device}-{word}.png")
        if found.wide:
            sys.exit("\n".join(found.wide))


if __name__ == "__main__":
    main()
