"""A tiny study, in a copy of the project where the map is tried out."""

import shutil
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
SETTINGS = {  # make the embedded study a matter of seconds
    "train_size": 100, "validation_size": 50, "test_size": 100, "epochs": 2, "batch_size": 32,
    "checkpoints": [0, 0.5, 1, 2],
    "target_seeds": [91, 92], "baseline_seeds": [93, 94], "explain_classes": 2, "explain_per_class": 3,
    "n_variables": 5, "bootstrap_draws": 50, "chance_draws": 2,
}  # fmt: skip


def roots(folder):
    """Overrides that put what is computed into a folder."""
    return {"runs_root": str(folder / "runs"), "figures_root": str(folder / "figures")}


def make(folder, **settings):
    """A copy of what the Snakefile needs, with a study `tiny`; its folder."""
    for name in ("Snakefile", "lib", "notebooks"):
        source = ROOT / name
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", ".ipynb_checkpoints")
        shutil.copytree(source, folder / name, ignore=ignored) if source.is_dir() else shutil.copy(source, folder)
    (folder / "data").mkdir()
    shutil.copy(ROOT / "data" / "fashion_mnist_6k.npz", folder / "data")
    (folder / "studies").mkdir()
    shutil.copy(ROOT / "studies" / "fashion-vgg.yaml", folder / "studies")  # what the notebooks are committed for
    tiny = {"extends": "fashion-vgg"} | SETTINGS | settings
    (folder / "studies" / "tiny.yaml").write_text(yaml.safe_dump(tiny))
    return folder
