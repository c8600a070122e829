"""Where the time goes: stages within stages are counted once, all processes of a run together."""

import time

import pytest

from symgen import timing


@pytest.fixture
def log(tmp_path, monkeypatch):
    monkeypatch.setattr(timing, "_log", str(tmp_path / "seconds.log"))
    return tmp_path / "seconds.log"


def test_a_stage_counts_all_but_what_the_stages_within_it_take(log):
    with timing.stage("outer"):
        time.sleep(0.02)
        for _ in range(2):
            with timing.stage("inner"):
                time.sleep(0.05)
    timing.add("starting", 1.0)  # of another process
    wall = 2.0
    table = timing.breakdown(log, wall, cores=2).set_index("stage")
    assert list(table.index[:2]) == ["starting", "inner"] and table.index[-1] == "idle"
    assert table.seconds["inner"] >= 0.1 and 0.02 <= table.seconds["outer"] < 0.1
    assert table.seconds.sum() == pytest.approx(wall * 2) and table.share.sum() == pytest.approx(1)


def test_a_stage_that_fails_is_counted_and_closed(log):
    for _ in range(2):
        with pytest.raises(RuntimeError), timing.stage("broken"):
            raise RuntimeError
    assert not timing._open and len(log.read_text().splitlines()) == 2


def test_outside_a_run_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(timing, "_log", "")
    monkeypatch.chdir(tmp_path)
    with timing.stage("quiet"):
        pass
    assert not list(tmp_path.iterdir())


def test_what_a_process_takes_to_start_is_counted(log):
    timing.started()
    stage, seconds = log.read_text().strip().split(",")
    assert stage == "starting" and float(seconds) > 0.5  # it has imported torch
