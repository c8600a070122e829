"""Pull the plug: what was finished is kept, what was not is done again, and the tables are the same."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from symgen import Study, layout, pipeline


def unit(command, role, overrides):
    """A unit of the study in a process group of its own."""
    arguments = [sys.executable, "-m", "symgen", command, "fashion-vgg", role, "--overrides", json.dumps(overrides)]
    return subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def wait_for(condition, process, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)


@pytest.mark.parametrize("moment", ["in training", "between checkpoints"])
def test_a_killed_unit_is_finished_by_the_next_run(tiny, tmp_path, moment):
    study = Study.load("fashion-vgg", tiny)
    undisturbed = Study.load("fashion-vgg", tiny | {"runs_root": str(tmp_path / "undisturbed")})
    role = "target-91"
    marks = {
        "in training": layout.weights_path(study, role, 0.5),
        "between checkpoints": layout.interactions_path(study, role, 0.5),
    }
    process = unit("extract", role, tiny)
    wait_for(marks[moment].exists, process)
    assert process.poll() is None, process.stdout.read()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not layout.interactions_path(study, role, 2.0).exists()  # it was killed before its end

    process = unit("extract", role, tiny)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    again, expected = (pipeline.all_interactions(own, role) for own in (study, undisturbed))
    for name in ("v", "effects", "noise", "bias"):
        assert np.array_equal(again[name], expected[name]), name


def test_two_runs_in_one_folder_do_not_meet(tmp_path, monkeypatch, capsys):
    import fcntl

    from symgen.__main__ import main

    (tmp_path / "studies").mkdir()
    (tmp_path / "data" / "runs").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with open(tmp_path / "data" / "runs" / ".lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert main(["figures"]) == 1
    assert "another run is at work in this folder" in capsys.readouterr().err
