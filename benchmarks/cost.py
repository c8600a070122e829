"""What the paper's studies cost in all, and how that grows smaller with workers.

    python benchmarks/cost.py

Measured here, in seconds of one core, so that other work on the machine does not count: training and a forward pass of
a network of each kind, the start of a job, and what Snakemake adds to a job. A study's networks take as many times
longer as they take more floating-point operations; that of masked values is a forward pass (benchmarks/values.py), and
solving a sample is what benchmarks/solver.py measured with ten variables, four times that for every further one. A worker
is a core. Workers take the longest job first; jobs that wait for others come after all that do not; notebooks are left out.
"""

import heapq
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import torch
from hardware import hardware
from torch.nn import functional
from work import forward, masking_work, training_work

from symgen import Study, training
from symgen.study import jobs, pipeline
from symgen.training import build_model

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
WORKERS = (1, 8, 64)
DAY = 24 * 3600
EMBEDDED = ("fashion-mnist-6k", "movie-snippets", "movie-sentences")
MEASURED = {  # a study of each kind of network, and overrides
    "vgg": ("cifar10-vgg11", {}),
    "resnet": ("fewshot-resnet18", {}),
    "bert": ("snippets-bert", {"architecture": "bert-2x128"}),
}
JOBS = """
rule all:
    input: [f"{i}" for i in range(N)]
for i in range(N):
    rule:
        output: touch(f"{i}")
        shell: "true"
"""


def kind_of(architecture):
    return re.match(r"[a-z]+", architecture)[0]


# measured
def rates(kind, batch=16, repeats=3):
    """Floating-point operations a second of one core: of training steps, and of forward passes."""
    name, overrides = MEASURED[kind]
    study = Study.load(name, overrides)
    if study.modality == "images":
        model, inputs = build_model(study.architecture, 10, 0, study.stem), torch.rand(batch, 3, 32, 32)
    else:
        model = pipeline.untrained(study, 0)
        inputs = torch.randint(5, 100, (batch, study.max_tokens))
    labels = torch.zeros(batch, dtype=torch.long)
    work = batch * forward(study).operations

    def step():
        functional.cross_entropy(training.logits(model.train(), inputs), labels).backward()

    def pass_forward():
        training.predicted(model, inputs)

    return 3 * work / core_seconds(step, repeats), work / core_seconds(pass_forward, repeats)


def core_seconds(function, repeats):
    """Least time on the processor of a few calls, after one to warm up."""
    function()
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        taken.append(time.process_time() - start)
    return min(taken)


def overheads():
    """Seconds of one core: to start a job, to start Snakemake with the whole map, and what it adds to a job."""
    start = of_command([sys.executable, "-c", "from symgen.study import pipeline"], ROOT)
    snakemake = [sys.executable, "-m", "snakemake", "--cores", "1", "--quiet", "--nolock"]
    whole = of_command([*snakemake, "--dry-run"], ROOT)
    many, few = (of_jobs(snakemake, n) for n in (60, 10))
    return {"start": start, "map": whole, "job": (many - few) / 50}


def of_jobs(snakemake, n):
    """Seconds of one core for so many jobs that do nothing."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Snakefile").write_text(JOBS.replace("N", str(n)))
        return of_command(snakemake, folder)


def of_command(command, folder):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


# a study's jobs
def row(study, rate, solving, overhead):
    """A study's cost: its networks, jobs, core days of each step, and days on each number of workers."""
    learning, looking = rate[kind_of(study.architecture)]
    trained, seconds, waves = set(), {"training": 0.0, "masked": 0.0, "solving": 0.0}, ([], [])
    for job in jobs(study):
        before = sum(seconds.values())
        for network, looks in job.work:
            if (key := network.study.key("training", network.role)) not in trained:
                trained.add(key)
                seconds["training"] += training_work(network.study, network.role) / learning
            for look, _ in looks:
                samples = 2 * look.explain_classes * look.explain_per_class
                seconds["masked"] += masking_work(look) / looking
                seconds["solving"] += samples * solving * 4.0 ** (look.n_variables - 10)
        waves[bool(job.after)].append(sum(seconds.values()) - before)
    added = overhead["start"] + overhead["map"] + overhead["job"]  # on a cluster every job reads the map
    days = {f"days_{n}": sum(makespan([one + added for one in wave], n) for wave in waves) / DAY for n in WORKERS}
    n_jobs = len(jobs(study))
    steps = {name: value / DAY for name, value in seconds.items()}
    return {
        "study": study.name, "networks": len(trained), "units": n_jobs, **steps, "overhead": added * n_jobs / DAY, **days,
    }  # fmt: skip


def makespan(seconds, workers):
    """When the last job ends, if each free worker takes the longest that is left."""
    free = [0.0] * workers
    for longest in sorted(seconds, reverse=True):
        heapq.heapreplace(free, free[0] + longest)
    return max(free)


def main():
    torch.set_num_threads(1)
    studies = [
        study
        for study in (Study.load(path.stem) for path in sorted((ROOT / "studies").glob("*.yaml")))
        if not study.target_model and study.dataset not in EMBEDDED and kind_of(study.architecture) in MEASURED
        if "-small" not in study.name
    ]
    rate, overhead = {kind: rates(kind) for kind in MEASURED}, overheads()
    solver = pd.read_csv(RESULTS / "solver.csv").set_index("games").loc["all but white noise"]
    solving = solver["mean ms"] / 1000
    table = pd.DataFrame([row(study, rate, solving, overhead) for study in studies])
    measured = {
        f"{kind}_{name}": speed / 1e9
        for kind, pair in rate.items()
        for name, speed in zip(("training", "forward"), pair)
    }
    table = table.assign(**measured, solve=solving, **overhead, hardware=hardware())
    print(table.round(2).T.to_string())
    table.to_csv(RESULTS / "cost.csv", index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
