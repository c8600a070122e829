"""Pictures of samples of a study: their variables, their masked outputs."""

import re
import textwrap
from unicodedata import east_asian_width

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from symgen.games import UNSPACED, cell_boxes, places_of
from symgen.plots.style import (
    AS_IT_IS,
    COLOURS,
    GREY,
    fonts,
    legend_below,
    note,
    rows_of_panels,
    shades_of_models,
    signed,
    tint,
)

PAGE_WIDTH = 8.6  # of a prompt's picture (inches)
LETTER_SIZE = 8.2  # of a typewriter's letters (points), 0.6 as wide
LINE_LETTERS = 118  # in a line
PALE = 0.35  # opacity of what another model does not share
MARKED = {"backgroundcolor": "#dcdcdc", "fontweight": "bold"}
OUTLINE = "#f2d544"  # seen on dark and on light


def logical_model(
    table: pd.DataFrame, outputs: pd.DataFrame, prompt: str, variables, next_word: str, shares=(), title: str = ""
) -> Figure:
    """What a language model makes of a prompt (Fig. 7): its variables, its strongest interactions, and its outputs.

    table: interaction, kind, effect (log-odds), strongest first; with a column generalizable, what the other model does not
    have is pale. outputs: rank, v, model, k, as in `matching`. shares: share (log-odds) of each variable, which colours it.
    title: whose interactions they are.
    """
    labels = [wrapped(interaction, 42, variables) for interaction in table.interaction]
    lines = wrapped(f"{prompt} → {next_word}", LINE_LETTERS, [*variables, f"→ {next_word}"])
    head = 0.25 * bool(title)
    rows = max(12, sum(len(label) + 0.5 for label in labels))  # the outputs beside need room, too
    sizes = [head + 0.12 + 0.22 * len(lines), 1.2 + 0.155 * rows]
    figure = plt.figure(figsize=(PAGE_WIDTH, sum(sizes)), dpi=80)  # dpi: in a notebook
    above, below = figure.subfigures(2, 1, height_ratios=sizes)
    largest = max(map(abs, shares), default=0)
    colours = [{"backgroundcolor": tint(share, largest)} for share in shares] or [{}] * len(variables)
    styles = {phrase: MARKED | colour for phrase, colour in zip(variables, colours)}
    _text_with_phrases(above.add_axes((0, 0, 1, 1 - head / sizes[0])), lines, styles, next_word)
    left, right = below.subplots(1, 2, width_ratios=[1, 1.1])
    _signed_bars(left, table, labels)
    _outputs(right, outputs)
    right.set_title(f"all {outputs['rank'].nunique():,} masked prompts\n{_fits(outputs)}")
    right.set_ylabel(f"log-odds of “{next_word}”")
    legend = {"∧ if all are there": Patch(color=COLOURS["and"]), "∨ if any is there": Patch(color=COLOURS["or"])}
    if "generalizable" in table:
        legend["pale: the other network lacks it"] = Patch(facecolor=to_rgba("black", PALE))
    if len(shares):
        legend |= {
            f"word {way} “{next_word}”": Patch(facecolor=tint(sign, 1)) for way, sign in (("for", 1), ("against", -1))
        }
    legend_below(below, legend, right, columns=4, markerscale=4)
    above.suptitle(title, y=0.98, fontsize=10, fontweight="bold", **AS_IT_IS)
    return note(figure, network=1, prompt=1)


def matching(table: pd.DataFrame) -> Figure:
    """All 2^n outputs, sorted, against the logical model with its k strongest interactions (Fig. 7).

    table: panel, rank (of a subset by its output), v, and model and k, one row a subset and k.
    """
    samples = table.panel.nunique()
    figure, axes = plt.subplots(1, samples, figsize=(3.6 * samples + 0.4, 3.2), squeeze=False)
    for ax, (panel, shown) in zip(axes[0], table.groupby("panel", sort=False)):
        _outputs(ax, shown)
        ax.set_title(f"{panel}\n{_fits(shown)}")
    axes[0, 0].set_ylabel("log-odds of the label")
    *models, network = zip(*axes[0, 0].get_legend_handles_labels()[::-1])
    legend_below(figure, dict([*models[::-1], network]), markerscale=4)
    return note(figure, network=1, sample=samples, scale="each panel's")


def input_variables(table: pd.DataFrame, pictures: np.ndarray, grid: int) -> Figure:
    """Samples with their input variables outlined (Fig. 8). table: sample, of, label, variables; pictures in its order."""
    figure, axes = rows_of_panels(len(table), 8, (1.25, 1.45))
    for ax, picture, row in zip(axes.flat, pictures, table.itertuples()):
        cells = [int(cell) for cell in row.variables.split()]
        show_cells(ax, picture, cells, grid, [to_rgba(OUTLINE, 0.2)] * len(cells), range(len(cells)))
        ax.set_title(f"{row.label}\n{row.of}", fontsize=7, fontweight="normal", **AS_IT_IS)
    return note(figure, sample=len(table), numbers="the input variables")


def chosen_words(table: pd.DataFrame, texts: list[list[str]]) -> Figure:
    """Texts with their input variables marked (Fig. 9). table: sample, of, label, variables; texts: words, in its order."""
    texts = [[f"{word} " for word in words] for words in texts]
    lines = [len(lines_of(words, LINE_LETTERS)) for words in texts]
    size = (8, 0.18 * sum(lines) + 0.3 * len(lines))
    figure, axes = plt.subplots(len(lines), 1, figsize=size, height_ratios=lines, squeeze=False)
    for ax, words, row in zip(axes[:, 0], texts, table.itertuples()):
        show_words(ax, words, {int(number): MARKED for number in row.variables.split()})
        ax.set_title(f"{row.label}, {row.of}", fontsize=7, fontweight="normal", loc="left", pad=3, **AS_IT_IS)
    return note(figure, sample=len(table), marked="the input variables")


# pieces of figures
def _outputs(ax, table):
    """Outputs of the network on all masked inputs, sorted, and of the model with its k strongest interactions."""
    ks = sorted(table.k.unique(), reverse=True)  # the coarsest model on top, or it would be hidden where both fit
    for k, shade in zip(ks, shades_of_models(len(ks))):
        part = table[table.k == k]
        style = {"markersize": 2, "color": shade, "label": f"the {k} strongest interactions"}
        ax.plot(part["rank"], part.model, ".", rasterized=True, **style)
    ax.plot(part["rank"], part.v, color="black", linewidth=1.2, label="network")
    ax.set_xlabel("masked inputs, sorted by the network's output")


def _fits(table):
    """R² of each model of one sample: the share of the variance of the network's outputs that it gives (Eq. 14-15)."""
    missed, whole = (table.v - table.model) ** 2, (table.v - table.v.mean()) ** 2
    fits = 1 - missed.groupby(table.k).sum() / whole.groupby(table.k).sum()
    return ", ".join(f"R² {r2:z.{3 if r2 > 0.99 else 2}f} with {k}".replace("-", "−") for k, r2 in fits.items())


def show_cells(ax, picture, cells, grid, colours, labels):
    """A picture with some cells of its grid outlined, coloured and labelled, a colour and a label a cell."""
    ax.imshow(picture, interpolation="nearest")
    for (rows, columns), colour, label in zip(cell_boxes(cells, *picture.shape[:2], grid), colours, labels):
        corner, size = (columns.start - 0.5, rows.start - 0.5), (columns.stop - columns.start, rows.stop - rows.start)
        ax.add_patch(Rectangle(corner, *size, edgecolor=OUTLINE, linewidth=1.2, facecolor=colour))
        middle = (corner[0] + size[0] / 2, corner[1] + size[1] / 2)
        text = ax.annotate(label, middle, color="white", ha="center", va="center", fontsize=7)
        text.set_path_effects([withStroke(linewidth=2.2, foreground="black")])
    ax.axis("off")


def show_words(ax, pieces, styles, width=LINE_LETTERS):
    """A text in lines of a typewriter's letters; `styles` (number of a piece: a dict) say which are marked, and how."""
    lines = lines_of(pieces, width)
    for row, line in enumerate(lines):
        for column, number in line:
            style = {"fontsize": 7.6, "gid": pieces[number]} | styles.get(number, {})
            _type(ax, column, -row, pieces[number].rstrip(), 0.15, **style)
    ax.set(xlim=(0, width), ylim=(0.5 - len(lines), 0.5))
    ax.axis("off")


def _type(ax, x, y, text, pad, **style):
    """Write in a typewriter's letters; a colour behind them is seen as a box, so much wider, however pale it is."""
    written = ax.text(x, y, text, family=fonts("monospace"), va="center", **style, **AS_IT_IS)
    if box := written.get_bbox_patch():
        box.set(boxstyle=f"square,pad={pad}", edgecolor=GREY, linewidth=0.4)


def lines_of(pieces, width):
    """Lines of a text in pieces (`pieces_of`), each a list of (column, number of the piece)."""
    lines, column = [[]], 0
    for number, piece in enumerate(pieces):
        may_end = not number or pieces[number - 1].endswith(" ") or re.match(f"[{UNSPACED}]", piece)
        if column + letters_of(piece.rstrip()) > width and lines[-1] and may_end:
            lines.append([])
            column = 0
        lines[-1].append((column, number))
        column += letters_of(piece)
    return lines


def letters_of(text):
    """Letters' widths that a text takes; a Chinese sign takes two."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def wrapped(text, width, whole=()):
    """Lines of a text, which end at its spaces, but at none inside the phrases that are to stay whole."""
    for phrase in sorted(whole, key=len, reverse=True):  # "film (2)" before "film"
        text = text.replace(phrase, phrase.replace(" ", "\u00a0"))
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return [line.replace("\u00a0", " ") for line in lines]


def _text_with_phrases(ax, lines, styles, next_word):
    """Lines of a typewriter's letters, LINE_LETTERS on the page, phrases in their styles; the last word comes next."""
    for row, line in enumerate(lines):
        body = line.removesuffix(f"→ {next_word}") if row == len(lines) - 1 else line
        marked = {place: style for phrase, style in styles.items() for place in places_of(phrase, body)}
        rest = body
        for first, last in marked:
            rest = rest[:first] + " " * (last - first) + rest[last:]
        words = re.finditer(r"\S+", rest)  # one by one: a screen's letters are whole dots wide
        pieces = {word.span(): {} for word in words} | marked
        pieces |= {(len(body), len(line)): {"fontweight": "bold"}} if body != line else {}
        for (first, last), style in sorted(pieces.items()):  # as it is read
            _type(ax, first + 1, -row, line[first:last], 0.12, fontsize=LETTER_SIZE, **style)
    ax.set(xlim=(0, PAGE_WIDTH * 72 / (0.602 * LETTER_SIZE)), ylim=(0.6 - len(lines), 0.6))
    ax.axis("off")


def _signed_bars(ax, table, labels):
    """Effects of interactions as bars with their values, as high as the lines of their labels."""
    heights = np.array([len(label) + 0.5 for label in labels])
    places = heights.cumsum() - heights / 2
    shared = table.get("generalizable", [True] * len(table))
    colours = [to_rgba(COLOURS[kind], 1 if both else PALE) for kind, both in zip(table.kind, shared)]
    ax.barh(places, table.effect, height=0.9, color=colours, label="effect")
    for place, effect in zip(places, table.effect):
        side = {"ha": "left" if effect > 0 else "right", "va": "center", "fontsize": 7}
        ax.annotate(signed(effect), (effect, place), (3 * np.sign(effect), 0), textcoords="offset points", **side)
    ax.set_yticks(places, ["\n".join(label) for label in labels], fontsize=7.5, **AS_IT_IS)
    ax.set(ylim=(heights.sum(), 0), xlabel="effect (log-odds)", title="strongest interactions")
    ax.xaxis.set_major_locator(MaxNLocator(4))  # small effects have long numbers
    ax.margins(x=0.35)  # for the values
    ax.axvline(0, color="black", linewidth=0.8)
    ax.grid(axis="y", visible=False)
