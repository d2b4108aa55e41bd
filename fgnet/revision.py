"""Which code runs: the revision of the repository that the package lies in, if it lies in one."""

import subprocess
from pathlib import Path

# what decides results; a config is kept with them as it was resolved
CODE = ("Snakefile", "workflow", "fgnet", "notebooks", "envs")
CHANGED = "+changed"


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
    """The address of the repository's origin; "" where git knows of none."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "remote", "get-url", "origin"],
            capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
