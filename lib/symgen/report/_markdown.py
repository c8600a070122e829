"""Pieces of the computed pages: rows of tables, and the CSV files from which they come."""

from math import isnan
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
    """The least and the largest of some numbers."""
    return f"{values.min():{form}} to {values.max():{form}}"


def interval(value: float, low: float, high: float, form: str = ".2f") -> str:
    """A number and its interval; none where there is no number."""
    return "none" if isnan(value) else f"{value:{form}} [{low:{form}}, {high:{form}}]"


def read(path: Path) -> pd.DataFrame:
    """A table of the last run, or of the benchmarks; InputError says how to get one that is missing."""
    if not path.is_file():
        raise InputError(
            f"{path.name} is missing in {path.parent.name}/; `make figures` and `make bench` make the tables"
        )
    return pd.read_csv(path)
