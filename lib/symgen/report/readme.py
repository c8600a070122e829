"""The pages that hold computed text: README.md and docs/, from the tables of the last run and from the settings."""

import json
import re
import textwrap
import typing
from pathlib import Path

import yaml
from PIL import Image

from symgen.errors import InputError
from symgen.report import results
from symgen.report._markdown import head, line, read, span
from symgen.report.claims import EMBEDDED
from symgen.store import project_root, write_whole
from symgen.study import SECTIONS, Study, pipeline

NUMBERS = 700  # letters of a picture's numbers on a page, at most
IDEA = "fig01_idea"  # the README's picture, and the table of the interactions on it


def draw_idea(root: Path) -> None:
    """Draw the README's picture, from tables of the first embedded study and one of its images."""
    import matplotlib.pyplot as plt  # a second of every start

    from symgen import plots

    folder, study = root / "figures" / EMBEDDED[0], Study.load(EMBEDDED[0])
    table, curve, phases = (read(folder / f"{name}.csv") for name in (IDEA, "fig01_phases", "fig03_phases"))
    (picture,) = pipeline.load_data(study).pictures(table["item"].unique())
    samples = 2 * study.dynamics.explain_classes * study.dynamics.explain_per_class  # training and testing ones
    with plots.in_style():
        figure = plots.idea(table, picture, study.grid, curve, phases, len(study.baselines), samples)
        plots.save(figure, table, folder, IDEA)
    plt.close(figure)


def commands_text(root: Path) -> str:
    """How long the README's commands take (Markdown), from benchmarks/results/run.csv."""
    lines = head("command", "minutes", "measured on")
    table = read(root / "benchmarks" / "results" / "run.csv")
    for (command, hardware), run in table.groupby(["command", "hardware"], sort=False):
        what, *beside = command.split(", ")
        lines.append(line(what, f"{_minutes(run):.0f}", ", ".join([hardware, *beside])))
    return "\n".join(lines) + "\n"


def _minutes(run):
    """Of a command, from the core seconds of its stages."""
    return run.seconds.sum() / run.cores.iloc[0] / 60


def notebooks_text(root: Path) -> str:
    """The notebooks (Markdown), as each says itself in its first cell: its question, the paper's figures, its time."""
    lines = head("notebook", "question", "figures of the paper", "time")
    for path in sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        if ".failed" not in path.name:
            lines.append(line(f"[{path.stem}](notebooks/{path.name})", *_first_cell(path)))
    return "\n".join(lines) + "\n"


def _first_cell(path):
    """What the first cell of a notebook says of its question, of what it repeats of the paper, and of its time."""
    text = "".join(json.loads(path.read_bytes())["cells"][0]["source"])
    parts = [
        re.search(begin + r" (.+?)(?= \*\*|\n|$)", text)
        for begin in (r"\*\*Question\.\*\*", r"\*Repeats", r"\*\*Time\*\*")
    ]
    if None in parts:
        raise InputError(f"{path.name} must say *Repeats .., **Question.** and **Time** in its first cell")
    question, repeats, time = (part[1].rstrip(".") for part in parts)
    places = re.findall(r"\d+|Table \d+|Appendix [A-Z]", re.sub(r"\(.*?\)", "", repeats))  # figures, tables, appendices
    return question, ", ".join(place.replace("Appendix", "App.") for place in places) or "–", time


def costs_text(root: Path) -> str:
    """What extraction and masked evaluation cost (Markdown), from the tables of the last `make bench`."""
    names = ("solver", "values", "metrics", "penalty", "precision")
    solver, values, metrics, penalty, precision = (
        read(root / "benchmarks" / "results" / f"{name}.csv") for name in names
    )
    seconds, loop = (metrics.set_index("step")[name] for name in ("seconds", "loop_seconds"))
    lines = [
        f"Measured by the benchmarks, n = 10: interactions on {solver.hardware[0]}; the rest on {values.hardware[0]}.",
        "",
        *head("step", "ours", "against"),
        *_solver_rows(solver),
        line(
            "all masked inputs of a sample",
            f"{span(values.ratio_to_plain, '.2f')} times a plain forward pass of what has to be computed at least",
            f"{span(values.speedup_over_loop, '.0f')} times faster than one at a time",
        ),
        line(
            "everything of notebooks 04 to 06, 200 samples at 15 checkpoints, one thread",
            f"{seconds['all']:.1f} s, of which {seconds['judge']:.1f} s decide what generalizes",
            f"the paper: 8 to 14 s to assess 100 samples; a loop over samples: {loop['all']:.0f} s without intervals",
        ),
        _penalty_row(penalty),
        line(
            "masked values of a language model, SmolLM2-135M, autocast to bfloat16, on "
            + precision.hardware[0].split(",")[0],
            f"{span(precision['times as fast'], '.1f')} times as fast as in float32",
            f"v moves by up to {100 * precision['most moved'].max():.0f} % of v(all) − v(none), of which the solver may "
            "call 4 % noise: so masked values have no such setting",
        ),
    ]
    return "\n".join(lines) + "\n"


def _solver_rows(solver):
    """Time and precision of the solver, against other ways to solve the same problem."""
    ours = solver[solver.games == "all but white noise"].iloc[0]
    kinds = solver[~solver.games.str.contains("white noise")]
    others = ("HiGHS", "Clarabel", "published loop, first", "published loop, last")
    highs, clarabel, first, last = (span(kinds[f"{name}, x ours"], ",.0f") for name in others)
    return [
        line(
            "sparse interactions of a sample, with certificate, one thread",
            f"median {ours['median ms']:.1f} ms, mean {ours['mean ms']:.0f}, 95 of 100 within {ours['p95 ms']:.0f}",
            f"the same problem in its sparse form: HiGHS takes {highs} times as long, Clarabel {clarabel}; the published "
            f"loop of 10,000 steps {first}, its newest variant {last}",
        ),
        line(
            "distance from the optimum",
            f"L1 {kinds['L1 above LP, %'].max():.2f} % above the linear program's, in the median of a kind of game at most",
            "9 to 197 %, where published settings stop",
        ),
    ]


def _penalty_row(penalty):
    most = penalty[(penalty.samples == penalty.samples.max()) & (penalty.variables == penalty.variables.max())]
    studies = [f"{row.times_longer:.1f} times ({row.study})" for row in penalty[penalty.as_in_study].itertuples()]
    return line(
        "a training step with the penalty, as the studies take it, one thread",
        f"{' and '.join(studies)} a plain step",
        f"every step, and {penalty.samples.max()} samples of {penalty.variables.max()} variables: "
        f"{span(1 + most.penalty / most.plain, '.0f')} times",
    )


def run_text(root: Path) -> str:
    """Where the time of a run went (Markdown), from benchmarks/results/run.csv: what `symgen figures` left behind."""
    table = read(root / "benchmarks" / "results" / "run.csv")
    run = table[table.command == table.command.iloc[0]]
    lines = [
        f"{run.command.iloc[0]}, on {run.hardware.iloc[0]}: {_minutes(run):.0f} minutes.",
        "",
        *head("stage", "core seconds", "share"),
    ]
    lines += [line(row.stage, f"{row.seconds:,.0f}", f"{row.share:.0%}") for row in run.itertuples()]
    return "\n".join(lines) + "\n"


def scale_text(root: Path) -> str:
    """What the paper's studies would cost, and how long they would take (Markdown), from benchmarks/results/cost.csv."""
    table = read(root / "benchmarks" / "results" / "cost.csv")
    steps, workers = ("training", "masked", "solving", "overhead"), [c for c in table if c.startswith("days_")]
    days = [f"days on {name.removeprefix('days_')}" for name in workers]
    lines = head("study", "networks", "units", "core days: training", "masked values", "solving", "overhead", *days)
    for row in table.to_dict("records"):
        numbers = [f"{row[name]:,.0f}" if row[name] >= 10 else f"{row[name]:.2g}" for name in (*steps, *workers)]
        lines.append(line(row["study"], row["networks"], row["units"], *numbers))
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


def growth_text(root: Path) -> str:
    """How the cost of a study grows (Markdown), from benchmarks/results/study.csv."""
    table = read(root / "benchmarks" / "results" / "study.csv")
    stages = [name for name in table if name not in ("what", "number", "hardware")]
    lines = head("what grows", "to", *stages)
    for row in table.to_dict("records"):
        lines.append(line(row["what"], row["number"], *(f"{row[name]:.1f}" for name in stages)))
    return "\n".join([*lines, "", f"Core seconds, and seconds by the clock, on {table.hardware[0]}.", ""])


def settings_text(root: Path) -> str:
    """Every setting of a study's file (Markdown), by section: its values, its default as YAML, its meaning."""
    lines = []
    for section in SECTIONS:
        lines += ["", f"## {section.__name__.lower()}", "", section.__doc__, ""]
        lines += head("setting", "values", "default", "meaning")
        for name, field in section.model_fields.items():
            default = "needed" if field.is_required() else f"`{_as_yaml(field.default)}`"
            meaning = " ".join(field.description.split()).replace("<", r"\<")
            lines.append(line(f"`{name}`", _values(field.annotation), default, meaning))
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
    style = '"' if isinstance(value, str) and "\n" in value else None  # a table's row is one line
    return yaml.safe_dump([value], default_flow_style=True, default_style=style)[1:-2]


README, RESULTS, COSTS = "README.md", "docs/results.md", "docs/costs.md"
PAGES = {  # by name of a section: the page, and what writes the section
    "answer": (README, results.answer_text),
    "commands": (README, commands_text),
    "notebooks": (README, notebooks_text),
    "verdicts": (RESULTS, results.verdicts_text),
    "claims": (RESULTS, results.claims_text),
    "networks": (RESULTS, results.networks_text),
    "phases": (RESULTS, results.phases_text),
    "sensitivity": (RESULTS, results.sensitivity_text),
    "judges": (RESULTS, results.judges_text),
    "penalty": (RESULTS, results.penalty_text),
    "costs": (COSTS, costs_text),
    "run": (COSTS, run_text),
    "growth": (COSTS, growth_text),
    "scale": (COSTS, scale_text),
    "settings": ("docs/settings.md", settings_text),
}


def update_readme(root: Path | None = None) -> bool:
    """Draw the README's picture, write every section of PAGES between its marks, and let pictures say their numbers.

    Whether that changed any page.
    """
    root = root or project_root()
    draw_idea(root)
    changed = [_update(root / page, name, section(root)) for name, (page, section) in PAGES.items()]
    return any([*changed, *(_write(root / page, with_numbers(root / page)) for page in (README, RESULTS))])


def with_numbers(page: Path) -> str:
    """The text of a page whose pictures say in their alt text, after its own words, the numbers that their files hold."""

    def described(match):
        if not (page.parent / match["file"]).exists():  # a study that was not run here
            return match[0]
        numbers = Image.open(page.parent / match["file"]).text.get("Description", "")
        numbers = _whole_sentences(re.sub(r"[][]", "", numbers))
        return f"![{match['words']}{f'. In numbers: {numbers}' if numbers else ''}]({match['file']})"

    picture = r"!\[(?P<words>[^]]*?)(\. In numbers: [^]]*)?\]\((?P<file>\S+\.png)\)"
    return re.sub(picture, described, page.read_text("utf-8"))


def _whole_sentences(text):
    """As many sentences as `NUMBERS` letters hold; of a single one that is longer, its beginning."""
    end = len(text) if len(text) <= NUMBERS else text[:NUMBERS].rfind(". ") + 1
    return text[:end].rstrip(".") if end else textwrap.shorten(text, NUMBERS, placeholder=" …")


def _update(page, name, section):
    before = page.read_text("utf-8")
    start, stop = f"<!-- {name}: written by `symgen readme` -->\n", f"<!-- end of {name} -->"
    if before.count(start) != 1 or before.count(stop) != 1:
        raise InputError(f"{page.name} must hold the line {start.strip()!r} and the line {stop!r}, once each")
    above, rest = before.split(start)
    return _write(page, above + start + section + stop + rest.split(stop)[1])


def _write(page, text):
    """Whether that changes the page."""
    changed = text != page.read_text("utf-8")
    if changed:
        write_whole(page, text.encode())
    return changed
