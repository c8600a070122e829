"""The map, end to end on a tiny study in a copy of the project: what is missing is made, what is there is left alone."""

import os
import re
import signal
import subprocess
import sys

import faults
import pytest
import snakemake.cli  # noqa: F401  processes that are forked have it
import tiny_project

from symgen.__main__ import main
from symgen.report import figures as report
from symgen.study import VERSIONS

NOTEBOOK = tiny_project.done("01_data_split.notebook")


def figures(folder):
    """`symgen figures` there; its exit code, and what it printed."""
    command = [sys.executable, "-m", "symgen", "figures", "tiny", "--cores", "2", NOTEBOOK]
    environment = os.environ | {"PYTHONPATH": str(folder / "lib")}
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    return ran.returncode, ran.stdout + ran.stderr


@pytest.fixture
def planned(capfd):
    """A function that runs the map here, in this process: counts of jobs and notebooks to do, and what it printed."""

    def plan(*options):
        assert main(["figures", "tiny", "--cores", "all", NOTEBOOK, *options]) == 0
        printed = "".join(capfd.readouterr())
        return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", printed, flags=re.M)}, printed

    return plan


def test_a_map_that_a_signal_ends_goes_on_and_what_is_there_is_left_alone(tmp_path, planned, monkeypatch):
    faults.stopped(tmp_path, [signal.SIGTERM], {NOTEBOOK: faults.MOMENTS[NOTEBOOK]})
    monkeypatch.chdir(copy := tmp_path / "SIGTERM")
    figure = copy / "figures" / "tiny" / "fig08_input_variables.png"
    executed = copy / "data" / "runs" / "tiny" / "notebooks" / "01_data_split.ipynb"
    assert figure.exists() and executed.exists()
    assert list((copy / "data" / "runs" / "tiny" / "target-91").glob("curves-*.csv"))

    before = {path: path.stat().st_mtime_ns for path in (copy / "data" / "runs").rglob("*") if path.is_file()}
    assert "Nothing to be done" in planned()[1]
    changed = {path.name for path, modified in before.items() if path.stat().st_mtime_ns != modified}
    assert changed <= {".lock", "seconds.log"}

    notebook = copy / "notebooks" / "01_data_split.ipynb"
    title, another = "# 01 · Who is trained on what", "# 01 · Another title"
    edit(notebook, title, another)
    assert planned("-n")[0] == {"notebook": 1, "total": 1}  # and nothing is trained
    edit(notebook, another, title)
    assert "Nothing to be done" in planned("-n")[1]
    with monkeypatch.context() as raised:
        raised.setitem(VERSIONS, "training", VERSIONS["training"] + 1)
        assert planned("-n")[0] == {"job": 1, "notebook": 1, "total": 2}
    figure.unlink()
    assert planned("-n")[0] == {"notebook": 1, "total": 1}

    edit(notebook, title, another)
    edit(copy / "lib/symgen/study/settings.py", '"training": 2', '"training": 3')
    code, output = figures(copy)
    assert code == 0 and figure.exists() and "Another title" in executed.read_text(), output
    assert len(list((copy / "data" / "runs" / "tiny" / "target-91").glob("curves-*.csv"))) == 2, output


def edit(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_the_time_left_is_said_once_enough_is_done_to_know_it(capsys, monkeypatch):
    clock = iter([0.0, 60.0, 600.0, 1800.0])
    monkeypatch.setattr(report.time, "monotonic", lambda: next(clock))
    steps = (f"{done} of 29 steps ({done / 29:.0%}) done\n" for done in (1, 6, 25))
    report._with_time_left(["Building DAG\n", *steps], waiting=18)
    assert capsys.readouterr().err.splitlines() == [
        "Building DAG",
        "1 of 29 steps, 1.0 min gone",
        "6 of 29 steps, 10.0 min gone, about 23 min left",  # 12 jobs as long as the first six, and 11 notebooks
        "25 of 29 steps, 30.0 min gone, about 1 min left",
    ]


def test_the_time_left_counts_the_jobs_that_are_not_done_yet(capsys, monkeypatch):
    clock = iter([0.0, 240.0, 480.0])
    monkeypatch.setattr(report.time, "monotonic", lambda: next(clock))
    report._with_time_left(["1 of 14 steps\n", "2 of 14 steps\n"], waiting=8)  # the rest: notebooks
    assert capsys.readouterr().err.splitlines() == [
        "1 of 14 steps, 4.0 min gone",
        "2 of 14 steps, 8.0 min gone, about 26 min left",  # 6 jobs of 4 minutes, and 6 notebooks
    ]
