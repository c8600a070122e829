"""How the cost of a study grows with its networks, samples, variables and workers.

    python benchmarks/growth.py

A small version of the embedded image study, one number changed at a time. Every run is whole: data, training, masked values,
interactions; the notebooks are left out. Needs a machine with nothing beside it.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from hardware import hardware

from symgen import Study, plots, timing
from symgen.interactions import prepare
from symgen.study import jobs

ROOT = Path(__file__).parents[1]
RESULTS, PICTURE = ROOT / "benchmarks" / "results" / "study.csv", ROOT / "docs" / "growth.png"
SMALL = {
    "epochs": 16, "checkpoints": [0, 1, 4, 16], "target_seeds": [11, 12], "baseline_seeds": [21, 22],
    "explain_per_class": 2, "dynamics_per_class": 0, "removal_per_class": 0, "penalty_weight": 0, "ablation_per_class": 0,
    "roles_per_job": 1,
}  # fmt: skip
RUNS = [  # what grows, to how many, what that changes in the small study, and processes side by side
    *(("networks", 2 + n, {"target_seeds": list(range(11, 11 + n))}, 1) for n in (1, 2, 4)),
    *(("samples", 20 * n, {"explain_per_class": n}, 1) for n in (1, 2, 4)),
    *(("variables", n, {"n_variables": n}, 1) for n in (6, 8, 10, 12)),
    *(("workers", n, {}, n) for n in (1, 2)),
]
STAGES = ["training", "losses", "masked values", "solving", "reading and writing", "starting"]


def work(settings, worker, workers):
    """One of `workers` equal shares of the jobs, in this process."""
    timing.started()
    with timing.stage("reading and writing"):  # what no other stage is
        for job in jobs(Study.load("fashion-vgg", settings))[worker::workers]:
            job.run()


@cache  # the small study itself is among the networks, the samples and the workers
def measured(settings, workers):
    """Core seconds by stage, and seconds by the clock, of a study, its settings as JSON, with so many processes."""
    with tempfile.TemporaryDirectory() as folder:
        settings = json.loads(settings) | {"runs_root": f"{folder}/runs", "figures_root": f"{folder}/figures"}
        log = Path(folder) / "seconds.log"
        environment = os.environ | {timing.LOG: str(log), "OMP_NUM_THREADS": "1"}
        start = time.perf_counter()
        command = [sys.executable, __file__, "work", json.dumps(settings)]
        each = [subprocess.Popen([*command, str(i), str(workers)], env=environment, stdout=subprocess.DEVNULL)
                for i in range(workers)]  # fmt: skip
        if any([process.wait() for process in each]):
            raise RuntimeError(f"the run of {settings} failed")
        wall = time.perf_counter() - start
        spent = timing.breakdown(log, wall, workers).set_index("stage").seconds
    return {stage: spent.get(stage, 0.0) for stage in STAGES} | {"by the clock": wall}


def draw(table):
    """A panel for each thing that grows: core seconds by stage."""
    plots.use_style()
    figure, axes = plt.subplots(1, 4, figsize=(10, 3), layout="constrained", sharey=True)
    shades = plots.style.shades(len(STAGES))
    for ax, (name, part) in zip(axes, table.groupby("what", sort=False)):
        below = 0.0
        for stage, colour in zip(STAGES, shades):
            ax.bar(part.number.astype(str), part[stage], bottom=below, color=colour, label=stage)
            below = below + part[stage].to_numpy()
        ax.plot(part.number.astype(str), part["by the clock"], "k.", label="by the clock")
        ax.set(xlabel=name)
    axes[0].set_ylabel("seconds (bars: of all cores)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(STAGES) + 1)
    plots.style.note(figure, otherwise="4 networks, 40 samples, 10 variables, 1 worker", run=1)
    figure.savefig(PICTURE, dpi=150)


def main():
    prepare()
    rows = []
    for what, number, changes, workers in RUNS:
        seconds = measured(json.dumps(SMALL | changes), workers)
        rows.append({"what": what, "number": number, **seconds})
        print(what, number, {name: round(spent, 1) for name, spent in seconds.items()}, flush=True)
    table = pd.DataFrame(rows).assign(hardware=hardware().split(";")[0])
    table.to_csv(RESULTS, index=False, float_format="%.4g")
    draw(table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["work"]:
        work(json.loads(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
