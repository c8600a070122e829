"""The studies behind the ablations: one setting changed at a time, nothing extracted twice."""

import pytest

from symgen import Study
from symgen.study import variants


@pytest.fixture(params=["fashion-vgg", "snippets-bert"])
def study(request):
    return Study.load(request.param)


def test_one_setting_is_changed_at_a_time(study):
    found = variants.variants(study)
    first, *others = found.items()
    assert first == ("as it is", study.replace(explain_per_class=study.ablation_per_class))
    few = first[1]
    for name, variant in others:
        changed = {key for key in vars(few) if getattr(few, key) != getattr(variant, key)}
        samples = changed & {"explain_classes", "explain_per_class"}
        assert len(changed - samples) == 1 and bool(samples) == (name == f"{study.more_variables} variables"), name
    assert len({variant.digest() for variant in found.values()}) == len(found)
    assert found["tau_ratio 0.1"].tau_ratio == 2 * study.tau_ratio and found["6 variables"].n_variables == 6


def test_changes_make_the_same_study_again(study):
    for variant in variants.variants(study).values():
        assert Study.load(study.name, variant.changes()) == variant
    assert study.changes() == {}


def test_units_extract_everything_once_and_the_unchanged_study_first(study):
    first, others = variants.units(study)
    units = first + others
    marks = [layout.extracted_mark(other, role) for other, roles in units for role in roles]
    own = [layout.extracted_mark(study, role) for role in study.targets + study.baselines]
    assert len(set(marks)) == len(marks) and not set(marks) & set(own)
    assert first == [(variants.variants(study)["as it is"], (study.targets[0], *study.baselines))]
    needed = {
        layout.extracted_mark(v, r) for v in variants.variants(study).values() for r in (study.targets[0], *v.baselines)
    }
    needed |= {
        layout.extracted_mark(family, role) for family, roles in variants.judges(study).values() for role in roles
    }
    needed |= {layout.extracted_mark(study, role) for role in variants.many_baselines(study)}
    assert needed <= {*marks, *own}


def test_who_judges_beside_the_baselines_and_is_trained_as_the_study_is(study):
    more = [f"baseline-{seed}" for seed in study.more_baseline_seeds]
    second = [f"second-{seed}" for seed in study.second_seeds]
    assert list(variants.judging(study)) == [*more, *second, *(f"shuffled-{seed}" for seed in study.shuffled_seeds)]
    without = study.replace(ablation_per_class=0)
    assert list(variants.judging(without)) == second and not variants.judging(without.replace(penalty_weight=0))


def test_families_without_networks_are_left_out(study):
    assert list(variants.judges(study)) == ["B", "C", "D", "shuffled labels"]
    assert list(variants.judges(study.replace(shuffled_seeds=[]))) == ["B", "C", "D"]


@pytest.mark.parametrize("name", ["fashion-vgg", "snippets-bert"])
def test_the_full_profile_is_the_same_study_with_more_of_it(name):
    small, full = Study.load(name), Study.load(f"{name}-full")
    changed = {key for key in vars(small) if getattr(small, key) != getattr(full, key)}
    more = {"name", "target_seeds", "explain_per_class", "ablation_per_class", "checkpoints"}
    assert changed - {"more_variables"} == more and full.more_variables == 12
    assert set(small.target_seeds) < set(full.target_seeds) and set(small.checkpoints) <= set(full.checkpoints)
    assert full.explain_per_class * full.explain_classes == 100  # of A, and as many of D, as in the paper
