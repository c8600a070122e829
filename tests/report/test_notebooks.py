"""Every notebook runs end to end on a tiny study; the runner refuses what a notebook does not know."""

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import tiny_project
from PIL import Image
from tiny_project import ROOT

from symgen import Study
from symgen.__main__ import main
from symgen.errors import InputError
from symgen.interactions import prepare
from symgen.report import runner
from symgen.store import WRITTEN
from symgen.study import jobs, notebooks

NOTEBOOKS = ROOT / "notebooks"
LINK = re.compile(r"""(?:\]\(|src=")(?!https?:|data:|#)([^)#"]+)""")  # to a file
SHOWN = ("text/markdown", "text/html")
NAMES = sorted(path.stem for path in NOTEBOOKS.glob("[0-9]*.ipynb") if ".failed" not in path.name)


def cells(path, kind="code"):
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == kind]


def printed(path):
    return "".join(
        "".join(out.get("text", ""))
        for cell in cells(path)
        for out in cell["outputs"]
        if out["output_type"] == "stream"
    )


def headers(path):
    """Names of rows and columns in the tables that a notebook shows."""
    pages = ("".join(out.get("data", {}).get("text/html", "")) for cell in cells(path) for out in cell["outputs"])
    return {name for page in pages for name in re.findall(r"<th[^>]*>([^<]*)</th>", page)}


OF_NO_STUDY = "12_image_networks"  # test_image_networks.py runs it
STUDIES = ("fashion-vgg", "snippets-bert", "snippets-lm")
CASES = [(study, name) for study in STUDIES for name in notebooks(Study.load(study))]
CASES += [(study, "11_claims") for study in STUDIES[:2]]
TINY_TUNING = {
    "tuning_from": 1, "tuning_size": 250, "tuning_validation_size": 30, "tuning_test_size": 250, "tuning_epochs": 2,
    "tuning_checkpoints": [0, 1, 2],
}  # fmt: skip
TINY_JUDGES = {
    "n_variables": 6, "more_variables": 8, "ablation_per_class": 1, "few_shot_size": 0, "more_baseline_seeds": [95],
    "second_seeds": [96, 97], "shuffled_seeds": [98, 99, 100], "arms_per_class": 2,
}  # fmt: skip


def artefacts(runs):
    """Networks and interactions."""
    return {*runs.rglob("*.safetensors"), *runs.rglob("*.nc")}


@pytest.fixture(scope="session")  # a module ends where another runs between, side by side
def worked(tmp_path_factory):
    """A function that does all jobs of a study: parameters of its notebooks, folders of its figures and of its runs."""
    prepare()

    @cache
    def of(name):
        folder = tmp_path_factory.mktemp(name)
        settings = tiny_project.SETTINGS | TINY_JUDGES | tiny_project.roots(folder)
        if name == "fashion-vgg":  # one target and few samples to learn from here, two and none there
            settings |= {"target_seeds": [91], "few_shot_size": 40}
        if name != "fashion-vgg":  # what no study of the project has, but any may say
            settings |= {"tau_ratio": 0.1, "generalizes_to": "all", "baseline_checkpoint": "last"}
        settings |= {"architecture": "bert-1x64", "validation_size": 0} if name == "snippets-bert" else {}
        settings |= {"explain_classes": 1} | TINY_TUNING if name == "snippets-lm" else {}
        study = Study.load(name, settings)
        for job in jobs(study):
            job.run()
        return {"study": name, "overrides": settings}, folder / "figures", folder / "runs"

    return of


@pytest.mark.parametrize(
    ("study", "name"), [pytest.param(*case, marks=pytest.mark.xdist_group(f"notebooks of {case[0]}")) for case in CASES]
)
def test_a_notebook_runs_end_to_end(study, name, worked, in_one_kernel, tmp_path):
    """After the jobs of its study, which train and extract all that it looks at."""
    before = (NOTEBOOKS / f"{name}.ipynb").read_bytes()
    parameters, figures_root, runs = worked(study)
    for table, maker in (("fig03_dynamics", "05_three_phase_dynamics"), ("fig06_learned", "02_training")):
        if name == "11_claims" and not list(figures_root.rglob(f"{table}.csv")):  # which reads it
            runner.execute(maker, parameters, tmp_path / "before.ipynb")
    known, computed = set(figures_root.rglob("*.png")), artefacts(runs)
    output = runner.execute(name, parameters, tmp_path / "out.ipynb")
    new = {path.parent.name for path in artefacts(runs) - computed}
    assert not new, f"no job made what {name} looks at, of {new}"
    errors = [out for cell in cells(output) for out in cell["outputs"] if out["output_type"] == "error"]
    warned = [out for cell in cells(output) for out in cell["outputs"] if out.get("name") == "stderr"]
    assert not errors and not warned
    pictures = [out for cell in cells(output) for out in cell["outputs"] if "image/png" in out.get("data", {})]
    for out in pictures:
        picture = Image.open(io.BytesIO(base64.b64decode(out["data"]["image/png"])))
        assert out["metadata"]["image/png"] == {"alt": picture.text["Description"]} and picture.text["Description"]
    assert printed(output)
    assert max(map(len, printed(output).splitlines())) <= 100
    assert not {header for header in headers(output) if "_" in header.replace("H_low", "").replace("H_high", "")}
    texts = ["".join(cell["source"]) for cell in cells(output, "markdown")]
    texts += [
        "".join(out.get("data", {}).get(kind, ""))
        for cell in cells(output)
        for out in cell["outputs"]
        for kind in SHOWN
    ]
    links = [link for text in texts for link in LINK.findall(text)]
    assert links and all((output.parent / link).resolve().is_relative_to(ROOT) for link in links)  # from where it lies
    assert all((output.parent / link).exists() for link in links)
    figures = set(figures_root.rglob("*.png")) - known
    assert figures and all(path.with_suffix(".csv").stat().st_size > 20 for path in figures)
    assert (NOTEBOOKS / f"{name}.ipynb").read_bytes() == before  # overrides leave the committed notebook alone


@pytest.mark.xdist_group("of one")
def test_tests_of_a_group_are_run_in_one_process(request):
    """Or each process does the jobs of every study again: pytest 9.2 leaves pytest-xdist 3.8 without groups."""
    if not getattr(request.config.option, "loadgroup", False):
        pytest.skip("asks for pytest -n 2 --dist loadgroup")
    assert request.node.nodeid.endswith("@of one")


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_made_for_reading(name):
    path = NOTEBOOKS / f"{name}.ipynb"
    opening = "".join(cells(path, "markdown")[0]["source"])
    assert all(f"**{word}" in opening for word in ("Question", "Reads", "Writes", "Time"))
    assert "\n*Repeats " in opening and "/lib/symgen/" in opening and "#Glossary" in opening
    asked = {"figures", "runs"} if name == OF_NO_STUDY else {"study", "overrides"}
    assert set(runner.declared_parameters(path)) >= asked
    for cell in cells(path):
        assert len([line for line in cell["source"] if line.strip()]) <= 22
    assert any("What this shows" in "".join(cell["source"]) for cell in cells(path, "markdown"))


@pytest.mark.parametrize("name", NAMES)
def test_a_committed_notebook_holds_clean_outputs(name):
    path = NOTEBOOKS / f"{name}.ipynb"
    outputs = [out for cell in cells(path) for out in cell["outputs"]]
    assert outputs and path.stat().st_size < 500_000
    assert not [out for out in outputs if out["output_type"] == "error" or out.get("name") == "stderr"]
    assert str(Path.home()) not in path.read_text() and str(NOTEBOOKS.parent) not in path.read_text()
    assert " at 0x" not in path.read_text()


def test_an_object_is_shown_without_its_address_and_a_picture_keeps_its_words():
    shown = {"text/plain": ["<symgen.Thing at 0x7fc20868ea10>,\n", "0x1F stays"]}
    words = {"image/png": {"alt": "H 2 at 0, 3 at 1."}}
    output = {"data": shown, "metadata": words | {"needs_background": "light"}}
    cell = {"metadata": {"tags": ["one"], "papermill": {}}, "outputs": [output]}
    (cleaned,) = runner.clean({"metadata": {}, "cells": [cell]})["cells"]
    assert cleaned["metadata"] == {"tags": ["one"]} and cleaned["outputs"][0]["metadata"] == words
    assert cleaned["outputs"][0]["data"]["text/plain"] == ["<symgen.Thing>,\n", "0x1F stays"]


def test_the_runner_refuses_an_unknown_parameter(tmp_path):
    with pytest.raises(ValueError, match="has no parameter 'studdy'; did you mean 'study'"):
        runner.execute("01_data_split", {"studdy": "fashion-vgg"}, tmp_path / "out.ipynb")
    with pytest.raises(ValueError, match="no notebook named '05_three_phases'; did you mean '05_three_phase_dynamics'"):
        runner.notebook_path("05_three_phases")


def test_a_figure_that_a_notebook_no_longer_makes_goes(tmp_path, monkeypatch):
    folder, made = tmp_path / "one", iter([("a.csv", "b.csv", "c.csv"), ("a.csv",)])
    folder.mkdir()

    def run(source, output, _):
        for path in (folder / name for name in next(made)):
            path.touch()
            with open(os.environ[WRITTEN], "a") as listed:
                listed.write(f"{path}\n")
        shutil.copy(source, output)

    monkeypatch.setattr(runner, "_run", run)
    (folder / "mine.csv").touch()
    for names in (["a.csv", "b.csv", "c.csv", "mine.csv"], ["a.csv", "c.csv", "mine.csv"]):
        runner._executed(NOTEBOOKS / "01_data_split.ipynb", tmp_path / "01.ipynb", {}, folder)
        assert sorted(path.name for path in folder.iterdir()) == names
        figures = {"symgen": {"figures": ["one/c.csv"]}}  # another notebook makes it now
        (tmp_path / "02.ipynb").write_text(json.dumps({"metadata": figures}))


def test_a_damaged_executed_copy_is_not_whole(tiny):
    study = Study.load("fashion-vgg", tiny)
    path = runner.executed_path(study, "01_data_split")
    path.parent.mkdir(parents=True)
    path.write_text('{"metadata": {}}')
    assert runner.is_whole(study, "01_data_split")
    path.write_text('{"metadata": ')
    assert not runner.is_whole(study, "01_data_split")


def test_a_mistake_shows_one_line_in_the_notebook_and_on_the_command_line(tmp_path):
    with pytest.raises(InputError, match="01_data_split failed: InputError: overrides: unknown setting 'epoch'"):
        runner.execute("01_data_split", {"overrides": {"epoch": 3}}, tmp_path / "out.ipynb")
    assert not (tmp_path / "out.ipynb").exists()
    (error,) = [
        out for cell in cells(tmp_path / "out.failed.ipynb") for out in cell["outputs"] if out["output_type"] == "error"
    ]
    assert error["traceback"] == ["InputError: overrides: unknown setting 'epoch'; did you mean 'epochs'?"]
    command = [sys.executable, "-m", "symgen", "train", "fashion-vg", "target-1"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=NOTEBOOKS.parent)
    assert ran.returncode == 1 and ran.stdout == ""
    message = "error: no study named 'fashion-vg'; did you mean 'fashion-vgg'?; there are: "
    assert ran.stderr.startswith(message) and ran.stderr.count("\n") == 1
    files = (NOTEBOOKS.parent / "studies").glob("*.yaml")
    assert ran.stderr.removeprefix(message).strip().split(", ") == sorted(file.stem for file in files)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "fashion-vgg", "teacher-1"], "role 'teacher-1'; expected <family>-<seed>"),
        (["extract", "fashion-vgg", "target-11", "--overrides", "{epoch: 3}"], "did you mean 'epochs'?"),
        (["notebook", "5_three"], "no notebook named '5_three'"),
    ],
)
def test_the_command_line_says_what_is_wrong(arguments, message, capsys):
    assert main(arguments) == 1
    assert message in capsys.readouterr().err


def test_the_units_run_without_papermill_or_snakemake(tmp_path, tiny):
    """Training and extraction must work where only the numerical packages are installed."""
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['papermill', 'snakemake', 'jupyterlab']));"
        "from symgen.__main__ import main; sys.exit(any(main([do, *sys.argv[1:]]) for do in ('train', 'extract')))"
    )
    arguments = "fashion-vgg", "baseline-93", "--overrides", json.dumps(tiny)
    ran = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=NOTEBOOKS.parent)
    assert ran.returncode == 0, ran.stderr
    assert "baseline-93 best: 12 samples" in ran.stdout
