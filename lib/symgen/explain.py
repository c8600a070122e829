"""Tables about single explanations: the strongest interactions, and how well the logical model matches the network."""

import numpy as np
import pandas as pd
from jaxtyping import Float

from symgen.intervals import interval
from symgen.subsets import members, n_variables, orders
from symgen.transforms import reconstruct

KINDS = ("and", "or")
SIGNS = {"and": " ∧ ", "or": " ∨ "}


def strongest_table(effects: Float[np.ndarray, "kind subset"], k: int, names=None) -> pd.DataFrame:
    """The k strongest interactions of one sample, strongest first: variables, kind, order, effect (log-odds).

    `names` are those of the n variables (their numbers otherwise); `variables` joins them by spaces.
    """
    names = names if names is not None else range(n_variables(effects.shape[-1]))
    rows = []
    for position in np.argsort(-np.abs(effects), axis=None, kind="stable")[:k]:
        kind, subset = np.unravel_index(position, effects.shape)
        inside = members(int(subset))
        rows.append((" ".join(str(names[i]) for i in inside), KINDS[kind], len(inside), effects[kind, subset]))
    return pd.DataFrame(rows, columns=["variables", "kind", "order", "effect"])


def phrase_table(effects: Float[np.ndarray, "kind subset"], k: int, phrases: list[str]) -> pd.DataFrame:
    """`strongest_table` of variables that are phrases: interaction (phrases joined by ∧ or ∨), kind, order, effect."""
    table = strongest_table(effects, k)
    joined = [
        SIGNS[kind].join(phrases[int(number)] for number in numbers.split())
        for numbers, kind in zip(table.variables, table.kind)
    ]
    return table.drop(columns="variables").assign(interaction=joined)[["interaction", "kind", "order", "effect"]]


def dictionary_size(n: int) -> int:
    """How many interactions n variables have: an AND for every non-empty subset, an OR for those of order 2 and above."""
    return 2 * (2**n - 1) - n


def keep_strongest(effects: Float[np.ndarray, "*batch kind subset"], k: int) -> Float[np.ndarray, "*batch kind subset"]:
    """The effects with all but the k strongest of each sample set to 0."""
    flat = effects.reshape(*effects.shape[:-2], -1)
    kept = np.argsort(-np.abs(flat), axis=-1, kind="stable")[..., :k]
    result = np.zeros_like(flat)
    np.put_along_axis(result, kept, np.take_along_axis(flat, kept, axis=-1), axis=-1)
    return result.reshape(effects.shape)


def logical_model(
    effects: Float[np.ndarray, "*batch kind subset"], bias: Float[np.ndarray, "*batch"] | float
) -> Float[np.ndarray, "*batch subset"]:
    """Outputs of the AND-OR model on all 2^n masked inputs (Eq. 3)."""
    return reconstruct(effects[..., 0, :], effects[..., 1, :], bias)


def by_definition(
    effects: Float[np.ndarray, "*batch kind subset"], bias: Float[np.ndarray, "*batch"] | float
) -> Float[np.ndarray, "*batch subset"]:
    """What `logical_model` gives, by asking of each masked input which interactions it triggers: an independent check."""
    subsets = np.arange(effects.shape[-1])
    nonempty = subsets > 0
    model = []
    for shown in subsets:
        inside, met = nonempty & (subsets & ~shown == 0), subsets & shown != 0
        model.append(effects[..., 0, inside].sum(axis=-1) + effects[..., 1, met].sum(axis=-1) + bias)
    return np.stack(model, axis=-1)


def matching_table(
    v: Float[np.ndarray, "subset"], effects: Float[np.ndarray, "kind subset"], bias, ks, panel=""
) -> pd.DataFrame:
    """All 2^n outputs of one sample, sorted, and the model's with its k strongest interactions, for each k (Fig. 7)."""
    order = np.argsort(v, kind="stable")
    tables = [
        pd.DataFrame(
            {"panel": panel, "k": k, "rank": np.arange(len(v)), "v": v[order],
             "model": logical_model(keep_strongest(effects, k), bias)[order]}
        )
        for k in ks
    ]  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def fidelity(v: Float[np.ndarray, "*batch subset"], effects: Float[np.ndarray, "*batch kind subset"], bias, k: int):
    """Share of the variance of the 2^n outputs that the k strongest interactions explain, per sample (1: all of it)."""
    missed = v - logical_model(keep_strongest(effects, k), bias)
    return 1 - (missed**2).mean(axis=-1) / v.var(axis=-1)


def needed_for(v, effects, bias, share: float = 0.95) -> np.ndarray:
    """The fewest strongest interactions with which the model explains `share` of the variance and stays above, (sample,)."""
    needed = np.full(len(v), 0)
    for k in range(1, int((effects != 0).sum(axis=(-2, -1)).max()) + 1):
        needed[fidelity(v, effects, bias, k) < share] = k
    return needed + 1


def sparsity_table(effects: Float[np.ndarray, "epoch sample kind subset"], epochs) -> pd.DataFrame:
    """Strengths sorted, relative to the strongest of their sample: epoch, rank, median and middle 80 % over samples."""
    flat = -np.sort(-np.abs(effects.reshape(*effects.shape[:2], -1)), axis=-1)
    relative = flat / flat[..., :1]
    tables = []
    for epoch, curve in zip(epochs, relative):
        low, high = interval(curve, 0.8)
        rank = np.arange(1, curve.shape[-1] + 1)
        tables.append(
            pd.DataFrame({"epoch": epoch, "rank": rank, "median": np.median(curve, axis=0), "low": low, "high": high})
        )
    return pd.concat(tables, ignore_index=True)


def conditions_table(
    v: Float[np.ndarray, "epoch sample subset"], effects: Float[np.ndarray, "epoch sample kind subset"], epochs
) -> pd.DataFrame:
    """The three conditions for sparsity (Appendix B) by number of variables m: see the columns below.

    strength_share: share of all strength at order m (condition 1). output: u(m), the mean of v(x_S) - v(x_0) over |S| =
    m, over the samples' mean |v(x_N) - v(x_0)|, with the middle 80 % of samples. monotone: share of samples with u(m) >=
    u(m - 1) (condition 2). p: median of the smallest exponent with which u(m) >= (m / n)^p u(n) (condition 3).
    """
    sizes = orders(n_variables(v.shape[-1]))
    n = sizes.max()
    tables = []
    for epoch, values, own in zip(epochs, v, effects):
        u = mean_outputs(values)
        scale = np.abs(u[:, -1]).mean()
        low, high = interval(u / scale, 0.8)
        strength = np.array([np.abs(own[..., sizes == m]).sum() for m in range(n + 1)])
        growing = u * np.sign(u[:, -1:])  # a label that loses by what is shown falls as steadily as another one rises
        with np.errstate(divide="ignore", invalid="ignore"):
            exponent = np.log(np.clip(growing, 0, None) / growing[:, -1:]) / np.log(np.arange(n + 1) / n)
        monotone = np.diff(growing, axis=1, prepend=-np.inf) >= 0
        tables.append(
            pd.DataFrame(
                {"epoch": epoch, "m": np.arange(n + 1), "strength_share": strength / strength.sum(),
                 "output": u.mean(axis=0) / scale, "low": low, "high": high, "monotone": monotone.mean(axis=0),
                 "p": [np.nan, *np.median(exponent[:, 1:-1], axis=0), np.nan]}
            )
        )  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def mean_outputs(v: Float[np.ndarray, "sample subset"]) -> Float[np.ndarray, "sample m"]:
    """u(m): the mean of v(x_S) - v(x_0) over the subsets with m variables, m = 0..n (Appendix B)."""
    sizes = orders(n_variables(v.shape[-1]))
    return np.stack([v[:, sizes == m].mean(axis=1) for m in range(sizes.max() + 1)], axis=1) - v[:, :1]


def conditions_of(
    v: Float[np.ndarray, "sample subset"], effects: Float[np.ndarray, "sample kind subset"]
) -> dict[str, Float[np.ndarray, "sample"]]:
    """How far each sample meets the three conditions for sparsity: 1 is fully, for each (Appendix B).

    low orders: share of strength at orders up to n / 2. steady: share of the steps m - 1 to m at which u(m) does not
    fall. bounded: whether some p gives u(m) >= (m / n)^p u(n) for all m, that is, whether every u(m) is above 0. u(m) is
    taken in the direction of u(n): a label that loses by what is shown falls as steadily as another one rises.
    """
    sizes = orders(n_variables(v.shape[-1]))
    strength = np.abs(effects).sum(axis=1)
    u = mean_outputs(v)
    growing = u * np.sign(u[:, -1:])
    return {
        "low orders": strength[:, sizes <= sizes.max() / 2].sum(axis=1) / strength.sum(axis=1),
        "steady": (np.diff(growing, axis=1) >= 0).mean(axis=1),
        "bounded": (growing[:, 1:] > 0).all(axis=1).astype(float),
    }
