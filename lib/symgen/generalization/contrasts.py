"""The statistics that the claims rest on, of each network and of their mean, with intervals over samples and networks.

Every function takes the judged targets by role and gives a tidy table: quantity, role (each, and `all`), value, low, high.
"""

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float
from scipy.stats import rankdata

from symgen.generalization import metrics
from symgen.generalization.baselines import crossvalidation_draws, growth_draws
from symgen.generalization.bootstrap import by_network, sample_weights
from symgen.generalization.comparison import Judged, ratio_draws, strengths
from symgen.generalization.metrics import jaccard, order_sums, ratio, strength_by_order
from symgen.generalization.phases import peak, samples_left_out, turn, turns
from symgen.interactions import by_definition, conditions_of, dictionary_size, needed_for


def contrasts(draws: dict[str, dict[str, np.ndarray]], study) -> pd.DataFrame:
    """The table of statistics given as role -> quantity -> draws, of which draw 0 is the value itself."""
    quantities = next(iter(draws.values()))
    rows = [
        (quantity, *row)
        for quantity in quantities
        for row in by_network({role: own[quantity] for role, own in draws.items()}, study.analysis_seed)
    ]
    return pd.DataFrame(rows, columns=["quantity", "role", "value", "low", "high"])


def order_contrasts(judged: dict[str, Judged], study) -> pd.DataFrame:
    """At the last checkpoint: H_low - H_high, that by chance, and what is left of it above chance (claim F2)."""

    def draws(own):
        found, by_chance = (part["H_low - H_high"] for part in ratio_draws(own, own.epochs[-1], study))
        return {"H_low - H_high": found, "by chance": by_chance, "above chance": found - by_chance}

    return contrasts({role: draws(own) for role, own in judged.items()}, study)


def turn_contrasts(judged: dict[str, Judged], study) -> pd.DataFrame:
    """Whether H rises and falls, also above chance, and N falls and rises (claims F3a, F3b).

    The checkpoint at which each turns is chosen on the samples drawn, and measured on those left out, as in `Phases`.
    """
    names = {
        "rise": "H rises",
        "fall": "H falls",
        "excess_rise": "H rises above chance",
        "excess_fall": "H falls above chance",
    }

    def draws(own):
        found = turns(*strengths(own), study.bootstrap_draws, study.analysis_seed)
        fall, rise = _number_turns(own, study)
        return {names[name]: values for name, values in found.items()} | {"N falls": fall, "N rises": rise}

    return contrasts({role: draws(own) for role, own in judged.items()}, study)


def _number_turns(judged, study):
    """Draws of how far N falls to its least, and rises from there to the end."""
    number = metrics.effective_number(judged.effects)  # (epoch, sample)
    weights = sample_weights(number.shape[1], study.bootstrap_draws, study.analysis_seed)
    least = (weights @ number.T).argmin(axis=1)
    return tuple(-change for change in turn(samples_left_out(weights), number, np.ones_like(number), least))


def tuning_contrasts(judged: dict[str, Judged], moments: dict[str, float], study) -> pd.DataFrame:
    """What fine-tuning has changed at some moments (name -> epoch), against the first checkpoint (claim F12).

    Strength of low and of high orders (log-odds per sample), the share of low orders, H, and H above chance.
    """
    ranges = {"low": range(1, study.low_up_to + 1), "high": range(study.high_from, study.n_variables + 1)}

    def measured(own, weights):
        """Each quantity (draw, epoch)."""
        strength = strength_by_order(own.effects, own.salient)  # (epoch, sample, sign, order)
        gen, total, chance = (weights @ part.T for part in strengths(own))
        low, high = (weights @ order_sums(strength, orders).T for orders in ranges.values())
        found = {"low-order strength": low / len(own.of), "high-order strength": high / len(own.of)}
        found |= {"share of low orders": ratio(low, total), "H": ratio(gen, total)}
        return found | {"H above chance": ratio(gen - chance, total)}

    def draws(own):
        weights = sample_weights(len(own.of), study.bootstrap_draws, study.analysis_seed)
        return {
            f"{name} rises, {moment}": curve[:, own.at(epoch)] - curve[:, 0]
            for moment, epoch in moments.items()
            for name, curve in measured(own, weights).items()
        }

    return contrasts({role: draws(own) for role, own in judged.items()}, study)


def gap_contrasts(judged: dict[str, Judged], losses: dict[str, pd.DataFrame], study) -> pd.DataFrame:
    """Spearman correlation over checkpoints of 1 - H, and of N, with the testing-training loss gap (claim F3c).

    losses: role -> table of epoch and loss_gap. Over all checkpoints, and from the peak of H on; as controls, that of
    1 - H by chance, and of 1 less what H is above chance. NaN where fewer than three checkpoints are left.
    """

    def draws(role, own):
        gap = losses[role].set_index("epoch").loss_gap[own.epochs].to_numpy()
        weights = sample_weights(len(own.of), study.bootstrap_draws, study.analysis_seed)
        gen, total, chance = (weights @ strength.T for strength in strengths(own))  # (draw, epoch)
        curves = {"1 - H": 1 - ratio(gen, total), "N": weights @ metrics.effective_number(own.effects).T}
        curves |= {"1 - H by chance": 1 - ratio(chance, total), "1 - H above chance": 1 - ratio(gen - chance, total)}
        top = int(peak(*strengths(own)[:2], weights[:1])[0])
        parts = {"all checkpoints": 0, "from the peak of H": top}
        return {
            f"{name}, {part}": rank_correlation(curve[:, since:], gap[since:])
            for part, since in parts.items()
            for name, curve in curves.items()
        }

    return contrasts({role: draws(role, own) for role, own in judged.items()}, study)


def rank_correlation(
    curves: Float[np.ndarray, "draw checkpoint"], other: Float[np.ndarray, "checkpoint"]
) -> Float[np.ndarray, "draw"]:
    """Spearman's correlation of each curve with another one; NaN for fewer than three checkpoints, or a flat curve."""
    if len(other) < 3:
        return np.full(len(curves), np.nan)
    ranks, reference = rankdata(curves, axis=1), rankdata(other)
    ranks, reference = ranks - ranks.mean(axis=1, keepdims=True), reference - reference.mean()
    return ratio(ranks @ reference, np.sqrt((ranks**2).sum(axis=1) * (reference**2).sum()))


def graded_contrasts(judged: dict[str, Judged], study) -> pd.DataFrame:
    """At the last checkpoint: whether the graded measure gives the binary one's picture by order (claim F10).

    Jaccard similarity of the two distributions over signs and orders, each scaled to sum 1, and of the binary one with
    the graded one by chance; and the graded measure's own difference between low and high orders, above chance.
    """
    low, high = range(1, study.low_up_to + 1), range(study.high_from, study.n_variables + 1)

    def draws(own):
        weights = sample_weights(len(own.of), study.bootstrap_draws, study.analysis_seed)
        parts = own.salient[-1], own.generalizable[-1], own.graded[-1], own.graded_chance[-1]
        total, binary, graded, chance = (
            np.tensordot(weights, strength_by_order(own.normalized[-1], part), 1) for part in parts
        )  # (draw, sign, order)
        share = {
            (name, orders): ratio(order_sums(part, orders), order_sums(total, orders))
            for name, part in (("graded", graded), ("chance", chance))
            for orders in (low, high)
        }
        similar, similar_by_chance = (jaccard(_scaled(binary), _scaled(part)) for part in (graded, chance))
        difference, by_chance = (share[name, low] - share[name, high] for name in ("graded", "chance"))
        return {
            "Jaccard of binary and graded": similar,
            "by chance": similar_by_chance,
            "Jaccard above chance": similar - similar_by_chance,
            "graded low - high": difference,
            "graded low - high above chance": difference - by_chance,
        }

    return contrasts({role: draws(own) for role, own in judged.items()}, study)


def growth_contrasts(effects: dict[str, np.ndarray], baselines: np.ndarray, study) -> pd.DataFrame:
    """How far H grows with the number of baselines, of which any counts (claim F5), from effects by role."""
    most = len(baselines)
    names = {"H": "growth of H", "excess": "growth of H above chance", "reached": "share of H reached"}
    draws = {
        role: {
            f"{names[quantity]}, K = {k} against {most}": found
            for (k, quantity), found in growth_draws(own, baselines, "any", study).items()
        }
        for role, own in effects.items()
    }
    return contrasts(draws, study)


def crossvalidation_contrasts(effects: dict[str, np.ndarray], base_b, base_c, study) -> pd.DataFrame:
    """Whether what generalizes to B's baselines does to C's (claim T1), by chance, and above it, from effects by role."""
    draws = {}
    for role, own in effects.items():
        draws[role] = {}
        for quantity, (found, chance) in crossvalidation_draws(own, base_b, base_c, study).items():
            constant = np.full_like(found, chance)
            draws[role] |= {quantity: found, f"{quantity}, by chance": constant}
            draws[role] |= {f"{quantity}, above chance": found - constant}
    return contrasts(draws, study)


def faithfulness_contrasts(found: dict[str, xr.Dataset], study) -> pd.DataFrame:
    """How well, concisely and fast the AND-OR model gives the outputs back (claims F7, L1), from interactions by role.

    relative error: max_S |model + noise - v| / max |v|, the model evaluated by its definition, at the last checkpoint.
    share of all interactions needed: the fewest strongest ones with 95 % of the variance of the outputs, over all that n
    variables have; also of the untrained network. seconds a set of interactions: values and solving, over all checkpoints.
    """

    def needed(own):
        v, effects, bias = (own[name].to_numpy() for name in ("v", "effects", "bias"))
        return needed_for(v, effects, bias) / dictionary_size(study.n_variables)

    def per_sample(own):
        last = own.isel(epoch=-1)
        v, model = last.v.to_numpy(), by_definition(last.effects.to_numpy(), last.bias.to_numpy())
        seconds = float((own.seconds_values + own.seconds_solving).mean()) / len(v)
        return {
            "relative error": np.abs(model + last.noise.to_numpy() - v).max(axis=1) / np.abs(v).max(axis=1),
            "share of all interactions needed": needed(last),
            "share of all interactions needed, untrained": needed(own.isel(epoch=0)),
            "seconds a set of interactions": np.full(len(v), seconds),
        }

    return mean_contrasts({role: per_sample(own) for role, own in found.items()}, study)


def conditions_contrasts(found: dict[str, xr.Dataset], study) -> pd.DataFrame:
    """How far the three conditions for sparsity hold (claims B1-B3), at the last checkpoint and before training."""

    def per_sample(own):
        last, first = (
            conditions_of(at.v.to_numpy(), at.effects.to_numpy()) for at in (own.isel(epoch=-1), own.isel(epoch=0))
        )
        return last | {f"{name}, untrained": value for name, value in first.items()}

    return mean_contrasts({role: per_sample(own) for role, own in found.items()}, study)


def mean_contrasts(per_sample: dict[str, dict[str, Float[np.ndarray, "sample"]]], study) -> pd.DataFrame:
    """Means over samples of quantities given as role -> quantity -> value of each sample."""

    def draws(own):
        weights = sample_weights(len(own), study.bootstrap_draws, study.analysis_seed)
        return weights @ own / len(own)

    return contrasts(
        {role: {name: draws(value) for name, value in own.items()} for role, own in per_sample.items()}, study
    )


def _scaled(strength):
    """A distribution over signs and orders (draw, sign, order), scaled to sum 1."""
    return strength / order_sums(strength)[:, None, None]
