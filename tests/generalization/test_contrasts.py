"""What the claims rest on: statistics of several networks, their mean, and intervals over samples and networks."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import spearmanr

from symgen import interactions
from symgen.generalization import Bootstrap, Estimate, compare, contrasts, estimates_table, interval, metrics, tables
from symgen.interactions.subsets import orders
from symgen.interactions.transforms import reconstruct

EPOCHS = np.array([0.0, 1.0, 2.0, 4.0])


BOOTSTRAP = Bootstrap(draws=200)
RESAMPLING = BOOTSTRAP, range(1, 3), range(3, 5)  # low and high orders of four variables


def planted(seed, strangers=False, n_samples=20):
    """A target that has low orders in common with its baseline at the second checkpoint, then ever more noise."""
    rng = np.random.default_rng(seed)
    low = orders(4) * np.ones((n_samples, 2, 1)) <= 2
    base = rng.normal(size=(n_samples, 2, 16)) * low * (rng.random((n_samples, 2, 16)) < 0.4)
    noise = rng.normal(size=(len(EPOCHS), n_samples, 2, 16)) * np.array([0.5, 0.05, 0.4, 1.5])[:, None, None, None]
    effects = np.array([0.0, 1.0, 1.2, 1.0])[:, None, None, None] * base + noise
    effects[..., 0] = 0
    v = reconstruct(effects[..., 0, :], effects[..., 1, :], np.zeros(effects.shape[:2]))
    base_v = reconstruct(base[:, 0], base[:, 1], np.zeros(n_samples))
    of = np.repeat(["training", "testing"], n_samples // 2)
    if strangers:  # asked about other samples, they share no more than chance gives
        base_v, base = np.roll(base_v, 1, axis=0), np.roll(base, 1, axis=0)
    return compare((v, effects), [(base_v, base)], chance_draws=3, epochs=EPOCHS, of=of)


@pytest.fixture
def comparisons():
    return {f"target-{seed}": planted(seed) for seed in (1, 2, 3)}


def test_the_mean_over_networks_and_its_interval():
    same = Estimate(0.0, np.linspace(0, 1, 1000))
    table = estimates_table({"a": {"q": same}, "b": {"q": same + 2}}, seed=0)
    rows = table.set_index("role")
    assert table.role.tolist() == ["a", "b", "all"] and rows.value["all"] == pytest.approx(1)
    assert rows.low["a"] < 0.05 and rows.high["a"] == pytest.approx(0.975, abs=0.01)
    assert rows.low["all"] < 0.9 and rows.high["all"] > 2.1  # now and then both of the drawn networks are the same one
    mean = Estimate.mean([Estimate(1.0, np.full(4000, 1.0)), Estimate(3.0, np.full(4000, 3.0))])
    assert mean.value == 2 and set(mean.draws) == {1.0, 2.0, 3.0}
    assert np.mean(mean.draws == 2) == pytest.approx(0.5, abs=0.05)


def test_the_negative_of_nothing_is_0_and_not_minus_0():
    nothing = -Estimate(0.0, np.zeros(3))
    assert not np.signbit(nothing.value) and not np.signbit(nothing.draws).any()


def test_arithmetic_acts_on_the_value_and_on_every_draw(rng):
    part, whole = rng.random((30, 4)), rng.random((30, 4)) + 1
    part[:, 3] = whole[:, 3] = 0
    bootstrap = Bootstrap(draws=20, seed=3)
    weights = np.random.default_rng(3).multinomial(30, np.full(30, 1 / 30), size=20)
    estimate = (2 - bootstrap.sum(part) / bootstrap.sum(whole)) * 3 + np.ones(4)
    for rows, result in ((np.ones((1, 30)), estimate.value[None]), (weights, estimate.draws)):
        expected = 3 * (2 - (rows @ part)[:, :3] / (rows @ whole)[:, :3]) + 1
        np.testing.assert_allclose(result[:, :3], expected)
        assert np.isnan(result[:, 3]).all()  # nothing to divide by
    left = Bootstrap(20, 3, left_out=True).mean(whole[:, :3])
    np.testing.assert_allclose(left.draws, [whole[row == 0, :3].mean(axis=0) for row in weights])
    np.testing.assert_allclose(left.value, whole[:, :3].mean(axis=0))
    first = (1 / bootstrap.mean(whole[:, :3]))[0]
    assert first.row[0] == pytest.approx(1 / whole[:, 0].mean()) and first.row[1:] == pytest.approx(first.interval())


def test_a_planted_difference_between_orders_is_found_above_chance(comparisons):
    table = contrasts.order_contrasts(comparisons, *RESAMPLING).set_index(["quantity", "role"])
    for role, comparison in comparisons.items():
        ratios = tables.ratio_table(comparison, 4.0, *RESAMPLING).query("samples == 'all'").set_index("quantity")
        assert table.value["H_low - H_high", role] == pytest.approx(ratios.value["H_low - H_high"])
        assert table.value["by chance", role] == pytest.approx(ratios.chance["H_low - H_high"])
    per_network = table.value["above chance"].drop("all")
    assert (
        table.value["above chance", "all"] == pytest.approx(per_network.mean()) and table.low["above chance", "all"] > 0
    )
    unrelated = {f"target-{seed}": planted(seed, strangers=True) for seed in (1, 2, 3)}
    row = contrasts.order_contrasts(unrelated, *RESAMPLING).set_index(["quantity", "role"]).loc[("above chance", "all")]
    assert row.low < 0 < row.high


def test_turns_are_those_of_the_phases(comparisons):
    table = contrasts.turn_contrasts(comparisons, BOOTSTRAP).set_index(["quantity", "role"])
    for role, comparison in comparisons.items():
        phases = tables.phases_of(comparison, BOOTSTRAP)
        assert table.value["H rises", role] == pytest.approx(phases.rise)
        assert tuple(table.loc[("H falls above chance", role), ["low", "high"]]) == pytest.approx(
            phases.excess_fall_interval
        )
        number = metrics.effective_number(comparison.effects).mean(axis=1)
        assert table.value["N falls", role] == pytest.approx(number[0] - number.min())
        assert table.value["N rises", role] == pytest.approx(number[-1] - number.min())
    assert (table.low.xs("all", level="role") > 0).all()  # as planted


def test_correlations_with_the_loss_gap_are_spearmans(comparisons):
    losses = {
        role: pd.DataFrame({"epoch": [0, 0.5, 1, 2, 3, 4], "loss_gap": [0, 9, 0.1, 0.4, 9, 0.9]})
        for role in comparisons
    }
    table = contrasts.gap_contrasts(comparisons, losses, BOOTSTRAP).set_index(["quantity", "role"])
    for role, comparison in comparisons.items():
        curve = tables.dynamics_table(comparison, BOOTSTRAP)
        gap = [0, 0.1, 0.4, 0.9]
        expected = {"1 - H": 1 - curve.H, "N": curve.N, "1 - H by chance": 1 - curve.H_chance}
        expected |= {"1 - H above chance": 1 - (curve.H - curve.H_chance)}
        for name, values in expected.items():
            assert table.value[f"{name}, all checkpoints", role] == pytest.approx(spearmanr(values, gap).statistic)
        peak = curve.H.idxmax()
        assert table.value["1 - H, from the peak of H", role] == pytest.approx(
            spearmanr(1 - curve.H[peak:], gap[peak:]).statistic
        )
    assert np.isnan(contrasts.rank_correlation(np.ones((3, 2)), np.ones(2))).all()
    assert np.isnan(contrasts.rank_correlation(np.ones((1, 4)), np.arange(4.0))).all()  # a flat curve


def test_the_graded_measure_of_equal_networks_gives_the_binary_picture():
    base = np.random.default_rng(5).normal(size=(20, 2, 16)) * (np.random.default_rng(6).random((20, 2, 16)) < 0.3)
    base[..., 0] = 0
    v = reconstruct(base[:, 0], base[:, 1], np.zeros(20))
    of = np.repeat(["training", "testing"], 10)
    comparison = compare((v, base), [(v, base)], chance_draws=3, of=of)
    table = (
        contrasts.graded_contrasts({"target-1": comparison}, *RESAMPLING)
        .set_index(["quantity", "role"])
        .value.xs("all", level="role")
    )
    assert table["Jaccard of binary and graded"] == pytest.approx(1) and table["by chance"] < 1
    assert table["Jaccard above chance"] == pytest.approx(1 - table["by chance"])
    assert table["graded low - high"] == pytest.approx(0)  # everything generalizes wholly, at every order


def test_means_over_samples_and_their_intervals():
    values = np.random.default_rng(1).normal(3, 1, 30)
    row = contrasts.mean_contrasts({"a": {"q": values}}, BOOTSTRAP).set_index("role").loc["a"]
    draws = BOOTSTRAP.weights(30) @ values / 30
    assert row.value == pytest.approx(values.mean()) and row.low < values.mean() < row.high
    assert (row.low, row.high) == pytest.approx(tuple(interval(draws)))


def test_faithfulness_and_conditions_of_a_known_game():
    """v = x0 + 2 x1 x2, twice: as it is, and with a model that misses a tenth of it."""
    effects = np.zeros((2, 6, 2, 16))
    effects[..., 0, 0b1], effects[..., 0, 0b110] = 1, 2
    bias, noise = np.zeros((2, 6)), np.zeros((2, 6, 16))
    v = reconstruct(effects[..., 0, :], effects[..., 1, :], bias)
    noise[0, :, 15] = 0.3
    dataset = xr.Dataset(
        {"v": (("epoch", "sample", "subset"), v), "effects": (("epoch", "sample", "kind", "subset"), effects),
         "bias": (("epoch", "sample"), bias), "noise": (("epoch", "sample", "subset"), noise),
         "seconds_values": ("epoch", [3.0, 6.0]), "seconds_solving": ("epoch", [3.0, 12.0])}
    )  # fmt: skip
    table = (
        contrasts.faithfulness_contrasts({"t": dataset}, BOOTSTRAP)
        .set_index(["quantity", "role"])
        .value.xs("t", level="role")
    )
    assert table["relative error"] == pytest.approx(0, abs=1e-12)
    assert table["share of all interactions needed"] == pytest.approx(2 / 26)
    assert table["seconds a set of interactions"] == pytest.approx(2)
    swapped = contrasts.faithfulness_contrasts({"t": dataset.isel(epoch=[1, 0])}, BOOTSTRAP).set_index(
        ["quantity", "role"]
    )
    assert swapped.value["relative error", "t"] == pytest.approx(0.1)
    held = (
        contrasts.conditions_contrasts({"t": dataset}, BOOTSTRAP)
        .set_index(["quantity", "role"])
        .value.xs("all", level="role")
    )
    assert held[["low orders", "steady", "bounded"]].tolist() == [1, 1, 1]


def test_conditions_are_judged_sample_by_sample():
    sizes = orders(4)
    steady, dip, negative = (np.array(u)[sizes] for u in ([0, 1, 2, 3, 4], [0, 1, 3, 2, 4], [0, -1, 1, 2, -4]))
    effects = np.zeros((3, 2, 16))
    effects[:, 0, 0b1], effects[:, 0, 0b1111], effects[:, 1, 0b111] = 3, 0.5, -0.5
    held = interactions.conditions_of(np.stack([steady, dip, negative]).astype(float), effects)
    assert held["low orders"].tolist() == [0.75] * 3
    assert held["steady"].tolist() == [1, 0.75, 0.5] and held["bounded"].tolist() == [1, 1, 0]
