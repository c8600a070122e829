"""How every figure looks, what it says of itself, and how it is kept."""

import base64
import io
import os
import textwrap
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib import font_manager, rc_params_from_file
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from symgen.plots.alt import alt_text
from symgen.store import WRITTEN, write_whole

# one colour a role, and orange for what does not generalize alone; those that stand side by side differ for the
# colour-blind, and in grey, as well (a test measures it)
COLOURS = {
    "generalizable": "#1b6b3a",
    "non-generalizable": "#efb261",
    "and": "#2b5c8a",
    "or": "#b98fe3",
    "positive": "#00665e",
    "negative": "#d9739f",
    "target": "#2b5c8a",
    "train": "#2b5c8a",
    "validation": "#a9b8c8",
    "test": "#dd6b55",
    "chance": "#8a8a8a",
    "all samples": "#17324f",
    "few samples": "#5b9bd0",
    "low orders": "#56540f",
    "high orders": "#c2c04d",
    "reproduced": "#4a8cc4",
    "not reproduced": "#b5b5b5",
    "undecided": "#f0f0f0",
    "not testable": "#ffffff",
}
OF_SAMPLES = {"training": COLOURS["train"], "testing": COLOURS["test"]}
MODELS = "#4d4d4d", "#b3b3b3"  # logical models with many interactions, and with few; the network is black
GREY = "#666666"  # of small print
NUMBER_BOX = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5}  # numbers in a panel
BY_CHANCE = {"color": COLOURS["chance"], "linestyle": "--", "linewidth": 1}  # the same in every figure

CHINESE_FONTS = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Zen Hei", "PingFang SC",
    "Hiragino Sans GB", "Microsoft YaHei", "SimHei", "Arial Unicode MS",
)  # fmt: skip
AS_IT_IS = {"parse_math": False}  # of a text that is somebody's word or label: a $ begins no formula
STYLE = Path(__file__).with_name("figures.mplstyle")


def use_style() -> None:
    """The project's figure style, for every figure made from now on; in a notebook, pictures carry their alt text."""
    if "inline" in (matplotlib.get_backend(auto_select=False) or ""):
        _describe_in_notebooks()
    plt.rcParams.update(_style())


@cache
def fonts(family: str) -> list[str]:
    """A family of fonts, and behind it those of this machine that have the signs of Chinese and Japanese."""
    return [family, *sorted(set(CHINESE_FONTS) & set(font_manager.get_font_names()), key=CHINESE_FONTS.index)]


def _style():
    return rc_params_from_file(STYLE, use_default_template=False) | {"font.family": fonts("sans-serif")}


def _describe_in_notebooks():
    """Show figures as ever, with what they show in words beside them; IPython is there if its backend is."""
    import matplotlib_inline.backend_inline  # noqa: F401  it would set its own way with the first figure
    from IPython import get_ipython
    from IPython.core.pylabtools import print_figure

    def described(figure):
        words = alt_text(figure)
        if not figure.axes:  # IPython shows none either
            return None
        return _in_few_colours(print_figure(figure, bbox_inches="tight"), words), {"alt": words}

    if shell := get_ipython():
        shell.display_formatter.formatters["image/png"].for_type(Figure, described)


def _in_few_colours(png, words):
    """A picture with 256 colours, in base64: the eye sees the same, and a notebook is a third as large."""
    description, few = PngInfo(), io.BytesIO()
    description.add_text("Description", words)
    Image.open(io.BytesIO(png)).convert("RGB").quantize().save(few, "png", pnginfo=description, optimize=True)
    return base64.b64encode(few.getvalue()).decode()


@contextmanager
def in_style():
    """The project's figure style, for the figures made inside this context.

    matplotlib's own context would also undo that a notebook shows its figures, which begins with the first of them.
    """
    style = _style()
    before = {name: plt.rcParams[name] for name in style}
    plt.rcParams.update(style)
    try:
        yield
    finally:
        plt.rcParams.update(before)


def apart(figure: Figure) -> Figure:
    """A figure that pyplot no longer keeps: a notebook shows it once, where it is asked for, and many need no memory."""
    plt.close(figure)
    return figure


def tint(value: float, largest: float) -> tuple[float, float, float, float]:
    """A colour (red, green, blue, alpha) by the sign of a value, the fuller the nearer it is to the largest one."""
    return to_rgba(COLOURS["positive" if value > 0 else "negative"], 0.7 * min(1, abs(value) / (largest or 1)))


def signed(value: float, form: str = "+.2g") -> str:
    """A number with its sign, two digits or as `form` says, as labels show it, whole from 99.5 on; 0 has no sign."""
    text = f"{value:{'+.0f' if form == '+.2g' and 99.5 <= abs(value) < 1e5 else form}}"
    return text.replace("-", "−") if float(text) else "0"


def save(figure: Figure, table: pd.DataFrame, folder: Path, name: str) -> None:
    """Write `<name>.png` and, beside it, the table it shows as `<name>.csv`; the same table gives the same bytes.

    The picture says in words what it shows, in its metadata under Description (`alt_text`).
    """
    metadata = {"Description": alt_text(figure), "Software": None}  # whose version would change the bytes
    figure.savefig(png := io.BytesIO(), format="png", metadata=metadata)
    _write(folder / f"{name}.png", png.getvalue())
    save_table(table, folder, name)


def save_table(table: pd.DataFrame, folder: Path, name: str) -> None:
    """Write `<name>.csv`, six digits a number."""
    _write(folder / f"{name}.csv", table.to_csv(index=False, float_format="%.6g").encode())


def _write(path, content):
    """Write a file, and its name into the list of those of a run, where one is kept."""
    write_whole(path, content)
    if written := os.environ.get(WRITTEN):
        with open(written, "a", encoding="utf-8") as names:
            names.write(f"{path}\n")


def rows_of_panels(number: int, most: int, panel: tuple[float, float], margin: tuple[float, float] = (0, 0), **options):
    """A figure of so many panels, at most `most` in a row, and its axes (row, column), of which the spare ones are empty.

    panel, margin: width and height of one panel, and of what is around them all (inches). options: of `plt.subplots`.
    """
    columns = min(most, number)
    rows = -(-number // columns)
    size = panel[0] * columns + margin[0], panel[1] * rows + margin[1]
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, **options)
    for ax in axes.flat[number:]:
        ax.axis("off")
    return figure, axes


def note(figure: Figure, **says: str | int | None) -> Figure:
    """A small grey line under a figure: how many networks and samples it shows, and what its bands or bars mean.

    says: name=number gives "10 networks", one number "1 network", name=text "band: 95 %, over samples"; None is left out.
    """
    parts = [f"{name}: {value}" if isinstance(value, str) else count_phrase(value, name)
             for name, value in says.items() if value is not None]  # fmt: skip
    line = textwrap.fill(" · ".join(parts), int(21 * figure.get_figwidth()), break_on_hyphens=False)
    legends = [legend for part in (figure, *figure.subfigs) for legend in part.legends]
    if legends:  # what is outside the panels must be one thing, or it overlaps
        legends[0].set_title(line, {"size": 7})
        legends[0].get_title().set_color(GREY)
    else:
        figure.supxlabel(line, fontsize=7, color=GREY)
    return figure


def count_phrase(number: int, name: str) -> str:
    """A number with what it counts, as in "1 network" and "10 networks"."""
    return f"{number:,} {name}{'s' * (number != 1)}"


def orders_phrase(orders: range) -> str:
    """Which orders a name means, as in "orders 1 to 2"."""
    return f"orders {orders[0]} to {orders[-1]}" if orders else "no orders"


def shades(number: int) -> np.ndarray:
    """Colours of a number of things in order, from dark to light."""
    return matplotlib.colormaps["viridis"](np.linspace(0, 0.8, number))


def shades_of_models(number: int) -> list[tuple[float, float, float]]:
    """Colours of logical models of one sample, from the dark of the fullest to the light of the one with the fewest."""
    import seaborn as sns  # a second of every start

    return list(sns.blend_palette(MODELS, number))


def legend_of(ax, roles, labels, **options):
    """A legend of coloured squares, a label a role."""
    squares = [Patch(facecolor=COLOURS[role], edgecolor=GREY, linewidth=0.3) for role in roles]
    ax.legend(squares, labels, **options)


def legend_below(figure, *parts, columns: int | None = None, **options):
    """A legend under the panels, each label once: of what is drawn in axes, or of a dict of what has which label."""
    drawn = {}
    for part in parts:
        drawn |= part if isinstance(part, dict) else dict(zip(*part.get_legend_handles_labels()[::-1]))
    figure.legend(drawn.values(), drawn.keys(), loc="outside lower center", ncols=columns or len(drawn), **options)


def middle_of(ax, start, stop):
    """The place on an axis of epochs that is seen half way between two others."""
    seen = ax.transScale.transform([(start, 0), (stop, 0)])
    return ax.transScale.inverted().transform(seen.mean(axis=0))[0]


def epoch_axis(ax, epochs):
    """Epochs on a symmetric log scale: the untrained network at 0, fractions of an epoch spread out."""
    ax.set_xscale("symlog", linthresh=0.5, linscale=0.5)
    last = max(epochs)
    ax.set_xlim(0, last)
    ticks = [tick for tick in ((0, 1, 4, 16, 64, 256) if last >= 4 else (0, 1, 2, 3)) if tick <= last]
    if last >= 1.5 * ticks[-1] > 0:  # room for its number
        ticks.append(last)
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.set_xlabel("epoch")
