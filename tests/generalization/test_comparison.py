"""A comparison: its H is that of the metrics, its tables add up to it, and only the same samples are compared."""

import numpy as np
import pytest
import xarray as xr

from symgen import generalization_ratio, strength_by_order
from symgen.generalization import Bootstrap, compare
from symgen.generalization.metrics import derangements


def network(rng, n_samples=6, epochs=(3,), n=3):
    """v and effects of a network, few of them strong."""
    effects = rng.normal(size=(*epochs, n_samples, 2, 2**n)) ** 3
    effects[..., 0] = 0
    return rng.normal(size=(*epochs, n_samples, 2**n)), effects


@pytest.fixture
def compared(rng):
    target, base = network(rng), network(rng, epochs=())
    return (
        target,
        base,
        compare(target, [base], chance_draws=2, epochs=[0, 1, 4], of=np.repeat(["training", "testing"], 3)),
    )


def test_h_is_that_of_the_metrics_and_by_chance_that_of_other_samples(compared):
    (_, effects), (_, base), c = compared

    def h(other):
        shared = strength_by_order(effects, c.salient & (effects * np.where(base_salient, base, 0)[other] > 0))
        return generalization_ratio(shared, strength_by_order(effects, c.salient))

    base_salient = np.abs(base) > 0.05 * np.abs(base).max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(c.H, h(np.arange(6)))
    np.testing.assert_allclose(
        c.H_chance, np.mean([h(order) for order in derangements(6, 2, np.random.default_rng(0))], axis=0)
    )
    assert ((c.H > 0) & (c.H < 1)).all() and set(np.unique(c.chance)) == {0, 0.5, 1}


def test_tables_add_up_to_h(compared):
    (_, effects), _, c = compared
    by_order = c.by_order()
    assert (
        list(by_order) == ["epoch", "order", "sign", "total", "generalizable", "chance"] and len(by_order) == 3 * 3 * 2
    )
    sums = by_order[["total", "generalizable"]].abs().groupby(by_order.epoch).sum()
    np.testing.assert_allclose(sums.generalizable / sums.total, c.H)
    assert c.by_order(4).equals(by_order[by_order.epoch == 4].reset_index(drop=True))
    with pytest.raises(ValueError, match="epoch = 3; expected one of 0, "):
        c.by_order(3)
    rows = c.to_frame()
    assert list(rows) == ["sample", "epoch", "kind", "variables", "order", "effect", "generalizable", "graded"]
    assert len(rows) == c.salient.sum()
    shared = rows[rows.generalizable].effect.abs().groupby(rows.epoch).sum()
    np.testing.assert_allclose(shared / rows.effect.abs().groupby(rows.epoch).sum(), c.H)
    strongest = c.to_frame(1).query("epoch == 1").set_index("sample").effect
    np.testing.assert_array_equal(strongest.abs().loc[range(6)], np.abs(effects[1]).max(axis=(1, 2)))


def test_names_and_members_of_the_strongest_interaction():
    v, effects = np.arange(8.0)[None], np.zeros((1, 2, 8))
    effects[0, 1, 0b101], effects[0, 0, 0b010] = -2, 1
    target = xr.Dataset({"v": (("sample", "subset"), v), "effects": (("sample", "kind", "subset"), effects)})
    named = target.assign(names=(("sample", "variable"), [["not", "a", "film"]]))
    first = compare(named, [named]).to_frame(1).iloc[0]
    assert first[["kind", "variables", "order", "effect", "graded"]].tolist() == ["or", "not ∨ film", 2, -2, 1]
    assert compare(target, [target]).to_frame().variables.tolist() == ["0 ∨ 2", "1"]


def test_one_sample_has_an_h_but_no_chance_level(rng):
    (v, effects), (base_v, base) = network(rng, 1, ()), network(rng, 1, ())
    c = compare((v, effects), [(base_v, base), (v, effects)])
    assert c.H == 1 and isinstance(c.H, float) and np.isnan(c.H_chance)
    assert str(c).startswith("Comparison of 1 sample(s), n = 3") and "\nH = 1.00, by chance unknown\n" in str(c)
    alone = compare((v[0], effects[0]), [(base_v[0], base[0]), (v[0], effects[0])])  # no axis sample
    np.testing.assert_array_equal(alone.generalizable, c.generalizable)


def test_a_comparison_says_what_it_is_and_what_it_has(compared, rng):
    *_, c = compared
    assert repr(c).endswith("\nfewer than 10 samples: too few for an interval") and "[" not in repr(c)
    c = compare(network(rng, 12), [network(rng, 12, ())])
    first, *lines, last = repr(c).splitlines()
    assert first == "Comparison of 12 sample(s) at 3 checkpoints, n = 3 variables"
    excess = c.power(Bootstrap()).excess[-1]
    numbers = f"H = {c.H[-1]:.2f}, by chance {c.H_chance[-1]:.2f}, above chance {excess.value:.2f}"
    low, high = excess.interval()
    assert lines[-2].startswith("epoch 2: ") and lines[-1] == f"{numbers} [{low:.2f}, {high:.2f}]"
    assert last == "[95 % interval over samples]: where it holds 0, H may be luck"
    with pytest.raises(AttributeError, match="a comparison has no 'effect'; its arrays are of, v, effects"):
        _ = c.effect


def test_what_is_said_of_arrays_is_said_of_datasets(compared):
    (v, effects), (base_v, base), c = compared
    target = xr.Dataset(
        {"effects": (("kind", "subset", "epoch", "sample"), effects.transpose(2, 3, 0, 1)),
         "v": (("epoch", "sample", "subset"), v)}, {"epoch": [0, 1, 4]},
    )  # fmt: skip
    one = xr.Dataset({"v": (("sample", "subset"), base_v), "effects": (("sample", "kind", "subset"), base)})
    again = compare(target, [one], chance_draws=2, of=c.of)
    xr.testing.assert_equal(again.data, c.data)


def test_only_the_same_samples_and_variables_are_compared(rng):
    target, base = network(rng), network(rng, epochs=())
    for other, message in (
        (network(rng, 5, ()), "baseline 1 has 5 on the axis sample; expected 6"),
        (network(rng, 6, (), n=4), "baseline 1 has 16 on the axis subset; expected 8"),
        (target, "baseline 1 has 3 on the axis epoch; expected 1"),
    ):
        with pytest.raises(ValueError, match=message):
            compare(target, [base, other])
    with pytest.raises(ValueError, match="baselines is empty; expected at least one network"):
        compare(target, [])
    with pytest.raises(ValueError, match="chance_draws = 0; expected a whole number, 1 or more"):
        compare(target, [base], chance_draws=0)
    with pytest.raises(ValueError, match=r"epochs has shape \(9,\); expected \(3,\), one for each epoch"):
        compare(target, [base], epochs=np.arange(9))
    with pytest.raises(ValueError, match=r"of has shape \(9,\); expected \(6,\), one for each sample"):
        compare(target, [base], of=np.repeat("training", 9))
    with pytest.raises(ValueError, match="samples = 'train'; expected all, training or testing"):
        compare(target, [base]).power(Bootstrap(10), "train")
    v, effects = base
    with pytest.raises(ValueError, match="a network is given as a ndarray; expected an explanation's data, or a pair"):
        compare(v, [base])
    with pytest.raises(ValueError, match="a network's dataset has no v; expected v and effects"):
        compare(xr.Dataset({"effects": (("sample", "kind", "subset"), effects)}), [base])
    with pytest.raises(
        ValueError, match=r"v has shape .* and effects .*; expected \(.., subset\) and \(.., 2, subset\)"
    ):
        compare((effects, v), [base])
    one = xr.Dataset(
        {"v": (("sample", "subset"), v), "effects": (("sample", "kind", "subset"), effects)}, {"sample": np.arange(6)}
    )
    with pytest.raises(ValueError, match="baseline 0 explains others than the target: `sample` is not the same"):
        compare(one, [one.assign_coords(sample=np.arange(6) + 1)])
    with pytest.raises(ValueError, match="baseline 0 explains others than the target: `sample` is not the same"):
        compare(one.isel(sample=0), [one.isel(sample=1)])
    with pytest.raises(ValueError, match="of: 'train'; expected training, testing or unknown"):
        compare(one, [one], of=["train"] * 6)
    at_four = compare(one.assign_coords(epoch=4.0), [one])
    assert at_four.epochs.tolist() == [4.0]
    with pytest.raises(ValueError, match="no samples to resample"):
        at_four.power(Bootstrap(10), "training")
    with pytest.raises(ValueError, match=r"v has the axes \['checkpoint'\]; expected epoch and sample"):
        compare(one.expand_dims(checkpoint=[0, 1]), [one])
    labelled = one.assign(label=("sample", np.zeros(6, int)))
    with pytest.raises(ValueError, match="`label` is not the same"):
        compare(labelled, [labelled.assign(label=("sample", np.ones(6, int)))])


@pytest.mark.parametrize(("n_samples", "few"), [(9, True), (10, False)])
def test_ten_samples_are_enough_for_an_interval(n_samples, few, rng):
    effects, v = rng.normal(size=(n_samples, 2, 8)) ** 3, rng.normal(size=(n_samples, 8))
    assert ("too few for an interval" in str(compare((v, effects), [(v, effects[::-1])]))) == few
