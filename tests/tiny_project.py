"""A tiny study, in a copy of the project where the map is tried out."""

import shutil
from pathlib import Path

import yaml

from symgen import Study
from symgen.study import jobs

ROOT = Path(__file__).parents[1]
SETTINGS = {  # make the embedded study a matter of seconds
    "train_size": 100, "validation_size": 50, "test_size": 100, "epochs": 2, "batch_size": 32,
    "checkpoints": [0, 0.5, 1, 2],
    "target_seeds": [91, 92], "baseline_seeds": [93, 94], "explain_classes": 2, "explain_per_class": 3,
    "removal_per_class": 4, "n_variables": 5, "bootstrap_draws": 50, "chance_draws": 2,
}  # fmt: skip
ALONE = {  # with these, a study is one target and one baseline, and what notebooks 07 and 08 ask for is left out
    "target_seeds": [91], "baseline_seeds": [93], "penalty_weight": 0.0, "ablation_per_class": 0,
    "dynamics_per_class": 0,
}  # fmt: skip
JOB = jobs(Study.load("fashion-vgg", SETTINGS | ALONE))[0].name  # that trains the target of such a study


def roots(folder):
    """Overrides that put what is computed into a folder."""
    return {"runs_root": str(folder / "runs"), "figures_root": str(folder / "figures")}


def make(folder, **settings):
    """A copy of what the Snakefile needs, with a study `tiny`; its folder."""
    for name in ("Snakefile", "lib", "notebooks"):
        source = ROOT / name
        ignored = shutil.ignore_patterns("*.egg-info", ".ipynb_checkpoints")  # the solver need not be compiled again
        shutil.copytree(source, folder / name, ignore=ignored) if source.is_dir() else shutil.copy(source, folder)
    (folder / "data").mkdir()
    shutil.copy(ROOT / "data" / "fashion_mnist_6k.npz", folder / "data")
    (folder / "studies").mkdir()
    shutil.copy(ROOT / "studies" / "fashion-vgg.yaml", folder / "studies")  # what the notebooks are committed for
    tiny = {"extends": "fashion-vgg"} | SETTINGS | settings
    (folder / "studies" / "tiny.yaml").write_text(yaml.safe_dump(tiny))
    return folder


def done(name):
    """What to ask of the map: a job or a notebook of the study `tiny`, by its name."""
    return f"data/runs/tiny/done/{name}"
