"""How far another run moves the numbers of studies: their claims in two runs, as a table for docs/results.md.

    python benchmarks/rerun.py b79109a fashion-vgg

The arguments say in which commit figures/claims.csv is that of the earlier runs, and which studies were run again; rows of
other studies stay as they are (those of snippets-bert are of 75a22a3, those of snippets-lm of 810ffb0, and of the runs after
these). Statistics that the earlier runs did not have are left out; those that they had must follow the same rules.
"""

import io
import subprocess
import sys
from pathlib import Path

import pandas as pd

from symgen.report.claims import worst

ROOT = Path(__file__).parents[1]
STATISTIC = ["study", "id", "of", "quantity", "rule"]
# claims, by the commit of the earlier runs: F4 had other samples, K4 another rule; of all, L1 is of
# seconds
LEFT_OUT = {"75a22a3": ["F4", "K4"]}
NUMBERS = ["value", "low", "high", "part_verdict"]


def main(commit, *studies):
    shown = subprocess.run(["git", "show", f"{commit}:figures/claims.csv"], cwd=ROOT, capture_output=True, check=True)
    runs = [pd.read_csv(table) for table in (io.BytesIO(shown.stdout), ROOT / "figures" / "claims.csv")]
    left_out = ["L1", *LEFT_OUT.get(commit, [])]
    earlier, later = (run[run.study.isin(studies) & ~run.id.isin(left_out)][STATISTIC + NUMBERS] for run in runs)
    both = earlier.merge(later, on=STATISTIC, suffixes=("_earlier", ""), validate="one_to_one")
    assert len(both) == len(earlier), "the two runs were judged by different rules"
    for run in ("", "_earlier"):  # of the statistics that both have
        both[f"verdict{run}"] = both.groupby(["study", "id", "of"])[f"part_verdict{run}"].transform(worst)
    path = ROOT / "benchmarks" / "results" / "rerun.csv"
    others = pd.read_csv(path).query("study not in @studies")
    pd.concat([both, others[both.columns]]).to_csv(path, index=False, float_format="%.6g")


if __name__ == "__main__":
    main(*sys.argv[1:])
