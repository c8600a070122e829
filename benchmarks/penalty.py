"""The penalty: what it adds to a training step, against plain training, by variables and samples.

    python benchmarks/penalty.py

Median times of a penalised call (masked forward pass, solving, gradient) and of a plain step (cross-entropy, gradient),
one thread, on each embedded study's first target at the end of its training, which is trained first if need be.
"""

from pathlib import Path

import pandas as pd
import torch
from hardware import hardware

from symgen import Study
from symgen.study import arms

RESULTS = Path(__file__).parent / "results" / "penalty.csv"
STUDIES = ("fashion-vgg", "snippets-bert")


def times_of(study):
    """The times of a step of a study, and which of them are those of its own settings."""
    times = arms.step_times(study)
    as_in_study = (times.variables == study.penalty_variables) & (times.samples == study.penalty_samples)
    return times.assign(study=study.name, as_in_study=as_in_study)


def main():
    torch.set_num_threads(1)
    print(hardware())
    table = pd.concat([times_of(Study.load(name)) for name in STUDIES])
    print(table.round(2).to_string(index=False))
    table.assign(hardware=hardware()).to_csv(RESULTS, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
