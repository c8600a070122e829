"""Explanations, on functions whose interactions are known and on small networks, and every way to ask for them wrongly."""

import copy
import pickle
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from matplotlib.colors import to_rgba
from matplotlib.text import Text

import symgen as sg
from symgen import interactions, orders, reconstruct, subset_index
from symgen.errors import first_line
from symgen.explain import FORMAT, PICTURES, matching_table, phrase_table, strongest_table
from symgen.games import candidate_words, cell_boxes, pieces_of
from symgen.generalization import compare, tables
from symgen.plots import cells, in_style, logical_model, save, use_style
from symgen.plots.alt import alt_text
from symgen.plots.samples import wrapped
from symgen.plots.style import signed, tint
from symgen.training import build_tokenizer, models


@pytest.fixture
def planted():
    effects = np.zeros((2, 16))
    effects[0, subset_index([0, 2])] = 3.0
    effects[1, subset_index([1, 3])] = -2.0
    effects[0, subset_index([1])] = 0.5
    return effects, reconstruct(effects[0], effects[1], 0.25)


def test_the_strongest_by_name(planted):
    table = strongest_table(planted[0], 2, names="wxyz")
    assert table.variables.tolist() == ["w ∧ y", "x ∨ z"] and table.kind.tolist() == ["and", "or"]
    assert table.order.tolist() == [2, 2] and table.effect.tolist() == [3.0, -2.0]


@pytest.mark.parametrize("share", [0.5, 0.95, 0.999])
def test_what_is_needed_is_the_least_number_from_which_on_the_strongest_explain_enough(rng, share):
    effects = rng.normal(size=(12, 2, 32)) * rng.exponential(size=(12, 2, 32)) ** 3
    effects[:, :, 0] = 0
    v = interactions.logical_model(effects, rng.normal(size=12)) + rng.normal(scale=0.3, size=(12, 32))
    bias = v[:, 0]  # so that some samples are never explained
    for needed, *sample in zip(interactions.needed_for(v, effects, bias, share), v, effects, bias):
        curve = interactions.fidelity_curve(*sample)
        low = np.flatnonzero(curve < share)
        last = low[-1] + 1 if len(low) else 0
        assert needed == (last + 1 if last < len(curve) else interactions.dictionary_size(5))


def test_all_interactions_explain_everything_and_fewer_explain_less(planted):
    effects, v = planted
    shares = [interactions.fidelity(v, interactions.keep_strongest(effects, k), 0.25) for k in (1, 2, 3, 10)]
    assert shares[0] < shares[1] < shares[2] == pytest.approx(1) == shares[3]
    assert np.isnan(interactions.fidelity(np.ones(16), effects, 0.25))  # nothing to explain
    assert interactions.needed_for(v[None], effects[None], np.array([0.25]), 0.999) == [3]
    missed = v[None] + np.array([0, 9, -9, 0] * 4)  # the noise holds it: no number of effects explains it
    assert interactions.needed_for(missed, effects[None], np.array([0.25])) == interactions.dictionary_size(4)
    matching = matching_table(v, effects, 0.25, (1, 3))
    full = matching[matching.k == 3]
    np.testing.assert_allclose(full.model, full.v)
    assert (np.diff(full.v) >= 0).all() and len(full) == 16


def test_the_model_is_what_its_definition_says(rng):
    effects, bias = rng.normal(size=(3, 2, 128)), rng.normal(size=3)  # more subsets than are taken at a time
    np.testing.assert_allclose(
        interactions.by_definition(effects, bias), interactions.logical_model(effects, bias), atol=1e-12
    )


def test_a_linear_game_grows_steadily_with_exponent_one():
    from symgen.interactions.subsets import orders

    v = np.repeat(orders(4)[None].astype(float), 3, axis=0)[None]
    effects = np.zeros((1, 3, 2, 16))
    effects[..., 0, [1, 2, 4, 8]] = 1
    conditions = tables.conditions_table(v, effects, [0.0])
    np.testing.assert_allclose(conditions.p.iloc[1:-1], 1)
    assert (conditions.monotone == 1).all()


def test_the_same_table_gives_the_same_bytes(planted, tmp_path):
    use_style()
    table = strongest_table(planted[0], 3, range(4))
    shares = pd.DataFrame({"variable": [0, 1, 5, 7], "share": interactions.shares(planted[0])})
    for name in ("one", "two"):
        figure = cells(table, shares, np.zeros((10, 10)), 5, "a")
        save(figure, table, tmp_path, name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert (tmp_path / "one.csv").read_text().splitlines()[0] == "kind,variables,order,effect"


def test_interactions_of_phrases_are_joined_by_their_signs(planted):
    table = phrase_table(planted[0], 3, ["New York", "all", "masks", "wear"])
    assert table.interaction.tolist() == ["New York ∧ masks", "all ∨ wear", "all"]
    assert table.effect.tolist() == [3.0, -2.0, 0.5] and list(table) == ["interaction", "kind", "order", "effect"]


@pytest.mark.parametrize("n_words", [10, 25, 60])
def test_the_picture_of_a_prompt_marks_its_variables_and_nothing_overlaps(rng, n_words):
    use_style()
    phrases = ["New York", "recommends", "masks", "KN95", "all the people"]
    prompt = " ".join((phrases + ["of", "unmasked"] * n_words)[:n_words]) + ", New York"
    effects = rng.normal(size=(2, 32))
    table = phrase_table(effects, 12, phrases)
    v = reconstruct(*effects, 0.0)
    outputs, shares = matching_table(v, effects, 0.0, (5, 20)), rng.normal(size=5)
    figure = logical_model(table, outputs, prompt, phrases, "settings", shares, title="the target")
    figure.draw_without_rendering()
    assert alt_text(figure).startswith("the target. ")
    text, bars, outputs = (ax for part in figure.subfigs for ax in part.axes)
    bold = [piece.get_text() for piece in text.texts if piece.get_fontweight() == "bold"]
    assert sorted(bold) == sorted([*phrases, "New York", "→ settings"])
    boxes = [piece.get_window_extent() for piece in (*text.texts, *figure.subfigs[0].texts)]
    boxes += [label.get_window_extent() for label in (*bars.get_yticklabels(), *bars.texts)]
    crossing = [
        (a, b) for i, a in enumerate(boxes) for b in boxes[:i] if _shared(a, b) > 3
    ]  # half a letter, or the edge of a mark
    assert not crossing and max(box.x1 for box in boxes) < figure.bbox.x1
    assert [bar.get_width() for bar in bars.patches] == pytest.approx(table.effect.tolist())
    assert (outputs.lines[-1].get_ydata() == np.sort(v)).all()


def _shared(a, b):
    """Points by which two boxes lie over each other, in the direction in which they do least."""
    return min(min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0))


class Planted:
    """A game of one's own: v of two planted interactions, a AND c, b OR d, and of b alone."""

    def __init__(self, scale=1.0):
        self.scale = scale

    def values(self, x, label, variables):
        effects = np.zeros((2, 16))
        effects[0, subset_index([0, 2])], effects[1, subset_index([1, 3])], effects[0, subset_index([1])] = 3, -2, -0.5
        return self.scale * label * reconstruct(*effects, 0.25)


@pytest.fixture
def e():
    return sg.explain(Planted(), "x", 1, variables=list("abcd"), noise_bound=0, ridge=1e-4)


def network(seed):
    torch.manual_seed(seed)
    return models.build_model("small-vgg", 10, seed=seed)


@pytest.fixture(scope="module")
def images():
    return torch.rand(3, 3, 30, 30, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def batch(images):
    return sg.explain(sg.ImageGame(network(1), "features.1", baseline=images), images, [1, 2, 3], variables=5)


def test_planted_interactions_are_found_by_number_and_by_name(e):
    assert e["and", (0, 2)] == pytest.approx(3, abs=1e-2) == e["and", ("c", "a")]
    assert e["b", "d"].to_dict() == pytest.approx({"and": 0, "or": -2}, abs=1e-2)
    assert e["b"]["and"] == pytest.approx(-0.5, abs=1e-2) == e[(1,)]["and"]
    table = e.to_frame(2)
    assert list(table) == ["kind", "variables", "order", "effect"] and table.variables.tolist() == ["a ∧ c", "b ∨ d"]
    assert len(e.to_frame()) == e.salient.sum() == 3
    assert list(e.variables) == list("abcd")


def test_a_variable_may_be_called_as_a_kind_is():
    e = sg.explain(Planted(), "x", 1, variables=["and", "b", "c", "d"], noise_bound=0, ridge=1e-4)
    assert e["and", ("and", "c")] == pytest.approx(3, abs=1e-2) == e[0, 2]["and"]
    assert e["and", 1] == e["and", ("b",)] == pytest.approx(-0.5, abs=1e-2)
    with pytest.raises(
        ValueError, match=r"can mean two things, since a variable is called 'and'; expected e\['and', \('c'"
    ):
        e["and", "c"]


def test_a_summary_in_a_few_lines(e, batch):
    lines = str(e).splitlines()
    assert lines[0] == "1 sample(s), label 1: n = 4 variables, 16 masked inputs"
    assert lines[1] == "v: 0.75 with all variables, 0.25 with none (log-odds)"
    assert lines[2] == "salient: 3 of 26 interactions; they alone explain R2 = 1.000 of the outputs' variance"
    assert "of its bound; duality gap at most" in lines[3] and len(lines) == 4
    assert str(batch).startswith("3 sample(s), label 1, 2, 3: n = 5 variables") and " to " in str(batch).splitlines()[1]
    assert repr(e) == str(e)


def test_a_summary_says_how_much_of_order_2_only_adds_up(batch):
    kept = np.where(batch.salient, batch.data.effects.to_numpy(), 0)[..., orders(5) == 2]
    adds_up = 2 * np.where(
        kept[:, 0] * kept[:, 1] > 0, np.abs(kept).min(axis=1), 0
    )  # of both, as much as the smaller has
    share = adds_up.sum() / np.abs(kept).sum()
    assert 0.1 < share < 0.9
    assert str(batch).splitlines()[-1] == f"order 2: {share:.0%} of its strength only adds up (a + b): e.folded()"
    assert "order 2" not in str(batch.folded())


def test_samples_come_one_by_one(batch):
    each = list(batch)
    assert len(each) == 3 and all(one.data.equals(batch.sample(i).data) for i, one in enumerate(each))
    assert np.array([batch, batch], object).shape == (2,)
    with pytest.raises(TypeError):
        reversed(batch)


def test_what_is_rounding_is_not_drawn(e):
    data = e.data.copy(deep=True)
    data["effects"][:] = 0
    data.effects[0, 0, 3], data.effects[0, 1, 6], data.effects[0, 0, 5] = 2.0, 1e-12, -0.5
    (ax,) = sg.Explanation(data).plot("bars").axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a ∧ b", "a ∧ c"]


def test_labels_of_one_input_are_no_sample_of_inputs(images):
    games = [sg.ImageGame(network(seed), "features.1") for seed in (1, 2)]
    one, other = (sg.explain(game, images[0], list(range(10)), variables=4) for game in games)
    words = str(one.compare(other)).splitlines()
    assert words[-1] == "labels of one input: no sample of inputs, so no interval" and "[" not in words[-2]
    several = [sg.explain(game, images[[0] * 10], list(range(10)), one.variables) for game in games]
    assert "95 % interval over samples" in str(several[0].compare(several[1]))


def test_a_network_in_half_precision_whose_effects_round_away_is_named(images):
    net = network(1)
    with torch.no_grad():
        net.classifier[-1].weight *= 1e-3  # the label's margin is from the bias alone
    e = sg.explain(sg.ImageGame(net.bfloat16(), "features.1"), images[0].bfloat16(), 1, variables=4)
    words = "; v is rounded to 8e-03 of its size, which may hide some: is it in half precision?"
    assert words in str(e)
    assert "half precision" not in str(sg.explain(Wrong(np.zeros(16)), None, 1, variables=list("abcd")))


def test_fidelity_is_that_of_the_k_strongest(batch):
    table = batch.fidelity()
    v, effects, bias = (batch.data[name].to_numpy() for name in ("v", "effects", "bias"))
    for k in (1, 4, 30):
        expected = interactions.fidelity(v, interactions.keep_strongest(effects, k), bias)
        np.testing.assert_allclose(table[table.k == k].R2, expected, atol=1e-9)
    strongest = [
        interactions.fidelity(v[i], interactions.keep_strongest(effects[i], k), bias[i])
        for i, k in enumerate(batch.salient.sum(axis=(1, 2)).tolist())
    ]
    np.testing.assert_allclose(batch.R2, strongest, atol=1e-9)


def test_shares_are_shapley_values_and_add_up(rng):
    from shapiq import ExactComputer

    effects = rng.normal(size=(2, 16))
    effects[:, 0] = 0
    v = reconstruct(*effects, 0.5)
    shares = interactions.shares(effects)
    assert shares.sum() == pytest.approx(v[-1] - v[0])
    shapley = ExactComputer(lambda shown: v[shown @ (1 << np.arange(4))], 4)("SV")
    np.testing.assert_allclose(shares, [shapley[(i,)] for i in range(4)], atol=1e-12)


def test_shapiq_rebuilds_the_same_outputs_on_all_subsets(batch):
    from shapiq import ExactComputer

    e = batch.sample(1)
    values = e.to_shapiq()
    model = interactions.logical_model(e.data.effects.to_numpy()[0], e.data.bias.to_numpy()[0])
    for subset in range(32):
        rebuilt = values.get_subset(list(interactions.members(subset))).values.sum()
        assert rebuilt == pytest.approx(model[subset], abs=1e-12)
    theirs = ExactComputer(lambda shown: model[shown @ (1 << np.arange(5))], 5)("Moebius")
    for subset in range(1, 32):
        inside = interactions.members(subset)
        assert values[inside] == pytest.approx(theirs[inside], abs=1e-12)


def test_a_batch_is_its_samples_and_several_labels_are_side_by_side(images, batch):
    game = sg.ImageGame(network(1), "features.1", baseline=images)
    for i in range(3):
        alone = sg.explain(game, images[i], i + 1, variables=batch.variables[i])
        np.testing.assert_array_equal(alone.data.variables["names"], batch.sample(i).data.variables["names"])
        np.testing.assert_allclose(alone.data.effects, batch.sample(i).data.effects, atol=1e-4)
    assert sg.explain(game, images[0], 1, variables=5).variables.tolist() == batch.variables[0].tolist()
    labels = sg.explain(game, images[0], [4, 7], variables=[3, 8, 12])
    np.testing.assert_array_equal(labels.data.v[1], game.values(images[0], 7, [3, 8, 12]))
    assert labels.variables.tolist() == [3, 8, 12] and list(labels.to_frame(2)["sample"]) == [0, 0, 1, 1]
    with pytest.raises(ValueError, match="variables: 2 different lists for one sample; expected the same for all its"):
        sg.explain(game, images[0], [4, 7], variables=[[3, 8, 12], [3, 8, 13]])
    assert batch[0, 1].shape == (3, 2) and batch["and", (0, 1)].shape == (3,)


@pytest.mark.parametrize("labels", [(7, " Paris"), (None, 1), ({"a": 1}, 2), ((1, 2), (3, 4))], ids=str)
def test_labels_stay_what_they_are_and_a_file_takes_numbers_or_strings(labels, tmp_path):
    class Game:
        def values(self, x, label, variables):
            return np.arange(2.0 ** len(variables))

    e = sg.explain(Game(), ["a b", "c d"], list(labels), variables=[0, 1])
    assert e.data.label.to_numpy().tolist() == list(labels)
    with pytest.raises(sg.InputError, match=re.escape(f"label {list(labels)}; expected all numbers")):
        e.save(tmp_path / "e.nc")
    mixed = sg.explain(Game(), "a b", 0, variables=[0, "b"])
    with pytest.raises(sg.InputError, match=re.escape("variables [[0, 'b']]; expected all numbers")):
        mixed.save(tmp_path / "e.nc")
    assert not list(tmp_path.iterdir())


def test_what_is_saved_comes_back(e, batch, tmp_path):
    for one in (e, batch):
        one.save(tmp_path / "one.nc")
        back = sg.load(tmp_path / "one.nc")
        xr.testing.assert_identical(back.data, one.data)
        assert str(back) == str(one) and back.sample(0).plot().axes
    batch.data.assign_attrs(format=FORMAT + 1).to_netcdf(tmp_path / "later.nc", engine="netcdf4")
    with pytest.raises(sg.InputError, match=f"has format {FORMAT + 1}; this version of symgen reads up to {FORMAT}"):
        sg.load(tmp_path / "later.nc")
    xr.Dataset({"v": ("subset", np.zeros(4))}).to_netcdf(tmp_path / "other.nc", engine="netcdf4")
    (tmp_path / "text.nc").write_text("no netCDF")
    for name in ("other.nc", "text.nc", "missing.nc"):
        with pytest.raises(sg.InputError, match=f"{name}: expected a file that Explanation.save wrote"):
            sg.load(tmp_path / name)


def test_no_damaged_byte_changes_a_number(batch, tmp_path):
    batch.save(tmp_path / "one.nc")
    whole, refused = (tmp_path / "one.nc").read_bytes(), 0
    for place in range(0, len(whole), len(whole) // 300):
        (tmp_path / "damaged.nc").write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        try:
            back = sg.load(tmp_path / "damaged.nc")
        except sg.InputError:  # and no other error
            refused += 1
        else:
            for name, numbers in batch.data.variables.items():
                if numbers.dtype.kind in "fi":
                    np.testing.assert_array_equal(back.data[name], numbers)
    assert refused > 30


def test_a_damaged_file_is_refused(e, tmp_path):
    changed = e.data.copy(deep=True)
    changed["v"][0, 3] += 0.2
    sg.Explanation(changed).save(tmp_path / "changed.nc")
    with pytest.raises(sg.InputError, match=r"changed\.nc is damaged: its interactions and noise do not sum to v"):
        sg.load(tmp_path / "changed.nc")
    e.data.drop_vars("variables").to_netcdf(tmp_path / "part.nc", engine="netcdf4")
    with pytest.raises(sg.InputError, match=r"part\.nc: expected a file that Explanation.save wrote"):
        sg.load(tmp_path / "part.nc")


def test_masks_have_as_many_digits_as_tell_their_values_apart():
    v = np.array([100.0, 100.01, 100.02, 100.04])
    figure = sg.explain(Wrong(v), None, 0, variables=["a", "b"], noise_bound=0).plot("masks")
    texts = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert any("+100.04" in text for text in texts) and any("+100.01" in text for text in texts)


def test_a_picture_of_nothing_says_so():
    nothing = sg.explain(Wrong(np.ones(4)), None, 0, variables=["a", "b"])
    (ax,) = nothing.plot("bars").axes
    assert "none" in [text.get_text() for text in ax.texts] and not ax.get_yticklabels()


def test_a_path_may_begin_at_home(e, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    e.save("~/e.nc")
    xr.testing.assert_identical(sg.load("~/e.nc").data, sg.load(tmp_path / "e.nc").data)


def test_a_network_that_does_not_care_is_said_to_not_care(images):
    class Constant:
        def values(self, x, label, variables):
            return 1.5 + 1e-8 * np.arange(8)

    e = sg.explain(Constant(), None, 0, variables=[0, 1, 2])
    assert "the output does not depend on these variables beyond rounding" in str(e) and not e.salient.any()
    assert len(e.to_frame()) == 0 and len(e.fidelity()) == 0 and np.isnan(e.R2).all()
    for kind in ("bars", "network", "fidelity", "masks"):
        e.plot(kind).draw_without_rendering()


def test_a_small_change_of_a_large_output_is_printed():
    class Price:
        unit, rounding = "euros", 2.0**-52

        def values(self, x, label, variables):
            return 1e6 + np.array([0.0, 1.0, 2.0, 4.0])

    e = sg.explain(Price(), None, 0, variables=["a", "b"])
    assert "v: 1e+06 with all variables, 1e+06 with none (euros), which differ by 4" in str(e)
    Price.rounding = 2.0**-10
    assert "v is rounded to 1e-03 of its size" in str(sg.explain(Price(), None, 0, variables=["a", "b"]))
    del Price.rounding
    Price.values = lambda self, x, label, variables: 1e9 + np.array([0.0, 1.0, 2.0, 4.0])
    says = str(sg.explain(Price(), None, 0, variables=["a", "b"]))
    assert "(v counts as known to 1e-07 of its size, by game.rounding or float32)" in says


def test_variables_may_be_a_range():
    e = sg.explain(Wrong(np.arange(8.0)), None, 0, variables=range(3))
    assert e.variables.tolist() == [0, 1, 2]


def test_pictures_are_not_kept_by_pyplot(e, batch):
    before = plt.get_fignums()
    for kind in ("bars", "network", "masks"):
        e.plot(kind)
    e.compare(e).plot()
    assert plt.get_fignums() == before


def test_a_label_of_nothing_is_0_without_a_sign():
    assert [signed(value) for value in (0.0, -0.0, 0.123, -12.3)] == ["0", "0", "+0.12", "−12"]
    assert signed(-0.04, "+.1f") == "0"


def test_a_sum_can_be_put_at_order_one(e, batch):
    class Sum:
        unit = "euros"

        def values(self, x, label, variables):
            return np.array([0.0, 1.0, 2.0, 3.0])

    added = sg.explain(Sum(), None, 0, variables=["a", "b"], noise_bound=0)
    assert str(added).splitlines()[1] == "v: 3 with all variables, 0 with none (euros)"
    assert added.plot().axes[0].get_xlabel() == "effect (euros)"
    assert added["a", "b"]["or"] > 0.1 and len(added.to_frame()) == 4
    folded = added.folded()
    assert folded.to_frame().variables.tolist() == ["b", "a"] and folded["and", "b"] == pytest.approx(2, abs=1e-4)
    np.testing.assert_array_equal(added.folded().folded().data.effects, folded.data.effects)
    np.testing.assert_allclose(batch.folded().R2, batch.R2, atol=0.05)
    assert (e.folded().data.v == e.data.v).all() and added.data.folded == 0


def test_what_generalizes_to_other_networks(images, batch):
    others = [sg.ImageGame(network(seed), "features.1", baseline=images) for seed in (2, 3)]
    others = [sg.explain(game, images, [1, 2, 3], variables=batch.variables) for game in others]
    compared = batch.compare(others)
    effects, bases = batch.data.effects.to_numpy(), np.stack([other.data.effects.to_numpy() for other in others])
    shared, total = sg.generalizable(effects, bases), sg.salient(effects)
    expected = np.abs(effects * shared).sum() / np.abs(effects * total).sum()
    assert abs(compared.H - expected) < 1e-9 and 0 < compared.H_chance < 1
    shared = sg.generalizable(effects, bases, combine="all")
    of_all = np.abs(effects * shared).sum() / np.abs(effects * total).sum()
    assert pytest.approx(of_all) == batch.compare(others, combine="all").H and of_all < expected
    folded = batch.folded().compare([other.folded() for other in others])
    assert folded.data.folded == 1 and not np.array_equal(folded.effects, compared.effects)
    table = compared.by_order()
    by_chance = np.abs(table.chance).sum() / np.abs(table.total).sum()
    assert by_chance == pytest.approx(compared.H_chance)
    assert np.abs(table.generalizable).sum() / np.abs(table.total).sum() == pytest.approx(expected)
    assert compared.plot().axes and len(compared.to_frame())
    alone = batch.sample(0).compare(others[0].sample(0))
    assert np.isnan(alone.H_chance) and 0 <= alone.H <= 1
    assert batch.compare(batch).H == 1


TEXTS = ["a warm film with good actors and a good story", "a dull film with bad actors"]


@pytest.fixture(scope="module")
def words():
    tokenizer = build_tokenizer(TEXTS, min_count=1, max_tokens=20)
    bert = models.build_bert("bert-1x64", 2, tokenizer, 20, seed=3)
    return sg.explain(sg.TextGame(bert, tokenizer), TEXTS[0], 1, variables=6)


def test_a_word_that_stands_twice_gets_its_count(words):
    assert words.data.names.to_numpy()[0].tolist() == ["warm", "film", "good", "actors", "good (2)", "story"]


@pytest.mark.parametrize("kind", PICTURES)
def test_pictures_show_what_there_is(kind, batch, e, words):
    for one, needed in ((batch.sample(2), "cells"), (words, "words"), (e, None)):
        if kind in ("cells", "words") and kind != needed:
            with pytest.raises(sg.InputError, match=f"plot of kind '{kind}', but the game gave no"):
                one.plot(kind)
        else:
            figure = one.plot(kind, k=5, title="this one")
            figure.draw_without_rendering()
            axes = figure.axes or [ax for part in figure.subfigs for ax in part.axes]
            texts = [text.get_text() for ax in axes for text in (*ax.texts, ax.title)] + [figure.get_suptitle()]
            assert "this one" in texts


def test_a_picture_leaves_the_style_of_other_figures_alone(e):
    plt.rcdefaults()
    before = dict(plt.rcParams)
    e.plot("bars")
    assert dict(plt.rcParams) == before
    with plt.rc_context({"interactive": False}):
        with in_style():
            plt.rcParams["interactive"] = True  # as a notebook does at the first figure
        assert plt.rcParams["interactive"]


def test_the_default_picture_is_that_of_its_kind(batch, e):
    assert batch.sample(0).plot().axes[0].images and not e.plot().axes[0].images


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"variables": 1},
            r"sample 0: variables = 1; expected 2 to 16, or a list of variables: there are 25 candidates, \[0, 1",
        ),
        ({"variables": 26}, "variables = 26; expected 2 to 16"),
        ({"variables": [4]}, r"variables: 3 list\(s\) of 1; expected 2 to 16"),
        ({"variables": [[1, 2], [3, 4]]}, r"variables: 2 list\(s\) of 2; expected 2 to 16, as many for each of 3"),
        ({"variables": [[1, 2], [3, 4], [1, 2, 3]]}, r"variables: 3 list\(s\) of 2, 3; expected"),
        (
            {"variables": [[1, 2], 3, 4]},
            r"variables = \[\[1, 2\], 3, 4\]; expected one list, or a list for each sample",
        ),
        ({"variables": ["x", ("y", ("z", "w"))]}, "expected one list, or a list for each sample"),
        ({"variables": 2.5}, "variables = 2.5; expected how many, or a list"),
        ({"variables": []}, r"variables = \[\]; expected how many, or a list"),
        ({"variables": [3, 25]}, "variables hold the cell 25; expected 0 to 24"),
        ({"label": [1, 2, 10]}, "label = 10; expected 0 to 9"),
        ({"label": [1, 2]}, "3 samples and 2 labels; expected as many of each"),
        ({"label": 1}, r"3 samples and 1 labels; expected as many of each, and at least one, such as \[1\] \* 3"),
        ({"seed": -1}, "seed = -1; expected a whole number, 0 or more"),
        ({"tau_ratio": -1}, "tau_ratio = -1; expected a share of the strongest, from 0 to below 1"),
        ({"tau_ratio": float("nan")}, "tau_ratio = nan; expected a share"),
        ({"game": network(1)}, "game = SmallVGG; expected an object with values"),
        ({"game": min}, "game = min; expected an object with values"),
        (
            {"x": torch.full((3, 3, 30, 30), torch.nan)},
            r"NaN or infinite values for sample\(s\) \[0, 1, 2\].*: the sample itself",
        ),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(images, change, message):
    given = {"game": sg.ImageGame(network(1), "features.1"), "x": images, "label": [1, 2, 3], "variables": 5} | change
    with pytest.raises(sg.InputError, match=message) as caught:
        sg.explain(**given)
    assert "\n" not in str(caught.value)


class Wrong:
    """A game of one's own, whose values are given."""

    def __init__(self, v):
        self.v = v

    def values(self, x, label, variables):
        return self.v


@pytest.mark.parametrize(
    ("v", "variables", "message"),
    [
        (np.zeros(4), 3, "variables = 3, but the game has no candidates to draw from; expected a list"),
        (np.zeros(4), [1, 2, 3], r"the game's values have shape \(4,\); expected \(8,\)"),
        (
            np.array([0, 1, np.nan, 1]),
            [1, 2],
            "the game's values hold NaN or infinity, in sample 0; expected finite numbers",
        ),
        (np.zeros(4), pd.Index([1, 2, 3]), r"values have shape \(4,\); expected \(8,\)"),
        (np.array([0, 1, 2, 1j]), [1, 2], "the game's values are no real numbers: .*complex"),
        (["a", "b", "c", "d"], [1, 2], "the game's values are no real numbers"),
        ([torch.tensor(1.0), None, 2.0, 3.0], [1, 2], "the game's values are no real numbers"),
        ([torch.tensor(1.0), torch.ones(2), 2.0, 3.0], [1, 2], "the game's values are no real numbers"),
        (np.zeros(8), ["age", "age", "income"], "variables hold 'age' more than once; expected different ones"),
    ],
)
def test_a_game_of_ones_own_that_does_not_fit(v, variables, message):
    with pytest.raises(sg.InputError, match=message):
        sg.explain(Wrong(v), None, 0, variables=variables)


def test_a_game_may_give_a_list_of_numbers_with_gradients():
    v = [torch.tensor(float(i), requires_grad=True) for i in (0, 1, 1, 3)]
    np.testing.assert_array_equal(sg.explain(Wrong(v), None, 0, variables=["a", "b"]).data.v[0], [0, 1, 1, 3])


def test_images_of_two_shapes_have_no_pictures_together():
    game = Wrong(np.array([0.0, 1.0, 1.0, 3.0]))
    game.grid = 2
    with pytest.raises(sg.InputError, match=r"has a grid, and x has shape \(1, 5, 5\); expected images .*of one shape"):
        sg.explain(game, [np.zeros((1, 4, 4)), np.zeros((1, 5, 5))], [0, 0], variables=[0, 1])


def test_what_an_error_says_is_never_empty():
    assert [first_line(ImportError(text)) for text in ("", "\n", "\nno T5\nat all")] == ["ImportError"] * 2 + ["no T5"]


@pytest.mark.parametrize(
    ("x", "label", "message"),
    [
        (np.zeros((3, 5)), [0, 1, 0], "x is a ndarray of 3, and there are as many labels; expected a list of samples"),
        ((1, 2), [0, 1], "x is a tuple of 2, and there are as many labels; expected a list of samples"),
        ([0.5, 1.5, 2.5], 1, "3 samples and 1 labels; expected .*: a list holds several samples; one of numbers"),
        ([], [], "0 samples and 0 labels; expected as many of each, and at least one"),
    ],
)
def test_what_may_be_one_sample_or_several_is_not_guessed(x, label, message):
    with pytest.raises(sg.InputError, match=message):
        sg.explain(Wrong(np.zeros(4)), x, label, variables=["a", "b"])


def test_several_labels_of_one_array_are_explained_one_by_one():
    assert len(sg.explain(Planted(), np.zeros((2, 5)), [0, 1, 1], list("abcd")).data.label) == 3


def test_a_game_may_give_a_tensor_with_its_gradient():
    v = torch.tensor([0.0, 1.0, 2.0, 4.0], dtype=torch.bfloat16, requires_grad=True)
    given, plain = (sg.explain(Wrong(x), None, 0, variables=["a", "b"]).data.effects for x in (v, [0, 1, 2, 4]))
    assert given.equals(plain)


def test_a_comparison_of_explanations_asks_for_what_they_call_salient():
    v = np.random.default_rng(0).normal(size=(2, 6, 8)) ** 3
    games = [type("Game", (), {"values": lambda self, x, label, variables, v=of: v[x]})() for of in v]
    one, other = (sg.explain(game, list(range(6)), [0] * 6, list("abc"), tau_ratio=0.4) for game in games)
    assert compare(one.data, [other.data]).H == compare(one, [other]).H == one.compare(other).H
    assert compare(one, [other], tau_ratio=0.05).H != one.compare(other).H


def test_what_is_salient_can_be_asked_anew_and_samples_may_be_of_training(rng):
    v = rng.normal(size=(2, 6, 8)) ** 3
    games = [type("Game", (), {"values": lambda self, x, label, variables, v=of: v[x]})() for of in v]
    strict, loose = (
        sg.explain(game, list(range(6)), [0] * 6, list("abc"), tau_ratio=tau) for game, tau in zip(games, (0.4, 0))
    )
    with pytest.raises(ValueError, match=r"tau_ratio = 0; expected 0.4"):
        strict.compare(loose)
    of = ["training"] * 4 + ["testing"] * 2
    compared = strict.compare(loose, tau_ratio=0.1, of=of)
    assert compared.of.tolist() == of
    assert np.array_equal(compared.salient[0], sg.salient(strict.effects, tau_ratio=0.1))
    assert compared.data.tau_ratio == 0.1


def test_arrays_are_attributes(batch):
    assert (
        np.array_equal(batch.effects, batch.data.effects) and batch.label.tolist() == batch.data.label.values.tolist()
    )
    assert {"v", "effects"} <= set(dir(batch))
    with pytest.raises(AttributeError, match="an explanation has no 'efects'; its arrays are v, effects, noise"):
        _ = batch.efects


def test_what_cannot_be_asked_of_an_explanation(images, batch, e):
    game = sg.ImageGame(network(1), "features.1")
    other = sg.explain(game, images.flip(0), [1, 2, 3], variables=batch.variables)
    apart = sg.explain(Planted(), ["x", "y"], [1, 1], variables=[list("abcd"), list("efgh")])
    for ask, message in [
        (lambda: e.plot("netwrok"), "plot of kind 'netwrok'; did you mean 'network'"),
        (lambda: batch.plot(), r"this explains 3 samples; expected one: choose it by e.sample\(i\)"),
        (lambda: batch.sample(3), "sample = 3; expected 0 to 2"),
        (lambda: e.to_frame(0), "k = 0; expected a whole number of interactions, 1 or more"),
        (lambda: e.to_frame(-1), "k = -1; expected a whole number"),
        (lambda: e.plot(k=0), "k = 0; expected a whole number"),
        (lambda: e.compare(e).to_frame(-1), "k = -1; expected a whole number"),
        (lambda: e.compare(e, seed=-1), "seed = -1; expected a whole number, 0 or more"),
        (
            lambda: apart["a"],
            r"variables \('a',\); .* or names of one sample, e.sample\(i\): the samples' names differ",
        ),
        (lambda: e.compare([None]), r"others: NoneType; expected an explanation, or a list of them"),
        (lambda: e.compare(torch.nn.Linear(1, 1)), "others: Linear; expected an explanation"),
        (lambda: e["a", "z"], r"variables \('a', 'z'\); expected numbers from 0 to 3, or names: a, b, c, d"),
        (lambda: e[0, 4], r"variables \(0, 4\); expected numbers from 0 to 3"),
        (lambda: e[0.9], r"variables \(0.9,\); expected numbers from 0 to 3"),
        (lambda: batch.compare([]), "baselines is empty"),
        (lambda: batch.compare(batch, batch), r"expected one, or a list of them: e.compare\(\[first, second\]\)"),
        (lambda: e.compare(e.folded()), "baseline 0 was explained with folded = 1; expected 0, as the target"),
        (
            lambda: batch.compare([batch, other]),
            "baseline 1 explains others than the target: `image` is not the same; .*drop_vars",
        ),
        (lambda: batch.compare(batch.sample(0)), "baseline 0 has 1 on the axis sample; expected"),
        (lambda: e.compare(sg.explain(Planted(), "x", 1, variables=list("abce"))), "`variables` is not the same"),
        (lambda: batch.compare(batch, combine="most"), "combine = 'most'"),
    ]:
        with pytest.raises(sg.InputError, match=message):
            ask()


def test_a_text_without_words_has_no_candidates():
    tokenizer = build_tokenizer(TEXTS, min_count=1, max_tokens=20)
    game = sg.TextGame(models.build_bert("bert-1x64", 2, tokenizer, 20, seed=3), tokenizer)
    with pytest.raises(sg.InputError, match=r"a sample has 0 candidate\(s\) for variables; expected 2 or more"):
        sg.explain(game, "", 1, variables=3)


def test_only_interactions_that_exist_are_listed():
    small = sg.explain(Wrong(np.array([0.0, 1.0, 2.0, 4.0])), None, 0, variables=["a", "b"], noise_bound=0)
    assert sorted(small.to_frame(12).variables) == ["a", "a ∧ b", "a ∨ b", "b"]
    assert small.fidelity().k.max() == 4


def test_a_game_is_as_precise_as_it_says():
    game = Wrong(1e6 + np.array([0, 0.1, 0.2, 0.4]))
    assert not sg.explain(game, None, 0, ["a", "b"], noise_bound=0).data.effects.any()  # float32 knows 1e6 to 0.06
    game.rounding = 2.0**-52
    exact = sg.explain(game, None, 0, ["a", "b"], noise_bound=0)
    rebuilt = reconstruct(*exact.data.effects.to_numpy()[0], 1e6)
    np.testing.assert_allclose(rebuilt, game.v, rtol=0, atol=1e-8)
    assert exact.R2[0] > 0.999


def test_outputs_that_nothing_changes_are_compared_without_a_warning(recwarn):
    flat = sg.explain(Wrong(np.array([1.0, 5, 3, 1])), None, 0, ["a", "b"])
    compared = flat.compare(flat)
    assert compared.H == 1 and np.isnan(compared.normalized).all() and not recwarn.list


def test_a_prompt_is_cut_where_a_phrase_begins_or_ends():
    pieces, variable_of = pieces_of(["the", "new", "masks,", "new", "masks", "of", "low-iron"], ["new masks", "iron"])
    assert "".join(pieces) == "the new masks, new masks of low-iron "
    coloured = [(piece, i) for piece, i in zip(pieces, variable_of.tolist()) if i >= 0]
    assert coloured == [("new ", 0), ("masks", 0), ("new ", 0), ("masks ", 0), ("iron ", 1)]
    pieces, variable_of = pieces_of(["中国的首都是北京"], ["首都", "北京"])
    assert pieces == ["中", "国", "的", "首都", "是", "北京 "] and variable_of.tolist() == [-1, -1, -1, 0, -1, 1]


def test_a_prompts_own_variables_are_whole_words_also_in_scripts_without_spaces():
    assert candidate_words("无 甲方 选 乙方") == ["甲方", "乙方"]  # a single sign stands inside too many other words
    assert pieces_of(["New  York", "is"], ["New  York"])[1].tolist() == [0, -1]


@pytest.mark.parametrize("kind", ["bars", "network"])
def test_long_names_stay_on_the_picture(rng, kind):
    names = [
        "the annual percentage rate of the loan",
        "the defendant's obligation to pay damages",
        "supercalifragilistic",
    ]
    figure = sg.explain(Wrong(rng.normal(size=8)), None, 0, names).plot(kind)
    figure.draw_without_rendering()
    (ax,) = figure.axes
    texts = [text for text in (*ax.texts, *ax.get_yticklabels()) if text.get_text() and text.get_visible()]
    page, boxes = figure.bbox, [text.get_window_extent() for text in texts if kind == "bars" or text in ax.texts]
    assert all(page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1 for box in boxes)
    assert ax.get_window_extent().width > 0.3 * page.width


def test_shapiq_that_is_missing_is_said(e, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "shapiq", None)
    with pytest.raises(sg.InputError, match="pip install shapiq"):
        e.to_shapiq()


class Counted:
    """A game of one's own on a text, whose words are what stands between single spaces."""

    def words(self, text):
        return text.split(" ")

    def candidates(self, text):
        return [i for i, word in enumerate(self.words(text)) if word]

    def values(self, text, label, variables):
        return np.random.default_rng(0).normal(size=1 << len(variables))


def test_words_that_are_spaces_alone_keep_their_place_in_the_text():
    texts = ["A  good  film", "one of a batch, and longer"]
    e = sg.explain(Counted(), texts, [1, 1], variables=[[2, 4], [0, 1]]).sample(0)
    pieces, variable_of = e._text()
    assert [pieces[i].strip() for i in np.flatnonzero(variable_of >= 0)] == ["good", "film"]
    assert e.data.names.values.tolist() == [["good", "film"]]
    assert len(pieces) == 5
    e.plot()


@pytest.mark.parametrize("kind", ["bars", "words", "network", "masks"])
def test_a_dollar_begins_no_formula(kind):
    e = sg.explain(Counted(), "US$_a for $HOME/{user b_$ now", "$a_b_c$", variables=[0, 2, 3])
    with_dollars = [text for text in e.plot(kind).findobj(Text) if "$" in text.get_text()]
    assert with_dollars and not any(text.get_parse_math() for text in with_dollars)


def test_explanations_at_several_checkpoints_are_compared_as_one(batch, images):
    later = sg.explain(sg.ImageGame(network(4), "features.1"), images, [1, 2, 3], variables=batch.variables)
    epochs = pd.Index([0, 5], name="epoch")
    both = compare(xr.concat([batch.data, later.data], epochs), [batch.data])
    assert both.epochs.tolist() == [0, 5] and both.H[0] == 1
    np.testing.assert_array_equal(both.H[1], later.compare(batch).H)
    other = sg.explain(sg.ImageGame(network(4), "features.1"), images, [1, 2, 4], variables=batch.variables)
    with pytest.raises(sg.InputError, match="label differs between checkpoints; expected the same samples"):
        compare(xr.concat([batch.data, other.data], epochs), [batch.data])


def test_explanations_with_other_settings_are_not_compared(images):
    games = (sg.ImageGame(network(0), "features.1", grid, images) for grid in (5, 6))
    five, six = (sg.explain(game, images[:2], [0, 1], variables=[0, 1, 2]) for game in games)
    with pytest.raises(ValueError, match="baseline 0 was explained with grid = 6; expected 5, as the target"):
        five.compare(six)
    noisier = sg.explain(
        sg.ImageGame(network(0), "features.1", 5, images), images[:2], [0, 1], [0, 1, 2], noise_bound=0.1
    )
    with pytest.raises(ValueError, match=r"baseline 1 .* noise_bound = 0\.1; expected 0\.04, as the target"):
        five.compare([five, noisier])


def test_a_table_has_numbers_also_where_a_sample_has_nothing_salient():
    class Half:
        def values(self, x, label, variables):
            return x * np.arange(4.0)

    table = sg.explain(Half(), [1.0, 0.0], [0, 0], variables=["a", "b"]).to_frame()
    assert table.order.dtype.kind == "i" and table.effect.dtype.kind == "f" and set(table["sample"]) == {0}


@pytest.mark.parametrize(("value", "label"), [(152.2, "+152"), (-99.6, "−100"), (12.34, "+12"), (-0.0123, "−0.012")])
def test_a_label_has_no_power_of_ten_where_people_write_none(value, label):
    assert signed(value) == label


def test_a_name_that_begins_with_another_one_stays_on_its_line():
    assert "film (2)" in wrapped("good ∧ film (2)", 12, ["film", "film (2)"])[-1]


def test_a_seed_fixes_which_variables_are_drawn_and_another_draws_others(images):
    game = sg.ImageGame(network(1), "features.1")
    one, same, other = (sg.explain(game, images[0], 1, 5, seed=seed).variables.tolist() for seed in (3, 3, 4))
    assert one == same != other


class Random:
    """Outputs that depend on the sample alone, a number."""

    def values(self, x, label, variables):
        return np.random.default_rng(int(x)).normal(size=1 << len(variables)) ** 3


def test_others_are_judged_by_the_threshold_of_the_explanation_and_with_the_draws_that_are_asked_for():
    e, other = (sg.explain(Random(), [*range(k, k + 8)], [0] * 8, list("abcd"), tau_ratio=0.4) for k in (0, 4))
    compared, one_draw = e.compare(other), e.compare(other, chance_draws=1)
    effects, base = (one.data.effects.to_numpy() for one in (e, other))
    np.testing.assert_array_equal(compared.salient[0], sg.salient(effects, 0.4))
    expected = sg.salient(effects, 0.4) & sg.generalizable(effects, base[None], 0.4)
    np.testing.assert_array_equal(compared.generalizable[0], expected)
    assert {*one_draw.chance.ravel()} == {0, 1} and e.compare(other, seed=1).H_chance != compared.H_chance


def test_samples_of_a_game_of_ones_own_may_have_any_shape():
    class Sums:
        def values(self, x, label, variables):
            return float(np.sum(np.asarray(x))) * np.arange(1.0, 5)

    samples = [np.ones(3), np.ones((4, 2)), pd.DataFrame({"a": [1.0]}), 1.0]
    e = sg.explain(Sums(), samples, torch.zeros(4, dtype=torch.long), variables=["a", "b"])
    assert e.data.v[:, 0].to_numpy().tolist() == [3, 8, 1, 1] and e.data.label.to_numpy().tolist() == [0] * 4


def test_a_label_that_is_one_thing_is_one_label_and_variables_may_be_tensors():
    v = reconstruct(np.array([0.0, 1, 0, 2]), np.zeros(4), 0.0)
    for label in ("opens", b"ab", {"a": 1}, 1):
        assert sg.explain(Wrong(v), None, label, torch.tensor([7, 3])).data.sizes["sample"] == 1
    e = sg.explain(Wrong(v), None, 0, [torch.tensor(7), torch.tensor(3)], noise_bound=0)
    assert e.to_frame().variables.tolist() == ["7 ∧ 3", "7"]


class Several(Wrong):
    """A game of one's own that takes several samples."""

    def is_one(self, x):
        return not isinstance(x, list)


@pytest.mark.parametrize("kind", [lambda rows: rows, list], ids=["a tensor", "a list of tensors"])
def test_a_game_that_takes_several_samples_may_give_tensors(kind):
    game = Several(kind(torch.arange(4.0, requires_grad=True).expand(2, 4)))
    assert sg.explain(game, ["a", "b"], [0, 0], [0, 1]).data.v[1].to_numpy().tolist() == [0, 1, 2, 3]


def test_a_game_that_takes_several_samples_gives_as_many_outputs_of_each():
    with pytest.raises(sg.InputError, match=r"the game's values have shape \(3,\); expected \(4,\)"):
        sg.explain(Several([np.zeros(4), np.zeros(3)]), ["a", "b"], [0, 0], [0, 1])


def test_numbers_as_variables_of_a_game_of_ones_own_keep_their_names():
    v = reconstruct(np.array([0.0, 1, 0, 2]), np.zeros(4), 0.0)
    assert sg.explain(Wrong(v), None, 0, [7, 3], noise_bound=0).to_frame().variables.tolist() == ["7 ∧ 3", "7"]
    assert sg.explain(Wrong(v), None, 0, [3, "a"], noise_bound=0).to_frame().variables.tolist() == ["3 ∧ a", "3"]


def test_a_picture_shows_as_many_interactions_as_are_asked_for(batch):
    for k in (1, 4):
        assert len(batch.sample(0).plot("bars", k=k).axes[0].patches) == k


def test_cells_have_the_number_and_the_tint_of_their_own_share(batch):
    e = batch.sample(1)
    shares = interactions.shares(e.data.effects.to_numpy()[0])
    left = e.plot("cells").axes[0]
    assert [text.get_text() for text in left.texts] == [f"{i}\n{signed(share)}" for i, share in enumerate(shares)]
    tints = [to_rgba(tint(share, np.abs(shares).max())) for share in shares]
    assert [patch.get_facecolor() for patch in left.patches] == tints
    corners = [(patch.get_x() + 0.5, patch.get_y() + 0.5) for patch in left.patches]
    assert corners == [(cell % 5 * 6, cell // 5 * 6) for cell in e.variables]


def test_masks_grey_the_cells_that_are_hidden_and_say_v_and_the_model(images):
    e = sg.explain(sg.ImageGame(network(1), "features.1"), images[0], 1, variables=5, noise_bound=0.9)
    boxes = cell_boxes(e.variables.tolist(), *images.shape[-2:], 5)
    v, model = e.data.v.to_numpy()[0], interactions.logical_model(e.data.effects.to_numpy(), e.data.bias.to_numpy())[0]
    different = 0
    for ax in e.plot("masks").axes:
        shown = np.asarray(ax.images[0].get_array())
        subset = sum(1 << i for i, box in enumerate(boxes) if not (shown[box] == 0.5).all())
        printed = [line.split()[-1].replace("−", "-") for line in ax.get_xlabel().splitlines()]
        last_place = 10.0 ** -max(len(number.partition(".")[2]) for number in printed)
        np.testing.assert_allclose([*map(float, printed)], [v[subset], model[subset]], rtol=0, atol=0.501 * last_place)
        different += printed[0] != printed[1]
    assert different  # v is not shown twice


def test_what_was_saved_is_compared_with_what_was_not(batch, tmp_path):
    batch.save(tmp_path / "e.nc")
    back = sg.load(tmp_path / "e.nc")
    assert back.compare(batch).H == batch.compare(back).H == 1


def test_explanations_and_comparisons_go_to_other_processes(batch):
    for one in (batch, batch.compare(batch)):
        for again in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one)):
            assert str(again) == str(one)
