"""The numbers of a tiny study are those that were committed: whoever changes one raises a version (`study.VERSIONS`)."""

from pathlib import Path

import numpy as np
import pytest

from symgen import Study
from symgen.store import key_of
from symgen.study import pipeline
from symgen.study.settings import SECTION_OF, VERSIONS

EXPECTED = Path(__file__).parent / "expected" / "tiny.npz"
ROLES = {"target-91": 2.0, "baseline-93": "best"}
# of the largest entry. Processors round differently: a training of eight steps carries that to its fifth digit
TOLERANCE = 1e-3


def computed(study):
    """What each stage makes of a study, by name."""
    split, samples = pipeline.ensure_split(study), pipeline.ensure_samples(study)
    arrays = {
        "part": split.part.to_numpy(str),
        "item": samples.item.to_numpy(),
        "variables": pipeline.task(study).variables(samples),
    }
    for role, checkpoint in ROLES.items():
        solved = pipeline.ensure_interactions(study, role, checkpoint)
        trained = pipeline.ensure_training(study, role)
        arrays |= {f"{role} loss": trained.curves.test_loss.to_numpy(), f"{role} v": solved.v.to_numpy()}
        arrays |= {f"{role} effects": solved.effects.to_numpy()}
    return arrays


@pytest.mark.parametrize("name", ["fashion-vgg", "snippets-bert", "snippets-lm"])
def test_a_tiny_study_gives_the_committed_numbers(shared, name):
    few = {
        "explain_classes": 1 if name == "snippets-lm" else 2,
        "n_variables": 4,
        "explain_per_class": 2,
        "tuning_dataset": "",
    }
    numbers = computed(Study.load(name, shared | few))
    with np.load(EXPECTED, allow_pickle=False) as expected:
        wanted = {key.removeprefix(f"{name} "): expected[key] for key in expected if key.startswith(f"{name} ")}
    assert wanted.keys() == numbers.keys()
    for key, array in numbers.items():
        if array.dtype.kind == "f":
            np.testing.assert_allclose(
                array, wanted[key], rtol=0, atol=TOLERANCE * np.abs(wanted[key]).max(), err_msg=key
            )
        else:
            assert np.array_equal(array, wanted[key]), key


def test_whoever_changes_a_default_raises_a_version():
    """What is computed is kept under the settings that are no defaults: a new default would read what the old one made."""
    fields = {name: field for section in SECTION_OF.values() for name, field in section.model_fields.items()}
    defaults = {name: field.default for name, field in sorted(fields.items()) if not field.is_required()}
    assert key_of(defaults | {"versions": VERSIONS}) == "e71a4e0067", (
        "raise the version of its stage, then set this key"
    )
