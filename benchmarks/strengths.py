"""How strong the penalty and its controls are: the choice behind the settings of a study.

    python benchmarks/strengths.py fashion-vgg

Each strength is tried on networks with seeds 1 and 2, on which no result rests, with all training samples and with few.
What counts is the accuracy at the end of training on the validation part, mean over the four networks. First comes the
weight of the penalty, with the samples and steps of the study's file; then its samples and steps, with the weight found.
"""

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
from hardware import hardware

from symgen import Study
from symgen.study import arms
from symgen.study.networks import ensure_training

RESULTS = Path(__file__).parent / "results" / "strengths.csv"
SEEDS = (1, 2)
ONE_BY_ONE = {  # way to train, setting, values that are tried
    "penalty": ("penalty_weight", (0.1, 0.3, 1.0, 3.0)),
    "distilled": ("distillation", (0.5, 0.9)),
    "decay": ("decay", (0.1, 0.3, 1.0, 3.0)),
    "dropout": ("dropout", (0.3, 0.5)),
}
SAMPLES, STEPS = (1, 2, 4), (2, 4, 8)  # of the penalty


def accuracy(study, role):
    """Accuracy on the validation part at the end of the training of a role."""
    return ensure_training(study, role).curves.validation_accuracy.iloc[-1]


def tried(pool, study, arm, choices):
    """A row for each choice of settings, with the mean accuracy of its networks; the best one is chosen."""
    networks = pd.DataFrame(
        [
            (i, samples, changed, f"{arm}-{seed}")
            for i, settings in enumerate(choices)
            for samples, changed in arms.settings_of(study.replace(**settings)).items()
            for seed in SEEDS
        ],
        columns=["choice", "samples", "study", "role"],
    )
    networks["accuracy"] = list(pool.map(accuracy, networks.study, networks.role))
    table = networks.pivot_table(index="choice", columns="samples", values="accuracy")
    named = ["; ".join(f"{name} {value:g}" for name, value in settings.items()) for settings in choices]
    table = table.assign(mean=table.mean(axis=1), settings=named, study=study.name, arm=arm)
    return table.assign(chosen=table["mean"] == table["mean"].max())


def strengths(pool, study):
    """All that is tried for a study."""
    tables = {
        arm: tried(pool, study, arm, [{name: value} for value in values]) for arm, (name, values) in ONE_BY_ONE.items()
    }
    weight = ONE_BY_ONE["penalty"][1][tables["penalty"]["mean"].argmax()]
    how_often = [
        {"penalty_weight": weight, "penalty_samples": samples, "penalty_every": every}
        for samples, every in product(SAMPLES, STEPS)
    ]
    return pd.concat([*tables.values(), tried(pool, study, "penalty", how_often)])


def main(name):
    study = Study.load(name)
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        table = strengths(pool, study).assign(hardware=hardware())
    columns = ["study", "arm", "settings", "all samples", "few samples", "mean", "chosen", "hardware"]
    table = table[[name for name in columns if name in table]].reset_index(drop=True)
    print(table.drop(columns="hardware").round(4).to_string(index=False))
    before = pd.read_csv(RESULTS).query("study != @name") if RESULTS.is_file() else None
    pd.concat([before, table]).to_csv(RESULTS, index=False, float_format="%.4g")


if __name__ == "__main__":
    main(*sys.argv[1:])
