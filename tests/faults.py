"""Faults, a function each: what a study survives, and what it says.

    python tests/faults.py                            all of them, one after the other, and a table at the end
    python tests/faults.py --only killed --times 100

It has a suffix because the test suite imports its functions.
"""

import argparse
import errno
import io
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from contextlib import contextmanager, nullcontext, redirect_stdout, suppress
from functools import partial
from pathlib import Path

import pandas as pd
import psutil
import tiny_project
import xarray as xr

from symgen import Study
from symgen.data import datasets
from symgen.errors import InputError
from symgen.store import FORMAT, keyed
from symgen.study import pipeline
from symgen.study.networks import weights_path

ROLE = "target-91"
NOTEBOOK = tiny_project.done("01_data_split.notebook")
MAP = (NOTEBOOK, tiny_project.done("05_three_phase_dynamics.notebook"))  # with two networks
TRAINING = tiny_project.done(f"{tiny_project.JOB}.job")
MARK = "SYMGEN_FAULTS"  # environment variable by which what was started in a folder is found again
NOBODY = 65534


# processes
def project(place, **settings):
    """A tiny project with one target and one baseline."""
    place.mkdir(parents=True)
    return tiny_project.make(place, **tiny_project.ALONE | settings)


def start(folder, *arguments):
    """`symgen <arguments>` in a folder, in a session of its own; what it says is added to a file there."""
    library = f"{folder / 'lib'}{os.pathsep}{tiny_project.ROOT / 'lib'}"  # the copy that a project has
    environment = os.environ | {MARK: str(folder), "PYTHONPATH": library}
    with open(folder / "output.txt", "a") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "symgen", *arguments],
            cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip


def figures(folder, *targets):
    """The map, started in a project."""
    return start(folder, "figures", "tiny", "--cores", "1", *targets)


def printed(folder):
    return (folder / "output.txt").read_text()


def finish(folder, process):
    """Wait until a process is done with its work."""
    assert process.wait(timeout=600) == 0, printed(folder)


def alive(folder):
    """Processes that were started in a folder, and their commands; kernels too, which have sessions of their own."""
    commands = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            inside = process.environ().get(MARK, "").startswith(str(folder))
            if inside and process.status() != psutil.STATUS_ZOMBIE:
                commands[process] = " ".join(process.cmdline())
    return commands


def kill(folder):
    """kill -9 of everything that was started in a folder."""
    while processes := alive(folder):
        for process in processes:
            with suppress(psutil.Error):
                process.kill()


def wait_for(condition, *given, seconds=600):
    """Wait until a condition is true of what is given."""
    deadline = time.monotonic() + seconds
    while not condition(*given):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def made(folder):
    """Every figure with its table that the map has made, byte for byte."""
    return {path.name: path.read_bytes() for path in (folder / "figures").rglob("*.*")}


def half_written(folder):
    """Files under names that are not their last ones."""
    return [path.name for path in (folder / "data" / "runs").rglob(".*.*")]


# artefacts
def artefacts(study):
    """An artefact of every kind, and what makes it."""
    return {
        keyed(study.runs_dir / "split.csv", study.settings_of("split")): partial(pipeline.ensure_split, study),
        keyed(study.runs_dir / "samples.csv", study.settings_of("samples")): partial(pipeline.ensure_samples, study),
        weights_path(study, ROLE, 1.0): partial(pipeline.ensure_training, study, ROLE),
        pipeline.artefact_path("values", study, ROLE, 1.0): partial(pipeline.ensure_values, study, ROLE, 1.0),
        pipeline.artefact_path("interactions", study, ROLE, 1.0): partial(
            pipeline.ensure_interactions, study, ROLE, 1.0
        ),
    }


def tiny_study(place):
    """The tiny study, all its artefacts made in a folder."""
    roots = {"runs_root": str(place / "runs"), "figures_root": str(place / "figures")}
    study = Study.load("fashion-vgg", tiny_project.SETTINGS | roots)
    for make in artefacts(study).values():
        make()
    return study


def content(path):
    """What an artefact holds, but for the seconds that it took."""
    if path.suffix == ".csv":
        return pd.read_csv(path).drop(columns="seconds", errors="ignore").to_csv()
    if path.suffix == ".nc":
        with xr.open_dataset(path, engine="netcdf4") as stored:
            return {name: stored[name].to_numpy().tobytes() for name in stored if not name.startswith("seconds")}
    return path.read_bytes()


def flip_a_bit(path):
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)


def cut_short(path):
    os.truncate(path, path.stat().st_size - 1)


def record(text, path):
    path.with_name(f"{path.name}.json").write_text(text)


DAMAGES = {
    cut_short: "its checksum does not match",
    flip_a_bit: "its checksum does not match",
    partial(record, json.dumps({"format": FORMAT, "settings": {"epochs": 3}})): "it was made with other settings",
    partial(record, json.dumps({"format": 99})): "it has format 99",
    partial(record, "{"): "its record cannot be read",
    partial(record, "[]"): "its record cannot be read",
}


def refused(call, kind):
    """The one line in which a call is refused."""
    try:
        call()
    except kind as error:
        assert "\n" not in str(error)
        return str(error)
    raise AssertionError("it was not refused")


MOMENTS = {  # what is asked of the map, and when it is stopped
    NOTEBOOK: lambda folder: any("ipykernel" in command for command in alive(folder).values()),
    TRAINING: lambda folder: f"{ROLE} epoch 0:" in printed(folder),
}


# the faults
def killed(place, times=20, seed=0):
    """kill -9 of everything at random moments, until a study is done, and then the next: the tables are the undisturbed."""
    began = time.monotonic()
    finish(folder := project(place / "undisturbed"), figures(folder, *MAP))
    seconds, expected = time.monotonic() - began, made(folder)
    assert len(expected) > 6
    rng, kills, studies = random.Random(seed), 0, 0
    while kills < times:
        folder, done = project(place / f"study {studies}"), False
        while not done:
            process = figures(folder, *MAP)
            with suppress(subprocess.TimeoutExpired):
                process.wait(rng.uniform(0, seconds) if kills < times else 600)
            done = process.poll() is not None
            assert not process.returncode, printed(folder)
            if not done:
                kill(folder)
                kills += process.wait() != 0
        assert made(folder) == expected
        studies += 1
    return f"{kills} times within {seconds:.0f} s; {studies} studies done, each with the same {len(expected)} files"


def stopped(place, signals=(signal.SIGTERM, signal.SIGINT, signal.SIGHUP), moments=MOMENTS):
    """A signal to the map alone, while a kernel works and while a network trains: nothing goes on, and it can go on."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # or what is started in the background would ignore it
    for number in signals:
        folder = project(place / number.name)
        for target, moment in moments.items():
            process = figures(folder, target)
            wait_for(moment, folder)
            os.kill(process.pid, number)
            assert process.wait(timeout=120) == 130, printed(folder)
            wait_for(lambda folder: not alive(folder), folder, seconds=30)
            assert not half_written(folder)
            finish(folder, figures(folder, target))
    return f"{', '.join(number.name for number in signals)}: no process left, no file half-written"


def damaged(place, damages=DAMAGES):
    """An artefact cut short, with a bit flipped, of other settings, from the future: named, set aside, made again."""
    study = tiny_study(place)
    for path, make in artefacts(study).items():
        whole = content(path)
        for damage, fault in damages.items():
            damage(path)
            with redirect_stdout(io.StringIO()) as output:
                make()
            aside = path.with_name(f"{path.name}.damaged")
            assert f"set aside {aside.name}: {fault}" in output.getvalue()
            assert aside.is_file() and content(path) == whole
    return f"{len(damages)} damages of {len(artefacts(study))} kinds of artefacts"


def disk_full(place):
    """No space left on a small disk: one line says so, nothing is half-written, and with space it goes on."""
    with small_disk(place / "disk") as (disk, full):
        study = tiny_study(disk)
        for path, make in artefacts(study).items():
            whole = content(path)
            path.unlink()
            before = set(disk.rglob("*"))
            with full(path.with_name(f"{path.name}.json").stat().st_size // 2) as fault:
                assert refused(make, OSError).startswith(f"[Errno {fault}] could not write ")
            assert set(disk.rglob("*")) <= before
            make()
            assert content(path) == whole
    return f"{len(artefacts(study))} kinds of artefacts: {os.strerror(fault)}"


@contextmanager
def small_disk(folder):
    """A disk of 4 MB with a way to fill it but for some bytes; where none can be mounted, a limit for every file."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", folder], capture_output=True)
    if mounted.returncode:
        yield folder, limit
        return
    try:
        yield folder, partial(fill, folder)
    finally:
        subprocess.run(["umount", folder], check=True)


@contextmanager
def fill(disk, left):
    """A disk with some bytes left; the error that it gives."""
    with open(disk / "filler", "wb", buffering=0) as filler:
        with suppress(OSError):
            while True:
                filler.write(bytes(4096))
        filler.truncate(filler.tell() - left)
    yield errno.ENOSPC
    (disk / "filler").unlink()


@contextmanager
def limit(left):
    """Files of some bytes at most; the error that a larger one gives."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (left, before[1]))
    yield errno.EFBIG
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def two_runs(place):
    """Two runs of the map at once in one folder: one says so; two units at once: both end well."""
    folder = project(place / "project")
    codes = [process.wait(600) for process in [figures(folder, NOTEBOOK), figures(folder, NOTEBOOK)]]
    assert sorted(codes) == [0, 1] and "another run is at work in this folder" in printed(folder)
    for command, role in (("extract", ROLE), ("train", "baseline-93")):
        for process in [start(folder, command, "tiny", role) for _ in range(2)]:
            finish(folder, process)
    assert "set aside" not in printed(folder)
    assert printed(folder).count("baseline-93 epoch 0:") == 1  # who came second waited
    return "the second run says that another is at work; two units end well"


def failing_notebook(place):
    """A notebook that fails leaves its executed copy and exit code 1; what does not need it is made."""
    folder = project(place / "project")
    path = folder / "notebooks" / "00_quickstart.ipynb"
    notebook = json.loads(path.read_text())
    broken = {"cell_type": "code", "id": "broken", "metadata": {}, "execution_count": None, "outputs": []}
    notebook["cells"].insert(2, broken | {"source": ["raise OSError('no luck')"]})
    path.write_text(json.dumps(notebook))
    assert figures(folder, tiny_project.done("00_quickstart.notebook"), NOTEBOOK).wait(600) == 1
    executed = folder / "data" / "runs" / "tiny" / "notebooks"
    assert {file.name for file in executed.iterdir()} == {"00_quickstart.failed.ipynb", "01_data_split.ipynb"}
    assert "no luck" in (executed / "00_quickstart.failed.ipynb").read_text()
    assert "error: 00_quickstart failed: OSError: no luck" in printed(folder)
    return "its executed copy is there, and the other notebook"


def unreadable(place):
    """Data that cannot be read, a folder and a file: one line names what was looked for, where, and what is wrong."""
    name = "fashion_mnist_6k.npz"
    (place / "a file").touch()
    (place / "a folder" / name).mkdir(parents=True)
    (place / "locked").mkdir(mode=0)
    (place / "locked file").mkdir()
    (place / "locked file" / name).touch(mode=0)
    faults = {
        "a file": "Not a directory",
        "a folder": "Is a directory",
        "locked": "Permission denied",
        "locked file": "Permission denied",
    }
    for folder, fault in faults.items():
        with nobody() if "locked" in folder else nullcontext():
            line = refused(partial(datasets.load_dataset, "fashion-mnist-6k", place / folder), InputError)
        assert line.startswith(f"unreadable data: {name} in {place / folder}: {fault}; ")
    return f"{len(faults)} folders"


@contextmanager
def nobody():
    """Without the rights of root, who may read everything."""
    root = os.geteuid() == 0
    os.seteuid(NOBODY if root else os.geteuid())
    try:
        yield
    finally:
        os.seteuid(0 if root else os.geteuid())


def fuzzed(place):
    """The tests of tests/test_fuzz.py with many more examples."""
    command = [sys.executable, "-m", "pytest", tiny_project.ROOT / "tests" / "test_fuzz.py"]
    ran = subprocess.run([*command, "--hypothesis-profile=thorough", f"--basetemp={place}/tmp"], cwd=tiny_project.ROOT)
    assert not ran.returncode
    return "thorough"


FAULTS = (damaged, disk_full, unreadable, two_runs, failing_notebook, stopped, killed, fuzzed)


def main():
    """Try the faults, print what became of each; exit code 1 if one was not survived."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=[fault.__name__ for fault in FAULTS], help="default: all")
    parser.add_argument("--times", type=int, default=20, help="kills, each at a random moment")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    rows = []
    for fault in FAULTS:
        if fault.__name__ not in (options.only or fault.__name__):
            continue
        print(f"{fault.__name__}: {fault.__doc__}", flush=True)
        began, arguments = time.monotonic(), {"times": options.times, "seed": options.seed} if fault is killed else {}
        with tempfile.TemporaryDirectory() as place:
            try:
                outcome, remark = "survived", fault(Path(place), **arguments)
            except Exception as error:
                traceback.print_exc()
                outcome, remark = "NOT SURVIVED", type(error).__name__
            kill(Path(place))
        rows.append((fault.__name__, outcome, f"{time.monotonic() - began:.0f}", remark))
    print(pd.DataFrame(rows, columns=["fault", "outcome", "seconds", "remark"]).to_string(index=False))
    return int(any(outcome != "survived" for _, outcome, *_ in rows))


if __name__ == "__main__":
    sys.exit(main())
