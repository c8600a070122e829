"""Where the time of the last run of `symgen figures` went, with the processor, as a table for docs/costs.md.

    python benchmarks/run.py "make all"

The breakdown is that of data/runs/seconds.csv; the argument says what was run.
"""

import sys
from pathlib import Path

import pandas as pd
from hardware import hardware

ROOT = Path(__file__).parents[1]


def main(command):
    table = pd.read_csv(ROOT / "data" / "runs" / "seconds.csv")
    table = table.assign(command=command, hardware=hardware().split(";")[0])
    table.to_csv(ROOT / "benchmarks" / "results" / "run.csv", index=False)
    print(table.to_string(index=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
