"""The paper's claims, each with the rule that decides it, applied to the tables of every study (science, section 11)."""

from dataclasses import dataclass

import pandas as pd

from symgen.errors import InputError
from symgen.study import Study, study_names

VERDICTS = ("reproduced", "inconclusive", "not reproduced")


@dataclass(frozen=True)
class Part:
    """One statistic of a claim: a quantity of a table, expected with its whole interval above (or below) a threshold.

    `quantity` is a regular expression, where a setting is part of the name. `control`: the quantity, or the column of
    the same row, that stands beside it. `columns`: where value, low and high are.
    """

    quantity: str
    above: float | None = 0.0
    below: float | None = None
    control: str = ""
    columns: tuple[str, str, str] = ("value", "low", "high")

    @property
    def rule(self) -> str:
        """The rule in words."""
        return f"> {self.above:g}" if self.below is None else f"< {self.below:g}"

    def verdict(self, low: float, high: float) -> str:
        """Reproduced if the whole interval is on the expected side, not reproduced if all of it is on the other one."""
        inside, outside = (
            (low > self.above, high < self.above) if self.below is None else (high < self.below, low > self.below)
        )
        return "reproduced" if inside else "not reproduced" if outside else "inconclusive"


@dataclass(frozen=True)
class Claim:
    """A claim of the paper: what it says, what it reports, and the table and statistics that decide it.

    `needs`: a setting; a study in which it is 0 does not ask.
    """

    says: str
    paper: str
    table: str
    parts: tuple[Part, ...]
    needs: str = ""


VERSUS = ("versus_placebo", "versus_low", "versus_high")
CLAIMS = {
    "F2": Claim(
        "low orders generalize better than high ones", "all 6 pairs", "fig02_contrasts",
        (Part("H_low - H_high", control="by chance"), Part("above chance")),
    ),
    "F3a": Claim(
        "N first falls, then rises", "all pairs", "fig03_contrasts", (Part("N falls"), Part("N rises"))
    ),
    "F3b": Claim(
        "H first rises, then falls", "all pairs", "fig03_contrasts",
        (Part("H rises above chance"), Part("H falls above chance")),
    ),
    "F3c": Claim(
        "1 - H and N move with the loss gap", "all pairs", "fig03_gap",
        (Part("1 - H, all checkpoints", control="1 - H by chance, all checkpoints"),
         Part("1 - H above chance, all checkpoints"), Part("N, all checkpoints")),
    ),
    "F4": Claim(
        "removing what does not generalize raises the training loss, not the testing loss, and narrows the gap",
        "all pairs", "fig04_contrasts",
        (Part("training rise", control="placebo"), Part("testing change", below=0.0, control="placebo"),
         Part("gap narrowed by", control="placebo"), Part("gap narrowed by", columns=VERSUS)),
    ),
    "F5": Claim(
        "more baselines find more generalizable interactions; two are enough", "all pairs", "fig05_growth",
        (Part(r"growth of H, K = 1 against \d+"), Part(r"growth of H above chance, K = 1 against \d+"),
         Part(r"share of H reached, K = 2 against \d+", above=0.9)),
    ),
    "F7": Claim(
        "the AND-OR model matches the network on all masked samples; few interactions suffice", "shown on samples",
        "fig07_contrasts",
        (Part("relative error", below=1e-6),
         Part("share of all interactions needed", below=0.1, control="share of all interactions needed, untrained")),
    ),
    "F10": Claim(
        "the graded measure gives the same picture by order", "2 pairs", "fig10_contrasts",
        (Part("Jaccard of binary and graded", control="by chance"), Part("Jaccard above chance"),
         Part("graded low - high above chance")),
    ),
    "F11": Claim(
        "two language models share low-order interactions more", "1 pair", "fig11_contrasts",
        (Part("H_low - H_high", control="by chance"), Part("above chance")),
    ),
    "F12": Claim(
        "fine-tuning raises low-order and lowers high-order strength, and raises H", "H 45.2 -> 52.3 %",
        "fig12_contrasts",
        (Part("low-order strength rises, at the lowest held-out loss"),
         Part("high-order strength rises, at the lowest held-out loss", below=0.0),
         Part("H rises, at the lowest held-out loss"), Part("H above chance rises, at the lowest held-out loss")),
    ),
    "T1": Claim(
        "what generalizes to B generalizes to C: similar distributions", "Jaccard 71.4 %, 74.7 %", "tab1_contrasts",
        (Part("Jaccard of B and C", above=0.714, control="Jaccard of B and C, by chance"),
         Part("Jaccard of B and C, above chance")),
    ),
    "K1": Claim(
        "training with the penalty raises H", "28 -> 39 %", "figK_contrasts",
        (Part("all samples: H, penalty - plain", control="all samples: H, distilled - plain"),
         Part("all samples: H by others, penalty - plain", control="all samples: H by others, distilled - plain"),
         Part("all samples: H by others, above chance, penalty - plain",
              control="all samples: H by others, above chance, distilled - plain")),
    ),
    "K2, K3": Claim(
        "training with the penalty raises the accuracy", "46.3 -> 48.8 % (images), 72.2 -> 76.6 % (texts)",
        "figK_contrasts",
        (Part("all samples: accuracy, penalty - plain", control="all samples: accuracy, distilled - plain"),),
    ),
    "K4": Claim(
        "training with the penalty raises the accuracy with few samples", "76.6 -> 82.6 %", "figK_contrasts",
        (Part("few samples: accuracy, penalty - plain", control="few samples: accuracy, distilled - plain"),),
        needs="few_shot_size",
    ),
    "B1": Claim("high orders hold next to no strength", "assumed", "figB_contrasts",
                (Part("low orders", above=0.95, control="low orders, untrained"),)),
    "B2": Claim("the mean output does not fall as more is shown", "assumed", "figB_contrasts",
                (Part("steady", above=0.95, control="steady, untrained"),)),
    "B3": Claim("the mean output is bounded from below by a power of what is shown", "assumed", "figB_contrasts",
                (Part("bounded", above=0.95, control="bounded, untrained"),)),
    "L1": Claim("extracting one set of interactions takes no more than a minute", "60 s", "fig07_contrasts",
                (Part("seconds a set of interactions", below=60.0),)),
}  # fmt: skip


def studies_beside(study: Study) -> list[Study]:
    """The studies whose figures are beside those of this one, as their files say, and this one."""
    names = {folder.name for folder in study.figures_dir.parent.iterdir() if folder.is_dir()} & set(study_names())
    filed = [Study.load(name, {"figures_root": study.figures_root}) for name in names]
    studies = {one.figures_dir: one for one in [*filed, study]}
    return [studies[folder] for folder in sorted(studies)]


def scale_of(study: Study) -> str:
    """What the numbers of a study rest on: its networks, how they are trained, and the samples explained."""
    if study.target_model:
        return f"a model as it is given, {study.n_variables} variables"
    networks = f"{len(study.targets)} network{'s' if len(study.targets) > 1 else ''}"
    samples = study.explain_classes * study.explain_per_class
    return f"{networks}, {study.train_size:,} {study.modality}, {study.epochs} epochs, {samples} + {samples} samples"


def gathered(studies: list[Study], name: str) -> pd.DataFrame:
    """The table `name` of every study that has it among its figures, with a column study."""
    paths = [study.figures_dir / f"{name}.csv" for study in studies]
    tables = [pd.read_csv(path).assign(study=path.parent.name) for path in paths if path.is_file()]
    if not tables:
        raise InputError(f"no {name}.csv in {[path.parent.name for path in paths]}; its notebook makes it")
    return pd.concat(tables, ignore_index=True)


def claims_table(studies: list[Study]) -> pd.DataFrame:
    """Every claim whose table is among the figures of one of the studies, part by part.

    Columns id, claim, paper, study, scale, quantity, value, low, high, control, rule, part_verdict, and verdict, that of
    the claim: reproduced if every part is, not reproduced if one is not, else inconclusive. Values are those of the mean
    over the study's networks, intervals over samples and networks.
    """
    rows = [
        {"id": name, "claim": claim.says, "paper": claim.paper, "study": folder.name, "scale": scale_of(study), **part}
        for name, claim in CLAIMS.items()
        for study, folder in ((study, study.figures_dir) for study in studies)
        if (folder / f"{claim.table}.csv").is_file() and getattr(study, claim.needs, True)
        for part in decided(claim, pd.read_csv(folder / f"{claim.table}.csv"))
    ]
    if not rows:
        names = [study.figures_dir.name for study in studies]
        raise InputError(f"no table of a claim in {names}; notebooks 03 to 10 make them")
    return pd.DataFrame(rows)


def decided(claim: Claim, table: pd.DataFrame) -> list[dict]:
    """The parts of a claim with their values, and its verdict on all of them."""
    pooled = table[table.role == "all"]
    pooled = pooled[pooled.what == "removed"] if "what" in pooled else pooled
    rows = []
    for part in claim.parts:
        row = _row(pooled, part.quantity)
        value, low, high = (float(row[column]) for column in part.columns)
        name = row.quantity + (" more than the placebo" if part.columns == VERSUS else "")
        rows.append(
            {"quantity": name, "value": value, "low": low, "high": high, "control": _control(pooled, row, part)}
        )
        rows[-1] |= {"rule": part.rule, "part_verdict": part.verdict(low, high)}
    verdicts = {row["part_verdict"] for row in rows}
    verdict = next((bad for bad in ("not reproduced", "inconclusive") if bad in verdicts), "reproduced")
    return [row | {"verdict": verdict} for row in rows]


def _row(table, quantity):
    rows = table[table.quantity.str.fullmatch(quantity)]
    if len(rows) != 1:
        raise InputError(f"{len(rows)} rows of {quantity!r} over all networks; expected one. Run its notebook again")
    return rows.iloc[0]


def _control(table, row, part):
    if not part.control:
        return float("nan")
    return float(row[part.control] if part.control in row else _row(table, part.control).value)


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """One row a claim and study, for reading: id, claim, paper, study, scale, measured, control, verdict."""

    def joined(parts):
        return pd.Series(
            {
                "measured": "; ".join(_measured(row) for row in parts.itertuples()),
                "control": "; ".join(f"{value:z.2g}" for value in parts.control.dropna()) or "–",
                "verdict": parts.verdict.iloc[0],
            }
        )

    keys = ["id", "claim", "paper", "study", "scale"]
    return table.groupby(keys, sort=False)[list(table.columns)].apply(joined).reset_index()


def _measured(row):
    return f"{row.quantity} {row.value:z.2g} [{row.low:z.2g}, {row.high:z.2g}] ({row.rule})"
