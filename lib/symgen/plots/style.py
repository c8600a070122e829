"""How every figure looks, and how it is kept."""

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from symgen.store import atomically

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
