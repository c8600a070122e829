"""The studies behind the ablations: one setting changed at a time, nothing extracted twice."""

import pytest

from symgen import Study
from symgen.generalization import folded, unmerged
from symgen.study import ablations


@pytest.fixture(params=["fashion-vgg", "snippets-bert"])
def study(request):
    return Study.load(request.param)


def test_one_setting_is_changed_at_a_time(study):
    variants = ablations.variants(study)
    every, few = variants["as it is"], variants[ablations.FEWER]
    assert every == study.dynamics and few == study.replace(explain_per_class=study.ablation_per_class)
    base, judged = every, set()
    for name, variant in list(variants.items())[1:]:
        if name == ablations.FEWER:
            base = few
            continue
        judged |= {name} if base is every else set()
        changed = {key for key in dict(base) if getattr(base, key) != getattr(variant, key)}
        samples = changed & {"explain_classes", "explain_per_class"}
        assert len(changed - samples) == 1 and bool(samples) == (name == f"{study.more_variables} variables"), name
    thresholds, ratios = (f"threshold of salience {value}" for value in (0.025, 0.1)), (0.5, 2)
    judges = {"generalizes to all", "baselines at the end", "baselines on D"}
    assert judged == {*thresholds, *(f"ratio r of the phases {ratio}" for ratio in ratios), *judges}
    assert len({variant.digest() for variant in variants.values()}) == len(variants)
    assert (
        variants["threshold of salience 0.1"].tau_ratio == 2 * study.tau_ratio
        and variants["6 variables"].n_variables == 6
        and ("8 variables" in variants) == (study.n_variables > 8)
    )


def test_other_readings_are_no_two_names_of_the_study_as_it_is(study):
    ways = ablations.readings(study)
    assert [*ways.values()] == [
        {"strongest": ablations.STRONGEST},
        {"tau": study.tau_ratio},
        {"rewrite": folded},
        {"rewrite": unmerged},
    ]
    assert not ways.keys() & ablations.variants(study).keys()


def test_every_number_of_variables_is_asked_of_all_targets_on_the_same_items(study):
    sizes = ablations.sizes(study)
    assert list(sizes) == list(range(6, max(study.n_variables, study.more_variables) + 1, 2))
    assert len({(one.explain_classes, one.explain_per_class) for one in sizes.values()}) == 1
    asked = {(one, role) for one, role, _ in ablations.requirements(study)}
    assert asked >= {(one, role) for one in sizes.values() for role in study.targets}


def test_families_without_networks_are_left_out(study):
    assert list(ablations.judges(study)) == ["B", "C", "D", "shuffled labels"]
    assert list(ablations.judges(study.replace(shuffled_seeds=[]))) == ["B", "C", "D"]


def test_families_of_judges_are_those_of_their_part(study):
    families = {name: (one.baseline_on, roles) for name, (one, roles) in ablations.judges(study).items()}
    of_b, of_d = ("B", study.baselines), ("D", study.baselines)
    assert families == {"B": of_b, "C": ("B", study.second), "D": of_d, "shuffled labels": ("B", study.shuffled)}
    assert ablations.many_baselines(study) == (
        *study.baselines,
        *(f"baseline-{seed}" for seed in study.more_baseline_seeds),
    )


def test_variants_ask_the_first_target_throughout_sizes_all_at_the_end_and_the_spindle_one_untrained(study):
    asked, variants, first = ablations.requirements(study), ablations.variants(study), study.targets[0]
    assert all((variant, first, study.checkpoints) in asked for variant in variants.values())
    ends = [(one, role, study.checkpoints[-1:]) for one in ablations.sizes(study).values() for role in study.targets]
    spindle = variants[ablations.FEWER].replace(noise_bound=0.0), first, study.checkpoints[:1]
    assert asked[-1 - len(ends) :] == [*ends, spindle]


@pytest.mark.parametrize("name", ["fashion-vgg", "snippets-bert"])
def test_the_full_profile_is_the_same_study_with_more_of_it(name):
    small, full = Study.load(name), Study.load(f"{name}-full")
    changed = {key for key in dict(small) if getattr(small, key) != getattr(full, key)}
    more = {"name", "explain_per_class", "ablation_per_class", "checkpoints"}
    fewer = {"dynamics_per_class", "arms_networks", "arms_per_class"}  # of the small one
    assert changed - {"more_variables"} == more | fewer and full.more_variables == 12
    assert not full.dynamics_per_class and not full.arms_networks  # all of them
    assert set(small.target_seeds) <= set(full.target_seeds) and set(small.checkpoints) <= set(full.checkpoints)
    assert full.explain_per_class * full.explain_classes == 100  # of A, and as many of D, as in the paper
