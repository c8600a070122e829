"""How well the AND-OR model gives a network's outputs back, with all interactions or the strongest, and how sparse it is."""

import numpy as np
from jaxtyping import Float

from symgen.interactions.subsets import members, n_variables, orders, subset_matrix
from symgen.interactions.transforms import reconstruct

KINDS = ("and", "or")
OPERATORS = {"and": " ∧ ", "or": " ∨ "}


def joined_names(kind: str, subset: int, names) -> str:
    """The names of an interaction's variables, joined by ∧ (AND) or ∨ (OR)."""
    return OPERATORS[kind].join(str(names[i]) for i in members(subset))


def dictionary_size(n: int) -> int:
    """How many interactions n variables have: an AND for every non-empty subset, an OR for those of order 2 and above."""
    return 2 * (2**n - 1) - n


def keep_strongest(effects: Float[np.ndarray, "*batch kind subset"], k: int) -> Float[np.ndarray, "*batch kind subset"]:
    """The effects with all but the k strongest of each sample set to 0."""
    flat = effects.reshape(*effects.shape[:-2], -1)
    rank = np.argsort(-np.abs(flat), axis=-1, kind="stable").argsort(axis=-1)
    return np.where(rank < k, flat, 0).reshape(effects.shape)


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
    model = np.empty((*effects.shape[:-2], len(subsets)))
    for shown in np.array_split(subsets, -(-len(subsets) // 64)):  # some at a time: memory
        inside = (subsets > 0) & (subsets & ~shown[:, None] == 0)
        met = subsets & shown[:, None] != 0
        model[..., shown] = effects[..., 0, :] @ inside.T.astype(float) + effects[..., 1, :] @ met.T.astype(float)
    return model + np.asarray(bias)[..., None]


def fidelity(
    v: Float[np.ndarray, "*batch subset"], effects: Float[np.ndarray, "*batch kind subset"], bias
) -> Float[np.ndarray, "*batch"] | float:
    """R2: share of the variance of the 2^n outputs that interactions explain (Eq. 14-15), of each; NaN if v is constant."""
    missed = v - logical_model(effects, bias)
    return _explained((missed**2).mean(axis=-1), v)[()]


def fidelity_curve(
    v: Float[np.ndarray, "subset"], effects: Float[np.ndarray, "kind subset"], bias: float
) -> Float[np.ndarray, "k"]:
    """`fidelity` of the k strongest interactions of one sample, k = 1, 2, .. as many as are not 0; NaN if v is constant."""
    return _curves(v[None], effects[None], np.array([bias]))[0]


def _curves(v, effects, bias, most=None):
    """`fidelity_curve` of several samples, (sample, k): k up to `most`, or to the last effect of any that is not 0."""
    flat = effects.reshape(len(effects), -1)
    order = np.argsort(-np.abs(flat), axis=1, kind="stable")[:, : np.count_nonzero(flat, axis=1).max()][:, :most]
    strength = np.take_along_axis(flat, order, axis=1)
    is_or, inside = (part[..., None] for part in divmod(order.T, v.shape[-1]))  # (k, sample, 1)
    small = np.min_scalar_type(v.shape[-1] - 1)  # integers of few bits, for speed
    subsets, inside, wanted = (a.astype(small) for a in (np.arange(v.shape[-1]), inside, np.where(is_or, 0, inside)))
    missed, power = v - bias[:, None], np.empty(order.shape)
    taken = np.empty_like(missed)
    for k in range(order.shape[1]):  # an AND is triggered where all of it is shown, an OR where any of it is
        triggered = ((subsets & inside[k]) == wanted[k]) ^ is_or[k].astype(bool)
        missed -= np.multiply(strength[:, k, None], triggered, out=taken)
        power[:, k] = np.square(missed, out=taken).mean(axis=1)
    return _explained(power, v[:, None])


def _explained(missed, v):
    """Share of the variance of v that is not missed; NaN if v is constant, whose variance may be rounded."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.ptp(v, axis=-1) > 0, 1 - missed / v.var(axis=-1), np.nan)


def shares(effects: Float[np.ndarray, "*batch kind subset"]) -> Float[np.ndarray, "*batch variable"]:
    """Each variable's share of the effects: of every interaction it is in, 1 / |S|. Shapley values of the AND-OR model."""
    inside = subset_matrix(n_variables(effects.shape[-1]))  # (subset, variable)
    return (effects.sum(axis=-2) / np.maximum(inside.sum(axis=1), 1)) @ inside


def needed_for(v, effects, bias, share: float = 0.95) -> np.ndarray:
    """The fewest strongest interactions with which the model explains `share` of the variance and stays above, (sample,).

    As many as there are, where even all that are not 0 explain less: the noise holds the rest.
    """
    curves = _curves(v, effects, bias, _surely_enough(v, effects, bias, share))
    needed = (np.arange(1, curves.shape[1] + 1) * ~(curves >= share)).max(axis=1, initial=0) + 1
    return np.where(needed > curves.shape[1], dictionary_size(n_variables(v.shape[-1])), needed)


def _surely_enough(v, effects, bias, share):
    """How many of the strongest interactions explain `share` in every sample, whatever the weaker ones add up to."""
    weaker = np.sort(np.abs(effects.reshape(len(effects), -1)), axis=1)[:, ::-1].cumsum(axis=1)
    weaker = weaker[:, -1:] - weaker  # (sample, k - 1): all of them move an output by no more than this
    missed = np.sqrt(np.square(v - logical_model(effects, bias)).mean(axis=1, keepdims=True))
    enough = missed + weaker < np.sqrt(1 - share) * v.std(axis=1, keepdims=True)
    return np.where(enough.any(axis=1), enough.argmax(axis=1) + 1, enough.shape[1]).max()


def mean_outputs(v: Float[np.ndarray, "sample subset"]) -> Float[np.ndarray, "sample m"]:
    """u(m): the mean of v(x_S) - v(x_0) over the subsets with m variables, m = 0..n (Appendix B)."""
    sizes = orders(n_variables(v.shape[-1]))
    return np.stack([v[:, sizes == m].mean(axis=1) for m in range(sizes.max() + 1)], axis=1) - v[:, :1]


def conditions_of(
    v: Float[np.ndarray, "sample subset"], effects: Float[np.ndarray, "sample kind subset"]
) -> dict[str, Float[np.ndarray, "sample"]]:
    """How far each sample meets the three conditions for sparsity: 1 is fully, for each (Appendix B).

    orders up to n / 2: their share of strength, NaN without any strength. steady: share of the steps m - 1 to m
    at which u(m) does not fall. bounded: whether some p gives u(m) >= (m / n)^p u(n) for all m, that is, whether every
    u(m) is above 0. u(m) is taken in the direction of u(n): a label that loses by what is shown falls as steadily as
    another one rises.
    """
    sizes = orders(n_variables(v.shape[-1]))
    strength = np.abs(effects).sum(axis=1)
    u = mean_outputs(v)
    growing = u * np.sign(u[:, -1:])
    with np.errstate(invalid="ignore"):
        low = strength[:, sizes <= sizes.max() / 2].sum(axis=1) / strength.sum(axis=1)
    return {
        "orders up to n / 2": low,
        "steady": (np.diff(growing, axis=1) >= 0).mean(axis=1),
        "bounded": (growing[:, 1:] > 0).all(axis=1).astype(float),
    }
