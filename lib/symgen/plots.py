"""Every figure: one function of one tidy table (and, where pictures are shown, of the pictures)."""

import re
import textwrap
from itertools import pairwise, product
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from symgen.store import atomically
from symgen.variables import cell_box, cell_map, places_of

# one colour a role; dark against light, so that they differ in grey as well
COLOURS = {
    "generalizable": "#1b6b3a",
    "non-generalizable": "#efb261",
    "and": "#2b5c8a",
    "or": "#d98c5f",
    "target": "#2b5c8a",
    "baseline": "#a8a8a8",
    "train": "#2b5c8a",
    "validation": "#8a8a8a",
    "test": "#c2473a",
    "chance": "#8a8a8a",
    "any": "#17324f",
    "majority": "#3f7cb0",
    "all": "#9cbfdd",
}
OF_SAMPLES = {"training": COLOURS["train"], "testing": COLOURS["test"]}
VERDICTS = {"reproduced": "#9fd0af", "inconclusive": "#e3e3e3", "not reproduced": "#efb261"}
PHASES = ("#e4f0e8", "#fbf3e2", "#f7e3e0")
PAGE, LETTER = 8.6, 8.2  # width of a prompt's picture (inches), size of a typewriter's letters (points), 0.6 as wide
LETTERS = 118  # in a line


def use_style() -> None:
    """The project's figure style, for every figure made from now on."""
    plt.style.use(Path(__file__).with_name("figures.mplstyle"))


def save(figure: Figure, table: pd.DataFrame, folder: Path, name: str) -> None:
    """Write `<name>.png` and, beside it, the table it shows as `<name>.csv`; the same table gives the same bytes."""
    atomically(folder / f"{name}.png", lambda path: figure.savefig(path, metadata={"Software": None}))
    save_table(table, folder, name)


def save_table(table: pd.DataFrame, folder: Path, name: str) -> None:
    """Write `<name>.csv`, six digits a number."""
    atomically(folder / f"{name}.csv", lambda path: table.to_csv(path, index=False, float_format="%.6g"))


def explanation(table: pd.DataFrame, picture: np.ndarray, cells, grid: int, title: str) -> Figure:
    """One prediction (Fig. 1, left): the picture with its numbered variables, and its strongest interactions.

    table: variables (names such as "3 7"), kind, effect, strongest first. picture: (height, width) or (h, w, 3).
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.6), width_ratios=[1, 1.5])
    _picture_with_cells(left, picture, cells, grid, numbered=True)
    left.set_title(title)
    _strongest_bars(right, table)
    return figure


def text_explanation(table: pd.DataFrame, words: list[str], variables, title: str) -> Figure:
    """One prediction on a text: the text with its variables marked, and its strongest interactions, as `explanation`."""
    width = 118
    lines = len(_lines_of(words, width))
    figure = plt.figure(figsize=(8, 3.6 + 0.18 * lines))
    above, below = figure.subfigures(2, 1, height_ratios=[0.4 + 0.18 * lines, 3.2])  # the text has all of the width
    _text_with_words(ax := above.subplots(), words, variables, width)
    ax.set_title(title)
    _strongest_bars(below.subplots(), table)
    return figure


def logical_model(table: pd.DataFrame, outputs: pd.DataFrame, prompt: str, variables, next_word: str) -> Figure:
    """What a language model makes of a prompt (Fig. 7): its variables, its strongest interactions, and its outputs.

    table: interaction, kind, effect (log-odds), strongest first. outputs: rank, v, model, k, as in `matching`.
    """
    labels = [_wrapped(own, variables, 42) for own in table.interaction]
    lines = _wrapped(f"{prompt} → {next_word}", [*variables, f"→ {next_word}"], LETTERS)
    sizes = [0.12 + 0.22 * len(lines), 1.2 + 0.155 * sum(len(label) + 0.5 for label in labels)]
    figure = plt.figure(figsize=(PAGE, sum(sizes)))
    above, below = figure.subfigures(2, 1, height_ratios=sizes)
    _text_with_phrases(above.add_axes((0, 0, 1, 1)), lines, variables, next_word)
    left, right = below.subplots(1, 2, width_ratios=[1, 1.1])
    _signed_bars(left, table, labels)
    _outputs(right, outputs)
    right.set(title=f"all {outputs['rank'].nunique():,} masked prompts", ylabel=f"log-odds of “{next_word}”")
    handles, names = right.get_legend_handles_labels()
    boxes = [Rectangle((0, 0), 1, 1, color=COLOURS[kind]) for kind in ("and", "or")]
    named = ["∧ if all are there", "∨ if any is there", *names]
    below.legend([*boxes, *handles], named, loc="outside lower center", ncols=len(named), markerscale=4)
    return figure


def shared_by_order(orders: pd.DataFrame, shares: pd.DataFrame) -> Figure:
    """What two networks share, by order (Fig. 11): strength of the target's interactions, and the share that generalizes.

    orders: order, sign, total, generalizable. shares: order, share, low, high, chance.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 3))
    _order_bars(left, orders, "generalizable")
    left.set(xlabel="order", ylabel="strength per prompt\n(log-odds)", title="strength")
    right.errorbar(
        shares.order, shares.share, (shares.share - shares.low, shares.high - shares.share), fmt="o", markersize=4,
        color=COLOURS["generalizable"],
    )  # fmt: skip
    (by_chance,) = right.plot(shares.order, shares.chance, "--", color=COLOURS["chance"])
    for ax in (left, right):
        ax.set_xticks(shares.order)
        ax.grid(axis="x", visible=False)
    right.set(xlabel="order", ylabel="share of the strength", ylim=(-0.02, 1.02), title="share that generalizes")
    _order_legend(figure, {"by chance": by_chance})
    return figure


def matching(table: pd.DataFrame) -> Figure:
    """All 2^n outputs, sorted, against the logical model with its k strongest interactions (Fig. 7).

    table: panel, rank (of a subset by its output), v, and model and k, one row a subset and k.
    """
    panels = table.panel.unique()
    figure, axes = plt.subplots(1, len(panels), figsize=(3.6 * len(panels) + 0.4, 3.2), squeeze=False)
    for ax, panel in zip(axes[0], panels):
        _outputs(ax, table[table.panel == panel])
        ax.set_title(panel)
    axes[0, 0].set_ylabel("log-odds of the label")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), markerscale=4)
    return figure


def input_variables(table: pd.DataFrame, pictures: np.ndarray, grid: int) -> Figure:
    """Samples with their input variables outlined (Fig. 8). table: sample, of, label, variables; pictures in its order."""
    columns = min(8, len(table))
    rows = -(-len(table) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(1.25 * columns, 1.45 * rows), squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for ax, picture, row in zip(axes.flat, pictures, table.itertuples()):
        _picture_with_cells(ax, picture, [int(c) for c in row.variables.split()], grid)
        ax.set_title(f"{row.label}\n{row.of}", fontsize=7, fontweight="normal")
    return figure


def chosen_words(table: pd.DataFrame, texts: list[list[str]]) -> Figure:
    """Texts with their input variables marked (Fig. 9). table: sample, of, label, variables; texts: words, in its order."""
    width = 118
    lines = [len(_lines_of(words, width)) for words in texts]
    size = (8, 0.18 * sum(lines) + 0.3 * len(lines))
    figure, axes = plt.subplots(len(lines), 1, figsize=size, height_ratios=lines, squeeze=False)
    for ax, words, row in zip(axes[:, 0], texts, table.itertuples()):
        _text_with_words(ax, words, [int(number) for number in row.variables.split()], width)
        ax.set_title(f"{row.label}, {row.of}", fontsize=7, fontweight="normal", loc="left", pad=3)
    return figure


def losses(table: pd.DataFrame) -> Figure:
    """Training and testing loss over training, a panel a network (Fig. 6). table: role, epoch, set, loss."""
    roles = table.role.unique()
    figure, axes = plt.subplots(1, len(roles), figsize=(2.3 * len(roles) + 0.6, 2.8), sharey=True, squeeze=False)
    for ax, role in zip(axes[0], roles):
        own = table[table.role == role]
        for name in own["set"].unique():
            part = own[own["set"] == name]
            ax.plot(part.epoch, part.loss, color=COLOURS[name], label=name)
        if "best" in own and own.best.notna().any():
            ax.axvline(own.best.iloc[0], color=COLOURS["validation"], linestyle=":", label="lowest validation loss")
        ax.set(title=role)
        _epoch_axis(ax, own.epoch.unique())
    axes[0, 0].set_ylabel("cross-entropy (nats)")
    handles = {label: handle for ax in axes[0] for handle, label in zip(*ax.get_legend_handles_labels())}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles))
    return figure


def order_strength(table: pd.DataFrame, column: str = "panel", parts: tuple[str, ...] = ("generalizable",)) -> Figure:
    """Strength by order, positive up and negative down: all of it, and what of it generalizes (Fig. 2, 10).

    table: <column>, order, sign, total, and one column for each of `parts`; a panel for each value of <column> and part.
    """
    panels = [(name, part) for name in table[column].unique() for part in parts]
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(2.6 * columns + 0.6, 2.3 * rows + 0.4), sharex=True, sharey="row", squeeze=False
    )
    for ax in axes.flat[len(panels) :]:
        ax.axis("off")
    for ax, (name, part) in zip(axes.flat, panels):
        _order_bars(ax, table[table[column] == name], part)
        ax.set_title(f"{name}" if len(parts) == 1 else f"{name}: {part}")
    for ax in axes[-1]:
        ax.set_xlabel("order")
    for ax in axes[:, 0]:
        ax.set_ylabel("strength per sample")
    _order_legend(figure)
    return figure


def dynamics(orders: pd.DataFrame, curves: pd.DataFrame, boundaries: pd.DataFrame, first: str = "untrained") -> Figure:
    """The dynamics of generalization power (Fig. 3).

    orders: epoch, order, sign, total, generalizable of one target; a panel an epoch, each on its own scale. curves:
    role, epoch, H, H_low95, H_high95, H_chance, N, N_low95, N_high95, loss_gap. boundaries:
    role, t1, t2 and their intervals, of the first role. first: what the network is at epoch 0.
    """
    epochs = orders.epoch.unique()
    figure = plt.figure(figsize=(max(10.2, 1.7 * len(epochs)), 5.4))
    grid = figure.add_gridspec(2, 1)
    top = grid[0].subgridspec(1, len(epochs)).subplots(squeeze=False)[0]
    for ax, epoch in zip(top, epochs):
        _order_bars(ax, orders[orders.epoch == epoch], "generalizable")
        ax.set(title=first if epoch == 0 else f"epoch {epoch:g}", xlabel="order")
    top[0].set_ylabel("strength per sample\n(log-odds)")
    bottom = grid[1].subgridspec(1, 3).subplots()
    quantities = [
        ("H", "H: share of strength\nthat generalizes"),
        ("N", "N: interactions that hold\n80 % of the strength"),
    ]
    quantities += [("loss_gap", "testing loss - training loss\n(nats)")]
    for ax, (name, label) in zip(bottom, quantities):
        _curves(ax, curves, name)
        _phase_spans(ax, boundaries.iloc[0], curves.epoch.max())
        ax.set_ylabel(label)
    bottom[0].set_ylim(0, 1)
    bottom[0].legend(loc="upper left", fontsize=7)
    _order_legend(figure)
    return figure


def phases(table: pd.DataFrame, boundaries: pd.Series, title: str) -> Figure:
    """The phases at a glance (Fig. 1, right): the share of strength that generalizes over training, under the phases.

    table: epoch, H, H_chance. boundaries: t1, t2, n_phases; only as many phases are named as were found with certainty.
    """
    figure, ax = plt.subplots(figsize=(5.2, 3.2))
    ax.fill_between(table.epoch, 0, table.H, color=COLOURS["generalizable"], label="generalizable")
    ax.fill_between(table.epoch, table.H, 1, color=COLOURS["non-generalizable"], label="non-generalizable")
    ax.plot(table.epoch, table.H_chance, color="white", linestyle="--", linewidth=1.2, label="generalizable by chance")
    ax.grid(visible=False)
    ax.set(
        ylabel="share of the strength of salient interactions", ylim=(0, 1.12), yticks=np.linspace(0, 1, 6), title=title
    )
    _epoch_axis(ax, table.epoch)
    spans = phase_spans(boundaries, table.epoch.max())
    for number, (name, start, stop) in enumerate(spans):
        ax.axvspan(start, stop, 1 / 1.12, color=PHASES[number])
        ax.axvline(stop, color="black", linewidth=0.8)
        left, right = (ax.get_xaxis_transform().transform((edge, 0))[0] for edge in (start, stop))
        middle = ax.transData.inverted().transform(((left + right) / 2, 0))[0]
        ax.text(middle, 1.06, name, ha="center", va="center", fontsize=8)
    legend = figure.legend(loc="outside lower center", ncols=3)
    legend.legend_handles[-1].set_color(COLOURS["chance"])
    return figure


def phase_spans(boundaries: pd.Series, last: float) -> list[tuple[str, float, float]]:
    """Name, start and stop of each phase that was found with certainty; what cannot be told apart is one span."""
    if boundaries.n_phases == 3:
        return [("phase 1", 0, boundaries.t1), ("2", boundaries.t1, boundaries.t2), ("phase 3", boundaries.t2, last)]
    if boundaries.n_phases == 2:
        return [("phase 1", 0, boundaries.t1), ("phases 2, 3", boundaries.t1, last)]
    return [("phase 1", 0, last)] if boundaries.n_phases == 1 else [("no phases", 0, last)]


def sparsity(table: pd.DataFrame, tau_ratio: float) -> Figure:
    """Strengths of interactions, sorted, relative to the strongest. table: epoch, rank, median, low, high over samples."""
    figure, ax = plt.subplots(figsize=(4.6, 3))
    epochs = table.epoch.unique()
    for epoch, shade in zip(epochs, sns.color_palette("viridis", len(epochs))):
        own = table[table.epoch == epoch]
        ax.plot(own["rank"], own["median"], color=shade, label="untrained" if epoch == 0 else f"epoch {epoch:g}")
        ax.fill_between(own["rank"], own.low, own.high, color=shade, alpha=0.15, linewidth=0)
    ax.axhline(tau_ratio, color="black", linestyle=":", linewidth=1)
    ax.annotate("salient above", (ax.get_xlim()[1], 1.04 * tau_ratio), ha="right", va="bottom", fontsize=7)
    ax.set(
        xscale="log", yscale="log", ylim=(1e-3, 1.2), xlabel="interaction, by strength", ylabel="strength / strongest"
    )
    ax.legend()
    return figure


def conditions(table: pd.DataFrame) -> Figure:
    """The three conditions for sparsity (Appendix B): strength by order, mean output by number of variables shown.

    table: epoch, m, strength_share (of order m), output (mean v - v(0) with m variables, over |v(N) - v(0)|), low, high.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 2.9))
    epochs = table.epoch.unique()
    for epoch, shade in zip(epochs, sns.color_palette("viridis", len(epochs))):
        own = table[table.epoch == epoch]
        label = "untrained" if epoch == 0 else f"epoch {epoch:g}"
        left.plot(own.m[1:], own.strength_share[1:], "o-", markersize=3, color=shade, label=label)
        right.plot(own.m, own.output, "o-", markersize=3, color=shade, label=label)
        right.fill_between(own.m, own.low, own.high, color=shade, alpha=0.12, linewidth=0)
    left.set(xlabel="order", ylabel="share of all strength", title="condition 1: strength by order")
    right.set(xlabel="variables not masked", ylabel="mean output, relative", title="conditions 2 and 3: u(m)")
    left.legend()
    return figure


def order_shares(table: pd.DataFrame) -> Figure:
    """How strength is spread over orders, positive up and negative down. table: panel, order, sign, share."""
    panels = table.panel.unique()
    figure, axes = plt.subplots(1, len(panels), figsize=(2.6 * len(panels) + 0.6, 2.7), sharey=True, squeeze=False)
    for ax, panel in zip(axes[0], panels):
        own = table[table.panel == panel]
        ax.bar(own.order, own.share, color=COLOURS["target"], width=0.8)
        ax.axhline(0, color="black", linewidth=0.8)
        ax.set(title=panel, xlabel="order", xticks=sorted(own.order.unique())[::3])
        ax.grid(axis="x", visible=False)
    axes[0, 0].set_ylabel("share of all strength,\nnegative below 0")
    return figure


def baselines(table: pd.DataFrame) -> Figure:
    """H, and H above chance, by the number of baselines and the rule by which they count (Fig. 5).

    table: K, rule, H, low, high, chance, excess, excess_low, excess_high.
    """
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 3), sharey=True)
    for rule, marker in zip(table.rule.unique(), "os^"):
        own, style = table[table.rule == rule], {"color": COLOURS[rule], "marker": marker, "markersize": 4}
        for ax, name, low, high in zip(axes, ("H", "excess"), ("low", "excess_low"), ("high", "excess_high")):
            ax.plot(own.K, own[name], label=rule, **style)
            ax.fill_between(own.K, own[low], own[high], color=COLOURS[rule], alpha=0.2, linewidth=0)
        axes[0].plot(own.K, own.chance, linestyle="--", linewidth=1, label=f"{rule}, by chance", **style)
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
        own = table[table.samples == of]
        x = np.array([names.index(name) for name in own.judges]) + shift
        ax.vlines(x, own.low, own.high, color=colour)
        ax.plot(x, own.H, marker, color=colour, markersize=5, label=f"{of} samples")
        by_chance = ax.hlines(own.chance, x - 0.1, x + 0.1, color=COLOURS["chance"])
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
    figure.legend([*right.collections, left.collections[1]], labels, loc="outside lower center", ncols=4)
    return figure


def removal(table: pd.DataFrame) -> Figure:
    """Loss without some of the interactions, and the effect of what is removed (Fig. 4), a column a network.

    table: role, of, what, loss, low, high, effect, effect_low, effect_high at one checkpoint. The bar between a training
    and a testing loss is the gap; a placebo beside each shows what removing as much at random does.
    """
    roles = table.role.unique()
    figure, axes = plt.subplots(
        2, len(roles), figsize=(2.6 * len(roles) + 0.6, 5), sharex=True, sharey="row", squeeze=False
    )
    for column, role in zip(axes.T, roles):
        own = table[table.role == role]
        _points_by_what(column[0], own, ["loss", "low", "high"])
        _points_by_what(column[1], own, ["effect", "effect_low", "effect_high"])
        column[0].set_title(role)
        column[1].axhline(0, color="black", linewidth=0.8)
    axes[0, 0].set_ylabel("loss (nats)")
    axes[1, 0].set_ylabel("mean effect of what is removed\n(log-odds of the label)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def removal_dynamics(table: pd.DataFrame) -> Figure:
    """Training and testing loss before and after removal, over training, a panel a network. table: as `removal`, epoch."""
    roles = table.role.unique()
    figure, axes = plt.subplots(1, len(roles), figsize=(2.6 * len(roles) + 0.6, 3.2), sharey=True, squeeze=False)
    styles = {"before": "-", "removed": "--", "placebo": ":"}
    for ax, role in zip(axes[0], roles):
        for (of, colour), (what, style) in product(OF_SAMPLES.items(), styles.items()):
            own = table[(table.role == role) & (table.of == of) & (table.what == what)]
            ax.plot(own.epoch, own.loss, style, color=colour, label=f"{of}, {what}")
            if what != "placebo":
                ax.fill_between(own.epoch, own.low, own.high, color=colour, alpha=0.1, linewidth=0)
        ax.set_title(role)
        _epoch_axis(ax, own.epoch)
    axes[0, 0].set_ylabel("loss (nats)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def claims(table: pd.DataFrame) -> Figure:
    """The claims at a glance: a row a claim, a column a study, coloured by the verdict. table: as `claims.readable`."""
    studies, names = list(table.study.unique()), list(table.id.unique())
    figure, ax = plt.subplots(figsize=(4.6 + 1.5 * len(studies), 0.34 * len(names) + 1.1))
    for row in table.itertuples():
        x, y = studies.index(row.study), names.index(row.id)
        ax.add_patch(Rectangle((x + 0.03, y + 0.06), 0.94, 0.88, color=VERDICTS[row.verdict]))
        ax.text(x + 0.5, y + 0.5, row.verdict, ha="center", va="center", fontsize=7.5)
    said = table.drop_duplicates("id").set_index("id").claim
    labels = [textwrap.shorten(f"{name}  {said[name]}", 72, placeholder=" …") for name in names]
    ax.set(xlim=(0, len(studies)), ylim=(len(names), 0), yticks=np.arange(len(names)) + 0.5, yticklabels=labels)
    ax.set_xticks(np.arange(len(studies)) + 0.5, studies, fontsize=8)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    return figure


def arms(table: pd.DataFrame) -> Figure:
    """Ways to train, compared: a row a way, a panel a quantity, with intervals; dotted is what plain training reaches.

    table: setting, arm, quantity, value, low, high; the first arm is the plain one. A mark a setting.
    """
    quantities, names = table.quantity.unique(), list(table.arm.unique())
    figure, axes = plt.subplots(
        1, len(quantities), figsize=(2.1 * len(quantities) + 0.8, 0.36 * len(names) + 1.3), sharey=True, squeeze=False
    )
    settings = list(zip(table.setting.unique(), (-0.13, 0.13), "os", (COLOURS["target"], COLOURS["test"])))
    for ax, quantity in zip(axes[0], quantities):
        for setting, shift, marker, colour in settings:
            own = table[(table.setting == setting) & (table.quantity == quantity)]
            rows = np.array([names.index(name) for name in own.arm]) + shift
            ax.hlines(rows, own.low, own.high, color=colour)
            ax.plot(own.value, rows, marker, color=colour, markersize=4, label=setting)
            ax.axvline(own.value.iloc[0], color=colour, linestyle=":", linewidth=0.8)
        ax.set(title=quantity.replace(", ", ",\n").replace(" at ", "\nat "), xlabel=_unit(quantity))
        ax.grid(axis="y", visible=False)
    axes[0, 0].set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(settings))
    return figure


def penalty_curve(table: pd.DataFrame) -> Figure:
    """What the weight of the penalty does, a panel a quantity, with intervals. table: weight, quantity, value, low, high."""
    quantities, weights = table.quantity.unique(), table.weight.unique()
    figure, axes = plt.subplots(1, len(quantities), figsize=(2.1 * len(quantities) + 0.6, 2.5), squeeze=False)
    places = np.arange(len(weights))
    for ax, quantity in zip(axes[0], quantities):
        own = table[table.quantity == quantity]
        ax.plot(places, own.value, "o-", markersize=4, color=COLOURS["target"])
        ax.fill_between(places, own.low, own.high, color=COLOURS["target"], alpha=0.15, linewidth=0)
        ax.set(title=quantity, xlabel="weight of the penalty", ylabel=_unit(quantity))
        ax.set_xticks(places, [f"{weight:.2g}" for weight in weights])
    return figure


# pieces of figures
def _outputs(ax, table):
    """Outputs of the network on all masked inputs, sorted, and of the model with its k strongest interactions."""
    ks = sorted(table.k.unique())
    for k, shade in zip(ks, sns.color_palette("flare", len(ks))):
        part = table[table.k == k]
        ax.plot(
            part["rank"], part.model, ".", markersize=2, color=shade, label=f"model, {k} strongest", rasterized=True
        )
    ax.plot(part["rank"], part.v, color="black", linewidth=1.2, label="network")
    ax.set_xlabel("masked input, by the network's output")


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
    ax.set_xticks(places, table.what.unique())
    ax.grid(axis="x", visible=False)


def _picture_with_cells(ax, picture, cells, grid, numbered=False):
    height, width = picture.shape[:2]
    ax.imshow(picture, cmap=None if picture.ndim == 3 else "gray", interpolation="nearest")
    position = cell_map(height, width, grid)
    for number, cell in enumerate(cells):
        rows, columns = cell_box(position, cell)
        corner, size = (columns.start - 0.5, rows.start - 0.5), (columns.stop - columns.start, rows.stop - rows.start)
        ax.add_patch(Rectangle(corner, *size, fill=False, edgecolor="#35c46a", linewidth=1.2))
        if numbered:
            middle = (corner[0] + size[0] / 2, corner[1] + size[1] / 2)
            text = ax.annotate(number, middle, color="#7dffab", ha="center", va="center", fontsize=8, fontweight="bold")
            text.set_path_effects([withStroke(linewidth=2.5, foreground="black")])
    ax.axis("off")


def _text_with_words(ax, words, variables, width):
    """A text in lines of a typewriter's letters, the variables on green."""
    lines = _lines_of(words, width)
    for row, line in enumerate(lines):
        for column, number in line:
            chosen = {"backgroundcolor": "#bfe8cd", "fontweight": "bold"} if number in set(variables) else {}
            text = ax.text(column, -row, words[number], family="monospace", fontsize=7.8, va="center", **chosen)
            if chosen:
                text.get_bbox_patch().set_boxstyle("square", pad=0.15)
    ax.set(xlim=(0, width), ylim=(0.5 - len(lines), 0.5))
    ax.axis("off")


def _lines_of(words, width):
    """Lines of a text, each a list of (column, word number)."""
    lines, column = [[]], 0
    for number, word in enumerate(words):
        if column + len(word) > width and lines[-1]:
            lines.append([])
            column = 0
        lines[-1].append((column, number))
        column += len(word) + 1
    return lines


def _wrapped(text, phrases, width):
    """Lines of a text in which no phrase is broken."""
    for phrase in phrases:
        text = text.replace(phrase, phrase.replace(" ", "\u00a0"))
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return [line.replace("\u00a0", " ") for line in lines]


def _text_with_phrases(ax, lines, phrases, next_word):
    """Lines of a typewriter's letters, as many on the page as LETTERS, the phrases on green; the last word comes next."""
    for row, line in enumerate(lines):
        body = line.removesuffix(f"→ {next_word}") if row == len(lines) - 1 else line
        marked = sorted(place for phrase in phrases for place in places_of(phrase, body))
        plain = pairwise([0, *(edge for place in marked for edge in place), len(body)])
        words = [word for start, stop in [*plain][::2] for word in re.compile(r"\S+").finditer(body, start, stop)]
        pieces = {word.span(): {} for word in words}  # one by one: a screen's letters are whole dots wide
        pieces |= {place: {"backgroundcolor": "#bfe8cd", "fontweight": "bold"} for place in marked}
        pieces |= {(len(body), len(line)): {"color": COLOURS["target"], "fontweight": "bold"}} if body != line else {}
        for (first, last), style in pieces.items():
            text = ax.text(first + 1, -row, line[first:last], family="monospace", size=LETTER, va="center", **style)
            if box := text.get_bbox_patch():
                box.set_boxstyle("square", pad=0.12)
    ax.set(xlim=(0, PAGE * 72 / (0.602 * LETTER)), ylim=(0.6 - len(lines), 0.6))
    ax.axis("off")


def _signed_bars(ax, table, labels):
    """Effects of interactions as bars with their values, as high as the lines of their labels."""
    heights = np.array([len(label) + 0.5 for label in labels])
    places = heights.cumsum() - heights / 2
    ax.barh(places, table.effect, height=0.9, color=[COLOURS[kind] for kind in table.kind])
    for place, effect in zip(places, table.effect):
        side = {"ha": "left" if effect > 0 else "right", "va": "center", "fontsize": 7}
        told = f"{effect:+.2g}".replace("-", "−")
        ax.annotate(told, (effect, place), (3 * np.sign(effect), 0), textcoords="offset points", **side)
    ax.set_yticks(places, ["\n".join(label) for label in labels], fontsize=7.5)
    ax.set(ylim=(heights.sum(), 0), xlabel="effect (log-odds)", title="strongest interactions")
    ax.margins(x=0.22)
    ax.axvline(0, color="black", linewidth=0.8)
    ax.grid(axis="y", visible=False)


def _strongest_bars(ax, table):
    joined = [f" {kind.upper()} ".join(names.split()) for names, kind in zip(table.variables, table.kind)]
    place = np.arange(len(table))
    ax.barh(place, table.effect, color=[COLOURS[kind] for kind in table.kind])
    ax.set(
        yticks=place, yticklabels=joined, xlabel="effect on the log-odds of the label", title="strongest interactions"
    )
    ax.invert_yaxis()
    ax.axvline(0, color="black", linewidth=0.8)
    ax.grid(axis="y", visible=False)
    _legend_of(ax, ["and", "or"], [k.upper() for k in ("and", "or")], loc="best")


def _order_bars(ax, table, part):
    for sign in "+-":
        own = table[table.sign == sign]
        ax.bar(own.order, own.total, color=COLOURS["non-generalizable"], width=0.8)
        ax.bar(own.order, own[part], color=COLOURS["generalizable"], width=0.8)
    ax.axhline(0, color="black", linewidth=0.8)
    ax.set_xticks(sorted(own.order.unique())[::3])
    ax.grid(axis="x", visible=False)


def _order_legend(figure, further=None):
    """Names of the colours of bars below a figure, and of further lines by name."""
    names = ["generalizable", "non-generalizable"]
    handles = {name: Rectangle((0, 0), 1, 1, color=COLOURS[name]) for name in names} | (further or {})
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles))


def _legend_of(ax, roles, labels, **options):
    ax.legend([Rectangle((0, 0), 1, 1, color=COLOURS[role]) for role in roles], labels, **options)


def _curves(ax, curves, name):
    for role, style in zip(curves.role.unique(), ["-", "--", "-.", ":"] * len(curves)):
        own = curves[curves.role == role]
        ax.plot(own.epoch, own[name], color=COLOURS["target"], linestyle=style, label=role)
        if f"{name}_low95" in own:
            band = own[f"{name}_low95"], own[f"{name}_high95"]
            ax.fill_between(own.epoch, *band, color=COLOURS["target"], alpha=0.13, linewidth=0)
        if f"{name}_chance" in own:
            label = "by chance" if role == curves.role.iloc[0] else None
            ax.plot(
                own.epoch, own[f"{name}_chance"], color=COLOURS["chance"], linestyle=style, linewidth=1, label=label
            )
    _epoch_axis(ax, curves.epoch.unique())


def _phase_spans(ax, boundaries, last):
    """Dashed lines at the boundaries of the phases, their intervals shaded."""
    for name, colour in (("t1", COLOURS["generalizable"]), ("t2", COLOURS["test"])):
        if np.isfinite(boundaries[name]):
            ax.axvline(boundaries[name], color=colour, linestyle="--", linewidth=1)
            ax.annotate(name, (boundaries[name], 1), xycoords=("data", "axes fraction"), fontsize=7, color=colour)
        start, stop = boundaries[f"{name}_low"], min(boundaries[f"{name}_high"], last)
        if np.isfinite(start) and start < stop:
            ax.axvspan(start, stop, color=colour, alpha=0.08, linewidth=0)


def _epoch_axis(ax, epochs):
    """Epochs on a symmetric log scale: the untrained network at 0, fractions of an epoch spread out."""
    ax.set_xscale("symlog", linthresh=0.5, linscale=0.5)
    ax.set_xlim(0, max(epochs))
    ticks = [tick for tick in (0, 1, 4, 16, 64, 256) if tick <= max(epochs)]
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.minorticks_off()
    ax.set_xlabel("epoch")
