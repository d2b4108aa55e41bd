"""A Slurm cluster of one node, on this machine, with two GPUs that are none."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

CONF = Path("/etc/slurm/slurm.conf")  # jobs drop SLURM_CONF, so it must lie where Slurm looks
GRES = CONF.with_name("gres.conf")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel")
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def missing() -> str | None:
    """Why no cluster can be started here, or None."""
    absent = [name for name in PROGRAMS if not shutil.which(name, path=PATH)]
    if absent:
        return f"Slurm is not installed (no {', '.join(absent)}): apt-get install slurm-wlm munge"
    if os.geteuid() != 0:
        return "only root can start Slurm's daemons"
    if CONF.exists() or GRES.exists():
        return f"{CONF} or {GRES.name} is there: another cluster's, or left by a killed test"
    return None


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


class Cluster:
    """Starts the daemons; ``close`` ends all jobs and daemons and removes the configuration."""

    partition = "tiny"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemons: list[subprocess.Popen[bytes]] = []
        host = socket.gethostname().split(".")[0]
        for name in ("state", "spool"):
            (folder / name).mkdir(parents=True)
        key = folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        prolog = folder / "devices.sh"
        prolog.write_text(
            f'#!/bin/sh\necho "$SLURM_JOB_ID ${{CUDA_VISIBLE_DEVICES-none}}" >> {folder}/devices\n'
        )
        prolog.chmod(0o755)
        text = Path(__file__).with_name("slurm.conf").read_text()
        for word, value in {
            "FOLDER": folder, "HOST": host, "PARTITION": self.partition,
            "PORT": free_port(), "NODE_PORT": free_port(),
        }.items():  # fmt: skip
            text = text.replace(f"@{word}@", str(value))
        CONF.parent.mkdir(exist_ok=True)
        CONF.write_text(text)
        GRES.write_text("Name=gpu File=/dev/null\nName=gpu File=/dev/zero\n")
        try:
            self._start(
                "munged",
                "--foreground",
                "--force",
                f"--socket={folder}/munge.socket",
                f"--key-file={key}",
                f"--pid-file={folder}/munge.pid",
                f"--log-file={folder}/munge.log",
                f"--seed-file={folder}/munge.seed",
            )
            self._wait((folder / "munge.socket").exists, "munged")
            self._start("slurmctld", "-D", "-c")
            self._start("slurmd", "-D", "-N", host)
            self._wait(lambda: "idle" in run("sinfo", "-h", "-o", "%t", check=False), "slurmd")
        except BaseException:
            self.close()
            raise

    def _start(self, name: str, *options: str) -> None:
        program = shutil.which(name, path=PATH)
        assert program
        with (self.folder / f"{name}.out").open("wb") as said:
            self.daemons.append(subprocess.Popen([program, *options], stdout=said, stderr=said))

    def _wait(self, ready: Callable[[], bool], name: str) -> None:
        end = time.monotonic() + 30
        while not ready():
            if time.monotonic() > end or any(one.poll() is not None for one in self.daemons):
                logs = sorted([*self.folder.glob("*.out"), *self.folder.glob("*.log")])
                said = "\n".join(f"{log.name}: {log.read_text()[-1500:]}" for log in logs)
                raise RuntimeError(f"{name} did not start.\n{said}")
            time.sleep(0.1)

    def jobs(self) -> list[dict[str, str]]:
        """What Slurm knows of every job since the start, in its own words."""
        lines = run("scontrol", "--oneliner", "show", "jobs").splitlines()
        return [dict(re.findall(r"(\w+)=(\S*)", line)) for line in lines if "JobId=" in line]

    def devices(self) -> dict[str, str]:
        """CUDA_VISIBLE_DEVICES of every job that ran, or none."""
        lines = (self.folder / "devices").read_text().splitlines()
        return dict(line.split(maxsplit=1) for line in lines)

    def close(self) -> None:
        """Kill what still runs, and leave nothing in /etc."""
        run("scancel", "--user=root", "--signal=KILL", "--full", check=False)
        for daemon in reversed(self.daemons):
            daemon.send_signal(signal.SIGTERM)
        for daemon in reversed(self.daemons):
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
        for path in (CONF, GRES):
            path.unlink(missing_ok=True)


def run(*command: str, check: bool = True) -> str:
    """What a command of Slurm prints."""
    return subprocess.run(command, capture_output=True, text=True, check=check).stdout
