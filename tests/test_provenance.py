"""The code behind an artefact: all that its computation calls, found without running it; remarks do not count."""

import shutil
import sys
from pathlib import Path

import pytest

from symgen import Study, adoption, layout, pipeline, provenance
from symgen import study as studies
from symgen.interactions import prepare
from symgen.store import usable

KINDS = list(provenance.COMPUTES)


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A copy of the library that may be edited: `edit(file, old, new)` gives the kinds whose code that changes."""
    copied = tmp_path / "symgen"
    shutil.copytree(provenance.HERE, copied, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "HERE", copied)

    def edit(file, old, new, modality="images", family="target"):
        before = [provenance.code_of(what, modality, family) for what in KINDS]
        text = (copied / file).read_text()
        assert text.count(old) == 1
        (copied / file).write_text(text.replace(old, new))
        forget()
        return {w for w, code in zip(KINDS, before) if code != provenance.code_of(w, modality, family)}

    yield edit
    forget()


def forget():
    for cached in (provenance.code_of, provenance._module, provenance._named_by, provenance._said_by):
        cached.cache_clear()


EXTRACTED = {"interactions", "extraction"}
TRAINED = {"training", "values"} | EXTRACTED


@pytest.mark.parametrize(
    ("file", "old", "new", "changed"),
    [
        ("training.py", '"""Training of one network:', '"""Another text:', set()),  # a docstring
        ("interactions/sparse.py", "FEW = ", "# a remark\nFEW  =  ", set()),  # a comment, spaces
        ("plots/over_time.py", "def losses(", "def losses_(", set()),
        ("analysis.py", "def judge(", "def judge_(", set()),  # what is done with artefacts
        ("interactions/sparse.py", "FEW = ", "FEW = 1 + ", EXTRACTED),
        ("interactions/_operator.py", "WEIGHTS = ", "WEIGHTS = 2 * ", EXTRACTED),  # the solver's, two modules away
        ("interactions/_admm.py", "RELAXATION = ", "RELAXATION = 0.9 * ", EXTRACTED),  # compiled
        ("games.py", "PLAIN = ", "PLAIN = () or ", {"values"} | EXTRACTED),
        ("training.py", "EVALUATED = ", "EVALUATED = 1 + ", TRAINED),
        ("parts.py", "rng.permutation(items", "rng.choice(items", set(KINDS)),
        ("text_games.py", "CHUNK_TOKENS = ", "CHUNK_TOKENS = 1 + ", set()),  # another modality's
    ],
)
def test_an_edit_concerns_what_it_changes_and_what_rests_on_it(library, file, old, new, changed):
    assert library(file, old, new) == changed


def test_other_modalities_and_families_have_code_of_their_own(library):
    of_texts = library("text_games.py", "CHUNK_TOKENS = ", "CHUNK_TOKENS = 1 + ", "texts")
    assert of_texts == {"values"} | EXTRACTED
    assert (
        library("interactions/sparse.py", "FEW = ", "FEW = 1 + ", family="penalty")
        == {"training", "values"} | EXTRACTED
    )


def test_a_figure_concerns_the_notebooks_that_draw_it(library):
    notebooks = sorted((Path(__file__).parents[1] / "notebooks").glob("[0-9]*.ipynb"))
    before = {path: provenance.code_of_notebook(path, "images") for path in notebooks}
    assert library("plots/over_time.py", "def losses(", "def losses(*, ") == set()
    changed = {p.stem for p in notebooks if provenance.code_of_notebook(p, "images") != before[p]}
    assert changed == {"02_training", "10_fine_tuning"}


@pytest.mark.parametrize("name", ["fashion-vgg", "snippets-bert"])
def test_all_that_is_called_is_among_the_code(tiny, name):
    """An oracle: the functions of the library that Python says it called while an artefact was made."""
    prepare()  # how the solver comes from its cache decides nothing
    small = {"train_size": 40, "validation_size": 10, "test_size": 40, "epochs": 1, "checkpoints": [0, 1]}
    study = Study.load(name, tiny | small | {"baseline_seeds": [93], "explain_classes": 1, "explain_per_class": 1})
    for what, role, compute in (
        ("training", "penalty-91", lambda role: pipeline.ensure_training(study, role)),
        ("interactions", "target-91", lambda role: pipeline.ensure_interactions(study, role, 1.0)),
    ):
        penalty = set() if role.startswith("penalty") else {"pipeline:study_penalty"}
        code = provenance.closure(provenance.COMPUTES[what], provenance.FOREIGN[study.modality] | penalty)
        called = functions_called(compute, role)
        kept = {own for own in called if not {own.split(":")[0], own.split(".")[0]} & provenance.BOOKKEEPING}
        assert len(kept) > 50 and kept <= code


def functions_called(function, *arguments):
    """<module>:<function> or <module>:<class>.<method> of all functions of the library that a call calls."""
    here, called = str(provenance.HERE), set()

    def note(frame, event, _):
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(here):
            module = code.co_filename[len(here) + 1 : -3].replace("/", ".")
            called.add(f"{module}:{code.co_qualname.split('.<')[0]}")

    sys.setprofile(note)
    try:
        function(*arguments)
    finally:
        sys.setprofile(None)
    return {own for own in called if not own.endswith(":<module>")}


def test_what_other_code_has_made_counts_only_when_it_is_adopted(tiny, monkeypatch):
    study = Study.load("fashion-vgg", tiny)
    role = "baseline-93"
    found = pipeline.ensure_interactions(study, role, "best")

    def made():
        roles = [layout.curves_path(study, role), layout.interactions_path(study, role, "best")]
        return [layout.split_path(study), layout.samples_path(study), *roles]

    earlier = made()
    for module in (studies, adoption):
        monkeypatch.setattr(module, "code_of", lambda *of: f"another {of[0]}")
    assert not any(path.exists() for path in made()) and len({*made(), *earlier}) == 8
    damaged = layout.curves_path(study, role).with_name("curves-0123456789.csv.json")
    damaged.write_text("{")
    damaged.with_suffix("").write_text("")
    assert adoption.adopt(study) == (len(list(study.runs_dir.rglob("*.json"))) - 1) // 2
    damaged.unlink()
    assert adoption.adopt(study) == 0
    monkeypatch.setattr(pipeline, "_train", None)  # nothing is computed again
    monkeypatch.setattr(pipeline, "sparse_and_or", None)
    assert found.equals(pipeline.ensure_interactions(study, role, "best"))
    assert usable(layout.curves_path(study, role), study.settings_of("training", role))
    assert all(path.exists() for path in earlier)  # for the code that made them
