"""The map, end to end on a tiny study in a copy of the project: what is missing is made, what is there is left alone."""

import os
import subprocess
import sys

import pytest
import tiny_project
from tiny_project import ROOT

from symgen import Study

NOTEBOOK = "notebook_tiny_01_data_split"


@pytest.fixture
def copy(tmp_path):
    return tiny_project.make(tmp_path)


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
    edit(copy / "lib/symgen/training.py", '"""Training of one network:', '"""Another docstring:')
    edit(copy / "lib/symgen/sparse.py", "GROUP = ", "GROUP = {} | ")  # concerns neither of them
    _, said = figures(copy, NOTEBOOK, "train_tiny_target-91")
    assert "Nothing to be done" in said, said
    changed = {path.name for path, at in before.items() if path.stat().st_mtime_ns != at}
    assert changed <= {".lock"}

    figure.unlink()
    _, said = figures(copy, NOTEBOOK)
    assert figure.exists(), said
    edit(copy / "notebooks" / "01_data_split.ipynb", "# 01 · Who is trained on what", "# 01 · Another title")
    edit(copy / "lib/symgen/training.py", "EVALUATED = ", "EVALUATED = 1 + ")
    _, said = figures(copy, NOTEBOOK, "train_tiny_target-91")
    assert "Another title" in executed.read_text(), said
    assert len(list((copy / "data" / "runs" / "tiny" / "target-91").glob("curves-*.csv"))) == 2, said


def edit(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_every_study_that_is_trained_here_has_a_map():
    """No file is made by two rules, whatever the sizes in a study's file; what a study leaves out is not made."""
    names = sorted(path.stem for path in (ROOT / "studies").glob("*.yaml"))
    trained = [name for name in names if not Study.load(name).target_model]
    command = [sys.executable, "-m", "snakemake", "--nolock", "--rulegraph", "--config"]
    ran = subprocess.run(
        [*command, f"studies={','.join(trained)}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert len(trained) > 10 and ran.returncode == 0, ran.stdout + ran.stderr
    for name in trained:
        study = Study.load(name)
        told = study.modality != "prompts"
        assert (f"notebook_{name}_07_penalty" in ran.stdout) == (told and study.penalty_weight > 0)
        assert (f"notebook_{name}_08_ablations" in ran.stdout) == (told and study.ablation_per_class > 0)
