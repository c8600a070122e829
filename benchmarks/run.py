"""Where the time of the last run of `symgen figures` went, with the processor, as a table for docs/costs.md.

    python benchmarks/run.py "make all"

The breakdown is that of data/runs/seconds.csv; the argument says what was run. It takes the place of an earlier one of the
same command on such a machine, and stands before those on others.
"""

import sys
from pathlib import Path

import pandas as pd
from hardware import hardware

ROOT = Path(__file__).parents[1]


def main(command):
    table = pd.read_csv(ROOT / "data" / "runs" / "seconds.csv")
    table = table.assign(command=command, hardware=hardware().split(";")[0])
    path = ROOT / "benchmarks" / "results" / "run.csv"
    before = pd.read_csv(path) if path.is_file() else table.head(0)
    places = list(dict.fromkeys([*before.command, command]))
    same = before.command.str.split(", ").str[0] == command.split(", ")[0]  # whatever ran beside it
    again = same & (before.hardware == table.hardware[0])
    kept = pd.concat([table, before[~again]])
    kept.sort_values("command", key=lambda of: of.map(places.index), kind="stable").to_csv(
        path, index=False, float_format="%.4g"
    )
    print(table.to_string(index=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
