"""Artefacts: whole or not there; damage is noticed, set aside, and computed again."""

import errno
import json

import pytest

from symgen import store

SETTINGS = {"seed": 1}


@pytest.fixture
def artefact(tmp_path):
    path = tmp_path / "runs" / "table.csv"
    store.write(path, lambda temporary: temporary.write_text("a,b\n1,2\n"), SETTINGS)
    return path


def test_what_was_written_is_usable_with_its_settings_only(artefact):
    assert store.fresh(artefact, SETTINGS)
    assert sorted(p.name for p in artefact.parent.iterdir()) == ["table.csv", "table.csv.json"]
    assert not store.fresh(artefact, {"seed": 2})


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


def test_without_its_record_an_artefact_counts_as_not_written(artefact):
    artefact.with_name("table.csv.json").unlink()
    assert not store.fresh(artefact, SETTINGS)


def test_a_full_disk_is_named_and_leaves_nothing(artefact):
    def full(temporary):
        temporary.write_text("half of")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match=r"could not write table.csv: No space left"):
        store.write(artefact, full, SETTINGS)
    assert artefact.read_text() == "a,b\n1,2\n" and store.fresh(artefact, SETTINGS)
    assert len(list(artefact.parent.iterdir())) == 2
