"""The study in one picture: what an interaction is, and what becomes of interactions while a network trains."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from symgen.games import cell_boxes
from symgen.plots.over_time import phase_spans, share_areas
from symgen.plots.style import COLOURS, count_phrase, middle_of, note, signed

SHOWN_OF_EACH = 2  # interactions shown of those that generalize, and of the others
GAP = 0.28  # between pictures, in their height
CONSTANT = 1.1  # and before the first interaction, for the constant
FAINT = 0.2  # what is left of a picture where an interaction has no cell
SAYS = {
    "generalizable": "they generalize: at least one\nof {} other networks has them",
    "non-generalizable": "they do not: none of\nthese has them",
}
INK = {"generalizable": COLOURS["generalizable"], "non-generalizable": "#96580f"}  # the colours, dark enough for words


def idea(
    table: pd.DataFrame,
    picture: np.ndarray,
    grid: int,
    curve: pd.DataFrame,
    boundaries: pd.DataFrame,
    judges: int,
    samples: int | None = None,
) -> Figure:
    """An output as a constant and interactions, of which some generalize; and their share over training (Fig. 1).

    table: kind, variables (their numbers, joined), effect (log-odds), generalizable, strongest first; cells: the cell of
    each variable, by spaces; v: the output; bias: that with none of them. picture: (height, width, 3), bytes. curve:
    epoch, H, H_chance, of the first network. boundaries: t1, t2, t2_found, n_phases, a row a network; of the first one the
    phases that are certain are named, as in `phases`. judges: how many other networks are asked. samples: of how many the
    curve is.
    """
    figure, (above, below) = plt.subplots(2, 1, figsize=(5.4, 4.4), height_ratios=[1.1, 1.15])
    _sum(above, table, picture, grid, judges)
    _share(below, curve, boundaries.iloc[0])
    three = f"all three are certain in {(boundaries.n_phases == 3).sum()} of {count_phrase(len(boundaries), 'network')}"
    says = {
        "above": "one of these samples",
        "numbers": "log-odds of its label",
        "dashed outline": "OR",
        "phases": three,
    }
    return note(figure, network=1, sample=samples, **says)


def _sum(ax, table, picture, grid, judges):
    """The picture, and on it the strongest interactions, those that generalize first."""
    cells = [int(cell) for cell in table.cells.iloc[0].split()]
    seen = [withStroke(linewidth=2, foreground="white")]  # on dark and on light
    _draw(ax, 0, picture, grid, cells, edgecolor="#444444", linewidth=0.8, path_effects=seen)
    ax.text(0.5, 1.1, f"an image, and\n{len(cells)} of its cells", ha="center", fontsize=8)
    ax.text(0.5, -0.1, f"its\noutput\n{signed(table.v.iloc[0], '+.1f')}", ha="center", va="top", fontsize=8)
    ax.text(1 + CONSTANT / 2, 0.5, "= b +", ha="center", va="center", fontsize=12)
    constant = f"those {len(cells)}\nhidden\n{signed(table.bias.iloc[0], '+.1f')}"
    ax.text(1 + CONSTANT / 2, -0.1, constant, ha="center", va="top", fontsize=8)
    left, rest = 1 + CONSTANT, table.v.iloc[0] - table.bias.iloc[0]
    for role, text in SAYS.items():
        ax.text(left + 1 + GAP / 2, 1.1, text.format(judges), ha="center", fontsize=8, color=INK[role])
        rows = table[table.generalizable == (role == "generalizable")].head(SHOWN_OF_EACH)
        for place, row in zip(left + (1 + GAP) * np.arange(SHOWN_OF_EACH), rows.itertuples()):
            inside = [cells[int(number)] for number in re.findall(r"\d+", row.variables)]
            line = {"linewidth": 1.8, "linestyle": "-" if row.kind == "and" else (0, (1.6, 0.8))}
            _draw(ax, place, _fainter(picture, grid, inside), grid, inside, edgecolor=COLOURS[role], **line)
            name = f"{row.kind.upper()} of\n{len(inside)} cells" if len(inside) > 1 else "one\ncell"
            ax.text(place + 0.5, -0.1, f"{name}\n{signed(row.effect, '+.1f')}", ha="center", va="top", fontsize=8)
            rest -= row.effect
            if place > 1 + CONSTANT:
                ax.text(place - GAP / 2, 0.5, "+", ha="center", va="center", fontsize=12)
        left += SHOWN_OF_EACH * (1 + GAP)
    ax.text(left - GAP / 2, 0.5, "+ …", va="center", fontsize=12)
    ax.text(left + GAP, -0.1, f"the\nrest\n{signed(rest, '+.1f')}", ha="center", va="top", fontsize=8)
    ax.set(xlim=(0, left + 2.2 * GAP), ylim=(-0.6, 1.5), aspect="equal")
    ax.set_title("An output is a constant b plus a sum of interactions", fontsize=10)
    ax.axis("off")


def _draw(ax, left, picture, grid, cells, **style):
    """A picture of height 1 from the place `left` on, with some of its cells outlined."""
    ax.imshow(picture, extent=(left, left + 1, 0, 1), interpolation="nearest")
    height, width = picture.shape[:2]
    for rows, columns in cell_boxes(cells, height, width, grid):
        corner = left + columns.start / width, 1 - rows.stop / height
        size = (columns.stop - columns.start) / width, (rows.stop - rows.start) / height
        ax.add_patch(Rectangle(corner, *size, fill=False, zorder=3, **style))


def _fainter(picture, grid, cells):
    """A picture that is nearly white but for some cells."""
    shown = 255 - (255 - picture) * FAINT
    for box in cell_boxes(cells, *picture.shape[:2], grid):
        shown[box] = picture[box]
    return shown.astype(np.uint8)


def _share(ax, curve, boundaries):
    """The share of strength that generalizes over training, by chance as well, and the phases above."""
    ax.plot(curve.epoch, curve.H, color=COLOURS["generalizable"], linewidth=0.5, label="H")  # for the words
    share_areas(ax, curve, by_chance="by chance")
    for name, start, stop in phase_spans(boundaries, float(curve.epoch.iloc[-1])):
        ax.axvline(stop, color="white", linewidth=1)
        ax.text(middle_of(ax, start, stop), 1.03, name.replace("\n", " "), ha="center", fontsize=8)
    peak = curve.loc[curve.H.idxmax()]
    beside = {"xytext": (-6, 0), "textcoords": "offset points", "ha": "right", "va": "center", "fontsize": 8}
    for text, height, colour in (
        ("do not generalize", (1 + peak.H) / 2, "black"),
        ("generalize", (peak.H + peak.H_chance) / 2, "white"),
        ("by chance", peak.H_chance / 2, "white"),
    ):
        ax.annotate(text, (peak.epoch, height), color=colour, **beside)
    ax.set(ylim=(0, 1), yticks=[0, 0.5, 1])
    ax.set_title("How much of their strength generalizes while a network trains", fontsize=10, pad=16)
