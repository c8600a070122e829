"""What depends on the baselines: how many judge, and by which rule, and who they are."""

from dataclasses import dataclass, replace
from functools import reduce
from itertools import combinations, permutations, product
from math import comb

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from symgen.errors import InputError
from symgen.generalization.bootstrap import Bootstrap, Estimate, Power, power
from symgen.generalization.comparison import order_rows
from symgen.generalization.dynamics import LESS
from symgen.generalization.metrics import (
    COMBINE,
    check_combine,
    derangements,
    jaccard,
    order_sums,
    ratio,
    salient,
    strength_by_order,
)
from symgen.generalization.phases import highest
from symgen.generalization.tables import SAMPLES
from symgen.interactions import n_variables, orders


# who generalizes to whom
@dataclass(frozen=True, eq=False)
class Votes:
    """Which of a family of baselines, trained on the same data, have which interactions of a target at one checkpoint.

    Parameters
    ----------
    effects : array (sample, kind, subset)
        Of the target; `salient` says which count.
    agree : array (permutation, baseline, sample, kind, subset)
        Whether an interaction generalizes to a baseline (Eq. 5) that is asked about permuted samples. The first permutation
        leaves all in their places; the others, for the chance level, leave none.
    """

    effects: Float[np.ndarray, "sample kind subset"]
    salient: Bool[np.ndarray, "sample kind subset"]
    agree: Bool[np.ndarray, "permutation baseline sample kind subset"]

    def __len__(self):
        return self.agree.shape[1]

    def alone(self) -> list["Votes"]:
        """Of each baseline by itself."""
        return [replace(self, agree=self.agree[:, [i]]) for i in range(len(self))]

    def of_orders(self, of_orders: range | None) -> "Votes":
        """On interactions of some orders alone; on all for None."""
        if of_orders is None:
            return self
        return replace(self, effects=self.effects * np.isin(orders(n_variables(self.effects.shape[-1])), of_orders))

    def shared(self, k: int, combine: str) -> Float[np.ndarray, "permutation sample kind subset"]:
        """In what share of the choices of k baselines each interaction generalizes; 0 or 1 if k is all of them."""
        return share_of_choices(len(self), k, combine)[self.agree.sum(axis=1, dtype=np.int8)]

    def of_each_choice(self, k: int, combine: str) -> tuple[Float[np.ndarray, "choice"], Float[np.ndarray, "choice"]]:
        """H by each choice of k of the baselines, the first k first; and that by chance."""
        return _by_choice(np.abs(self.effects[self.salient]), self.agree[..., self.salient], k, combine)

    def power(self, k: int, combine: str, bootstrap: Bootstrap, chosen=slice(None)) -> Power:
        """H by k of the baselines, averaged over all choices of k, so that nothing hangs on the order of the seeds."""
        strength = np.abs(self.effects)
        total = np.einsum("iks,iks->i", strength, self.salient)
        same, *others = np.einsum("iks,oiks->oi", strength, self.shared(k, combine))
        return power(same[chosen], total[chosen], np.mean(others, axis=0)[chosen], bootstrap)


def votes(
    effects: Float[np.ndarray, "sample kind subset"],
    baselines: Float[np.ndarray, "baseline sample kind subset"],
    tau_ratio: float = 0.05,
    chance_draws: int = 5,
    seed: int = 0,
) -> Votes:
    """The votes of baselines on a target, from their effects on the same samples; derangements are drawn with the seed."""
    target, bases = (_signs(of, tau_ratio) for of in (effects, baselines))
    asked = _asked_samples(len(effects), chance_draws, seed)
    return Votes(effects, target != 0, np.stack([target * bases[:, samples] > 0 for samples in asked]))


def _signs(effects, tau_ratio):
    """The signs of what is salient, else 0: all that Eq. 5 asks of a network."""
    return (np.sign(effects) * salient(effects, tau_ratio)).astype(np.int8)


def _asked_samples(n_samples, chance_draws, seed):
    """Which samples baselines are asked about (permutation, sample): the same ones, then others, for the chance level."""
    return [np.arange(n_samples), *derangements(n_samples, chance_draws, np.random.default_rng(seed))]


def _by_choice(strength, agree, k, combine):
    """H by each choice of k baselines, the first k first, and by chance, from agree (permutation, baseline, interaction)."""
    rule, by_choice = share_of_choices(k, k, combine), []
    for numbers in combinations(range(agree.shape[1]), k):
        shared = rule[agree[:, list(numbers)].sum(axis=1, dtype=np.int8)]  # (permutation, interaction)
        by_choice.append(ratio(shared @ strength, strength.sum()))
    h, *by_chance = np.transpose(by_choice)
    return h, np.mean(by_chance, axis=0)


def course_by_choice(
    effects: Float[np.ndarray, "epoch sample kind subset"],
    baselines: Float[np.ndarray, "baseline sample kind subset"],
    k: int,
    combine: str,
    tau_ratio: float = 0.05,
    chance_draws: int = 5,
    seed: int = 0,
) -> tuple[Float[np.ndarray, "epoch choice"], Float[np.ndarray, "epoch choice"]]:
    """H at each checkpoint by each choice of k of the baselines, and that by chance, as `votes` on it gives them.

    Baselines are asked about the target's salient interactions alone, of which there are few.
    """
    bases, asked = _signs(baselines, tau_ratio), _asked_samples(effects.shape[1], chance_draws, seed)
    each = []
    for at_epoch in effects:
        target = _signs(at_epoch, tau_ratio)
        sample, *rest = np.nonzero(target)
        agree = [bases[:, samples[sample], *rest] * target[sample, *rest] > 0 for samples in asked]
        each.append(_by_choice(np.abs(at_epoch[sample, *rest]), np.stack(agree), k, combine))
    h, chance = np.moveaxis(each, 1, 0)
    return h, chance


def share_of_choices(n_baselines: int, k: int, combine: str) -> Float[np.ndarray, "holders"]:
    """In what share of all choices of k from n baselines an interaction generalizes, at index how many of the n have it.

    combine: at least one of the k chosen has it (any, Eq. 13), more than half of them (majority), or all. The tail of a
    hypergeometric distribution, which spares going through the choices.
    """
    check_combine(combine)
    least = {"any": 1, "majority": k // 2 + 1, "all": k}[combine]
    kept = [
        sum(comb(holders, j) * comb(n_baselines - holders, k - j) for j in range(least, k + 1))
        for holders in range(n_baselines + 1)
    ]
    return np.array(kept) / comb(n_baselines, k)


# would other judges say the same?
@dataclass(frozen=True, eq=False)
class Judges:
    """A family of judges, of which every choice of some is looked at.

    at_end: their votes on each target at its last checkpoint, by role. courses: H and H by chance on the samples that are
    followed, as `course_by_choice` gives them, by role.
    """

    at_end: dict[str, Votes]
    courses: dict[str, tuple[Float[np.ndarray, "epoch choice"], Float[np.ndarray, "epoch choice"]]]

    def __len__(self):
        return len(next(iter(self.at_end.values())))

    def apart(self, k, combine, low_orders, high_orders) -> Float[np.ndarray, "two role choice"]:
        """H_low - H_high at the end by each choice of k, and that by chance."""
        low, high = (
            np.array([votes.of_orders(part).of_each_choice(k, combine) for votes in self.at_end.values()])
            for part in (low_orders, high_orders)
        )
        return np.moveaxis(low - high, 1, 0)

    def course(self) -> Float[np.ndarray, "two role epoch choice"]:
        """H by each choice, and that by chance."""
        return np.moveaxis([np.array(of_role) for of_role in self.courses.values()], 1, 0)


def choices_table(
    judges: Judges,
    k: int,
    combine: str,
    low_orders: range,
    high_orders: range,
    control: tuple[Judges, Judges] | None = None,
) -> pd.DataFrame:
    """How far the numbers of F2 and F3b move with the k networks that judge: means over targets by every choice of k.

    control: baselines and judges of shuffled labels, all at their end: what the first see less what the second do, at the
    peaks that the first k judges place. Rise and fall are those of `turn_contrasts`, so there are none of a target that is
    alone. Columns quantity, value (by the first k), least, most, sd, choices. sd: about the standard deviation over draws
    of k new judges, from that over the choices, which share judges and so differ less (exact where judges add up, else too
    large on average); NaN where a family has a single choice.
    """
    asked = k, combine, low_orders, high_orders
    h, chance = judges.apart(*asked)
    parts = {"H_low - H_high": [h], "H_low - H_high, above chance": [h - chance]}
    if control:
        parts[f"H_low - H_high{LESS}"] = [of.apart(*asked)[0] for of in control]
    if len(judges.courses) > 1:
        h, chance = judges.course()
        of_others = np.stack([np.delete(h, i, axis=0).mean(axis=0) for i in range(len(h))])
        tops = highest(of_others.swapaxes(1, 2))[:, None]  # (role, 1, choice)
        parts |= _turns("", tops, h) | _turns(" above chance", tops, h - chance)
        if control:  # where the study's judges place the peak
            parts |= _turns(LESS, tops[..., :1], *(of.course()[0] for of in control))
    rows = []
    for quantity, of in parts.items():
        families = control if len(of) > 1 else [judges]
        rows.append({"quantity": quantity} | _spread([part.mean(axis=0) for part in of], [*map(len, families)], k))
    return pd.DataFrame(rows)


def _turns(ending, tops, *curves):
    """How far curves (role, epoch, choice) rise to their tops, and how far they fall from there."""
    ends = [(np.take_along_axis(of, tops, axis=1)[:, 0], of) for of in curves]
    return {
        f"H rises{ending}": [top - of[:, 0] for top, of in ends],
        f"H falls{ending}": [top - of[:, -1] for top, of in ends],
    }


def _spread(means, sizes, k):
    """Of a mean by each choice of k from so many judges, or of a difference of two such: what `choices_table` has of it."""
    each = reduce(np.subtract.outer, means).ravel()
    variance = sum(of.var() / (1 - k / size) if size > k else np.nan for of, size in zip(means, sizes))
    return {"value": each[0], "least": each.min(), "most": each.max(), "sd": np.sqrt(variance), "choices": each.size}


# how many baselines, and by which rule
def baselines_table(family: Votes, bootstrap: Bootstrap) -> pd.DataFrame:
    """H by the number K of baselines and the rule by which they count (Appendix C), mean over all choices of K.

    Columns K, rule, H, low, high, chance, and excess = H - chance with excess_low, excess_high. Intervals over samples.
    least and most: H by the choices of K with the lowest and the highest.
    """
    rows = []
    for rule, k in product(COMBINE, range(1, len(family) + 1)):
        each, _ = family.of_each_choice(k, rule)
        ends = {"least": each.min(), "most": each.max()}
        rows.append({"K": k, "rule": rule} | _row(family.power(k, rule, bootstrap)) | ends)
    return pd.DataFrame(rows)


def baselines_by_order(family: Votes) -> pd.DataFrame:
    """Strength by order, all of it and what generalizes to any of K baselines (Fig. 5, Eq. 13).

    Columns panel ("K = 1"), order, sign, total, generalizable: mean over samples and over all choices of K (log-odds).
    """
    total, panels = strength_by_order(family.effects, family.salient).mean(axis=0), []
    for k in range(1, len(family) + 1):
        shared = strength_by_order(family.effects, family.shared(k, "any")[0]).mean(axis=0)
        panels.append(order_rows({"panel": f"K = {k}"}, total=total, generalizable=shared))
    return pd.concat(panels, ignore_index=True)


# who the baselines are
def families_table(families: dict[str, Votes], of: np.ndarray, combine: str, bootstrap: Bootstrap) -> pd.DataFrame:
    """H of one target as judged by several families of baselines, on all, training and testing samples.

    `of` (sample,): training or testing. Of every family as many baselines judge as the smallest has, over all choices, so
    that families of different sizes can be compared. Columns judges, samples, K, H, low, high, chance, excess,
    excess_low, excess_high.
    """
    k = min(map(len, families.values()))
    rows = [
        {"judges": name, "samples": samples, "K": k}
        | _row(family.power(k, combine, bootstrap, slice(None) if samples == "all" else of == samples))
        for name, family in families.items()
        for samples in SAMPLES
    ]
    return pd.DataFrame(rows)


def crossvalidation(b: Votes, c: Votes, combine: str, bootstrap: Bootstrap) -> dict[str, Estimate]:
    """Whether what generalizes to one family of baselines also does to another, by chance, and above it (Appendix N).

    The Jaccard similarity compares distributions over signs and orders, summed over samples first, each scaled to sum 1.
    "share of B's that is C's" compares interaction by interaction: how much of the strength generalizable to B is
    generalizable to C too. By chance, the families are asked about other samples: both of them for the Jaccard similarity,
    which compares two distributions; the one named last for the share. Two baselines of one family, each judging alone, are
    the ceiling for one of each (mean over all pairs).
    """
    if len(b.shared(len(b), combine)) < 3:
        raise InputError(
            "votes with chance_draws = 1; expected 2 or more: by chance, two families are asked about others each"
        )
    compared = {
        "Jaccard of B and C": (_similar, [(b, c)]),
        "share of B's that is C's": (_shared, [(b, c)]),
        "share of C's that is B's": (_shared, [(c, b)]),
        "Jaccard of one of B and one of C": (_similar, list(product(b.alone(), c.alone()))),
        "Jaccard of two of B": (_similar, list(combinations(b.alone(), 2))),
        "Jaccard of two of C": (_similar, list(combinations(c.alone(), 2))),
    }
    estimates = {}
    for quantity, (statistic, pairs) in compared.items():
        if pairs:  # a family of one has no two
            each = [statistic(one, other, combine, bootstrap) for one, other in pairs]
            same, chance = (sum(part) / len(pairs) for part in zip(*each))
            estimates |= {quantity: same, f"{quantity}, by chance": chance, f"{quantity}, above chance": same - chance}
    return estimates


def _similar(one, other, combine, bootstrap):
    """Jaccard similarity of two distributions over signs and orders, and by chance: each about other samples, in turns."""
    (same, *moved), (same_too, *moved_too) = (
        [bootstrap.sum(strength_by_order(family.effects, mask)) for mask in family.shared(len(family), combine)]
        for family in (one, other)
    )
    by_chance = [overlap(moved[i], moved_too[j]) for i, j in permutations(range(len(moved)), 2)]
    return overlap(same, same_too), sum(by_chance) / len(by_chance)


def overlap(one: Estimate, other: Estimate) -> Estimate:
    """Jaccard similarity of two distributions (sign, order), each scaled to sum 1, less its bias (Appendix N)."""

    def similar(first, second):
        return jaccard(*(ratio(part, order_sums(part)[..., None, None]) for part in (first, second)))

    return one.map(similar, other).unbiased()


def _shared(one, other, combine, bootstrap):
    """Share of the strength generalizable to one that is to the other too, and by chance: the other about other samples."""
    strength = np.abs(one.effects) * one.shared(len(one), combine)[0]
    whole, (same, *moved) = bootstrap.sum(strength.sum(axis=(1, 2))), other.shared(len(other), combine)
    share, *by_chance = (bootstrap.sum((strength * mask).sum(axis=(1, 2))) / whole for mask in (same, *moved))
    return share, sum(by_chance) / len(by_chance)


def _row(of: Power):
    """H with its interval, its chance level and its excess over it; NaN where nothing is salient."""
    names = ("H", "low", "high", "chance", "excess", "excess_low", "excess_high")
    return dict(zip(names, (*of.H.row, of.chance.value, *of.excess.row)))
