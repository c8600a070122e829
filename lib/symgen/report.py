"""The numbers of the README, from the tables of the last run."""

from pathlib import Path

import pandas as pd

from symgen.errors import InputError
from symgen.phases import CERTAIN
from symgen.store import atomically
from symgen.study import project_root


def results_text(root: Path) -> str:
    """What the embedded study found, in sentences and a table (Markdown), from the CSV files beside its figures."""
    figures = root / "figures"
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
        f"after the peak there comes a point from which mostly non-generalizable interactions are newly learned in "
        f"{(phases.t2_found >= CERTAIN).sum()} of {n}, which by the letter of the criterion makes three phases. "
        f"Whether a second phase lies between, one that contains a checkpoint, is certain in {(phases.n_phases == 3).sum()} "
        f"of {n}. "
        "The whole 95 % interval of H_low − H_high is above what chance gives in "
        f"{_above_chance(ratios)} networks at the end of training.",
    ]
    return "\n".join(lines) + "\n"


def costs_text(root: Path) -> str:
    """What extraction and masked evaluation cost (Markdown), from the tables of the last `make bench`."""
    solver, values = (_table(root / "benchmarks" / "results" / f"{name}.csv") for name in ("solver", "values"))
    batch = solver[solver.games == "all"].iloc[0]
    first, last = (solver[f"published loop, {which}, x ours"].dropna() for which in ("first", "last"))
    lines = [
        f"Measured by `make bench` on {values.hardware[0]}; n = 10.",
        "",
        "| step | ours | against |",
        "|---|---|---|",
        f"| sparse extraction with certificate | {batch['ms per sample']:.0f} ms a sample, {batch.samples} at a time | "
        f"{first.min():.0f} to {first.max():.0f} times faster than the published loop of 10,000 steps, "
        f"{last.min():.0f} to {last.max():.0f} times than its newest variant |",
        f"| distance from the optimum | L1 at most {solver['L1 above LP, %'].max():.2f} % above the linear program's | "
        "9 to 197 %, where published settings stop |",
        f"| all 1,024 masked inputs | {values.ratio_to_plain.min():.2f} to {values.ratio_to_plain.max():.2f} times a plain "
        "forward pass of the layers after the cut | "
        f"{values.speedup_over_loop.min():.0f} to {values.speedup_over_loop.max():.0f} times faster than one at a time |",
    ]
    return "\n".join(lines) + "\n"


SECTIONS = {"results": results_text, "costs": costs_text}


def update_readme(root: Path | None = None) -> bool:
    """Write every section of SECTIONS between its marks in README.md; whether that changed anything."""
    root = root or project_root()
    readme = root / "README.md"
    text = before = readme.read_text()
    for name, section in SECTIONS.items():
        start, stop = f"<!-- {name}: written by `symgen readme` -->\n", f"<!-- end of {name} -->"
        if text.count(start) != 1 or text.count(stop) != 1:
            raise InputError(f"README.md must hold the line {start.strip()!r} and the line {stop!r}, once each")
        head, rest = text.split(start)
        text = head + start + section(root) + stop + rest.split(stop)[1]
    if text != before:
        atomically(readme, lambda path: path.write_text(text))
    return text != before


def _above_chance(ratios):
    own = ratios[(ratios.samples == "all") & (ratios.quantity == "H_low - H_high")]
    own = own[own.epoch == own.epoch.max()]
    return f"{(own.low > own.chance).sum()} of {len(own)}"


def _table(path):
    if not path.is_file():
        raise InputError(
            f"{path.name} is missing in {path.parent.name}/; `make figures` and `make bench` make the tables"
        )
    return pd.read_csv(path)
