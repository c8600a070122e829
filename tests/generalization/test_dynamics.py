"""Statistics of training: places come from other networks, and numbers are worked by hand or by scipy."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import binomtest, spearmanr

from symgen.generalization import Bootstrap, Comparison, dynamics, exact_share, metrics
from symgen.generalization.comparison import AXES
from symgen.generalization.phases import Phases, by_the_letter
from symgen.interactions import orders

BOOTSTRAP = Bootstrap(draws=100)


def rows_of(table, role="all"):
    """quantity -> value, low, high of one role."""
    return table[table.role == role].set_index("quantity")[["value", "low", "high"]]


def compared(effects, generalizable, chance=0.0, of=None):
    """A comparison from effects (epoch, sample, kind, subset); every effect other than 0 is salient."""
    salient = effects != 0
    arrays = {
        "effects": effects,
        "salient": salient,
        "generalizable": salient & generalizable,
        "chance": salient * chance,
    }
    data = {"v": (("epoch", "sample", "subset"), np.zeros(effects.shape[:2] + effects.shape[3:]))}
    of = np.repeat("training", effects.shape[1]) if of is None else of
    coords = {"epoch": np.arange(len(effects), dtype=float), "of": ("sample", of)}
    return Comparison(xr.Dataset(data | {name: (AXES, array) for name, array in arrays.items()}, coords))


def trained(h, rng=None, n_samples=10, chance=0.05):
    """A network whose H(t) is h, on samples of different strength."""
    h = np.asarray(h, float)
    effects = np.zeros((len(h), n_samples, 2, 16))
    effects[:, :, 0, 1] = h[:, None]
    effects[:, :, 0, 3] = 1 - h[:, None]
    if rng is not None:
        effects = effects * rng.uniform(0.5, 1.5, size=(n_samples, 2, 16))
    generalizable = np.zeros((2, 16), bool)
    generalizable[0, 1] = True
    return compared(effects, generalizable, chance)


def shares(c, part):
    """A curve of H or of its chance, from plain sums."""
    strength = np.abs(c.effects)
    return (strength * part).sum(axis=(1, 2, 3)) / (strength * c.salient).sum(axis=(1, 2, 3))


def test_the_turning_point_of_a_network_is_that_of_the_mean_of_the_others(rng):
    peaks = {"a": [0.1, 0.9, 0.2, 0.2, 0.1], "b": [0.1, 0.3, 0.6, 0.2, 0.1], "c": [0.1, 0.3, 0.2, 0.7, 0.1]}
    networks = {role: trained(h, rng) for role, h in peaks.items()}
    curves = {role: shares(c, c.generalizable) for role, c in networks.items()}
    table = dynamics.turn_contrasts(networks, BOOTSTRAP)
    places = {}
    for role, c in networks.items():
        top = places[role] = int(np.mean([curve for other, curve in curves.items() if other != role], axis=0).argmax())
        excess = curves[role] - shares(c, c.chance)
        for name, curve in (("", curves[role]), (" above chance", excess)):
            values = rows_of(table, role).value
            assert values[f"H rises{name}"] == pytest.approx(curve[top] - curve[0])
            assert values[f"H falls{name}"] == pytest.approx(curve[top] - curve[-1])
    assert places == {"a": 3, "b": 1, "c": 1}  # nobody's own peak
    assert rows_of(table, "b").value["H rises"] < 0.3  # and not the 0.5 to its own


def test_a_network_that_only_rises_by_luck_does_not_rise_where_others_peak(rng):
    """Curves of noise alone: to their own peaks they would rise by 0.1 each, to the others' by nothing."""
    networks = {f"n{i}": trained(0.5 + 0.1 * rng.uniform(-1, 1, size=8)) for i in range(40)}
    row = rows_of(dynamics.turn_contrasts(networks, BOOTSTRAP)).loc["H rises"]
    mean_rise = np.mean([shares(c, c.generalizable).max() - shares(c, c.generalizable)[0] for c in networks.values()])
    assert row.low < 0 < row.high and mean_rise > 0.07


def test_a_single_network_has_its_place_from_one_half_of_the_samples_and_is_measured_on_the_other(rng):
    effects = rng.exponential(size=(6, 12, 2, 16))
    effects[..., 0] = 0
    whole = compared(effects, rng.random(effects.shape) < 0.4, 0.1)
    placing, measuring = (Comparison(whole.data.isel(sample=slice(half, None, 2))) for half in (0, 1))
    top = shares(placing, placing.generalizable).argmax()
    curve = shares(measuring, measuring.generalizable)
    table = dynamics.turn_contrasts({"one": whole}, BOOTSTRAP)
    for role in ("one", "all"):
        assert rows_of(table, role).value["H rises"] == pytest.approx(curve[top] - curve[0])
        assert rows_of(table, role).value["H falls"] == pytest.approx(curve[top] - curve[-1])
    of_placing, of_measuring = (metrics.effective_number(c.effects).mean(axis=1) for c in (placing, measuring))
    least = of_placing.argmin()
    assert rows_of(table).value["N falls"] == pytest.approx(1 - of_measuring[least] / of_measuring[0])
    assert top != shares(whole, whole.generalizable).argmax()  # so that it matters


@pytest.mark.parametrize("roles", ["ab", "a"])
def test_what_judges_of_shuffled_labels_see_is_taken_off_what_as_many_others_see_where_the_study_has_the_peak(
    roles, rng
):
    peaks = {"study": [0.1, 0.3, 0.6, 0.3], "as many": [0.1, 0.5, 0.4, 0.2], "shuffled": [0.2, 0.2, 0.3, 0.25]}
    whole, as_many, shuffled = ({role: trained(h, rng) for role in roles} for h in peaks.values())
    values = rows_of(dynamics.turn_contrasts(whole, BOOTSTRAP, control=(as_many, shuffled))).value
    measured = slice(None) if len(roles) > 1 else slice(1, None, 2)  # of one network, the half that did not place it
    seen = [
        np.mean([shares(half, half.generalizable) for half in halves], axis=0)
        for halves in ([Comparison(c.data.isel(sample=measured)) for c in of.values()] for of in (as_many, shuffled))
    ]
    difference = seen[0] - seen[1]
    for name, expected in (("rises", difference[2] - difference[0]), ("falls", difference[2] - difference[3])):
        assert values[f"H {name}, less that by judges of shuffled labels"] == pytest.approx(expected)
    assert not any("shuffled" in name for name in rows_of(dynamics.turn_contrasts(whole, BOOTSTRAP)).index)


def test_n_falls_and_rises_relative_to_where_it_comes_from():
    """20, 10, 5, 15 interactions of one strength; four fifths of them hold four fifths of it."""
    effects = np.zeros((4, 6, 2, 32))
    for t, number in enumerate((20, 10, 5, 15)):
        effects[t, :, 0, 1 : number + 1] = 1
    networks = {role: compared(effects, True) for role in "ab"}
    values = rows_of(dynamics.turn_contrasts(networks, BOOTSTRAP))
    assert values.loc["N falls"].tolist() == pytest.approx([(16 - 4) / 16] * 3)
    assert values.loc["N rises"].tolist() == pytest.approx([(12 - 4) / 4] * 3)


@pytest.fixture
def gaps(rng):
    """Three networks whose H peaks at the second checkpoint, and their losses at these epochs and others."""
    networks = {
        f"target-{i}": trained([0.2, 0.9, *rng.uniform(0.2, 0.8, size=7)], rng, chance=rng.random()) for i in range(3)
    }
    losses = {}
    for role in networks:
        gap = np.concatenate([[0.0, 0.1], rng.uniform(0.2, 3, size=7)])
        between = pd.DataFrame({"epoch": np.arange(9) + 0.5, "loss_gap": 99.0})
        losses[role] = pd.concat([between, pd.DataFrame({"epoch": np.arange(9.0), "loss_gap": gap})]).sample(
            frac=1, random_state=0
        )
    return networks, losses


def test_changes_after_the_peak_go_together_with_those_of_the_gap_as_spearman_says(gaps):
    networks, losses = gaps
    table = dynamics.gap_contrasts(networks, losses, BOOTSTRAP)
    for role, c in networks.items():
        gap = losses[role].sort_values("epoch").query("loss_gap < 99").loss_gap.to_numpy()
        h = shares(c, c.generalizable)
        curves = {"1 - H": 1 - h, "1 - H above chance": 1 - (h - shares(c, c.chance))}
        curves["N"] = metrics.effective_number(c.effects).mean(axis=1)
        values = rows_of(table, role).value
        assert values["gap at the peak of H, share of the last"] == pytest.approx(gap[1] / gap[-1])
        for name, curve in curves.items():
            changes, of_gap = np.diff(curve[1:]), np.diff(gap[1:])
            together = spearmanr(changes, of_gap).statistic
            assert values[f"{name}, changes after the peak"] == pytest.approx(together)
            shifted = np.max([spearmanr(changes, np.roll(of_gap, shift)).statistic for shift in range(1, 7)])
            assert values[f"{name}, changes after the peak, less the best shift"] == pytest.approx(together - shifted)


def test_too_few_checkpoints_after_the_peak_say_nothing(gaps):
    networks, losses = gaps
    late = {role: Comparison(c.data.isel(epoch=slice(0, 5))) for role, c in networks.items()}  # four from the peak on
    values = rows_of(dynamics.gap_contrasts(late, losses, BOOTSTRAP)).value
    of_changes = values[values.index.str.contains("changes")]
    assert len(of_changes) == 6 and of_changes.isna().all()
    assert np.isfinite(values["gap at the peak of H, share of the last"])
    assert np.isnan(dynamics.rank_correlation(np.ones((1, 4)), np.arange(4.0))).all()  # a flat curve
    steady, gap = np.array([0.1, 0.2, 0.3, 0.4, 0.9]), np.array([0.0, 1, 3, 4, 9])  # equal changes are ties
    assert dynamics._by_shift(steady, gap)[0] == pytest.approx(spearmanr([1, 1, 1, 5], np.diff(gap)).statistic)


def test_one_network_has_a_share_of_the_gap_without_an_interval(gaps):
    """Losses are not resampled, so only other networks could give it one."""
    (role, network), losses = next(iter(gaps[0].items())), gaps[1]
    share = rows_of(dynamics.gap_contrasts({role: network}, losses, BOOTSTRAP)).loc[
        "gap at the peak of H, share of the last"
    ]
    assert np.isfinite(share.value) and np.isnan([share.low, share.high]).all()


@pytest.mark.parametrize("end", [-0.1, 0.0])
def test_a_network_without_a_gap_has_no_share_of_it(gaps, end):
    networks, losses = gaps
    last = next(iter(networks.values())).epochs[-1]
    losses = {
        role: table.assign(loss_gap=np.where(table.epoch == last, end, table.loss_gap))
        for role, table in losses.items()
    }
    values = rows_of(dynamics.gap_contrasts(networks, losses, BOOTSTRAP)).value
    assert np.isnan(values["gap at the peak of H, share of the last"])


def phases_like(t2, t2_found, n_phases):
    of = {name: (-0.1, 0.1) if name.endswith("interval") else 0.0 for name in Phases.__dataclass_fields__}
    of |= {"t2": t2, "t2_found": t2_found, "n_phases": n_phases}
    return Phases(**of)


def test_shares_of_networks_have_the_interval_of_clopper_and_pearson():
    for hits, n in ((0, 3), (3, 3), (1, 1), (2, 7), (9, 10), (5, 10)):
        expected = binomtest(hits, n).proportion_ci(0.95, "exact")
        assert exact_share(hits, n) == pytest.approx((hits / n, expected.low, expected.high))
    assert exact_share(8, 10)[1:] == pytest.approx((0.4439, 0.9748), abs=1e-4)  # as tables have it


def test_phases_are_counted_by_the_letter_and_with_certainty():
    phases = {"a": phases_like(4.0, 0.99, 3), "b": phases_like(4.0, 0.95, 2), "c": phases_like(4.0, 0.5, 2)}
    phases |= {"d": phases_like(np.inf, 0.1, 1), "e": phases_like(np.inf, 0.0, 0)}
    table = dynamics.phase_contrasts(dict.fromkeys(phases, learner(3, 1.0)), phases)
    for name, hits, known in (
        ("three phases, with certainty", 1, 2),  # of b, c and d neither yes nor no is certain
        ("t2", 3, 5),
        ("t2 with certainty", 2, 5),
    ):
        assert rows_of(table).loc[name].tolist() == pytest.approx(exact_share(hits, known))
    letter = np.nan  # these learn nothing between the peak and what they learn last
    np.testing.assert_array_equal(rows_of(table, "b").value, [letter, np.nan, 1, 1])
    assert replace(phases["c"], excess_fall_interval=(-0.2, -0.1)).certainly_three == 0  # it certainly does not fall
    nobody = dynamics.phase_contrasts({"c": learner(3, 1.0)}, {"c": phases["c"]})
    assert rows_of(nobody).loc["three phases, with certainty"].isna().all()


def test_turns_read_off_networks_that_see_the_same_samples_come_out_a_few_hundredths_too_large():
    """H is flat but for noise of samples: the page of results says what it does to rises and falls if it is shared."""
    rng, bootstrap = np.random.default_rng(0), Bootstrap(draws=10)

    def turns(shared):
        common, networks = rng.normal(size=(10, 40)), {}
        for i in range(10):
            share = np.clip(0.4 + 0.2 * (common if shared else rng.normal(size=(10, 40))), 0.05, 0.95)
            effects = np.zeros((10, 40, 2, 4))
            effects[:, :, 0, 1], effects[:, :, 0, 2] = share, 1 - share
            networks[f"n{i}"] = compared(effects, np.array([[False, True, False, False], [False] * 4]))
        return rows_of(dynamics.turn_contrasts(networks, bootstrap)).value[["H rises", "H falls"]]

    same, apart = (np.mean([turns(shared) for _ in range(12)], axis=0) for shared in (True, False))
    assert (same > 0.02).all() and (same < 0.08).all() and (np.abs(apart) < 0.03).all() and (apart < same - 0.02).all()


def test_by_the_letter_phases_begin_where_those_of_the_others_do(rng):
    """Three phases and noise: where a network has its own peak, H always rises to it and falls from it."""
    networks, generalizable = {}, np.repeat([[True], [False]], 16, axis=1)  # of kinds: what ANDs have, ORs have not
    course = np.transpose([[0.2, 1, 1.3, 1.6, 1.7, 1.7, 1.7], [0.5, 0.3, 0.5, 0.6, 1.5, 2.5, 3.5]])[:, None, :, None]
    for i in range(20):
        noise = rng.uniform(0.6, 1.4, size=(7, 1, 2, 1)) * rng.uniform(size=(7, 1, 2, 16)) ** 4
        networks[f"n{i}"] = compared(course * noise, generalizable)
    curves = {role: np.stack([c.H, *(part.mean(axis=1) for part in c.newly_learned)]) for role, c in networks.items()}

    def expected(role, course):
        t1 = int(course[0].argmax())
        t2 = next((t for t in range(t1 + 1, 7) if course[1, t] < course[2, t]), 7)
        number = metrics.effective_number(networks[role].effects).mean(axis=1)
        return by_the_letter(networks[role].H, number, t1, t2)

    others = {role: np.mean([curves[other] for other in networks if other != role], axis=0) for role in networks}
    letter = [expected(role, course) for role, course in others.items()]
    table = dynamics.phase_contrasts(networks, dict.fromkeys(networks, phases_like(4.0, 0.5, 2)))
    measured = table[(table.quantity == "three phases, by the letter") & (table.role != "all")].set_index("role").value
    np.testing.assert_array_equal(measured[list(networks)], letter)
    known = [value for value in letter if not np.isnan(value)]
    share = rows_of(table).loc["three phases, by the letter"].tolist()
    assert known and share == pytest.approx(exact_share(int(sum(known)), len(known)))
    never = dynamics.phase_contrasts(networks, dict.fromkeys(networks, phases_like(4.0, 0.5, 2)), r=0.0)
    share = rows_of(never).loc["three phases, by the letter"].tolist()
    assert share == pytest.approx(exact_share(0, 20))  # no third begins
    assert not np.array_equal(letter, [expected(role, curve) for role, curve in curves.items()], equal_nan=True)
    alone = dynamics.phase_contrasts({"n0": networks["n0"]}, {"n0": phases_like(4.0, 0.5, 2)})
    assert rows_of(alone).loc["three phases, by the letter"].isna().all()  # nobody else places its phases


@pytest.mark.parametrize(
    ("t1", "t2", "H", "N", "holds"),
    [
        (1, 4, [0.2, 0.6, 0.5, 0.4, 0.3], [9, 5, 6, 7, 8], True),
        (1, 2, [0.2, 0.6, 0.5, 0.4, 0.3], [9, 5, 6, 7, 8], np.nan),  # no checkpoint shows the second phase
        (1, 5, [0.2, 0.6, 0.5, 0.4, 0.3], [9, 5, 6, 7, 8], False),  # there is no third
        (0, 4, [0.6, 0.5, 0.5, 0.4, 0.3], [9, 5, 6, 7, 8], False),  # there is no first
        (1, 4, [0.2, 0.6, 0.5, 0.4, 0.3], [5, 5, 6, 7, 8], False),  # N does not fall at first
        (1, 4, [0.2, 0.6, 0.5, 0.4, 0.3], [9, 5, 5, 5, 8], False),  # or does not rise then
        (1, 4, [0.2, 0.6, 0.5, 0.4, 0.4], [9, 5, 6, 7, 8], False),  # H does not fall at last
        (1, 4, [0.2, 0.6, 0.7, 0.4, 0.3], [9, 5, 6, 7, 8], True),  # what counts is where a phase begins and ends
    ],
)
def test_the_letter_of_appendix_i_asks_for_a_course_of_h_and_of_n_in_every_phase(t1, t2, H, N, holds):
    result = by_the_letter(np.array(H), np.array(N, float), t1, t2)
    np.testing.assert_equal(result, float(holds))


def learner(last_order, shared_later, n_samples=6):
    """Learns 2 of order 1 that generalizes, then, mostly not, 3 of a higher order; samples are alike."""
    effects = np.zeros((4, n_samples, 2, 16))
    effects[1:, :, 0, 1], effects[1:, :, 1, 2] = 2, 1  # at first: one that generalizes, and one that does not
    later = {1: 0b1000, 2: 0b11, 3: 0b111}[last_order]
    effects[2:, :, 1, later], effects[3, :, 0, later] = 3, shared_later
    generalizable = np.zeros((2, 16), bool)
    generalizable[0, [1, later]] = True
    return compared(effects, generalizable, 0.25)


def test_what_is_learned_late_against_what_is_learned_first_worked_by_hand():
    """First 2 of 3 generalize, of order 1; from the second checkpoint on 1 of 4 does, of order 3 or 2."""
    table = dynamics.learned_contrasts({"a": learner(3, 1.0), "b": learner(2, 1.0)}, BOOTSTRAP)
    for role, order in (("a", 3), ("b", 2)):
        rows = rows_of(table, role)
        assert rows.loc["mean order, last phase - first"].tolist() == pytest.approx([order - 1] * 3)
        assert rows.value["share that generalizes, first phase - last"] == pytest.approx(2 / 3 - 1 / 4)
        above = (2 / 3 - 0.25) - (1 / 4 - 0.25)
        assert rows.value["share that generalizes above chance, first phase - last"] == pytest.approx(above)
    assert rows_of(table).value["mean order, last phase - first"] == pytest.approx(1.5)


def test_the_share_that_judges_of_shuffled_labels_have_of_what_is_learned_is_taken_off():
    """They have all that is learned first, and nothing later; as many others 2 of 3 and 1 of 4."""
    networks = {role: learner(3, 1.0) for role in "ab"}
    early = np.isin(orders(4), (1,)) * np.ones((2, 1), bool)
    shuffled = {role: compared(c.effects, early) for role, c in networks.items()}
    values = rows_of(dynamics.learned_contrasts(networks, BOOTSTRAP, control=(networks, shuffled))).value
    less = "share that generalizes, first phase - last, less that by judges of shuffled labels"
    assert values[less] == pytest.approx((2 / 3 - 1 / 4) - (1 - 0))


def test_without_a_last_phase_nothing_is_said_of_it():
    forgets = learner(3, 1.0)
    forgets = {role: Comparison(forgets.data.isel(epoch=slice(0, 2))) for role in "ab"}
    assert rows_of(dynamics.learned_contrasts(forgets, BOOTSTRAP)).isna().all(axis=None)


def test_the_onset_of_the_last_phase_is_that_of_the_others():
    """The third learns more that does not generalize at the second checkpoint already, the others at the third only."""
    late = [np.zeros((4, 4, 2, 16)) for _ in range(3)]
    for i, effects in enumerate(late):
        effects[1:, :, 0, 1] = 4
        effects[2:, :, 1, 7] = 3 if i == 2 else 1
        effects[2:, :, 0, 2] = 2
        effects[3:, :, 1, 15] = 5
    generalizable = np.zeros((2, 16), bool)
    generalizable[0] = True
    networks = {f"n{i}": compared(effects, generalizable) for i, effects in enumerate(late)}
    table = dynamics.learned_contrasts(networks, BOOTSTRAP)
    order = "mean order, last phase - first"
    assert rows_of(table, "n2").value[order] == pytest.approx(4 - 1)  # order 3 is not counted
    early = dynamics.learned_contrasts(networks, BOOTSTRAP, r=3.0)  # the others' last phase begins there already, too
    assert rows_of(early, "n2").value[order] == pytest.approx((3 * 3 + 2 * 1 + 5 * 4) / 10 - 1)
    panels = [dynamics.contents_table(networks, r).panel.unique().tolist() for r in (1.0, 3.0)]
    assert panels == [["first phase", "second phase", "last phase"], ["first phase", "last phase"]]


def test_the_untrained_network_worked_by_hand():
    """Orders 1, 3, 4 with strengths 2, 3 and 3; of 8 in all, 2 - 3 + 3 = 2 are left; 2 generalize, 0.1 of 8 by chance."""
    effects = np.zeros((2, 5, 2, 16))
    effects[0, :, 0, 1], effects[0, :, 0, 7], effects[0, :, 1, 15] = 2, -3, 3
    effects[1] = 9  # what is learned later does not matter
    generalizable = np.zeros((2, 16), bool)
    generalizable[0, 1] = True
    rows = rows_of(dynamics.untrained_contrasts({"a": compared(effects, generalizable, 0.1)}, BOOTSTRAP))
    expected = {"share of orders 3 to 7": 6 / 8, "share that cancels": 1 - 2 / 8, "H less chance": 2 / 8 - 0.1}
    for name, value in expected.items():
        assert rows.loc[name].tolist() == pytest.approx([value] * 3)


def test_middle_orders_are_those_from_3_to_7():
    effects = np.zeros((2, 4, 2, 256))
    effects[..., 0, [0b11, 0b111, 0b1111111, 0b11111111]] = [1, 2, 4, 8]  # orders 2, 3, 7, 8
    rows = rows_of(dynamics.untrained_contrasts({"a": compared(effects, True)}, BOOTSTRAP))
    assert rows.value["share of orders 3 to 7"] == pytest.approx(6 / 15)


def test_what_is_newly_learned_keeps_its_sign():
    effects = np.zeros((3, 4, 2, 4))
    effects[1:, :, 0, 1], effects[2, :, 0, 2] = -3, 2  # H is 1 throughout, and highest at first
    table = dynamics.contents_table({role: compared(effects, True) for role in "ab"})
    assert table[table.order == 1].groupby("sign").total.sum().to_dict() == {"+": 2, "-": -3}


def test_the_contents_of_the_phases_by_order_worked_by_hand():
    """As in the case above: order 1 and 2 first, then, from the second checkpoint on, order 1 again, and 3 or 2."""
    networks = {"a": learner(3, 1.0), "b": learner(2, 1.0)}
    table = dynamics.contents_table(networks)
    assert table.panel.unique().tolist() == ["first phase", "last phase"]
    for panel, part in (("first phase", slice(1, 2)), ("last phase", slice(2, None))):
        shown = table[table.panel == panel]
        for column, mask in (("total", "salient"), ("generalizable", "generalizable")):
            gained = [metrics.newly_learned(c.effects) * getattr(c, mask) for c in networks.values()]
            expected = np.mean([one[part].sum(axis=(0, 2)).mean(axis=0) for one in gained], axis=0)
            by_order = [expected[orders(4) == m].sum() for m in range(1, 5)]
            assert shown[column].abs().groupby(shown.order).sum().tolist() == pytest.approx(by_order)


def test_what_fine_tuning_removes_and_learns_worked_by_hand():
    """To the lowest loss, at the second checkpoint: 3 + 1 are lost, 1 of them general; 2 + 0.5 come, 2 of them general."""
    effects = np.zeros((4, 5, 2, 16))
    effects[:, :, 0, 1] = np.array([0, 0.5, 2, 5])[:, None]  # generalizes
    effects[:, :, 0, 3] = np.array([2, 1, 1, 1])[:, None]  # generalizes
    effects[:, :, 1, 7] = np.array([-4, -2, -1, -1])[:, None]
    effects[:, :, 1, 15] = np.array([0, 0, 0.5, 0.5])[:, None]
    generalizable = np.zeros((2, 16), bool)
    generalizable[0, [1, 3]] = True
    losses = pd.DataFrame({"epoch": np.arange(4.0), "test_loss": [3, 2, 1, 2]})
    table = dynamics.tuning_removal_contrasts({"a": compared(effects, generalizable, 0.25)}, {"a": losses}, BOOTSTRAP)
    expected = [
        (3 - 2) / (3 + 2),
        2 / 2.5 - 1 / 4,
        1 - 2,
    ]  # from the second step on more comes than goes: one before it
    assert rows_of(table).value.tolist() == pytest.approx(expected)
    late = losses.assign(test_loss=[0, 1, 2, 3])  # lowest before anything has happened
    table = dynamics.tuning_removal_contrasts({"a": compared(effects, generalizable, 0.25)}, {"a": late}, BOOTSTRAP)
    assert rows_of(table).value.tolist() == pytest.approx([(2 - 0.5) / (2 + 0.5), 1 - 1 / 3, 0])
    falls_again = losses.assign(test_loss=[0, 2, 1, 2])  # to the second checkpoint, again
    table = dynamics.tuning_removal_contrasts(
        {"a": compared(effects, generalizable, 0.25)}, {"a": falls_again}, BOOTSTRAP
    )
    assert rows_of(table).value.tolist() == pytest.approx(expected)


def test_with_one_checkpoint_nothing_is_newly_learned():
    one = compared(np.ones((1, 4, 2, 4)), np.ones((2, 4), bool))
    with pytest.raises(ValueError, match="one checkpoint; expected at least two"):
        dynamics.contents_table({"a": one})


def test_removal_ends_when_more_is_learned_in_all_and_shares_are_above_their_own_chance():
    """In the first step 1 comes and 3 go, in the second 2 and 1; of what generalizes more comes in both."""
    effects, first = np.zeros((3, 4, 2, 4)), np.arange(4) == 1
    effects[:, :, 0, 1], effects[:, :, 0, 2] = np.array([[0, 1, 3], [-5, -2, -1]])[..., None]
    losses = pd.DataFrame({"epoch": np.arange(3.0), "test_loss": [3, 1, 2]})
    table = dynamics.tuning_removal_contrasts({"a": compared(effects, first, 0.25 * first)}, {"a": losses}, BOOTSTRAP)
    values = rows_of(table).value
    assert values["end of removal - lowest held-out loss, checkpoints"] == 0
    assert values["share that generalizes above chance, learned - removed"] == (1 - 0.25) - (0 - 0)


@pytest.mark.parametrize(("gains", "end"), [([0, 0, 0], 2), ([0, 1, 3], 1), ([0, 1, 2], 2)])
def test_removal_that_is_never_outweighed_ends_at_the_last_checkpoint(gains, end):
    """1 is lost in each step. To learn as much is not more."""
    effects = np.zeros((3, 4, 2, 4))
    effects[:, :, 0, 1], effects[:, :, 0, 2] = np.array(gains)[:, None], np.array([-5, -4, -3])[:, None]
    losses = pd.DataFrame({"epoch": np.arange(3.0), "test_loss": [3, 1, 2]})
    table = dynamics.tuning_removal_contrasts({"a": compared(effects, np.arange(4) == 1)}, {"a": losses}, BOOTSTRAP)
    assert rows_of(table).value["end of removal - lowest held-out loss, checkpoints"] == end - 1


def test_what_may_be_either_is_certain_in_neither_direction():
    unsure = phases_like(4.0, 0.5, 1)
    for name in ("rise", "fall", "excess_rise", "excess_fall"):
        assert np.isnan(replace(unsure, **{f"{name}_interval": (-0.1, 0.2)}).certainly_three)
        assert replace(unsure, **{f"{name}_interval": (-0.2, -0.1)}).certainly_three == 0
        assert (
            replace(unsure, **{f"{name}_interval": (0.0, 0.0)}).certainly_three == 0
        )  # highest at an end, in all draws
    falls = {replace(unsure, fall_interval=(low, 0.2)).verdict for low in (-0.1, 0.1)}
    assert falls == {
        "one phase: H rises, and does not fall with certainty",
        "one phase: H rises, and falls, but not certainly more than by chance",
    }
