"""Tidy tables from judged interactions: one function a table, one table a figure."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from symgen.generalization import metrics
from symgen.generalization.bootstrap import interval, sample_weights
from symgen.generalization.metrics import order_sums, ratio, strength_by_order
from symgen.generalization.phases import Phases, find_phases

SAMPLES = ("all", "training", "testing")


@dataclass(frozen=True)
class Judged:
    """A network's interactions at its checkpoints, judged by baselines on the same samples.

    epochs (epoch,); of (sample,): training or testing; v (epoch, sample, subset); effects, salient, generalizable
    (epoch, sample, kind, subset); chance (draw, epoch, sample, kind, subset): what would count as generalizable if the
    baselines had been asked about other samples; graded: Eq. 19-20 instead of yes or no, and graded_chance its mean over
    the draws; normalized: effects over E|v(N) - v(0)|.
    """

    epochs: Float[np.ndarray, "epoch"]
    of: np.ndarray
    v: Float[np.ndarray, "epoch sample subset"]
    effects: Float[np.ndarray, "epoch sample kind subset"]
    salient: Bool[np.ndarray, "epoch sample kind subset"]
    generalizable: Bool[np.ndarray, "epoch sample kind subset"]
    chance: Bool[np.ndarray, "draw epoch sample kind subset"]
    normalized: Float[np.ndarray, "epoch sample kind subset"]
    graded: Float[np.ndarray, "epoch sample kind subset"]
    graded_chance: Float[np.ndarray, "epoch sample kind subset"]

    def at(self, epoch: float) -> int:
        """Position of the checkpoint at an epoch."""
        return int(np.flatnonzero(self.epochs == epoch)[0])

    def chosen(self, samples: str) -> Bool[np.ndarray, "sample"]:
        """Which samples are meant by all, training, testing."""
        return np.full(len(self.of), True) if samples == "all" else self.of == samples


def judge(
    epochs, of, v, effects, baseline_v, baseline_effects, tau_ratio=0.05, combine="any", chance_draws=5, seed=0
) -> Judged:
    """Judge a target's effects (epoch, sample, kind, subset) by baselines' (baseline, sample, kind, subset).

    v (epoch, sample, subset) and baseline_v (baseline, sample, subset) normalise the graded view (Appendix M). Chance
    asks the baselines about another sample, `chance_draws` times (science, section 5).
    """
    salient = metrics.salient(effects, tau_ratio)
    _, sample, kind, subset = np.nonzero(salient)  # a few in a hundred: nothing else is judged
    salient_bases = baseline_effects * metrics.salient(baseline_effects, tau_ratio)
    normalized = metrics.normalized(effects, v)
    views = {
        metrics.agreed: (effects[salient], salient_bases),
        metrics.similarity: (normalized[salient], metrics.normalized(baseline_effects, baseline_v)),
    }

    def asked(measure, order):
        """The measure of each salient interaction, the baselines being asked about sample order[i] in place of i."""
        own, bases = views[measure]
        return measure(own, bases[:, order[sample], kind, subset], combine)

    def placed(judgement):
        result = np.zeros(salient.shape, judgement.dtype)
        result[salient] = judgement
        return result

    same = np.arange(effects.shape[1])
    others = metrics.derangements(len(same), chance_draws, np.random.default_rng(seed))
    return Judged(
        epochs=np.asarray(epochs, float),
        of=np.asarray(of),
        v=v,
        effects=effects,
        salient=salient,
        generalizable=placed(asked(metrics.agreed, same)),
        chance=np.stack([placed(asked(metrics.agreed, order)) for order in others]),
        normalized=normalized,
        graded=placed(asked(metrics.similarity, same)),
        graded_chance=placed(np.mean([asked(metrics.similarity, order) for order in others], axis=0)),
    )


def order_table(judged: Judged, epoch: float, samples: str = "all") -> pd.DataFrame:
    """Strength by order at one checkpoint (Fig. 2): order, sign, total and generalizable, mean over samples (log-odds)."""
    t, chosen = judged.at(epoch), judged.chosen(samples)
    effects = judged.effects[t, chosen]
    return _order_rows(epoch, effects, judged.salient[t, chosen], {"generalizable": judged.generalizable[t, chosen]})


def mean_order_table(judged: dict[str, Judged], epoch: float) -> pd.DataFrame:
    """Strength by order at one checkpoint, as `order_table` has it, mean over several networks."""
    tables = pd.concat(order_table(own, epoch) for own in judged.values())
    return tables.groupby(["epoch", "order", "sign"], as_index=False).mean()


def share_table(judged: Judged, epoch: float, study) -> pd.DataFrame:
    """The share of salient strength that generalizes at each order (Eq. 7), with intervals, and by chance.

    order, strength (log-odds, mean over samples), share, low, high, chance; NaN where no sample has anything salient.
    """
    t, weights = judged.at(epoch), sample_weights(len(judged.of), study.bootstrap_draws, study.analysis_seed)
    parts = judged.generalizable[t], judged.chance[:, t].mean(axis=0), judged.salient[t]
    gen, chance, total = (
        weights @ np.abs(strength_by_order(judged.effects[t], part)).sum(axis=1)[:, 1:] for part in parts
    )  # (draw, order)
    share = ratio(gen, total)
    low, high = np.transpose([interval(own[1:]) for own in share.T])
    return pd.DataFrame(
        {"order": np.arange(1, total.shape[1] + 1), "strength": total[0] / len(judged.of), "share": share[0],
         "low": low, "high": high, "chance": ratio(chance, total)[0]}
    )  # fmt: skip


def graded_table(judged: Judged, epoch: float) -> pd.DataFrame:
    """Strength by order with the binary and with the graded measure (Fig. 10), and by chance, in normalised effects."""
    t = judged.at(epoch)
    kinds = {"generalizable": judged.generalizable[t], "graded": judged.graded[t]}
    kinds |= {"generalizable_by_chance": judged.chance[:, t].mean(axis=0), "graded_by_chance": judged.graded_chance[t]}
    return _order_rows(epoch, judged.normalized[t], judged.salient[t], kinds)


def _order_rows(epoch, effects, salient, weights):
    strengths = {"total": strength_by_order(effects, salient).mean(axis=0)}
    strengths |= {name: strength_by_order(effects, weight).mean(axis=0) for name, weight in weights.items()}
    n_orders = strengths["total"].shape[-1]
    return pd.DataFrame(
        [
            {"epoch": epoch, "order": m, "sign": sign, **{name: strengths[name][i, m] for name in strengths}}
            for i, sign in enumerate("+-")
            for m in range(1, n_orders)
        ]
    )


def ratio_table(judged: Judged, epoch: float, study) -> pd.DataFrame:
    """H, H_low and H_high at one checkpoint with intervals and chance levels, on all, training and testing samples.

    Also the difference H_low - H_high, resampled together. A ratio with nothing salient to divide by is NaN.
    """
    rows = []
    for samples in SAMPLES:
        draws, by_chance = ratio_draws(judged, epoch, study, samples)
        rows += [(samples, name, own[0], *interval(own[1:]), by_chance[name][0]) for name, own in draws.items()]
    return pd.DataFrame(rows, columns=["samples", "quantity", "value", "low", "high", "chance"])


def ratio_draws(judged: Judged, epoch: float, study, samples: str = "all"):
    """Draws (draw,) of H, H_low, H_high and H_low - H_high by name, and those of their chance levels.

    Draw 0 takes the samples as they are.
    """
    t, chosen = judged.at(epoch), judged.chosen(samples)
    weights = sample_weights(int(chosen.sum()), study.bootstrap_draws, study.analysis_seed)
    ranges = {"H": None, "H_low": range(1, study.low_up_to + 1)}
    ranges |= {"H_high": range(study.high_from, study.n_variables + 1)}
    parts = judged.generalizable[t, chosen], judged.chance[:, t, chosen].mean(axis=0), judged.salient[t, chosen]
    strengths = [strength_by_order(judged.effects[t, chosen], part) for part in parts]
    draws, by_chance = {}, {}
    for name, of_orders in ranges.items():
        gen, chance, total = (weights @ order_sums(strength, of_orders) for strength in strengths)
        draws[name], by_chance[name] = ratio(gen, total), ratio(chance, total)
    for own in (draws, by_chance):
        own["H_low - H_high"] = own["H_low"] - own["H_high"]
    return draws, by_chance


def dynamics_table(judged: Judged, study, samples: str = "all") -> pd.DataFrame:
    """H and N over training (Fig. 3) with bootstrap intervals, and H's chance level: one row a checkpoint."""
    chosen = judged.chosen(samples)
    weights = sample_weights(int(chosen.sum()), study.bootstrap_draws, study.analysis_seed)
    effects = judged.effects[:, chosen]
    gen, total, chance = (own[:, chosen] for own in strengths(judged))
    h = ratio(weights @ gen.T, weights @ total.T)  # (draw, epoch)
    n = weights @ metrics.effective_number(effects).T / chosen.sum()
    h_low, h_high = interval(h[1:])
    n_low, n_high = interval(n[1:])
    return pd.DataFrame(
        {
            "epoch": judged.epochs,
            "H": h[0],
            "H_low95": h_low,
            "H_high95": h_high,
            "H_chance": ratio(chance.sum(axis=-1), total.sum(axis=-1)),
            "N": n[0],
            "N_low95": n_low,
            "N_high95": n_high,
            "generalizable": gen.mean(axis=-1),
            "total": total.mean(axis=-1),
        }
    )


def learned_table(judged: Judged) -> pd.DataFrame:
    """Strength newly learned between checkpoints (Appendix I): delta_g, delta_n, means over samples."""
    learned_g, learned_n = learned(judged)
    return pd.DataFrame({"epoch": judged.epochs, "delta_g": learned_g.mean(axis=1), "delta_n": learned_n.mean(axis=1)})


def learned(judged: Judged):
    """Newly learned strength (epoch, sample) of generalizable and of the other salient interactions."""
    gained = metrics.newly_learned(judged.effects)
    other = judged.salient & ~judged.generalizable
    return _strength(gained, judged.generalizable), _strength(gained, other)


def phases_of(judged: Judged, study) -> Phases:
    """The phases of a judged network (Appendix I)."""
    return find_phases(
        judged.epochs,
        *strengths(judged),
        *learned(judged),
        r=study.phase_ratio,
        draws=study.bootstrap_draws,
        seed=study.analysis_seed,
    )


def strengths(judged: Judged):
    """Salient strength (epoch, sample) that generalizes, all of it, and what of it generalizes by chance."""
    by_chance = _strength(judged.effects, judged.chance).mean(axis=0)
    return _strength(judged.effects, judged.generalizable), _strength(judged.effects, judged.salient), by_chance


def _strength(effects, mask):
    """Strength of the masked interactions, both kinds and all orders together: (..., sample)."""
    return np.einsum("...ks,...ks->...", np.abs(effects), mask)


def phases_table(found: dict[str, Phases]) -> pd.DataFrame:
    """Phase boundaries of several networks, one row each, intervals as <name>_low and <name>_high."""
    rows = []
    for role, phases in found.items():
        row = {"role": role, "n_phases": phases.n_phases, "verdict": phases.verdict}
        row |= {"t2_found": phases.t2_found, "second_seen": phases.second_seen}
        for name in ("t1", "t2", "rise", "fall", "excess_rise", "excess_fall"):
            low, high = getattr(phases, f"{name}_interval")
            row |= {name: getattr(phases, name), f"{name}_low": low, f"{name}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def telling_epochs(epochs: Float[np.ndarray, "epoch"], phases: Phases, most: int = 6) -> list[float]:
    """A few checkpoints that tell the story: the first, the last, the phase boundaries, and evenly spread ones."""
    told = {float(epochs[0]), float(epochs[-1]), phases.t1, phases.t2} & set(epochs.tolist())
    for position in np.linspace(0, len(epochs) - 1, most).round().astype(int):
        if len(told) < most:
            told.add(float(epochs[position]))
    return sorted(told)
