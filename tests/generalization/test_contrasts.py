"""What the claims rest on: statistics of several networks, their mean, and intervals over samples and networks."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm
from scipy.stats import t as student

from symgen import interactions
from symgen.generalization import (
    Bootstrap,
    Estimate,
    compare,
    contrasts,
    estimates_table,
    metrics,
    over_studies,
    pooled,
    tables,
)
from symgen.generalization.baselines import overlap
from symgen.generalization.bootstrap import interval
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


SPREADS = [(0.05, 0.5), (0.5, 0.5), (1.0, 0.05)]  # standard deviations over networks and over samples
COVER = {2: (0.94, 1), 3: (0.94, 0.98), 10: (0.93, 0.97)}  # few networks cover more where samples' spread counts


@pytest.fixture
def comparisons():
    return {f"target-{seed}": planted(seed) for seed in (1, 2, 3)}


def rows_of(table, role="all"):
    """quantity -> value, low, high of one role."""
    return table[table.role == role].set_index("quantity")[["value", "low", "high"]]


def test_a_table_has_every_network_and_their_mean_with_its_interval(rng):
    networks = {role: {"q": Estimate(value, value + rng.normal(size=50))} for role, value in (("a", 0.0), ("b", 2.0))}
    table = estimates_table(networks)
    fixed = estimates_table(networks, given=True)
    for quantity, rows in fixed.groupby("quantity"):
        mean = sum(of[quantity] for of in networks.values()) / len(networks)
        np.testing.assert_array_equal(rows[rows.role == "all"][["value", "low", "high"]].iloc[0], mean.row)
    assert table.role.tolist() == ["a", "b", "all"]
    for role, quantities in networks.items():
        assert rows_of(table, role).loc["q"].tolist() == pytest.approx(quantities["q"].row)
    assert rows_of(table).loc["q"].tolist() == pytest.approx(pooled([networks["a"]["q"], networks["b"]["q"]]))


def test_the_variance_of_a_mean_is_that_over_samples_and_that_over_networks_less_what_both_count(rng):
    k, values = 8, np.array([0.1, 0.9, 0.4, 0.7, 0.2, 0.8, 0.5, 0.6])
    draws = values[:, None] + rng.normal(size=300) * 0.05 + rng.normal(size=(k, 300)) * 0.1  # shared, and of each alone
    mean, low, high = pooled([Estimate(*pair) for pair in zip(values, draws)])
    of_samples = np.var(np.mean(draws, axis=0))
    of_networks = sum((values - 0.525) ** 2) / 7 / 8
    both = np.mean([np.var(d - draws.mean(axis=0)) for d in draws]) / (k - 1)
    variance = of_samples + of_networks - both
    half = student.ppf(0.975, 7 * max(variance / of_networks, 1) ** 2) * np.sqrt(variance)
    assert mean == pytest.approx(0.525) and (low, high) == pytest.approx((0.525 - half, 0.525 + half))


def test_few_networks_have_no_narrower_interval_than_students_over_them_and_many_may_have(rng):
    noise = 0.05 * rng.normal(size=4000)  # of half of the networks up, of the others down: their mean does not vary
    for k in (2, 6, 8):
        values = np.linspace(0.2, 0.4, k)
        opposed = [Estimate(value, value + sign * noise) for value, sign in zip(values, np.tile([1, -1], k))]
        over_networks, counted_twice = values.var(ddof=1) / k, noise.var() / (k - 1)
        half = student.ppf(0.975, k - 1) * np.sqrt(over_networks - (counted_twice if k == 8 else 0))
        assert pooled(opposed) == pytest.approx((0.3, 0.3 - half, 0.3 + half))


def test_networks_that_differ_without_noise_have_students_interval_and_those_that_are_alike_the_samples():
    certain = [Estimate(x, np.full(50, x)) for x in (1.0, 3.0, 8.0)]
    low, high = student.interval(0.95, 2, 4, np.std([1, 3, 8], ddof=1) / np.sqrt(3))
    assert pooled(certain) == pytest.approx((4, low, high))
    alike = Estimate(0.0, np.random.default_rng(1).normal(size=4000))
    assert pooled([alike] * 3) == pytest.approx((0, -1.96 * alike.draws.std(), 1.96 * alike.draws.std()), abs=1e-3)
    assert pooled([alike]) == alike.row  # one network has the percentiles of its draws


def test_the_mean_is_unknown_where_a_network_has_no_value():
    unknown = Estimate(np.nan, np.full(50, np.nan))
    assert np.isnan(pooled([Estimate(1.0, np.ones(50)), unknown])).all()


def covered(k, n_samples, of_networks, of_samples, simulations=1000, alone=1.0):
    """Share of simulated studies whose interval holds the truth 0: k networks on the same samples."""
    rng, hits = np.random.default_rng([k, n_samples]), 0
    for i in range(simulations):
        if not i % 50:
            weights = Bootstrap(200, seed=i).weights(n_samples) / n_samples
        data = of_networks * rng.normal(size=k) + of_samples * rng.normal(size=(n_samples, 1))
        data = data + alone * rng.normal(size=(n_samples, k))
        _, low, high = pooled([Estimate(*pair) for pair in zip(data.mean(axis=0), (weights @ data).T)])
        hits += low < 0 < high
    return hits / simulations


@pytest.mark.parametrize("n_samples", [80, 160])
@pytest.mark.parametrize("k", COVER)
@pytest.mark.parametrize(("of_networks", "of_samples"), SPREADS)
def test_intervals_over_networks_and_samples_cover_as_often_as_they_say(k, n_samples, of_networks, of_samples):
    """Of 1000 simulated studies, whose standard error is 0.7 %: 93 to 97 %, or more of few networks."""
    low, high = COVER[k]
    assert low <= covered(k, n_samples, of_networks, of_samples) <= high


def over(values, errors):
    """The mean over studies of which the 95 % interval is that of a normal distribution."""
    half = norm.ppf(0.975) * np.asarray(errors)
    return over_studies(values, values - half, values + half, np.ones(len(values)))


def test_over_studies_whose_errors_are_small_the_interval_is_students(rng):
    """Of equal errors, far below what is between them, it is that of the values as they are, and of one more of them."""
    values = rng.normal(size=6)
    mean, deviation = values.mean(), values.std(ddof=1)
    half, further = (student.ppf(0.975, 5) * deviation * factor for factor in (6**-0.5, (1 + 1 / 6) ** 0.5))
    expected = mean, mean - half, mean + half, mean - further, mean + further
    assert over(values, np.full(6, 1e-4)) == pytest.approx(expected, rel=1e-3)


def test_over_studies_that_agree_each_weighs_by_its_own_error():
    values, errors = np.full(4, 0.1), np.array([0.1, 0.2, 0.4, 0.2])
    half = norm.ppf(0.975) * (errors**-2).sum() ** -0.5  # squares of 0 leave nothing between them
    assert over(values, errors) == pytest.approx((0.1, 0.1 - half, 0.1 + half, 0.1 - half, 0.1 + half))


def test_over_studies_neither_scale_nor_order_matters(rng):
    values, errors, order = rng.normal(size=5), rng.uniform(0.1, 1, size=5), rng.permutation(5)
    assert over(10 * values[order] + 3, 10 * errors[order]) == pytest.approx(10 * np.array(over(values, errors)) + 3)


@pytest.mark.parametrize("between", [0.7, 1.5])
def test_over_studies_of_few_networks_each_the_intervals_cover(between):
    """Of 500 simulations: of three studies with ten networks, and six with three, whose intervals are Student's."""
    rng, of_mean, of_next = np.random.default_rng(6), [], []
    networks = np.array([10.0] * 3 + [3.0] * 6)
    for _ in range(500):
        truth = between * rng.normal(size=9)
        of_networks = [mean + 1.7 * rng.normal(size=int(k)) for mean, k in zip(truth, networks)]
        means = np.array([each.mean() for each in of_networks])
        halves = np.array(
            [student.ppf(0.975, len(each) - 1) * each.std(ddof=1) / len(each) ** 0.5 for each in of_networks]
        )
        _, low, high, next_low, next_high = over_studies(means, means - halves, means + halves, networks)
        of_mean.append(low < 0 < high)
        of_next.append(next_low < between * rng.normal() < next_high)
    assert 0.93 <= np.mean(of_mean) <= 0.98 and 0.92 <= np.mean(of_next) <= 0.98


@pytest.mark.parametrize("k", [3, 9])
@pytest.mark.parametrize("between", [0.0, 0.3, 1.0])
def test_over_studies_intervals_cover_the_mean_and_one_more_study(between, k):
    """Of 500 simulations each. Where nothing is between studies, that is not known of so few: more than 95 %."""
    rng, of_mean, of_next = np.random.default_rng(5), [], []
    for _ in range(500):
        errors = rng.uniform(0.1, 0.6, size=k)
        _, low, high, next_low, next_high = over(rng.normal(0, np.hypot(errors, between)), errors)
        of_mean.append(low < 0 < high)
        of_next.append(next_low < between * rng.normal() < next_high)
    most = 0.98 if between else 1
    assert 0.93 <= np.mean(of_mean) <= most and 0.92 <= np.mean(of_next) <= most


UNKNOWN = {
    "two": ([0.1, 0.2], [0.1, 0.1]),
    "one without a value": ([0.1, np.nan, 0.2], [0.1, 0.1, 0.1]),
    "one without an error": ([0.1, 0.1, 0.1], [0, 1, 1]),
}


@pytest.mark.parametrize(("values", "errors"), UNKNOWN.values(), ids=UNKNOWN)
def test_over_studies_too_little_is_known_of(values, errors):
    assert np.isnan(over(np.array(values), errors)).all()


def test_an_unbiased_estimate_is_less_what_resampling_adds():
    biased = Estimate(0.8, np.array([0.6, 0.7, np.nan, 0.8]))  # on average 0.1 too low
    better = biased.unbiased()
    assert better.value == pytest.approx(0.9)
    np.testing.assert_allclose(better.draws, [0.8, 0.9, np.nan, 1.0])
    fair = Estimate(np.array([1.0, 2.0]), np.array([[0.5, 2.0], [1.5, 2.0]]))
    np.testing.assert_allclose(fair.unbiased().draws, fair.draws)
    assert np.isnan(Estimate(np.nan, np.full(3, np.nan)).unbiased().value)


def test_a_similarity_of_samples_of_one_distribution_comes_nearer_to_1_by_two_fifths(rng):
    """It is truly 1. Resampling makes the noise larger by sqrt(2), so that 0.41 of its bias is seen."""
    plain, corrected = [], []
    for _ in range(20):
        one, other = (
            Bootstrap(100).sum(rng.exponential(size=(40, 2, 5)) * (rng.random((40, 2, 5)) < 0.3)) for _ in "ab"
        )
        plain.append(metrics.jaccard(*(x.value / x.value.sum() for x in (one, other))))
        corrected.append(overlap(one, other).value)
    assert 0.3 < (np.mean(corrected) - np.mean(plain)) / (1 - np.mean(plain)) < 0.5


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


def test_a_planted_difference_between_orders_is_found_above_chance():
    comparisons = {f"target-{seed}": planted(seed) for seed in range(1, 7)}
    table = contrasts.order_contrasts(comparisons, *RESAMPLING).set_index(["quantity", "role"])
    for role, comparison in comparisons.items():
        ratios = tables.ratio_table(comparison, 4.0, *RESAMPLING).query("samples == 'all'").set_index("quantity")
        assert table.value["H_low - H_high", role] == pytest.approx(ratios.value["H_low - H_high"])
        assert table.value["by chance", role] == pytest.approx(ratios.chance["H_low - H_high"])
    per_network = table.value["above chance"].drop("all")
    assert table.value["above chance", "all"] == pytest.approx(per_network.mean())
    assert table.low["above chance", "all"] > 0
    assert "less that by judges of shuffled labels" not in table.index
    unrelated = {f"target-{seed}": planted(seed, strangers=True) for seed in range(1, 7)}
    row = contrasts.order_contrasts(unrelated, *RESAMPLING).set_index(["quantity", "role"]).loc[("above chance", "all")]
    assert row.low < 0 < row.high


def test_what_judges_of_shuffled_labels_give_is_taken_off_network_by_network(comparisons):
    shuffled = {role: planted(seed, strangers=True) for seed, role in enumerate(comparisons, 1)}
    others = {role: planted(seed) for seed, role in enumerate(comparisons, 11)}  # whom the control compares them with
    table = contrasts.order_contrasts(comparisons, *RESAMPLING, (others, shuffled))
    by_others, by_shuffled = (contrasts.order_contrasts(of, *RESAMPLING) for of in (others, shuffled))
    name = "less that by judges of shuffled labels"
    for role in (*comparisons, "all"):
        seen, not_known = (rows_of(of, role).value["H_low - H_high"] for of in (by_others, by_shuffled))
        assert rows_of(table, role).value[name] == pytest.approx(seen - not_known)
    weights, role = BOOTSTRAP.weights(20), "target-1"

    def difference(c):
        low, high = ([part[-1] @ weights.T for part in c.strengths(of_orders=o)] for o in RESAMPLING[1:])
        return low[0] / low[1] - high[0] / high[1]

    draws = difference(others[role]) - difference(shuffled[role])  # of the same draws
    assert rows_of(table, role).loc[name, ["low", "high"]].tolist() == pytest.approx(interval(draws).tolist())


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
    """v = x0 + 2 x1 x2, in the end; before training, v has a term more that is not salient, and that it needs."""
    effects = np.zeros((2, 6, 2, 16))
    effects[..., 0, 0b1], effects[..., 0, 0b110] = 1, 2
    effects[0, :, 1, 0b1100] = 0.9
    bias = np.full((2, 6), 0.25)
    v = reconstruct(effects[..., 0, :], effects[..., 1, :], bias)
    noise = np.random.default_rng(0).normal(size=(6, 16)) * 0.1
    v[1] += noise
    dataset = xr.Dataset(
        {"v": (("epoch", "sample", "subset"), v), "effects": (("epoch", "sample", "kind", "subset"), effects),
         "bias": (("epoch", "sample"), bias),
         "seconds_values": ("epoch", [3.0, 6.0]), "seconds_solving": ("epoch", [3.0, 12.0])}
    )  # fmt: skip
    table = rows_of(
        contrasts.faithfulness_contrasts({"t": dataset}, {"t": 9.0}, 0.5, BOOTSTRAP)
    ).value  # salient: above 1
    model = np.array([0.25 + 2 * ((s & 6) == 6) for s in range(16)])
    r2 = [np.mean(1 - ((v[t] - model) ** 2).mean(axis=1) / v[t].var(axis=1)) for t in (1, 0)]
    names = ["R2 of the salient ones", "R2 of the salient ones, untrained", "R2 of the salient ones, less untrained"]
    assert table[names].tolist() == pytest.approx([*r2, r2[0] - r2[1]])
    needed = [np.mean(interactions.needed_for(v[t], effects[t], bias[t])) / 26 for t in (1, 0)]
    names = [name.replace("R2 of the salient ones", "share of all interactions needed") for name in names]
    assert table[names].tolist() == pytest.approx([*needed, needed[0] - needed[1]])
    assert table["seconds to judge 100 samples"] == 9
    assert needed == [2 / 26, 3 / 26] and table["seconds a set of interactions"] == pytest.approx(2)
    all_salient = rows_of(contrasts.faithfulness_contrasts({"t": dataset}, {"t": 9.0}, 0.05, BOOTSTRAP)).value
    assert all_salient["R2 of the salient ones, untrained"] == pytest.approx(1)
    held = rows_of(contrasts.conditions_contrasts({"t": dataset}, BOOTSTRAP)).value
    last, first = (interactions.conditions_of(v[t], effects[t]) for t in (1, 0))
    for name in ("orders up to n / 2", "steady", "bounded"):
        expected = last[name].mean(), first[name].mean(), last[name].mean() - first[name].mean()
        assert held[[name, f"{name}, untrained", f"{name}, less untrained"]].tolist() == pytest.approx(expected)
    assert held["orders up to n / 2, untrained"] == 1 and held["steady, untrained"] == 1


def test_a_sample_without_interactions_is_left_out_and_counted(rng):
    """One is constant in the end, and it and another one before training; all else is as if these were not there."""
    effects = rng.normal(size=(2, 9, 2, 16)) * (orders(4) > 0)
    effects[1, 4] = effects[0, [4, 7]] = 0
    v = reconstruct(effects[..., 0, :], effects[..., 1, :], np.zeros((2, 9)))
    v[0, 7] += 1e-12 * rng.normal(size=16)  # constant but for rounding
    dataset = xr.Dataset(
        {"v": (("epoch", "sample", "subset"), v), "effects": (("epoch", "sample", "kind", "subset"), effects),
         "bias": (("epoch", "sample"), np.zeros((2, 9))),
         "seconds_values": ("epoch", [9.0, 9.0]), "seconds_solving": ("epoch", [0.0, 0.0])}
    )  # fmt: skip
    rest, out = np.delete(np.arange(9), 4), "samples left out of "
    whole, weights = dataset.isel(sample=[0, 1, 2, 3, 5, 6, 8, 8, 8]), BOOTSTRAP.weights(9)
    for table_of in (
        lambda of: contrasts.faithfulness_contrasts(of, dict.fromkeys(of, 9.0), 0.05, BOOTSTRAP),
        lambda of: contrasts.conditions_contrasts(of, BOOTSTRAP),
    ):
        table, known = table_of({"a": dataset, "b": whole}), rows_of(table_of({"b": whole}), "b")
        assert np.isfinite(table[["value", "low", "high"]]).all(axis=None)
        assert rows_of(table, "b").iloc[: len(known)].equals(known) and not any(out in name for name in known.index)
        rows = rows_of(table, "a")
        counts = rows.value[rows.index.str.startswith(out)].rename(lambda name: name.removeprefix(out))
        described = [name for name in known.index if "seconds" not in name]
        assert counts.to_dict() == {name: 2 if "untrained" in name else 1 for name in described}
    held = interactions.conditions_of(v[1], effects[1])["orders up to n / 2"][rest]
    draws = (weights[:, rest] @ held) / weights[:, rest].sum(axis=1)
    row = rows.loc["orders up to n / 2", ["value", "low", "high"]]
    assert row.tolist() == pytest.approx([held.mean(), *interval(draws)])


def test_the_graded_measure_has_the_ceiling_of_two_halves_and_the_floor_of_chance(comparisons):
    c = comparisons["target-1"]
    table = rows_of(contrasts.graded_contrasts({"t": c}, *RESAMPLING)).value
    weights, parts = BOOTSTRAP.weights(20), {}
    for name, part in (("binary", c.generalizable), ("graded", c.graded), ("chance", c.graded_chance)):
        parts[name] = metrics.strength_by_order(c.normalized[-1], part[-1])
        parts[f"{name} 0"], parts[f"{name} 1"] = parts[name].copy(), parts[name].copy()
        parts[f"{name} 0"][1::2], parts[f"{name} 1"][0::2] = 0, 0

    def similar(one, other):
        def of(rows):
            a, b = (np.abs(np.tensordot(rows, parts[name], 1)) for name in (one, other))
            a, b = (x / x.sum(axis=(1, 2), keepdims=True) for x in (a, b))
            return np.minimum(a, b).sum(axis=(1, 2)) / np.maximum(a, b).sum(axis=(1, 2))

        return 2 * of(np.ones((1, 20)))[0] - of(weights).mean()  # less its bias

    floor, ceiling = similar("binary", "chance"), similar("binary 0", "binary 1")
    crossed = (similar("binary 0", "graded 1") + similar("binary 1", "graded 0")) / 2
    assert table["Jaccard of binary and graded"] == pytest.approx(similar("binary", "graded"))
    assert table["by chance"] == pytest.approx(floor)
    assert table["Jaccard above chance"] == pytest.approx(similar("binary", "graded") - floor)
    assert table["Jaccard of two halves, binary"] == pytest.approx(ceiling)
    assert table["Jaccard of two halves, binary and graded, less its ceiling"] == pytest.approx(crossed - ceiling)
    parts["total"] = metrics.strength_by_order(c.normalized[-1], c.salient[-1])
    by_order = {name: np.abs(part.sum(axis=0)).sum(axis=0) for name, part in parts.items()}
    graded, chance = (
        by_order[name][1:3].sum() / by_order["total"][1:3].sum()
        - by_order[name][3:].sum() / by_order["total"][3:].sum()
        for name in ("graded", "chance")
    )
    assert table["graded low - high"] == pytest.approx(graded)
    assert table["graded low - high above chance"] == pytest.approx(graded - chance)


def test_what_recurs_is_what_another_sample_has_between_the_same_variables_with_the_same_sign(rng):
    """By loops over samples, interactions and their variables' names."""
    names = np.stack([rng.choice(7, size=4, replace=False) for _ in range(8)])
    effects, label = rng.integers(-1, 2, size=(1, 8, 2, 16)).astype(float), np.array([0, 1] * 4)
    effects[..., 0] = 0
    base = effects[0] * (rng.random(effects.shape[1:]) < 0.5)
    v = reconstruct(effects[..., 0, :], effects[..., 1, :], np.zeros((1, 8)))
    of = np.array(["testing"] * 6 + ["training"] * 2)
    c = compare((v, effects), [(v[0], base)], chance_draws=2, of=of)
    counts = {(same, shared): [0, 0] for same in (True, False) for shared in (True, False)}
    for i in range(6):
        for j in range(6):
            for kind, subset in zip(*np.nonzero(effects[0, i])):
                variables = [names[i, b] for b in range(4) if subset >> b & 1]
                if i != j and set(variables) <= set(names[j]):
                    same_set = sum(1 << list(names[j]).index(variable) for variable in variables)
                    tally = counts[label[i] == label[j], bool(base[i, kind, subset])]
                    tally[0] += effects[0, j, kind, same_set] == effects[0, i, kind, subset]
                    tally[1] += 1
    rate = {key: hits / tries for key, (hits, tries) in counts.items()}
    table = rows_of(contrasts.recurrence_contrasts({"a": c}, names, label, BOOTSTRAP)).value
    within, without = (rate[same, True] - rate[same, False] for same in (True, False))
    assert table["recurs in samples of its class, generalizable - rest"] == pytest.approx(within)
    assert table["recurs in samples of other classes, generalizable - rest"] == pytest.approx(without)
    assert table["recurs, generalizable - rest, its class - others"] == pytest.approx(within - without)


def test_a_pair_counts_as_often_as_a_draw_takes_both_of_its_samples(rng):
    per_pair = rng.normal(size=(7, 7))
    total = BOOTSTRAP.sum_over_pairs(per_pair)
    assert total.value == pytest.approx(per_pair.sum())
    for weights, draw in zip(BOOTSTRAP.weights(7), total.draws):
        drawn = np.repeat(np.arange(7), weights.astype(int))
        assert draw == pytest.approx(per_pair[np.ix_(drawn, drawn)].sum())


def test_a_word_that_stands_twice_in_a_sample_is_one_variable():
    effects = np.zeros((1, 2, 2, 4))
    effects[..., 0, 1:] = 1
    c = compare((effects[:, :, 0], effects), [(effects[0, :, 0], effects[0])], of=["testing"] * 2)
    names = np.array([["good", "film"], ["good", "good"]])
    with np.errstate(all="raise"):
        table = contrasts.recurrence_contrasts({"a": c}, names, np.zeros(2, int), BOOTSTRAP)
    assert table.value.isna().all()  # all generalize: there is no rest


def test_the_exponent_is_the_slope_of_a_power():
    """3 n^2 interactions, beside as many that are too weak; and a share of 2^n."""

    def of(numbers):
        return {n: np.pad(np.ones((5, 2, k)), ((0, 0), (0, 0), (1, (1 << n) - k - 1))) for n, k in numbers.items()}

    effects = of({n: 3 * n**2 for n in (8, 10, 12)} | {8: 3 * 64})
    for one in effects.values():
        one[:, 1] *= 1e-3
    random = of({n: (1 << n) // 4 for n in (8, 10)})
    table = rows_of(contrasts.size_contrasts({"a": effects, "b": effects}, random, 0.05, BOOTSTRAP)).value
    slope = np.log(4) / np.log(10 / 8)
    assert table.tolist() == pytest.approx([2, slope, 2 - slope])
    rare = {8: effects[8] * (np.arange(5) == 0)[:, None, None]} | {
        10: effects[10]
    }  # some draws have no interaction at n = 8
    row = rows_of(contrasts.size_contrasts({"a": rare}, random, 0.05, BOOTSTRAP)).loc["exponent p"]
    assert np.isfinite([row.value, row.low, row.high]).all()
    bent = effects | of({12: 9})  # what only one of the two has does not count in the difference
    table = rows_of(contrasts.size_contrasts({"a": bent}, random, 0.05, BOOTSTRAP)).value
    assert table["exponent p"] < 1 and table["exponent p, less that of random values"] == pytest.approx(2 - slope)


def test_recurrence_asks_about_salient_interactions_at_the_last_checkpoint():
    effects = np.zeros((2, 4, 2, 4))
    effects[:, :, 0, 1], effects[:, :, 0, 2] = 10, 5
    effects[:, :, 1, 3] = [0.1, -0.1, 0.1, -0.1]  # not salient
    effects[0, ::2, 0, 2] = -5  # before the end, it did not recur
    base, v = effects[1] * (np.arange(4) == 1), effects[:, :, 0]
    comparison = compare((v, effects), [(v[1], base)], of=["testing"] * 4)
    variables, labels = np.tile([0, 1], (4, 1)), np.zeros(4, int)
    table = contrasts.recurrence_contrasts({"a": comparison}, variables, labels, BOOTSTRAP)
    assert rows_of(table, "all").value["recurs in samples of its class, generalizable - rest"] == 0


def test_each_network_is_less_its_own_untrained_judges():
    targets, baselines = ({f"{i}": planted(i) for i in of} for of in ((1, 2), (3, 4)))
    untrained = {role: planted(int(role) + 4, strangers=True) for role in (*targets, *baselines)}
    table = contrasts.pair_contrasts(targets, baselines, *RESAMPLING, untrained).set_index(["quantity", "role"]).value
    for of, ending in ((targets, ""), (baselines, contrasts.OTHER_WAY)):
        for role, comparison in of.items():
            seen = {role: comparison}, {role: untrained[role]}
            alone = contrasts.order_contrasts(seen[0], *RESAMPLING, seen, "untrained judges")
            expected = rows_of(alone, role).value["less that by untrained judges"]
            assert table[f"less that by untrained judges{ending}", role] == pytest.approx(expected)


def test_a_sample_that_has_or_interactions_alone_is_described():
    effects = np.zeros((2, 3, 2, 4))
    effects[..., 1, 3] = 1
    effects[:, 1:, 0, 1] = 2
    v = reconstruct(effects[..., 0, :], effects[..., 1, :], np.zeros((2, 3)))
    axes = ("epoch", "sample")
    arrays = {
        "v": ((*axes, "subset"), v),
        "effects": ((*axes, "kind", "subset"), effects),
        "bias": (axes, np.zeros((2, 3))),
    }
    table = contrasts.conditions_contrasts({"a": xr.Dataset(arrays)}, BOOTSTRAP)
    assert not table.quantity.str.startswith("samples left out").any()
    assert rows_of(table, "all").value["orders up to n / 2"] == pytest.approx((0 + 2 / 3 + 2 / 3) / 3)


def test_of_networks_that_are_given_the_interval_is_over_samples_alone():
    values = np.random.default_rng(0).normal([[0], [5]], size=(2, 30))
    table = contrasts.mean_contrasts({role: {"q": of} for role, of in zip("ab", values)}, BOOTSTRAP, given=True)
    assert rows_of(table, "all").loc["q"].tolist() == pytest.approx(BOOTSTRAP.mean(values.mean(axis=0)).row)


def test_draws_without_a_value_are_left_out_over_networks_as_well():
    draws = np.random.default_rng(1).normal([[0], [1], [2]], size=(3, 50))
    holes = np.concatenate([draws, np.full((3, 1), np.nan)], axis=1)
    whole, some = ([Estimate(float(i), row) for i, row in enumerate(of)] for of in (draws, holes))
    assert pooled(some) == pytest.approx(pooled(whole)) and np.isfinite(pooled(some)).all()
