"""Pictures in which networks, settings, ways to train or claims stand side by side."""

import re
import textwrap
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from symgen.plots.style import (
    BY_CHANCE,
    COLOURS,
    OF_SAMPLES,
    count_phrase,
    epoch_axis,
    legend_below,
    legend_of,
    note,
    orders_phrase,
    rows_of_panels,
    shades,
)

REMOVED = {"before": "nothing", "removed": "non-gener-\nalizable", "placebo": "placebo", "reverse": "gener-\nalizable"}
RULES = {"any": "any of K baselines", "majority": "more than half of them", "all": "all of them"}
JUDGES = {
    "B": "B:\nother data",
    "C": "C:\nyet other data",
    "D": "D:\nthe testing samples",
    "shuffled labels": "B with\nshuffled labels",
}
WAYS = {"data": "more data"}  # to train, where the name alone does not say it
SIGNS_OF = {"reproduced": "R", "undecided": "U", "not reproduced": "N", "not testable": "T"}  # verdicts
MEASURED = {"paper": "as the paper measures it", "control": "against its control"}
BAR = {"color": COLOURS["chance"], "alpha": 0.2}  # from 0 to the smallest effect of interest
MIDDLE = "middle 80 % of samples"
OVER_BOTH = "95 %, over networks and over what they are measured on"
OVER_ITEMS = "95 %, over what it is measured on; another network may differ by more"
DIAMOND = dict(marker="D", markersize=5, mfc="white", mec="black", linestyle="", clip_on=False, zorder=4)


def sparsity(table: pd.DataFrame, tau_ratio: float, samples: int | None = None) -> Figure:
    """Strengths of interactions, sorted, relative to the strongest. table: epoch, rank, median, low, high over samples.

    samples: of how many.
    """
    figure, ax = plt.subplots(figsize=(4.6, 3))
    epochs = table.epoch.unique()
    for (epoch, shown), shade in zip(table.groupby("epoch", sort=False), shades(len(epochs))):
        ax.plot(shown["rank"], shown["median"], color=shade, label="untrained" if epoch == 0 else f"epoch {epoch:g}")
        if epoch in (epochs[0], epochs[-1]):
            ax.fill_between(shown["rank"], shown.low, shown.high, color=shade, alpha=0.2, linewidth=0)
    ax.axhline(tau_ratio, color="black", linestyle=":", linewidth=1)
    place = {"xycoords": ("axes fraction", "data"), "ha": "right", "va": "bottom", "fontsize": 7}
    ax.annotate("above this line: salient", (1, 1.04 * tau_ratio), **place)
    ax.set(xlabel="interaction, by strength", ylabel="strength / strongest", xscale="log", yscale="log")
    ax.set(xlim=(0.9, 1.1 * table["rank"].max()), ylim=(1e-3, 1.2))
    ax.legend()
    return note(figure, network=1, sample=samples, line="median", **{"band, first and last": MIDDLE})


def conditions(table: pd.DataFrame, samples: int | None = None) -> Figure:
    """Two of the conditions for sparsity (Appendix B): strength by order, mean output by number of variables shown.

    table: epoch, m, strength_share (of order m), output (mean v - v(none) with m variables shown, over the mean
    |v(all) - v(none)| of the samples), low, high. samples: of how many.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 2.9))
    epochs = table.epoch.unique()
    for (epoch, shown), shade in zip(table.groupby("epoch", sort=False), shades(len(epochs))):
        style = {"color": shade, "marker": "o", "markersize": 3}
        style["label"] = "untrained" if epoch == 0 else f"epoch {epoch:g}"
        left.plot(shown.m[1:], shown.strength_share[1:], **style)
        right.plot(shown.m, shown.output, **style)
        if epoch in (epochs[0], epochs[-1]):
            right.fill_between(shown.m, shown.low, shown.high, color=shade, alpha=0.2, linewidth=0)
    left.set(xlabel="order", ylabel="share of all strength", title="condition 1: do high orders hold nothing?")
    left.set(yscale="log", ylim=(1e-4, 1))
    right.set(xlabel="variables not masked, m", ylabel="mean output u(m)\n(over mean |v(all) − v(none)|)")
    right.set_title("condition 2: does u(m) grow?")
    for ax in (left, right):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend_below(figure, left)
    says = {"line": "mean", "band, first and last": MIDDLE, "turned round": "u(m) of samples with u(n) < 0"}
    says |= {"not drawn": "less than a ten-thousandth of the strength"}
    return note(figure, network=1, sample=samples, **says)


def baselines(table: pd.DataFrame, samples: int | None = None) -> Figure:
    """H, what it is by chance, and what it is above chance, by the number of baselines; a panel a rule (Fig. 5).

    table: K, rule, H, low, high, chance, excess, excess_low, excess_high. samples: of how many.
    """
    rules = table.rule.unique()
    figure, axes = plt.subplots(1, len(rules), figsize=(2.6 * len(rules) + 0.6, 3), sharey=True, squeeze=False)
    for ax, (rule, shown) in zip(axes[0], table.groupby("rule", sort=False)):
        for label, columns, colour in (
            ("H", ["H", "low", "high"], COLOURS["generalizable"]),
            ("H above chance", ["excess", "excess_low", "excess_high"], "black"),
        ):
            value, low, high = shown[columns].to_numpy().T
            ax.plot(shown.K, value, marker="o", markersize=4, color=colour, label=label)
            ax.fill_between(shown.K, low, high, color=colour, alpha=0.15, linewidth=0)
        ax.plot(shown.K, shown.chance, label="by chance", **BY_CHANCE)
        ax.set(title=f"in {RULES.get(rule, rule)}", xlabel="baselines K", xticks=shown.K)
    axes[0, 0].set(ylabel="share of strength", ylim=(min(0, table.excess_low.min()), None))
    legend_below(figure, axes[0, 0])
    says = {"zigzag": "more than half of 2 is 2, of 3 is 2, of 4 is 3"} if "majority" in rules else {}
    return note(figure, network=1, sample=samples, band="95 %, over samples", **says)


def judges(table: pd.DataFrame, samples: int | None = None) -> Figure:
    """H of one target by who judges it, with intervals and chance levels.

    table: judges, samples (all, training, testing), K, H, low, high, chance; a group of marks for each family of judges.
    samples: how many all are.
    """
    names, parts = list(table.judges.unique()), table.samples.unique()
    figure, ax = plt.subplots(figsize=(1.5 * len(names) + 1.2, 3))
    for shift, of, marker in zip((-0.22, 0, 0.22), parts, "os^"):
        shown, colour = table[table.samples == of], OF_SAMPLES.get(of, "black")
        x = np.array([names.index(name) for name in shown.judges]) + shift
        ax.vlines(x, shown.low, shown.high, color=colour)
        ax.plot(x, shown.H, marker, color=colour, markersize=5, label=f"{of} samples")
        label = "by chance" if of == parts[0] else None  # a legend has it once
        ax.hlines(shown.chance, x - 0.1, x + 0.1, label=label, **BY_CHANCE | {"linewidth": 1.6})
    ax.set_xticks(range(len(names)), [JUDGES.get(name, name) for name in names])
    ax.set(ylabel="H: share of strength\nthat generalizes", ylim=(0, None), title="Who judges: baselines trained on …")
    ax.grid(axis="x", visible=False)
    legend_below(figure, ax)
    return note(figure, network=1, sample=samples, judge=int(table.K.iloc[0]), bar="95 %, over samples")


def judged_pairs(
    table: pd.DataFrame, samples: int | None = None, of: str = "prompt", ranges: dict[str, range] | None = None
) -> Figure:
    """What networks share at low and at high orders (Fig. 11): a row a network, a panel who judges it.

    table: role, judged by, quantity (H_low, H_high), value, low, high, chance. samples: of how many, and `of` what.
    ranges: which orders H_low and H_high are of.
    """
    judged = {judge: list(rows.role.unique()) for judge, rows in table.groupby("judged by", sort=False)}
    most, alike = max(map(len, judged.values())), len({*map(tuple, judged.values())}) == 1
    size = (3.1 if alike else 3.6) * len(judged) + 0.9, 0.24 * most + 1.4
    figure, axes = plt.subplots(1, len(judged), figsize=size, sharex=True, sharey=alike, squeeze=False)
    names = {"H_low": "low orders", "H_high": "high orders"}
    for ax, (judge, roles) in zip(axes[0], judged.items()):
        for shift, (quantity, label) in zip((-0.17, 0.17), names.items()):
            colour = COLOURS[label]
            shown = table[(table["judged by"] == judge) & (table.quantity == quantity)]
            rows = np.array([roles.index(role) for role in shown.role]) + shift
            ax.hlines(rows, shown.low, shown.high, color=colour, linewidth=2)
            ax.plot(shown.value, rows, "o", color=colour, markersize=4, label=label)
            chance = {"color": COLOURS["chance"], "linewidth": 1.6, "label": f"{label}, by chance"}
            ax.vlines(shown.chance, rows - 0.17, rows + 0.17, **chance)
        title = textwrap.fill(f"judged by {judge}", 30)
        ax.set(title=title, xlabel="share of strength that generalizes", xlim=(-0.02, 1))
        ax.set(yticks=range(len(roles)), yticklabels=roles, ylim=(most - 0.4, -0.6))
        ax.grid(axis="y", visible=False)
    mark = {"marker": "|", "linestyle": "", "markersize": 9, "markeredgewidth": 1.6}  # as it is drawn
    by_chance = Line2D([], [], color=COLOURS["chance"], **mark)
    legend_below(figure, dict(zip(names.values(), axes[0, 0].lines)), {"by chance": by_chance})
    says = {names[quantity].split()[0]: orders_phrase(orders) for quantity, orders in (ranges or {}).items()}
    says |= {"no point": "they hold next to no strength"} if table.value.isna().any() else {}
    return note(figure, network=table.role.nunique(), **{of: samples}, bar=f"95 %, over {of}s", **says)


def sensitivity(table: pd.DataFrame) -> Figure:
    """What each setting changes: H and N at the start, at the turn and at the end, how H moves, the phases; a row a variant.

    table: variant, samples, H_first, H_best, H_last, chance_first, .., N_first, N_least, N_last, rise, rise_low, rise_high
    of H above chance (excess_rise, ..) and its fall, n_phases. Dotted lines stand on the first row of each number of
    samples: what the rows below are to be compared with.
    """
    size = 10.4, 0.24 * len(table) + 1.5
    figure, axes = plt.subplots(1, 3, figsize=size, sharey=True, width_ratios=[3, 2, 2])
    rows = np.arange(len(table))
    colours = "white", "#a6a6a6", "black"
    moments = "untrained", "H at its peak, N at its least", "at the end"
    for ax, quantity, turn in zip(axes, "HN", ("best", "least")):
        for where, label, marker, colour in zip(("first", turn, "last"), moments, "oD^", colours):
            values = table[f"{quantity}_{where}"]
            style = {"edgecolor": "black", "linewidth": 0.6, "zorder": 3, "label": label}
            ax.scatter(values, rows, s=26, marker=marker, color=colour, **style)
            for _, group in table.groupby("samples", sort=False):
                ax.vlines(values[group.index[0]], group.index[0], group.index[-1], color="black", linewidth=0.7, ls=":")
            if quantity == "H":
                chance, style = table[f"chance_{where}"], {"facecolor": "none", "edgecolor": COLOURS["chance"]}
                ax.scatter(chance, rows + 0.27, s=14, marker=marker, label="H by chance, same shapes", **style)
    left, middle, right = axes
    _rise_and_fall(right, table, rows)
    groups = [f"{name} ({count_phrase(number, 'sample')})" if first else name for name, number, first in
              zip(table.variant, table.samples, ~table.samples.duplicated())]  # fmt: skip
    left.set(yticks=rows, yticklabels=groups, ylim=(len(table) - 0.5, -0.5), xlabel="H", xlim=(0, 1))
    left.set_title("H, share of strength that generalizes")
    middle.set(xlabel="N", xlim=(0, None), title="N, interactions that\nhold 80 % of the strength")
    for row, text in [(-1, "phases"), *zip(rows, table.n_phases)]:
        right.annotate(f"{text}", (1.07, row), xycoords=("axes fraction", "data"), ha="center", va="center", fontsize=8)
    legend_below(figure, left, right, columns=3)
    says = {"dotted": "the study as it is, on as many samples", "phases": "found with certainty"}
    return note(figure, network=1, bar="95 %, over samples", **says)


def removal(table: pd.DataFrame, samples: int | None = None) -> Figure:
    """Loss without some of the interactions, and the effect of what is removed (Fig. 4), a column a network.

    table: role, of, what, loss, low, high, effect, effect_low, effect_high at one checkpoint. The bar between a training
    and a testing loss is the gap; a placebo beside each shows what removing as much at random does. Nothing is removed
    "before", and so only the loss has it. samples: how many, training and testing ones together.
    """
    networks = table.role.nunique()
    figure, axes = plt.subplots(2, networks, figsize=(2.6 * networks + 0.6, 5), sharey="row", squeeze=False)
    for column, (role, shown) in zip(axes.T, table.groupby("role", sort=False)):
        _points_by_what(column[0], shown, ["loss", "low", "high"])
        _points_by_what(column[1], shown[shown.what != "before"], ["effect", "effect_low", "effect_high"])
        column[0].set_title(role)
        column[1].set_xlabel("removed")
        column[1].axhline(0, color="black", linewidth=0.8)
    axes[0, 0].set_ylabel("loss (nats)")
    axes[1, 0].set_ylabel("mean effect of what\nis removed (log-odds)")
    gap = {"difference between the two; upper row: the loss gap": Patch(color=COLOURS["chance"], alpha=0.4)}
    legend_below(figure, axes[0, 0], gap)
    return note(figure, network=networks, sample=samples, **{"thin bar": "95 %, over samples, each by itself"})


def removal_dynamics(
    table: pd.DataFrame, samples: int | None = None, at_end: pd.DataFrame | None = None, more: int | None = None
) -> Figure:
    """The loss gap, testing - training, over training, before and after removal, a column a network; below, its change.

    table: role, epoch, of, what, loss, low, high; at_end: the same of the last checkpoint, on more samples, left out if
    these are as many. The gap after the placebo is what removing as much at random leaves of it. The band of the whole gap
    is made of the intervals of its two losses, which are of different samples. samples, more: how many, training and testing
    ones together.
    """
    roles = table.role.unique()
    figure, axes = plt.subplots(2, len(roles), figsize=(2.6 * len(roles) + 0.6, 5.2), sharey="row", squeeze=False)
    lines = {
        "before": ("whole", "black", "-"),
        "placebo": ("without as much at random (placebo)", COLOURS["chance"], "--"),
        "removed": ("without what does not generalize", COLOURS["generalizable"], "-"),
    }
    pale = None if at_end is None or more == samples else 0.45  # beside what is known better
    losses = table.pivot(index=["role", "what", "epoch"], columns="of", values=["loss", "low", "high"])
    gaps = losses.loss.testing - losses.loss.training
    below = np.hypot(losses.loss.testing - losses.low.testing, losses.high.training - losses.loss.training)
    above = np.hypot(losses.high.testing - losses.loss.testing, losses.loss.training - losses.low.training)
    for (upper, lower), role in zip(axes.T, roles):
        whole = gaps[role, "before"]
        for what, (label, colour, style) in lines.items():
            line = {"color": colour, "linestyle": style, "marker": "o", "markersize": 3}
            upper.plot(whole.index, gaps[role, what], label=label, **line)
            if what != "before":
                lower.plot(whole.index, gaps[role, what] - whole, label=f"{label}, less the whole", **line, alpha=pale)
        band = whole - below[role, "before"], whole + above[role, "before"]
        upper.fill_between(whole.index, *band, color="black", alpha=0.12, linewidth=0)
        upper.set_title(role)
        for ax in (upper, lower):
            ax.axhline(0, color="black", linewidth=0.8)
            epoch_axis(ax, whole.index)
        upper.set_xlabel("")
    legend_below(figure, axes[0, 0])
    says = {"band": "95 %, of the whole gap, over samples"}
    if pale:
        _ends_beside(axes, table.epoch.max(), at_end, lines)
        many = count_phrase(more, "sample") if more else "more samples"
        says["diamonds"] = f"the last epoch again, on {many}: trust these more"
    axes[0, 0].set(ylabel="loss gap, testing − training\n(nats)", ylim=(min(axes[0, 0].get_ylim()[0], -0.26), None))
    axes[1, 0].set(ylabel="its change by the removal\n(nats): below 0, narrower")
    return note(figure, network=len(roles), sample=samples, **says)


def arms(
    table: pd.DataFrame,
    gains: dict[tuple[str, str], float] | None = None,
    networks: dict[str, int] | None = None,
    samples: int | None = None,
) -> Figure:
    """What ways to train change against plain training: a row a way, a panel a quantity, with 95 % intervals.

    table: setting (all samples, few samples), arm, quantity, value, low, high; a mark a setting. gains: (setting,
    quantity) -> what the paper reports of the penalty, a diamond in its row. networks: of how many each way is the mean.
    samples: on how many.
    """
    table = table.drop_duplicates(["arm", "quantity", "value", "low", "high"], keep="last")  # all samples may be few
    quantities, names, setting_names = (table[column].unique() for column in ("quantity", "arm", "setting"))
    figure, axes = plt.subplots(
        1, len(quantities), figsize=(2.25 * len(quantities) + 0.8, 0.4 * len(names) + 1.6), sharey=True, squeeze=False
    )
    shifts = (-0.15, 0.15) if len(setting_names) > 1 else (0,)
    places = dict(zip(names, range(len(names))))
    for ax, quantity in zip(axes[0], quantities):
        for setting, shift, marker in zip(setting_names, shifts, "os"):
            colour = COLOURS[setting]
            shown = table[(table.setting == setting) & (table.quantity == quantity)]
            rows, label = shown.arm.map(places) + shift, setting.replace(" samples", " training samples")
            ax.hlines(rows, shown.low, shown.high, color=colour)
            ax.plot(shown.value, rows, marker, color=colour, markersize=4, label=label)
            if (gain := (gains or {}).get((setting, quantity))) is not None:
                ax.plot(gain, places["penalty"] + shift, **DIAMOND)
        ax.axvline(0, color="black", linewidth=0.8)
        better = {"loss": "← better", "H": "more generalizes →"}.get(re.match(r"\w+", quantity)[0], "better →")
        title = quantity.replace(", ", ",\n").replace(" at best", "\nat the best checkpoint")
        ax.set(title=title, xlabel=f"{_unit(quantity)}\n{better}")
        ax.xaxis.set_major_locator(MaxNLocator(3))
        ax.grid(axis="y", visible=False)
    of = {name: f", {count_phrase(networks[name], 'network')}" if networks else "" for name in names}
    labels = [f"{WAYS.get(name, name)} − plain{of[name]}" for name in names]
    axes[0, 0].set(yticks=range(len(names)), yticklabels=labels, ylim=(len(names) - 0.5, -0.5))
    reported = {*zip(table.setting, table.quantity)} & {*(gains or {})}
    legend_below(figure, axes[0, 0], {"the paper's gain by the penalty": Line2D([], [], **DIAMOND)} if reported else {})
    measured_on = {"measured on": count_phrase(samples, "sample")} if samples else {}
    alone = set((networks or {}).values()) == {1}
    return note(figure, **measured_on, bar=OVER_ITEMS if alone else OVER_BOTH, **_who_judges(quantities))


def penalty_curve(table: pd.DataFrame, chosen: float | None = None, networks: int | None = None) -> Figure:
    """What the weight of the penalty does, a panel a quantity, with intervals. table: weight, quantity, value, low, high.

    chosen: the weight that the study takes, marked. networks: of how many each point is the mean.
    """
    quantities, weights = table.quantity.unique(), table.weight.unique()
    figure, axes = plt.subplots(1, len(quantities), figsize=(2.1 * len(quantities) + 0.6, 2.5), squeeze=False)
    places = np.arange(len(weights))
    for ax, (quantity, shown) in zip(axes[0], table.groupby("quantity", sort=False)):
        ax.plot(places, shown.value, "o-", markersize=4, color=COLOURS["target"], label="mean over networks")
        most = None if _unit(quantity) == "nats" else 1  # an interval of two networks may reach beyond what can be
        band = shown.low.clip(0, most), shown.high.clip(0, most)
        ax.fill_between(places, *band, color=COLOURS["target"], alpha=0.15, linewidth=0)
        ax.set(title=quantity, xlabel="weight of the penalty", ylabel=_unit(quantity))
        ax.set_xticks(places, [f"{weight:.2g}" for weight in weights])
        if chosen in weights:
            ax.axvline(weights.tolist().index(chosen), color="black", linestyle=":", linewidth=1)
    dotted = "the weight of the study" if chosen in weights else None
    band = f"{OVER_ITEMS if networks == 1 else OVER_BOTH}, of each weight by itself"
    return note(figure, network=networks, band=band, dotted=dotted, **_who_judges(quantities))


def claims(table: pd.DataFrame) -> Figure:
    """The claims at a glance: a row a claim, a column a study, coloured by the verdicts. table: as `claims.readable`.

    The left half of a cell is the verdict as the paper measures it, the right half that against the control. A claim stands
    above its row, so that the picture is narrow enough for a phone.
    """
    studies, claim_of = list(table.study.unique()), table.drop_duplicates("id").set_index("id").claim
    labels = {name: _in_even_lines(f"{name}  {claim}", 80) for name, claim in claim_of.items()}
    heights = [2 + 0.75 * label.count("\n") for label in labels.values()]
    bottoms = dict(zip(labels, np.cumsum(heights)))
    columns = max(len(studies), 15)
    figure, ax = plt.subplots(figsize=(0.2 + 0.32 * columns, 0.19 * sum(heights) + 2.2))
    ax.vlines(range(1, len(studies)), 0, sum(heights), color=COLOURS["chance"], alpha=0.25, linewidth=0.4, zorder=0)
    above = {"fontsize": 7.5, "va": "bottom", "bbox": {"fc": "white", "ec": "none", "pad": 0.5}}
    for name, label in labels.items():
        ax.text(0, bottoms[name] - 1.08, label, gid="-", **above)
    for row in table.itertuples():
        x, y = studies.index(row.study), bottoms[row.id]
        for left, verdict in ((x + 0.03, row.verdict), (x + 0.5, row.beyond)):
            if verdict != "–":
                style = {"facecolor": COLOURS[verdict], "edgecolor": COLOURS["chance"], "linewidth": 0.4}
                ax.add_patch(Rectangle((left, y - 1), 0.47, 0.9, **style))
            sign, centred = SIGNS_OF.get(verdict, verdict), {"ha": "center", "va": "center"}
            ax.text(left + 0.235, y - 0.55, sign, fontsize=8, gid=verdict, **centred)  # gid: for who cannot see it
    ax.set(xlim=(0, columns), ylim=(sum(heights), 0))
    ax.set_yticks([])
    networks = table.groupby("study").networks.max()  # some claims are about fewer
    names = [f"{study} ({networks[study]})" for study in studies]
    ax.set_xticks(np.arange(len(studies)) + 0.5, names, fontsize=8, rotation=60, ha="left", rotation_mode="anchor")
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    signs = [f"{sign}: {verdict}" for verdict, sign in SIGNS_OF.items()]
    close = {"fontsize": 8, "columnspacing": 1, "handletextpad": 0.4}
    legend_of(figure, SIGNS_OF, signs, loc="outside lower center", ncols=4, **close)
    says = {"–": "has none", "empty": "not asked of this study"}
    places = {"left": MEASURED["paper"], "right": MEASURED["control"], "in brackets": "networks, at most"}
    return note(figure, **places, **says)


def effects(table: pd.DataFrame, means: pd.DataFrame) -> Figure:
    """How large the effects behind the claims are: a panel an effect, a row a study, and a last row for their mean.

    table: as `claims.effects`; means: as `claims.mean_effects`. Filled: as the paper measures it; open: against its
    control. The grey bar at each row reaches from 0 to the smallest effect of interest, the thin line of the mean to where
    one more study would lie. A panel is as wide as its values need; wider intervals are cut off.
    """
    networks = table.groupby("study", sort=False).networks.max().sort_values(ascending=False, kind="stable")
    studies, names = list(networks.index), [f"{study} ({number})" for study, number in networks.items()]
    last = len(studies)
    size = (1.9, 0.2 * (last + 1) + 0.75)
    figure, axes = rows_of_panels(table.effect.nunique(), 2, size, (1.8, 0.6), sharey=True)  # narrow, for a phone
    styles = {"paper": {"mfc": COLOURS["target"]}, "control": {"mfc": "white"}}
    for ax, (effect, shown) in zip(axes.flat, table.groupby("effect", sort=False)):
        rows = shown.study.map(studies.index)
        first = ~shown.study.duplicated()
        ax.barh(rows[first], shown.sesoi[first], 0.8, **BAR)
        for (of, style), shift in zip(styles.items(), (-0.17, 0.17)):
            part, places = shown[shown.of == of], rows[shown.of == of] + shift
            ax.hlines(places, part.low, part.high, color=COLOURS["target"], linewidth=1)
            ax.plot(part.value, places, "o", color=COLOURS["target"], markersize=4.5, label=MEASURED[of], **style)
            _mean_of_studies(ax, means[(means.effect == effect) & (means.of == of)], last + shift)
        ax.axhline(last - 0.5, color="black", linewidth=0.5)
        ax.axvline(0, color="black", linewidth=0.8)
        least, most = min(0, shown.value.min()), shown[["value", "sesoi"]].max(axis=None)
        ax.set(xlim=(least - 0.3 * (most - least), most + 0.3 * (most - least)), xlabel=shown.unit.iloc[0])
        ax.set(yticks=range(last + 1), yticklabels=[*names, "mean of the studies"], ylim=(last + 0.6, -0.6))
        ax.set_title(_in_even_lines(effect, 22))
        ax.grid(axis="y", visible=False)
    legend_below(figure, axes[0, 0], {"less than the smallest effect of interest": Patch(**BAR)})
    says = {"in brackets": "networks, at most", "no point": "not asked, or not testable"}
    says["black"] = "mean of the studies, with its 95 % interval; thin: where one more study would lie, 95 %"
    return note(figure, line="95 %, over samples and networks; cut off where wider than the panel", **says)


# pieces of figures


def _mean_of_studies(ax, table, place):
    """A mean over studies as a diamond, its interval thick, that of one more study thin. table: as `claims.mean_effects`."""
    for row in table.itertuples():
        ax.hlines(place, row.next_low, row.next_high, color="black", linewidth=0.6)
        ax.hlines(place, row.low, row.high, color="black", linewidth=2)
        ax.plot(row.value, place, **DIAMOND | {"mfc": "black" if row.of == "paper" else "white"})


def _in_even_lines(text, width):
    """A text in as few lines as a width allows, about as long as each other: no word is left alone at the end."""
    wrap = partial(textwrap.wrap, text, break_on_hyphens=False, break_long_words=False)
    few = len(wrap(width))
    return "\n".join(next(lines for least in range(1, width + 1) if len(lines := wrap(least)) <= few))


def _ends_beside(axes, last, table, lines):
    """Loss gaps at the last epoch on other samples, and their changes, as diamonds side by side, right of the panels."""
    losses = table.pivot(index=["role", "what"], columns="of", values="loss")
    gaps = (losses.testing - losses.training).unstack("what")[list(lines)]
    changes = gaps.sub(gaps.before, axis=0).drop(columns="before")
    roles = [ax.get_title() for ax in axes[0]]
    for row, of_row in zip(axes, (gaps, changes)):
        for ax, role in zip(row, roles):
            for place, what in enumerate(of_row):
                label, colour, _ = lines[what]
                beside = ScaledTranslation((6 + 8 * place) / 72, 0, ax.figure.dpi_scale_trans)
                style = DIAMOND | {"mfc": colour, "mec": colour, "transform": ax.transData + beside}
                ax.plot(last, of_row.loc[role, what], label=f"{label}, on more samples", **style)
        low, high = row[0].get_ylim()  # axes do not grow for what stands beside them
        ends = of_row.min(axis=None), of_row.max(axis=None)
        row[0].set_ylim(min(low, 1.05 * ends[0]), max(high, 1.05 * ends[1]))


def _unit(quantity):
    """Unit of a quantity of an arm: "H by others" is one of H."""
    return {"accuracy": "share of items", "loss": "nats", "H": "share of strength"}[re.match(r"\w+", quantity)[0]]


def _who_judges(quantities):
    """Who judges, of a quantity that is not judged by the study's baselines."""
    return {"others": "networks trained on part C"} if any(" by others" in quantity for quantity in quantities) else {}


def _rise_and_fall(ax, table, rows):
    """How far H above chance rises and falls, with intervals, a row a variant."""
    for name, label, marker, shift in (("rise", "H rises", "^", -0.17), ("fall", "H falls", "v", 0.17)):
        low, high = table[f"excess_{name}_low"], table[f"excess_{name}_high"]
        ax.hlines(rows + shift, low, high, color=COLOURS["target"], linewidth=1)
        ax.plot(table[f"excess_{name}"], rows + shift, marker, color=COLOURS["target"], markersize=4, label=label)
    ax.axvline(0, color="black", linewidth=0.8)
    ax.set(xlabel="H above chance", title="how far H rises and falls,\nabove chance")


def _points_by_what(ax, table, columns):
    """Training and testing side by side for each `what`, with intervals, and a bar from one to the other."""
    places = np.arange(table.what.nunique())
    value = {}
    for (of, colour), shift in zip(OF_SAMPLES.items(), (-0.12, 0.12)):
        value[of], low, high = table.loc[table.of == of, columns].to_numpy().T
        ax.errorbar(
            places + shift, value[of], (value[of] - low, high - value[of]),
            fmt="o", markersize=4, color=colour, elinewidth=1, label=f"{of} samples",
        )  # fmt: skip
    ax.vlines(places, *value.values(), color=COLOURS["chance"], linewidth=4, alpha=0.4)
    ax.set_xticks(places, [REMOVED[what] for what in table.what.unique()])
    ax.set_xlim(-0.5, len(places) - 0.5)
    ax.grid(axis="x", visible=False)
