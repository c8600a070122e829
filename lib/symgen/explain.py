"""Tables about single explanations: the strongest interactions, and how well the logical model matches the network."""

import numpy as np
import pandas as pd
from jaxtyping import Float

from symgen.generalization import interval
from symgen.interactions import KINDS, keep_strongest, logical_model, mean_outputs, members, n_variables, orders

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
