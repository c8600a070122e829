"""Texts in tables: what is read is what is there, what is missing or damaged is named, and no sentence is in two parts."""

import dataclasses
import re
import subprocess
import zipfile
from collections import Counter
from hashlib import md5

import made_up_sets
import numpy as np
import pytest
from tiny_project import ROOT

from symgen import Study
from symgen.data import datasets, text_sets
from symgen.study import pipeline

SHARED = ROOT.parent / "shared" / "data"
FOLDERS = {"sst2": "SST-2", "ag-news": "ag_news_csv"}


@pytest.fixture
def place(tmp_path):
    made_up_sets.sst2(tmp_path / "data")
    made_up_sets.ag_news(tmp_path / "data")
    return tmp_path / "data"


def load(name, place, **options):
    return datasets.load_dataset(name, place, cache=place.parent / "cache", **options)


def test_sst2_is_each_text_of_train_and_dev_once_as_it_is_written(place):
    (place / "SST-2" / "train.tsv").write_text(
        'sentence\tlabel\n"no quote ends \t0\nnull \t0\nA  Film \t1\na film\t0\n'
    )
    (place / "SST-2" / "dev.tsv").write_text("sentence\tlabel\nfine\t1\nnull\t1\n")
    data = load("sst2", place)
    assert data.texts == ('"no quote ends', "null", "A Film", "fine") and data.labels.tolist() == [0, 0, 1, 1]
    assert data.classes == ("negative", "positive") and data.nested


def test_ag_news_is_title_and_description_and_the_title_may_be_empty(place):
    train = place / "ag_news_csv" / "train.csv"
    train.write_text('"3","Oil, up","He said ""no""."\n"4","","a second\\team"\n"1","NA","none"\n')
    (place / "ag_news_csv" / "test.csv").write_text('"2","","oil, up he said ""No""."\n')
    data = load("ag-news", place)
    assert data.texts == ('Oil, up He said "no".', "a second team", "NA none")  # the fourth is the first again
    assert data.labels.tolist() == [2, 3, 0] and data.classes == ("World", "Sports", "Business", "Sci/Tech")


def test_a_text_stands_within_the_longest_that_holds_it_word_for_word(rng):
    texts = sorted({" ".join(rng.choice(["a", "b", "ab"], rng.integers(1, 8))) for _ in range(80)})
    texts = [texts[i] for i in rng.permutation(len(texts))]
    within = text_sets.standing_within(texts)
    for text, longest in zip(texts, within):
        holding = [other for other in texts if f" {text} " in f" {other} "]
        assert texts[longest] in holding and len(texts[longest].split()) == max(len(other.split()) for other in holding)
    assert (within != np.arange(len(texts))).sum() > 10
    assert text_sets.standing_within(["b c", "a b c d", "c d e", "d"]).tolist() == [1, 1, 2, 1]


@pytest.fixture
def study(place, tiny):
    sizes = {"train_size": 26, "validation_size": 8, "test_size": 14, "checkpoints": [0, 1]}
    return Study.load("sst2-bert-tiny", tiny | sizes | {"data_root": str(place)})


def test_what_stands_within_one_text_is_dealt_to_one_part_and_parts_stay_balanced(study):
    split, data = pipeline.ensure_split(study), pipeline.load_data(study)
    sizes = {"A": 26, "B": 26, "B-validation": 8, "C": 26, "C-validation": 8, "D": 14}
    assert Counter(split.part) == sizes | {"unused": len(data.texts) - sum(sizes.values())}
    used = split[split.part != "unused"]
    counts = used.groupby(["part", "label"]).size().unstack()
    assert (counts[0] == counts[1]).all()
    wholes = used.part.groupby(text_sets.standing_within(data.texts)[used.item])
    assert (wholes.nunique() == 1).all() and (wholes.size() > 1).sum() > 20
    with pytest.raises(ValueError, match=r"[A-D] takes 3\d items, \d+ are left in equal classes"):
        pipeline.ensure_split(study.replace(train_size=34, test_size=8))  # all there are
    without = pipeline.ensure_split(study.replace(validation_size=0, baseline_checkpoint="last"))
    assert Counter(without.part[without.part != "unused"]) == {"A": 26, "B": 26, "C": 26, "D": 14}


TABLES = [
    ("sst2", "train.tsv"),
    ("sst2", "dev.tsv"),
    ("ag-news", "train.csv"),
    ("ag-news", "test.csv"),
    ("ag-news", "classes.txt"),
]


@pytest.mark.parametrize(("name", "file"), TABLES)
def test_a_missing_table_is_named_with_where_it_was_looked_for_and_what_to_do(place, name, file):
    path = place / FOLDERS[name] / file
    path.unlink()
    message = f"missing data: {file} was looked for in {path.parent}; unpack https"
    with pytest.raises(ValueError, match="^" + re.escape(message)) as caught:
        load(name, place)
    assert f"in {place}, or set download: true" in str(caught.value) and "\n" not in str(caught.value)


DAMAGES = ["empty", "binary", "a column more", "last line cut", "another label"]


@pytest.mark.parametrize(
    ("name", "file", "damage"),
    [(*table, damage) for table in TABLES for damage in (DAMAGES[:3] if table[1] == "classes.txt" else DAMAGES)],
)
def test_a_damaged_table_is_named(place, name, file, damage):
    path = place / FOLDERS[name] / file
    whole = path.read_bytes()
    separator = b"\t" if name == "sst2" else b","
    cut = {"sst2": whole.rstrip()[:-1], "ag-news": whole.rstrip()[:-5]}
    damages = {"empty": b"", "binary": b"\x00\xff\xfe" * 50, "last line cut": cut[name]}
    damages["a column more"] = whole.replace(b"\n", separator + b"5\n")
    damages["another label"] = whole.rstrip()[:-1] + b"7\n" if name == "sst2" else b'"5","","text"\n' + whole
    path.write_bytes(damages[damage])
    with pytest.raises(ValueError, match=rf"damaged data: {file} in .*; unpack https") as caught:
        load(name, place)
    assert "\n" not in str(caught.value)
    if damage == "another label":
        entry, known = (len(whole.splitlines()) - 1, "0, 1") if name == "sst2" else (1, "1, 2, 3, 4")
        assert f"has no text, or no label of {known}, in its entry {entry}" in str(caught.value)


def test_a_set_is_fetched_when_it_is_asked_for_and_not_there(place, monkeypatch):
    packed = place / "origin" / "SST-2.zip"
    packed.parent.mkdir()
    texts = load("sst2", place).texts
    with zipfile.ZipFile(packed, "w") as archive:
        for path in (place / "SST-2").iterdir():
            archive.write(path, f"SST-2/{path.name}")
            path.unlink()
    (place / "SST-2").rmdir()
    with made_up_sets.served(packed.parent) as url:
        digest = md5(packed.read_bytes()).hexdigest()
        source = dataclasses.replace(text_sets.SOURCES["sst2"], url=f"{url}/SST-2.zip", md5=digest)
        monkeypatch.setitem(text_sets.SOURCES, "sst2", source)
        assert load("sst2", place, download=True).texts == texts


def test_the_real_sets_are_read(tmp_path):
    if not SHARED.is_dir():
        pytest.skip("the real texts are not here: ../shared/data")
    command = ["bash", SHARED / "unpack.sh", tmp_path / "data", "sst2", "ag-news"]
    subprocess.run(command, check=True, capture_output=True)
    for name, labels in {"sst2": [30075, 37775], "ag-news": [3159, 3157, 3180, 3103]}.items():
        data = load(name, tmp_path / "data")
        assert len({text.lower() for text in data.texts}) == len(data.texts) == sum(labels)
        assert np.bincount(data.labels).tolist() == labels
