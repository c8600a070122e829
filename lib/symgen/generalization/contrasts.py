"""The statistics that the claims rest on, of each network and of their mean, with intervals over samples and networks.

Every function takes the comparisons of the targets by role and gives a tidy table: quantity, role (each, and `all`), value,
low, high.
"""

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float

from symgen.generalization import metrics
from symgen.generalization.baselines import Votes, crossvalidation, overlap
from symgen.generalization.bootstrap import Bootstrap, estimates_table
from symgen.generalization.comparison import Comparisons, Control
from symgen.generalization.metrics import order_sums, ratio, strength_by_order
from symgen.generalization.tables import ratios
from symgen.interactions import conditions_of, dictionary_size, fidelity, n_variables, needed_for, orders, subset_matrix

OTHER_WAY = ", the other way round"  # after quantities of the baselines, as judged by the targets


def order_contrasts(
    comparisons: Comparisons,
    bootstrap: Bootstrap,
    low_orders: range,
    high_orders: range,
    control: Control | None = None,
    of: str = "judges of shuffled labels",
) -> pd.DataFrame:
    """At the last checkpoint: H_low - H_high, that by chance, and what is left of it above chance (claim F2).

    `control`: what its second judges, those that `of` names, give is taken off what its first ones give.
    """

    def difference(comparison):
        last = ratios(comparison, comparison.epochs[-1], bootstrap, low_orders, high_orders)
        return dict(zip(("H_low - H_high", "by chance", "above chance"), last["H_low - H_high"]))

    def measured(role):
        estimates = difference(comparisons[role])
        if control:
            judges, controls = (difference(seen[role])["H_low - H_high"] for seen in control)
            estimates[f"less that by {of}"] = judges - controls
        return estimates

    return estimates_table({role: measured(role) for role in comparisons})


def pair_contrasts(
    targets: Comparisons,
    baselines: Comparisons,
    bootstrap: Bootstrap,
    low_orders: range,
    high_orders: range,
    untrained: Comparisons | None = None,
) -> pd.DataFrame:
    """`order_contrasts` in both directions (claim F11): targets as judged by the baselines, baselines as by the targets.

    `untrained`: all of them as judged by untrained networks; what these give is taken off.
    """
    parts = []
    for comparisons, ending in ((targets, ""), (baselines, OTHER_WAY)):
        control = untrained and (comparisons, {role: untrained[role] for role in comparisons})
        table = order_contrasts(comparisons, bootstrap, low_orders, high_orders, control, "untrained judges")
        parts.append(table.assign(quantity=table.quantity + ending))
    return pd.concat(parts, ignore_index=True)


def tuning_contrasts(
    comparisons: Comparisons, moments: dict[str, float], bootstrap: Bootstrap, low_orders: range, high_orders: range
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

    return estimates_table({role: measured(c) for role, c in comparisons.items()})


def graded_contrasts(
    comparisons: Comparisons, bootstrap: Bootstrap, low_orders: range, high_orders: range
) -> pd.DataFrame:
    """At the last checkpoint: whether the graded measure gives the binary one's picture by order (claim F10).

    The Jaccard similarity of the two distributions over signs and orders, each scaled to sum 1. Its floor: binary and graded
    by chance. Its ceiling: the binary ones of two halves of the samples. Binary of one half and graded of the other rest on
    as few samples. Also: the graded share that generalizes, of low less that of high orders, and above chance.
    """

    def measured(c):
        names = {"total": c.salient, "binary": c.generalizable, "graded": c.graded, "chance": c.graded_chance}
        parts = {name: strength_by_order(c.normalized[-1], part[-1]) for name, part in names.items()}
        total, binary, graded, chance = (bootstrap.sum(part) for part in parts.values())  # (sign, order)
        halves = [(np.arange(len(c.of)) % 2 == i)[:, None, None] for i in (0, 1)]
        (binary_0, binary_1), (graded_0, graded_1) = (
            [bootstrap.sum(parts[name] * half) for half in halves] for name in ("binary", "graded")
        )

        def difference(part):
            low, high = (part.map(order_sums, o) / total.map(order_sums, o) for o in (low_orders, high_orders))
            return low - high

        same, floor, ceiling = overlap(binary, graded), overlap(binary, chance), overlap(binary_0, binary_1)
        crossed = (overlap(binary_0, graded_1) + overlap(binary_1, graded_0)) / 2
        return {
            "Jaccard of binary and graded": same,
            "by chance": floor,
            "Jaccard above chance": same - floor,
            "Jaccard of two halves, binary": ceiling,
            "Jaccard of two halves, binary and graded, less its ceiling": crossed - ceiling,
            "graded low - high": difference(graded),
            "graded low - high above chance": difference(graded) - difference(chance),
        }

    return estimates_table({role: measured(c) for role, c in comparisons.items()})


def growth_contrasts(
    judged: dict[str, Votes], bootstrap: Bootstrap, low_orders: range, high_orders: range
) -> pd.DataFrame:
    """How far H grows from one and from two baselines to all, of which any counts (claim F5), from votes by role.

    Also above chance, and as the share of the final H that the fewer give; of all orders, and of low and of high ones.
    """
    parts = {"": None, ", low orders": low_orders, ", high orders": high_orders}

    def measured(family):
        estimates = {}
        for part, of_orders in parts.items():
            of_these = family.of_orders(of_orders)
            most = of_these.power(len(family), "any", bootstrap)
            for k in range(1, min(3, len(family))):
                fewer, ending = of_these.power(k, "any", bootstrap), f"K = {k} against {len(family)}{part}"
                estimates[f"growth of H, {ending}"] = most.H - fewer.H
                estimates[f"growth of H above chance, {ending}"] = most.excess - fewer.excess
                estimates[f"share of H reached, {ending}"] = fewer.H / most.H
        return estimates

    return estimates_table({role: measured(family) for role, family in judged.items()})


def crossvalidation_contrasts(
    judged: dict[str, tuple[Votes, Votes]], combine: str, bootstrap: Bootstrap
) -> pd.DataFrame:
    """Whether what generalizes to B does to C (claim T1), by chance, and above it, from the votes of both by role."""
    return estimates_table({role: crossvalidation(*families, combine, bootstrap) for role, families in judged.items()})


def faithfulness_contrasts(
    explained: dict[str, xr.Dataset],
    judging: dict[str, float],
    tau_ratio: float,
    bootstrap: Bootstrap,
    given: bool = False,
) -> pd.DataFrame:
    """How well, concisely and fast the AND-OR model gives the outputs back (claims F7, L1), from interactions by role.

    R2 of the salient ones: share of the variance of the 2^n outputs that they explain, without the noise (Eq. 14-15). share
    of all interactions needed: the fewest strongest ones with 95 % of that variance, over all that n variables have. Both at
    the last checkpoint, and of the untrained network, each beside the difference. seconds a set of interactions: values and
    solving, over all checkpoints. seconds to judge 100 samples: `judging`, by role. given: the networks are no trainings of
    one kind, so that the interval of their mean is over samples alone.
    """

    def faithfulness(v, effects, bias):
        needed, whole = needed_for(v, effects, bias), dictionary_size(n_variables(v.shape[-1]))
        return {
            "R2 of the salient ones": fidelity(v, effects * metrics.salient(effects, tau_ratio), bias),
            "share of all interactions needed": needed / whole,
        }

    def per_sample(role, data):
        seconds = float((data.seconds_values + data.seconds_solving).mean()) / data.sizes["sample"]
        times = {"seconds a set of interactions": seconds, "seconds to judge 100 samples": judging[role]}
        timed = {name: np.full(data.sizes["sample"], value) for name, value in times.items()}
        return _at_both_ends(data, faithfulness) | timed

    return mean_contrasts({role: per_sample(role, data) for role, data in explained.items()}, bootstrap, given)


def conditions_contrasts(explained: dict[str, xr.Dataset], bootstrap: Bootstrap) -> pd.DataFrame:
    """How far the three conditions for sparsity hold (claims B1-B3), at the last checkpoint and before training."""
    per_sample = {
        role: _at_both_ends(data, lambda v, effects, _: conditions_of(v, effects)) for role, data in explained.items()
    }
    return mean_contrasts(per_sample, bootstrap)


def _at_both_ends(data, quantities):
    """Quantities of each sample at the last checkpoint, those of the untrained network, and the differences, by name.

    NaN of a sample without any interaction: its output is constant, and there is nothing to describe.
    """

    def at_checkpoint(t):
        v, effects, bias = (data[name][t].to_numpy() for name in ("v", "effects", "bias"))
        some = effects.any(axis=(1, 2))
        return {name: np.where(some, values, np.nan) for name, values in quantities(v, effects, bias).items()}

    last, first = at_checkpoint(-1), at_checkpoint(0)
    untrained = {f"{name}, untrained": values for name, values in first.items()}
    return last | untrained | {f"{name}, less untrained": values - first[name] for name, values in last.items()}


def size_contrasts(
    effects: dict[str, dict[int, Float[np.ndarray, "_ kind subset"]]],
    random: dict[int, Float[np.ndarray, "_ kind subset"]],
    tau_ratio: float,
    bootstrap: Bootstrap,
) -> pd.DataFrame:
    """How the number of salient interactions grows with the number of variables n (claim B4): the exponent p.

    The slope of the log of the mean number over samples on log n. effects: role -> n -> those of as many variables. random:
    n -> those of values in random order, for fewer n perhaps; the difference is over these alone.
    """

    def slope(by_n):
        x = np.log(list(by_n))
        weights = ratio(x - x.mean(), ((x - x.mean()) ** 2).sum())  # NaN for one n, which has no slope
        counts = [bootstrap.mean(metrics.salient(of, tau_ratio).sum(axis=(-2, -1))) for of in by_n.values()]
        logs = (count.map(lambda x: np.log(np.where(x > 0, x, np.nan))) for count in counts)  # of none there is no log
        return sum(log * weight for log, weight in zip(logs, weights))

    chance = slope(random)

    def measured(by_n):
        same = slope({n: by_n[n] for n in random})
        exponents = {"": slope(by_n), " of random values": chance, ", less that of random values": same - chance}
        return {f"exponent p{name}": value for name, value in exponents.items()}

    return estimates_table({role: measured(by_n) for role, by_n in effects.items()})


def recurrence_contrasts(
    comparisons: Comparisons, variables: np.ndarray, labels: np.ndarray, bootstrap: Bootstrap
) -> pd.DataFrame:
    """Whether what generalizes to baselines recurs in other testing samples, the older definition of generalizing (claim Z).

    How often a salient interaction of a testing sample is salient with the same sign in another one that has all of its
    variables, by name: of its class, or of others. Generalizable interactions less the rest, at the last checkpoint.
    variables (sample, variable): their names; labels (sample,): both of all samples.
    """
    names = {"of its class": np.equal, "of other classes": np.not_equal}
    testing = next(iter(comparisons.values())).chosen("testing")  # all networks have the same samples
    label, places = labels[testing], _places(variables[testing])

    def measured(c):
        last = len(c.epochs) - 1
        signs, shared = (x[testing] for x in (np.sign(c.effects[last] * c.salient[last]), c.generalizable[last]))
        recurring, possible = _recurrences(signs, places)
        differences = {}
        for name, relation in names.items():
            other = relation.outer(label, label) & ~np.eye(len(label), dtype=bool)
            one, rest = (
                _of_pairs(recurring, chosen, other, bootstrap) / _of_pairs(possible, chosen, other, bootstrap)
                for chosen in (shared, ~shared)
            )
            differences |= {f"recurs in samples {name}, generalizable - rest": one - rest}
        one, other = differences.values()
        return differences | {"recurs, generalizable - rest, its class - others": one - other}

    return estimates_table({role: measured(c) for role, c in comparisons.items()})


def _of_pairs(counted, chosen, other, bootstrap):
    """How many of the chosen interactions count in another sample: both samples of a pair are drawn."""
    return bootstrap.sum_over_pairs(np.einsum("ijks,iks->ij", counted, chosen, dtype=float) * other)


def _places(variables):
    """Which subset of sample j, the first axis, each subset of each sample is: 0 where j has not all of its variables."""
    n = variables.shape[1]
    places = np.zeros((len(variables), len(variables), 1 << n), np.int32)
    for j, theirs in enumerate(variables):
        same = variables[..., None] == theirs
        bit = same.any(axis=-1) * (1 << same.argmax(axis=-1))  # (sample, variable): its bit in j
        subset = np.bitwise_or.reduce(subset_matrix(n) * bit[:, None], axis=-1)
        places[j] = subset * (orders(n)[subset] == orders(n))
    return places


def _recurrences(signs, places):
    """For samples i, j and the salient interactions of i: whether j has them with the same sign, and all their variables."""
    recurring, possible = (np.zeros((len(signs), *signs.shape), bool) for _ in range(2))
    for j, subset in enumerate(places):
        possible[:, j] = (subset > 0)[:, None] & (signs != 0)
        recurring[:, j] = possible[:, j] & (np.moveaxis(signs[j][:, subset], 0, 1) == signs)
    return recurring, possible


def mean_contrasts(
    per_sample: dict[str, dict[str, Float[np.ndarray, "sample"]]], bootstrap: Bootstrap, given: bool = False
) -> pd.DataFrame:
    """Means over samples of quantities given as role -> quantity -> value of each sample; `given` as in `pooled`.

    Samples whose value is NaN are left out. Where there are such, "samples left out of <quantity>" says how many.
    """
    quantities = next(iter(per_sample.values()))
    lacking = [name for name in quantities if any(np.isnan(values[name]).any() for values in per_sample.values())]

    def measured(values):
        left_out = {f"samples left out of {name}": bootstrap.sum(np.isnan(values[name])) for name in lacking}
        return {name: bootstrap.mean_of_known(value) for name, value in values.items()} | left_out

    return estimates_table({role: measured(values) for role, values in per_sample.items()}, given)
