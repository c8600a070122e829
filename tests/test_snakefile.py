"""The map, end to end on a tiny study in a copy of the project: what is missing is made, what is there is left alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from symgen import Study

ROOT = Path(__file__).parents[1]
NOTEBOOK = "notebook_tiny_01_data_split"


@pytest.fixture
def copy(tmp_path, tiny):
    """A copy of what the Snakefile needs, with a study `tiny`."""
    for name in ("Snakefile", "lib", "notebooks"):
        source = ROOT / name
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", ".ipynb_checkpoints")
        shutil.copytree(source, tmp_path / name, ignore=ignored) if source.is_dir() else shutil.copy(source, tmp_path)
    (tmp_path / "data").mkdir()
    shutil.copy(ROOT / "data" / "fashion_mnist_6k.npz", tmp_path / "data")
    (tmp_path / "studies").mkdir()
    shutil.copy(ROOT / "studies" / "fashion-vgg.yaml", tmp_path / "studies")  # what the notebooks are committed for
    settings = yaml.safe_load((ROOT / "studies" / "fashion-vgg.yaml").read_text()) | tiny
    for key in ("runs_root", "figures_root"):
        del settings[key]
    (tmp_path / "studies" / "tiny.yaml").write_text(yaml.safe_dump(settings))
    return tmp_path


def figures(folder, *targets):
    """`symgen figures` there; what it said."""
    command = [sys.executable, "-m", "symgen", "figures", "--cores", "2", *targets, "--config", "studies=tiny"]
    environment = os.environ | {"PYTHONPATH": str(folder / "lib")}
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    return ran.returncode, ran.stdout + ran.stderr


def test_what_is_missing_is_made_and_what_is_there_is_left_alone(copy):
    figure = copy / "figures" / "tiny" / "fig08_input_variables.png"
    executed = copy / "data" / "runs" / "tiny" / "notebooks" / "01_data_split.ipynb"
    code, said = figures(copy, NOTEBOOK, "train_tiny_target-91")
    assert code == 0 and figure.exists() and executed.exists(), said
    assert list((copy / "data" / "runs" / "tiny" / "target-91").glob("curves-*.csv")), said

    before = {path: path.stat().st_mtime_ns for path in (copy / "data" / "runs").rglob("*") if path.is_file()}
    _, said = figures(copy, NOTEBOOK, "train_tiny_target-91")
    assert "Nothing to be done" in said
    changed = {path.name for path, at in before.items() if path.stat().st_mtime_ns != at}
    assert changed <= {".lock"}

    figure.unlink()
    _, said = figures(copy, NOTEBOOK)
    assert figure.exists(), said
    notebook = copy / "notebooks" / "01_data_split.ipynb"
    notebook.write_text(notebook.read_text().replace("# 01 · Who is trained on what", "# 01 · Another title"))
    _, said = figures(copy, NOTEBOOK)
    assert "Another title" in executed.read_text(), said


def test_every_study_that_is_trained_here_has_a_map():
    """No file is made by two rules, whatever the sizes in a study's file; what a study leaves out is not made."""
    names = sorted(path.stem for path in (ROOT / "studies").glob("*.yaml"))
    trained = [name for name in names if not Study.load(name).target_model]
    command = [sys.executable, "-m", "snakemake", "--nolock", "--dry-run", "--forceall", "--quiet", "rules", "--config"]
    ran = subprocess.run(
        [*command, f"studies={','.join(trained)}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert len(trained) > 10 and ran.returncode == 0, ran.stdout + ran.stderr
    for name in trained:
        study = Study.load(name)
        told = study.modality != "prompts"
        assert (f"notebook_{name}_07_penalty" in ran.stdout) == (told and study.penalty_weight > 0)
        assert (f"notebook_{name}_08_ablations" in ran.stdout) == (told and study.ablation_per_class > 0)
