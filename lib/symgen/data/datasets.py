"""Data sets by name, read from disk with their checksum verified: images as bytes, texts as they are, labels as integers."""

import csv
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd
import torch

from symgen.data import image_sets, text_sets
from symgen.data.sources import Images, Texts, damaged, readable
from symgen.errors import InputError, first_line, saying
from symgen.store import checksum, lock_at

MODALITIES = {  # what each data set consists of
    **dict.fromkeys(("fashion-mnist-6k", "cifar10", "tiny-imagenet", "cub"), "images"),
    **dict.fromkeys(("movie-snippets", "sst2", "ag-news"), "texts"),
    **dict.fromkeys(("movie-sentences", "product-sentences", "unilaw-questions", "squad", "unilaw"), "prompts"),
}
EMBEDDED_SETS = ("fashion-mnist-6k", "movie-snippets", "movie-sentences", "product-sentences")  # in data/
QUESTIONS = ("unilaw-questions",)  # prompts that have answers
GIVEN = ("squad", "unilaw")  # prompts for language models that are given, read by `study.prompt_tasks.GivenTask`


def modality_of(name: str) -> str:
    """What a data set consists of, images, texts or prompts; InputError for an unknown name."""
    if name not in MODALITIES:
        raise InputError(f"dataset = {name!r}; expected one of {', '.join(MODALITIES)}")
    return MODALITIES[name]


def load_dataset(
    name: str,
    folder: Path,
    least_rating: float = 0.0,
    size: int = 64,
    cache: Path | None = None,
    download: bool = False,
    max_characters: int = 0,
) -> Images | Texts:
    """The data set `name`, looked for in `folder`; InputError for an unknown name, or data missing or damaged.

    `least_rating`: texts rated by people count only from this distance to a neutral rating on. `size`: of photographs in
    files. `cache`: the folder for decoded images; by default `folder`. `download`: fetch a set that is not there from where
    it is published. `max_characters`: longer questions are left out; 0: no limit.
    """
    modality_of(name)
    if name in GIVEN:
        raise InputError(
            f"dataset = {name!r} is for language models that are given; expected notebook 09, and no training"
        )
    readers = {
        "fashion-mnist-6k": lambda: _fashion_mnist_6k(folder),
        "movie-snippets": lambda: _movie_snippets(folder, least_rating),
        "movie-sentences": lambda: _sentences(folder, "movie_snippets"),
        "product-sentences": lambda: _sentences(folder, "product_snippets"),
        "unilaw-questions": lambda: _unilaw_questions(folder / "unilaw", max_characters),
    }
    if name in readers:
        return readers[name]()
    if source := text_sets.SOURCES.get(name):
        with source.unpacked(folder, download) as unpacked:
            return source.reader(unpacked)
    cache = cache or folder
    with lock_at(cache / f".{name}.lock"):  # one process at a time decodes; a fetch has a lock of its own
        return image_sets.read(name, folder, size, cache, download)


def _fashion_mnist_6k(folder):
    path = _verified(folder / "fashion_mnist_6k.npz", FASHION_MNIST_6K_SHA256)
    with np.load(path, allow_pickle=False) as archive:
        grey, labels = torch.as_tensor(archive["images"]), torch.as_tensor(archive["labels"]).long()
    classes = ("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
    return Images(grey[:, None].expand(-1, 3, -1, -1), labels, classes, mean=(0.286,) * 3, std=(0.353,) * 3)


def _movie_snippets(folder, least_rating):
    """Sentences of film reviews; the label is the sign of their mean rating by people, from -4 to 4."""
    rated = _rated(folder, "movie_snippets")
    rated = rated[(rated.rating.abs() >= least_rating) & (rated.rating != 0)]
    rated = rated[~rated.text.str.lower().duplicated()]  # or the same sentence could be learned and tested
    return Texts(
        tuple(rated.text), torch.tensor((rated.rating > 0).to_numpy(), dtype=torch.long), ("negative", "positive")
    )


def _sentences(folder, name):
    """The sentences alone, whatever their rating, for language models: all of one class."""
    texts = _rated(folder, name).text
    texts = tuple(texts[~texts.str.lower().duplicated()])
    return Texts(texts, torch.zeros(len(texts), dtype=torch.long), ("sentence",))


def _unilaw_questions(folder, max_characters):
    """Questions of law, each with its choices, and the letters of those that are right, in the layout of Unilaw-R1."""
    with saying(after="; it is the evaluation part of Unilaw-R1 (arXiv 2510.10072)"):
        table = _spreadsheet(folder / "UnilawR1Eval.xlsx", ["input", "answer"])
    short = table.input.str.len() <= (max_characters or table.input.str.len().max())
    table = table[short & ~table.input.duplicated()]
    return Texts(
        tuple(table.input), torch.zeros(len(table), dtype=torch.long), ("question",), answers=tuple(table.answer)
    )


def _spreadsheet(path, columns):
    """Columns of the first sheet of a spreadsheet, as strings without spaces around; InputError for what lacks one."""
    readable(path)
    try:
        table = pd.read_excel(path, dtype=str, keep_default_na=False, engine="openpyxl")
    except (ValueError, KeyError, OSError, BadZipFile) as error:
        raise damaged(path, f"is no spreadsheet: {first_line(error)}") from None
    if missing := [name for name in columns if name not in table]:
        raise damaged(path, f"has no column {missing[0]!r}; expected {' and '.join(columns)}")
    table = table[columns].apply(lambda column: column.str.strip())
    if (empty := (table == "").any(axis=1)).any():
        raise damaged(path, f"has nothing for {' or '.join(columns)} in its entry {empty.argmax() + 1}")
    return table


def _rated(folder, name):
    """Table of rating and text."""
    path = _verified(folder / f"{name}.tsv.xz", SNIPPETS_SHA256[name])
    return pd.read_csv(path, sep="\t", names=["rating", "text"], quoting=csv.QUOTE_NONE, encoding="utf-8")


def _verified(path, sha256):
    """The path, if the file is there and has this checksum; InputError that says where it was looked for otherwise."""
    with saying(after="; it comes with the project, in data/"):
        if checksum(readable(path)) != sha256:
            raise damaged(path, "does not have its checksum")
    return path


FASHION_MNIST_6K_SHA256 = "fb6cb141baee0214da003a91c35444546901018ad08c62f6761bee8f229fea55"
SNIPPETS_SHA256 = {
    "movie_snippets": "7a845a9f999f94d8abb9c019ed8eea63e0fc2f599b1a508fdff43f4ca2a76fd7",
    "product_snippets": "048fdfd68765a5509ea60787c81927012d9e1a03622e9e8177f3a283c502afe4",
}
