"""Jobs whose Python has loaded fgnet already: each is a fork of one process, as loading torch takes
longer than most jobs of a tiny run.

A program called ``python`` hands ``python -m fgnet.STAGE ...`` over, with its arguments, variables,
folder and open files, and ends as the job did; anything else it starts as it is. What a start of
one's own is for, such as what an environment lacks, tests see that run without this.

python warm_jobs.py SOCKET
"""

import atexit
import importlib
import json
import os
import pkgutil
import runpy
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
# what is loaded where it is used, since it takes long
LATE = (
    "hydra.utils", "peft", "sam2.modeling.backbones.hieradet", "torch.utils.tensorboard",
    "transformers.models.sam.modeling_sam", "transformers.models.clip.modeling_clip",
)  # fmt: skip
# run by the bare interpreter, in a hundredth of a second
CLIENT = """
import json, os, socket, sys
if sys.argv[1:2] != ["-m"] or not sys.argv[2].startswith("fgnet."):
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
job = socket.socket(socket.AF_UNIX)
job.connect({address!r})
told = json.dumps([sys.argv[2:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(job, [len(told).to_bytes(8, "big")], [0, 1, 2])
job.sendall(told)
sys.exit(int(job.recv(8) or b"1"))
"""


@cache
def python() -> str:
    """The program; it and the process behind it last as long as these tests."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    address = str(folder / "socket")
    client, shim = folder / "client.py", folder / "python"
    client.write_text(CLIENT.format(python=sys.executable, address=address))
    shim.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, "-ISE", str(client)])} "$@"\n')
    shim.chmod(0o755)
    server = subprocess.Popen(
        [sys.executable, __file__, address], cwd=ROOT, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    atexit.register(server.kill)
    assert server.stdout and server.stdout.readline()
    return str(shim)


def serve(address: str) -> None:
    """Load every module of fgnet, then fork for each job."""
    import fgnet

    for one in pkgutil.walk_packages(fgnet.__path__, "fgnet."):
        if not one.name.endswith("__main__"):
            importlib.import_module(one.name)
    for name in LATE:
        importlib.import_module(name)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(address)
    listening.listen(16)
    print("ready", flush=True)
    signal.signal(signal.SIGCHLD, lambda *_: ended())
    # until the tests end, however they do
    while sys.stdin not in select.select([listening, sys.stdin], [], [])[0]:
        job, _ = listening.accept()
        if not os.fork():
            listening.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            work(job)
        job.close()


def ended() -> None:
    """Forget jobs that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def work(job: socket.socket) -> None:
    """Be a job, as ``python -m`` would be; tell its exit status and end."""
    size, files, _, _ = socket.recv_fds(job, 8, 3)
    told = b""
    while len(told) < int.from_bytes(size, "big"):
        told += job.recv(1 << 20)
    words, folder, environment = json.loads(told)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = list(words)
    status = 0
    try:
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    job.sendall(str(status).encode())
    os._exit(0)


if __name__ == "__main__":
    serve(sys.argv[1])
