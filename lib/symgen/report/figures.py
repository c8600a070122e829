"""Everything of some studies: Snakemake on the project's map, under a lock; then where the time went."""

import argparse
import multiprocessing
import os
import re
import signal
import sys
import time
from contextlib import contextmanager, suppress

import yaml

from symgen import timing
from symgen.errors import InputError, handle_signals
from symgen.report.readme import update_readme
from symgen.report.runner import executed_path
from symgen.store import file_state, project_root
from symgen.study import Study, jobs

DEFAULT = "fashion-vgg"
NOTEBOOK_MINUTES = 0.25  # of several side by side
OPTIONS = ("--nolock", "--quiet", "rules", "--rerun-incomplete", "--keep-going")  # of Snakemake


def make_figures(arguments: list[str]) -> int:
    """Run the map for the studies that are named first among the arguments, `DEFAULT` without a name.

    What follows them goes to Snakemake. Where the time went is printed at the end, and kept in data/runs/seconds.csv; the
    pages take over the new results. InputError, in one line, for a study that is not there; exit code of Snakemake.
    """
    from snakemake.utils import available_cpu_count  # those that this process may use

    names, options = _divided(arguments)
    asked = _asked(options)
    cores, studies = _cores(asked), [Study.load(name) for name in names]
    if len({study.figures_root for study in studies}) > 1:
        roots = ", ".join(f"{study.figures_root!r} of {study.name}" for study in studies)
        raise InputError(f"figures_root is {roots}; expected one folder, which has the claims: run them one by one")
    waiting = sum(
        not (study.runs_dir / "done" / f"{job.name}.job").exists() for study in studies for job in jobs(study)
    )
    number = str(asked.cores or _of_profile(asked.profile).get("cores", "all"))
    with _lock():
        before = _claims_state()
        with _timed(available_cpu_count() if number == "all" else int(number)):
            code = _run([*OPTIONS, *cores, *options, "--config", f"studies={','.join(names)}"], waiting)
        if not code and _claims_state() != before:  # a run with nothing to do, or of other figures, need not write them
            update_readme()
    for study in studies if not code else ():
        places = study.figures_dir, executed_path(study, "").parent
        if all(place.is_dir() for place in places):  # not of a plan
            print("{}: figures in {}, executed notebooks in {}".format(study.name, *map(os.path.relpath, places)))
    return code


def _claims_state():
    """What changes when the claims, which README and docs take over, are written again."""
    claims = project_root() / "figures" / "claims.csv"
    return file_state(claims) if claims.is_file() else None


def _cores(asked):
    """All, but where the options say how many, or that it is another machine's matter."""
    if asked.cores and not re.fullmatch(r"all|0*[1-9]\d*", asked.cores):
        raise InputError(f"--cores {asked.cores}; expected a number of 1 or more, or all")
    return [] if asked.cores or asked.profile or asked.executor else ["--cores", "all"]


def _asked(options):
    """What the options say of cores, jobs, profile and executor, None where nothing."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for names in (("--cores", "-c"), ("--jobs", "-j"), ("--profile",), ("--executor", "-e")):
        parser.add_argument(*names, nargs="?", const="without a value")
    asked = parser.parse_known_args(options)[0]
    if not (asked.profile or asked.executor) and re.fullmatch(r"0*[1-9]\d*", asked.jobs or ""):  # here jobs are cores
        asked.cores = asked.cores or asked.jobs
    return asked


def _of_profile(profile):
    """The options that a profile's file holds; none without one."""
    path = project_root() / (profile or "") / "config.yaml"
    return (yaml.safe_load(path.read_bytes()) or {}) if profile and path.is_file() else {}


def _divided(arguments):
    """Names of studies, and what is for Snakemake: the first option, and all that follows it."""
    if named := [word for word in arguments if re.match(r"(--config=|-C)?studies=|--stud(y|ies)", word)]:
        raise InputError(f"{named[0]}; expected the names of studies first, as in symgen figures {DEFAULT}")
    count = next((i for i, word in enumerate(arguments) if word.startswith("-")), len(arguments))
    return arguments[:count] or [DEFAULT], arguments[count:]


@contextmanager
def _lock():
    """One run at a time; a lock that dies with its holder: a run that was killed does not stand in the next one's way."""
    import fcntl  # of POSIX alone; notebooks, which import this room, need none

    runs = project_root() / "data" / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    with open(runs / ".lock", "w") as lock:  # no FileLock: Snakemake, which is forked, would not hold it as well
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                "another run is at work in this folder (data/runs/.lock); wait for it, or stop it"
            ) from None
        yield lock


@contextmanager
def _timed(cores):
    """Gathers the seconds of all processes, and says at the end what they went to; nothing if there was nothing to do."""
    folder, start = project_root() / "data" / "runs", time.perf_counter()
    log = folder / "seconds.log"
    log.write_text("")
    os.environ[timing.LOG] = str(log)
    try:
        yield
    finally:
        del os.environ[timing.LOG]
    if log.stat().st_size:
        wall = time.perf_counter() - start
        table = timing.breakdown(log, wall, cores)
        table.to_csv(folder / "seconds.csv", index=False, float_format="%.4g")
        print(f"\n{wall / 60:.1f} minutes on {cores} cores; core seconds, and share of them:")
        print(table.drop(columns="cores").round({"seconds": 0, "share": 3}).to_string(index=False))


def _run(arguments, waiting):
    """Snakemake in a process group of its own, which a signal reaches as a whole: the jobs end, and then Snakemake.

    It starts as a copy of this process, which has read what the map imports.
    """
    read, write = os.pipe()
    process = multiprocessing.get_context("fork").Process(target=_snakemake, args=(arguments, write))
    process.start()
    with suppress(OSError):  # it does so as well: whichever is first, a signal finds the group
        os.setpgid(process.pid, process.pid)
    os.close(write)
    ended = []

    def end(number, _):
        ended.append(number)
        os.killpg(process.pid, number)

    handle_signals(end)
    with open(read, errors="replace") as lines:
        _with_time_left(lines, waiting)
    process.join()
    handle_signals(signal.default_int_handler)  # nothing is left that a signal could be passed on to
    if ended:
        raise KeyboardInterrupt
    return process.exitcode


def _snakemake(arguments, stream):
    """Run Snakemake here, its messages into a stream."""
    os.setpgid(0, 0)
    os.dup2(stream, 2)
    os.chdir(project_root())
    os.environ["PATH"] = (
        f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"  # the jobs' python is this one
    )
    from snakemake.cli import main

    main(arguments)


def _with_time_left(lines, waiting):
    """Show what Snakemake says; how many steps are done, with about how long the others take.

    The first steps are the jobs that are `waiting`, which take as long as those that are done; the others are notebooks,
    which take `NOTEBOOK_MINUTES` each. Short jobs end first, so nothing is said before a sixth of them is done.
    """
    start = time.monotonic()
    for line in lines:
        if progress := re.match(r"(\d+) of (\d+) steps", line):
            done, steps = map(int, progress.groups())
            gone, first = (time.monotonic() - start) / 60, min(waiting, steps)
            left = gone / done * max(0, first - done) + NOTEBOOK_MINUTES * min(steps - first, steps - done)
            rest = f", about {left:.0f} min left" if 6 * done >= first else ""
            line = f"{done} of {steps} steps, {gone:.1f} min gone{rest}\n"
        sys.stderr.write(line)
        sys.stderr.flush()
