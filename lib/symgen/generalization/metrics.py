"""Which interactions count, which of them generalize, and how strong they are by order.

`effects` everywhere is an array (..., kind, subset): kind 0 holds the AND interactions, kind 1 the OR interactions of
one network on one sample; axes in front (network, checkpoint, sample) are free.
"""

from numbers import Real

import numpy as np
from jaxtyping import Bool, Float

from symgen.errors import InputError, whole_number
from symgen.interactions import n_variables, orders

COMBINE = ("any", "majority", "all")
SHARE_HELD = 0.8  # of the strength, which N counts (Eq. 9-10)


def salient(
    effects: Float[np.ndarray, "*batch kind subset"],
    tau_ratio: float = 0.05,
    strongest: int | None = None,
    tau: float | None = None,
) -> Bool[np.ndarray, "*batch kind subset"]:
    """Which interactions are salient: `|I(S)| > tau`, with `tau = tau_ratio * max |I|` over both kinds of a sample.

    Parameters
    ----------
    effects
        Interactions (..., kind, subset), in log-odds.
    tau_ratio, strongest, tau
        The share of the strongest; or the k strongest instead (Algorithm 1); or else an absolute threshold, for effects
        that are `normalized` before (Appendix M). An interaction of strength 0 is never salient.

    Raises
    ------
    InputError
        For a tau_ratio that is not from 0 to below 1, a tau below 0, and fewer than one strongest.

    Examples
    --------
    >>> effects = np.array([[0.0, 2.0, 0.05, -0.5], [0.0, 0.0, 0.0, 0.2]])
    >>> int(salient(effects).sum())
    3
    """
    strength = np.abs(effects)
    if strongest is not None:
        strongest = whole_number(strongest, "strongest", "at least one interaction", least=1)
        flat = np.sort(strength.reshape(*strength.shape[:-2], -1), axis=-1)
        threshold = flat[..., -min(strongest, flat.shape[-1]), None, None]
        return (strength >= threshold) & (strength > 0)
    if tau is None:
        return strength > check_tau_ratio(tau_ratio) * strength.max(axis=(-2, -1), keepdims=True)
    if not isinstance(tau, Real) or not tau >= 0:
        raise InputError(f"tau = {tau!r}; expected a threshold of 0 or more")
    return strength > tau


def checked_k(k) -> int:
    """k, if so many interactions can be asked for; InputError otherwise."""
    return whole_number(k, "k", "a whole number of interactions, 1 or more", least=1)


def check_tau_ratio(tau_ratio: float) -> float:
    """tau_ratio, if it is a share of the strongest above which anything can be salient; InputError otherwise."""
    if not isinstance(tau_ratio, Real) or not 0 <= tau_ratio < 1:
        raise InputError(f"tau_ratio = {tau_ratio!r}; expected a share of the strongest, from 0 to below 1")
    return tau_ratio


def generalizable(
    effects: Float[np.ndarray, "*batch kind subset"],
    baselines: Float[np.ndarray, "baseline *#batch kind subset"],
    tau_ratio: float = 0.05,
    combine: str = "any",
) -> Bool[np.ndarray, "*batch kind subset"]:
    """Which interactions generalize (Eq. 5): a baseline has the same one, salient and with the same sign.

    Whether they are salient in `effects` is another question: H counts those of `salient(effects)` alone, and so does
    `Comparison.generalizable`.

    Parameters
    ----------
    effects, baselines
        Interactions (..., kind, subset) of a network, and of baselines with one more axis in front, on the same samples.
    tau_ratio
        As in `salient`, for the baselines.
    combine
        How several baselines count: any of them (Eq. 13), majority, or all.

    Raises
    ------
    InputError
        For baselines without an axis in front, and another way to combine them.

    Examples
    --------
    >>> effects = np.array([[0.0, 2.0, -1.0, 0.5], [0.0, 0.0, 0.0, 0.0]])
    >>> generalizable(effects, np.array([effects * [0, 1, -1, 1]]))[0]
    array([False,  True, False,  True])

    H of one sample, with those above 0.4 of the strongest as the salient ones:

    >>> shared, strong = generalizable(effects, effects[None] * [0, 1, -1, 1]), salient(effects, tau_ratio=0.4)
    >>> strengths = [strength_by_order(effects[None], counted[None]) for counted in (shared & strong, strong)]
    >>> round(float(generalization_ratio(*strengths)), 3)
    0.667
    """
    return agreed(effects, baselines * salient(baselines, tau_ratio), combine)


def agreed(
    effects: Float[np.ndarray, "*shape"], salient_baselines: Float[np.ndarray, "baseline *#shape"], combine: str = "any"
) -> Bool[np.ndarray, "*shape"]:
    """`generalizable`, one interaction at a time, of baselines in which what is not salient is 0: signs agree."""
    _check_axes(effects, salient_baselines)
    return _combined(effects * salient_baselines > 0, combine)


def _check_axes(effects, baselines):
    if np.ndim(baselines) != np.ndim(effects) + 1:
        shapes = f"effects has shape {np.shape(effects)}, baselines {np.shape(baselines)}"
        raise InputError(f"{shapes}; expected one more axis in front, also of a single baseline: baselines[None]")


def similarity(
    effects: Float[np.ndarray, "*shape"], baselines: Float[np.ndarray, "baseline *#shape"], combine: str = "any"
) -> Float[np.ndarray, "*shape"]:
    """Graded generalization in [0, 1] (Eq. 19-20): `min(|I|, |I_base|) / max(...)` where signs agree, else 0.

    Takes effects that are `normalized`. Several baselines count with the largest value (any), the one that more
    than half of them reach (majority), or the smallest (all).

    Parameters
    ----------
    effects, baselines
        `normalized` effects, and those of baselines with one more axis in front, on the same samples.
    combine
        How several baselines count, as in `generalizable`.

    Raises
    ------
    InputError
        For baselines without an axis in front, and another way to combine them.

    Examples
    --------
    >>> similarity(np.array([2.0, 1.0]), np.array([[1.0, -1.0]]))
    array([0.5, 0. ])
    """
    _check_axes(effects, baselines)
    weaker = np.minimum(np.abs(effects), np.abs(baselines))
    stronger = np.maximum(np.abs(effects), np.abs(baselines))
    graded = np.divide(weaker, stronger, out=np.zeros(stronger.shape), where=effects * baselines > 0)
    return _combined(graded, combine)


def normalized(
    effects: Float[np.ndarray, "*batch sample kind subset"], v: Float[np.ndarray, "*batch sample subset"]
) -> Float[np.ndarray, "*batch sample kind subset"]:
    """Effects divided by the mean over samples of |v(x_N) - v(x_0)| of their network (Appendix M)."""
    change = np.abs(v[..., -1] - v[..., 0]).mean(axis=-1)
    return effects / np.where(change > 0, change, np.nan)[..., None, None, None]  # NaN: there is no change to share


def strength_by_order(
    effects: Float[np.ndarray, "*batch kind subset"], weight=1.0
) -> Float[np.ndarray, "*weighted sign order"]:
    """Strength of interactions by sign and order (Eq. 6-7, signs corrected): shape (..., 2, n + 1), at index the order.

    Sign 0 sums max(I, 0), sign 1 sums min(I, 0) over AND and OR, each interaction times `weight` (a mask or a grade).

    Parameters
    ----------
    effects
        Interactions (..., kind, subset), in log-odds; kind 0 is AND, kind 1 is OR.
    weight
        A mask or a grade of each interaction, of their shape or one that fits to it.

    Returns
    -------
    array
        (..., sign, order), in log-odds, from order 0 to n.

    Examples
    --------
    >>> effects = np.array([[0.0, 2.0, -1.0, 0.5], [0.0, 0.0, 0.0, -0.25]])
    >>> strength_by_order(effects)
    array([[ 0.  ,  2.  ,  0.5 ],
           [ 0.  , -1.  , -0.25]])
    """
    weighted = effects * weight
    n = n_variables(effects.shape[-1])
    of_order = np.eye(n + 1)[orders(n)]  # (subset, order)
    return np.stack([part.sum(axis=-2) @ of_order for part in (weighted.clip(min=0), weighted.clip(max=0))], axis=-2)


def order_sums(strength: Float[np.ndarray, "*batch sign order"], of_orders=None) -> Float[np.ndarray, "*batch"] | float:
    """Strength (both signs, absolute) summed over the given orders, or over all."""
    kept = [order for order in range(strength.shape[-1]) if of_orders is None or order in of_orders]
    return np.abs(strength[..., kept]).sum(axis=(-2, -1))


def generalization_ratio(
    generalizable_strength: Float[np.ndarray, "*batch sample sign order"],
    total_strength: Float[np.ndarray, "*batch sample sign order"],
    of_orders=None,
) -> Float[np.ndarray, "*batch"] | float:
    """H (Eq. 8): the share of salient strength that generalizes, summed over samples first; H_low, H_high by orders.

    A ratio of sums, so that a sample without a salient interaction of these orders counts for nothing. NaN where no
    sample has one.

    Parameters
    ----------
    generalizable_strength, total_strength
        By `strength_by_order`, (..., sample, sign, order): of salient interactions that generalize, and of all salient
        ones.
    of_orders
        The orders that count; all without.

    Returns
    -------
    number or array (...)
        From 0 to 1.

    Examples
    --------
    >>> total = np.array([[[0.0, 3.0, 1.0], [0.0, -1.0, 0.0]]])  # (sample, sign, order)
    >>> round(float(generalization_ratio(total * [0, 1, 0], total)), 3)
    0.8
    """
    return ratio(
        order_sums(generalizable_strength, of_orders).sum(axis=-1), order_sums(total_strength, of_orders).sum(axis=-1)
    )


def ratio(part, whole):
    """part / whole, NaN where there is nothing of the whole."""
    part, whole = np.asarray(part, float), np.asarray(whole, float)
    return np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, np.nan), where=whole != 0)[()]


def effective_number(effects: Float[np.ndarray, "*batch kind subset"]) -> Float[np.ndarray, "*batch"] | float:
    """N (Eq. 9-10): the fewest AND interactions with 80 % of the AND strength, plus the same for OR, per sample.

    NaN of a sample without any interaction.

    Parameters
    ----------
    effects
        Interactions (..., kind, subset), in log-odds; kind 0 is AND, kind 1 is OR.

    Returns
    -------
    number or array (...)
        A number of interactions for each sample.

    Examples
    --------
    >>> float(effective_number(np.array([[0.0, 6.0, 3.0, 1.0], [0.0, 0.0, 0.0, 2.0]])))
    3.0
    """
    strongest_first = -np.sort(-np.abs(effects), axis=-1)
    held = strongest_first.cumsum(axis=-1)
    total = held[..., -1:]
    too_few = held < SHARE_HELD * total * (1 - 1e-12)  # rounding must not cost one more
    needed = too_few.sum(axis=-1) + (total[..., 0] > 0)
    return np.where(total.any(axis=(-2, -1)), needed.sum(axis=-1), np.nan)[()]


def jaccard(
    strength: Float[np.ndarray, "*batch sign order"], other: Float[np.ndarray, "*batch sign order"]
) -> Float[np.ndarray, "*batch"] | float:
    """Jaccard similarity of two distributions over signs and orders (Appendix N): sum of minima over sum of maxima.

    Parameters
    ----------
    strength, other
        Distributions (..., sign, order), as of `strength_by_order`; only absolute values count.

    Returns
    -------
    number or array (...)
        From 0 to 1; NaN where both are 0 everywhere.

    Examples
    --------
    >>> round(float(jaccard(np.array([[0.0, 2.0], [0.0, -1.0]]), np.array([[0.0, 1.0], [0.0, -1.0]]))), 3)
    0.667
    """
    a, b = np.abs(strength), np.abs(other)
    return ratio(np.minimum(a, b).sum(axis=(-2, -1)), np.maximum(a, b).sum(axis=(-2, -1)))


def removed_value(
    v: Float[np.ndarray, "..."] | float, effects: Float[np.ndarray, "*batch kind subset"], removed
) -> Float[np.ndarray, "*batch"] | float:
    """v(x) without the `removed` interactions (Eq. 12): on the full input every interaction is triggered.

    Parameters
    ----------
    v
        The output with nothing masked, log-odds: a number, or one a sample; of an explanation `e.v[:, -1]`.
    effects
        Interactions (..., kind, subset), in log-odds; kind 0 is AND, kind 1 is OR.
    removed
        Mask of those that are taken out, of their shape.

    Raises
    ------
    InputError
        For v of another shape.

    Examples
    --------
    >>> float(removed_value(3.0, np.array([[0.0, 2.0], [0.0, 0.0]]), np.array([[False, True], [False, False]])))
    1.0
    """
    if np.shape(v) not in ((), effects.shape[:-2]):
        expected = "one number a sample, with nothing masked: e.v[:, -1] of an explanation e"
        raise InputError(f"v has shape {np.shape(v)}; expected {effects.shape[:-2]}, {expected}")
    return v - (effects * removed).sum(axis=(-2, -1))


def newly_learned(
    effects: Float[np.ndarray, "checkpoint *batch kind subset"],
) -> Float[np.ndarray, "checkpoint *batch kind subset"]:
    """Strength that each interaction gained since the checkpoint before, max(0, |I(t)| - |I(t-1)|); 0 at the first."""
    strength = np.abs(effects)
    return np.diff(strength, axis=0, prepend=strength[:1]).clip(min=0)


def derangements(n_samples: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """`draws` random permutations (draw, sample) in which no sample keeps its place: who is compared with whom by chance."""
    if n_samples < 2:
        raise InputError(f"{n_samples} sample(s); a chance level needs at least two to compare")
    if draws < 1:
        raise InputError(f"draws = {draws}; a chance level needs at least one")
    kept = []
    while len(kept) < draws:
        order = rng.permutation(n_samples)
        if (order != np.arange(n_samples)).all():
            kept.append(order)
    return np.stack(kept)


def check_combine(combine: str) -> None:
    """InputError unless this says how many of the baselines must have an interaction."""
    if combine not in COMBINE:
        raise InputError(f"combine = {combine!r}; expected one of {', '.join(COMBINE)}")


def _combined(per_baseline, combine):
    """The values of several baselines (first axis) in one: the largest, the one that most reach, or the smallest."""
    check_combine(combine)
    if combine == "majority":  # the value that more than half of the baselines reach
        return np.sort(per_baseline, axis=0)[(len(per_baseline) - 1) // 2]
    return per_baseline.max(axis=0) if combine == "any" else per_baseline.min(axis=0)
