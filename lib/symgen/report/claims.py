"""The paper's claims, decided by the rules of claims.yaml, on the tables of every study."""

import re
from collections.abc import Iterable
from datetime import date
from functools import cache
from itertools import product
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import stdtrit

from symgen.errors import InputError
from symgen.generalization import FEWEST_SAMPLES, LEVEL, OverStudies, exact_share, over_studies
from symgen.report._markdown import head, interval, line
from symgen.study import Study, notebooks, pipeline, study_names

VERDICTS = ("reproduced", "undecided", "not reproduced", "not testable")
EMBEDDED = ("fashion-vgg", "snippets-bert", "snippets-lm")  # studies whose data come with the project
COLUMNS = {"verdict": "as the paper measures it", "beyond": "against its control"}  # of what is read
COLUMN_OF = dict(zip(("paper", "control"), COLUMNS.values()))  # the same, by what a statistic is of
BRIEFLY = (
    "*In brackets: 95 % intervals. The worst number decides the claim ([the verdicts](11_claims.ipynb#The-rule)).*"
)
RULES = (  # folded: an empty line ends what is HTML
    "<details><summary>The rule of each number</summary>\n\nWhere the whole interval has to lie and, after *reaches*, how "
    "far beyond that its far end must come; *ours*: the paper gives no threshold.\n\n{}\n\n</details>"
)
MORE_THAN_PLACEBO = ", more than the placebo"  # what the difference to the placebo is called
EFFECTS = {  # how large: what is seen, of which claims, the statistic of the paper, that of the control, the unit
    "low orders generalize better": (["F2"], "H_low - H_high", "above chance", "share of strength"),
    "H rises": (["F3b"], "H rises", "H rises above chance", "share of strength"),
    "H falls": (["F3b"], "H falls", "H falls above chance", "share of strength"),
    "what is learned later generalizes less": (
        ["F3e"], "share that generalizes, first phase - last", "share that generalizes above chance, first phase - last",
        "share of strength",
    ),
    "removal narrows the gap": (
        ["F4"], "gap narrowed by, share of the gap", f"gap narrowed by, share of the gap{MORE_THAN_PLACEBO}",
        "share of the gap",
    ),
    "the penalty raises H": (
        ["K1"], "all samples: H by others, penalty - plain", "all samples: H by others, penalty - distilled",
        "share of strength",
    ),
    "the penalty raises the accuracy": (
        ["K2", "K3"], "all samples: accuracy, penalty - plain", "all samples: accuracy, penalty - distilled",
        "share of items",
    ),
    "the penalty raises the accuracy with few samples": (
        ["K4"], "few samples: accuracy, penalty - plain", "few samples: accuracy, penalty - distilled", "share of items",
    ),
}  # fmt: skip
MOST_TIMES = 1000  # times the samples and networks: more would be no plan
FEW_TIMES = 20  # times: of more, the number means little
LEARNED_TABLE = "fig06_learned"  # the table that says whether networks have learned anything


class Decision(NamedTuple):
    """verdict: one of `VERDICTS`. how: contrary, negligible or neither, where not reproduced. more: about how many times as
    many samples and networks would decide what is undecided, inf where not even `MOST_TIMES` would; NaN else, and where an
    interval has no width.
    """

    verdict: str
    how: str = ""
    more: float = np.nan


class Statistic(BaseModel):
    """A row of a table, and the rule that decides it; claims.yaml says what each field means."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    quantity: str
    of: Literal["paper", "control"]
    expected: Literal["above", "below", "within"] = "above"
    threshold: float = 0.0
    center: float = 0.0
    sesoi: float = Field(0.0, ge=0)
    ours: bool = False
    columns: Literal["", "versus"] = ""
    beside: str = ""
    best: float = 0.0
    optional: bool = False
    share_of_networks: bool = False
    needs_width: bool = False

    @property
    def rule(self) -> str:
        """The rule in words."""
        if self.expected == "within":
            return f"within {self.threshold:g} of {self.center:g}{', ours' if self.ours else ''}"
        sign = {"above": ">", "below": "<"}[self.expected]
        reach = f", reaches {self.sesoi:g} more" if self.sesoi else ""
        return f"{sign} {self.threshold:g}{reach}{', ours' if self.ours else ''}"

    def has_room(self, table: pd.DataFrame) -> bool:
        """Whether the best possible value is a smallest effect of interest or more away from the row that `beside` names."""
        values = table.value[table.quantity == self.beside]
        return not (abs(self.best - values) < self.sesoi).any()

    def decide(self, low: float, high: float, networks: int = 1) -> Decision:
        """What a 95 % interval says, of the mean over so many networks."""
        if not np.isfinite([low, high]).all():
            return Decision("not testable")
        if self.needs_width and low == high:
            return Decision("undecided")
        if self.expected == "within":
            return self._within(low - self.center, high - self.center, networks)
        low, high = self.beyond(low, high)
        if low > 0 and high >= self.sesoi:
            return Decision("reproduced")
        if high < self.sesoi:
            small = "negligible" if low > -self.sesoi else ""  # else it may be large, the other way
            return Decision("not reproduced", "contrary" if high < 0 else small)
        half, value = (high - low) / 2, (high + low) / 2
        room = max(abs(value) if value > 0 or not self.sesoi else 0.0, self.sesoi - value)
        return Decision("undecided", more=_times_as_much(half, room, networks))

    def beyond(self, low: float, high: float) -> tuple[float, float]:
        """How far an interval lies beyond the threshold, in the expected direction: its near end and its far one."""
        if self.expected == "within":
            return tuple(sorted(self.threshold - abs(bound - self.center) for bound in (low, high)))
        sign = -1 if self.expected == "below" else 1
        return tuple(sorted(sign * (bound - self.threshold) for bound in (low, high)))

    def _within(self, low, high, networks):
        """An interval, less the center, that has to lie within the threshold of 0."""
        if max(-low, high) < self.threshold:
            return Decision("reproduced")
        if low > self.threshold or high < -self.threshold:
            return Decision("not reproduced", "contrary")
        room = abs(self.threshold - abs(high + low) / 2)
        return Decision("undecided", more=_times_as_much((high - low) / 2, room, networks))

    def decide_share(self, share: float, networks: int) -> Decision:
        """What a share of so many networks says, by its exact interval.

        Not testable with so few that neither none nor all of them would decide.
        """

        def decided(share, n):
            return self.decide(*exact_share(round(share * n), n)[1:])

        if not networks or all(decided(extreme, networks).verdict == "undecided" for extreme in (0, 1)):
            return Decision("not testable")
        decision = decided(share, networks)
        if decision.verdict != "undecided":
            return decision
        enough = (times for times in range(2, MOST_TIMES) if decided(share, times * networks).verdict != "undecided")
        return Decision("undecided", more=next(enough, np.inf))


def _times_as_much(half, room, networks):
    """How many times the samples and networks shrink half an interval to `room`, about.

    It goes down with the root of their number and, where networks are few, with the quantile of Student's t. Its degrees of
    freedom are those of networks alone: where samples vary as well, it takes more.
    """
    times = np.geomspace(1, MOST_TIMES, 4000)
    quantile = stdtrit(networks * times - 1, (1 + LEVEL) / 2) if networks > 1 else np.ones_like(times)
    enough = half * quantile / quantile[0] <= room * np.sqrt(times)
    return times[enough.argmax()] if enough.any() else np.inf


class Claim(BaseModel):
    """What the paper says and reports, the statistics that decide it and what these are, and the studies that are asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    says: str
    means: str
    paper: str
    since: date
    table: str
    statistics: tuple[Statistic, ...]
    main: bool = False
    later: str = ""
    notebook: str = ""
    needs: str = ""
    modality: str = ""
    setting: str = ""
    of_any_network: bool = False
    skip_if_all_are_few: bool = False

    @property
    def gain(self) -> float:
        """What the paper reports as "a -> b %", b - a as a share; NaN where it says something else."""
        numbers = re.search(r"([\d.]+) -> ([\d.]+) %", self.paper)
        return (float(numbers[2]) - float(numbers[1])) / 100 if numbers else np.nan

    @property
    def source(self) -> str:
        """Whose sentence it is."""
        return f"a later paper ({self.later})" if self.later else "the paper"

    def asks(self, study: Study) -> bool:
        """Whether it is a claim about such a study."""
        few = self.skip_if_all_are_few and study.few_shot_size >= study.train_size  # one number would count twice
        has_table = not self.notebook or self.notebook in notebooks(study)
        has_numbers = not self.needs or bool(getattr(study, self.needs))
        return has_table and has_numbers and self.modality in ("", study.modality) and not few


@cache
def claims() -> dict[str, Claim]:
    """All claims by name, as claims.yaml has them."""
    text = (Path(__file__).parent / "claims.yaml").read_bytes()
    return {name: Claim.model_validate(fields) for name, fields in yaml.safe_load(text).items()}


def studies_beside(study: Study) -> list[Study]:
    """The studies whose figures are beside those of this one, as their files say, and this one; the embedded ones first."""
    names = {folder.name for folder in study.figures_dir.parent.glob("*") if folder.is_dir()} & set(study_names())
    filed = [Study.load(name, {"figures_root": study.figures_root}) for name in names]
    studies = {one.figures_dir: one for one in [*filed, study]}
    return sorted(studies.values(), key=lambda one: (one.name not in EMBEDDED, one.figures_dir))


def _n_networks(study: Study) -> int:
    """How many networks a study looks at: its targets, or the models that are given."""
    return len({study.target_model, study.baseline_model}) if study.target_model else len(study.targets)


def scale_of(study: Study) -> str:
    """What the numbers of a study rest on: its networks, how they are trained, and the samples explained."""
    if study.target_model:
        models = "a model as it is" if _n_networks(study) == 1 else "2 models as they are"
        return f"{models} given, {study.n_variables} variables"
    networks = f"{_n_networks(study)} network{'s' if _n_networks(study) > 1 else ''}"
    whole, few = study.n_explained // 2, study.dynamics.n_explained // 2
    followed = f", {few} + {few} followed, drawn anew" if few < whole else ""
    samples = f"{whole} + {whole} samples{followed}"
    return f"{networks}, {study.train_size:,} {study.modality}, {study.epochs} epochs, {samples}"


def tables_of(studies: list[Study], name: str) -> pd.DataFrame:
    """The table `name` of every study that has it among its figures, with a column study."""
    paths = [study.figures_dir / f"{name}.csv" for study in studies]
    tables = [pd.read_csv(path).assign(study=path.parent.name) for path in paths if path.is_file()]
    if not tables:
        raise InputError(f"no {name}.csv in {[path.parent.name for path in paths]}; its notebook makes it")
    return pd.concat(tables, ignore_index=True)


def claims_table(studies: list[Study]) -> pd.DataFrame:
    """Every claim on every study whose figures have its statistics, one row a statistic.

    Columns id, claim, paper, study, networks (that each of its numbers is of, at least), scale, of (paper, control),
    quantity, value, low, high, unknown (networks of which there is no number), rule, part_verdict, how, more (see
    `Decision`), and verdict: that of the claim in this column, which is that of its worst statistic. Values are those of
    the mean over these networks, intervals over samples and networks. A study is left out of a claim whose table it does
    not have; InputError for a table that lacks a statistic of the rule.
    """
    rows = []
    for (name, claim), study in product(claims().items(), studies):
        if not claim.asks(study):
            continue
        parts = decisions(claim, study)
        least = min((part.pop("networks") for part in parts), default=0)
        of = {"id": name, "claim": claim.says, "paper": claim.paper, "study": study.figures_dir.name}
        of |= {"networks": _n_networks(study) if study.target_model else least, "scale": scale_of(study)}
        rows += [of | part for part in parts]
    if not rows:
        names = [study.figures_dir.name for study in studies]
        raise InputError(f"no table of a claim in {names}; notebooks 02 to 10 make them")
    return pd.DataFrame(rows)


def decisions(claim: Claim, study: Study, learned: pd.DataFrame | None = None) -> list[dict]:
    """The statistics of a claim that are among a study's figures, with the verdicts of each and, by column, of all.

    networks: how many a number is the mean of; of models that are given, 1: these and no others, as in `pooled`. learned:
    the table that says whether its networks have; without, `LEARNED_TABLE` among the figures.
    """
    folder, given = study.figures_dir, bool(study.target_model)
    looked_at = {"fig03": study.dynamics, "fig12": study}.get(claim.table[:5])  # throughout a training
    few = looked_at is not None and looked_at.n_explained < FEWEST_SAMPLES
    path, record = folder / f"{claim.table}.csv", folder / f"{LEARNED_TABLE}.csv"
    if not path.is_file() or not (_is_given(study) or learned is not None or record.is_file()):
        return []
    able = claim.of_any_network or _is_given(study)
    able = able or _have_learned(claim, pd.read_csv(record) if learned is None else learned, folder)
    table = pd.read_csv(path)
    table = table[table.what == "removed"] if "what" in table else table
    each, table = table[table.role != "all"], table[table.role == "all"]
    rows = []
    for statistic in claim.statistics:
        row = _row(table, statistic, folder)
        if row is None:
            continue
        of_each = each.value[each.quantity == row.quantity]
        networks = 1 if given else max(1, len(of_each) or each.role.nunique())
        names = ("versus_placebo", "versus_low", "versus_high") if statistic.columns else ("value", "low", "high")
        value, low, high = (float(row[name]) for name in names)
        if statistic.share_of_networks:
            decision = statistic.decide_share(value, int(of_each.count()))
        else:
            decision = statistic.decide(low, high, networks)
        roomy = statistic.has_room(table) or decision.how == "contrary"  # an effect the other way counts in any case
        if few or not roomy or not able:
            decision = Decision("not testable")
        quantity = row.quantity + (MORE_THAN_PLACEBO if statistic.columns else "")
        numbers = {"of": statistic.of, "quantity": quantity, "networks": networks}
        numbers |= {"value": value, "low": low, "high": high, "unknown": int(of_each.isna().sum())}
        part = {"rule": statistic.rule, "part_verdict": decision.verdict, "how": decision.how, "more": decision.more}
        rows.append(numbers | part)
    for row in rows:
        row["verdict"] = worst(other["part_verdict"] for other in rows if other["of"] == row["of"])
    return rows


def worst(verdicts: Iterable[str]) -> str:
    """The worst of some verdicts, which is that of all of them together."""
    return max(verdicts, key=VERDICTS.index)


def in_brief(study: Study, *names: str) -> str:
    """What is claimed, by whom, and what a study's figures say of it, in Markdown: the claims that it is asked, by name.

    Whether its networks have learned anything is asked of the networks: the notebook that writes it down may not have run.
    """
    networks = () if _is_given(study) else study.targets + study.baselines
    learned = pipeline.learned_table(pipeline.ensure_training(study, role) for role in networks)
    lines, rules = [], head("claim", "number", "rule", "by itself")
    for name, claim in {name: claims()[name] for name in names}.items():
        if not claim.asks(study):
            continue
        parts = decisions(claim, study, learned)
        says = f"- **{name}** · {claim.source} says: {claim.says}" + ("" if claim.later else f" ({claim.paper})")
        lines.append(says + ("" if parts else "; no table yet"))
        for of, rows in pd.DataFrame(parts).groupby("of", sort=False) if parts else ():
            lines.append(f"    - {_verdict(of, rows)}")
            rules += [line(name, row.quantity, row.rule, by_itself(row)) for row in rows.itertuples()]
    return "\n".join([*lines, "", BRIEFLY, "", RULES.format("\n".join(rules))])


def _verdict(of, rows):
    """The verdict of a column, with the numbers behind it."""
    numbers = [f"{row.quantity}: {known_value(row)}" for row in rows.itertuples()]
    return f"{COLUMN_OF[of]}: **{rows.verdict.iloc[0]}**. {'; '.join(numbers)}"


def _is_given(study):
    """Whether its networks have learned before: they are given, or given and tuned."""
    return bool(study.target_model or study.tunes_given)


def _have_learned(claim, learned, folder):
    """Whether all networks have learned, and where a claim is about a setting, plain training in it, in the mean, too."""
    if not claim.setting or not learned.learned.all():
        return learned.learned.all()
    values = pd.read_csv(folder / "figK_values.csv").query("arm == 'plain' and quantity == 'accuracy'")
    plain = values.value[values.setting == claim.setting]
    if not len(plain):
        raise InputError(f"{folder.name}: figK_values holds no training with {claim.setting}. Run its notebook again")
    return pipeline.has_learned(plain.iloc[0], learned["always the same"].iloc[0])


def _row(table, statistic, folder):
    rows = table[table.quantity.str.fullmatch(statistic.quantity)]
    if len(rows) == 1:
        return rows.iloc[0]
    if statistic.optional and not len(rows):
        return None
    raise InputError(f"{folder.name}: {len(rows)} rows of {statistic.quantity!r}; expected one. Run its notebook again")


def effects(table: pd.DataFrame) -> pd.DataFrame:
    """How large some effects behind the claims are, of a table of claims: a row for each of `EFFECTS`, study and column.

    Columns effect, unit, study, networks, of (paper, control), value, low, high, sesoi. What is not testable is left out.
    """
    rows = []
    for effect, (names, *quantities, unit) in EFFECTS.items():
        smallest = {name: next(one.sesoi for one in claims()[name].statistics if one.quantity == quantities[0])
                    for name in names}  # fmt: skip
        for of, quantity in zip(COLUMN_OF, quantities):
            shown = table[table.id.isin(names) & (table.of == of) & (table.quantity == quantity)]
            shown = shown[shown.part_verdict != "not testable"]
            numbers = shown[["study", "networks", "of", "value", "low", "high"]]
            rows.append(numbers.assign(effect=effect, unit=unit, sesoi=shown.id.map(smallest)))
    return pd.concat(rows, ignore_index=True)


def mean_effects(effects: pd.DataFrame) -> pd.DataFrame:
    """Each of `effects`, and against its control, over the studies whose interval has a width (see `over_studies`).

    Columns effect, of, studies (how many), value, low, high, next_low, next_high: NaN of fewer than three studies.
    """
    known = effects[effects.high > effects.low]
    rows = [
        (*key, len(rows), *over_studies(*rows[["value", "low", "high", "networks"]].to_numpy(float).T))
        for key, rows in known.groupby(["effect", "of"], sort=False)
    ]
    return pd.DataFrame(rows, columns=["effect", "of", "studies", *OverStudies._fields])


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """One row a claim and study, for reading: id, claim, paper, study, networks, scale, verdict, measured, beyond, control.

    verdict and measured are those of the paper's statistics, beyond and control those against controls.
    """

    def joined(parts):
        cells = {}
        for of, names in (("paper", ("verdict", "measured")), ("control", ("beyond", "control"))):
            column = parts[parts.of == of]
            text = "; ".join(_measured(row) for row in column.itertuples())
            cells |= dict(zip(names, (column.verdict.iloc[0], text) if len(column) else ("–", "–")))
        return pd.Series(cells)

    keys = ["id", "claim", "paper", "study", "networks", "scale"]
    return table.groupby(keys, sort=False)[list(table.columns)].apply(joined).reset_index()


def _measured(row):
    """A statistic in words, with what decides it."""
    return f"{row.quantity} {known_value(row)} ({row.rule}): {by_itself(row)}"


def known_value(row) -> str:
    """A statistic with its interval, and of how many networks it is known, if not of all."""
    value = interval(row.value, row.low, row.high)
    if not row.unknown or np.isnan(row.value):
        return value
    known = row.networks - row.unknown
    return f"{value} (of {known} network{'s' * (known > 1)}; not known of {row.unknown})"


def by_itself(row) -> str:
    """What a statistic would be by itself, and in what way; one that is undecided with what would decide it."""
    if row.part_verdict == "undecided":
        return f"undecided, half-width {(row.high - row.low) / 2:.2g}, {what_decides(row.more)}"
    return f"{row.part_verdict}, {row.how}" if isinstance(row.how, str) and row.how else row.part_verdict


def what_decides(more: float) -> str:
    """How many times the samples and networks would decide what is undecided, in words."""
    if np.isnan(more):
        return "an interval without width decides nothing"
    if more > FEW_TIMES:
        return f"it would take more than {FEW_TIMES} times the samples and networks"
    return f"about {float(f'{max(more, 1.1):.2g}'):g} times the samples and networks would decide it"
