"""The numbers of the README, from the tables of the last run."""

from pathlib import Path

import pandas as pd

from symgen.errors import InputError
from symgen.store import atomically
from symgen.study import project_root

MARKS = "<!-- results: written by `symgen readme` from figures/ -->\n", "<!-- end of results -->"


def results_text(figures: Path) -> str:
    """What the embedded study found, in sentences and a table (Markdown), from the CSV files beside its figures."""
    phases = _table(figures / "fashion-vgg" / "fig03_phases.csv")
    curves = _table(figures / "fashion-vgg" / "fig03_dynamics.csv")
    ratios = _table(figures / "fashion-vgg" / "fig02_ratios.csv")
    lines = [
        "| network | H: untrained → peak → end | by chance | N: untrained → least → end | H peaks at epoch (t1) | t2 "
        "| H_low − H_high at the end, by chance | verdict |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in phases.itertuples():
        own = curves[curves.role == row.role].reset_index(drop=True)
        first, peak, last = 0, own.H.idxmax(), own.index[-1]
        chosen = ratios[(ratios.role == row.role) & (ratios.samples == "all") & (ratios.epoch == own.epoch.max())]
        difference = chosen[chosen.quantity == "H_low - H_high"].iloc[0]
        t2 = "never" if row.t2 == float("inf") else f"{row.t2:g} [{row.t2_low:g}, {row.t2_high:g}]"
        lines.append(
            f"| {row.role} | {' → '.join(f'{own.H[at]:.2f}' for at in (first, peak, last))} "
            f"| {' → '.join(f'{own.H_chance[at]:.2f}' for at in (first, peak, last))} "
            f"| {own.N[first]:.0f} → {own.N.min():.0f} → {own.N[last]:.0f} "
            f"| {row.t1:g} [{row.t1_low:g}, {row.t1_high:g}] | {t2} "
            f"| {difference.value:.2f} [{difference.low:.2f}, {difference.high:.2f}], {difference.chance:.2f} "
            f"| {row.verdict} |"
        )
    n = len(phases)
    rises, falls = ((phases[f"excess_{turn}_low"] > 0).sum() for turn in ("rise", "fall"))
    lines += [
        "",
        f"H rises above chance with certainty in {rises} of {n} networks, and falls again in {falls} of {n}; "
        f"all three phases can be told apart in {(phases.n_phases == 3).sum()} of {n}. "
        "The whole 95 % interval of H_low − H_high is above what chance gives in "
        f"{_above_chance(ratios)} networks at the end of training.",
    ]
    return "\n".join(lines) + "\n"


def update_readme(root: Path | None = None) -> bool:
    """Write the results between their marks in README.md; whether that changed anything."""
    root = root or project_root()
    readme = root / "README.md"
    text = readme.read_text()
    if any(text.count(mark) != 1 for mark in MARKS):
        raise InputError(f"README.md must hold the line {MARKS[0].strip()!r} and the line {MARKS[1]!r}, once each")
    before, rest = text.split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    written = before + MARKS[0] + results_text(root / "figures") + MARKS[1] + after
    if written != text:
        atomically(readme, lambda path: path.write_text(written))
    return written != text


def _table(path):
    if not path.is_file():
        raise InputError(f"{path.name} is missing in figures/{path.parent.name}; `make figures` makes it")
    return pd.read_csv(path)


def _above_chance(ratios):
    own = ratios[(ratios.samples == "all") & (ratios.quantity == "H_low - H_high")]
    own = own[own.epoch == own.epoch.max()]
    return f"{(own.low > own.chance).sum()} of {len(own)}"
