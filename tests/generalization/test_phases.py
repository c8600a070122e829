"""The phase detector: finds planted phases, and finds none in noise."""

import jaxtyping
import numpy as np
import pandas as pd
import pytest

from symgen import find_phases, plots
from symgen.generalization.bootstrap import Bootstrap, interval
from symgen.generalization.phases import CERTAIN, onset

EPOCHS = np.array([0.0, 1, 2, 4, 8, 16])


CHANCE = np.zeros((6, 40))


def planted(h, rng, n_samples=40, noise=0.02):
    """Per-sample strengths whose ratio is h at each checkpoint."""
    total = np.full((len(h), n_samples), 10.0)
    return total * np.asarray(h)[:, None] + rng.normal(0, noise * 10, total.shape), total


def constant(values, n_samples=40):
    return np.repeat(np.asarray(values, float)[:, None], n_samples, axis=1)


def test_three_planted_phases(rng):
    gen, total = planted([0.2, 0.5, 0.8, 0.7, 0.6, 0.5], rng)
    phases = find_phases(EPOCHS, gen, total, CHANCE, constant([0, 3, 3, 2, 1, 1]), constant([0, 1, 1, 1, 2, 3]))
    assert phases.n_phases == 3 and phases.t1 == 2 and phases.t2 == 8
    assert phases.rise == pytest.approx(0.6, abs=0.02) and phases.fall == pytest.approx(0.3, abs=0.02)
    assert phases.t1_interval == (2, 2) and phases.t2_interval == (8, 8)


def test_without_a_checkpoint_between_peak_and_onset_there_is_no_second_phase(rng):
    gen, total = planted([0.2, 0.5, 0.8, 0.7, 0.6, 0.5], rng)
    phases = find_phases(EPOCHS, gen, total, CHANCE, constant([0, 3, 3, 1, 1, 1]), constant([0, 1, 1, 2, 2, 3]))
    assert phases.t1 == 2 and phases.t2 == 4 and phases.n_phases == 2
    assert "not told apart" in phases.verdict


def test_an_h_that_is_all_chance_has_no_phases(rng):
    """Chance itself rises and falls over training: a peak that it explains is none."""
    gen, total = planted([0.2, 0.5, 0.8, 0.7, 0.6, 0.5], rng)
    phases = find_phases(EPOCHS, gen, total, gen, constant([0, 3, 3, 2, 1, 1]), constant([0, 1, 1, 1, 2, 3]))
    assert phases.n_phases == 0 and phases.rise_interval[0] > 0 and phases.excess_rise == 0
    assert phases.verdict == "no phases: H rises, but not certainly more than by chance"


def test_a_fall_that_chance_explains_is_none(rng):
    gen, total = planted([0.2, 0.5, 0.8, 0.7, 0.6, 0.5], rng)
    chance = gen - np.array([0.1, 0.3, 0.5, 0.5, 0.5, 0.5])[:, None] * total
    phases = find_phases(EPOCHS, gen, total, chance, constant([0, 3, 3, 2, 1, 1]), constant([0, 1, 1, 1, 2, 3]))
    assert phases.verdict == "one phase: H rises, and falls, but not certainly more than by chance"


def test_where_nothing_is_salient_h_has_no_peak(rng):
    gen, total = planted([0.9, 0.2, 0.5, 0.4, 0.3, 0.2], rng)
    gen[0] = total[0] = 0
    phases = find_phases(EPOCHS, gen, total, CHANCE, constant(np.ones(6)), constant(np.ones(6)))
    assert phases.t1 == 2 and np.isnan(phases.rise) and phases.n_phases == 0


def test_one_sample_gives_no_verdict_and_shapes_and_epochs_are_checked(rng, monkeypatch):
    gen, total = planted([0.2, 0.6, 0.5, 0.4, 0.3, 0.3], rng, n_samples=1)
    given = [gen, total, 0 * gen, gen, gen]
    assert find_phases(EPOCHS, *given).verdict.startswith("no phases known: too few samples")
    with pytest.raises(ValueError, match="expected those of the checkpoints, rising"):
        find_phases(EPOCHS[::-1], *given)
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as outside of tests
    with pytest.raises(ValueError, match=r"expected \(checkpoint, sample\) of each, and 6 checkpoints"):
        find_phases(EPOCHS, *given[:-1], gen.T)
    wrong = {
        "draws": (0, "draws = 0; expected how many draws"),
        "seed": (-1, "seed = -1"),
        "r": (0.0, "r = 0.0; expected"),
    }
    for name, (value, message) in wrong.items():
        with pytest.raises(ValueError, match=message):
            find_phases(EPOCHS, *given, **{name: value})


def test_r_moves_the_onset_of_the_third_phase(rng):
    gen, total = planted([0.2, 0.5, 0.8, 0.7, 0.6, 0.5], rng)
    learned = constant([0, 3, 3, 2, 1, 1]), constant([0, 1, 1, 1, 2, 3])
    assert find_phases(EPOCHS, gen, total, CHANCE, *learned, r=3).t2 == 4
    never = find_phases(EPOCHS, gen, total, CHANCE, *learned, r=0.1)
    assert np.isinf(never.t2) and never.n_phases == 2 and "never" in str(never)


def test_a_third_phase_begins_only_where_more_is_learned_that_does_not_generalize():
    learned, more = np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.0, 0.0, 1.0, 2.0])
    assert onset(0, learned, learned) == 4  # nothing at all, then as much: it never begins
    assert onset(0, learned, more) == 3


def test_phases_are_resampled_with_the_seed_that_is_given(rng):
    gen, total = planted([0.2, 0.5, 0.8, 0.7, 0.6, 0.5], rng)
    learned = constant([0, 3, 3, 2, 1, 1]), constant([0, 1, 1, 1, 2, 3])
    first, again, other = (find_phases(EPOCHS, gen, total, CHANCE, *learned, draws=50, seed=s) for s in (3, 3, 4))
    assert first == again and first.fall_interval != other.fall_interval


def test_a_network_whose_h_only_rises_has_one_phase(rng):
    gen, total = planted([0.2, 0.4, 0.5, 0.6, 0.7, 0.8], rng)
    phases = find_phases(EPOCHS, gen, total, CHANCE, constant(np.ones(6)), constant(np.ones(6) * 2))
    assert phases.n_phases == 1 and phases.t1 == 16 and np.isinf(phases.t2)


def test_noise_has_no_phases():
    """H that is flat but noisy always has a largest value; over many networks it must hardly ever count as a peak."""
    verdicts = []
    for seed in range(40):
        gen, total = planted([0.3] * 6, np.random.default_rng(seed), noise=0.3)
        learned = np.random.default_rng(seed + 1000).uniform(0, 1, (2, 6, 40))
        verdicts.append(find_phases(EPOCHS, gen, total, CHANCE, *learned, draws=200).n_phases)
    assert np.mean(np.array(verdicts) >= 2) <= 0.05 and np.mean(np.array(verdicts) >= 1) <= 0.15


def test_bootstrap_intervals_cover_what_they_should():
    """The interval of a mean covers the true mean in about 95 % of repetitions."""
    covered = []
    for seed in range(300):
        sample = np.random.default_rng(seed).exponential(size=60)
        low, high = Bootstrap(400, seed).mean(sample).interval()
        covered.append(low <= 1 <= high)
    assert 0.88 <= np.mean(covered) <= 0.985


def test_draws_without_a_value_are_left_out_and_none_at_all_is_nan():
    assert interval(np.array([1.0, np.nan, 1.0])).tolist() == [1, 1]
    assert np.isnan(interval(np.array([np.nan, np.nan]))).all()
    some = interval(np.array([[1.0, np.nan], [2.0, np.nan]]))  # and no warning
    assert some[:, 0].tolist() == [1, 2] and np.isnan(some[:, 1]).all()


@pytest.mark.parametrize(("n_phases", "t2_found", "drawn", "named"), [
    (3, 1.0, ["t1", "t2"], ["phase 1", "2", "phase 3"]), (2, CERTAIN - 0.01, ["t1"], ["phase 1", "phase 2"]),
    (2, CERTAIN, ["t1"], ["phase 1", "phases 2 and 3,\nnot told apart"]),
    (1, 1.0, [], ["phase 1, whose end is not certain"]), (0, 1.0, [], ["no phase is certain"]),
])  # fmt: skip
def test_pictures_show_the_boundaries_that_are_certain(n_phases, t2_found, drawn, named):
    epochs = np.array([0.0, 1, 2, 4])
    curves = pd.DataFrame({"role": "one", "epoch": epochs, "H": 0.5, "H_chance": 0.1, "N": 9.0, "loss_gap": 0.1})
    curves[["H_low95", "H_high95"]] = 0.4, 0.6
    orders = pd.DataFrame(
        {"epoch": 0.0, "order": [1, 1], "sign": ["+", "-"], "total": [1, -1], "generalizable": [1, 0]}
    )
    boundaries = pd.DataFrame(
        {"role": ["one"], "t1": [1.0], "t2": [2.0], "t2_found": [t2_found], "n_phases": [n_phases]}
    )
    *_, gap = plots.dynamics(orders, curves, boundaries).axes
    assert [text.get_text() for text in gap.texts] == drawn
    (ax,) = plots.phases(curves, boundaries.iloc[0], "one").axes
    assert [text.get_text() for text in ax.texts] == named


def test_an_epoch_does_not_come_twice():
    ones = np.ones((3, 12))
    with pytest.raises(ValueError, match="expected those of the checkpoints, rising"):
        find_phases(np.array([0.0, 1.0, 1.0]), ones, ones, 0 * ones, ones, ones)
