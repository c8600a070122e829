"""Pieces of the computed pages: rows of tables, and the CSV files from which they come."""

from math import floor, isfinite, isnan, log10
from pathlib import Path

import pandas as pd

from symgen.errors import InputError


def line(*cells) -> str:
    """A row of a table; a bar in a cell does not end it."""
    cells = (str(cell).replace("|", r"\|") for cell in cells)
    return f"| {' | '.join(cells)} |"


def head(*names: str) -> list[str]:
    """The first two lines of a table."""
    return [line(*names), "|" + "---|" * len(names)]


def span(values: pd.Series, form: str) -> str:
    """The least and the largest of some numbers; none where there is no number."""
    known = values.dropna()
    return f"{known.min():{form}} to {known.max():{form}}" if len(known) else "none"


def interval(value: float, low: float, high: float, form: str = "") -> str:
    """A number and its interval as text, 0.49 [0.44, 0.55]; the word none for a number or an interval that is missing.

    Without a format, all three have as many decimals: the largest gets two digits, and there are more, up to four, where one
    would read 0.
    """
    if isnan(value):
        return "none"
    form = form or f"z.{_decimals([abs(number) for number in (value, low, high) if isfinite(number)])}f"
    bounds = "none" if isnan(low) else f"{low:{form}}, {high:{form}}"
    return f"{value:{form}} [{bounds}]"


def intervals(table: pd.DataFrame, form: str = "") -> list[str]:
    """`interval` of each row of a table with the columns value, low and high."""
    return [interval(row.value, row.low, row.high, form) for row in table.itertuples()]


def _decimals(numbers):
    largest = max(numbers)
    decimals = max(0, 1 - floor(log10(largest))) if largest else 0
    while decimals < 4 and any(number and number < 0.5 / 10**decimals for number in numbers):
        decimals += 1
    return decimals


def read(path: Path) -> pd.DataFrame:
    """A table of the last run, or of the benchmarks; InputError says where to read how to get one that is missing."""
    if not path.is_file():
        raise InputError(
            f"{path.name} is missing in {path.parent.name}/; `make figures` makes the tables of a study, "
            "docs/costs.md says what makes those of the benchmarks"
        )
    return pd.read_csv(path)
