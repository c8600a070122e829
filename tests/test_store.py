"""Artefacts: whole or not there; damage is noticed, set aside, and computed again."""

import errno
import fcntl
import hashlib
import json
import multiprocessing
import os
from functools import partial

import pandas as pd
import pytest
import torch
import xarray as xr

from symgen import store

SETTINGS = {"seed": 1}
TABLE = pd.DataFrame({"a": [1], "b": [2]})


@pytest.fixture
def artefact(tmp_path):
    path = tmp_path / "runs" / "table.csv"
    store.write(path, TABLE, SETTINGS)
    return path


def test_what_was_written_is_usable_with_its_settings_only(artefact):
    assert store.fresh(artefact, SETTINGS)
    assert sorted(p.name for p in artefact.parent.iterdir()) == [".writing", "table.csv", "table.csv.json"]
    assert not store.fresh(artefact, {"seed": 2})


def test_a_table_is_read_again_when_its_file_changes_and_nobody_changes_anothers(artefact):
    table = store.read(artefact)
    table.loc[0, "a"] = 7
    assert store.read(artefact).equals(TABLE)
    artefact.write_text("a,b\n3,4\n5,6\n")
    assert store.read(artefact).a.tolist() == [3, 5]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "future", "record", "list"])
def test_damage_is_noticed_and_set_aside(artefact, damage, capsys):
    record = artefact.with_name("table.csv.json")
    if damage == "truncated":
        artefact.write_bytes(artefact.read_bytes()[:-1])
    elif damage == "flipped":
        content = bytearray(artefact.read_bytes())
        content[3] ^= 1
        artefact.write_bytes(content)
    elif damage == "future":
        record.write_text(json.dumps(json.loads(record.read_text()) | {"format": 99}))
    else:
        record.write_text({"record": "{", "list": "[]"}[damage])
    assert not store.fresh(artefact, SETTINGS)
    assert not artefact.exists() and artefact.with_name("table.csv.damaged").exists()
    assert "set aside table.csv.damaged" in capsys.readouterr().out


def test_a_file_is_read_again_only_after_a_change_of_which_none_is_missed(artefact, monkeypatch):
    read, digest, content = [], hashlib.file_digest, artefact.read_bytes()
    monkeypatch.setattr(store.hashlib, "file_digest", lambda *given: read.append(given) or digest(*given))
    assert all(store.fresh(artefact, SETTINGS) for _ in range(3)) and len(read) == 1
    os.utime(artefact, ns=(0, 0))
    assert all(store.fresh(artefact, SETTINGS) for _ in range(3)) and len(read) == 2
    artefact.write_bytes(content.swapcase())  # as long as before
    assert store.checksum(artefact) == hashlib.sha256(content.swapcase()).hexdigest()
    os.utime(artefact, ns=(0, 0))
    store.checksum(artefact)
    store.write_whole(artefact, content)
    os.utime(artefact, ns=(0, 0))  # the clock of a file system may stand still for seconds
    assert store.checksum(artefact) == hashlib.sha256(content).hexdigest()
    artefact.write_bytes(content.swapcase())
    assert not store.fresh(artefact, SETTINGS)


def test_without_its_record_an_artefact_counts_as_not_written(artefact):
    artefact.with_name("table.csv.json").unlink()
    assert not store.fresh(artefact, SETTINGS)


@pytest.mark.parametrize(("name", "written"), [("table.csv", 0), ("table.csv.json", 1)])
def test_a_full_disk_is_named_and_leaves_nothing(artefact, name, written, monkeypatch):
    flushed = []

    def full(descriptor):
        if len(flushed) == written:
            raise OSError(errno.ENOSPC, "No space left on device")
        flushed.append(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=rf"could not write {name}: No space left"):
        store.write(artefact, TABLE, SETTINGS)
    monkeypatch.undo()
    assert artefact.read_text() == "a,b\n1,2\n" and store.fresh(artefact, SETTINGS)
    assert len(list(artefact.parent.glob("table*"))) == 2


def test_what_is_flushed_to_disk_may_be_written_as_windows_demands(tmp_path, monkeypatch):
    modes = []
    monkeypatch.setattr(os, "fsync", lambda opened: modes.append(fcntl.fcntl(opened, fcntl.F_GETFL) & os.O_ACCMODE))
    store.write_whole(tmp_path / "file", b"content")
    assert modes in ([os.O_WRONLY], [os.O_RDWR]) and (tmp_path / "file").read_bytes() == b"content"


DATASET = xr.Dataset({"v": (("sample", "subset"), [[0.0, 1.5]])}, {"sample": [7]})
KINDS = {"table.csv": TABLE, "values.nc": DATASET, "weights.safetensors": {"bias": torch.tensor([1.0, 2.0])}}


def same(first, second):
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
    return first.equals(second)


@pytest.mark.parametrize("name", KINDS)
def test_what_is_computed_is_kept_under_its_settings_and_read_from_then_on(tmp_path, name):
    path, calls = tmp_path / "runs" / name, []

    def compute():
        calls.append(name)
        return KINDS[name]

    results = [store.cached(path, settings, compute) for settings in (SETTINGS, SETTINGS, {"seed": 2}, SETTINGS)]
    assert len(calls) == 2 and all(same(result, KINDS[name]) for result in results)
    kept = {store.keyed(path, settings) for settings in (SETTINGS, {"seed": 2})}
    assert {file for file in path.parent.iterdir() if file.suffix == path.suffix} == kept and len(kept) == 2


def test_processes_that_make_the_same_at_once_do_not_take_each_others_for_damaged(tmp_path):
    def make():
        for i in range(30):  # what each makes differs, as the seconds in an artefact do
            store.cached(tmp_path / f"{i}.csv", SETTINGS, partial(pd.DataFrame, {"by": [os.getpid()] * 2000}))

    forked = multiprocessing.get_context("fork")
    makers = [forked.Process(target=make) for _ in range(3)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert [maker.exitcode for maker in makers] == [0, 0, 0]
    assert not list(tmp_path.glob("*.damaged")) and len(list(tmp_path.glob("*.csv"))) == 30


def test_what_one_user_has_locked_another_may_lock_next(tmp_path):
    before = os.umask(0o022)  # the usual one, by which nobody else may write
    try:
        with store.lock_at(tmp_path / ".lock"):
            assert (tmp_path / ".lock").stat().st_mode & 0o777 == 0o666
    finally:
        os.umask(before)


def test_a_computation_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError):
        store.cached(tmp_path / "table.csv", SETTINGS, lambda: 1 / 0)
    assert not list(tmp_path.iterdir())


def test_a_key_does_not_depend_on_the_order_of_settings():
    assert (
        store.key_of({"a": 1, "b": [2.0]}) == store.key_of({"b": [2.0], "a": 1}) != store.key_of({"a": 1, "b": [3.0]})
    )
