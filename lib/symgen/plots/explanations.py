"""Pictures of one explanation: its variables coloured, its strongest interactions, its fidelity, its masked inputs."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Polygon
from matplotlib.ticker import MaxNLocator

from symgen.games import LOG_ODDS, cell_boxes
from symgen.plots.samples import LINE_LETTERS, letters_of, lines_of, show_cells, show_words, wrapped
from symgen.plots.style import AS_IT_IS, COLOURS, legend_below, legend_of, note, signed, tint

LINE_HEIGHT = 0.18  # height of a line of text (inches)
NAME_LETTERS = 48  # letters in a line of an interaction's name
WEAKEST = 0.01  # of the strongest: fainter lines are not drawn
LINES = {"and": "-", "or": (0, (2, 1.2))}


def bars(table: pd.DataFrame, title: str = "", unit: str = LOG_ODDS) -> Figure:
    """The strongest interactions as bars. table: kind, variables, effect (in `unit`), strongest first."""
    labels, heights = _labels(table)
    longest = max((letters_of(line) for label in labels for line in label.splitlines()), default=0)
    figure, ax = plt.subplots(figsize=(max(5.2, 3.4 + 0.075 * longest), 0.24 * sum(heights) + 1))
    _strongest_bars(ax, table, unit)
    figure.suptitle(title, fontsize=9, **AS_IT_IS)
    return figure


def cells(
    table: pd.DataFrame, shares: pd.DataFrame, picture: np.ndarray, grid: int, title: str = "", unit: str = LOG_ODDS
) -> Figure:
    """One prediction (Fig. 1, left): the picture with its cells tinted by their shares, and its strongest interactions.

    table: as `bars`. shares: variable (cell number), share (log-odds). picture: (height, width) or (h, w, 3), from 0 to 1;
    it is drawn lighter, for a tint is not seen on black.
    """
    height = max(3.6, 0.24 * sum(_labels(table)[1]) + 1)
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, height), width_ratios=[1.1, 1.4])
    largest = shares.share.abs().max()
    labels = [f"{number}\n{signed(share)}" for number, share in enumerate(shares.share)]
    colours = [tint(share, largest) for share in shares.share]
    picture = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
    show_cells(left, 0.3 + 0.7 * picture, shares.variable, grid, colours, labels)
    left.set_title(title, **AS_IT_IS)
    _strongest_bars(right, table, unit)
    return note(figure, network=1, sample=1, colour=_of_shares(unit))


def words(
    table: pd.DataFrame, shares: pd.DataFrame, text: list[str], variable_of, title: str = "", unit: str = LOG_ODDS
) -> Figure:
    """One prediction on a text: its words coloured by the shares of their variables, and its strongest interactions.

    table: as `bars`. shares: share (log-odds) of each variable. text: its pieces, each with the space that follows it.
    variable_of: of each piece, -1 for none.
    """
    lines = len(lines_of(text, LINE_LETTERS))
    sizes = [0.4 + LINE_HEIGHT * lines, 0.24 * sum(_labels(table)[1]) + 0.9]
    figure = plt.figure(figsize=(8, sum(sizes)))
    above, below = figure.subfigures(2, 1, height_ratios=sizes)  # the text has all of the width
    largest, share = shares.share.abs().max(), shares.share.to_numpy()
    styles = {
        number: {"backgroundcolor": tint(share[variable], largest), "fontweight": "bold"}
        for number, variable in enumerate(variable_of)
        if variable >= 0
    }
    show_words(ax := above.subplots(), text, styles)
    ax.set_title(title, **AS_IT_IS)
    _strongest_bars(below.subplots(), table, unit)
    return note(figure, network=1, sample=1, colour=_of_shares(unit))


def network(table: pd.DataFrame, members: list[tuple[int, ...]], names: list[str], title: str = "") -> Figure:
    """Variables on a circle, joined by their strongest interactions: width by strength, colour by sign, OR dashed.

    table: as `bars`; members: the numbers of the variables of each row. An interaction of one variable is its ring, of two a
    line, of more a star, whose rays meet at a dot.
    """
    names = ["\n".join(wrapped(name, 18)) for name in names]
    longest = max((letters_of(line) for name in names for line in name.splitlines()), default=0)
    more = 0.12 * max(name.count("\n") for name in names)
    figure, ax = plt.subplots(figsize=(max(4.6, 2.6 + 0.15 * longest), 4.4))
    angles = np.pi / 2 - 2 * np.pi * np.arange(len(names)) / len(names)
    places = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    strength = table.effect.abs() / (table.effect.abs().max() or 1)
    ring_widths, ring_colours = np.zeros(len(names)), ["black"] * len(names)
    for kind, effect, weight, inside in zip(table.kind, table.effect, strength, members):
        colour = COLOURS["positive" if effect > 0 else "negative"]
        if weight < WEAKEST:
            continue
        if len(inside) == 1:
            ring_widths[inside[0]], ring_colours[inside[0]] = 5 * weight, colour
            continue
        corners, style = places[list(inside)], {"linewidth": 0.4 + 4.6 * weight, "linestyle": LINES[kind]}
        if len(inside) == 2:  # an OR is bent, for there may be an AND of the same two
            bent = f"arc3,rad={0.15 * (kind == 'or')}"
            ax.add_patch(FancyArrowPatch(*corners, arrowstyle="-", connectionstyle=bent, edgecolor=colour, **style))
            continue
        middle = corners.mean(axis=0) + np.array([0.07 * (kind == "or"), 0])  # aside, for the same reason
        ax.add_patch(Polygon(corners, facecolor=to_rgba(colour, 0.12 * weight), linewidth=0))
        ax.add_collection(LineCollection([(middle, corner) for corner in corners], colors=colour, **style))
        ax.plot(*middle, "o", color=colour, markersize=4 + 7 * weight)  # wider than the rays
    ax.scatter(*places.T, s=260, color="white", edgecolors=ring_colours, linewidths=1 + ring_widths, zorder=3)
    for name, (x, y), number in zip(names, places, range(len(names))):
        ax.text(x, y, number, ha="center", va="center", fontsize=8, zorder=4)
        if name != str(number):
            side = "center" if abs(x) < 0.3 else "left" if x > 0 else "right"
            height = np.sign(y) * (1.17 * abs(y) + 0.6 * 0.12 * name.count("\n") * (side == "center"))
            ax.text(1.2 * x, height, name, ha=side, va="center", fontsize=8, **AS_IT_IS)
    ax.set(xlim=(-1.35, 1.35), ylim=(-1.3 - more, 1.3 + more), aspect="equal")
    ax.set_title(title, **AS_IT_IS)
    ax.axis("off")
    for sign in ("positive", "negative"):
        for kind, style in LINES.items():
            ax.plot([], [], color=COLOURS[sign], linestyle=style, label=f"{kind.upper()}, {sign}")
    legend_below(figure, ax, columns=2)
    return note(figure, network=1, sample=1, ring="one variable", line="two", star="more, shaded between")


def fidelity(table: pd.DataFrame, n_salient: float | None = None, title: str = "") -> Figure:
    """R2 of the k strongest interactions against k, a line a sample (Eq. 14-15). table: sample, k, R2."""
    figure, ax = plt.subplots(figsize=(4.4, 3))
    for _, curve in table.groupby("sample"):
        style = {"color": COLOURS["target"], "alpha": max(0.25, 1 / table["sample"].nunique())}
        ax.plot(curve.k, curve.R2, label="R²", **style)
    if n_salient:
        ax.axvline(n_salient, color="black", linestyle=":", linewidth=1)
        beside = {"xycoords": ("data", "axes fraction"), "fontsize": 7, "rotation": 90, "ha": "right"}
        ax.annotate(f"{n_salient:.0f} salient", (n_salient, 0.02), **beside)
    ax.set(xscale="log", ylim=(min(0, max(-1, table.R2.min())), 1.02), xlabel="strongest interactions kept, k")
    ax.set_ylabel("R² over all masked inputs")
    ax.set_title(title, **AS_IT_IS)
    below = {"not drawn": "R² below −1"} if table.R2.min() < -1 else {}
    return note(figure, network=1, sample=table["sample"].nunique(), **below)


def masked_pictures(table: pd.DataFrame, picture: np.ndarray, variables, grid: int, title: str = "") -> Figure:
    """Some masked inputs, what the network says (v) and what the model says. table: subset, v, model; bit i: variable i."""
    figure, axes = plt.subplots(1, len(table), figsize=(1.25 * len(table), 1.8), squeeze=False)
    boxes, form = cell_boxes(variables, *picture.shape[:2], grid), _form(table.v)
    for ax, row in zip(axes[0], table.itertuples()):
        shown = picture.copy()
        for box in (box for i, box in enumerate(boxes) if not row.subset >> i & 1):
            shown[box] = 0.5
        ax.imshow(shown, cmap=None if picture.ndim == 3 else "gray", vmin=0, vmax=1, interpolation="nearest")
        ax.set_xlabel(f"v {signed(row.v, form)}\nmodel {signed(row.model, form)}", fontsize=7)
        ax.set(xticks=[], yticks=[])
    figure.suptitle(title, fontsize=9, **AS_IT_IS)
    return note(figure, network=1, sample=1, grey="masked")


def masked_words(table: pd.DataFrame, text: list[str], variable_of, title: str = "") -> Figure:
    """As `masked_pictures`, of a text; text and variable_of: as in `words`."""
    lines, form = len(lines_of(text, LINE_LETTERS - 24)), _form(table.v)
    height = (LINE_HEIGHT * lines + 0.12) * len(table) + 0.3
    figure, axes = plt.subplots(len(table), 1, figsize=(8, height), squeeze=False)
    for ax, row in zip(axes[:, 0], table.itertuples()):
        hidden = [number for number, i in enumerate(variable_of) if i >= 0 and not row.subset >> i & 1]
        shown = [
            re.sub(r"\S", lambda letter: "█" * letters_of(letter[0]), piece) if number in hidden else piece
            for number, piece in enumerate(text)
        ]
        show_words(ax, shown, {number: {"color": "#d0d0d0"} for number in hidden}, LINE_LETTERS - 24)
        ax.set_xlim(0, LINE_LETTERS)
        values = f"v {signed(row.v, form):>6}  model {signed(row.model, form):>6}"
        ax.text(LINE_LETTERS - 22, 0, values, family="monospace", fontsize=7.8, va="center", fontweight="bold")
    figure.suptitle(title, fontsize=9, **AS_IT_IS)
    return note(figure, network=1, sample=1, grey="masked")


# pieces of figures
def _form(values):
    """Two digits, or as many as tell the values apart."""
    most, spread = np.abs(values).max(), np.ptp(values)
    return f"+.{2 + int(np.log10(max(1, most / spread))) if spread else 2}g"


def _labels(table):
    """Names of interactions, in lines, and the height of each (bars of one line)."""
    parts = [re.split(r" (?=[∧∨] )", name) for name in table.variables]  # a line ends between them, if it can
    lines = [wrapped(" ".join(of), NAME_LETTERS, [part for part in of if len(part) <= NAME_LETTERS]) for of in parts]
    return ["\n".join(of) for of in lines], [1 + 0.6 * (len(of) - 1) for of in lines]


def _of_shares(unit):
    """What the colours of variables mean."""
    signs = "teal for the label, pink against it" if unit == LOG_ODDS else "teal for more, pink for less"
    return f"what a part contributes ({unit}), {signs}"


def _strongest_bars(ax, table, unit):
    """Effects as bars, coloured by kind, a row an interaction."""
    labels, heights = _labels(table)
    place = np.cumsum(heights) - np.array(heights) / 2 - 0.5
    ax.barh(place, table.effect, color=[COLOURS[kind] for kind in table.kind], label="effect")
    ax.set_yticks(place, labels, **AS_IT_IS)
    if table.empty:
        ax.text(0.5, 0.5, "none", ha="center", va="center", transform=ax.transAxes)
    xlabel = "effect on the log-odds of the label" if unit == LOG_ODDS else f"effect ({unit})"
    ax.set(xlabel=xlabel, title="strongest interactions")
    ax.set_ylim(sum(heights) - 0.1, -0.9)
    ax.xaxis.set_major_locator(MaxNLocator(5))  # small effects have long numbers
    ax.axvline(0, color="black", linewidth=0.8)
    ax.grid(axis="y", visible=False)
    legend_of(ax, ["and", "or"], ["AND (∧)", "OR (∨)"], loc="best")
