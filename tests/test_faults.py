"""Pull the plug: what was finished is kept, what was not is done again, and the tables are the same.

The faults that take seconds; all of them, with 20 kills of a whole run: `python tests/faults.py`.
"""

import fcntl
import json

import faults
import numpy as np
import pytest
from tiny_project import ROOT

from symgen import Study
from symgen.errors import InputError
from symgen.report import figures, make_figures
from symgen.store import project_root
from symgen.study import pipeline
from symgen.study.networks import weights_path


def test_a_killed_unit_is_finished_by_the_next_run(tiny, shared, tmp_path):
    """Killed in training, then between checkpoints."""
    study, undisturbed = (Study.load("fashion-vgg", settings) for settings in (tiny, shared))
    unit = "extract", "fashion-vgg", faults.ROLE, "--overrides", json.dumps(tiny)
    for mark in (
        weights_path(study, faults.ROLE, 0.5),
        pipeline.artefact_path("interactions", study, faults.ROLE, 0.5),
    ):
        process = faults.start(tmp_path, *unit)
        faults.wait_for(mark.exists)
        assert process.poll() is None, faults.printed(tmp_path)
        faults.kill(tmp_path)
        process.wait()
    assert not pipeline.artefact_path("interactions", study, faults.ROLE, 2.0).exists()  # it was killed before its end
    faults.finish(tmp_path, faults.start(tmp_path, *unit))
    again, expected = (pipeline.all_interactions(settings, faults.ROLE) for settings in (study, undisturbed))
    for name in ("v", "effects", "noise", "bias"):
        assert np.array_equal(again[name], expected[name]), name


def test_two_runs_in_one_folder_do_not_meet(tmp_path, monkeypatch):
    (tmp_path / "studies").symlink_to(ROOT / "studies")
    (tmp_path / "data" / "runs").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with open(tmp_path / "data" / "runs" / ".lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another run is at work in this folder"):
            make_figures([])


def with_claims(*_):
    """What the map does last."""
    (project_root() / "figures").mkdir(exist_ok=True)
    (project_root() / "figures" / "claims.csv").write_text("of this run")
    return 0


def test_no_other_run_begins_before_the_pages_have_taken_over_the_results(tmp_path, monkeypatch):
    (tmp_path / "studies").symlink_to(ROOT / "studies")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(figures, "_run", with_claims)
    monkeypatch.setattr(figures, "update_readme", lambda: make_figures([]))  # another run
    with pytest.raises(InputError, match="another run is at work in this folder"):
        make_figures([])


@pytest.mark.parametrize(("ran", "times"), [(with_claims, 1), (lambda *_: 0, 0), (lambda *_: with_claims() + 1, 0)])
def test_pages_are_written_after_a_run_that_made_the_claims_anew(ran, times, tmp_path, monkeypatch, capsys):
    """And not after one that failed, or made none: a plan, or the first look in a fresh clone, where claims are there.

    Where everything is stands at the end, unless it failed.
    """
    (tmp_path / "studies").symlink_to(ROOT / "studies")
    (tmp_path / "figures").mkdir()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "figures" / "claims.csv").write_text("of before")
    written = []
    monkeypatch.setattr(figures, "_run", ran)
    monkeypatch.setattr(figures, "update_readme", lambda: written.append(1))
    failed = make_figures([])
    assert len(written) == times
    assert capsys.readouterr().out == ""  # as of a plan: nothing is there
    for folder in ("figures/fashion-vgg", "data/runs/fashion-vgg/notebooks"):
        (tmp_path / folder).mkdir(parents=True)
    make_figures([])
    where = "fashion-vgg: figures in figures/fashion-vgg, executed notebooks in data/runs/fashion-vgg/notebooks\n"
    assert capsys.readouterr().out == where * (not failed)


@pytest.mark.parametrize(
    ("words", "names", "options"),
    [
        ([], ["fashion-vgg"], []),
        (["a", "b", "-n"], ["a", "b"], ["-n"]),
        (["--cores", "2", "target"], ["fashion-vgg"], ["--cores", "2", "target"]),
    ],
)
def test_studies_are_named_before_the_options(words, names, options):
    assert figures._divided(words) == (names, options)
    with pytest.raises(InputError, match="studies=a; expected the names of studies first, as in symgen figures fash"):
        figures._divided([*words, "--config", "studies=a"])
    with pytest.raises(InputError, match="--study; expected the names of studies first"):
        figures._divided(["--study", *words])
    for joined in ("--config=studies=a", "-Cstudies=a"):
        with pytest.raises(InputError, match="studies=a; expected the names of studies first"):
            figures._divided([joined])


@pytest.mark.parametrize(
    "words", [["--cores", "0"], ["--cores=-1"], ["--cores", "-1"], ["-c0"], ["fashion-vgg", "-c", "two"]]
)
def test_an_impossible_number_of_cores_is_said(words):
    with pytest.raises(InputError, match="expected a number of 1 or more, or all"):
        make_figures(words)


def test_studies_whose_claims_would_stand_in_two_folders_are_not_run_together():
    with pytest.raises(
        InputError, match="figures_root is 'figures' of fashion-vgg, 'figures/quick' of fashion-vgg-quick; expected one"
    ):
        make_figures(["fashion-vgg", "fashion-vgg-quick"])


def cores(words):
    return figures._cores(figures._asked(words))


def test_cores_are_all_where_nothing_is_said_and_need_a_number_where_they_are_named():
    assert cores(["--cores", "all"]) == []
    assert (
        cores(["--dry-run"]) == cores(["-j", "all"]) == ["--cores", "all"]
    )  # Snakemake says what is wrong with the jobs
    assert cores(["-j", "4"]) == cores(["--jobs=4"]) == []
    with pytest.raises(ValueError, match="--cores without a value; expected a number of 1 or more, or all"):
        cores(["--cores", "--dry-run"])


@pytest.mark.parametrize("words", [["-n", "-c4"], ["--profile=profiles/slurm"], ["-e", "slurm", "--jobs", "9"]])
def test_cores_are_not_said_twice_nor_for_another_machine(words):
    assert cores(words) == []


def test_a_damaged_artefact_is_set_aside_and_made_again(tmp_path):
    faults.damaged(tmp_path, {faults.flip_a_bit: faults.DAMAGES[faults.flip_a_bit]})


def test_a_full_disk_is_said_and_leaves_nothing_half_written(tmp_path):
    faults.disk_full(tmp_path)


def test_data_that_cannot_be_read_are_named(tmp_path):
    faults.unreadable(tmp_path)
