"""How every figure looks, and how it is kept."""

from contextlib import contextmanager
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib import rc_params_from_file
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from symgen.store import atomically

# one colour a role; dark against light, so that they differ in grey as well
COLOURS = {
    "generalizable": "#1b6b3a",
    "non-generalizable": "#efb261",
    "and": "#2b5c8a",
    "or": "#d98c5f",
    "positive": "#1f8a70",
    "negative": "#b8327a",
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


STYLE = Path(__file__).with_name("figures.mplstyle")


def use_style() -> None:
    """The project's figure style, for every figure made from now on."""
    plt.style.use(STYLE)


@contextmanager
def in_style():
    """The project's figure style, for the figures made inside this context.

    matplotlib's own context would also undo that a notebook shows its figures, which begins with the first of them.
    """
    style = rc_params_from_file(STYLE, use_default_template=False)
    before = {name: plt.rcParams[name] for name in style}
    plt.rcParams.update(style)
    try:
        yield
    finally:
        plt.rcParams.update(before)


def tint(value: float, largest: float) -> tuple[float, float, float, float]:
    """A colour (red, green, blue, alpha) by the sign of a value, the fuller the nearer it is to the largest one."""
    return to_rgba(COLOURS["positive" if value > 0 else "negative"], 0.7 * min(1, abs(value) / (largest or 1)))


def signed(value: float) -> str:
    """A number with its sign, two digits, as labels show it; 0 has no sign."""
    return f"{value:+.2g}".replace("-", "−") if value else "0"


def save(figure: Figure, table: pd.DataFrame, folder: Path, name: str) -> None:
    """Write `<name>.png` and, beside it, the table it shows as `<name>.csv`; the same table gives the same bytes."""
    atomically(folder / f"{name}.png", lambda path: figure.savefig(path, metadata={"Software": None}))
    save_table(table, folder, name)


def save_table(table: pd.DataFrame, folder: Path, name: str) -> None:
    """Write `<name>.csv`, six digits a number."""
    atomically(folder / f"{name}.csv", lambda path: table.to_csv(path, index=False, float_format="%.6g"))


def legend_of(ax, roles, labels, **options):
    """A legend of coloured squares, a label a role."""
    ax.legend([Rectangle((0, 0), 1, 1, color=COLOURS[role]) for role in roles], labels, **options)


def epoch_axis(ax, epochs):
    """Epochs on a symmetric log scale: the untrained network at 0, fractions of an epoch spread out."""
    ax.set_xscale("symlog", linthresh=0.5, linscale=0.5)
    ax.set_xlim(0, max(epochs))
    ticks = [tick for tick in (0, 1, 4, 16, 64, 256) if tick <= max(epochs)]
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.minorticks_off()
    ax.set_xlabel("epoch")
