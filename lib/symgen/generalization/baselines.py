"""What hangs on the choices of a study: how many baselines judge, and by which rule; who they are; each other setting.

Arrays as in `metrics`: effects (sample, kind, subset) of a target at one checkpoint, baselines with an axis `baseline` in
front, on the same samples. A family is several baselines trained on the same data.
"""

from itertools import combinations, product
from math import comb

import numpy as np
import pandas as pd
from jaxtyping import Float, Int8

from symgen.generalization.bootstrap import interval, sample_weights
from symgen.generalization.comparison import SAMPLES, dynamics_table, phases_of, phases_table
from symgen.generalization.metrics import COMBINE, derangements, jaccard, ratio, salient, strength_by_order


# who generalizes to whom
def signs(effects: Float[np.ndarray, "*batch kind subset"], tau_ratio: float) -> Int8[np.ndarray, "*batch kind subset"]:
    """Sign of every salient interaction, 0 of the others: all that Eq. 5 asks of a network."""
    return (np.sign(effects) * salient(effects, tau_ratio)).astype(np.int8)


def share_of_choices(n_baselines: int, k: int, rule: str) -> Float[np.ndarray, "found_in"]:
    """In what share of all choices of k from n baselines an interaction generalizes, at index how many of the n have it.

    rule: at least one of the k chosen has it (any, Eq. 13), more than half of them (majority), or all. The tail of a
    hypergeometric distribution, which spares going through the choices.
    """
    least = {"any": 1, "majority": k // 2 + 1, "all": k}[rule]
    kept = [
        sum(comb(found_in, j) * comb(n_baselines - found_in, k - j) for j in range(least, k + 1))
        for found_in in range(n_baselines + 1)
    ]
    return np.array(kept) / comb(n_baselines, k)


def generalizing(
    own: Int8[np.ndarray, "sample kind subset"],
    bases: Int8[np.ndarray, "baseline sample kind subset"],
    k: int,
    rule: str,
) -> Float[np.ndarray, "sample kind subset"]:
    """In what share of the choices of k baselines each interaction generalizes; 0 or 1 if k is all of them.

    Takes the `signs` of the target and of the baselines.
    """
    found_in = ((bases == own) & (own != 0)).sum(axis=0)
    return share_of_choices(len(bases), k, rule)[found_in]


def strengths(
    effects: Float[np.ndarray, "sample kind subset"],
    baselines: Float[np.ndarray, "baseline sample kind subset"],
    k: int,
    rule: str,
    study,
) -> tuple[Float[np.ndarray, "sample"], Float[np.ndarray, "sample"], Float[np.ndarray, "sample"]]:
    """Salient strength of each sample that generalizes to k of the baselines, that does so by chance, and all of it.

    Averaged over all choices of k, so that nothing hangs on the order of the seeds; chance also over derangements.
    """
    own, bases = signs(effects, study.tau_ratio), signs(baselines, study.tau_ratio)
    by_chance = np.mean([generalizing(own, bases[:, other], k, rule) for other in _others(effects, study)], axis=0)
    weights = generalizing(own, bases, k, rule), by_chance, own != 0
    return tuple(np.einsum("iks,iks->i", np.abs(effects), weight) for weight in weights)


# how many baselines, and by which rule
def baselines_table(
    effects: Float[np.ndarray, "sample kind subset"],
    baselines: Float[np.ndarray, "baseline sample kind subset"],
    study,
) -> pd.DataFrame:
    """H by the number K of baselines and the rule by which they count (Appendix C), mean over all choices of K.

    Columns K, rule, H, low, high, chance, and excess = H - chance with excess_low, excess_high. Intervals over samples.
    """
    rows = [
        {"K": k, "rule": rule, **_power(*strengths(effects, baselines, k, rule, study), study)}
        for rule in COMBINE
        for k in range(1, len(baselines) + 1)
    ]
    return pd.DataFrame(rows)


def baselines_growth(
    effects: Float[np.ndarray, "sample kind subset"],
    baselines: Float[np.ndarray, "baseline sample kind subset"],
    study,
) -> pd.DataFrame:
    """How much H, and H above chance, grow from one baseline and from two to all of them (Fig. 5's claim).

    Columns rule, K_from, K_to, quantity (H, excess, or reached: the share of the final H that the fewer give), value,
    low, high; samples are resampled for both ends together.
    """
    rows = [
        (rule, k, len(baselines), name, own[0], *interval(own[1:]))
        for rule in COMBINE
        for (k, name), own in growth_draws(effects, baselines, rule, study).items()
    ]
    return pd.DataFrame(rows, columns=["rule", "K_from", "K_to", "quantity", "value", "low", "high"])


def growth_draws(
    effects: Float[np.ndarray, "sample kind subset"],
    baselines: Float[np.ndarray, "baseline sample kind subset"],
    rule: str,
    study,
) -> dict[tuple[int, str], Float[np.ndarray, "draw"]]:
    """Draws of what `baselines_growth` shows of one rule, by (K_from, quantity); draw 0 takes the samples as they are."""
    most, draws = len(baselines), {}
    weights = sample_weights(len(effects), study.bootstrap_draws, study.analysis_seed)

    def power(k):
        gen, chance, total = (weights @ strength for strength in strengths(effects, baselines, k, rule, study))
        return ratio(gen, total), ratio(gen - chance, total)

    h, excess = power(most)
    for k in range(1, min(3, most)):
        fewer_h, fewer_excess = power(k)
        draws |= {(k, "H"): h - fewer_h, (k, "excess"): excess - fewer_excess, (k, "reached"): ratio(fewer_h, h)}
    return draws


def baselines_by_order(
    effects: Float[np.ndarray, "sample kind subset"],
    baselines: Float[np.ndarray, "baseline sample kind subset"],
    study,
) -> pd.DataFrame:
    """Strength by order, all of it and what generalizes to any of K baselines (Fig. 5, Eq. 13).

    Columns panel ("K = 1"), order, sign, total, generalizable: mean over samples and over all choices of K (log-odds).
    """
    own, bases = signs(effects, study.tau_ratio), signs(baselines, study.tau_ratio)
    total = strength_by_order(effects, own != 0).mean(axis=0)
    panels = []
    for k in range(1, len(bases) + 1):
        found = strength_by_order(effects, generalizing(own, bases, k, "any")).mean(axis=0)
        panels.append(_by_order(f"K = {k}", total=total, generalizable=found))
    return pd.concat(panels, ignore_index=True)


# who the baselines are
def judges_table(
    effects: Float[np.ndarray, "sample kind subset"],
    families: dict[str, Float[np.ndarray, "_ sample kind subset"]],
    of: np.ndarray,
    study,
) -> pd.DataFrame:
    """H of one target as judged by several families of baselines, on all, training and testing samples.

    `of` (sample,): training or testing. Of every family as many baselines judge as the smallest has, over all choices, so
    that families of different sizes can be compared. Columns judges, samples, K, H, low, high, chance, excess,
    excess_low, excess_high.
    """
    k = min(len(baselines) for baselines in families.values())
    rows = []
    for name, baselines in families.items():
        per_sample = strengths(effects, baselines, k, study.generalizes_to, study)
        for samples in SAMPLES:
            chosen = np.full(len(of), True) if samples == "all" else of == samples
            power = _power(*(strength[chosen] for strength in per_sample), study)
            rows.append({"judges": name, "samples": samples, "K": k, **power})
    return pd.DataFrame(rows)


def crossvalidation_table(
    effects: Float[np.ndarray, "sample kind subset"],
    base_b: Float[np.ndarray, "baseline_b sample kind subset"],
    base_c: Float[np.ndarray, "baseline_c sample kind subset"],
    study,
) -> pd.DataFrame:
    """Whether what generalizes to one family of baselines also does to another (Appendix N, Table 1).

    Columns quantity, value, low, high, chance. The Jaccard similarity compares distributions over signs and orders,
    summed over samples first. "share of B's that is C's" compares interaction by interaction: how much of the strength
    generalizable to B is generalizable to C too. Chance asks the family named last about other samples. Two baselines of
    one family, each judging alone, are the ceiling for one of each (mean over all pairs).
    """
    found = crossvalidation_draws(effects, base_b, base_c, study)
    rows = [(quantity, own[0], *interval(own[1:]), chance) for quantity, (own, chance) in found.items()]
    return pd.DataFrame(rows, columns=["quantity", "value", "low", "high", "chance"])


def crossvalidation_draws(
    effects: Float[np.ndarray, "sample kind subset"],
    base_b: Float[np.ndarray, "baseline_b sample kind subset"],
    base_c: Float[np.ndarray, "baseline_c sample kind subset"],
    study,
) -> dict[str, tuple[Float[np.ndarray, "draw"], float]]:
    """Draws and chance level of what `crossvalidation_table` shows, by quantity; draw 0 takes the samples as they are."""
    own, b, c = (signs(x, study.tau_ratio) for x in (effects, base_b, base_c))
    alone_b, alone_c = np.split(b, len(b)), np.split(c, len(c))
    compared = {
        "Jaccard of B and C": (_similar, [(b, c)]),
        "Jaccard of C and B": (_similar, [(c, b)]),
        "share of B's that is C's": (_shared, [(b, c)]),
        "share of C's that is B's": (_shared, [(c, b)]),
        "Jaccard of one of B and one of C": (_similar, list(product(alone_b, alone_c))),
        "Jaccard of two of B": (_similar, list(combinations(alone_b, 2))),
        "Jaccard of two of C": (_similar, list(combinations(alone_c, 2))),
    }
    return {
        quantity: _agreement(statistic, effects, own, pairs, study)
        for quantity, (statistic, pairs) in compared.items()
        if pairs  # a family of one has no two
    }


def _agreement(statistic, effects, own, pairs, study):
    """Draws and chance level of a statistic, mean over pairs of families (given by their signs)."""

    def found(bases):
        return generalizing(own, bases, len(bases), study.generalizes_to)

    weights = sample_weights(len(effects), study.bootstrap_draws, study.analysis_seed)
    by_chance = [
        statistic(effects, found(first), found(second[:, other]), weights[:1])
        for first, second in pairs
        for other in _others(effects, study)
    ]
    draws = [statistic(effects, found(first), found(second), weights) for first, second in pairs]
    return np.mean(draws, axis=0), float(np.mean(by_chance))


def _similar(effects, found, found_too, weights):
    """Jaccard similarity (draw,) of two distributions over signs and orders, samples weighted (draw, sample)."""
    return jaccard(*(np.tensordot(weights, strength_by_order(effects, each), 1) for each in (found, found_too)))


def _shared(effects, found, found_too, weights):
    """Share (draw,) of the strength of what was found that was found too, interaction by interaction."""
    strength = np.abs(effects) * found
    return ratio(weights @ (strength * found_too).sum(axis=(1, 2)), weights @ strength.sum(axis=(1, 2)))


# every other setting
def sensitivity_rows(variants: dict[str, tuple]) -> pd.DataFrame:
    """What is found with other settings: one row a variant, the first the study as it is.

    variants: name -> (study, Judged). Columns variant, samples (how many), H_first, H_best, H_last with chance_first, ..,
    N_first, N_least, N_last, and those of `phases_table`: t1, t2, n_phases, verdict, rise, excess_rise, .. with intervals.
    """
    found = {name: phases_of(judged, study) for name, (study, judged) in variants.items()}
    rows = []
    for name, (study, judged) in variants.items():
        curve = dynamics_table(judged, study)
        row = {"variant": name, "samples": len(judged.of)}
        for where, at in (("first", 0), ("best", judged.at(found[name].t1)), ("last", -1)):
            row |= {f"H_{where}": curve.H.iloc[at], f"chance_{where}": curve.H_chance.iloc[at]}
        row |= {"N_first": curve.N.iloc[0], "N_least": curve.N.min(), "N_last": curve.N.iloc[-1]}
        rows.append(row)
    return pd.DataFrame(rows).merge(phases_table(found).rename(columns={"role": "variant"}), on="variant")


def spindle_table(effects_by_name: dict[str, Float[np.ndarray, "_ kind subset"]]) -> pd.DataFrame:
    """Distribution over orders of all interactions, salient or not: is an untrained network's spindle-shaped (section 3.1)?

    A name for each extraction, such as with and without the noise term. Columns panel (the name), order, sign, total
    (mean over samples, log-odds), share (of the strength of all orders and both signs; below 0 for the sign -).
    """
    panels = []
    for name, effects in effects_by_name.items():
        total = strength_by_order(effects).mean(axis=0)
        panels.append(_by_order(name, total=total, share=ratio(total, np.abs(total).sum())))
    return pd.concat(panels, ignore_index=True)


# pieces of tables
def _by_order(panel, **strengths):
    """Tidy rows of strengths (sign, order), a column each."""
    n_orders = next(iter(strengths.values())).shape[-1]
    return pd.DataFrame(
        [
            {"panel": panel, "order": m, "sign": sign, **{name: own[i, m] for name, own in strengths.items()}}
            for i, sign in enumerate("+-")
            for m in range(1, n_orders)
        ]
    )


def _power(gen, chance, total, study):
    """H, its chance level and its excess over it, from strengths (sample,); NaN where nothing is salient."""
    h, low, high = _share(gen, total, study)
    excess, excess_low, excess_high = _share(gen - chance, total, study)
    by_chance = ratio(chance.sum(), total.sum())
    row = {"H": h, "low": low, "high": high, "chance": by_chance}
    return row | {"excess": excess, "excess_low": excess_low, "excess_high": excess_high}


def _share(part, total, study):
    """Share that a part has of the total (sample,), with its interval."""
    weights = sample_weights(len(total), study.bootstrap_draws, study.analysis_seed)
    draws = ratio(weights @ part, weights @ total)
    return draws[0], *interval(draws[1:])


def _others(effects, study):
    """Which other sample each is compared with by chance (draw, sample): the same ones for every family and choice."""
    return derangements(len(effects), study.chance_draws, np.random.default_rng(study.analysis_seed))
