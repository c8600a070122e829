"""Texts in tables, in the layouts in which SST-2 (of GLUE) and AG News are published.

All labelled texts of a set are one pool, as images are, and each text is there once. Most of SST-2's are phrases of its
sentences, and networks are trained on all of them, as GLUE has them; but then a sentence to be tested on must not have been
learned from in pieces. So the study's split deals each text to the part of the longest one that it stands in. One
that stands in several goes with one of these alone: short phrases of a sentence to be tested on may still be learned.
"""

import csv
from itertools import combinations

import numpy as np
import pandas as pd
import torch

from symgen.data.sources import Source, Texts, damaged, read_table


def _sst2(folder):
    """Sentences and phrases of train.tsv and dev.tsv; those of test.tsv have no labels."""
    layout = {"sep": "\t", "quoting": csv.QUOTE_NONE, "skiprows": 1}
    texts, labels = _pool([folder / "train.tsv", folder / "dev.tsv"], ["text", "label"], ["0", "1"], **layout)
    return Texts(texts, labels, ("negative", "positive"), nested=True)


def _ag_news(folder):
    """Title (which may be empty) and description of every article of train.csv and test.csv."""
    classes = tuple(_table(folder / "classes.txt", ["class"])["class"])
    numbers = [str(i + 1) for i in range(len(classes))]
    return Texts(*_pool([folder / "train.csv", folder / "test.csv"], ["label", "title", "text"], numbers), classes)


def _pool(paths, columns, numbers, **layout):
    """All different texts of some tables, and their labels: places in `numbers`; InputError for what lacks either."""
    table = pd.concat([_labelled(path, columns, numbers, **layout) for path in paths])
    table = table[~table.text.str.lower().duplicated()]  # or the same text could be learned and tested
    return tuple(table.text), torch.tensor(table.label.to_numpy())


def _labelled(path, columns, numbers, **layout):
    table = _table(path, columns, **layout)
    parts = table.drop(columns="label").itertuples(index=False)
    text = pd.Series([" ".join(" ".join(row).replace("\\", " ").split()) for row in parts])  # "\" stands for a new line
    label = table.label.map({number: i for i, number in enumerate(numbers)})
    lacking = (text == "") | label.isna()
    if lacking.any():
        raise damaged(path, f"has no text, or no label of {', '.join(numbers)}, in its entry {lacking.argmax() + 1}")
    return pd.DataFrame({"text": text, "label": label.astype("int64")})


def _table(path, columns, **layout):
    """A table of strings without a header; InputError if it cannot be read, or has other columns."""
    table = read_table(path, header=None, dtype=str, keep_default_na=False, **layout).fillna("")
    if table.shape[1] != len(columns):
        raise damaged(path, f"has {table.shape[1]} columns; expected {', '.join(columns)}")
    return table.set_axis(columns, axis=1)


def standing_within(texts) -> np.ndarray:
    """(text,): the number of the longest of the texts that each stands in, word for word; itself where there is none."""
    number = {text: i for i, text in enumerate(texts)}
    within = np.full(len(number), -1)
    for text in sorted(number, key=lambda text: -text.count(" ")):
        if within[number[text]] >= 0:
            continue
        words = text.split(" ")
        for start, stop in combinations(range(len(words) + 1), 2):
            part = number.get(" ".join(words[start:stop]))
            if part is not None and within[part] < 0:
                within[part] = number[text]
    return within


SOURCES = {
    "sst2": Source(
        "SST-2", "https://dl.fbaipublicfiles.com/glue/data/SST-2.zip", "9f81648d4199384278b86e315dac217c", _sst2
    ),
    "ag-news": Source(
        "ag_news_csv",
        "https://s3.amazonaws.com/fast-ai-nlp/ag_news_csv.tgz",
        "b86f328f4dbd072486591cb7a5644dcd",
        _ag_news,
    ),
}
