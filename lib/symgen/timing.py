"""Where the time of a run goes: seconds by stage, of all its processes, summed up at its end."""

import os
import time
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import psutil

QUIET = 20  # seconds after which long work without a progress bar says how far it is
LOG = "SYMGEN_SECONDS"  # in the environment: the file to which the processes of a run add their seconds

_log = os.environ.pop(LOG, "")  # taken out: a kernel that this process starts is part of its stages
_open = []  # seconds that inner stages took, for each stage that is under way


@contextmanager
def stage(name: str):
    """Count the seconds within as those of a stage, but for what stages within it take; nothing outside a run."""
    start = time.perf_counter()
    _open.append(0.0)
    try:
        yield
    finally:
        seconds, within = time.perf_counter() - start, _open.pop()
        if _open:
            _open[-1] += seconds
        add(name, seconds - within)


def add(name: str, seconds: float) -> None:
    """Add seconds to a stage of the run."""
    if _log:
        with open(_log, "a") as log:  # short lines, which processes do not mix
            log.write(f"{name},{seconds:.4f}\n")


def started() -> None:
    """Count what this process has taken so far as `starting`: Python, and what it imports."""
    add("starting", time.time() - psutil.Process().create_time())


def breakdown(log: Path, wall: float, cores: int) -> pd.DataFrame:
    """Seconds by stage, the longest first: stage, seconds, share of what `cores` could do in `wall` seconds."""
    spent = pd.read_csv(log, names=["stage", "seconds"]).groupby("stage").seconds.sum().sort_values(ascending=False)
    spent["idle"] = max(0.0, wall * cores - spent.sum())
    table = spent.reset_index()
    return table.assign(share=table.seconds / (wall * cores), cores=cores)
