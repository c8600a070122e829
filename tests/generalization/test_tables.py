"""Tables of one network: sums in plain steps, at a checkpoint that is not the last, and cases worked by hand."""

from dataclasses import replace

import numpy as np
import pytest

from symgen import effective_number, find_phases, strength_by_order
from symgen.generalization import Bootstrap, compare, pooled, tables
from symgen.generalization.metrics import newly_learned
from symgen.interactions import orders

BOOTSTRAP = Bootstrap(draws=50, seed=3)


@pytest.fixture
def compared(rng):
    effects = rng.normal(size=(3, 6, 2, 8)) ** 3 * (orders(3) > 0)
    base = np.where(rng.random(effects.shape[1:]) < 0.5, effects[1], rng.normal(size=effects.shape[1:]) ** 3)
    v, base_v = rng.normal(size=(3, 6, 8)), rng.normal(size=(6, 8))
    return compare((v, effects), [(base_v, base)], tau_ratio=0.1, chance_draws=2, epochs=[0, 1, 4])


def sums(c, part, of_orders=(1, 2, 3)):
    """Strength of some orders at the second checkpoint, over all samples."""
    return (np.abs(c.effects[1]) * part[1])[..., np.isin(orders(3), of_orders)].sum()


def test_the_share_of_an_order_is_that_of_its_strength(compared):
    table = tables.share_table(compared, 1.0, BOOTSTRAP)
    assert table.order.tolist() == [1, 2, 3]
    for row in table.itertuples():
        whole = sums(compared, compared.salient, row.order)
        assert row.strength == pytest.approx(whole / 6)
        assert row.share == pytest.approx(sums(compared, compared.generalizable, row.order) / whole)
        assert row.chance == pytest.approx(sums(compared, compared.chance, row.order) / whole)
        assert row.low <= row.share <= row.high


def test_ratios_of_low_and_high_orders_are_those_of_these_orders(compared):
    table = tables.ratio_table(compared, 1.0, BOOTSTRAP, range(1, 2), range(2, 4)).set_index("quantity")
    parts = compared.generalizable, compared.chance
    low, high = (
        [sums(compared, part, of) / sums(compared, compared.salient, of) for part in parts] for of in ((1,), (2, 3))
    )
    assert table.loc["H_low", ["value", "chance"]].tolist() == pytest.approx(low)
    assert table.loc["H_high", ["value", "chance"]].tolist() == pytest.approx(high)
    assert table.loc["H_low - H_high", ["value", "chance"]].tolist() == pytest.approx(np.subtract(low, high))


def test_binary_and_graded_strength_and_both_by_chance_are_of_normalised_effects(compared):
    table = tables.graded_table(compared, 1.0)
    parts = {"total": "salient", "generalizable": "generalizable", "graded": "graded",
             "generalizable_by_chance": "chance", "graded_by_chance": "graded_chance"}  # fmt: skip
    for column, name in parts.items():
        strength = strength_by_order(compared.normalized[1], getattr(compared, name)[1]).mean(axis=0)
        for sign, expected in zip("+-", strength):
            assert table[table.sign == sign][column].tolist() == pytest.approx(expected[1:]), column


def test_dynamics_and_what_is_learned_are_means_over_samples(compared):
    curve, learned = tables.dynamics_table(compared, BOOTSTRAP), tables.learning_table(compared)
    gained, other = newly_learned(compared.effects), compared.salient & ~compared.generalizable
    np.testing.assert_allclose(curve.N, effective_number(compared.effects).mean(axis=1))
    np.testing.assert_allclose(curve.total[1], sums(compared, compared.salient) / 6)
    np.testing.assert_allclose(curve.generalizable[1], sums(compared, compared.generalizable) / 6)
    np.testing.assert_allclose(learned.delta_g, (gained * compared.generalizable).sum(axis=(2, 3)).mean(axis=1))
    np.testing.assert_allclose(learned.delta_n, (gained * other).sum(axis=(2, 3)).mean(axis=1))


def test_h_by_judges_is_the_mean_over_networks_with_the_interval_of_contrasts(compared, rng):
    other = compare((compared.v, compared.effects), [(compared.v[0], compared.effects[1])], epochs=compared.epochs)
    judged = {"some": {"a": compared, "b": other}, "others": {"a": other, "b": other}}
    table = tables.judges_over_training(judged, BOOTSTRAP)
    assert table["judged by"].unique().tolist() == ["some", "others"]
    for judges, of in judged.items():
        rows = table[table["judged by"] == judges]
        powers = [c.power(BOOTSTRAP) for c in of.values()]
        assert rows.epoch.tolist() == list(compared.epochs)
        np.testing.assert_allclose(rows.H, np.mean([power.H.value for power in powers], axis=0))
        np.testing.assert_allclose(rows.chance, np.mean([power.chance.value for power in powers], axis=0))
        expected = [pooled([power.H[t] for power in powers]) for t in range(len(rows))]
        np.testing.assert_allclose(rows[["H", "low", "high"]], expected)


def test_phases_of_a_comparison_are_those_of_its_strengths_with_its_seed_and_ratio(compared):
    strengths = *compared.strengths(), *compared.newly_learned
    for r in (0.01, 1.0):
        expected = find_phases(compared.epochs, *strengths, r=r, draws=50, seed=3)
        assert str(tables.phases_of(compared, BOOTSTRAP, r)) == str(expected)


def test_telling_epochs_are_the_ends_the_boundaries_and_some_between(compared):
    phases = tables.phases_of(compared, BOOTSTRAP)
    for t2, chosen in ((7.0, [0, 3, 7, 10, 13, 19]), (np.inf, [0, 3, 7, 11, 15, 19])):
        assert tables.telling_epochs(np.arange(20.0), replace(phases, t1=3.0, t2=t2)) == chosen


def test_sorted_strengths_are_relative_to_the_strongest_with_the_middle_80_percent():
    effects = np.zeros((1, 21, 2, 4))
    effects[0, :20, 0, 1], effects[0, :20, 1, 3] = -2.0, np.arange(1, 21) / 10  # the last sample has none
    first, second, *rest = tables.sparsity_table(effects, [7.0]).itertuples()
    assert (first.epoch, first.rank, first.low, first.median, first.high) == (7, 1, 1, 1, 1)
    assert (second.low, second.median, second.high) == pytest.approx((0.1, 0.525, 0.9))
    assert all(row.high == 0 for row in rest)


def test_conditions_are_taken_in_the_direction_of_the_whole_output():
    """u(1) is 2, 1, 1/2, 4, 5 and u(2) is 4, but for the sign: (1/2)^p = u(1) / 4; the last one falls."""
    u, sign = np.array([[2, 4], [1, 4], [0.5, 4], [4, 4], [5, 4]]), np.array([1, -1, 1, -1, 1])[:, None]
    v = (u * sign)[None][..., [0, 0, 0, 1]] * np.array([0, 1, 1, 1]) + 3.0
    effects = np.zeros((1, 5, 2, 4))
    effects[..., 0, 1], effects[..., 1, 3] = 1, -3
    table = tables.conditions_table(v, effects, [0.0])
    assert table.p[1] == pytest.approx(1) and table.p[[0, 2]].isna().all()
    assert table.monotone.tolist() == pytest.approx([1, 1, 0.8])
    assert table.strength_share.tolist() == [0, 0.25, 0.75]
    assert table.output.tolist() == pytest.approx([0, (2 + 1 + 0.5 + 4 + 5) / 20, 1])  # turned round as well


def test_a_sample_whose_output_is_the_same_with_all_and_with_none_says_nothing_of_the_conditions():
    v = np.zeros((1, 5, 4))
    v[0, 1:, 1:3], v[0, 1:, 3] = 1, 4
    v[0, 0, 1:3] = [2, -1]
    table = tables.conditions_table(v, np.ones((1, 5, 2, 4)), [0.0])
    assert table.p[1] == pytest.approx(2) and table.monotone.tolist() == [1, 1, 1]


def test_of_a_network_whose_output_never_varies_no_condition_has_a_number():
    table = tables.conditions_table(np.zeros((1, 5, 8)), np.zeros((1, 5, 2, 8)), [0.0])  # warnings are errors
    assert table.drop(columns=["epoch", "m"]).isna().all(axis=None) and len(table) == 4


def test_outputs_have_the_middle_80_percent_of_the_samples():
    v = np.outer(np.arange(1.0, 21), [0, 1, 1, 2])[None]
    table = tables.conditions_table(v, np.ones((1, 20, 2, 4)), [0.0])
    assert table.loc[1, ["low", "high"]].tolist() == pytest.approx([2 / 21, 18 / 21])


def test_intervals_hold_what_they_are_of_and_networks_have_their_mean(compared, rng):
    curve = tables.dynamics_table(compared, BOOTSTRAP)
    for name in ("H", "N"):
        assert (curve[f"{name}_low95"] <= curve[name]).all() and (curve[name] <= curve[f"{name}_high95"]).all()
    assert (curve.N_low95 < curve.N_high95).any()
    other = compare(
        (compared.v, -compared.effects * rng.random(8)), [(compared.v[0], compared.effects[0])], epochs=[0, 1, 4]
    )
    both = tables.mean_order_table({"a": compared, "b": other}, 4.0)
    columns = ["total", "generalizable"]
    one, two = (c.by_order(4.0).sort_values(["order", "sign"])[columns].to_numpy() for c in (compared, other))
    np.testing.assert_allclose(both.sort_values(["order", "sign"])[columns], (one + two) / 2)
