"""Which code runs: the revision of the repository that the package lies in, if it lies in one."""

import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

# what decides results; a config is kept with them as it was resolved
CODE = ("Snakefile", "workflow", "fgnet", "notebooks", "envs")
CHANGED = "+changed"
WEB = ("https", "http")
SCHEMES = (*WEB, "ssh", "git", "git+ssh")
SHORT = re.compile(r"(?:[^@:/]+@)?([^@:/]+):(?!/)(.+)")  # git@HOST:PATH


def revision(root: Path) -> str:
    """The commit, with ``+changed`` where the code differs from it; "" where git knows of none."""
    # takes no lock, which a commit made at the same time would stumble over
    command = ["git", "--no-optional-locks", "-C", str(root), "status", "--porcelain=v2",
               "--branch", "--", *CODE]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return ""
    lines = done.stdout.splitlines()
    commit = next((one.split()[-1] for one in lines if one.startswith("# branch.oid ")), "")
    if not commit.isalnum():  # "(initial)": nothing is committed yet
        return ""
    changed = any(not one.startswith("#") for one in lines)
    return commit + CHANGED if changed else commit


def remote(root: Path) -> str:
    """The address of the repository's origin on the web; "" where git knows of none."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "remote", "get-url", "origin"],  # noqa: S607
            capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return web(done.stdout.strip())


def web(address: str) -> str:
    """Where a browser finds a repository; "" for a form that does not tell.

    Forges show at https://HOST/PATH what they give at ssh://git@HOST/PATH.git, git@HOST:PATH.git
    or git://HOST/PATH. Users, passwords, queries and ports other than the web's go.
    """
    short = SHORT.fullmatch(address)
    if short:
        address = f"ssh://{short[1]}/{short[2]}"
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    # a name without a dot is an alias of this machine's, or this machine
    if parts.scheme not in SCHEMES or "." not in host:
        return ""
    on_web = parts.scheme in WEB
    scheme, where = (parts.scheme, f":{port}" if port else "") if on_web else ("https", "")
    path = parts.path.strip("/").removesuffix(".git")
    return f"{scheme}://{host}{where}/{path}" if path else ""
