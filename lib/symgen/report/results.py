"""What was found, in words: a few lines for the README, verdicts for docs/claims.md, networks for docs/results.md."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import ndtri

from symgen.errors import InputError
from symgen.generalization import LEVEL
from symgen.report._markdown import head, interval, intervals, line, read, span
from symgen.report.claims import (
    COLUMN_OF,
    COLUMNS,
    EMBEDDED,
    MORE_THAN_PLACEBO,
    VERDICTS,
    by_itself,
    claims,
    effects,
    known_value,
    mean_effects,
    readable,
)

HAIR = 0.1  # of an interval's width: nearer to the threshold it is reproduced by a hair
MIXED, NO_CONTROL = "without a majority", "no control"
MANY_NETWORKS = 10  # networks of a study whose numbers rest on many
SILENT = (NO_CONTROL, "not testable")  # what says nothing against a claim
CLEARLY = 0.1  # share by which a strength falls that is counted as falling
SUMS = "sums at order 1"  # a reading of the same interactions, among the variants of the ablations
WAYS_TO_TRAIN = {  # to train, against plain training
    "penalty": "the penalty",
    "distilled": "distillation from the same baselines",
    "data": "the baselines' data as further training data",
    "decay": "weight decay",
    "dropout": "dropout",
}


def answer_text(root: Path) -> str:
    """What became of the main claims (Markdown), from figures/claims.csv, a row each; and how many of the others."""
    of_statistics = _claims(root)
    table = readable(of_statistics)
    networks = table.groupby("study", sort=False).networks.max()
    where = f"(`{networks.index[0]}`)" if len(networks) == 1 else f"in {len(networks)} studies"
    main = table.id.map(lambda name: claims()[name].main)
    tested = f"{table.id.nunique()} claims were tested on {networks.sum()} small networks {where}"
    below = "The table gives the verdict of most studies that can test a claim; if none has most, all; –: no study."
    lines = [f"{tested}.{_of_training(root)}{_removed(of_statistics)} {below}", ""]
    lines += _verdict_rows(table[main], "docs/claims.md", "{claim}")
    if not main.all():
        lines += ["", _others(table[~main])]
    return "\n".join(lines) + "\n"


def _of_training(root):
    """In how many of the networks that were followed through training H rises and falls, and has three phases."""
    tables = _tables(root, "fig03_phases")
    if not tables:
        return ""
    number, turn = pd.concat(tables.values()).n_phases, sum(_turn(root, study) for study in tables)
    return (
        f" {len(number)} of these networks were followed through training. H certainly rises and falls, also above "
        f"chance, in {(number >= 2).sum()} if [their own samples](docs/results.md#the-phases) say where it peaks, in {turn} "
        f"if other networks do. Three phases are certain in {(number == 3).sum()}."
    )


def _removed(table):
    """By how much removal narrows the loss gap over all studies, by itself and beyond the placebo."""
    means = mean_effects(effects(table))
    means = means[(means.effect == "removal narrows the gap") & means.low.notna()].set_index("of")
    if len(means) < len(COLUMN_OF):
        return ""
    percent = 100 * means[["value", "low", "high"]]
    alone, beyond = (interval(*percent.loc[of], "z.0f") for of in COLUMN_OF)
    alone, beyond = alone.replace(" ", " % ", 1), beyond.replace(" ", " points ", 1)
    narrows = f"removal narrows the loss gap by {alone}, {beyond} more than a placebo"
    return f" On average over {means.studies.max()} studies, {narrows}."


def _turn(root, study):
    """In how many networks of a study H certainly rises and falls, also above chance, where the others place its peak."""
    turns = _table(root, study, "fig03_contrasts")
    sure = (turns.low > 0).groupby([turns.role, turns.quantity]).first().unstack()
    return sure[["H rises", "H falls", "H rises above chance", "H falls above chance"]].drop("all").all(axis=1).sum()


def _others(table):
    """How many of some claims have which verdict."""
    by_paper, beyond = (table.groupby("id")[column].agg(lambda of: _most(of)[0]) for column in COLUMNS)
    counts = by_paper.value_counts()
    words = {verdict: f"{counts[verdict]} {verdict}" for verdict in (*VERDICTS, MIXED) if verdict in counts}
    only = (by_paper == "reproduced") & ~beyond.isin(["reproduced", *SILENT])
    if only.any():
        words["reproduced"] += f" ({only.sum()} not against their control)"
    others = ", ".join(words.values())
    return f"The other {len(by_paper)}, as the paper measures them: {others} ([all](docs/results.md#at-a-glance))."


def verdicts_text(root: Path) -> str:
    """What became of every claim (Markdown), from figures/claims.csv: a row each."""
    return "\n".join(_verdict_rows(readable(_claims(root)), "claims.md", "{name} · {claim}")) + "\n"


def _verdict_rows(table, page, words):
    """Rows of a table in Markdown, one for each claim of a readable table: what most studies say of it, by column."""
    by_paper, beyond = COLUMNS
    lines = head("claim", COLUMNS[by_paper], "with ten networks", COLUMNS[beyond])
    for name, rows in table.groupby("id", sort=False):
        link = f"[{words.format(name=name, claim=_capital(rows.claim.iloc[0]))}]({page}#{name.lower()})"
        large = rows[by_paper][rows.networks >= MANY_NETWORKS]
        lines.append(line(link, in_most(rows[by_paper]), in_most(large) if len(large) else "–", in_most(rows[beyond])))
    return lines


def in_most(verdicts: pd.Series) -> str:
    """The verdict of more than half of the studies that could test a claim, and how many these are; else how many have each.

    Where most could not test it, that is said, too.
    """
    verdict, counts = _most(verdicts)
    tested, untested = counts.sum(), (verdicts == "not testable").sum()
    if verdict == MIXED:
        words = ", ".join(f"{count} {each}" for each, count in counts.items())
    else:
        words = f"{verdict}, {counts[verdict]} of {tested}" if tested > 1 else verdict
    return f"{words}; not testable in {untested}" if untested > tested > 0 else words


def _most(verdicts):
    """The verdict of more than half of the studies that could test it, and how often each was found."""
    asked = verdicts[verdicts != "–"]
    counts = asked.value_counts().reindex(VERDICTS[:3]).dropna().astype(int)
    if not counts.sum():
        return "not testable" if len(asked) else NO_CONTROL, counts
    most = counts.idxmax()
    return most if 2 * counts[most] > counts.sum() else MIXED, counts


def claims_text(root: Path) -> str:
    """Every claim in every study (Markdown), from figures/claims.csv: a row a statistic, with the rule that decides it."""
    table = _claims(root)
    lines = head("study", "its numbers rest on")
    lines += [line(study, scale) for study, scale in table.groupby("study", sort=False)["scale"].first().items()]
    for name, rows in table.groupby("id", sort=False):
        first, claim = rows.iloc[0], claims()[name]
        paper = first.paper if claim.later else f"the paper: {first.paper}"
        lines += ["", f"## {name}", "", f"{_capital(first.claim)}. {_capital(paper)}.", ""]
        means = re.sub(r"see \*(.+?)\*", lambda match: f"see [{match[1]}](results.md#{_anchor(match[1])})", claim.means)
        lines += [f"*The numbers*: {means}.", ""]
        lines += head("study (networks)", "verdict", "statistic", "value", "rule", "by itself")
        lines += _statistic_lines(rows)
    return "\n".join(lines) + "\n"


def _anchor(heading):
    return heading.lower().replace(" ", "-")


def close_text(root: Path) -> str:
    """How many verdicts there are, and which are reproduced by a hair (Markdown), from figures/claims.csv."""
    table = _claims(root)
    verdicts = table.drop_duplicates(["id", "study", "of"]).verdict
    statistics = (_rule_of(row) for row in table.itertuples())
    near = [one.beyond(low, high)[0] for one, low, high in zip(statistics, table.low, table.high)]
    close = table[(table.verdict == "reproduced") & (near < HAIR * (table.high - table.low))]
    close = close.drop_duplicates(["id", "study", "of"])
    where = "; ".join(
        f"{COLUMN_OF[of]}, {', '.join(f'{_to_claim(row.id)} in {row.study}' for row in rows.itertuples())}"
        for of, rows in close.groupby("of", sort=False)
    )
    untested = (verdicts == "not testable").sum()
    return (
        f"There are {len(verdicts) - untested} verdicts, and {untested} that are not testable; together they rest on "
        f"{len(table)} statistics. Of the {(verdicts == 'reproduced').sum()} that are reproduced, {len(close)} are so "
        "only just: an interval ends within a tenth of its width from the threshold. They may be chance, or a matter of how "
        f"the interval is taken{where and f': {where}'}.\n"
    )


def _to_claim(name):
    """A link from a page beside that of the claims."""
    return f"[{name}](claims.md#{_anchor(name)})"


def _rule_of(row):
    """The rule of a row of a table of claims."""
    quantity = row.quantity.removesuffix(MORE_THAN_PLACEBO)
    return next(one for one in claims()[row.id].statistics if one.of == row.of and re.fullmatch(one.quantity, quantity))


def rerun_text(root: Path) -> str:
    """What another run of a study gave (Markdown), from benchmarks/results/rerun.csv: a row a changed statistic."""
    table, lines = read(root / "benchmarks" / "results" / "rerun.csv"), []
    for study, rows in table.groupby("study", sort=False):
        resampled, verdicts = rows[rows.low_earlier < rows.high_earlier], rows.drop_duplicates(["id", "of"])
        inside = resampled.value.between(resampled.low_earlier, resampled.high_earlier).sum()
        of_values = f"{inside} of {len(resampled)} values lie in the interval of the earlier run"
        changed = f"{(verdicts.verdict != verdicts.verdict_earlier).sum()} of {len(verdicts)} verdicts changed"
        lines.append(f"- `{study}`: {of_values}, and {changed}.")
    lines += ["", *head("study", "claim", "statistic", "earlier", "now", "verdict on the claim")]
    for row in table[table.part_verdict != table.part_verdict_earlier].itertuples():
        values = interval(row.value_earlier, row.low_earlier, row.high_earlier), interval(row.value, row.low, row.high)
        both = f"{COLUMN_OF[row.of]}: {' → '.join(dict.fromkeys([row.verdict_earlier, row.verdict]))}"
        lines.append(line(row.study, _to_claim(row.id), row.quantity, *values, both))
    return "\n".join(lines) + "\n"


def _statistic_lines(rows):
    """Rows of the statistics of a claim; its study and its verdict stand in the first that they hold for."""
    studies, columns = (~rows.duplicated(names) for names in (["study"], ["study", "of"]))
    for row, new_study, new_column in zip(rows.itertuples(), studies, columns):
        verdict = f"{COLUMN_OF[row.of]}: **{row.verdict}**" if new_column else ""
        study = f"{row.study} ({row.networks})" if new_study else ""
        yield line(study, verdict, row.quantity, known_value(row), row.rule, by_itself(row))


def _capital(text):
    return text[0].upper() + text[1:]


def networks_text(root: Path) -> str:
    """The dynamics of every network (Markdown), from the tables beside the figures: a row a network."""
    lines = head(
        "study, network", "H: untrained → peak → end", "by chance", "training loss", "N: untrained → least (epoch) → end",
        "H peaks at epoch (t1)", "t2", "phases",
    )  # fmt: skip
    for study, phases in _tables(root, "fig03_phases").items():
        curves = _table(root, study, "fig03_dynamics")
        lines += [_network_line(study, row, curves[curves.role == row.role]) for row in phases.itertuples()]
    return "\n".join(lines) + "\n"


def _network_line(study, row, curve):
    curve = curve.reset_index(drop=True)
    turns, least = [0, curve.H.fillna(-1).idxmax(), curve.index[-1]], curve.N.fillna(np.inf).idxmin()
    return line(
        f"{study}, {row.role}",
        *(" → ".join(f"{value:.2f}" for value in curve[name][turns]) for name in ("H", "H_chance", "train_loss")),
        f"{curve.N[0]:.0f} → {curve.N[least]:.0f} ({curve.epoch[least]:g}) → {curve.N.iloc[-1]:.0f}",
        interval(row.t1, row.t1_low, row.t1_high, "g"),
        "never" if row.t2 == float("inf") else interval(row.t2, row.t2_low, row.t2_high, "g").replace("inf", "never"),
        row.verdict,
    )


def phases_text(root: Path) -> str:
    """In how many networks of each study H rises, falls, and three phases follow (Markdown), from fig03_phases, _shares."""
    lines = head(
        "study", "networks", "H rises and falls, its peak placed by the others",
        "H rises, its peak placed by its own samples", "and falls", "in three phases", "three phases, by the letter",
        "t2 comes",
    )  # fmt: skip
    for study, phases in _tables(root, "fig03_phases").items():
        certain = ((phases.n_phases >= number).sum() for number in (1, 2, 3))
        shares = _table(root, study, "fig03_shares")
        letter = shares.query("quantity == 'three phases, by the letter' and role != 'all'").value  # 0, 1 or NaN
        by_letter = f"{letter.sum():.0f} of {letter.count()}"
        counts = _turn(root, study), *certain, by_letter, np.isfinite(phases.t2).sum()
        lines.append(line(study, len(phases), *counts))
    return "\n".join(lines) + "\n"


def learned_text(root: Path) -> str:
    """What Appendix I says of strength, network by network (Markdown), from fig03_phases, _dynamics and _learning."""
    lines = head(
        "study", "networks", "phase 1 learns mostly what generalizes", "after t2 it is mostly what does not",
        "of what is learned after t2, share that generalizes", "by chance, about",
        "what does not generalize: falls by a tenth or more before t1", "is more at t1 than untrained",
        "untrained → t1 → end (log-odds)",
    )  # fmt: skip
    for study in _tables(root, "fig03_phases"):
        learned = learned_strengths(*(_table(root, study, f"fig03_{of}") for of in ("phases", "learning", "dynamics")))
        shares = ["–" if np.isnan(mean) else f"{mean:.2f}" for mean in learned[["share", "chance"]].mean()]
        means = " → ".join(f"{mean:.2g}" for mean in learned[["untrained", "at t1", "end"]].mean())
        counts = learned[["first", "after", "falls", "more"]].sum()
        lines.append(line(study, len(learned), *counts[:2], *shares, *counts[2:], means))
    return "\n".join(lines) + "\n"


def learned_strengths(phases: pd.DataFrame, learning: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """What each network learns, and how strong what does not generalize is: `_learned`, a row a network.

    phases, learning, curves: the tables fig03_phases, fig03_learning and fig03_dynamics of a study.
    """
    tables = learning, curves
    rows = [_learned(row, *(table[table.role == row.role] for table in tables)) for row in phases.itertuples()]
    return pd.DataFrame(rows)


def _learned(phases, learned, curve):
    """What a network learns, and how strong what does not generalize is.

    first: whether phase 1 learns mostly what generalizes. after: whether it is mostly the rest at all checkpoints from
    t2 on. share: of what is learned from then on, that which generalizes; chance: H's chance level then, weighted by what
    is learned. untrained, at t1, end: strength of the rest; falls: whether it falls by a tenth or more until t1;
    more: whether it is more then than untrained.
    """
    curve = curve.set_index("epoch")
    until, later = learned[learned.epoch <= phases.t1], learned[learned.epoch >= phases.t2]
    total, rest = later.delta_g + later.delta_n, curve.total - curve.generalizable
    untrained, at_t1, by_chance = *rest.loc[[0, phases.t1]], curve.H_chance[later.epoch].to_numpy()
    return {
        "first": until.delta_g.sum() > until.delta_n.sum(),
        "after": len(later) > 0 and (later.delta_g < later.delta_n).all(),
        "share": (later.delta_g / total.sum()).sum(min_count=1),
        "chance": (by_chance * total / total.sum()).sum(min_count=1),
        "untrained": untrained,
        "at t1": at_t1,
        "end": rest.iloc[-1],
        "falls": rest.loc[: phases.t1].min() < untrained * (1 - CLEARLY),
        "more": at_t1 > untrained,
    }


def sums_text(root: Path) -> str:
    """H and N of the first target, as it is and with sums of two variables at order 1 (Markdown), from fig05_sensitivity."""
    lines = head(
        "study", "sums of two variables", "H: untrained → peak → end", "H by chance", "N: untrained → least → end"
    )
    variants = {"as it is": "as the solver has them", SUMS: "at order 1"}
    courses = ("H", "best", ".2f"), ("chance", "best", ".2f"), ("N", "least", ".0f")
    for study, table in _tables(root, "fig05_sensitivity").items():
        rows = table[table.variant.isin(variants)]
        for row in rows.itertuples() if len(rows) == len(variants) else ():  # not of an earlier run
            cells = (
                " → ".join(f"{getattr(row, f'{what}_{t}'):{form}}" for t in ("first", turn, "last"))
                for what, turn, form in courses
            )
            lines.append(line(study, variants[row.variant], *cells))
    return "\n".join(lines) + "\n"


def sensitivity_text(root: Path) -> str:
    """With how many other settings H of the first target rises, falls, and three phases follow (Markdown)."""
    lines = head("study", "samples", "phases, unchanged settings", "other settings", "H rises", "and falls",
                 "in three phases")  # fmt: skip
    for study, table in _tables(root, "fig05_sensitivity").items():
        for samples, rows in table.groupby("samples", sort=False):
            as_it_is = rows.variant.str.startswith("as it is")
            others = rows.n_phases[~as_it_is & (rows.variant != SUMS)]
            before = rows.n_phases[as_it_is].iloc[0] if as_it_is.any() else "–"
            lines.append(line(study, samples, before, len(others), *((others >= n).sum() for n in (1, 2, 3))))
    return "\n".join(lines) + "\n"


def judges_text(root: Path) -> str:
    """H of the first target of each study by other judges (Markdown), from fig05_judges; by networks that know nothing."""
    tables = {study: table[table.samples == "all"] for study, table in _tables(root, "fig05_judges").items()}
    judges = list(dict.fromkeys(judge for table in tables.values() for judge in table.judges))
    lines = head("study", *(f"H by {judge}" for judge in judges), "by chance")
    for study, table in tables.items():
        by_judge = dict(zip(table.judges, intervals(table.rename(columns={"H": "value"}), ".2f")))
        lines.append(line(study, *(by_judge.get(judge, "–") for judge in judges), span(table.chance, ".2f")))
    return "\n".join(lines) + "\n"


def choices_text(root: Path) -> str:
    """How far the numbers of F2 and F3b move with the networks that judge (Markdown), from fig05_choices.

    The last column adds two variances: that of the claim's interval and that of the draw of judges, as of normal numbers.
    """
    lines = head("study", "mean over targets", "value and interval, judges held fixed", "by all choices of judges",
                 "standard deviation", "interval with the draw of judges, about")  # fmt: skip
    for study, table in _tables(root, "fig05_choices").items():
        claimed = pd.concat([_table(root, study, f"{name}_contrasts") for name in ("fig02", "fig03")])
        of_last = {name.removeprefix("H_low - H_high, "): name for name in table.quantity}  # as fig02 has them
        claimed = claimed[claimed.role == "all"].replace({"quantity": of_last}).set_index("quantity")
        table = table[table.quantity.isin(claimed.index)].reset_index(drop=True)  # of a run with other judges
        claimed = claimed.loc[table.quantity, ["value", "low", "high"]].reset_index()
        half = np.hypot((claimed.high - claimed.low) / 2, ndtri((1 + LEVEL) / 2) * table.sd)
        wider = claimed.assign(low=claimed.value - half, high=claimed.value + half)
        fixed, drawn = (intervals(numbers, "z.2f") for numbers in (claimed, wider))
        for i, row in table.iterrows():
            sd = "none" if np.isnan(row.sd) else f"{row.sd:.3f}"
            lines.append(line(study, row.quantity, fixed[i], span(row[["least", "most"]], ".2f"), sd, drawn[i]))
    return "\n".join(lines) + "\n"


def penalty_text(root: Path) -> str:
    """What plain training gives, and what other ways to train change (Markdown), from figK_values and figK_contrasts."""
    lines = head("study", "trained with", "accuracy on D", "H by others", "the same, above chance")
    quantities = ["accuracy", "H by others", "H by others, above chance"]
    for study, table in _tables(root, "figK_contrasts").items():
        changes = table[table.role == "all"].set_index("quantity")
        levels = _table(root, study, "figK_values")
        plain = levels.query("arm == 'plain' and setting == 'all samples'").set_index("quantity")
        lines.append(line(study, "nothing else: the levels", *intervals(plain.loc[quantities], ".3f")))
        for way, words in WAYS_TO_TRAIN.items():
            rows = changes.loc[[f"all samples: {what}, {way} - plain" for what in quantities]]
            lines.append(line(study, words, *intervals(rows, "+z.3f")))
    return "\n".join(lines) + "\n"


def means_text(root: Path) -> str:
    """How large the effects behind the claims are over all studies (Markdown), from figures/claims.csv."""
    table = readable_means(mean_effects(effects(_claims(root))))
    return "\n".join([*head(*table), *(line(*row) for row in table.itertuples(index=False))]) + "\n"


def readable_means(means: pd.DataFrame) -> pd.DataFrame:
    """A table of `claims.mean_effects` for reading: a row an effect, its means and the ranges of one more study."""
    further = {words: f"one more study, {words}" for words in COLUMN_OF.values()}
    rows = {}
    for row in means.itertuples():
        words, cells = COLUMN_OF[row.of], rows.setdefault(row.effect, {"effect": row.effect})
        cells["studies"] = ", ".join(means[means.effect == row.effect].studies.astype(str).unique())
        cells[words] = interval(row.value, row.low, row.high)
        cells[further[words]] = "none" if np.isnan(row.next_low) else f"{row.next_low:z.2f} to {row.next_high:z.2f}"
    columns = ["effect", "studies", *(column for pair in further.items() for column in pair)]
    return pd.DataFrame(rows.values(), columns=columns).fillna("none")


def _claims(root):
    """The claims of the last run; InputError for one that is no longer in claims.yaml."""
    table = read(root / "figures" / "claims.csv")
    if unknown := sorted({*table.id} - {*claims()}):
        raise InputError(f"claims.csv holds {unknown[0]!r}, claims.yaml does not; `symgen notebook 11` writes it again")
    return table


def _table(root, study, name):
    return read(root / "figures" / study / f"{name}.csv")


def _tables(root, name):
    """A table by study, of every study that has it among its figures, the embedded ones first."""
    folders = [path.parent for path in (root / "figures").glob(f"*/{name}.csv") if "+" not in path.parent.name]
    ordered = sorted(folders, key=lambda folder: (folder.name not in EMBEDDED, folder.name))
    return {folder.name: _table(root, folder.name, name) for folder in ordered}
