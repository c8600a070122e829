"""Tidy tables of one network's comparison: one function a table, one table a figure."""

import numpy as np
import pandas as pd
from jaxtyping import Float

from symgen.generalization import metrics
from symgen.generalization.bootstrap import Bootstrap, Power, interval, pooled, power
from symgen.generalization.comparison import SAMPLES, Comparison, Comparisons, order_rows
from symgen.generalization.metrics import strength_by_order
from symgen.generalization.phases import Phases, find_phases
from symgen.interactions import mean_outputs, n_variables, orders

TELLING = 6  # checkpoints that tell the story


def over_networks(contrasts: pd.DataFrame) -> pd.DataFrame:
    """The rows of all networks together (role `all`) of a table of contrasts, as notebooks show them.

    value, from, to by quantity: the mean over networks, and its interval.
    """
    together = contrasts[contrasts.role == "all"].set_index("quantity")
    return together[["value", "low", "high"]].set_axis(["value", "from", "to"], axis=1)


def mean_order_table(comparisons: Comparisons, epoch: float) -> pd.DataFrame:
    """Strength by order at one checkpoint, as `Comparison.by_order` has it, mean over several networks."""
    tables = pd.concat(comparison.by_order(epoch) for comparison in comparisons.values())
    return tables.groupby(["epoch", "order", "sign"], as_index=False).mean()


def share_table(comparison: Comparison, epoch: float, bootstrap: Bootstrap) -> pd.DataFrame:
    """The share of salient strength that generalizes at each order (Eq. 7), with intervals, and by chance.

    order, strength (log-odds, mean over samples), share, low, high, chance; NaN where no sample has anything salient.
    """
    t = comparison.position(epoch)
    strengths = [np.abs(part[t]).sum(axis=1)[:, 1:] for part in comparison.by_sign]  # (sample, order)
    share, chance, _ = power(*strengths, bootstrap)
    low, high = share.interval()
    columns = {"order": np.arange(1, len(low) + 1), "strength": strengths[1].mean(axis=0), "share": share.value}
    return pd.DataFrame(columns | {"low": low, "high": high, "chance": chance.value})


def graded_table(comparison: Comparison, epoch: float) -> pd.DataFrame:
    """Strength by order with the binary and with the graded measure (Fig. 10), and by chance, in normalised effects."""
    arrays = {"total": "salient", "generalizable": "generalizable", "graded": "graded"}
    arrays |= {"generalizable_by_chance": "chance", "graded_by_chance": "graded_chance"}
    last = comparison.data.isel(epoch=comparison.position(epoch))
    strengths = {
        column: strength_by_order(last.normalized.to_numpy(), last[name].to_numpy()).mean(axis=0)
        for column, name in arrays.items()
    }
    return order_rows({"epoch": epoch}, **strengths)


def ratios(
    comparison: Comparison, epoch: float, bootstrap: Bootstrap, low_orders: range, high_orders: range, samples="all"
) -> dict[str, Power]:
    """H, H_low, H_high and H_low - H_high by name, at one checkpoint, resampled together."""
    t, ranges = comparison.position(epoch), {"H": None, "H_low": low_orders, "H_high": high_orders}
    powers = {
        name: Power(*(curve[t] for curve in comparison.power(bootstrap, samples, of_orders)))
        for name, of_orders in ranges.items()
    }
    return powers | {"H_low - H_high": Power(*(low - high for low, high in zip(powers["H_low"], powers["H_high"])))}


def ratio_table(
    comparison: Comparison, epoch: float, bootstrap: Bootstrap, low_orders: range, high_orders: range
) -> pd.DataFrame:
    """`ratios` with intervals and chance levels: samples (all, training, testing), quantity, value, low, high, chance.

    A ratio with nothing salient to divide by is NaN.
    """
    rows = [
        (samples, name, *of.H.row, of.chance.value)
        for samples in SAMPLES
        if comparison.chosen(samples).any()
        for name, of in ratios(comparison, epoch, bootstrap, low_orders, high_orders, samples).items()
    ]
    return pd.DataFrame(rows, columns=["samples", "quantity", "value", "low", "high", "chance"])


def dynamics_table(comparison: Comparison, bootstrap: Bootstrap) -> pd.DataFrame:
    """H and N over training (Fig. 3) with bootstrap intervals, and H's chance level: one row a checkpoint."""
    h, chance, _ = comparison.power(bootstrap)
    number = bootstrap.mean_of_known(metrics.effective_number(comparison.effects).T)
    (h_low, h_high), (n_low, n_high) = h.interval(), number.interval()
    generalizable, total, _ = (strength.mean(axis=1) for strength in comparison.strengths())
    return pd.DataFrame(
        {"epoch": comparison.epochs, "H": h.value, "H_low95": h_low, "H_high95": h_high, "H_chance": chance.value,
         "N": number.value, "N_low95": n_low, "N_high95": n_high, "generalizable": generalizable, "total": total}
    )  # fmt: skip


def judges_over_training(judged: dict[str, Comparisons], bootstrap: Bootstrap) -> pd.DataFrame:
    """H over training as several groups of judges see it, the mean over the networks, with intervals.

    judged: who judges -> comparisons. Columns judged by, epoch, H, low, high, chance.
    """
    rows = []
    for judges, comparisons in judged.items():
        curves = [c.power(bootstrap) for c in comparisons.values()]
        for t, epoch in enumerate(next(iter(comparisons.values())).epochs):
            h, chance = (pooled([getattr(curve, name)[t] for curve in curves]) for name in ("H", "chance"))
            rows.append((judges, epoch, *h, chance[0]))
    return pd.DataFrame(rows, columns=["judged by", "epoch", "H", "low", "high", "chance"])


def strength_held(comparison: Comparison, epoch: float, of_orders: range) -> float:
    """The share of all salient strength that some orders hold at a checkpoint; NaN where nothing is salient."""
    strength = comparison.by_order(epoch).set_index("order").total.abs()
    return metrics.ratio(strength[strength.index.isin(of_orders)].sum(), strength.sum())


def learning_table(comparison: Comparison) -> pd.DataFrame:
    """Strength newly learned between checkpoints (Appendix I): delta_g, delta_n, means over samples."""
    delta_g, delta_n = (strength.mean(axis=1) for strength in comparison.newly_learned)
    return pd.DataFrame({"epoch": comparison.epochs, "delta_g": delta_g, "delta_n": delta_n})


def phases_of(comparison: Comparison, bootstrap: Bootstrap, r: float = 1.0) -> Phases:
    """The phases of a network (Appendix I; `find_phases`)."""
    strengths = *comparison.strengths(), *comparison.newly_learned
    return find_phases(comparison.epochs, *strengths, r=r, draws=bootstrap.draws, seed=bootstrap.seed)


def phases_table(phases: dict[str, Phases]) -> pd.DataFrame:
    """Phase boundaries of several networks, one row each, intervals as <name>_low and <name>_high."""
    rows = []
    for role, of in phases.items():
        row = {"role": role} | {name: getattr(of, name) for name in ("n_phases", "verdict", "t2_found", "second_seen")}
        for name in ("t1", "t2", "rise", "fall", "excess_rise", "excess_fall"):
            low, high = getattr(of, f"{name}_interval")
            row |= {name: getattr(of, name), f"{name}_low": low, f"{name}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def sensitivity_rows(variants: dict[str, tuple[Comparison, float]], bootstrap: Bootstrap) -> pd.DataFrame:
    """What comes out with other settings: one row a variant, the first the study as it is.

    variants: name -> its comparison, and its ratio r of the phases (`find_phases`).

    Columns variant, samples (how many), H_first, H_best, H_last with chance_first, .., N_first, N_least, N_last, and those
    of `phases_table`: t1, t2, n_phases, verdict, rise, excess_rise, .. with intervals.
    """
    phases = {name: phases_of(comparison, bootstrap, r) for name, (comparison, r) in variants.items()}
    rows = []
    for name, (comparison, _) in variants.items():
        curve, row = dynamics_table(comparison, bootstrap), {"variant": name, "samples": len(comparison.of)}
        for moment, t in (("first", 0), ("best", comparison.position(phases[name].t1)), ("last", -1)):
            row |= {f"H_{moment}": curve.H.iloc[t], f"chance_{moment}": curve.H_chance.iloc[t]}
        row |= {"N_first": curve.N.iloc[0], "N_least": curve.N.min(), "N_last": curve.N.iloc[-1]}
        rows.append(row)
    return pd.DataFrame(rows).merge(phases_table(phases).rename(columns={"role": "variant"}), on="variant")


def spindle_table(effects_by_name: dict[str, Float[np.ndarray, "_ kind subset"]]) -> pd.DataFrame:
    """Distribution over orders of all interactions, salient or not: is an untrained network's spindle-shaped (section 3.1)?

    A name for each extraction, such as with and without the noise term. Columns panel (the name), order, sign, total
    (mean over samples, log-odds), share (of the strength of all orders and both signs; below 0 for the sign -).
    """
    panels = []
    for name, effects in effects_by_name.items():
        total = strength_by_order(effects).mean(axis=0)
        panels.append(order_rows({"panel": name}, total=total, share=metrics.ratio(total, np.abs(total).sum())))
    return pd.concat(panels, ignore_index=True)


def telling_epochs(epochs: Float[np.ndarray, "epoch"], phases: Phases) -> list[float]:
    """A few checkpoints that tell the story: the first, the last, the phase boundaries, and evenly spread ones."""
    places = np.flatnonzero(np.isin(epochs, [epochs[0], epochs[-1], phases.t1, phases.t2])).tolist()
    while len(places) < min(TELLING, len(epochs)):  # in the middle of the widest gap
        i = int(np.diff(places).argmax())
        places.insert(i + 1, (places[i] + places[i + 1]) // 2)
    return epochs[places].tolist()


def sparsity_table(effects: Float[np.ndarray, "epoch sample kind subset"], epochs) -> pd.DataFrame:
    """Strengths sorted, relative to the strongest of their sample: epoch, rank, median and middle 80 % over samples."""
    flat = -np.sort(-np.abs(effects.reshape(*effects.shape[:2], -1)), axis=-1)
    tables = []
    for epoch, curve in zip(epochs, metrics.ratio(flat, flat[..., :1])):
        curve = curve[~np.isnan(curve[:, 0])]  # of samples that have any interaction
        median = np.median(curve, axis=0) if len(curve) else np.nan
        low, high = interval(curve, 0.8)
        rank = np.arange(1, curve.shape[-1] + 1)
        tables.append(pd.DataFrame({"epoch": epoch, "rank": rank, "median": median, "low": low, "high": high}))
    return pd.concat(tables, ignore_index=True)


def conditions_table(
    v: Float[np.ndarray, "epoch sample subset"], effects: Float[np.ndarray, "epoch sample kind subset"], epochs
) -> pd.DataFrame:
    """The three conditions for sparsity (Appendix B) by number of variables m: see the columns below.

    A label that loses by what is shown, u(n) < 0, falls as steadily as another one rises: all its u(m) change sign first.

    strength_share: share of all strength at order m (condition 1). output: u(m), the mean of v(x_S) - v(x_0) over |S| =
    m, over the samples' mean |v(x_N) - v(x_0)|, with the middle 80 % of samples. monotone: share of samples with u(m) >=
    u(m - 1) (condition 2). p: median of the smallest exponent with which u(m) >= (m / n)^p u(n) (condition 3).
    """
    sizes = orders(n_variables(v.shape[-1]))
    n = sizes.max()
    tables = []
    for epoch, values, solved in zip(epochs, v, effects):
        u = mean_outputs(values)
        scale = np.abs(u[:, -1]).mean()
        strength = np.array([np.abs(solved[..., sizes == m]).sum() for m in range(n + 1)])
        growing = u * np.sign(u[:, -1:])
        output = metrics.ratio(growing, scale)
        low, high = interval(output, 0.8)
        moves = u[:, -1] != 0  # of the others' output, which is the same with all and with none, nothing can be said
        growing = growing[moves] if moves.any() else np.full((1, n + 1), np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            exponent = np.log(np.clip(growing, 0, None) / growing[:, -1:]) / np.log(np.arange(n + 1) / n)
        steps = np.diff(growing, axis=1, prepend=-np.inf)
        monotone = np.where(np.isnan(steps), np.nan, steps >= 0)
        tables.append(
            pd.DataFrame(
                {"epoch": epoch, "m": np.arange(n + 1), "strength_share": metrics.ratio(strength, strength.sum()),
                 "output": output.mean(axis=0), "low": low, "high": high, "monotone": monotone.mean(axis=0),
                 "p": [np.nan, *np.median(exponent[:, 1:-1], axis=0), np.nan]}
            )
        )  # fmt: skip
    return pd.concat(tables, ignore_index=True)
