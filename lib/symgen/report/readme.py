"""The numbers of the README, from the tables of the last run."""

from pathlib import Path

import pandas as pd

from symgen.errors import InputError
from symgen.generalization import CERTAIN
from symgen.report.run import EMBEDDED
from symgen.store import atomically, project_root

BESIDE = {  # controls of the penalty that know as much as it does
    "distilled": "with distillation from the same baselines by",
    "data": "with the baselines' data as further training data by",
}


def claims_text(root: Path) -> str:
    """Every claim in the embedded studies (Markdown), from figures/claims.csv: verdict, and the statistic that decided it.

    The others stand beside them in the picture of notebook 11: a table of all would be too wide to read.
    """
    table = _table(root / "figures" / "claims.csv")
    studies = [name for name in EMBEDDED if (table.study == name).any()]
    scales = table.groupby("study", sort=False)["scale"].first()
    lines = [f"| claim | paper | {' | '.join(studies)} |", "|---|---|" + "---|" * len(studies)]
    lines += [f"| *scale* | | {' | '.join(scales[study] for study in studies)} |"]
    for name, own in table.groupby("id", sort=False):
        cells = [_decided(own[own.study == study]) for study in studies]
        lines.append(f"| **{name}** {own.claim.iloc[0]} | {own.paper.iloc[0]} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _decided(parts):
    """A claim's verdict on one study, and the part that decided it: the first that is as bad as the whole."""
    if not len(parts):
        return "–"
    row = parts[parts.part_verdict == parts.verdict].iloc[0]
    control = "" if pd.isna(row.control) else f", control {row.control:.2g}"
    return f"**{row.verdict}**: {row.quantity} {row.value:.2g} [{row.low:.2g}, {row.high:.2g}] {row.rule}{control}"


def results_text(root: Path) -> str:
    """The dynamics in every study (Markdown), from the CSV files beside its figures: a row a network, and sentences."""
    folders = sorted(
        path.parent for path in (root / "figures").glob("*/fig03_phases.csv") if "+" not in path.parent.name
    )
    lines = [
        "| study, network | H: untrained → peak → end | by chance | N: untrained → least → end | H peaks at epoch (t1) | t2 "
        "| verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    said = []
    for folder in folders:
        phases, curves = (_table(folder / f"fig03_{name}.csv") for name in ("phases", "dynamics"))
        lines += [_network_row(folder.name, row, curves[curves.role == row.role]) for row in phases.itertuples()]
        said += ["", _phases_sentence(folder.name, phases)]
        if (folder / "fig05_judges.csv").is_file():  # not for language models
            said[-1] += f" {_judges_sentence(_table(folder / 'fig05_judges.csv'))}"
        if (folder / "figK_contrasts.csv").is_file():
            said[-1] += _penalty_sentence(_table(folder / "figK_contrasts.csv"))
    return "\n".join(lines + said) + "\n"


def _network_row(study, row, curve):
    curve = curve.reset_index(drop=True)
    ends = 0, curve.H.idxmax(), curve.index[-1]
    t2 = "never" if row.t2 == float("inf") else f"{row.t2:g} [{row.t2_low:g}, {row.t2_high:g}]"
    return (
        f"| {study}, {row.role} | {' → '.join(f'{curve.H[at]:.2f}' for at in ends)} "
        f"| {' → '.join(f'{curve.H_chance[at]:.2f}' for at in ends)} "
        f"| {curve.N[0]:.0f} → {curve.N.min():.0f} → {curve.N[ends[-1]]:.0f} "
        f"| {row.t1:g} [{row.t1_low:g}, {row.t1_high:g}] | {t2} | {row.verdict} |"
    )


def _phases_sentence(study, phases):
    n = len(phases)
    rises, falls = ((phases[f"excess_{turn}_low"] > 0).sum() for turn in ("rise", "fall"))
    return (
        f"*{study}*: H rises above chance with certainty in {rises} of {n} networks, and falls again in {falls} of {n}; "
        f"after the peak there comes a point from which mostly non-generalizable interactions are newly learned in "
        f"{(phases.t2_found >= CERTAIN).sum()} of {n}, which by the letter of the criterion makes three phases. "
        f"Whether a second phase lies between, one that contains a checkpoint, is certain in {(phases.n_phases == 3).sum()} "
        f"of {n}."
    )


def _judges_sentence(table):
    own = table[table.samples == "all"].set_index("judges")
    said = [f"{row.H:.2f} [{row.low:.2f}, {row.high:.2f}] by {name}" for name, row in own.iterrows()]
    return (
        "The first target's H at the end of training, as judged by baselines trained on other data (B, C), on the testing "
        f"samples (D), and by the negative control, networks trained on shuffled labels: {', '.join(said)}; by chance "
        f"{own.chance.min():.2f} to {own.chance.max():.2f}."
    )


def _penalty_sentence(table):
    """What the penalty and its nearest controls change against plain training; nothing without a second family of judges."""
    own = table[table.role == "all"].set_index("quantity")
    if not own.index.str.contains("by others").any():
        return ""

    def change(arm, quantity):
        row = own.loc[f"all samples: {quantity}, {arm} - plain"]
        return f"{row.value:+.3f} [{row.low:+.3f}, {row.high:+.3f}]"

    said = [f"{name} {change(arm, 'accuracy')} and {change(arm, 'H by others')}" for arm, name in BESIDE.items()]
    return (
        " Against plain training, accuracy on D, and H by baselines that no training was told of, change with the penalty "
        f"by {change('penalty', 'accuracy')} and {change('penalty', 'H by others')}; {'; '.join(said)}."
    )


def costs_text(root: Path) -> str:
    """What extraction and masked evaluation cost (Markdown), from the tables of the last `make bench`."""
    solver, values, metrics, penalty = (
        _table(root / "benchmarks" / "results" / f"{name}.csv") for name in ("solver", "values", "metrics", "penalty")
    )
    told = penalty[penalty.as_in_study]
    dearest = penalty[(penalty.samples == penalty.samples.max()) & (penalty.variables == penalty.variables.max())]
    always = 1 + dearest.penalty / dearest.plain
    tables = metrics.set_index("step")
    every = solver[solver.games == "all but white noise"].iloc[0]
    kinds = solver[~solver.games.str.contains("white noise")]
    others = ("HiGHS", "Clarabel", "published loop, first", "published loop, last")
    longer = [f"{of.min():,.0f} to {of.max():,.0f}" for of in (kinds[f"{name}, x ours"] for name in others)]
    lines = [
        f"Measured by the benchmarks, n = 10: interactions on {solver.hardware[0]}; the rest on {values.hardware[0]}.",
        "",
        "| step | ours | against |",
        "|---|---|---|",
        f"| sparse interactions of a sample, with certificate, one thread | median {every['median ms']:.1f} ms, mean "
        f"{every['mean ms']:.0f}, 95 of 100 within {every['p95 ms']:.0f} | the same problem in its sparse form: HiGHS "
        f"takes {longer[0]} times as long, Clarabel {longer[1]}; the published loop of 10,000 steps {longer[2]}, its "
        f"newest variant {longer[3]} |",
        f"| distance from the optimum | L1 {kinds['L1 above LP, %'].max():.2f} % above the linear program's, in the "
        "median of a kind of game at most | 9 to 197 %, where published settings stop |",
        f"| all 1,024 masked inputs | {values.ratio_to_plain.min():.2f} to {values.ratio_to_plain.max():.2f} times a plain "
        "forward pass of the layers after the cut | "
        f"{values.speedup_over_loop.min():.0f} to {values.speedup_over_loop.max():.0f} times faster than one at a time |",
        "| everything of notebooks 04 to 06, 200 samples at 15 checkpoints, one thread | "
        f"{tables.seconds['all']:.1f} s, of which {tables.seconds['judge']:.1f} s decide what generalizes | "
        f"the paper: 8 to 14 s to assess 100 samples; a loop over samples: {tables.loop_seconds['all']:.0f} s without "
        "intervals |",
        "| a training step with the penalty, as the studies take it, one thread | "
        f"{' and '.join(f'{row.times_longer:.1f} times ({row.study})' for row in told.itertuples())} a plain step | "
        f"every step, and {penalty.samples.max()} samples of {penalty.variables.max()} variables: "
        f"{always.min():.0f} to {always.max():.0f} times |",
    ]
    return "\n".join(lines) + "\n"


def scale_text(root: Path) -> str:
    """What the paper's studies would cost, and how long they would take (Markdown), from benchmarks/results/cost.csv."""
    table = _table(root / "benchmarks" / "results" / "cost.csv")
    steps, workers = ("training", "masked", "solving", "overhead"), [c for c in table if c.startswith("days_")]
    lines = [
        "| study | networks | units | core days: training | masked values | solving | overhead | "
        + " | ".join(f"days on {name.removeprefix('days_')}" for name in workers)
        + " |",
        "|---|---|---|" + "---|" * (len(steps) + len(workers)),
    ]
    for row in table.to_dict("records"):
        days = " | ".join(f"{row[name]:,.0f}" if row[name] >= 10 else f"{row[name]:.2g}" for name in (*steps, *workers))
        lines.append(f"| {row['study']} | {row['networks']} | {row['units']} | {days} |")
    one = table.iloc[0]
    kinds = [name.removesuffix("_training") for name in table if name.endswith("_training")]
    rates = [f"{one[kind + '_training']:.0f} and {one[kind + '_forward']:.0f} ({kind})" for kind in kinds]
    lines += [
        "",
        f"Measured on one core of {one.hardware.split(',')[0]}: 10⁹ floating-point operations a second in training and in "
        f"forward passes, {', '.join(rates)}; {one.solve:.2f} s to solve a sample of ten variables; and, added to every "
        f"unit of a cluster, {one.start:.1f} s to start it, {one['map']:.1f} s to read the map, {one.job:.2f} s of "
        "Snakemake.",
    ]
    return "\n".join(lines) + "\n"


SECTIONS = {"claims": claims_text, "results": results_text, "costs": costs_text, "scale": scale_text}


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


def _table(path):
    if not path.is_file():
        raise InputError(
            f"{path.name} is missing in {path.parent.name}/; `make figures` and `make bench` make the tables"
        )
    return pd.read_csv(path)
