"""Everything of some studies: Snakemake on the project's map, under a lock."""

import fcntl
import os
import subprocess
import sys
from contextlib import contextmanager

from symgen.errors import InputError, handle_signals
from symgen.interactions import prepare
from symgen.store import project_root
from symgen.study import Study, jobs

EMBEDDED = ("fashion-vgg", "snippets-bert", "snippets-lm")  # studies whose data come with the project


def make_figures(arguments: list[str]) -> int:
    """Run the map for the studies that are named first among the arguments, all embedded ones without a name.

    What follows them goes to Snakemake. InputError, in one line, for a study that is not there; exit code of Snakemake.
    """
    studies, options = _divided(arguments)
    for name in studies:
        jobs(Study.load(name))
    prepare()
    with _lock() as lock:
        command = [
            sys.executable,
            "-m",
            "snakemake",
            "--nolock",
            "--quiet",
            "rules",
            "--rerun-incomplete",
            "--keep-going",
        ]
        elsewhere = {option.split("=")[0] for option in options} & {"--cores", "-c", "--profile", "--executor", "-e"}
        cores = [] if elsewhere else ["--cores", "all"]  # a cluster has more cores than this
        path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"  # the jobs' python is this one
        command += [*cores, *options, "--config", f"studies={','.join(studies)}"]
        return _run(command, os.environ | {"PATH": path}, lock)


def _divided(arguments):
    """Names of studies, and what is for Snakemake; where --config studies=... names them, all other words are."""
    count = next((i for i, word in enumerate(arguments) if word.startswith("-")), len(arguments))
    names, options = arguments[:count], arguments[count:]
    for i, word in enumerate(options):
        if word.startswith("studies=") and options[i - 1] == "--config":
            return word.removeprefix("studies=").split(","), [*names, *options[: i - 1], *options[i + 1 :]]
    return names or list(EMBEDDED), options


@contextmanager
def _lock():
    """One run at a time; a lock that dies with its holder: a run that was killed does not stand in the next one's way."""
    runs = project_root() / "data" / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    with open(runs / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                "another run is at work in this folder (data/runs/.lock); wait for it, or stop it"
            ) from None
        yield lock


def _run(command, environment, lock):
    """In a process group of its own, which a signal reaches as a whole: the jobs end, and then Snakemake."""
    process = subprocess.Popen(command, cwd=project_root(), env=environment, pass_fds=[lock.fileno()], process_group=0)
    handle_signals(lambda number, _: os.killpg(process.pid, number))
    return process.wait()
