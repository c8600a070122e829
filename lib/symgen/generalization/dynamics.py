"""The statistics of the claims on training: turns, the loss gap, phases, what is learned when, the untrained network.

Where a turn is measured, its place comes from the other networks: a curve on which a peak is both looked for and measured
always has one. A single network's place comes from one half of its samples, and the other half is measured.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from jaxtyping import Float

from symgen.errors import InputError
from symgen.generalization import metrics
from symgen.generalization.bootstrap import Bootstrap, Estimate, estimates_table, exact_share, power
from symgen.generalization.comparison import Comparison, Comparisons, Control, order_rows
from symgen.generalization.metrics import ratio, strength_by_order
from symgen.generalization.phases import CERTAIN, Phases, by_the_letter, highest, onset
from symgen.interactions import n_variables, orders

LESS = ", less that by judges of shuffled labels"
LEAST_CHANGES = 4  # checkpoints after the peak without which a correlation says nothing


def turn_contrasts(comparisons: Comparisons, bootstrap: Bootstrap, control: Control | None = None) -> pd.DataFrame:
    """How far H rises and falls, also above chance, and N falls and rises, relative to where it comes from (F3a, F3b).

    `control`: what its second judges, of shuffled labels, see of rise and fall is taken off what its first ones see.
    """
    estimates = {role: {} for role in comparisons}
    for role, (c, top) in with_places(comparisons, _height).items():
        h, _, excess = c.power(bootstrap)
        curves = {"": h, " above chance": excess}
        if control:
            as_many, shuffled = (part.power(bootstrap).H for part in _by_control(control, role, comparisons))
            curves[LESS] = as_many - shuffled
        for name, curve in curves.items():
            estimates[role] |= {f"H rises{name}": curve[top] - curve[0], f"H falls{name}": curve[top] - curve[-1]}
    for role, (c, least) in with_places(comparisons, lambda c: -_mean_number(c)).items():
        number = bootstrap.mean_of_known(_number(c))
        estimates[role]["N falls"] = (number[0] - number[least]) / number[0]
        estimates[role]["N rises"] = (number[-1] - number[least]) / number[least]
    return estimates_table(estimates)


def with_places(comparisons: Comparisons, curve: Callable, place: Callable = highest) -> dict[str, tuple]:
    """By role, the comparison to measure on, and the checkpoint number at which the mean curve of the others turns."""
    if len(comparisons) == 1:
        ((role, whole),) = comparisons.items()
        one, other = (_half(whole, first) for first in (0, 1))
        return {role: (other, place(curve(one)))}
    curves = {role: curve(c) for role, c in comparisons.items()}

    def of_others(role):
        return np.mean([curves[other] for other in curves if other != role], axis=0)

    return {role: (c, place(of_others(role))) for role, c in comparisons.items()}


def _half(comparison, first):
    """Every second sample, from the first (0) or the second (1) on."""
    return Comparison(comparison.data.isel(sample=slice(first, None, 2)))


def _by_control(control, role, comparisons):
    """A network as the control's judges see it, on the samples on which `with_places` measures."""
    return [of[role] if len(comparisons) > 1 else _half(of[role], 1) for of in control]


def gap_contrasts(comparisons: Comparisons, losses: dict[str, pd.DataFrame], bootstrap: Bootstrap) -> pd.DataFrame:
    """Whether the dynamics go with the loss gap, testing - training (F3c). losses: role -> epoch, loss_gap.

    gap at the peak of H, as a share of the last one, NaN where there is none. Losses are not resampled: one network has no
    interval of it. From the peak on, Spearman's correlation of the changes between checkpoints of 1 - H, of N, and of 1
    less H above chance, with those of the gap; and each less the largest that a circular shift of the gap's changes gives
    (their mean says nothing: over all shifts, rank correlations sum to 0). NaN where fewer than `LEAST_CHANGES` are left.
    """
    estimates = {}
    for role, (c, top) in with_places(comparisons, _height).items():
        gap = losses[role].set_index("epoch").loss_gap[c.epochs].to_numpy()
        h, _, excess = c.power(bootstrap)
        curves = {"1 - H": 1 - h, "N": bootstrap.mean_of_known(_number(c)), "1 - H above chance": 1 - excess}
        share = np.float64(ratio(gap[top], max(gap[-1], 0)))
        draws = np.full(bootstrap.draws, share if len(comparisons) > 1 else np.nan)
        estimates[role] = {"gap at the peak of H, share of the last": Estimate(share, draws)}
        for name, curve in curves.items():
            by_shift = curve[top:].map(_by_shift, gap[top:])
            together, best = by_shift[0], by_shift[1:].map(lambda x: x.max(axis=-1))
            estimates[role][f"{name}, changes after the peak"] = together
            estimates[role][f"{name}, changes after the peak, less the best shift"] = together - best
    return estimates_table(estimates)


def phase_contrasts(comparisons: Comparisons, phases: dict[str, Phases], r: float = 1.0) -> pd.DataFrame:
    """Shares of networks with three phases, by the letter of Appendix I and with certainty, with exact intervals (F3d).

    By the letter, the other networks say where phases begin: that H rises to its own peak, and falls from there, is true of
    any curve. Networks of which nobody knows (NaN) are left out, as is one that is alone; without any other there is no
    share. t2: it comes, whether or not a checkpoint lies between it and the peak. r: as in `find_phases`.
    """
    places = _with_phases(comparisons, r) if len(comparisons) > 1 else {}
    kinds = {
        "three phases, by the letter": {
            role: by_the_letter(_height(c), _mean_number(c), *place) for role, (c, place) in places.items()
        },
        "three phases, with certainty": {role: p.certainly_three for role, p in phases.items()},
        "t2": {role: np.isfinite(p.t2) for role, p in phases.items()},
        "t2 with certainty": {role: p.t2_found >= CERTAIN for role, p in phases.items()},
    }
    rows = []
    for name, holds in kinds.items():
        each = {role: float(holds.get(role, np.nan)) for role in phases}
        rows += [(name, role, value, value, value) for role, value in each.items()]
        known = [value for value in each.values() if not np.isnan(value)]
        rows.append((name, "all", *exact_share(int(sum(known)), len(known))))
    return pd.DataFrame(rows, columns=["quantity", "role", "value", "low", "high"])


def learned_contrasts(
    comparisons: Comparisons, bootstrap: Bootstrap, r: float = 1.0, control: Control | None = None
) -> pd.DataFrame:
    """What is newly learned in the last phase against the first: its mean order, and the share that generalizes (F3e).

    The first phase goes to the peak of H, the last one begins where mostly other interactions are newly learned (r: as in
    `find_phases`); both places come from the other networks. NaN where there is no last phase. `control`: as in
    `turn_contrasts`.
    """
    estimates = {}
    for role, (c, (top, last)) in _with_phases(comparisons, r).items():
        gained, phases = metrics.newly_learned(c.effects), (slice(1, top + 1), slice(last, None))
        one, three = (_learned(c, gained, part, bootstrap) for part in phases)
        estimates[role] = {
            "mean order, last phase - first": three["order"] - one["order"],
            "share that generalizes, first phase - last": one["share"] - three["share"],
            "share that generalizes above chance, first phase - last": one["excess"] - three["excess"],
        }
        if control:
            seen = [[_learned(by, gained, part, bootstrap)["share"] for part in phases]
                    for by in _by_control(control, role, comparisons)]  # fmt: skip
            as_many, shuffled = (first - last for first, last in seen)
            estimates[role][f"share that generalizes, first phase - last{LESS}"] = as_many - shuffled
    return estimates_table(estimates)


def _learned(c, gained, part, bootstrap):
    """Mean order of what is newly learned in a part of the training, the share that generalizes, and that above chance."""
    generalizable, total, chance = (strength.sum(axis=0) for strength in _flow(c, gained, part))
    share, _, excess = power(generalizable, total, chance, bootstrap)
    times_order = np.einsum("tiks,tiks,s->i", gained[part], c.salient[part], orders(n_variables(gained.shape[-1])))
    return {"order": bootstrap.sum(times_order) / bootstrap.sum(total), "share": share, "excess": excess}


def contents_table(comparisons: Comparisons, r: float = 1.0) -> pd.DataFrame:
    """What is newly learned in each phase, by order, mean over samples and networks, log-odds.

    Columns panel, order, sign, total, generalizable. The phases are those of `learned_contrasts`, with a second one between;
    one without checkpoints is left out.
    """
    tables = {"first phase": [], "second phase": [], "last phase": []}
    for c, (top, last) in _with_phases(comparisons, r).values():
        gained = np.sign(c.effects) * metrics.newly_learned(c.effects)
        total, shared = (strength_by_order(gained, chosen).mean(axis=1) for chosen in (c.salient, c.generalizable))
        parts = slice(1, top + 1), slice(top + 1, last), slice(last, None)
        for (panel, of_panel), part in zip(tables.items(), parts):
            if len(total[part]):
                sums = {"total": total[part].sum(axis=0), "generalizable": shared[part].sum(axis=0)}
                of_panel.append(order_rows({"panel": panel}, **sums))
    if not any(tables.values()):
        raise InputError("one checkpoint; expected at least two, to see what is newly learned")
    rows = pd.concat(table for of_panel in tables.values() for table in of_panel)
    return rows.groupby(["panel", "order", "sign"], sort=False, as_index=False).mean()


def tuning_removal_contrasts(
    comparisons: Comparisons, losses: dict[str, pd.DataFrame], bootstrap: Bootstrap
) -> pd.DataFrame:
    """Whether fine-tuning first removes what does not generalize, and when that ends (claims S1, S2).

    Removed is what an interaction that was salient has lost since the checkpoint before, newly learned what one that is
    salient has gained. Up to the lowest held-out loss after the start (losses: role -> epoch, test_loss): strength removed
    that did not generalize less strength newly learned that does, as a share of both; the share that generalizes, above
    chance, of what is learned less that of what is removed. The end of removal: the last checkpoint before more is learned
    than removed, less that of the lowest held-out loss, in checkpoints.
    """
    estimates = {}
    for role, c in comparisons.items():
        loss = losses[role].set_index("epoch").test_loss[c.epochs].to_numpy()
        lowest = 1 + int(loss[1:].argmin())  # something has to come before
        before, after = slice(None, -1), slice(1, None)
        lost = metrics.newly_learned(c.effects[::-1])[::-1]
        removed, learned = _flow(c, lost, before), _flow(c, metrics.newly_learned(c.effects), after)
        noise, shared = ((removed[1] - removed[0])[:lowest].sum(axis=0), learned[0][:lowest].sum(axis=0))
        of_removed, of_learned = (
            power(*(part[:lowest].sum(axis=0) for part in flow), bootstrap) for flow in (removed, learned)
        )
        more = bootstrap.sum((learned[1] - removed[1]).T)  # (checkpoint,)
        end = more.map(lambda x: np.where((x > 0).any(axis=-1), (x > 0).argmax(axis=-1), x.shape[-1]).astype(float))
        estimates[role] = {
            "removed that does not generalize - learned that does, share of both": bootstrap.sum(noise - shared)
            / bootstrap.sum(noise + shared),
            "share that generalizes above chance, learned - removed": of_learned.excess - of_removed.excess,
            "end of removal - lowest held-out loss, checkpoints": end - lowest,
        }
    return estimates_table(estimates)


def _flow(c, strength, part):
    """Of a strength of each interaction at some checkpoints, what generalizes, all that is salient, and by chance."""
    masks = (c.generalizable, c.salient, c.chance)
    return [np.einsum("tiks,tiks->ti", strength[part], mask[part].astype(float)) for mask in masks]


def untrained_contrasts(comparisons: Comparisons, bootstrap: Bootstrap) -> pd.DataFrame:
    """The untrained network (F3f): strength at middle orders, how far signs cancel, H less chance."""

    def measured(c):
        effects, h = c.effects[0], c.power(bootstrap)
        of_order, sums = np.isin(orders(n_variables(effects.shape[-1])), range(3, 8)), (-2, -1)
        strength = bootstrap.sum(np.abs(effects).sum(axis=sums))
        left = bootstrap.sum(np.abs(effects.sum(axis=sums)))
        return {
            "share of orders 3 to 7": bootstrap.sum(np.abs(effects[..., of_order]).sum(axis=sums)) / strength,
            "share that cancels": 1 - left / strength,
            "H less chance": h.excess[0],
        }

    return estimates_table({role: measured(c) for role, c in comparisons.items()})


def rank_correlation(
    curves: Float[np.ndarray, "*draw checkpoint"], other: Float[np.ndarray, "checkpoint"]
) -> Float[np.ndarray, "*draw"] | float:
    """Spearman's correlation of each curve with another one; NaN where one of them is flat."""
    from scipy.stats import rankdata  # half a second of every start

    ranks, reference = rankdata(curves, axis=-1), rankdata(other)
    ranks, reference = ranks - ranks.mean(axis=-1, keepdims=True), reference - reference.mean()
    return ratio(ranks @ reference, np.sqrt((ranks**2).sum(axis=-1) * (reference**2).sum()))


def _by_shift(curves, gap):
    """Correlations (..., shift) of the changes of curves (..., checkpoint) with the gap's, these shifted by 0, 1, .."""
    if len(gap) <= LEAST_CHANGES:
        return np.full((*curves.shape[:-1], 2), np.nan)
    changes, of_gap = (np.round(np.diff(x, axis=-1), 12) for x in (curves, gap))  # equal ones are ties
    return np.stack([rank_correlation(changes, np.roll(of_gap, shift)) for shift in range(len(of_gap))], axis=-1)


def _with_phases(comparisons, r):
    """As `with_places`: the checkpoint of the peak of H, and the first one after it at which mostly others are learned."""

    def course(c):
        return np.stack([_height(c), *(strength.mean(axis=1) for strength in c.newly_learned)])

    def boundaries(curves):
        height, delta_g, delta_n = curves
        top = int(highest(height))
        return top, int(onset(top, delta_g, r * delta_n))

    return with_places(comparisons, course, boundaries)


def _height(c):
    """H (epoch,)."""
    return np.atleast_1d(c.H)


def _number(c):
    """N (sample, epoch)."""
    return metrics.effective_number(c.effects).T


def _mean_number(c):
    """N (epoch,), of the samples that have any interaction."""
    number = _number(c)
    return metrics.ratio(np.nansum(number, axis=0), (~np.isnan(number)).sum(axis=0))
