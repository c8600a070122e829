"""The loss of a network without some of its interactions, against a placebo (Eq. 12)."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import product

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from symgen.errors import InputError
from symgen.generalization.bootstrap import Bootstrap, Estimate, pooled
from symgen.generalization.comparison import Comparisons
from symgen.interactions import n_variables, orders

QUANTITIES = (
    "training rise", "testing change", "gap before", "gap after", "gap narrowed by",
    "effect on training", "effect on testing", "share apart", "effect apart",
)  # fmt: skip
OF_THE_GAP = ("training rise", "testing change", "gap narrowed by")  # also as shares of the mean gap before
REMOVED_SETS = ("removed", "reverse")
SMALLER_IS_MORE = ("testing change", "gap after", "effect on testing")  # what the claim says goes down, or stays small


def loss(v: Float[np.ndarray, "*batch"]) -> Float[np.ndarray, "*batch"]:
    """Cross-entropy -log sigmoid(v) (nats) of a label with log-odds v."""
    return np.logaddexp(0, -v)


def placebo_strength(
    strength: Float[np.ndarray, "*batch interaction"],
    order: Int[np.ndarray, "*batch interaction"],
    removed: Bool[np.ndarray, "*batch interaction"],
    lots: Float[np.ndarray, "draw *batch interaction"],
) -> Float[np.ndarray, "draw *batch interaction"]:
    """How much strength each of many placebos takes of each interaction, between 0 and all of it.

    Of every order a placebo takes as much as `removed` has there: interactions of that order, those with the lowest of
    its `lots` (in [0, 1)) first, until the strength is reached, of the last one a part.
    """
    queue = (order + lots).argsort(axis=-1)  # order by order, at random within one
    queued = np.take_along_axis(strength[None], queue, axis=-1)
    ahead = queued.cumsum(axis=-1) - queued
    of_order = np.eye(order.max(initial=0) + 1)[order]  # (..., interaction, order)
    whole, wanted = (np.einsum("...i,...io->...o", x, of_order) for x in (strength, strength * removed))
    stop = np.take_along_axis(whole.cumsum(axis=-1) - whole + wanted, np.sort(order), axis=-1)
    taken = np.empty_like(queued)
    np.put_along_axis(taken, queue, np.clip(stop - ahead, 0, queued), axis=-1)
    return taken


def placebo_effects(
    effects: Float[np.ndarray, "sample kind subset"],
    salient: Bool[np.ndarray, "sample kind subset"],
    removed: Bool[np.ndarray, "sample kind subset"],
    draws: int = 100,
    seed=0,
) -> Float[np.ndarray, "draw sample"]:
    """Signed effect (log-odds) of random sets of salient interactions as strong, order by order, as the `removed` ones."""
    if draws < 1:
        raise InputError(f"draws = {draws} placebos; expected at least 1")
    flat = salient.reshape(len(salient), -1)
    most = flat.sum(axis=-1)
    place = np.argsort(~flat, axis=-1, kind="stable")[:, : most.max()]  # the salient ones first

    def gathered(x):
        return np.take_along_axis((x * salient).reshape(flat.shape), place, axis=-1)  # (sample, place), padded with 0

    kept, order, gone = gathered(effects), gathered(orders(n_variables(effects.shape[-1]))), gathered(removed)
    lots = np.random.default_rng(seed).random((draws, *kept.shape))
    drawn = np.empty(lots.shape[:2])
    groups = np.array_split(most.argsort(kind="stable"), 1 + len(most) // 50)  # of about as many each: little padding
    for some in groups:
        of = some, slice(most[some].max())
        taken = placebo_strength(np.abs(kept[of]), order[of], gone[of], lots[:, *of])
        drawn[:, some] = np.einsum("dsp,sp->ds", taken, np.sign(kept[of]))
    return drawn


def removal_table(comparisons: Comparisons, bootstrap: Bootstrap, draws: int = 100) -> pd.DataFrame:
    """Loss (nats) before and after removal (Fig. 4), over training: role, epoch, of, what, loss and its interval.

    what: before; removed (without the salient interactions that do not generalize); placebo (for these, mean over
    draws); reverse (without those that generalize). effect: mean signed effect of what is removed (log-odds).
    """
    rows = []
    for role, comparison in comparisons.items():
        resampled = _by_kind(comparison, bootstrap)
        for t, epoch in enumerate(comparison.epochs):
            for what, effect in _effects(comparison, t, draws, bootstrap.seed).items():
                outcome = loss(comparison.v[t, :, -1] - effect).mean(axis=0), effect.mean(axis=0)
                for of, (chosen, bootstrap_of) in resampled.items():
                    means = (bootstrap_of.mean(per_sample[chosen]).row for per_sample in outcome)
                    rows.append((role, epoch, of, what, *(number for row in means for number in row)))
    columns = ["role", "epoch", "of", "what", "loss", "low", "high", "effect", "effect_low", "effect_high"]
    return pd.DataFrame(rows, columns=columns)


@lru_cache(maxsize=16)  # placebos take seconds, and the same are asked for by both tables of some networks
def _effects(comparison, t, draws, seed):
    """Signed effect (draw, sample) of what is taken off v at checkpoint number t (Eq. 12), by name."""
    effects, sets = comparison.effects[t], _removed_sets(comparison, t)
    removed, reverse = (np.einsum("iks,iks->i", effects, of)[None] for of in sets.values())
    placebo = placebo_effects(effects, comparison.salient[t], sets["removed"], draws, [seed, t])
    return {"before": np.zeros_like(removed), "removed": removed, "placebo": placebo, "reverse": reverse}


def contrasts_table(comparisons: Comparisons, bootstrap: Bootstrap, draws: int = 100) -> pd.DataFrame:
    """What removal does at the last checkpoint, and whether it does more than the placebo: role, what, quantity.

    what: removed or reverse, each with its placebo: what a placebo of `removed` leaves in place serves as one of `reverse`.
    Losses and gaps (testing - training) in nats, and as shares of the mean gap before, NaN if there is none; effects in
    log-odds. `share apart`: signed over absolute effect of what is taken, on training less on testing samples; `effect
    apart`: that, less the same of what is taken in reverse. role `all` is the mean over networks. value, low, high; placebo
    (mean over draws); versus_*: value - placebo, resampled together; p: how rarely a draw of the placebo does at least as
    much, (1 + such draws) / (1 + draws), on the samples as they are.
    """
    of_networks = {role: _contrasts(comparison, bootstrap, draws) for role, comparison in comparisons.items()}
    befores = [network["removed"][0]["gap before"] for network in of_networks.values()]
    rows = []
    for what, quantity in product(REMOVED_SETS, QUANTITIES):
        taken = {role: [part[quantity] for part in network[what]] for role, network in of_networks.items()}
        rows += [(role, what, quantity, *_compared(quantity, [parts])) for role, parts in taken.items()]
        rows.append(("all", what, quantity, *_compared(quantity, list(taken.values()))))
        if quantity in OF_THE_GAP:
            shares = zip(*(shares_of_the_gap(parts, befores) for parts in zip(*taken.values())))
            rows.append(("all", what, f"{quantity}, share of the gap", *_compared(quantity, list(shares))))
    columns = ["role", "what", "quantity", "value", "low", "high", "placebo"]
    return pd.DataFrame(rows, columns=[*columns, "versus_placebo", "versus_low", "versus_high", "p"])


def shares_of_the_gap(parts: Sequence[Estimate], gaps: Sequence[Estimate]) -> list[Estimate]:
    """For each network a number, whose mean is the mean part over the mean gap, Q; NaN if there is no gap.

    It is Q, plus how far the network's part is from Q times its own gap, over the mean gap. So their spread is that of a
    ratio of means, which is what `pooled` needs.
    """
    gap = sum(gaps) / len(gaps)
    if not gap.value > 0:
        return [part * np.nan for part in parts]
    share = sum(parts) / len(parts) / gap
    return [(part - share * before) / gap + share for part, before in zip(parts, gaps)]


def _contrasts(comparison, bootstrap, draws):
    """QUANTITIES by name, for each of REMOVED_SETS: of what is removed, the mean of its placebos, each placebo (draw,)."""
    t, outcome = len(comparison.epochs) - 1, {}
    v, effects, kinds = comparison.v[t, :, -1], comparison.effects[t], _by_kind(comparison, bootstrap).values()
    of = _effects(comparison, t, draws, bootstrap.seed)
    left = of["removed"] + of["reverse"] - of["placebo"]  # what a placebo leaves in place is one of the reverse
    for (what, removed), placebo in zip(_removed_sets(comparison, t).items(), (of["placebo"], left)):
        strength = np.einsum("iks,iks->i", np.abs(effects), removed)
        real, fake = (np.stack(np.broadcast_arrays(loss(v), loss(v - e), e, strength)) for e in (of[what], placebo))
        means = [
            [[resampling.mean(per_sample[chosen]) for per_sample in x.mean(axis=1)] for chosen, resampling in kinds]
            for x in (real, fake)  # arrays (.., draw, sample)
        ]
        by_draw = [[Estimate(x, x[:0, None]) for x in fake[..., chosen].mean(axis=-1)] for chosen, _ in kinds]
        outcome[what] = [_quantities(*of_kinds) for of_kinds in (*means, by_draw)]
    for one, other in zip(outcome["removed"], outcome["reverse"]):
        apart = one["share apart"] - other["share apart"]
        one["effect apart"], other["effect apart"] = apart, -apart
    return outcome


def _quantities(training, testing):
    """QUANTITIES by name but for the last, from loss before, loss after, effect and strength on each kind of samples."""
    before, after, effect, strength = zip(training, testing)
    gap_before, gap_after = before[1] - before[0], after[1] - after[0]
    return {
        "training rise": after[0] - before[0], "testing change": after[1] - before[1],
        "gap before": gap_before, "gap after": gap_after, "gap narrowed by": gap_before - gap_after,
        "effect on training": effect[0], "effect on testing": effect[1],
        "share apart": effect[0] / strength[0] - effect[1] / strength[1],
    }  # fmt: skip


def _compared(quantity, networks):
    """One row of the table of contrasts, over (estimate, placebo, draws of the placebo) of some networks."""
    values, placebos, by_draw = zip(*networks)
    versus = [(value - placebo).map(lambda x: np.round(x, 12) + 0.0) for value, placebo in zip(values, placebos)]
    row, sign = pooled(values), -1 if quantity in SMALLER_IS_MORE else 1
    mean_draws = np.mean([draws.value for draws in by_draw], axis=0)
    p = np.nan if np.isnan(row[0]) else (1 + np.sum(sign * (mean_draws - row[0]) > -1e-12)) / (1 + len(mean_draws))
    return *row, float(np.mean([placebo.value for placebo in placebos])), *pooled(versus), p


def verdict(quantity: str, low: float, high: float) -> str:
    """What an interval says of a claim that a quantity (of QUANTITIES) is above 0, or below 0 where smaller is more."""
    if quantity in SMALLER_IS_MORE:
        low, high = -high, -low
    return "certain" if low > 0 else "contrary" if high < 0 else "not certain"


def _removed_sets(comparison, t) -> dict[str, Bool[np.ndarray, "sample kind subset"]]:
    """What is removed at checkpoint number t: the salient interactions that do not generalize, or those that do."""
    shared = comparison.generalizable[t]
    return {"removed": comparison.salient[t] & ~shared, "reverse": shared}


def _by_kind(comparison, bootstrap):
    """Which samples are training and testing samples, and the bootstrap of each: every network has the same draws."""
    kinds = {}
    for i, kind in enumerate(("training", "testing")):
        chosen = comparison.chosen(kind)
        if not chosen.any():
            raise InputError(f"no {kind} samples among those judged; removal compares training with testing samples")
        kinds[kind] = chosen, replace(bootstrap, seed=2 * bootstrap.seed + i)
    return kinds
