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
        "| network | H: untrained → peak → end | by chance | N: untrained → least → end | peak at epoch "
        "| H_low − H_high at the end | phases |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in phases.itertuples():
        own = curves[curves.role == row.role].reset_index(drop=True)
        peak = own.H.idxmax()
        chosen = ratios[(ratios.role == row.role) & (ratios.samples == "all") & (ratios.epoch == own.epoch.max())]
        difference = chosen[chosen.quantity == "H_low - H_high"].iloc[0]
        last = own.index[-1]
        lines.append(
            f"| {row.role} | {own.H[0]:.2f} → {own.H[peak]:.2f} → {own.H[last]:.2f} "
            f"| {own.H_chance[0]:.2f} → {own.H_chance[peak]:.2f} → {own.H_chance[last]:.2f} "
            f"| {own.N[0]:.0f} → {own.N.min():.0f} → {own.N[last]:.0f} "
            f"| {row.t1:g} [{row.t1_low:g}, {row.t1_high:g}] "
            f"| {difference.value:.2f} [{difference.low:.2f}, {difference.high:.2f}] | {row.n_phases} |"
        )
    three = int((phases.n_phases == 3).sum())
    lines += [
        "",
        f"Three phases, each certain at the 95 % level, are found in {three} of {len(phases)} target networks. "
        f"H rises by {_span(phases.rise)} and falls by {_span(phases.fall)}; "
        f"non-generalizable interactions dominate what is newly learned from epoch {_onsets(phases.t2)}.",
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


def _span(values):
    return f"{values.min():.2f} to {values.max():.2f}"


def _onsets(values):
    return ", ".join("never" if value == float("inf") else f"{value:g}" for value in values)
