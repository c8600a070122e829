"""Pictures of strength by order, and of what changes while a network trains."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullFormatter

from symgen.games import LOG_ODDS
from symgen.plots.style import (
    BY_CHANCE,
    COLOURS,
    NUMBER_BOX,
    count_phrase,
    epoch_axis,
    legend_below,
    middle_of,
    note,
    orders_phrase,
    rows_of_panels,
)

# what is followed over training
QUANTITIES = {
    "H": "H: share of strength\nthat generalizes",
    "N": "N: interactions that hold\n80 % of the strength",
    "loss_gap": "testing loss − training loss\n(nats)",
}
SET_NAMES = {"train": "training", "test": "testing (held out)", "validation": "validation"}
LINES_OF = {"train": "-", "test": "-", "validation": "--"}  # testing and validation losses often lie on each other
SIGNS = {"+": "positive", "-": "negative"}
PHASES = ("#f0f0f0", "#dedede", "#cccccc")  # greys: what is green or orange is said of strength
CERTAIN = 0.95  # share of draws, as where the phases are found
LITTLE, NO_SHARE = 0.01, "–"  # of a panel's strength: of less than that no share is given, but this sign
THIN = {"generalizable": 0.4, "non-generalizable": 0.8}  # opacity of a network's line; orange is pale by itself
MEASURES = {"generalizable": "yes or no"}  # beside another measure
SPIKE = 20  # times the loss of the untrained network
SPANS = {  # of training, which the paper would call its phases
    "first phase": "phase 1:\nup to the peak of H",
    "second phase": "phase 2: after the peak,\nuntil phase 3",
    "last phase": "phase 3: most of what\nis new does not generalize",
}
MANY_LINES = 4  # more networks than these are thin lines, with their mean
APART = {"color": "black", "linestyle": "-.", "linewidth": 1, "alpha": 1}  # the line of one of them


def losses(table: pd.DataFrame) -> Figure:
    """Training and testing loss over training, a panel a network (Fig. 6). table: role, epoch, set, loss, best."""
    networks = table.role.nunique()
    figure, axes = rows_of_panels(networks, 3, (2.5, 2.1), (0.6, 0.7), sharey=True)
    for ax, (role, shown) in zip(axes.flat, table.groupby("role", sort=False)):
        for name, part in shown.groupby("set", sort=False):
            ax.plot(part.epoch, part.loss, LINES_OF[name], color=COLOURS[name], label=SET_NAMES[name])
        if shown.best.notna().any():
            ax.axvline(shown.best.iloc[0], color="black", linestyle=":", linewidth=1, label="lowest validation loss")
        ax.set(title=role)
        epoch_axis(ax, shown.epoch.unique())
    if table.loss.max() > SPIKE * table.loss.iloc[0]:  # a loss that jumped would flatten all others
        axes[0, 0].set_yscale("symlog", linthresh=2 * table.loss.iloc[0])
        axes[0, 0].set_ylim(bottom=0)
    for ax in axes[:, 0]:
        ax.set_ylabel("cross-entropy (nats)")
    legend_below(figure, *axes.flat)
    return note(figure, network=networks)


def order_strength(
    table: pd.DataFrame,
    column: str = "panel",
    parts: tuple[str, ...] = ("generalizable",),
    *,
    ranges: dict[str, range] | None = None,
    unit: str = LOG_ODDS,
    name: str = "H",
    judges: str | None = None,
    networks: int | None = None,
    samples: int | None = None,
) -> Figure:
    """Strength by order, positive up and negative down: all of it, and what of it generalizes (Fig. 2, 10).

    table: <column>, order, sign, total, and one column for each of `parts`; a panel for each value of <column> and part.
    In each stand all strength, H, the share of it that generalizes, and that of each of the `ranges` of orders. Panels of a
    row have one scale, unless one of them has more than ten times the strength of another. name: what H is called, judges:
    who says what generalizes, if not the study's baselines. networks, samples: of how many the strengths are the mean.
    """
    panels = [(name, part) for name in table[column].unique() for part in parts]
    strengths = table.total.abs().groupby(table[column], sort=False).sum().repeat(len(parts)).to_numpy()
    columns = min(3, len(panels))
    scales = "row" if _alike(strengths, columns) else False
    figure, axes = rows_of_panels(len(panels), columns, (2.6, 2.3), (0.6, 0.4), sharex=True, sharey=scales)
    for ax, (panel, part) in zip(axes.flat, panels):
        shown = table[table[column] == panel]
        _order_bars(ax, shown, part)
        shares = {name if part == "generalizable" else f"{part} share": None} | (ranges or {})
        numbers = [f"{of} = {share(shown, part, orders)}".replace("= <", "<") for of, orders in shares.items()]
        _in_corner(ax, "\n".join([f"strength {shown.total.abs().sum():.3g}", *numbers]))
        title = f"{panel}" if len(parts) == 1 else f"{panel}: {MEASURES.get(part, part)}"
        ax.set_title(title.replace(" (", "\n("))  # what is in brackets gets a line of its own
    for ax in axes.flat[len(panels) - columns : len(panels)]:  # the lowest of each column
        ax.set_xlabel("order")
        ax.tick_params(labelbottom=True)
    for ax in axes[:, 0]:
        ax.set_ylabel(f"strength per sample\n({unit})")
    _order_legend(figure)
    says = _orders_meant(ranges or {}, axes.flat) | {"below 0": "negative effects"}
    says |= {} if scales else {"scale": "each panel's"}
    says |= {"green": "what generalizes, by the measure in the title"} if len(parts) > 1 else {}
    note(figure, network=networks, sample=samples, judges=judges, **says)
    _keep_bars_below_corners(axes.flat[: len(panels)])  # when all has its place
    return figure


def share(table: pd.DataFrame, part: str = "generalizable", of_orders: range | None = None) -> str:
    """The share of strength that generalizes, of all orders or some, as text; `NO_SHARE` where these have hardly any."""
    chosen = table if of_orders is None else table[table.order.isin(of_orders)]
    strength = chosen[[part, "total"]].abs().sum()
    if strength.total <= (0 if of_orders is None else LITTLE * table.total.abs().sum()):
        return "none" if of_orders is None else NO_SHARE
    value = strength[part] / strength.total
    return "< 0.01" if 0 < value < 0.005 else f"{value:.2f}"


def newly_learned(table: pd.DataFrame, networks: int | None = None, samples: int | None = None) -> Figure:
    """What is newly learned in each phase, by order, as shares of the phase's strength: how simple, and what generalizes.

    table: panel (the phase), order, sign, total, generalizable (log-odds per sample). networks, samples: of how many it is
    the mean.
    """
    panels = table.panel.unique()
    figure, axes = plt.subplots(1, len(panels), figsize=(2.6 * len(panels) + 0.6, 2.9), sharey=True, squeeze=False)
    for ax, (panel, shown) in zip(axes[0], table.groupby("panel", sort=False)):
        strength = shown[["total", "generalizable"]].abs().groupby(shown.order).sum()
        whole = strength.total.sum() or np.nan  # nothing may be learned in a phase
        _stacked(ax, strength.index, strength.total / whole, strength.generalizable / whole)
        mean = (strength.index * strength.total).sum() / whole
        ax.axvline(mean, color="black", linestyle=":", linewidth=1.2)
        amount = f"newly learned: {whole:.3g}\n(log-odds per sample)"
        _in_corner(ax, f"{amount}\n{share(shown)} of it generalizes\nmean order {mean:.1f}")
        ax.set(title=SPANS.get(panel, panel), xlabel="order", xticks=strength.index[::3])
    axes[0, 0].set(ylabel="share of what is\nnewly learned")
    _order_legend(figure)
    by = "one half of its samples" if networks == 1 else "the mean curve of the other networks"
    says = {"panels": f"the paper's phases, placed by {by}, found with certainty or not"}
    says |= {} if "second phase" in panels else {"phase 2": "no checkpoint lies in it"}
    note(figure, network=networks, sample=samples, dotted="mean order, by strength", **says)
    _keep_bars_below_corners(axes[0])
    return figure


def order_shares(table: pd.DataFrame, samples: int | None = None) -> Figure:
    """How strength is spread over orders, positive up and negative down. table: panel, order, sign, share.

    samples: of how many the strengths are the mean.
    """
    panels = table.panel.nunique()
    figure, axes = plt.subplots(1, panels, figsize=(2.6 * panels + 0.6, 2.7), sharey=True, squeeze=False)
    for ax, (panel, shown) in zip(axes[0], table.groupby("panel", sort=False)):
        for sign, name in SIGNS.items():
            bars = shown[shown.sign == sign]
            ax.bar(bars.order, bars.share, color=COLOURS["target"], width=0.8, label=name)
        ax.axhline(0, color="black", linewidth=0.8)
        ax.set(title=panel, xlabel="order", xticks=sorted(shown.order.unique())[::3])
        ax.grid(axis="x", visible=False)
    axes[0, 0].set_ylabel("share of all strength,\nnegative below 0")
    return note(figure, network=1, sample=samples)


def shared_by_order(orders: pd.DataFrame, shares: pd.DataFrame, samples: int | None = None) -> Figure:
    """What two networks share, by order (Fig. 11): strength of the target's interactions, and the share that generalizes.

    orders: order, sign, total, generalizable. shares: order, share, low, high, chance. samples: of how many prompts.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 3))
    _order_bars(left, orders, "generalizable")
    left.set(xlabel="order", ylabel="strength per prompt\n(log-odds)", title="strength")
    right.errorbar(
        shares.order, shares.share, (shares.share - shares.low, shares.high - shares.share), fmt="o", markersize=4,
        color=COLOURS["generalizable"], label="share that generalizes",
    )  # fmt: skip
    (by_chance,) = right.plot(shares.order, shares.chance, label="by chance", **BY_CHANCE)
    for ax in (left, right):
        ax.set_xticks(shares.order)
        ax.grid(axis="x", visible=False)
    right.set(xlabel="order", ylabel="share of the strength", ylim=(-0.02, 1.02), title="share that generalizes")
    _order_legend(figure, {"by chance": by_chance})
    return note(figure, network=1, prompt=samples, bar="95 %, over prompts", **{"below 0": "negative effects"})


def dynamics(
    orders: pd.DataFrame,
    curves: pd.DataFrame,
    boundaries: pd.DataFrame,
    first: str = "untrained",
    samples: int | None = None,
) -> Figure:
    """The dynamics of generalization power (Fig. 3).

    orders: epoch, order, sign, total, generalizable of one target; a panel an epoch, each on its own scale. curves:
    role, epoch, H, H_low95, H_high95, H_chance, N, N_low95, N_high95, loss_gap. boundaries:
    role, t1, t2, n_phases, a row a network; of the first one t1 is drawn if H rises and falls with certainty, and t2 if all
    three phases are certain. first: what the network is at epoch 0. samples: how many of each network.
    """
    epochs = orders.epoch.nunique()
    figure = plt.figure(figsize=(max(10.2, 1.7 * epochs), 5.4))
    grid = figure.add_gridspec(2, 1)
    top = grid[0].subgridspec(1, epochs).subplots(squeeze=False)[0]
    for ax, (epoch, shown) in zip(top, orders.groupby("epoch", sort=False)):
        _order_bars(ax, shown, "generalizable")
        ax.set(title=first if epoch == 0 else f"epoch {epoch:g}", xlabel="order")
        ax.ticklabel_format(axis="y", style="plain", useOffset=False)
    top[0].set_ylabel(f"{boundaries.role.iloc[0]}:\nstrength per sample\n(log-odds)")
    bottom = grid[1].subgridspec(1, 3).subplots()
    for ax, (name, label) in zip(bottom, QUANTITIES.items()):
        _curves(ax, curves, name, boundaries.role.iloc[0])
        _phase_lines(ax, boundaries.iloc[0])
        ax.set_ylabel(label)
    bottom[0].set_ylim(0, 1)
    _order_legend(figure, bottom[0])
    says = {"above": "a scale each, negative effects below 0"}
    says |= {"band": "95 %, over samples"} if curves.role.nunique() <= MANY_LINES else {}
    says |= {"t1": f"H is highest, {boundaries.role.iloc[0]}"} if boundaries.n_phases.iloc[0] >= 2 else {}
    says |= {"t2": "most of what is newly learned does not generalize"} if boundaries.n_phases.iloc[0] == 3 else {}
    return note(figure, network=curves.role.nunique(), sample=samples, **says)


def side_by_side(table: pd.DataFrame) -> Figure:
    """The same of every study: H, N and the loss gap over training, a row a study (Fig. 3, its lower rows).

    table: study, and the columns of the curves of `dynamics`.
    """
    studies = table.study.nunique()
    figure, axes = plt.subplots(studies, len(QUANTITIES), figsize=(7, 1.25 * studies + 0.5), squeeze=False)
    for row, (name, shown) in zip(axes, table.groupby("study", sort=False)):
        for ax, quantity, label in zip(row, QUANTITIES, ("H", "N", "gap (nats)")):
            _curves(ax, shown, quantity)
            ax.set_ylabel(label)
        row[0].set_ylim(0, 1)
        row[0].set_title(f"{name}, {count_phrase(shown.role.nunique(), 'network')}", loc="left")
    for ax in axes[:-1].flat:
        ax.set_xlabel("")
    blue = {"color": COLOURS["target"]}
    lines = {"each network": blue | {"linewidth": 1}, f"mean of more than {MANY_LINES}": blue | {"linewidth": 2.2}}
    legend_below(figure, {name: Line2D([], [], **style) for name, style in (lines | {"by chance": BY_CHANCE}).items()})
    return note(figure, band=f"95 %, over samples, of each network, where these are {MANY_LINES} or fewer")


def by_judges(table: pd.DataFrame, networks: int | None = None, samples: int | None = None) -> Figure:
    """H over training as two groups of judges see it, the second as a control. table: as `tables.judges_over_training`."""
    figure, ax = plt.subplots(figsize=(5.2, 3.2))
    looks = (COLOURS["target"], "--"), ("white", ":")  # of a line's dots, and of its chance level
    for (judges, shown), (filled, dashes) in zip(table.groupby("judged by", sort=False), looks):
        ax.fill_between(shown.epoch, shown.low, shown.high, color=COLOURS["target"], alpha=0.15, linewidth=0)
        ax.plot(shown.epoch, shown.H, "-o", color=COLOURS["target"], mfc=filled, markersize=4.5, label=f"by {judges}")
        ax.plot(shown.epoch, shown.chance, label=f"by {judges}, by chance", **BY_CHANCE | {"linestyle": dashes})
    ax.set(ylim=(0, 1), ylabel="H: share of strength\nthat generalizes", xlabel="epoch")
    epoch_axis(ax, table.epoch)
    legend_below(figure, ax, columns=2)
    return note(figure, network=networks, sample=samples, band="95 %, over networks and samples")


def learned(table: pd.DataFrame, boundaries: pd.DataFrame, samples: int | None = None) -> Figure:
    """What is newly learned at each checkpoint (Appendix I), and how much of it generalizes: thin a network, thick all.

    table: role, epoch, delta_g, delta_n (log-odds per sample). boundaries: t1, a row a network. samples: how many of each.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.2))
    for column, name in {"delta_g": "generalizable", "delta_n": "non-generalizable"}.items():
        _each_and_median(left, table, column, name)
    given = table.assign(part=table.delta_g / (table.delta_g + table.delta_n).where(lambda total: total > 0))
    _each_and_median(right, given.dropna(subset="part"), "part", "generalizable", label="share that generalizes")
    right.axhline(0.5, color="black", linewidth=0.8)
    for ax in (left, right):
        t1 = ax.axvline(boundaries.t1.median(), color="black", linestyle=":", linewidth=1)
        epoch_axis(ax, table.epoch.unique())
    if (table[["delta_g", "delta_n"]] > 0).any(axis=None):
        left.set_yscale("log", nonpositive="mask")  # a thousand times as much at the end as at the beginning
        left.yaxis.set_minor_formatter(NullFormatter())
    left.set(ylabel="log-odds per sample", title="newly learned since the checkpoint before")
    right.set(ylabel="share", ylim=(0, 1), title="how much of it generalizes\n(below 0.5: mostly what does not)")
    legend_below(figure, left, {"H is highest (median network)": t1})
    steps = np.diff(np.unique([0, *table.epoch]))
    length = f"{steps.min():g} to {steps.max():g} epochs long: compare colours, not steps"
    networks = table.role.nunique()
    thick = {"thick": "median over networks", "thin": "each"} if networks > 1 else {}
    return note(figure, network=networks, sample=samples, **thick, steps=length)


def phases(table: pd.DataFrame, boundaries: pd.Series, title: str, samples: int | None = None) -> Figure:
    """The phases at a glance (Fig. 1, right): the share of strength that generalizes over training, under the phases.

    table: epoch, H, H_low95, H_high95, H_chance. boundaries: t1, t2, t2_found, n_phases; only phases that were found with
    certainty are named. samples: of how many.
    """
    figure, ax = plt.subplots(figsize=(5.2, 3.4))
    top = 1.18  # room for two lines
    share_areas(ax, table, by_chance="generalizable by chance")
    ax.set(ylim=(0, top), yticks=np.linspace(0, 1, 6), title=title)
    spans = phase_spans(boundaries, table.epoch.max())
    for number, (name, start, stop) in enumerate(spans):
        ax.axvspan(start, stop, 1 / top, color=PHASES[number] if boundaries.n_phases else "white")
        ax.axvline(stop, color="black", linewidth=0.8)
        place = middle_of(ax, start, stop), (1 + top) / 2
        ax.text(*place, name, ha="center", va="center", fontsize=8, linespacing=1)
    legend_below(figure, ax)
    ax.plot(table.epoch, table.H, color=COLOURS["generalizable"], linewidth=0.5, label="H")  # for the words: no legend
    for bound in ("H_low95", "H_high95"):
        ax.plot(table.epoch, table[bound], color="black", linestyle=":", linewidth=0.8)
    says = {"dotted": "95 %, over samples", "phases": "those that are certain: at 95 %, and beyond chance"}
    return note(figure, network=1, sample=samples, **says)


def share_areas(ax, curve, by_chance):
    """The share of strength that generalizes over training, as areas, and by chance, under that label."""
    ax.fill_between(curve.epoch, 0, curve.H, color=COLOURS["generalizable"], label="generalizable")
    ax.fill_between(curve.epoch, curve.H, 1, color=COLOURS["non-generalizable"], label="non-generalizable")
    ax.plot(curve.epoch, curve.H_chance, color="white", linewidth=3)
    ax.plot(curve.epoch, curve.H_chance, label=by_chance, **BY_CHANCE | {"linewidth": 1.6})
    ax.grid(visible=False)
    ax.set_ylabel("share of strength")
    epoch_axis(ax, curve.epoch)


def phase_spans(boundaries: pd.Series, last: float) -> list[tuple[str, float, float]]:
    """Name, start and stop of each phase that was found with certainty; what cannot be told apart is one span.

    boundaries: t1, t2, n_phases, and t2_found, the share of draws in which t2 comes. Of two phases the second one may end
    in a third, with no checkpoint that is certain to lie between.
    """
    t1, t2 = float(boundaries.t1), float(boundaries.t2)
    if boundaries.n_phases == 3:
        return [("phase 1", 0, t1), ("2", t1, t2), ("phase 3", t2, last)]
    if boundaries.n_phases == 2:
        second = "phases 2 and 3,\nnot told apart" if boundaries.t2_found >= CERTAIN else "phase 2"
        return [("phase 1", 0, t1), (second, t1, last)]
    name = "phase 1, whose end is not certain" if boundaries.n_phases == 1 else "no phase is certain"
    return [(name, 0, last)]


# pieces of figures
def _alike(strengths, columns):
    """Whether no panel of a row has more than ten times the strength of another one."""
    rows = (strengths[start : start + columns] for start in range(0, len(strengths), columns))
    return all(row.max() <= 10 * row.min() for row in rows)


def _order_bars(ax, table, part):
    """Bars of all strength and, before them, of what of it generalizes: positive ones up, negative ones down."""
    for sign, name in SIGNS.items():
        shown = table[table.sign == sign]
        _stacked(ax, shown.order, shown.total, shown[part], f", {name}")
    ax.axhline(0, color="black", linewidth=0.8)
    ax.set_xticks(sorted(table.order.unique())[::3])


def _orders_meant(ranges, axes):
    """Which orders a name means, and what the sign in place of their share does, where it stands in a panel."""
    says = {name: orders_phrase(orders) for name, orders in ranges.items()}
    if any(NO_SHARE in text.get_text() for ax in axes for text in ax.texts):
        says[NO_SHARE] = f"these orders hold less than {100 * LITTLE:g} % of the strength"
    return says


def _in_corner(ax, text):
    """Numbers of a panel in its upper right corner."""
    place = {"transform": ax.transAxes, "ha": "right", "va": "top", "bbox": NUMBER_BOX}
    ax.text(0.98, 0.97, text, fontsize=8, linespacing=1.3, **place)


def _keep_bars_below_corners(axes):
    """Panels grow at the top where bars would stand behind the numbers in their corner."""
    axes[0].figure.draw_without_rendering()  # places of texts are known after it
    for ax in axes:
        corner = ax.texts[-1].get_window_extent().transformed(ax.transAxes.inverted())
        left = ax.transLimits.inverted().transform((corner.x0, 0))[0]
        behind = [bar.get_y() + max(bar.get_height(), 0) for bar in ax.patches if bar.get_x() + bar.get_width() > left]
        low, high = ax.get_ylim()
        ax.set_ylim(top=max(high, low + (max(behind, default=low) - low) / (corner.y0 - 0.03)))


def _stacked(ax, orders, total, part, ending=""):
    ax.bar(orders, total, color=COLOURS["non-generalizable"], width=0.8, label=f"all{ending}")
    ax.bar(orders, part, color=COLOURS["generalizable"], width=0.8, label=f"generalizable{ending}")
    ax.grid(axis="x", visible=False)


def _each_and_median(ax, table, column, role, label=None):
    """A thin line a network and the thick one of their median, which a log scale does not lift, in the colour of a role."""
    for _, network in table.groupby("role"):
        ax.plot(network.epoch, network[column], color=COLOURS[role], linewidth=0.6, alpha=THIN[role])
    middle = table.groupby("epoch")[column].median()
    ax.plot(middle.index, middle, color=COLOURS[role], linewidth=2, marker="o", markersize=3, label=label or role)


def _order_legend(figure, *further):
    """Names of the colours of bars below a figure, and further ones, as `legend_below` takes them."""
    bars = {name: Patch(color=COLOURS[name]) for name in ("generalizable", "non-generalizable")}
    legend_below(figure, bars, *further)


def _curves(ax, curves, name, first=""):
    """A line a network with its band, and its chance level in grey; of many networks thin lines, and their means.

    first: of several networks the one that is told apart.
    """
    roles, chance = curves.role.unique(), f"{name}_chance"
    many, apart = len(roles) > MANY_LINES, len(roles) > 1 and first in roles
    label = roles[0] if len(roles) == 1 else f"each of {len(roles)} networks"
    if apart and not many:
        label = "the other network" if len(roles) == 2 else f"each of the {len(roles) - 1} others"
    line = {"color": COLOURS["target"]} | ({"linewidth": 0.6, "alpha": 0.5} if many else {"linewidth": 1})
    for role, shown in curves.groupby("role", sort=False):
        style = APART | {"label": role} if apart and role == first else line | {"label": label}
        ax.plot(shown.epoch, shown[name], **style)
        if f"{name}_low95" in shown and not many:
            band = shown[f"{name}_low95"], shown[f"{name}_high95"]
            ax.fill_between(shown.epoch, *band, color=COLOURS["target"], alpha=0.13, linewidth=0)
        if chance in shown and not many:
            ax.plot(shown.epoch, shown[chance], label="by chance", **BY_CHANCE)
    if many:
        mean = curves.groupby("epoch")[[of for of in (name, chance) if of in curves]].mean()
        ax.plot(mean.index, mean[name], color=COLOURS["target"], linewidth=2.2, label="their mean")
        if chance in mean:
            ax.plot(mean.index, mean[chance], label="by chance, mean", **BY_CHANCE | {"linewidth": 1.6})
    if name == "N":
        ax.set_ylim(bottom=0)
    epoch_axis(ax, curves.epoch.unique())


def _phase_lines(ax, boundaries):
    """Lines where phases begin, those that are certain: t1 if H rises and falls, t2 if there are three phases."""
    for name, phases in (("t1", 2), ("t2", 3)):
        if boundaries.n_phases >= phases:
            ax.axvline(boundaries[name], color="black", linestyle=":", linewidth=1)
            ax.annotate(name, (boundaries[name], 1.01), xycoords=("data", "axes fraction"), fontsize=7, ha="center")
