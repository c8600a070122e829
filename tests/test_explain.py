"""Single explanations, on functions whose interactions are known."""

import numpy as np
import pytest

from symgen import explain, interactions, reconstruct, subset_index
from symgen.plots import explanation, logical_model, save, use_style


@pytest.fixture
def planted():
    effects = np.zeros((2, 16))
    effects[0, subset_index([0, 2])] = 3.0
    effects[1, subset_index([1, 3])] = -2.0
    effects[0, subset_index([1])] = 0.5
    return effects, reconstruct(effects[0], effects[1], 0.25)


def test_the_strongest_by_name(planted):
    table = explain.strongest_table(planted[0], 2, names="wxyz")
    assert table.variables.tolist() == ["w y", "x z"] and table.kind.tolist() == ["and", "or"]
    assert table.order.tolist() == [2, 2] and table.effect.tolist() == [3.0, -2.0]


def test_all_interactions_explain_everything_and_fewer_explain_less(planted):
    effects, v = planted
    shares = [interactions.fidelity(v, effects, 0.25, k) for k in (1, 2, 3, 10)]
    assert shares[0] < shares[1] < shares[2] == pytest.approx(1) == shares[3]
    assert interactions.needed_for(v[None], effects[None], np.array([0.25]), 0.999) == [3]
    matching = explain.matching_table(v, effects, 0.25, (1, 3))
    full = matching[matching.k == 3]
    np.testing.assert_allclose(full.model, full.v)
    assert (np.diff(full.v) >= 0).all() and len(full) == 16


def test_the_model_is_what_its_definition_says(rng):
    effects, bias = rng.normal(size=(3, 2, 32)), rng.normal(size=3)
    np.testing.assert_allclose(
        interactions.by_definition(effects, bias), interactions.logical_model(effects, bias), atol=1e-12
    )


def test_sparsity_and_the_three_conditions(planted):
    effects, v = (np.stack([x, x])[None] for x in planted)
    sparsity = explain.sparsity_table(effects, [0.0])
    assert sparsity["median"].iloc[0] == 1 and sparsity["median"].iloc[1] == pytest.approx(2 / 3)
    conditions = explain.conditions_table(v, effects, [0.0])
    assert conditions.strength_share.sum() == pytest.approx(1)
    assert conditions.strength_share[2] == pytest.approx(5 / 5.5)
    assert conditions.output.iloc[0] == 0 and abs(conditions.output.iloc[-1]) == pytest.approx(1)


def test_a_linear_game_grows_steadily_with_exponent_one():
    from symgen.interactions.subsets import orders

    v = np.repeat(orders(4)[None].astype(float), 3, axis=0)[None]
    effects = np.zeros((1, 3, 2, 16))
    effects[..., 0, [1, 2, 4, 8]] = 1
    conditions = explain.conditions_table(v, effects, [0.0])
    np.testing.assert_allclose(conditions.p.iloc[1:-1], 1)
    assert (conditions.monotone == 1).all()


def test_the_same_table_gives_the_same_bytes(planted, tmp_path):
    use_style()
    table = explain.strongest_table(planted[0], 3)
    for name in ("one", "two"):
        figure = explanation(table, np.zeros((10, 10)), [0, 1, 5, 7], 5, "a")
        save(figure, table, tmp_path, name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert (tmp_path / "one.csv").read_text().splitlines()[0] == "variables,kind,order,effect"


def test_interactions_of_phrases_are_joined_by_their_signs(planted):
    table = explain.phrase_table(planted[0], 3, ["New York", "all", "masks", "wear"])
    assert table.interaction.tolist() == ["New York ∧ masks", "all ∨ wear", "all"]
    assert table.effect.tolist() == [3.0, -2.0, 0.5] and list(table) == ["interaction", "kind", "order", "effect"]


@pytest.mark.parametrize("n_words", [10, 25, 60])
def test_the_picture_of_a_prompt_marks_its_variables_and_nothing_overlaps(rng, n_words):
    use_style()
    phrases = ["New York", "recommends", "masks", "KN95", "all the people"]
    prompt = " ".join((phrases + ["of", "unmasked"] * n_words)[:n_words]) + ", New York"
    effects = rng.normal(size=(2, 32))
    table = explain.phrase_table(effects, 12, phrases)
    v = reconstruct(*effects, 0.0)
    figure = logical_model(table, explain.matching_table(v, effects, 0.0, (5, 20)), prompt, phrases, "settings")
    figure.canvas.draw()
    text, bars, outputs = (ax for part in figure.subfigs for ax in part.axes)
    bold = [own.get_text() for own in text.texts if own.get_fontweight() == "bold"]
    assert sorted(bold) == sorted([*phrases, "New York", "→ settings"])
    boxes = [own.get_window_extent() for own in text.texts]
    boxes += [own.get_window_extent() for own in (*bars.get_yticklabels(), *bars.texts)]
    crossing = [
        (a, b) for i, a in enumerate(boxes) for b in boxes[:i] if _shared(a, b) > 3
    ]  # half a letter, or the edge of a mark
    assert not crossing and max(box.x1 for box in boxes) < figure.bbox.x1
    assert [bar.get_width() for bar in bars.patches] == pytest.approx(table.effect.tolist())
    assert (outputs.lines[-1].get_ydata() == np.sort(v)).all()


def _shared(a, b):
    """Points by which two boxes lie over each other, in the direction in which they do least."""
    return min(min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0))
