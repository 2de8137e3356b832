"""A `python` for DVC, its stages and genlab, with torch, transformers and DVC imported already.

Their import takes three to four seconds, nearly all the time of a stage of tests' sizes. A server
imports them once, and forks for every `python -m` of stages.NAME, dvc, genlab or pytest of a test;
the fork has the words, folder, environment and streams of that call, and it ends with its status or
signal. It has nothing of ours imported: every copy of the repository runs its own code. What is not
passed on are limits, privileges and process group of the caller.
"""

import atexit
import functools
import gc
import importlib
import json
import os
import runpy
import select
import socket
import subprocess
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path

# It asks the server for DVC or a stage, and becomes Python itself for anything else.
CLIENT = """\
import json, os, signal, socket, sys

python, address, *words = sys.argv[1:]
ours = ("dvc", "genlab", "pytest", "stages.", "pipelines.")
if words[:1] != ["-m"] or not words[1].startswith(ours):
    os.execv(python, [python, *words])
with socket.socket(socket.AF_UNIX) as server:
    server.connect(address)
    asked = [words[1:], os.getcwd(), dict(os.environ) | {"CALLERS_GROUP": str(os.getpgrp())}]
    socket.send_fds(server, [json.dumps(asked).encode() + b"\\n"], [0, 1, 2])
    status = int(server.recv(16))
if status < 0:
    os.kill(os.getpid(), -status)
sys.exit(status)
"""


@functools.cache
def warm_python() -> Path:
    """Return a folder with such a `python`, of which a test session has one.

    Its server ends with the process that starts it: pytest's first (tests/conftest.py).
    """
    from tests.made_once import session_folder

    folder = session_folder() / "warm"
    if not folder.exists():
        folder.mkdir()
        start(folder)
    return folder


def start(folder: Path) -> None:
    """Start the server, and write its `python` into the folder."""
    (folder / "client.py").write_text(CLIENT)
    call = [sys.executable, "-IS", folder / "client.py", sys.executable, folder / "socket"]
    quoted = " ".join(f"'{word}'" for word in call)
    for name, words in (("python", ""), ("dvc", "-m dvc")):
        (folder / name).write_text(f'#!/bin/sh\nexec {quoted} {words} "$@"\n')
        (folder / name).chmod(0o755)
    # -P: the folder of this file is no place to import from.
    server = subprocess.Popen(
        [sys.executable, "-P", __file__, folder / "socket"],
        stdin=subprocess.PIPE,  # which ends with this process, and the server with it
        stdout=subprocess.DEVNULL,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )
    atexit.register(end, server)
    while not (folder / "socket").exists() and server.poll() is None:
        time.sleep(0.01)


def end(server: subprocess.Popen) -> None:
    """End the server; its processor's time is this process's then, as `time make test` counts."""
    server.kill()
    server.wait()


def serve(address: str) -> list:
    """Answer calls for ever; in a fork that is to become a stage, return what was asked for."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        import_heavy()
        gc.freeze()  # or a collection in a fork would copy all that was imported
        while True:
            if sys.stdin in select.select([server, sys.stdin], [], [])[0]:
                os._exit(0)
            client, _ = server.accept()
            if os.fork() == 0:
                break
            client.close()
            with suppress(ChildProcessError):  # those that have ended
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
    asked, streams, _, _ = socket.recv_fds(client, 1 << 16, 3)
    while not asked.endswith(b"\n"):
        asked += client.recv(1 << 16)
    if stage := os.fork():
        status = os.waitstatus_to_exitcode(os.waitpid(stage, 0)[1])
        with suppress(ConnectionError):  # who asked has been killed
            client.sendall(str(status).encode())
        os._exit(0)
    client.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    return json.loads(asked)


def import_heavy() -> None:
    """Import what most calls do; nothing computes here, so a fork inherits no lock of a thread."""
    import transformers

    for name in ("AutoModelForCausalLM", "AutoTokenizer", "GPT2LMHeadModel", "Trainer"):
        getattr(transformers, name)  # imported when asked for
    wanted = ("peft", "pyarrow.parquet", "typer", "networkx", "pygit2", "ruamel.yaml")
    for name in (*wanted, "dvc.cli.parser", "dvc.repo", "dvc.repo.experiments"):
        importlib.import_module(name)


if __name__ == "__main__":
    address = sys.argv[1]
    words, folder, environment = serve(address)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv, sys.orig_argv = words, [sys.executable, "-m", *words]
    sys.executable = str(Path(address).with_name("python"))  # what it starts is warm, too
    more = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:0] = [folder, *more]
    for custom in (Path(path, "sitecustomize.py") for path in more):
        if custom.exists():
            runpy.run_path(str(custom))
    status = 0
    try:
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # to take down all that was imported would copy its memory
