"""Who is trained on what, and which samples are looked at, by which variables: all drawn with recorded seeds."""

import numpy as np
import pandas as pd

from symgen.errors import InputError
from symgen.study.settings import Study


def deal(study: Study, labels: np.ndarray, within: np.ndarray | None = None) -> pd.DataFrame:
    """Parts of the data, as `pipeline.ensure_split` says them: columns item, label, part.

    labels (item,). within (item,): numbers of the texts in which items stand; those of one text stay together.
    """
    names = ("A", "B", "B-validation", "C", "C-validation", "D")
    sizes = np.array([study.train_size, *(study.train_size, study.validation_size) * 2, study.test_size])
    if sizes.sum() > len(labels):
        raise InputError(
            f"study {study.name!r}: the parts take {sizes.sum()} items, {study.dataset} has {len(labels)}; "
            "lower train_size, validation_size or test_size"
        )
    rng = np.random.default_rng(study.split_seed)
    if within is None:
        hands = np.split(_in_turn(np.arange(len(labels)), labels, rng), sizes.cumsum())
    else:
        of = _dealt_whole(labels, within, sizes, rng)
        hands = [_in_turn(np.flatnonzero(of == i), labels, rng)[:size] for i, size in enumerate(sizes)]
    part = np.full(len(labels), "unused", dtype=object)
    for name, size, hand in zip(names, sizes, hands):
        if size > len(hand):
            raise InputError(f"study {study.name!r}: {name} takes {size} items, {len(hand)} are left in equal classes")
        part[hand] = name
    return pd.DataFrame({"item": np.arange(len(labels)), "label": labels, "part": part})


def draw_samples(study: Study, kind, split: pd.DataFrame) -> pd.DataFrame:
    """Samples to explain, as `pipeline.ensure_samples` says them, of a split; `kind`: the study's modality."""
    rng = np.random.default_rng(study.explain_seed)
    rows = []
    for of, part in (("training", "A"), ("testing", "D")):
        items = split[split.part == part]
        items = items[kind.explainable(items.item.to_numpy())]
        labels = np.sort(items.label.unique())
        if study.explain_classes > len(labels):
            raise InputError(f"explain_classes = {study.explain_classes}; part {part} holds {len(labels)} classes")
        for label in np.sort(rng.choice(labels, study.explain_classes, replace=False)):
            own = items.item[items.label == label].to_numpy()
            if study.explain_per_class > len(own):
                raise InputError(
                    f"explain_per_class = {study.explain_per_class}; part {part} holds {len(own)} of class {label}"
                )
            rows += [(of, item, label) for item in rng.choice(own, study.explain_per_class, replace=False)]
    table = pd.DataFrame(rows, columns=["of", "item", "label"])
    table["label"] = kind.labels(table.item)
    table.insert(0, "sample", np.arange(len(table)))
    rng = np.random.default_rng([study.explain_seed, study.variables_seed])
    table["variables"] = [" ".join(map(str, kind.draw_variables(item, rng))) for item in table.item]
    return table


def draw_penalised(small: Study, kind, split: pd.DataFrame) -> pd.DataFrame:
    """Items that may be penalised, as `pipeline.ensure_penalised` says them."""
    own = split[split.part == "A"]
    table = pd.DataFrame({"position": np.arange(len(own)), "item": own.item.to_numpy(), "label": own.label.to_numpy()})
    table = table[kind.explainable(table.item.to_numpy())]
    rng = np.random.default_rng([small.explain_seed, small.variables_seed, len(own)])
    return table.assign(variables=[" ".join(map(str, kind.draw_variables(item, rng))) for item in table.item])


def _dealt_whole(labels, within, sizes, rng):
    """Number of a part for each item: what stands within one text goes together to where its classes are lacking most."""
    order = np.argsort(within, kind="stable")
    families = np.split(order, np.flatnonzero(np.diff(within[order])) + 1)
    held, of = np.zeros((len(sizes), labels.max() + 1)), np.empty(len(labels), int)
    for i in rng.permutation(len(families)):
        counts = np.bincount(labels[families[i]], minlength=held.shape[1])
        full = np.divide(held @ counts, sizes, out=np.full(len(sizes), np.inf), where=sizes > 0)
        to = np.argmin(full)
        held[to] += counts
        of[families[i]] = to
    return of


def _in_turn(items, labels, rng):
    """The items in random order, one of each class in turn, as far as the smallest class goes."""
    shuffled = [rng.permutation(items[labels[items] == label]) for label in range(labels.max() + 1)]
    return np.array([item for hand in zip(*shuffled, strict=False) for item in hand], dtype=int)
