"""The pages that hold computed text: README.md and docs/, from the tables of the last run and from the settings."""

import typing
from pathlib import Path

import pandas as pd
import yaml

from symgen.errors import InputError
from symgen.generalization import CERTAIN
from symgen.store import atomically, project_root
from symgen.study import SECTIONS

EMBEDDED = ("fashion-vgg", "snippets-bert", "snippets-lm")  # studies whose data come with the project
BESIDE = {  # controls of the penalty that know as much as it does
    "distilled": "with distillation from the same baselines by",
    "data": "with the baselines' data as further training data by",
}


def claims_text(root: Path) -> str:
    """Every claim in the embedded studies (Markdown), from figures/claims.csv: both verdicts, and what decided the first.

    The others stand beside them in the picture of notebook 11: a table of all would be too wide to read.
    """
    table = _table(root / "figures" / "claims.csv")
    studies = [name for name in EMBEDDED if (table.study == name).any()]
    scales = table.groupby("study", sort=False)["scale"].first()
    lines = [*_head("claim", "paper", *studies), f"| *scale* | | {' | '.join(scales[study] for study in studies)} |"]
    for name, parts in table.groupby("id", sort=False):
        verdicts = [_decided(parts[parts.study == study]) for study in studies]
        lines.append(_row(f"**{name}** {parts.claim.iloc[0]}", parts.paper.iloc[0], *verdicts))
    return "\n".join(lines) + "\n"


def _decided(parts):
    """A claim's verdicts on one study, and the statistic that decided it: the first that is as bad as the whole."""
    if not len(parts):
        return "–"
    paper, control = (parts[parts.of == of] for of in ("paper", "control"))
    row = paper[paper.part_verdict == paper.verdict].iloc[0]
    beyond = f"; beyond its control **{control.verdict.iloc[0]}**" if len(control) else ""
    return f"**{row.verdict}**: {row.quantity} {row.value:z.2g} [{row.low:z.2g}, {row.high:z.2g}] {row.rule}{beyond}"


def results_text(root: Path) -> str:
    """The dynamics in every study (Markdown), from the CSV files beside its figures: a row a network, and sentences."""
    folders = sorted(
        path.parent for path in (root / "figures").glob("*/fig03_phases.csv") if "+" not in path.parent.name
    )
    ends = "H: untrained → peak → end", "by chance", "N: untrained → least → end"
    rows, sentences = _head("study, network", *ends, "H peaks at epoch (t1)", "t2", "verdict"), []
    for folder in folders:
        phases, curves = (_table(folder / f"fig03_{name}.csv") for name in ("phases", "dynamics"))
        rows += [_network_row(folder.name, row, curves[curves.role == row.role]) for row in phases.itertuples()]
        sentences += ["", _phases_sentence(folder.name, phases)]
        if (folder / "fig05_judges.csv").is_file():  # not for language models
            sentences[-1] += f" {_judges_sentence(_table(folder / 'fig05_judges.csv'))}"
        if (folder / "figK_contrasts.csv").is_file():
            sentences[-1] += _penalty_sentence(_table(folder / "figK_contrasts.csv"))
    return "\n".join(rows + sentences) + "\n"


def _network_row(study, row, curve):
    curve = curve.reset_index(drop=True)
    turns = [0, curve.H.fillna(-1).idxmax(), curve.index[-1]]
    return _row(
        f"{study}, {row.role}",
        " → ".join(f"{H:.2f}" for H in curve.H[turns]),
        " → ".join(f"{H:.2f}" for H in curve.H_chance[turns]),
        f"{curve.N[0]:.0f} → {curve.N.min():.0f} → {curve.N.iloc[-1]:.0f}",
        f"{row.t1:g} [{row.t1_low:g}, {row.t1_high:g}]",
        "never" if row.t2 == float("inf") else f"{row.t2:g} [{row.t2_low:g}, {row.t2_high:g}]",
        row.verdict,
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
    judges = table[table.samples == "all"].set_index("judges")
    values = [f"{row.H:.2f} [{row.low:.2f}, {row.high:.2f}] by {name}" for name, row in judges.iterrows()]
    return (
        "The first target's H at the end of training, as judged by baselines trained on other data (B, C), on the testing "
        f"samples (D), and by the negative control, networks trained on shuffled labels: {', '.join(values)}; by chance "
        f"{judges.chance.min():.2f} to {judges.chance.max():.2f}."
    )


def _penalty_sentence(table):
    """What the penalty and its nearest controls change against plain training; nothing without a second family of judges."""
    pooled = table[table.role == "all"].set_index("quantity")
    if not pooled.index.str.contains("by others").any():
        return ""

    def changes(arm):
        rows = [pooled.loc[f"all samples: {quantity}, {arm} - plain"] for quantity in ("accuracy", "H by others")]
        return " and ".join(f"{row.value:+z.3f} [{row.low:+z.3f}, {row.high:+z.3f}]" for row in rows)

    return (
        " Against plain training, accuracy on D, and H by baselines that no training was told of, change with the penalty "
        f"by {changes('penalty')}; {'; '.join(f'{words} {changes(arm)}' for arm, words in BESIDE.items())}."
    )


def costs_text(root: Path) -> str:
    """What extraction and masked evaluation cost (Markdown), from the tables of the last `make bench`."""
    solver, values, metrics, penalty = (
        _table(root / "benchmarks" / "results" / f"{name}.csv") for name in ("solver", "values", "metrics", "penalty")
    )
    seconds, loop = (metrics.set_index("step")[name] for name in ("seconds", "loop_seconds"))
    lines = [
        f"Measured by the benchmarks, n = 10: interactions on {solver.hardware[0]}; the rest on {values.hardware[0]}.",
        "",
        *_head("step", "ours", "against"),
        *_solver_rows(solver),
        _row(
            "all masked inputs of a sample",
            f"{_range(values.ratio_to_plain, '.2f')} times a plain forward pass of what has to be computed at least",
            f"{_range(values.speedup_over_loop, '.0f')} times faster than one at a time",
        ),
        _row(
            "everything of notebooks 04 to 06, 200 samples at 15 checkpoints, one thread",
            f"{seconds['all']:.1f} s, of which {seconds['judge']:.1f} s decide what generalizes",
            f"the paper: 8 to 14 s to assess 100 samples; a loop over samples: {loop['all']:.0f} s without intervals",
        ),
        _penalty_row(penalty),
    ]
    return "\n".join(lines) + "\n"


def _solver_rows(solver):
    """Time and precision of the solver, against other ways to solve the same problem."""
    ours = solver[solver.games == "all but white noise"].iloc[0]
    kinds = solver[~solver.games.str.contains("white noise")]
    others = ("HiGHS", "Clarabel", "published loop, first", "published loop, last")
    highs, clarabel, first, last = (_range(kinds[f"{name}, x ours"], ",.0f") for name in others)
    return [
        _row(
            "sparse interactions of a sample, with certificate, one thread",
            f"median {ours['median ms']:.1f} ms, mean {ours['mean ms']:.0f}, 95 of 100 within {ours['p95 ms']:.0f}",
            f"the same problem in its sparse form: HiGHS takes {highs} times as long, Clarabel {clarabel}; the published "
            f"loop of 10,000 steps {first}, its newest variant {last}",
        ),
        _row(
            "distance from the optimum",
            f"L1 {kinds['L1 above LP, %'].max():.2f} % above the linear program's, in the median of a kind of game at most",
            "9 to 197 %, where published settings stop",
        ),
    ]


def _penalty_row(penalty):
    most = penalty[(penalty.samples == penalty.samples.max()) & (penalty.variables == penalty.variables.max())]
    studies = [f"{row.times_longer:.1f} times ({row.study})" for row in penalty[penalty.as_in_study].itertuples()]
    return _row(
        "a training step with the penalty, as the studies take it, one thread",
        f"{' and '.join(studies)} a plain step",
        f"every step, and {penalty.samples.max()} samples of {penalty.variables.max()} variables: "
        f"{_range(1 + most.penalty / most.plain, '.0f')} times",
    )


def run_text(root: Path) -> str:
    """Where the time of a run went (Markdown), from benchmarks/results/run.csv: what `symgen figures` left behind."""
    table = _table(root / "benchmarks" / "results" / "run.csv")
    first = table.iloc[0]
    minutes = table.seconds.sum() / first.cores / 60
    lines = [
        f"`{first.command}` on {first.hardware}: {minutes:.0f} minutes.",
        "",
        *_head("stage", "core seconds", "share"),
    ]
    lines += [_row(row.stage, f"{row.seconds:,.0f}", f"{row.share:.0%}") for row in table.itertuples()]
    return "\n".join(lines) + "\n"


def scale_text(root: Path) -> str:
    """What the paper's studies would cost, and how long they would take (Markdown), from benchmarks/results/cost.csv."""
    table = _table(root / "benchmarks" / "results" / "cost.csv")
    steps, workers = ("training", "masked", "solving", "overhead"), [c for c in table if c.startswith("days_")]
    days = [f"days on {name.removeprefix('days_')}" for name in workers]
    lines = _head("study", "networks", "units", "core days: training", "masked values", "solving", "overhead", *days)
    for row in table.to_dict("records"):
        numbers = [f"{row[name]:,.0f}" if row[name] >= 10 else f"{row[name]:.2g}" for name in (*steps, *workers)]
        lines.append(_row(row["study"], row["networks"], row["units"], *numbers))
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


def settings_text(root: Path) -> str:
    """Every setting of a study's file (Markdown), by section: its values, its default as YAML, its meaning."""
    lines = []
    for section in SECTIONS:
        lines += ["", f"## {section.__name__.lower()}", "", section.__doc__, ""]
        lines += _head("setting", "values", "default", "meaning")
        for name, field in section.model_fields.items():
            default = "needed" if field.is_required() else f"`{_as_yaml(field.default)}`"
            meaning = " ".join(field.description.split()).replace("<", r"\<")
            lines.append(_row(f"`{name}`", _values(field.annotation), default, meaning))
    return "\n".join(lines[1:]) + "\n"


def _values(hint):
    """A setting's type in words."""
    options = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Literal:
        return ", ".join(f"`{option}`" for option in options)
    if typing.get_origin(hint) is tuple:
        inner = typing.get_args(options[0])[0] if typing.get_origin(options[0]) is typing.Annotated else options[0]
        return f"list of {inner.__name__}"
    return hint.__name__ if isinstance(hint, type) else str(hint).replace(" | ", " or ")


def _as_yaml(value):
    value = list(value) if isinstance(value, tuple) else value
    return yaml.safe_dump([value], default_flow_style=True)[1:-2]


PAGES = {  # by name of a section: the page, and what writes the section
    "claims": ("README.md", claims_text),
    "results": ("README.md", results_text),
    "costs": ("docs/costs.md", costs_text),
    "run": ("docs/costs.md", run_text),
    "scale": ("docs/costs.md", scale_text),
    "settings": ("docs/settings.md", settings_text),
}


def update_readme(root: Path | None = None) -> bool:
    """Write every section of PAGES between its marks in its page; whether that changed anything."""
    root = root or project_root()
    return any([_update(root / page, name, section(root)) for name, (page, section) in PAGES.items()])


def _update(page, name, section):
    before = page.read_text()
    start, stop = f"<!-- {name}: written by `symgen readme` -->\n", f"<!-- end of {name} -->"
    if before.count(start) != 1 or before.count(stop) != 1:
        raise InputError(f"{page.name} must hold the line {start.strip()!r} and the line {stop!r}, once each")
    head, rest = before.split(start)
    text = head + start + section + stop + rest.split(stop)[1]
    if text != before:
        atomically(page, lambda path: path.write_text(text))
    return text != before


def _row(*cells):
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def _head(*names):
    return [_row(*names), "|" + "---|" * len(names)]


def _range(values, form):
    """The least and the largest of some numbers."""
    return f"{values.min():{form}} to {values.max():{form}}"


def _table(path):
    if not path.is_file():
        raise InputError(
            f"{path.name} is missing in {path.parent.name}/; `make figures` and `make bench` make the tables"
        )
    return pd.read_csv(path)
