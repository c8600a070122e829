"""Pictures in which networks, settings, ways to train or claims stand side by side."""

import re
import textwrap

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from symgen.plots.style import COLOURS, OF_SAMPLES, epoch_axis

REMOVED = {
    "before": "nothing",
    "removed": "non-gener-\nalizable",
    "placebo": "placebo",
    "reverse": "gener-\nalizable",
}  # on an axis
VERDICTS = {"reproduced": "#9fd0af", "undecided": "#e3e3e3", "not reproduced": "#efb261", "not testable": "#ffffff"}


def sparsity(table: pd.DataFrame, tau_ratio: float) -> Figure:
    """Strengths of interactions, sorted, relative to the strongest. table: epoch, rank, median, low, high over samples."""
    figure, ax = plt.subplots(figsize=(4.6, 3))
    epochs = table.epoch.unique()
    for epoch, shade in zip(epochs, sns.color_palette("viridis", len(epochs))):
        shown = table[table.epoch == epoch]
        ax.plot(shown["rank"], shown["median"], color=shade, label="untrained" if epoch == 0 else f"epoch {epoch:g}")
        ax.fill_between(shown["rank"], shown.low, shown.high, color=shade, alpha=0.15, linewidth=0)
    ax.axhline(tau_ratio, color="black", linestyle=":", linewidth=1)
    ax.annotate(
        "salient above", (1, 1.04 * tau_ratio), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=7
    )
    ax.set(xlabel="interaction, by strength", ylabel="strength / strongest", xscale="log", yscale="log")
    ax.set(xlim=(0.9, 1.1 * table["rank"].max()), ylim=(1e-3, 1.2))
    ax.legend()
    return figure


def conditions(table: pd.DataFrame) -> Figure:
    """The three conditions for sparsity (Appendix B): strength by order, mean output by number of variables shown.

    table: epoch, m, strength_share (of order m), output (mean v - v(0) with m variables, over |v(N) - v(0)|), low, high.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 2.9))
    epochs = table.epoch.unique()
    for epoch, shade in zip(epochs, sns.color_palette("viridis", len(epochs))):
        shown = table[table.epoch == epoch]
        label = "untrained" if epoch == 0 else f"epoch {epoch:g}"
        left.plot(shown.m[1:], shown.strength_share[1:], "o-", markersize=3, color=shade, label=label)
        right.plot(shown.m, shown.output, "o-", markersize=3, color=shade, label=label)
        right.fill_between(shown.m, shown.low, shown.high, color=shade, alpha=0.12, linewidth=0)
    left.set(xlabel="order", ylabel="share of all strength", title="condition 1: strength by order")
    right.set(xlabel="variables not masked", ylabel="mean output, relative", title="conditions 2 and 3: u(m)")
    left.legend()
    return figure


def baselines(table: pd.DataFrame) -> Figure:
    """H, and H above chance, by the number of baselines and the rule by which they count (Fig. 5).

    table: K, rule, H, low, high, chance, excess, excess_low, excess_high.
    """
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 3), sharey=True)
    for rule, marker in zip(table.rule.unique(), "os^"):
        shown, style = table[table.rule == rule], {"color": COLOURS[rule], "marker": marker, "markersize": 4}
        for ax, name, low, high in zip(axes, ("H", "excess"), ("low", "excess_low"), ("high", "excess_high")):
            ax.plot(shown.K, shown[name], label=rule, **style)
            ax.fill_between(shown.K, shown[low], shown[high], color=COLOURS[rule], alpha=0.2, linewidth=0)
        axes[0].plot(shown.K, shown.chance, linestyle="--", linewidth=1, label=f"{rule}, by chance", **style)
    axes[0].set_ylabel("share of strength that generalizes")
    for ax, title in zip(axes, ("H", "H above chance")):
        ax.set(title=title, xlabel="baselines K", xticks=table.K.unique(), ylim=(min(0, *table.excess_low), 1))
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def judges(table: pd.DataFrame) -> Figure:
    """H of one target by who judges it, with intervals and chance levels.

    table: judges, samples (all, training, testing), H, low, high, chance; a group of marks for each family of judges.
    """
    names, samples = list(table.judges.unique()), table.samples.unique()
    figure, ax = plt.subplots(figsize=(1.3 * len(names) + 1.8, 3))
    colours = ("black", COLOURS["train"], COLOURS["test"])
    for shift, of, marker, colour in zip((-0.25, 0, 0.25), samples, "os^", colours):
        shown = table[table.samples == of]
        x = np.array([names.index(name) for name in shown.judges]) + shift
        ax.vlines(x, shown.low, shown.high, color=colour)
        ax.plot(x, shown.H, marker, color=colour, markersize=5, label=f"{of} samples")
        by_chance = ax.hlines(shown.chance, x - 0.1, x + 0.1, color=COLOURS["chance"])
    by_chance.set_label("by chance")
    ax.set(xticks=range(len(names)), xticklabels=names, xlabel="judged by", ylabel="H", ylim=(0, 1))
    ax.grid(axis="x", visible=False)
    figure.legend(loc="outside right center")
    return figure


def sensitivity(table: pd.DataFrame) -> Figure:
    """What each setting changes: H and N at the start, at the turn and at the end, and the phases found, a row a variant.

    table: variant, H_first, H_best, H_last, chance_first, .., N_first, N_least, N_last, n_phases; the first row, on which
    the lines stand, is the study as it is.
    """
    figure, axes = plt.subplots(1, 2, figsize=(8.4, 0.24 * len(table) + 1.5), sharey=True, width_ratios=[3, 2])
    rows = np.arange(len(table))
    for ax, quantity, turn in zip(axes, "HN", ("best", "least")):
        for where, marker, colour in zip(("first", turn, "last"), "oD^", ("white", COLOURS["target"], COLOURS["test"])):
            values = table[f"{quantity}_{where}"]
            ax.scatter(values, rows, s=26, marker=marker, color=colour, edgecolor="black", linewidth=0.6, zorder=3)
            ax.axvline(values.iloc[0], color=COLOURS["chance"], linewidth=0.7, linestyle=":")
            if quantity == "H":
                ax.scatter(table[f"chance_{where}"], rows, s=14, marker=marker, color=COLOURS["chance"], alpha=0.6)
    left, right = axes
    left.set(yticks=rows, yticklabels=table.variant, ylim=(len(table) - 0.5, -0.5), xlabel="H", xlim=(0, 1))
    right.set(xlabel="N", xlim=(0, None))
    for row, text in [(-1, "phases"), *zip(rows, table.n_phases)]:
        right.annotate(f"{text}", (1.07, row), xycoords=("axes fraction", "data"), ha="center", va="center", fontsize=8)
    labels = ["untrained", "H at its peak, N at its least", "end", "H by chance, same shapes"]
    left.set_title("dotted: the study as it is", loc="left")
    figure.legend([*right.collections, left.collections[1]], labels, loc="outside lower center", ncols=4)
    return figure


def removal(table: pd.DataFrame) -> Figure:
    """Loss without some of the interactions, and the effect of what is removed (Fig. 4), a column a network.

    table: role, of, what, loss, low, high, effect, effect_low, effect_high at one checkpoint. The bar between a training
    and a testing loss is the gap; a placebo beside each shows what removing as much at random does. Nothing is removed
    "before", and so only the loss has it.
    """
    roles = table.role.unique()
    figure, axes = plt.subplots(2, len(roles), figsize=(2.6 * len(roles) + 0.6, 5), sharey="row", squeeze=False)
    for column, role in zip(axes.T, roles):
        shown = table[table.role == role]
        _points_by_what(column[0], shown, ["loss", "low", "high"])
        _points_by_what(column[1], shown[shown.what != "before"], ["effect", "effect_low", "effect_high"])
        column[0].set_title(role)
        column[1].set_xlabel("removed")
        column[1].axhline(0, color="black", linewidth=0.8)
    axes[0, 0].set_ylabel("loss (nats)")
    axes[1, 0].set_ylabel("mean effect of what is removed\n(log-odds of the label)")
    gap = Rectangle((0, 0), 1, 1, color=COLOURS["chance"], alpha=0.4)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend([*handles, gap], [*labels, "from training to testing: the gap"], loc="outside lower center", ncols=3)
    return figure


def removal_dynamics(table: pd.DataFrame) -> Figure:
    """The loss gap, testing - training, before and after removal, over training, a panel a network.

    table: role, epoch, of, what, loss. The gap after the placebo is what removing as much at random leaves of it.
    """
    roles = table.role.unique()
    figure, axes = plt.subplots(1, len(roles), figsize=(2.6 * len(roles) + 0.6, 3.2), sharey=True, squeeze=False)
    lines = {
        "before": ("whole", "black", "-"),
        "placebo": ("without as much at random (placebo)", COLOURS["chance"], "--"),
        "removed": ("without what does not generalize", COLOURS["non-generalizable"], "-"),
    }
    losses = table.pivot(index=["role", "what", "epoch"], columns="of", values="loss")
    gaps = losses.testing - losses.training
    for ax, role in zip(axes[0], roles):
        for what, (label, colour, style) in lines.items():
            gap = gaps[role, what]
            ax.plot(gap.index, gap, style, color=colour, marker="o", markersize=3, label=label)
        ax.axhline(0, color="black", linewidth=0.8)
        ax.set_title(role)
        epoch_axis(ax, gap.index)
    axes[0, 0].set_ylabel("loss gap, testing - training (nats)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(lines))
    return figure


def arms(table: pd.DataFrame, gains: dict[tuple[str, str], float] | None = None) -> Figure:
    """What ways to train change against plain training: a row a way, a panel a quantity, with 95 % intervals.

    table: setting, arm, quantity, value, low, high; a mark a setting. gains: (setting, quantity) -> what the paper reports
    of the penalty, a grey mark in its row.
    """
    quantities, names, setting_names = (table[column].unique() for column in ("quantity", "arm", "setting"))
    figure, axes = plt.subplots(
        1, len(quantities), figsize=(2.1 * len(quantities) + 0.8, 0.4 * len(names) + 1.6), sharey=True, squeeze=False
    )
    shifts = (-0.15, 0.15) if len(setting_names) > 1 else (0,)
    places = dict(zip(names, range(len(names))))
    for ax, quantity in zip(axes[0], quantities):
        for setting, shift, marker, colour in zip(setting_names, shifts, "os", (COLOURS["any"], COLOURS["majority"])):
            shown = table[(table.setting == setting) & (table.quantity == quantity)]
            rows = shown.arm.map(places) + shift
            ax.hlines(rows, shown.low, shown.high, color=colour)
            ax.plot(shown.value, rows, marker, color=colour, markersize=4, label=setting)
            if (gain := (gains or {}).get((setting, quantity))) is not None:
                ax.plot(gain, places["penalty"] + shift, "|", color=COLOURS["chance"], markersize=11, markeredgewidth=3)
        ax.axvline(0, color="black", linewidth=0.8)
        better = "← better" if quantity.startswith("loss") else "better →"
        title = quantity.replace(", ", ",\n").replace(" at ", "\nat ").replace(" by ", "\nby ")
        ax.set(title=title, xlabel=f"{_unit(quantity)}\n{better}")
        ax.grid(axis="y", visible=False)
    labels = [f"{name} − plain" for name in names]
    axes[0, 0].set(yticks=range(len(names)), yticklabels=labels, ylim=(len(names) - 0.5, -0.5))
    handles = dict(zip(*axes[0, 0].get_legend_handles_labels()[::-1]))
    if gains:
        handles["the paper's gain by the penalty"] = Line2D([], [], color=COLOURS["chance"], marker="|", linestyle="",
                                                            markersize=11, markeredgewidth=3)  # fmt: skip
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles))
    return figure


def penalty_curve(table: pd.DataFrame) -> Figure:
    """What the weight of the penalty does, a panel a quantity, with intervals. table: weight, quantity, value, low, high."""
    quantities, weights = table.quantity.unique(), table.weight.unique()
    figure, axes = plt.subplots(1, len(quantities), figsize=(2.1 * len(quantities) + 0.6, 2.5), squeeze=False)
    places = np.arange(len(weights))
    for ax, quantity in zip(axes[0], quantities):
        shown = table[table.quantity == quantity]
        ax.plot(places, shown.value, "o-", markersize=4, color=COLOURS["target"])
        ax.fill_between(places, shown.low, shown.high, color=COLOURS["target"], alpha=0.15, linewidth=0)
        ax.set(title=quantity, xlabel="weight of the penalty", ylabel=_unit(quantity))
        ax.set_xticks(places, [f"{weight:.2g}" for weight in weights])
    return figure


def claims(table: pd.DataFrame) -> Figure:
    """The claims at a glance: a row a claim, a column a study, coloured by the verdicts. table: as `claims.readable`.

    The left half of a cell is the verdict as the paper measures it, the right half that beyond the control.
    """
    studies, names = list(table.study.unique()), list(table.id.unique())
    figure, ax = plt.subplots(figsize=(3.6 + 1.5 * len(studies), 0.36 * len(names) + 0.9), dpi=72)  # dpi: in a notebook
    for row in table.itertuples():
        x, y = studies.index(row.study), names.index(row.id)
        for left, verdict in ((0.0, row.verdict), (0.5, row.beyond)):
            if verdict != "–":
                ax.add_patch(Rectangle((x + left + 0.015, y + 0.06), 0.47, 0.88, color=VERDICTS[verdict]))
            ax.text(x + left + 0.25, y + 0.5, verdict.replace(" ", "\n"), ha="center", va="center", fontsize=7)
    claim_of = table.drop_duplicates("id").set_index("id").claim
    labels = [textwrap.fill(f"{name}  {claim_of[name]}", 58) for name in names]
    ax.set(xlim=(0, len(studies)), ylim=(len(names), 0))
    ax.set_yticks(np.arange(len(names)) + 0.5, labels, fontsize=7.5)
    ax.set_xticks(np.arange(len(studies)) + 0.5, [name.replace("-", "-\n") for name in studies], fontsize=7.5)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    return figure


# pieces of figures
def _unit(quantity):
    """Unit of a quantity of an arm: "H by others" is one of H."""
    return {"accuracy": "share of items", "loss": "nats", "H": "share of strength"}[re.match(r"\w+", quantity)[0]]


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
