"""Ablations from arrays: numbers worked by hand, and loops over every choice of baselines as the oracle."""

from itertools import combinations, permutations, product

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection

from symgen import plots
from symgen.generalization import Bootstrap, compare, contrasts, metrics
from symgen.generalization import baselines as ab
from symgen.generalization.dynamics import turn_contrasts
from symgen.generalization.tables import dynamics_table, phases_of, ratio_table, sensitivity_rows, spindle_table

RULES = ("any", "majority", "all")
BOOTSTRAP, TAU, DRAWS = Bootstrap(draws=200), 0.1, 3


def votes(target, baselines):
    return ab.votes(target, baselines, TAU, DRAWS)


def sample(**values):
    """Effects of three variables on one sample: and_3=2.0 is an AND of variables 0 and 1 with effect 2."""
    effects = np.zeros((2, 8))
    for name, value in values.items():
        kind, subset = name.split("_")
        effects[("and", "or").index(kind), int(subset)] = value
    return effects


def network(rng, like=None, kinship=0.0, n_samples=12):
    """Effects (sample, kind, subset) of four variables, few of them strong; akin to another network's if one is given."""
    effects = rng.normal(size=(n_samples, 2, 16)) ** 3
    effects[:, :, 0] = 0
    return effects if like is None else np.where(rng.random(effects.shape) < kinship, like, effects)


def judged_by(rng, target, n_baselines):
    return np.stack([network(rng, target, 0.3, len(target)) for _ in range(n_baselines)])


def judges_of(target, families):
    of = np.repeat(["training", "testing"], 6)
    return ab.families_table({name: votes(target, bases) for name, bases in families.items()}, of, "any", BOOTSTRAP)


def test_two_families_are_not_compared_with_one_derangement(rng):
    target = rng.normal(size=(8, 2, 16))
    family = ab.votes(target, target[None], chance_draws=1)
    with pytest.raises(ValueError, match="chance_draws = 1; expected 2 or more"):
        ab.crossvalidation(family, family, "any", BOOTSTRAP)


def crossed(target, base_b, base_c):
    """value, low, high and chance, by quantity."""
    estimates = ab.crossvalidation(votes(target, base_b), votes(target, base_c), "any", BOOTSTRAP)
    by_chance = {name: float(estimates[f"{name}, by chance"].value) for name in estimates if ", " not in name}
    rows = {name: (*estimates[name].row, chance) for name, chance in by_chance.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high", "chance"])


def grown(target, bases):
    """value, low and high of how any of the baselines gives more than fewer of them, by quantity; and by order."""
    table = contrasts.growth_contrasts({"t": votes(target, bases)}, BOOTSTRAP, range(1, 3), range(3, 5))
    return table[table.role == "t"].set_index("quantity")[["value", "low", "high"]]


def h_of(effects, bases, rule):
    """H, straight from the metrics."""
    salient = metrics.salient(effects, TAU)
    shared = salient & metrics.generalizable(effects, bases, TAU, rule)
    return metrics.generalization_ratio(
        metrics.strength_by_order(effects, shared), metrics.strength_by_order(effects, salient)
    )


def by_chance(measure, n_samples):
    """Mean of a measure over the derangements of the samples."""
    orders = metrics.derangements(n_samples, DRAWS, np.random.default_rng(0))
    return np.mean([measure(order) for order in orders])


# how many baselines, and by which rule
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_the_share_of_choices_is_what_going_through_them_counts(rule, n):
    needed = {"any": lambda count, k: count > 0, "majority": lambda count, k: count > k / 2, "all": lambda f, k: f == k}
    for k, found_in in product(range(1, n + 1), range(n + 1)):
        counted = [needed[rule](sum(i < found_in for i in choice), k) for choice in combinations(range(n), k)]
        assert ab.share_of_choices(n, k, rule)[found_in] == pytest.approx(np.mean(counted), abs=1e-15)


@pytest.mark.parametrize("rule", RULES)
def test_judged_by_all_of_them_it_is_the_metric_itself(rng, rule):
    target = network(rng)
    bases = judged_by(rng, target, 4)
    ours = votes(target, bases).shared(4, rule)[0]
    expected = metrics.salient(target, 0.1) & metrics.generalizable(target, bases, 0.1, rule)
    assert np.array_equal(ours, expected) and expected.any() and not expected.all()


def test_a_vote_is_for_what_is_salient_and_has_the_same_sign():
    target = np.stack([sample(and_1=-2.0, or_3=1.0, and_7=0.1)] * 2)
    family = votes(target, np.stack([target, -target]))
    assert family.salient.sum(axis=(0, 1)).tolist() == [0, 2, 0, 2, 0, 0, 0, 0]
    same, reverse = family.agree[0]
    assert np.array_equal(same, family.salient) and not reverse.any()


def test_h_by_number_of_baselines_worked_by_hand():
    """Strengths 3 and 1: the first baseline has both, the second the stronger, the third neither; all samples alike."""
    target = np.stack([sample(and_1=3.0, or_3=-1.0)] * 2)
    bases = np.stack([target, np.stack([sample(and_1=9.0, or_3=1.0)] * 2), np.zeros_like(target)])
    table = ab.baselines_table(votes(target, bases), BOOTSTRAP)
    assert table.K.tolist() == [1, 2, 3] * 3 and table.rule.unique().tolist() == list(RULES)
    h = {"any": [7 / 12, 11 / 12, 1], "majority": [7 / 12, 3 / 12, 3 / 4], "all": [7 / 12, 3 / 12, 0]}
    for rule in RULES:
        rows = table[table.rule == rule]
        for column in ("H", "low", "high", "chance"):  # samples that are alike leave nothing to luck
            assert rows[column].tolist() == pytest.approx(h[rule])
        assert (rows[["excess", "excess_low", "excess_high"]] == 0).all(axis=None)
    growth = grown(target, bases)
    assert growth.loc["growth of H, K = 1 against 3"].tolist() == pytest.approx([5 / 12] * 3)
    assert growth.loc["growth of H, K = 2 against 3"].tolist() == pytest.approx([1 / 12] * 3)
    assert growth.value["share of H reached, K = 1 against 3"] == pytest.approx(7 / 12)
    above_chance = growth.value[growth.index.str.startswith("growth of H above chance")]
    assert (above_chance.dropna() == 0).all()
    of_all_orders = above_chance[~above_chance.index.str.endswith("orders")]
    assert len(of_all_orders) == 2 and (of_all_orders == 0).all()


@pytest.mark.parametrize("rule", RULES)
def test_h_is_the_mean_over_every_choice_of_baselines(rng, rule):
    target = network(rng)
    bases = judged_by(rng, target, 4)
    table = ab.baselines_table(votes(target, bases), BOOTSTRAP)
    for row in table[table.rule == rule].itertuples():
        choices = [bases[list(choice)] for choice in combinations(range(4), row.K)]
        each = [h_of(target, chosen, rule) for chosen in choices]
        h = np.mean(each)
        assert [row.least, row.most] == pytest.approx([min(each), max(each)])
        chance = by_chance(
            lambda other, choices=choices: np.mean([h_of(target, c[:, other], rule) for c in choices]), 12
        )
        assert [row.H, row.chance, row.excess] == pytest.approx([h, chance, h - chance])
        assert row.low <= row.H <= row.high and row.excess_low <= row.excess <= row.excess_high
    pd.testing.assert_frame_equal(ab.baselines_table(votes(target, bases[[2, 0, 3, 1]]), BOOTSTRAP), table)


@pytest.mark.parametrize(("rule", "k"), [("any", 2), ("majority", 3), ("all", 1)])
def test_each_choice_of_judges_gives_what_the_claims_give_with_these_as_judges(rng, rule, k):
    courses = {role: np.stack([network(rng) for _ in range(5)]) for role in ("a", "b", "c")}
    bases = judged_by(rng, courses["a"][2], 4)
    orders_of = range(1, 3), range(3, 5)
    table = ab.choices_table(family(courses, bases, k, rule), k, rule, *orders_of).set_index("quantity")
    expected = []
    for numbers in combinations(range(4), k):
        judges = [(np.zeros((12, 16)), bases[i]) for i in numbers]
        asked = {"tau_ratio": TAU, "chance_draws": DRAWS, "combine": rule}
        seen = {role: compare((rng.random((5, 12, 16)), of), judges, **asked) for role, of in courses.items()}
        apart, turns = contrasts.order_contrasts(seen, BOOTSTRAP, *orders_of), turn_contrasts(seen, BOOTSTRAP)
        apart = apart.replace({"above chance": "H_low - H_high, above chance"})
        means = pd.concat([apart, turns]).query("role == 'all'").set_index("quantity").value
        expected.append(means[list(table.index)])
    each = pd.DataFrame(expected)
    assert len(table) == 6 and (table.choices == len(each)).all()
    for column, numbers in {"value": each.iloc[0], "least": each.min(), "most": each.max()}.items():
        np.testing.assert_allclose(table[column], numbers, atol=1e-12)
    np.testing.assert_allclose(table.sd, each.std(ddof=0) / np.sqrt(1 - k / 4))
    assert (table.sd > 0).all()


def test_each_choice_of_both_kinds_gives_what_the_claims_give_with_these_as_control(rng):
    courses, k = {role: np.stack([network(rng) for _ in range(5)]) for role in ("a", "b", "c")}, 2
    of_study = np.stack([network(rng, courses[role][i], 0.6) for role, i in (("a", 2), ("b", 1), ("a", 3))])
    of_control = [judged_by(rng, courses["a"][i], n) for i, n in ((1, 4), (3, 3))]  # who see other peaks
    orders_of, less = (range(1, 3), range(3, 5)), "less that by judges of shuffled labels"
    families = [family(courses, bases, k) for bases in (of_study, *of_control)]
    table = ab.choices_table(families[0], k, "any", *orders_of, tuple(families[1:])).set_index("quantity")

    def seen(bases):
        judges = [(np.zeros((12, 16)), base) for base in bases]
        asked = {"tau_ratio": TAU, "chance_draws": DRAWS, "combine": "any"}
        return {role: compare((rng.random((5, 12, 16)), of), judges, **asked) for role, of in courses.items()}

    by_study, by_choice = seen(of_study[:k]), [[seen(of) for of in combinations(bases, k)] for bases in of_control]
    expected = []
    for control in product(*by_choice):
        apart = contrasts.order_contrasts(by_study, BOOTSTRAP, *orders_of, control)
        both = pd.concat([apart, turn_contrasts(by_study, BOOTSTRAP, control)]).query("role == 'all'")
        expected.append(both.set_index("quantity").value[[less, f"H rises, {less}", f"H falls, {less}"]])
    each = pd.DataFrame(expected)
    rows = table.loc[[f"H_low - H_high, {less}", f"H rises, {less}", f"H falls, {less}"]]
    assert len(table) == 9 and (rows.choices == len(each)).all() and len(each) == 6 * 3
    for column, numbers in {"value": each.iloc[0], "least": each.min(), "most": each.max()}.items():
        np.testing.assert_allclose(rows[column], numbers, atol=1e-12)
    of_grid = each.to_numpy().reshape(6, 3, 3)  # choices of baselines, of the others, number
    variance = of_grid.mean(axis=1).var(axis=0) / (1 - 2 / 4) + of_grid.mean(axis=0).var(axis=0) / (1 - 2 / 3)
    np.testing.assert_allclose(rows.sd, np.sqrt(variance))


def test_where_one_kind_has_a_single_choice_there_is_no_spread_of_the_difference(rng):
    courses, k = {role: np.stack([network(rng) for _ in range(3)]) for role in "ab"}, 2
    study, *control = (family(courses, judged_by(rng, courses["a"][1], n), k) for n in (4, 4, k))
    table = ab.choices_table(study, k, "any", range(1, 3), range(3, 5), tuple(control)).set_index("quantity")
    less = table.index.str.endswith("less that by judges of shuffled labels")
    assert (table.choices == 6).all() and less.sum() == 3
    assert table.sd[less].isna().all() and (table.sd[~less] > 0).all()


def family(courses, bases, k, rule="any"):
    return ab.Judges(
        {role: votes(course[-1], bases) for role, course in courses.items()},
        {role: ab.course_by_choice(course, bases, k, rule, TAU, DRAWS) for role, course in courses.items()},
    )


def test_a_target_alone_has_no_turns_and_one_choice_no_spread(rng):
    target = network(rng)
    bases = judged_by(rng, target, 2)
    table = ab.choices_table(family({"a": target[None]}, bases, 2), 2, "any", range(1, 3), range(3, 5))
    assert table.quantity.tolist() == ["H_low - H_high", "H_low - H_high, above chance"]
    assert table.sd.isna().all() and (table.least == table.most).all() and (table.choices == 1).all()


def test_growth_is_the_difference_of_two_rows(rng):
    target = network(rng)
    bases = judged_by(rng, target, 4)
    table = ab.baselines_table(votes(target, bases), BOOTSTRAP).query("rule == 'any'").set_index("K")
    growth = grown(target, bases)
    assert (growth.low <= growth.value).all() and (growth.value <= growth.high).all()
    for k in (1, 2):
        ends = table.loc[[k, 4]]
        expected = {"growth of H": ends.H.diff(), "growth of H above chance": ends.excess.diff()}
        expected["share of H reached"] = ends.H.shift() / ends.H
        for quantity, values in expected.items():
            assert growth.value[f"{quantity}, K = {k} against 4"] == pytest.approx(values[4])
    assert len(growth) == 18  # of all, of low, of high orders
    assert len(grown(target, bases[:2])) == 9  # from one to two only
    assert not len(grown(target, bases[:1]))


def test_growth_by_order_is_that_of_interactions_of_these_orders_alone(rng):
    target = network(rng)
    bases, low = judged_by(rng, target, 3), np.isin(np.array([bin(s).count("1") for s in range(16)]), (1, 2))
    values, salient = grown(target, bases).value, metrics.salient(target, TAU)
    for name, of_order in (("", low | ~low), (", low orders", low), (", high orders", ~low)):
        strength = np.abs(target) * of_order * salient
        h = [
            np.mean([(strength * metrics.generalizable(target, bases[list(chosen)], TAU)).sum() / strength.sum()
                     for chosen in combinations(range(3), k)])
            for k in (1, 2, 3)
        ]  # fmt: skip
        for k in (1, 2):
            assert values[f"growth of H, K = {k} against 3{name}"] == pytest.approx(h[2] - h[k - 1])
            assert values[f"share of H reached, K = {k} against 3{name}"] == pytest.approx(h[k - 1] / h[2])


def test_any_of_all_baselines_is_what_the_other_tables_say(rng):
    """The same H, interval and chance as the dynamics and the ratios of the study show."""
    target = network(rng)
    bases = judged_by(rng, target, 2)
    of = np.repeat(["training", "testing"], 6)
    v = rng.normal(size=(3, 12, 16))
    comparison = compare((v[0], target), zip(v[1:], bases), tau_ratio=TAU, chance_draws=DRAWS, of=of)
    row = ab.baselines_table(votes(target, bases), BOOTSTRAP).query("K == 2 and rule == 'any'").iloc[0]
    known = dynamics_table(comparison, BOOTSTRAP).iloc[0]
    assert row[["H", "low", "high", "chance"]].tolist() == pytest.approx(
        known[["H", "H_low95", "H_high95", "H_chance"]].tolist()
    )
    ratios = ratio_table(comparison, 0.0, BOOTSTRAP, range(1, 3), range(6, 5)).query("quantity == 'H'")
    judges = ab.families_table({"B": votes(target, bases)}, of, "any", BOOTSTRAP)
    assert judges.samples.tolist() == ratios.samples.tolist()
    np.testing.assert_allclose(judges[["H", "low", "high", "chance"]], ratios[["value", "low", "high", "chance"]])
    by_order = ab.baselines_by_order(votes(target, bases)).query("panel == 'K = 2'").reset_index()
    columns = ["order", "sign", "total", "generalizable"]
    pd.testing.assert_frame_equal(by_order[columns], comparison.by_order(0.0)[columns])


def test_strength_by_order_adds_up_to_h_and_never_falls_with_more_baselines(rng):
    target = network(rng)
    bases = judged_by(rng, target, 3)
    by_order = ab.baselines_by_order(votes(target, bases))
    sums = by_order[["total", "generalizable"]].abs().groupby(by_order.panel).sum()
    h = ab.baselines_table(votes(target, bases), BOOTSTRAP).query("rule == 'any'").H
    assert (sums.generalizable / sums.total).tolist() == pytest.approx(h.tolist())
    grown = by_order.pivot(index=["order", "sign"], columns="panel", values="generalizable").abs()
    assert (np.diff(grown) >= 0).all() and (np.diff(grown) > 0).any()


def test_unrelated_networks_share_what_chance_gives_and_kin_more():
    covered, kin = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        target = network(rng, n_samples=40)
        for kinship, outcomes in ((0.0, covered), (0.3, kin)):
            bases = np.stack([network(rng, target, kinship, 40) for _ in range(2)])
            row = ab.baselines_table(votes(target, bases), BOOTSTRAP).iloc[1]
            outcomes.append(row.excess_low <= 0 <= row.excess_high)
    assert np.mean(covered) >= 0.85 and not any(kin)


def test_where_nothing_is_salient_there_is_no_h():
    nothing = np.zeros((3, 2, 8))
    numbers = ab.baselines_table(votes(nothing, nothing[None]), BOOTSTRAP).drop(columns=["K", "rule"])
    assert numbers.isna().all(axis=None)
    assert crossed(nothing, nothing[None], nothing[None])[["value", "low", "chance"]].isna().all(axis=None)


# who the baselines are
def test_families_of_different_size_judge_in_equal_numbers(rng):
    target = network(rng)
    families = {
        "B": judged_by(rng, target, 3),
        "itself": np.stack([target, target]),
        "other": network(rng)[None].repeat(2, 0),
    }
    table = judges_of(target, families).set_index(["judges", "samples"])
    pairs = ab.baselines_table(votes(target, families["B"]), BOOTSTRAP).query("K == 2 and rule == 'any'").iloc[0]
    columns = ["H", "low", "high", "chance", "excess", "excess_low", "excess_high"]
    assert (table.K == 2).all() and table.loc[("B", "all"), columns].tolist() == pytest.approx(pairs[columns].tolist())
    assert (table.loc["itself", "H"] == 1).all() and (table.loc["itself", "chance"] < 0.8).all()
    testing = np.mean([h_of(target[6:], pair[:, 6:], "any") for pair in
                       (families["B"][list(choice)] for choice in combinations(range(3), 2))])  # fmt: skip
    assert table.loc[("B", "testing"), "H"] == pytest.approx(testing)


def test_cross_validation_worked_by_hand():
    """B has all of the target's interactions; C has and_1 on the first sample only and and_3 on the second only.

    As shares of all, those of B are 1/2 and 1/2 (orders 1, 2), those of C 1/3 and 2/3: minima 5/6, maxima 7/6.
    Of the draws with 0, 1, 2 times the second sample, B has (1, 0), (1/2, 1/2), (1/3, 2/3), and C (1, 0), .., (0, 1).
    """
    target = np.stack([sample(and_1=1.0), sample(and_1=1.0, and_3=2.0)])
    c = np.stack([sample(and_1=4.0), sample(and_3=5.0)])
    table = crossed(target, target[None], c[None])
    similar = np.array([1, 5 / 7, 1 / 2])[BOOTSTRAP.weights(2)[:, 1].astype(int)]
    assert table.value["Jaccard of B and C"] == pytest.approx(2 * 5 / 7 - similar.mean())
    assert table.loc["share of B's that is C's", ["value", "chance"]].tolist() == pytest.approx([3 / 4, 1 / 4])
    assert table.loc["share of C's that is B's", ["value", "chance"]].tolist() == pytest.approx([1, 1 / 3])
    assert table.loc["share of B's that is C's", ["low", "high"]].tolist() == pytest.approx([2 / 3, 1])
    assert "Jaccard of two of B" not in table.index and len(table) == 4  # a family of one has no ceiling


def test_an_unknown_rule_for_several_baselines_is_named(rng):
    target = network(rng)
    two = ab.votes(target, judged_by(rng, target, 2), TAU, 2)
    with pytest.raises(ValueError, match=r"combine = 'most'; expected one of any, majority, all"):
        two.shared(2, "most")


def test_identical_families_agree_in_everything_but_by_chance(rng):
    target = network(rng)
    bases = judged_by(rng, target, 2)
    table = crossed(target, bases, bases)
    both = table.loc[["Jaccard of B and C", "share of B's that is C's", "share of C's that is B's"]]
    assert (both[["value", "low", "high"]] == 1).all(axis=None) and (both.chance < 0.9).all()
    alone = crossed(target, bases[[0, 0]], bases[[0, 0]])
    assert (alone.value == 1).all() and table.value["Jaccard of two of B"] < 1


def test_cross_validation_is_the_mean_over_pairs_of_the_metrics(rng):
    """Each similarity scaled, less its bias, and by chance with both families asked about other samples than each other."""
    target = network(rng)
    b, c = judged_by(rng, target, 3), judged_by(rng, target, 2)
    salient, weights = metrics.salient(target, TAU), BOOTSTRAP.weights(len(target))
    same, *others = np.arange(12), *metrics.derangements(12, DRAWS, np.random.default_rng(0))

    def similar(first, second):
        """Of two families, each with the order in which it is asked about the samples."""
        parts = [
            metrics.strength_by_order(target, salient & metrics.generalizable(target, bases[:, order], TAU))
            for bases, order in (first, second)
        ]

        def of(rows):
            drawn = [np.abs(np.tensordot(rows, part, 1)) for part in parts]
            one, other = (each / each.sum(axis=(1, 2), keepdims=True) for each in drawn)
            return np.minimum(one, other).sum(axis=(1, 2)) / np.maximum(one, other).sum(axis=(1, 2))

        return 2 * of(np.ones((1, 12)))[0] - np.mean(of(weights))

    table = crossed(target, b, c)
    for quantity, pairs in {
        "Jaccard of B and C": [(b, c)],
        "Jaccard of one of B and one of C": [(b[[i]], c[[j]]) for i in range(3) for j in range(2)],
        "Jaccard of two of B": [(b[[i]], b[[j]]) for i, j in ((0, 1), (0, 2), (1, 2))],
        "Jaccard of two of C": [(c[[0]], c[[1]])],
    }.items():
        row = table.loc[quantity]
        asked = list(permutations(others, 2))  # never both about the same other sample
        chance = np.mean([similar((x, one), (y, other)) for x, y in pairs for one, other in asked])
        assert row.value == pytest.approx(np.mean([similar((x, same), (y, same)) for x, y in pairs]))
        assert row.chance == pytest.approx(chance) and row.low <= row.value <= row.high


def test_by_chance_both_families_are_asked_about_other_samples_so_it_hangs_on_neither(rng):
    target = network(rng)
    b, c = judged_by(rng, target, 3), judged_by(rng, target, 2)
    forth, back = (crossed(target, *pair) for pair in ((b, c), (c, b)))
    for column in ("value", "chance", "low", "high"):
        assert forth[column]["Jaccard of B and C"] == pytest.approx(back[column]["Jaccard of B and C"])


def test_above_chance_is_the_difference_draw_by_draw(rng):
    targets = {f"target-{i}": network(rng) for i in (1, 2)}
    judged = {
        role: (votes(target, judged_by(rng, target, 2)), votes(target, judged_by(rng, target, 2)))
        for role, target in targets.items()
    }
    table = contrasts.crossvalidation_contrasts(judged, "any", BOOTSTRAP).set_index(["quantity", "role"]).value
    for role, families in judged.items():
        estimates = ab.crossvalidation(*families, "any", BOOTSTRAP)
        for quantity, estimate in estimates.items():
            assert table[quantity, role] == estimate.value
        for quantity in (name for name in estimates if ", " not in name):
            difference = estimates[quantity].value - estimates[f"{quantity}, by chance"].value
            assert table[f"{quantity}, above chance", role] == pytest.approx(difference)


# every other setting
@pytest.fixture
def variants(rng):
    """A network that learns what its baseline knows by the third checkpoint, then forgets it; seen in two ways."""
    base = network(rng, n_samples=20) * (rng.random((20, 2, 16)) < 0.3)
    path = np.stack([network(rng, base, kinship, 20) for kinship in (0.0, 0.5, 0.9, 0.1)])
    v = rng.normal(size=(4, 20, 16))

    def seen(tau_ratio):
        return compare((v, path), [(v[0], base)], tau_ratio=tau_ratio, epochs=[0.0, 1.0, 4.0, 16.0])

    return {"as it is": (seen(TAU), 1.0), "tau_ratio = 0.4": (seen(0.4), 1.0)}


def test_sensitivity_says_for_each_variant_what_its_own_tables_say(variants):
    table = sensitivity_rows(variants, BOOTSTRAP)
    assert table.variant.tolist() == list(variants) and table.samples.tolist() == [20, 20]
    for row, (comparison, _) in zip(table.itertuples(), variants.values()):
        curve, phases = dynamics_table(comparison, BOOTSTRAP), phases_of(comparison, BOOTSTRAP)
        assert [row.H_first, row.H_best, row.H_last] == curve.H[[0, 2, 3]].tolist() and row.t1 == 4
        assert [row.chance_first, row.chance_best, row.chance_last] == curve.H_chance[[0, 2, 3]].tolist()
        assert [row.N_first, row.N_least, row.N_last] == curve.N[[0, 2, 3]].tolist()
        assert (row.n_phases, row.verdict, row.t2) == (phases.n_phases, phases.verdict, phases.t2)
        assert (row.excess_fall_low, row.excess_fall_high) == phases.excess_fall_interval
    assert table.H_best[0] != table.H_best[1] and table.t2.tolist() == [16, 16]
    (first, *others) = variants.items()
    other_ratio = {first[0]: (first[1][0], 0.01)} | dict(others)
    assert sensitivity_rows(other_ratio, BOOTSTRAP).t2.tolist() == [np.inf, 16]
    assert (table.excess_rise_low > 0).all() and (table.excess_fall_low > 0).all()


def test_a_distribution_over_orders_worked_by_hand():
    effects = {
        "with noise": np.stack([sample(and_1=1.0, and_3=-2.0), sample(or_7=5.0)]),
        "twice": np.stack([sample(and_1=2.0, and_3=-4.0), sample(or_7=10.0)]),
        "nothing": np.zeros((2, 2, 8)),
    }
    table = spindle_table(effects).set_index(["panel", "sign", "order"])
    assert table.total["with noise"].tolist() == [0.5, 0, 2.5, 0, -1, 0]
    assert table.share["with noise"].tolist() == [0.125, 0, 0.625, 0, -0.25, 0] == table.share["twice"].tolist()
    assert (table.total["nothing"] == 0).all() and table.share["nothing"].isna().all()


# figures
def test_the_figures_draw_the_numbers_of_their_tables(rng, variants):
    target = network(rng)
    families = {"B": judged_by(rng, target, 3), "C": judged_by(rng, target, 2)}
    by_number = ab.baselines_table(votes(target, families["B"]), BOOTSTRAP)
    panels = plots.baselines(by_number, samples=6).axes
    assert len(panels) == by_number.rule.nunique() == 3
    for ax, (_, rows) in zip(panels, by_number.groupby("rule", sort=False)):
        drawn = {line.get_label(): line.get_ydata().tolist() for line in ax.lines}
        assert drawn == {name: rows[column].tolist() for name, column in
                         {"H": "H", "H above chance": "excess", "by chance": "chance"}.items()}  # fmt: skip
    judges = judges_of(target, families)
    (ax,) = plots.judges(judges).axes
    assert [tick.get_text()[:2] for tick in ax.get_xticklabels()] == ["B:", "C:"]
    assert [line.get_ydata().tolist() for line in ax.lines] == [
        judges.H[judges.samples == samples].tolist() for samples in ("all", "training", "testing")
    ]
    rows = sensitivity_rows(variants, BOOTSTRAP)
    left, right, _ = plots.sensitivity(rows).axes
    marks = [marks.get_offsets().tolist() for marks in left.collections if isinstance(marks, PathCollection)]
    for column, below in (("H_first", 0), ("H_best", 0), ("H_last", 0), ("chance_best", 0.27)):
        assert [[value, row + below] for row, value in enumerate(rows[column])] in marks
    numbers = [marks.get_offsets()[:, 0].tolist() for marks in right.collections if isinstance(marks, PathCollection)]
    assert numbers == [rows[column].tolist() for column in ("N_first", "N_least", "N_last")]
    shares = spindle_table({"exact": target, "sparse": families["B"][0]})
    bars = plots.order_shares(shares).axes[1].patches
    assert [bar.get_height() for bar in bars] == shares.share[shares.panel == "sparse"].tolist()


def test_n_is_least_where_it_is_and_not_where_h_peaks(rng):
    effects = np.zeros((3, 12, 2, 16))
    for t, number in enumerate((8, 6, 2)):
        effects[t, :, 0, 1 : number + 1] = 1
    base = np.zeros((12, 2, 16))
    base[:, 0, 3:7] = 1  # most of what there is at the second checkpoint
    v = rng.normal(size=(3, 12, 16))
    row = sensitivity_rows({"as it is": (compare((v, effects), [(v[0], base)]), 1.0)}, Bootstrap(100)).iloc[0]
    assert row.t1 == 1 and row.N_least == 2
