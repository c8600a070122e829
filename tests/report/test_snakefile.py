"""The map, end to end on a tiny study in a copy of the project: what is missing is made, what is there is left alone."""

import math
import os
import subprocess
import sys

import pytest
import tiny_project
import yaml
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
    _, said = figures(copy, NOTEBOOK, "train_tiny_target-91")
    assert "Nothing to be done" in said, said
    changed = {path.name for path, at in before.items() if path.stat().st_mtime_ns != at}
    assert changed <= {".lock"}

    figure.unlink()
    _, said = figures(copy, NOTEBOOK)
    assert figure.exists(), said
    edit(copy / "notebooks" / "01_data_split.ipynb", "# 01 · Who is trained on what", "# 01 · Another title")
    edit(copy / "lib/symgen/study.py", '"training": 1', '"training": 2')
    _, said = figures(copy, NOTEBOOK, "train_tiny_target-91")
    assert "Another title" in executed.read_text(), said
    assert len(list((copy / "data" / "runs" / "tiny" / "target-91").glob("curves-*.csv"))) == 2, said


def edit(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def rules(*config, cwd=ROOT):
    command = [sys.executable, "-m", "snakemake", "--nolock", "--rulegraph", "--config", *config]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_every_study_that_is_trained_here_has_a_map():
    """No file is made by two rules, whatever the sizes in a study's file; what a study leaves out is not made."""
    names = sorted(path.stem for path in (ROOT / "studies").glob("*.yaml"))
    trained = [name for name in names if not Study.load(name).target_model]
    ran = rules(f"studies={','.join(trained)}")
    assert len(trained) > 10 and ran.returncode == 0, ran.stdout + ran.stderr
    for name in trained:
        study = Study.load(name)
        told = study.modality != "prompts"
        assert (f"notebook_{name}_07_penalty" in ran.stdout) == (told and study.penalty_weight > 0)
        assert (f"notebook_{name}_08_ablations" in ran.stdout) == (told and study.ablation_per_class > 0)


def test_prompts_need_no_fine_tuning_and_models_that_are_given_are_told_how_to_run(tmp_path):
    for name in ("Snakefile", "lib", "notebooks"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "studies").mkdir()
    for path in (ROOT / "studies").glob("*.yaml"):
        (tmp_path / "studies" / path.name).symlink_to(path)
    (tmp_path / "studies" / "plain.yaml").write_text("extends: snippets-lm\ntuning_dataset: ''\n")
    ran = rules("studies=plain", cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "notebook_plain_09_language_models" in ran.stdout and "10_fine_tuning" not in ran.stdout
    ran = rules("studies=smollm2", cwd=tmp_path)
    assert ran.returncode == 1 and "symgen notebook 09_language_models --study smollm2" in ran.stdout + ran.stderr


def test_settings_reach_a_unit_as_they_were():
    """What the map writes on a unit's command line is read as the same study."""
    changed = {
        "noise_bound": 0.00005,
        "learning_rate": 1e16,
        "checkpoints": (0.0, 0.1),
        "data_root": None,
        "cut": "a, b: c",
    }
    line = as_yaml()(changed)
    assert "\n" not in line
    study = Study.load("fashion-vgg", changed | {"data_root": "x"})
    assert Study.load("fashion-vgg", line).replace(data_root="x") == study


def as_yaml():
    """The map's own function of this name."""
    source = (ROOT / "Snakefile").read_text().split("def as_yaml")[1].split("\n\n")[0]
    space = {"yaml": yaml, "math": math}
    exec("def as_yaml" + source, space)
    return space["as_yaml"]
