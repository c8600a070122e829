"""The statistics that the claims rest on, of each network and of their mean, with intervals over samples and networks.

Every function takes the comparisons of the targets by role and gives a tidy table: quantity, role (each, and `all`), value,
low, high.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float
from scipy.stats import rankdata

from symgen.generalization import metrics
from symgen.generalization.baselines import Votes, crossvalidation, growth
from symgen.generalization.bootstrap import Bootstrap, estimates_table
from symgen.generalization.comparison import Comparison
from symgen.generalization.metrics import jaccard, order_sums, ratio, strength_by_order
from symgen.generalization.phases import peak, turn, turns
from symgen.generalization.tables import ratios
from symgen.interactions import by_definition, conditions_of, dictionary_size, n_variables, needed_for

Comparisons = dict[str, Comparison]  # of the targets, by role


def order_contrasts(
    comparisons: Comparisons, bootstrap: Bootstrap, low_orders: range, high_orders: range
) -> pd.DataFrame:
    """At the last checkpoint: H_low - H_high, that by chance, and what is left of it above chance (claim F2)."""

    def measured(comparison):
        last = ratios(comparison, comparison.epochs[-1], bootstrap, low_orders, high_orders)
        return dict(zip(("H_low - H_high", "by chance", "above chance"), last["H_low - H_high"]))

    return _table(measured, comparisons, bootstrap)


def turn_contrasts(comparisons: Comparisons, bootstrap: Bootstrap) -> pd.DataFrame:
    """Whether H rises and falls, also above chance, and N falls and rises (claims F3a, F3b).

    The checkpoint at which each turns is chosen on the samples drawn, and measured on those left out, as in `Phases`.
    """
    names = {"rise": "H rises", "fall": "H falls"}
    names |= {"excess_rise": "H rises above chance", "excess_fall": "H falls above chance"}

    def measured(comparison):
        of_power = turns(*comparison.strengths(), bootstrap)
        number = metrics.effective_number(comparison.effects).T  # (sample, epoch)
        least = peak(-bootstrap.mean(number))
        falls, rises = (-change for change in turn(replace(bootstrap, left_out=True).mean(number), least))
        return {name: of_power[key] for key, name in names.items()} | {"N falls": falls, "N rises": rises}

    return _table(measured, comparisons, bootstrap)


def tuning_contrasts(
    comparisons: Comparisons,
    moments: dict[str, float],
    bootstrap: Bootstrap,
    low_orders: range,
    high_orders: range,
) -> pd.DataFrame:
    """What fine-tuning has changed at some moments (name -> epoch), against the first checkpoint (claim F12).

    Strength of low and of high orders (log-odds per sample), the share of low orders, H, and H above chance.
    """

    def measured(comparison):
        low, high, total = (comparison.strengths(of_orders=o)[1].T for o in (low_orders, high_orders, None))
        h, _, excess = comparison.power(bootstrap)
        curves = {"low-order strength": bootstrap.mean(low), "high-order strength": bootstrap.mean(high)}
        curves["share of low orders"] = bootstrap.sum(low) / bootstrap.sum(total)
        return {
            f"{name} rises, {moment}": curve[comparison.position(epoch)] - curve[0]
            for moment, epoch in moments.items()
            for name, curve in (curves | {"H": h, "H above chance": excess}).items()
        }

    return _table(measured, comparisons, bootstrap)


def gap_contrasts(comparisons: Comparisons, losses: dict[str, pd.DataFrame], bootstrap: Bootstrap) -> pd.DataFrame:
    """Spearman correlation over checkpoints of 1 - H, and of N, with the testing-training loss gap (claim F3c).

    losses: role -> table of epoch and loss_gap. Over all checkpoints, and from the peak of H on; as controls, that of
    1 - H by chance, and of 1 less what H is above chance. NaN where fewer than three checkpoints are left.
    """

    def measured(comparison, curves):
        gap = curves.set_index("epoch").loss_gap[comparison.epochs].to_numpy()
        h, chance, excess = comparison.power(bootstrap)
        number = bootstrap.mean(metrics.effective_number(comparison.effects).T)
        curves = {"1 - H": 1 - h, "N": number, "1 - H by chance": 1 - chance, "1 - H above chance": 1 - excess}
        parts = {"all checkpoints": 0, "from the peak of H": int(peak(h).value)}
        return {
            f"{name}, {part}": curve[since:].map(rank_correlation, gap[since:])
            for part, since in parts.items()
            for name, curve in curves.items()
        }

    estimates = {role: measured(comparison, losses[role]) for role, comparison in comparisons.items()}
    return estimates_table(estimates, bootstrap.seed)


def rank_correlation(
    curves: Float[np.ndarray, "*draw checkpoint"], other: Float[np.ndarray, "checkpoint"]
) -> Float[np.ndarray, "*draw"] | float:
    """Spearman's correlation of each curve with another one; NaN for fewer than three checkpoints, or a flat curve."""
    if len(other) < 3:
        return np.full(curves.shape[:-1], np.nan)
    ranks, reference = rankdata(curves, axis=-1), rankdata(other)
    ranks, reference = ranks - ranks.mean(axis=-1, keepdims=True), reference - reference.mean()
    return ratio(ranks @ reference, np.sqrt((ranks**2).sum(axis=-1) * (reference**2).sum()))


def graded_contrasts(
    comparisons: Comparisons, bootstrap: Bootstrap, low_orders: range, high_orders: range
) -> pd.DataFrame:
    """At the last checkpoint: whether the graded measure gives the binary one's picture by order (claim F10).

    Jaccard similarity of the two distributions over signs and orders, each scaled to sum 1, and of the binary one with
    the graded one by chance; and the graded measure's own difference between low and high orders, above chance.
    """

    def similar(first, second):
        return jaccard(*(part / order_sums(part)[..., None, None] for part in (first, second)))

    def measured(comparison):
        c = comparison
        total, binary, graded, chance = (
            bootstrap.sum(strength_by_order(c.normalized[-1], part[-1]))
            for part in (c.salient, c.generalizable, c.graded, c.graded_chance)
        )  # (sign, order)

        def difference(part):
            low, high = (part.map(order_sums, o) / total.map(order_sums, o) for o in (low_orders, high_orders))
            return low - high

        jaccard_of_graded, by_chance = binary.map(similar, graded), binary.map(similar, chance)
        return {
            "Jaccard of binary and graded": jaccard_of_graded,
            "by chance": by_chance,
            "Jaccard above chance": jaccard_of_graded - by_chance,
            "graded low - high": difference(graded),
            "graded low - high above chance": difference(graded) - difference(chance),
        }

    return _table(measured, comparisons, bootstrap)


def growth_contrasts(judged: dict[str, Votes], bootstrap: Bootstrap) -> pd.DataFrame:
    """How far H grows with the number of baselines, of which any counts (claim F5), from votes by role."""
    names = {"H": "growth of H", "excess": "growth of H above chance", "reached": "share of H reached"}

    def measured(family):
        estimates = growth(family, "any", bootstrap)
        return {f"{names[name]}, K = {k} against {len(family)}": estimate for (k, name), estimate in estimates.items()}

    return _table(measured, judged, bootstrap)


def crossvalidation_contrasts(
    judged: dict[str, tuple[Votes, Votes]], combine: str, bootstrap: Bootstrap
) -> pd.DataFrame:
    """Whether what generalizes to B does to C (claim T1), by chance, and above it, from the votes of both by role."""

    def measured(families):
        estimates = {}
        for quantity, (estimate, chance) in crossvalidation(*families, combine, bootstrap).items():
            constant = estimate.map(lambda x, chance=chance: np.full_like(x, chance))
            estimates |= {quantity: estimate, f"{quantity}, by chance": constant}
            estimates[f"{quantity}, above chance"] = estimate - chance
        return estimates

    return _table(measured, judged, bootstrap)


def faithfulness_contrasts(explained: dict[str, xr.Dataset], bootstrap: Bootstrap) -> pd.DataFrame:
    """How well, concisely and fast the AND-OR model gives the outputs back (claims F7, L1), from interactions by role.

    relative error: max_S |model + noise - v| / max |v|, the model evaluated by its definition, at the last checkpoint.
    share of all interactions needed: the fewest strongest ones with 95 % of the variance of the outputs, over all that n
    variables have; also of the untrained network. seconds a set of interactions: values and solving, over all checkpoints.
    """

    def needed(data):
        v, effects, bias = (data[name].to_numpy() for name in ("v", "effects", "bias"))
        return needed_for(v, effects, bias) / dictionary_size(n_variables(v.shape[-1]))

    def per_sample(data):
        last = data.isel(epoch=-1)
        v, model = last.v.to_numpy(), by_definition(last.effects.to_numpy(), last.bias.to_numpy())
        seconds = float((data.seconds_values + data.seconds_solving).mean()) / len(v)
        return {
            "relative error": np.abs(model + last.noise.to_numpy() - v).max(axis=1) / np.abs(v).max(axis=1),
            "share of all interactions needed": needed(last),
            "share of all interactions needed, untrained": needed(data.isel(epoch=0)),
            "seconds a set of interactions": np.full(len(v), seconds),
        }

    return mean_contrasts({role: per_sample(data) for role, data in explained.items()}, bootstrap)


def conditions_contrasts(explained: dict[str, xr.Dataset], bootstrap: Bootstrap) -> pd.DataFrame:
    """How far the three conditions for sparsity hold (claims B1-B3), at the last checkpoint and before training."""

    def per_sample(data):
        last, first = (conditions_of(data.v[t].to_numpy(), data.effects[t].to_numpy()) for t in (-1, 0))
        return last | {f"{name}, untrained": values for name, values in first.items()}

    return mean_contrasts({role: per_sample(data) for role, data in explained.items()}, bootstrap)


def mean_contrasts(per_sample: dict[str, dict[str, Float[np.ndarray, "sample"]]], bootstrap: Bootstrap) -> pd.DataFrame:
    """Means over samples of quantities given as role -> quantity -> value of each sample."""
    return _table(lambda values: {name: bootstrap.mean(value) for name, value in values.items()}, per_sample, bootstrap)


def _table(measured, given: dict, bootstrap) -> pd.DataFrame:
    """The table of the estimates by quantity that a function gives for each role."""
    return estimates_table({role: measured(of_role) for role, of_role in given.items()}, bootstrap.seed)
