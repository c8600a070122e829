"""Removal on examples worked by hand, the laws of the placebo, and games in which the answer is planted."""

import math

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from symgen import plots, removed_value, strength_by_order
from symgen.generalization import Bootstrap, Comparison, pooled
from symgen.generalization.bootstrap import interval
from symgen.generalization.comparison import AXES
from symgen.generalization.removal import (
    QUANTITIES,
    contrasts_table,
    loss,
    placebo_effects,
    placebo_strength,
    removal_table,
    shares_of_the_gap,
    verdict,
)

BOOTSTRAP = Bootstrap(draws=300)


def compared(effects, generalizable, v_full=None):
    """Interactions (sample, kind, subset) of one checkpoint, the first half of the samples from training.

    Every effect other than 0 is salient; v(x_N) is their sum, if it is not given.
    """
    effects, half = effects[None], len(effects) // 2
    v = np.zeros((1, *effects.shape[1::2]))
    v[..., -1] = effects.sum(axis=(-2, -1)) if v_full is None else v_full
    salient, nothing = effects != 0, np.zeros_like(effects)
    of = np.array(["training"] * half + ["testing"] * (effects.shape[1] - half))
    generalizable = salient & generalizable
    arrays = {"effects": effects, "salient": salient, "generalizable": generalizable, "chance": nothing}
    data = {"v": (("epoch", "sample", "subset"), v)} | {name: (AXES, array) for name, array in arrays.items()}
    return Comparison(xr.Dataset(data, {"epoch": [0.0], "of": ("sample", of)}))


def by(table, *keys):
    return table.set_index([*keys]).sort_index(kind="stable")


def test_loss_is_the_cross_entropy_of_log_odds_and_never_overflows():
    assert loss(np.array([0.0]))[0] == math.log(2)
    assert loss(np.array([math.log(4)]))[0] == pytest.approx(-math.log(0.8))  # odds of 4 to 1
    np.testing.assert_allclose(loss(np.array([-800.0, 800.0])), [800, 0])


def test_two_samples_worked_by_hand():
    effects = np.zeros((2, 2, 8))
    effects[:, 0, 1], effects[:, 0, 3], effects[:, 1, 3] = [3, 2], [2, 1], [-1, -4]
    generalizable = np.zeros((2, 2, 8), bool)
    generalizable[:, 0, 1] = True
    comparisons = {"one": compared(effects, generalizable, [5.0, 0.0])}
    table = removal_table(comparisons, BOOTSTRAP, draws=2)
    rows = by(table, "of", "what")
    left = {("training", "before"): 5, ("training", "removed"): 5 - 2 + 1, ("training", "reverse"): 5 - 3}
    left |= {("testing", "before"): 0, ("testing", "removed"): 0 - 1 + 4, ("testing", "reverse"): 0 - 2}
    for key, v in left.items():
        assert rows.loss[key] == pytest.approx(math.log1p(math.exp(-v))), key
    assert rows.effect["training", "removed"] == 1 and rows.effect["testing", "removed"] == -3
    assert rows.loss["training", "placebo"] == rows.loss["training", "removed"]  # nothing else is of order 2
    contrasts = by(
        contrasts_table({"one": compared(effects, generalizable, [5.0, 0.0])}, BOOTSTRAP, draws=2), "role", "what"
    )
    values = contrasts.loc[("one", "removed")].set_index("quantity").value
    rise, change = loss(np.array([4.0, 3.0])) - loss(np.array([5.0, 0.0]))
    before = math.log(2) - loss(np.array([5.0]))[0]
    apart = 1 / (2 + 1) - -3 / (1 + 4)  # signed over absolute; what is left in reverse, 3 and 2, is wholly positive
    expected = [rise, change, before, before + change - rise, rise - change, 1, -3, apart, apart - (3 / 3 - 2 / 2)]
    np.testing.assert_allclose(values[list(QUANTITIES)], expected, atol=1e-12)
    reverse = contrasts.loc[("one", "reverse")].set_index("quantity").value
    assert reverse["share apart"] == pytest.approx(0) and reverse["effect apart"] == pytest.approx(-apart)
    of_all = contrasts.loc[("all", "removed")].set_index("quantity").value
    for name, value in (("training rise", rise), ("testing change", change), ("gap narrowed by", rise - change)):
        assert of_all[f"{name}, share of the gap"] == pytest.approx(value / before)


@pytest.fixture
def queues(rng):
    """Strengths, orders and what is removed of 4 samples with 12 places each, some of them empty."""
    strength = rng.exponential(size=(4, 12)) * (rng.random((4, 12)) < 0.8)
    return strength, rng.integers(1, 4, size=(4, 12)), rng.random((4, 12)) < 0.5


def test_a_placebo_takes_of_every_order_as_much_as_is_removed_and_at_most_one_interaction_in_part(queues, rng):
    strength, order, removed = queues
    taken = placebo_strength(strength, order, removed, rng.random((200, 4, 12)))
    assert (taken >= 0).all() and (taken <= strength).all()
    assert not taken[:, strength == 0].any()
    for m in (1, 2, 3):
        wanted = np.where(removed & (order == m), strength, 0).sum(axis=-1)
        np.testing.assert_allclose(np.where(order == m, taken, 0).sum(axis=-1), np.tile(wanted, (200, 1)), atol=1e-12)
        in_part = (order == m) & (taken > 1e-12) & (taken < strength - 1e-12)
        assert (in_part.sum(axis=-1) <= 1).all() and in_part.any()


def test_a_placebo_is_what_a_plain_loop_over_a_queue_takes(queues):
    strength, order, removed = queues
    lots = np.random.default_rng(5).random((20, 4, 12))
    fast = placebo_strength(strength, order, removed, lots)
    for draw, sample in np.ndindex(20, 4):
        for m in (1, 2, 3):
            of_order = [i for i in range(12) if order[sample, i] == m]
            still = sum(strength[sample, i] for i in of_order if removed[sample, i])
            for i in sorted(of_order, key=lambda i: lots[draw, sample, i]):
                part = min(still, strength[sample, i])
                still -= part
                assert fast[draw, sample, i] == pytest.approx(part, abs=1e-12)


def test_a_placebo_is_drawn_from_the_salient_interactions_alone_and_repeats_with_its_seed(rng):
    shape = 120, 2, 16  # samples are taken in several groups
    effects, salient = rng.normal(size=shape), rng.random(shape) < 0.4
    salient[:, :, 0] = False
    removed = salient & (rng.random(shape) < 0.5)
    drawn = placebo_effects(effects, salient, removed, 30, seed=3)
    louder = np.where(salient, effects, 1e6)
    assert np.array_equal(drawn, placebo_effects(louder, salient, removed, 30, seed=3))
    assert not np.array_equal(drawn, placebo_effects(effects, salient, removed, 30, seed=4))
    assert (np.ptp(drawn, axis=0) > 0).all()
    everything = placebo_effects(effects, salient, salient, 30)  # however many a sample has
    np.testing.assert_allclose(everything, np.tile((effects * salient).sum(axis=(1, 2)), (30, 1)), atol=1e-12)
    strength = np.abs(strength_by_order(effects, removed)).sum(axis=(-2, -1))
    assert (np.abs(drawn) <= strength + 1e-12).all() and (np.abs(drawn) < strength - 0.1).any()


def test_where_all_are_equally_strong_a_placebo_takes_its_share_of_each_order_on_average(rng):
    effects = np.sign(rng.normal(size=(3, 2, 16)))
    effects[:, :, 0] = 0
    removed = (effects != 0) & (rng.random((3, 2, 16)) < 0.4)
    drawn = placebo_effects(effects, effects != 0, removed, 20000)
    parts, wholes, signed = (strength_by_order(x) for x in (np.abs(effects) * removed, np.abs(effects), effects))
    share = parts[:, 0, 1:] / wholes[:, 0, 1:]
    expected = (share * signed.sum(axis=1)[:, 1:]).sum(axis=-1)
    np.testing.assert_allclose(drawn.mean(axis=0), expected, atol=5 * drawn.std() / math.sqrt(20000))


def test_an_impossible_number_of_placebos_or_a_kind_of_sample_that_is_missing_is_refused(rng):
    comparison = compared(rng.normal(size=(4, 2, 8)), True)
    with pytest.raises(ValueError, match="draws = 0 placebos; expected at least 1"):
        removal_table({"one": comparison}, BOOTSTRAP, draws=0)
    comparison = Comparison(comparison.data.assign_coords(of=("sample", ["training"] * 4)))
    with pytest.raises(ValueError, match="no testing samples among those judged"):
        contrasts_table({"one": comparison}, BOOTSTRAP)


@pytest.fixture
def effects(rng):
    dense = rng.normal(size=(12, 2, 16))
    dense[:, :, 0] = 0
    return dense


@pytest.mark.parametrize(("generalizes", "untouched"), [(True, ["removed", "placebo"]), (False, ["reverse"])])
def test_removing_nothing_changes_nothing(effects, generalizes, untouched):
    comparison = compared(effects, generalizes)
    rows = by(removal_table({"one": comparison}, BOOTSTRAP).drop(columns="role"), "of", "what")
    for of in ("training", "testing"):
        for what in untouched:
            np.testing.assert_allclose(rows.loc[(of, what)], rows.loc[(of, "before")], atol=1e-12)
    contrasts = by(contrasts_table({"one": comparison}, BOOTSTRAP), "what")
    versus = ["versus_placebo", "versus_low", "versus_high"]
    bounded = contrasts.quantity.isin(["share apart", "effect apart"])  # of nothing, there is no share
    assert contrasts.loc[bounded & (contrasts.index == untouched[0]), ["value", "low", "high"]].isna().all(axis=None)
    nothing = contrasts[~bounded].loc[untouched[0]]
    assert (nothing[versus] == 0).all(axis=None) and (nothing.p == 1).all()
    everything = contrasts[~bounded].loc[{"removed": "reverse", "reverse": "removed"}[untouched[0]]]
    assert (everything[versus] == 0).all(axis=None)  # its placebo is everything too
    assert everything.value.abs().max() > 0.1


def test_removal_is_eq_12_sample_by_sample_and_its_intervals_resample_each_kind_of_samples(effects, rng):
    generalizable = rng.random(effects.shape) < 0.5
    comparison = compared(effects, generalizable)
    rows = by(removal_table({"one": comparison}, BOOTSTRAP), "of", "what")
    for k, of in enumerate(("training", "testing")):
        losses = []
        for i in range(6 * k, 6 * k + 6):
            v = comparison.v[0, i, -1]
            for kind, subset in np.ndindex(2, 16):
                if comparison.salient[0, i, kind, subset] and not comparison.generalizable[0, i, kind, subset]:
                    v -= effects[i, kind, subset]
            removed = comparison.salient[0, i] & ~generalizable[i]
            assert v == pytest.approx(removed_value(comparison.v[0, i, -1], effects[i], removed))
            losses.append(-math.log(1 / (1 + math.exp(-v))))
        assert rows.loss[of, "removed"] == pytest.approx(np.mean(losses))
        weights = Bootstrap(300, 2 * BOOTSTRAP.seed + k).weights(6)
        drawn = [np.repeat(losses, own_draw.astype(int)).mean() for own_draw in weights]
        bounds = np.quantile(drawn, [0.025, 0.975], method="inverted_cdf")
        np.testing.assert_allclose(rows.loc[(of, "removed"), ["low", "high"]].astype(float), bounds)


def test_both_tables_tell_of_the_same_losses_effects_and_placebos(effects, rng):
    comparison = compared(effects, rng.random(effects.shape) < 0.5)
    table = by(removal_table({"one": comparison}, BOOTSTRAP, draws=20), "of", "what")
    contrasts = contrasts_table({"one": comparison}, BOOTSTRAP, draws=20)
    rows = by(contrasts[(contrasts.role == "one") & (contrasts.what == "removed")], "quantity")
    for of, quantity in (("training", "training rise"), ("testing", "testing change")):
        before, removed, placebo = (table.loss[of, what] for what in ("before", "removed", "placebo"))
        assert rows.value[quantity] == pytest.approx(removed - before)
        assert rows.placebo[quantity] == pytest.approx(placebo - before)
        effect = table.loc[(of, "removed"), ["effect", "effect_low", "effect_high"]].astype(float)
        np.testing.assert_allclose(rows.loc[f"effect on {of}", ["value", "low", "high"]].astype(float), effect)
        assert rows.placebo[f"effect on {of}"] == pytest.approx(table.effect[of, "placebo"])
    reverse = by(contrasts[(contrasts.role == "one") & (contrasts.what == "reverse")], "quantity")
    assert reverse.value["effect on testing"] == pytest.approx(table.effect["testing", "reverse"])


def test_every_checkpoint_is_told_of_by_itself_and_contrasts_tell_of_the_last(effects, rng):
    alone = [compared(x, rng.random(effects.shape) < 0.5) for x in (effects, 2 * effects[::-1])]
    both = xr.concat([c.data.assign_coords(epoch=[t]) for c, t in zip(alone, (0.0, 4.0))], "epoch")
    tables = [removal_table({"one": c}, BOOTSTRAP, draws=20) for c in (Comparison(both), *alone)]
    for epoch, expected in zip((0.0, 4.0), tables[1:]):
        rows = tables[0][tables[0].epoch == epoch].drop(columns="epoch").reset_index(drop=True)
        certain = expected.what != "placebo"
        pd.testing.assert_frame_equal(rows[certain], expected.drop(columns="epoch")[certain])
    removed = alone[1].salient[0] & ~alone[1].generalizable[0]
    placebo = placebo_effects(alone[1].effects[0], alone[1].salient[0], removed, 20, [BOOTSTRAP.seed, 1])
    drawn = by(tables[0], "epoch", "of", "what").effect[4.0, "training", "placebo"]
    assert drawn == pytest.approx(placebo[:, :6].mean())  # other draws than those of the first checkpoint
    of_both, of_last = (contrasts_table({"one": c}, BOOTSTRAP, draws=20) for c in (Comparison(both), alone[1]))
    columns = ["role", "what", "quantity", "value", "low", "high"]
    pd.testing.assert_frame_equal(of_both[columns], of_last[columns])


def test_what_is_not_salient_stays(effects, rng):
    whole, loud = compared(effects, rng.random(effects.shape) < 0.5), np.abs(effects)[None] > 0.5
    parts = {"salient": (AXES, whole.salient & loud), "generalizable": (AXES, whole.generalizable & loud)}
    rows = by(removal_table({"one": Comparison(whole.data.assign(parts))}, BOOTSTRAP, draws=2), "of", "what")
    removed = (effects * (loud & ~whole.generalizable)[0]).sum(axis=(1, 2))
    assert rows.effect["training", "removed"] == pytest.approx(removed[:6].mean())
    assert rows.loss["testing", "removed"] == pytest.approx(loss(whole.v[0, 6:, -1] - removed[6:]).mean())


def test_p_counts_the_draws_of_the_placebo_that_do_at_least_as_much(effects, rng):
    networks = {f"target-{i}": compared(effects, rng.random(effects.shape) < 0.5) for i in range(2)}
    rows = by(contrasts_table(networks, BOOTSTRAP, draws=50), "what", "quantity", "role")
    training, testing = slice(0, 6), slice(6, 12)
    values, placebos = {}, {}
    for role, comparison in networks.items():
        removed = comparison.salient[0] & ~comparison.generalizable[0]
        values[role] = (effects * removed).sum(axis=(1, 2))
        placebos[role] = placebo_effects(effects, comparison.salient[0], removed, 50, [BOOTSTRAP.seed, 0])
    values["all"], placebos["all"] = (np.mean([*part.values()], axis=0) for part in (values, placebos))
    for role, value in values.items():
        more = placebos[role][:, training].mean(axis=1) >= value[training].mean()
        less = placebos[role][:, testing].mean(axis=1) <= value[testing].mean()
        assert rows.p["removed", "effect on training", role] == pytest.approx((1 + more.sum()) / 51)
        assert rows.p["removed", "effect on testing", role] == pytest.approx((1 + less.sum()) / 51)


def test_what_a_placebo_leaves_is_the_placebo_of_the_reverse(effects, rng):
    comparison = compared(effects, rng.random(effects.shape) < 0.5)
    table = contrasts_table({"one": comparison}, BOOTSTRAP, draws=5)
    both = table[table.role == "one"].groupby("quantity")[["value", "placebo"]].sum()
    for quantity in ("effect on training", "effect on testing"):
        assert both.placebo[quantity] == pytest.approx(both.value[quantity])


@pytest.mark.parametrize("testing", [-3.0, 3.0])
def test_shares_of_the_gap_are_no_numbers_where_there_is_none(effects, testing):
    v = effects.sum(axis=(1, 2)) - testing * (np.arange(12) >= 6)  # a larger loss on testing samples, or a smaller one
    comparison = compared(effects, True, v)
    table = contrasts_table({"one": comparison}, BOOTSTRAP, draws=5)
    shares = table[table.quantity.str.endswith("share of the gap")]
    assert len(shares) == 6 and shares[["value", "low", "high", "p"]].isna().all(axis=None) == (testing < 0)


def game(rng, training_sign, n_samples=80):
    """40 + 40 samples with six generalizable ANDs and six other ORs of order 2, each of strength about 1.

    On testing samples all have random signs; so have on training samples the ANDs, and the ORs unless `training_sign`.
    """
    effects, generalizable = np.zeros((n_samples, 2, 16)), np.zeros((n_samples, 2, 16), bool)
    pairs = [3, 5, 6, 9, 10, 12]
    effects[:, :, pairs] = rng.choice([-1, 1], size=(n_samples, 2, 6)) * rng.uniform(0.5, 1.5, size=(n_samples, 2, 6))
    if training_sign:
        effects[: n_samples // 2, 1] = np.abs(effects[: n_samples // 2, 1])
    generalizable[:, 0] = True
    return effects, generalizable


def test_what_only_helps_training_samples_is_found_to_narrow_the_gap_more_than_the_placebo(rng):
    table = contrasts_table({"one": compared(*game(rng, training_sign=1))}, BOOTSTRAP)
    removed = by(table[(table.role == "one") & (table.what == "removed")], "quantity")
    for quantity in ("training rise", "gap narrowed by", "effect on training", "effect apart"):
        row = removed.loc[quantity]
        assert verdict(quantity, row.low, row.high) == "certain", quantity
        assert verdict(quantity, row.versus_low, row.versus_high) == "certain", quantity
        assert row.p == pytest.approx(1 / 101)  # no draw of the placebo does as much
    assert abs(removed.value["effect on testing"]) < 1.5 < 5 < removed.value["effect on training"]
    reverse = by(table[(table.role == "one") & (table.what == "reverse")], "quantity")
    row = reverse.loc["effect apart"]
    assert verdict("effect apart", row.versus_low, row.versus_high) == "contrary"


def test_where_salient_interactions_are_interchangeable_removal_does_what_the_placebo_does(rng):
    certain, p = [], []
    for _ in range(40):
        effects, _ = game(rng, training_sign=0)
        table = contrasts_table({"one": compared(effects, rng.random(effects.shape) < 0.5)}, BOOTSTRAP)
        rows = table[(table.role == "one") & table.quantity.isin(["training rise", "gap narrowed by", "effect apart"])]
        certain += [verdict(*row) != "not certain" for row in zip(rows.quantity, rows.versus_low, rows.versus_high)]
        p += rows.p.tolist()
    assert np.mean(certain) < 0.12  # 0.05 but for the shortness of bootstrap intervals
    assert 0.4 < np.mean(p) < 0.6 and np.mean(np.array(p) < 0.1) < 0.2


def test_over_all_networks_values_are_means_and_intervals_cover_the_networks_too(rng):
    networks = {f"target-{i}": compared(*game(rng, training_sign=i % 2)) for i in range(4)}
    table = by(contrasts_table(networks, BOOTSTRAP), "what", "quantity", "role")
    rows = table.loc[("removed", "effect apart")]
    single = rows.drop("all")
    for name in ("value", "placebo", "versus_placebo"):
        assert rows[name]["all"] == pytest.approx(single[name].mean())
    widths = rows.high - rows.low
    assert widths["all"] > widths.drop("all").max()  # the networks differ by more than samples do
    gaps = table.loc[("removed", "gap before")].value
    for quantity in ("training rise", "testing change", "gap narrowed by"):
        share = table.loc[("removed", f"{quantity}, share of the gap")].loc["all"]
        whole = table.loc[("removed", quantity)].loc["all"]
        assert share.value == pytest.approx(whole.value / gaps["all"])  # of the mean gap before, not a mean of shares
        assert share.placebo == pytest.approx(whole.placebo / gaps["all"]) and share.p == whole.p
    assert set(rows.index) == {*networks, "all"}
    alone = by(contrasts_table({"target-0": networks["target-0"]}, BOOTSTRAP), "role")
    of_all = alone.loc["all"]
    of_all = of_all[~of_all.quantity.str.contains("share of the gap")].reset_index(drop=True)
    assert of_all.equals(alone.loc["target-0"].reset_index(drop=True))


def test_a_verdict_says_whether_the_interval_is_on_the_side_of_the_claim():
    assert [verdict("training rise", *pair) for pair in ((0.1, 1), (0, 1), (-1, -0.1))] == [
        "certain", "not certain", "contrary",
    ]  # fmt: skip
    for quantity in ("testing change", "gap after", "effect on testing"):
        assert verdict(quantity, -2, -1) == "certain" and verdict(quantity, 1, 2) == "contrary"
        assert verdict(quantity, -1, 2) == "not certain"


def test_pictures_draw_the_gap_and_no_effect_of_removing_nothing():
    losses = {"before": (0.1, 0.5), "removed": (0.3, 0.4), "placebo": (0.2, 0.5), "reverse": (0.9, 0.9)}
    rows = [
        ("one", epoch, of, what, *3 * (epoch + x,), *3 * (x,))
        for epoch in (1, 2)
        for what, pair in losses.items()
        for of, x in zip(("training", "testing"), pair)
    ]
    names = ["role", "epoch", "of", "what", "loss", "low", "high", "effect", "effect_low", "effect_high"]
    table = pd.DataFrame(rows, columns=names)
    ax, change = plots.removal_dynamics(table).axes
    drawn = {line.get_label().split()[-1]: line.get_ydata() for line in ax.lines[:3]}
    np.testing.assert_allclose(list(drawn.values()), [[0.4, 0.4], [0.3, 0.3], [0.1, 0.1]])
    assert list(drawn) == ["whole", "(placebo)", "generalize"]
    np.testing.assert_allclose([line.get_ydata() for line in change.lines[:2]], [[-0.1, -0.1], [-0.3, -0.3]])
    unsure = table.assign(low=table.loss - table.of.map({"training": 9, "testing": 0.3}))
    unsure["high"] = table.loss + table.of.map({"training": 0.4, "testing": 9})
    (band,) = plots.removal_dynamics(unsure).axes[0].collections
    assert band.get_datalim(band.axes.transData).y0 == pytest.approx(0.4 - np.hypot(0.3, 0.4))
    above, below = plots.removal(table[table.epoch == 1]).axes
    assert (len(above.get_xticks()), len(below.get_xticks())) == (4, 3)


def test_shares_of_the_gap_vary_with_the_gap_as_well(rng):
    effects = rng.normal(size=(12, 2, 16)) * (np.arange(16) > 0)
    shared, v = rng.random(effects.shape) < 0.5, effects.sum(axis=(1, 2)) - 3.0 * (np.arange(12) >= 6)
    left = v - (effects * ~shared).sum(axis=(1, 2))
    table = contrasts_table({"one": compared(effects, shared, v)}, BOOTSTRAP, draws=2)
    row = table.set_index(["role", "what", "quantity"]).loc["all", "removed", "training rise, share of the gap"]
    before, after = (
        [Bootstrap(300, k).weights(6) @ loss(of)[6 * k : 6 * k + 6] / 6 for k in (0, 1)] for of in (v, left)
    )
    draws = (after[0] - before[0]) / (before[1] - before[0])
    assert [row.low, row.high] == pytest.approx(interval(draws).tolist())


def test_networks_that_all_lose_the_same_share_of_their_gap_do_not_differ(rng):
    gaps = [Bootstrap(100).mean(size * rng.normal(2, 0.1, 30)) for size in (1, 2, 4)]
    shares = shares_of_the_gap([0.3 * gap for gap in gaps], gaps)
    assert pooled(shares) == pytest.approx((0.3, 0.3, 0.3))


def test_intervals_of_shares_of_the_gap_cover_the_share_where_networks_differ_in_their_gaps(rng):
    """Parts that go with nothing: divided by the mean gap alone, a share would be covered 85 times of 100."""
    covered, bootstrap = [], Bootstrap(draws=100)
    for _ in range(300):
        sizes, parts = rng.normal(1.5, 0.3, size=10), rng.normal(0.375, 0.06, size=10)
        hard, moved = rng.normal(size=(2, 200))  # samples that are so for all networks
        gaps = [bootstrap.mean(size + 0.3 * hard + rng.normal(0, 0.5, 200)) for size in sizes]
        changes = [bootstrap.mean(part + 0.3 * moved + rng.normal(0, 0.3, 200)) for part in parts]
        _, low, high = pooled(shares_of_the_gap(changes, gaps))
        covered.append(low <= 0.25 <= high)
    assert 0.91 <= np.mean(covered) <= 0.98
