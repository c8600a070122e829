"""Who is trained on what: a set of items is dealt into disjoint, class-balanced parts with a recorded seed."""

import numpy as np
import pandas as pd

from symgen.errors import InputError


def deal(labels: np.ndarray, sizes: dict[str, int], seed: int, within: np.ndarray | None = None) -> pd.DataFrame:
    """Parts of a set of items: columns item, label, part.

    Parameters
    ----------
    labels
        Of the items, (item,).
    sizes
        Items in each part by its name; what is left over is "unused".
    seed
        Of the deal.
    within
        Numbers of the texts in which items stand, (item,): those that stand in one text stay together.
    """
    counts = np.array([*sizes.values()])
    if counts.sum() > len(labels):
        raise InputError(
            f"the parts take {counts.sum()} items, there are {len(labels)}; lower train_size, validation_size or test_size"
        )
    rng = np.random.default_rng(seed)
    if within is None:
        dealt = np.split(_in_turn(np.arange(len(labels)), labels, rng), counts.cumsum())
    else:
        of = _dealt_whole(labels, within, counts, rng)
        dealt = [_in_turn(np.flatnonzero(of == i), labels, rng)[:size] for i, size in enumerate(counts)]
    part = np.full(len(labels), "unused", dtype=object)
    for (name, size), items in zip(sizes.items(), dealt):
        if size > len(items):
            left = f"{name} takes {size} items, {len(items)} are left in equal classes, as far as the smallest goes"
            raise InputError(f"{left}; lower train_size, validation_size or test_size")
        part[items] = name
    return pd.DataFrame({"item": np.arange(len(labels)), "label": labels, "part": part})


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
