"""Metrics on examples worked by hand, and the laws they obey."""

import numpy as np
import pytest

from symgen import (
    effective_number,
    generalizable,
    generalization_ratio,
    jaccard,
    removed_value,
    salient,
    similarity,
    strength_by_order,
)
from symgen.generalization import compare
from symgen.generalization.metrics import derangements, newly_learned, normalized, ratio


def effects(**values):
    """Effects of three variables: and_3=2.0 is an AND of variables 0 and 1 with effect 2."""
    result = np.zeros((2, 8))
    for name, value in values.items():
        kind, subset = name.split("_")
        result[("and", "or").index(kind), int(subset)] = value
    return result


def test_salience_is_relative_to_the_strongest_of_both_kinds():
    target = effects(and_1=10.0, and_3=0.4, or_3=-0.6, or_7=0.5)
    assert np.argwhere(salient(target)).tolist() == [
        [0, 1],
        [1, 3],
    ]  # the threshold is 0.5, and not above it is not salient
    assert salient(target, strongest=1).sum() == 1 and salient(target, strongest=100).sum() == 4
    assert salient(target, tau=0.45).sum() == 3
    assert not salient(np.zeros((2, 8))).any() and not salient(np.zeros((2, 8)), strongest=3).any()
    with pytest.raises(ValueError, match="strongest = 0; expected at least one"):
        salient(target, strongest=0)
    for tau in (-1.0, np.nan):
        with pytest.raises(ValueError, match=r"tau = .*; expected a threshold of 0 or more"):
            salient(target, tau=tau)


def test_generalizable_needs_the_same_interaction_salient_and_of_the_same_sign():
    target = effects(and_1=1.0, and_3=1.0, or_3=-1.0, or_7=1.0)
    base = effects(and_1=5.0, and_3=-5.0, or_3=-5.0, or_7=0.1)[None]  # same; other sign; same; not salient
    assert np.argwhere(generalizable(target, base)).tolist() == [[0, 1], [1, 3]]


def test_several_baselines_count_by_any_majority_or_all():
    target = effects(and_1=1.0, and_2=1.0, and_3=1.0, and_4=1.0)
    bases = np.stack([effects(and_1=1.0, and_2=1.0, and_3=1.0), effects(and_1=1.0, and_2=1.0), effects(and_1=1.0)])
    count = {how: generalizable(target, bases, combine=how).sum() for how in ("any", "majority", "all")}
    assert count == {"any": 3, "majority": 2, "all": 1}
    assert generalizable(target, bases[:2], combine="majority").sum() == 2  # half is no majority
    with pytest.raises(ValueError, match="combine = 'most'"):
        generalizable(target, bases, combine="most")


def test_similarity_is_the_smaller_over_the_larger_where_signs_agree():
    target = effects(and_1=1.0, and_2=-4.0, and_3=1.0)
    bases = np.stack([effects(and_1=4.0, and_2=-1.0, and_3=-1.0), effects(and_1=2.0)])
    graded = similarity(target, bases)
    assert graded[0, 1] == 0.5 and graded[0, 2] == 0.25 and graded[0, 3] == 0
    assert similarity(target, bases, combine="all")[0, 1] == 0.25
    assert np.isfinite(graded).all()  # 0 over 0 is 0


def test_strength_by_order_keeps_signs_apart():
    target = effects(and_1=1.0, and_3=2.0, or_3=-3.0, or_7=4.0)
    strength = strength_by_order(target)
    assert strength.tolist() == [[0, 1, 2, 4], [0, 0, -3, 0]]
    halved = strength_by_order(target, 0.5)
    assert np.array_equal(halved, strength / 2)


def test_h_is_a_ratio_of_sums_over_samples():
    total = strength_by_order(np.stack([effects(and_1=1.0, and_7=1.0), effects(and_1=-3.0)]))
    gen = strength_by_order(np.stack([effects(and_1=1.0), effects()]))
    assert generalization_ratio(gen, total) == pytest.approx(1 / 5)  # the mean of ratios would be 1/4
    assert generalization_ratio(gen, total, (1, 2)) == pytest.approx(1 / 4)
    assert generalization_ratio(gen, total, (2, 1, 2, -1)) == pytest.approx(1 / 4)  # an order counts once
    assert generalization_ratio(gen, total, (3, 4, 5)) == 0  # one sample has none of order 3; orders above n are empty


def test_an_order_with_nothing_salient_is_not_a_number():
    total = strength_by_order(np.stack([effects(and_1=1.0)]))
    assert np.isnan(generalization_ratio(total, total, (2,)))


def test_the_effective_number_counts_the_strongest_that_hold_80_percent():
    target = effects(and_1=5.0, and_2=-3.0, and_3=2.0, or_3=1.0)
    assert effective_number(target) == 3  # 5 + 3 of 10, and the one OR
    assert effective_number(effects(and_1=1.0, and_2=1.0, and_3=1.0, and_4=1.0, and_5=1.0)) == 4
    assert effective_number(effects(and_1=0.3, and_2=0.3, and_3=0.3, and_4=0.3, and_5=0.3)) == 4  # but for rounding
    some_dead = effective_number(np.stack([target, np.zeros((2, 8))]))
    assert some_dead[0] == 3 and np.isnan(some_dead[1])  # nothing to count


def test_jaccard_of_distributions():
    a, b = np.array([[1.0, 2.0], [0.0, -1.0]]), np.array([[2.0, 2.0], [0.0, 0.0]])
    assert jaccard(a, b) == pytest.approx(3 / 5) and jaccard(a, a) == 1
    assert np.isnan(jaccard(a * 0, a * 0))


def test_removal_subtracts_what_is_triggered_on_the_full_input():
    target = effects(and_1=1.0, or_3=-2.0, and_7=4.0)
    assert removed_value(np.array(5.0), target, target < 0) == 7.0
    with pytest.raises(
        ValueError, match=r"v has shape \(8,\); expected \(\), one number a sample, with nothing masked"
    ):
        removed_value(np.zeros(8), target, target < 0)
    assert removed_value(np.array(5.0), target, np.zeros((2, 8), bool)) == 5.0


def test_newly_learned_is_growth_in_strength():
    path = np.stack([effects(and_1=1.0, and_2=2.0), effects(and_1=-3.0, and_2=1.0)])
    assert newly_learned(path)[1].sum() == 2 and not newly_learned(path)[0].any()


def test_normalisation_makes_h_of_the_graded_measure_free_of_scale(rng):
    target, base = rng.normal(size=(4, 2, 8)), rng.normal(size=(1, 4, 2, 8))
    v, base_v = rng.normal(size=(4, 8)), rng.normal(size=(1, 4, 8))
    graded = similarity(normalized(target, v), normalized(base, base_v))
    scaled = similarity(normalized(10 * target, 10 * v), normalized(base, base_v))
    np.testing.assert_allclose(graded, scaled)


def test_effects_are_divided_by_the_mean_change_of_their_network_in_either_direction():
    v, given = np.zeros((2, 2, 4)), np.ones((2, 2, 2, 4))
    v[0, :, 0], v[0, :, -1] = [1, 0], [5, -2]  # by 4, and by -2; the second network does not change
    scaled = normalized(given, v)
    assert (scaled[0] == 1 / 3).all() and np.isnan(scaled[1]).all()


def test_derangements_move_every_sample(rng):
    drawn = derangements(5, 20, rng)
    assert (drawn != np.arange(5)).all() and (np.sort(drawn) == np.arange(5)).all()
    with pytest.raises(ValueError, match="at least two"):
        derangements(1, 1, rng)
    with pytest.raises(ValueError, match="draws = 0; a chance level needs at least one"):
        derangements(2, 0, rng)


def test_metrics_do_not_care_about_the_names_of_the_variables(rng):
    target, base = rng.normal(size=(3, 2, 16)), rng.normal(size=(2, 3, 2, 16))
    swapped = [s & ~0b101 | (s & 1) << 2 | s >> 2 & 1 for s in range(16)]  # variables 0 and 2 change places
    gen, moved = generalizable(target, base), generalizable(target[..., swapped], base[..., swapped])
    assert np.array_equal(gen[..., swapped], moved)
    np.testing.assert_allclose(strength_by_order(target, gen), strength_by_order(target[..., swapped], moved))


@pytest.mark.parametrize("salience", [{"tau_ratio": 0.2}, {"strongest": 7}, {"tau": 0.3}])
def test_any_rule_of_salience_judges_target_and_baselines_alike(rng, salience):
    target, bases = rng.normal(size=(3, 5, 2, 8)) ** 3, rng.normal(size=(2, 5, 2, 8)) ** 3
    v, base_v = rng.normal(size=(3, 5, 8)), 10 * rng.normal(size=(2, 5, 8))
    comparison = compare((v, target), zip(base_v, bases), **salience)
    scaled = (normalized(target, v), normalized(bases, base_v)) if "tau" in salience else (target, bases)
    kept, kept_bases = (salient(of, **salience) for of in scaled)
    assert np.array_equal(comparison.salient, kept) and 0.2 < kept.mean() < 0.8
    assert "strongest" not in salience or (kept.sum(axis=(2, 3)) == 7).all()
    has_it = (np.sign(target)[:, None] == np.sign(bases)) & kept_bases
    assert np.array_equal(comparison.generalizable, kept & has_it.any(axis=1))


@pytest.mark.parametrize("combine", ["any", "majority", "all"])
def test_judging_the_salient_alone_is_judging_all_and_keeping_the_salient(rng, combine):
    target, bases = rng.normal(size=(3, 5, 2, 8)) ** 3, rng.normal(size=(3, 5, 2, 8)) ** 3
    v, base_v = rng.normal(size=(3, 5, 8)), rng.normal(size=(3, 5, 8))
    given = {"tau_ratio": 0.2, "combine": combine, "chance_draws": 4, "seed": 7}
    comparison = compare((v, target), zip(base_v, bases), **given)
    kept, scaled, scaled_bases = salient(target, 0.2), normalized(target, v), normalized(bases, base_v)
    others = derangements(5, 4, np.random.default_rng(7))
    assert 0.2 < kept.mean() < 0.8 and np.array_equal(comparison.salient, kept)
    assert np.array_equal(comparison.generalizable, kept & generalizable(target, bases[:, None], 0.2, combine))
    assert np.array_equal(comparison.graded, kept * similarity(scaled, scaled_bases[:, None], combine))
    chance = [kept & generalizable(target, bases[:, None, order], 0.2, combine) for order in others]
    graded = [kept * similarity(scaled, scaled_bases[:, None, order], combine) for order in others]
    assert np.array_equal(comparison.chance, np.mean(chance, axis=0))
    assert np.array_equal(comparison.graded_chance, np.mean(graded, axis=0))


def test_how_similar_several_baselines_are_by_hand():
    ones = np.zeros((1, 2, 4))
    ones[0, 0, 3] = 1.0
    bases = np.stack([0.5 * ones, 0.25 * ones, -ones])
    similar = {combine: similarity(ones, bases, combine)[0, 0, 3] for combine in ("any", "majority", "all")}
    each = [similarity(ones, one[None], "any")[0, 0, 3] for one in bases]
    assert each[0] > each[1] > each[2] == 0
    assert similar == {"any": each[0], "majority": each[1], "all": 0}


@pytest.mark.parametrize("measure", [generalizable, similarity])
def test_baselines_without_an_axis_of_their_own_are_not_taken_for_several(rng, measure):
    target, baseline = rng.normal(size=(2, 5, 2, 8))
    assert measure(target, baseline[None]).shape == target.shape
    with pytest.raises(ValueError, match=r"baselines \(5, 2, 8\); expected one more axis in front"):
        measure(target, baseline)


def test_a_ratio_may_be_of_negative_numbers():
    assert ratio([1.0, -1.0], [-2.0, -2.0]).tolist() == [-0.5, 0.5]
