"""How far another run moves the numbers of studies: their claims in two runs, as a table for docs/results.md.

    python benchmarks/rerun.py d5084b6 fashion-vgg snippets-lm

The arguments say in which commit figures/claims.csv is that of the earlier runs, and which studies were run again.
Statistics that the earlier runs did not have are left out; those that they had must follow the same rules.
"""

import io
import subprocess
import sys
from pathlib import Path

import pandas as pd

from symgen.report.claims import worst

ROOT = Path(__file__).parents[1]
STATISTIC = ["study", "id", "of", "quantity", "rule"]
# claims: the first is about seconds; the other was measured in another way in the earlier runs
LEFT_OUT = ["L1", "F3d"]
MEASURED_OTHERWISE = "less that by judges of shuffled labels"  # the same, a statistic of F2
NUMBERS = ["value", "low", "high", "part_verdict"]


def main(commit, *studies):
    shown = subprocess.run(["git", "show", f"{commit}:figures/claims.csv"], cwd=ROOT, capture_output=True, check=True)
    runs = [pd.read_csv(table) for table in (io.BytesIO(shown.stdout), ROOT / "figures" / "claims.csv")]
    asked = (
        run[run.study.isin(studies) & ~run.id.isin(LEFT_OUT)].query("quantity != @MEASURED_OTHERWISE") for run in runs
    )
    earlier, later = (run[STATISTIC + NUMBERS] for run in asked)
    both = earlier.merge(later, on=STATISTIC, suffixes=("_earlier", ""), validate="one_to_one")
    assert len(both) == len(earlier), "the two runs were judged by different rules"
    for run in ("", "_earlier"):  # of the statistics that both have
        both[f"verdict{run}"] = both.groupby(["study", "id", "of"])[f"part_verdict{run}"].transform(worst)
    both.to_csv(ROOT / "benchmarks" / "results" / "rerun.csv", index=False, float_format="%.6g")


if __name__ == "__main__":
    main(*sys.argv[1:])
