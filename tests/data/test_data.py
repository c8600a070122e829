"""The embedded data, the split and the samples."""

import hashlib
import shutil
from pathlib import Path

import made_up_sets
import pytest
import torch
from tiny_project import ROOT

from symgen import Study
from symgen.data import datasets
from symgen.data.prompts import prompt_lines
from symgen.store import project_root
from symgen.study import pipeline

DATA = ROOT / "data"


@pytest.fixture
def study(shared, monkeypatch):
    monkeypatch.delenv("SYMGEN_DATA", raising=False)
    return Study.load("fashion-vgg", shared)


def test_the_embedded_images_are_balanced_and_checked():
    data = datasets.load_dataset("fashion-mnist-6k", DATA)
    assert data.pixels.shape == (6000, 3, 28, 28) and data.pixels.dtype == torch.uint8
    assert torch.bincount(data.labels).tolist() == [600] * 10 and len(data.classes) == 10
    assert (DATA / "fashion_mnist_6k.npz").stat().st_size < 4e6
    inputs = data.inputs([0, 1], pad=1)
    assert inputs.shape == (2, 3, 30, 30) and inputs.dtype == torch.float32
    for brightness, mean, std in zip(data.pixels.transpose(0, 1).float() / 255, data.mean, data.std):
        assert brightness.mean().item() == pytest.approx(mean, abs=5e-3)
        assert brightness.std().item() == pytest.approx(std, abs=5e-3)


def test_the_embedded_images_are_made_again_byte_for_byte(tmp_path):
    official = Path("/usr/share/datasets/fashion-mnist")
    if not official.is_dir():
        pytest.skip("Debian's package dataset-fashion-mnist is not installed")
    import subprocess
    import sys

    made = tmp_path / "again.npz"
    subprocess.run([sys.executable, DATA / "make_fashion_mnist_6k.py", official, made], check=True)
    assert hashlib.sha256(made.read_bytes()).hexdigest() == datasets.FASHION_MNIST_6K_SHA256


def test_embedded_sets_are_found_wherever_the_others_are(shared, monkeypatch, tmp_path):
    """`SYMGEN_DATA=... symgen figures smollm2-gemma3 snippets-lm` reads questions there, and sentences of the project."""
    monkeypatch.setenv("SYMGEN_DATA", str(tmp_path))
    for name in ("fashion-vgg", "snippets-bert", "smollm2-reviews"):
        assert Study.load(name).data_dir == DATA
    assert Study.load("cifar10-vgg11").data_dir == tmp_path
    assert Study.load("fashion-vgg", shared | {"data_root": str(tmp_path)}).data_dir == tmp_path
    assert Study.load("fashion-vgg", shared | {"data_root": "~/sets"}).data_dir == Path.home() / "sets"


def test_a_folder_of_other_studies_is_no_project(tmp_path, monkeypatch):
    (tmp_path / "home" / "studies").mkdir(parents=True)  # somebody's, of anything
    (tmp_path / "home" / "work").mkdir()
    monkeypatch.chdir(tmp_path / "home" / "work")
    assert project_root() == DATA.parent
    (tmp_path / "home" / "studies" / "mine.yaml").write_text("extends: fashion-vgg\n")
    assert project_root() == tmp_path / "home"


def test_lines_of_prompts_may_be_blank(tmp_path):
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "a", "next_word": "b"}\n\n')
    assert [row["prompt"] for row in prompt_lines(tmp_path / "prompts.jsonl")] == ["a"]


def test_missing_and_damaged_data_say_which_file_and_where(tmp_path):
    with pytest.raises(
        ValueError, match=r"missing data: fashion_mnist_6k.npz was looked for in .*comes with the project"
    ):
        datasets.load_dataset("fashion-mnist-6k", tmp_path)
    shutil.copy(DATA / "fashion_mnist_6k.npz", tmp_path)
    with open(tmp_path / "fashion_mnist_6k.npz", "r+b") as opened:
        opened.seek(1000)
        opened.write(b"!")
    with pytest.raises(ValueError, match=r"damaged data: fashion_mnist_6k.npz"):
        datasets.load_dataset("fashion-mnist-6k", tmp_path)
    with pytest.raises(ValueError, match="dataset = 'mnist'; expected one of fashion-mnist-6k, cifar10"):
        datasets.load_dataset("mnist", tmp_path)


def test_parts_are_disjoint_balanced_and_of_the_size_asked_for(study):
    split = pipeline.ensure_split(study)
    assert split.item.is_unique and len(split) == 6000
    sizes = split.part.value_counts()
    assert {name: sizes[name] for name in ("A", "B", "B-validation", "C", "C-validation", "D")} == {
        "A": 100, "B": 100, "B-validation": 50, "C": 100, "C-validation": 50, "D": 100,
    }  # fmt: skip
    counts = split[split.part != "unused"].groupby(["part", "label"]).size().unstack()
    assert (counts.max(axis=1) - counts.min(axis=1) == 0).all()


def test_another_seed_deals_other_images(study):
    first, second = pipeline.ensure_split(study), pipeline.ensure_split(study.replace(split_seed=7))
    assert (first.part != second.part).mean() > 0.01


def test_parts_larger_than_the_data_are_refused(study):
    with pytest.raises(ValueError, match=r"^fashion-vgg: the parts take 6400 items, there are 6000; lower train_size"):
        pipeline.ensure_split(study.replace(test_size=6000))


def test_samples_come_from_a_and_d_by_class_with_their_own_variables(study):
    samples, split = pipeline.ensure_samples(study), pipeline.ensure_split(study).set_index("item")
    for of, part in (("training", "A"), ("testing", "D")):
        chosen = samples[samples.of == of]
        assert (split.part[chosen.item] == part).all() and (split.label[chosen.item].to_numpy() == chosen.label).all()
        assert chosen.label.value_counts().tolist() == [3, 3]
    cells = pipeline.task(study).variables(samples)
    assert cells.shape == (12, 5) and len({tuple(row) for row in cells}) > 6
    with pytest.raises(
        ValueError, match=r"99 samples of a class; part A has 10 of class . .* \(explain_per_class, removal_per_class, "
    ):
        pipeline.ensure_samples(study.replace(explain_per_class=99))


def test_the_embedded_sentences_are_labelled_by_their_rating_and_none_comes_twice():
    data = datasets.load_dataset("movie-snippets", DATA)
    strong = datasets.load_dataset("movie-snippets", DATA, least_rating=0.5)
    assert (DATA / "movie_snippets.tsv.xz").stat().st_size < 1e6
    assert len(strong.texts) == len(strong.labels) == 10070 and len(data.texts) > 10500
    assert set(strong.texts) < set(data.texts) and len({text.lower() for text in data.texts}) == len(data.texts)
    label = dict(zip(strong.texts, strong.labels.tolist()))
    assert label["If you sometimes like to go to the movies to have fun, Wasabi is a good place to start."] == 1
    assert label["Effective but too tepid biopic"] == 0


def test_sentences_for_language_models_are_all_there_whatever_their_rating():
    rated = datasets.load_dataset("movie-snippets", DATA)
    films, products = (datasets.load_dataset(f"{name}-sentences", DATA) for name in ("movie", "product"))
    assert set(rated.texts) < set(films.texts) and len(products.texts) == 3697
    shared = {text.lower() for text in films.texts} & {text.lower() for text in products.texts}
    assert shared == {"don't waste your money."}  # the domains are different ones
    for data in (films, products):
        assert len({text.lower() for text in data.texts}) == len(data.texts) == len(data.labels)
        assert data.classes == ("sentence",) and not data.labels.any()
    assert "if you tossed it out the window, you need to fetch it." in products.texts


def test_the_embedded_sentences_are_made_again_byte_for_byte(tmp_path):
    """From a source distribution of the same layout, made of the embedded sentences themselves."""
    import lzma
    import subprocess
    import sys

    def numbered(name):
        lines = lzma.decompress((DATA / f"{name}.tsv.xz").read_bytes()).decode().splitlines()
        return "".join(f"{i}\t{line}\r\n" for i, line in enumerate(lines, start=1)).encode()

    named = {"movie_snippets": "movie", "product_snippets": "amazon"}
    inner, source = tmp_path / "inner.tar.gz", tmp_path / "source.tar.gz"
    made_up_sets.tarred(
        inner,
        {f"hutto_ICWSM_2014/{prefix}ReviewSnippets_GroundTruth.txt": numbered(name) for name, prefix in named.items()},
    )
    packed = {"vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz": inner.read_bytes()}
    made_up_sets.tarred(source, packed)
    subprocess.run([sys.executable, DATA / "make_snippets.py", source, tmp_path], check=True)
    for name in named:
        made = hashlib.sha256((tmp_path / f"{name}.tsv.xz").read_bytes()).hexdigest()
        assert made == datasets.SNIPPETS_SHA256[name]
