"""What computing costs, as README and docs say it: from the tables of the benchmarks."""

from pathlib import Path

from symgen.report._markdown import head, line, read, span

PUBLISHED = ("published loop, first", "published loop, last")  # as the solver's table names them


def commands_text(root: Path) -> str:
    """How long the README's commands take on each machine (Markdown), from benchmarks/results/run.csv: a row a command."""
    table = read(root / "benchmarks" / "results" / "run.csv")
    counts = table.cores.unique()  # one, mostly: then the head says it
    lines = head("command", f"minutes on {counts[0]} cores" if len(counts) == 1 else "minutes")
    shown = table[~table.command.str.contains("STUDY=")]
    for command, runs in shown.groupby(shown.command.str.split(", ").str[0], sort=False):  # without what ran beside it
        times = [
            f"{_minutes(run):.0f} ({_chip(hardware)}{'' if len(counts) == 1 else f', {run.cores.iloc[0]} cores'})"
            for hardware, run in runs.groupby("hardware", sort=False)
        ]
        lines.append(line(command, ", ".join(times)))
    return "\n".join(lines) + "\n"


def times_text(root: Path) -> str:
    """How long runs of all studies took (Markdown), from the same table: a row a command and machine."""
    lines, table = head("command", "minutes", "measured on"), read(root / "benchmarks" / "results" / "run.csv")
    for (command, hardware), run in table.groupby(["command", "hardware"], sort=False):
        what, *beside = command.split(", ")
        lines.append(line(what, f"{_minutes(run):.0f}", ", ".join([hardware, *beside])))
    return "\n".join(lines) + "\n"


def _chip(hardware):
    """The name of a processor, without marks."""
    return hardware.split(",")[0].replace("(R)", "").removesuffix(" Processor")


def _minutes(run):
    """Of a command, from the core seconds of its stages."""
    return run.seconds.sum() / run.cores.iloc[0] / 60


def costs_text(root: Path) -> str:
    """What extraction and masked evaluation cost (Markdown), from the tables of the last `make bench`."""
    names = {
        "solver": "interactions", "values": "masked values", "metrics": "notebooks", "penalty": "training steps",
        "precision": "a language model",
    }  # fmt: skip
    tables = {what: read(root / "benchmarks" / "results" / f"{name}.csv") for name, what in names.items()}
    solver, values, metrics, penalty, precision = tables.values()
    seconds, loop = (metrics.set_index("step")[name] for name in ("seconds", "loop_seconds"))
    lines = [
        f"Measured by the benchmarks, n = 10 (8 for the largest language model). {_where(tables)}",
        "",
        *head("step", "ours", "against"),
        *_solver_rows(solver),
        line(
            "all masked inputs of a sample",
            f"{span(values.ratio_to_plain, '.2f')} times a plain forward pass of what masking changes (of an image, all "
            "layers behind the cut)",
            f"{span(values.speedup_over_loop, '.0f')} times faster than one at a time",
        ),
        line(
            "everything of notebooks 04 to 06, 200 samples at 15 checkpoints, one thread",
            f"{seconds['all']:.1f} s, of which {seconds['judge']:.1f} s decide what generalizes",
            f"the paper: 8 to 14 s to assess 100 samples; a loop over samples: {loop['all']:.0f} s without intervals",
        ),
        _penalty_row(penalty),
        line(
            "masked values of a language model, SmolLM2-135M, autocast to bfloat16",
            f"{span(precision['times as fast'], '.1f')} times as fast as in float32",
            f"v moves by up to {100 * precision['most moved'].max():.0f} % of v(all) − v(none), of which the solver may "
            "call 4 % noise: so masked values have no such setting",
        ),
    ]
    return "\n".join(lines) + "\n"


def _where(tables):
    """On which hardware the tables were measured, a sentence each."""
    where = {}
    for what, table in tables.items():
        where.setdefault(table.hardware[0], []).append(what)
    return " ".join(f"On {hardware}: {', '.join(whats)}." for hardware, whats in where.items())


def _solver_rows(solver):
    """Time and precision of the solver, against other ways to solve the same problem."""
    ours = solver[solver.games == "all but white noise"].iloc[0]
    noise = solver[solver.games == "white noise"].iloc[0]
    kinds = solver[~solver.games.str.contains("white noise")]
    others = ("HiGHS", "Clarabel", *PUBLISHED)
    highs, clarabel, first, last = (span(kinds[f"{name}, x ours"], ",.0f") for name in others)
    first_far, last_far = (kinds[f"{name}, L1 above LP, %"] for name in PUBLISHED)
    return [
        line(
            "sparse interactions of a sample, with certificate, one thread",
            f"median {ours['median ms']:.1f} ms, mean {ours['mean ms']:.0f}, 95 of 100 within {ours['p95 ms']:.0f}",
            f"the same problem in its sparse form: HiGHS takes {highs} times as long, Clarabel {clarabel}; the published "
            f"loop of 10,000 steps {first}, its newest variant {last}",
        ),
        line(
            "the same of white noise, which no sparse sum gives",
            f"median {noise['median ms']:.0f} ms",
            f"HiGHS {noise['HiGHS, x ours']:.0f} times as long, Clarabel {noise['Clarabel, x ours']:.0f}",
        ),
        line(
            "distance from the optimum",
            f"total strength {kinds['L1 above LP, %'].max():.2f} % or less above the least possible (the median, for each "
            "kind of game)",
            f"the first published loop stops {first_far.min():,.0f} % above it or more, its newest variant "
            f"{span(last_far, ',.0f')} %",
        ),
    ]


def _penalty_row(penalty):
    most = penalty[(penalty.samples == penalty.samples.max()) & (penalty.variables == penalty.variables.max())]
    plain = penalty.groupby("study").plain.median()  # timed beside each of the others as well
    most = most.set_index("study").penalty / plain
    studies = [f"{row.times_longer:.1f} times ({row.study})" for row in penalty[penalty.as_in_study].itertuples()]
    return line(
        "a training step with the penalty, as the studies take it, one thread",
        f"{' and '.join(studies)} a plain step",
        f"every step, and {penalty.samples.max()} samples of {penalty.variables.max()} variables: "
        f"{span(1 + most, '.0f')} times",
    )


def run_text(root: Path) -> str:
    """Where the time of a run went (Markdown), from benchmarks/results/run.csv: what `symgen figures` left behind."""
    table = read(root / "benchmarks" / "results" / "run.csv")
    first = table.iloc[0]
    run = table[(table.command == first.command) & (table.hardware == first.hardware)]
    lines = [
        f"{first.command}, on {first.hardware}: {_minutes(run):.0f} minutes.",
        "",
        *head("stage", "core seconds", "share"),
    ]
    lines += [line(row.stage, f"{row.seconds:,.0f}", f"{row.share:.0%}") for row in run.itertuples()]
    return "\n".join(lines) + "\n"


def scale_text(root: Path) -> str:
    """What the paper's studies would cost, and how long they would take (Markdown), from benchmarks/results/cost.csv."""
    table = read(root / "benchmarks" / "results" / "cost.csv")
    steps, workers = ("training", "masked", "solving", "overhead"), [c for c in table if c.startswith("days_")]
    days = [f"days on {name.removeprefix('days_')} cores" for name in workers]
    work = (f"{step} (core days)" for step in ("training", "masked values", "solving", "overhead"))
    lines = head("study", "networks", "units", *work, *days)
    for row in table.to_dict("records"):
        numbers = [f"{row[name]:,.0f}" if row[name] >= 10 else f"{row[name]:.2g}" for name in (*steps, *workers)]
        lines.append(line(row["study"], row["networks"], row["units"], *numbers))
    one = table.iloc[0]
    kinds = [name.removesuffix("_training") for name in table if name.endswith("_training")]
    rates = [f"{one[kind + '_training']:.0f} and {one[kind + '_forward']:.0f} ({kind})" for kind in kinds]
    lines += [
        "",
        f"Measured on one core of {one.hardware.split(',')[0]}: its speed, in 10⁹ floating-point operations a second, in "
        f"training and in forward passes, {', '.join(rates)}; {one.solve:.2f} s to solve a sample of ten variables; and, "
        f"added to every unit of a cluster, {one.start:.1f} s to start it, {one['map']:.1f} s to read the map, "
        f"{one.job:.2f} s of Snakemake.",
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
