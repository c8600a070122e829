"""How well the model gives outputs back, and how sparse it is: by hand, at the edges where one sign decides."""

import numpy as np
import pytest
import torch

from symgen import interactions
from symgen.interactions.faithfulness import keep_strongest
from symgen.interactions.subsets import orders, subset_index, subset_matrix
from symgen.interactions.transforms import reconstruct


def game(*outputs):
    """v of three variables of one sample, from u(0), .., u(3): the same for all subsets of a size."""
    return np.array(outputs, float)[orders(3)][None]


@pytest.mark.parametrize(
    ("outputs", "steady", "bounded"),
    [
        ((0, 1, 2, 3), 1, 1),
        ((0, 1, 1, 3), 1, 1),  # what stays the same does not fall
        ((0, 0, 2, 3), 1, 0),  # a u(m) of 0 is not above 0
        ((5, 4, 3, 2), 1, 1),  # a label that loses by what is shown falls as steadily
        ((5, 4, 4.5, 2), 2 / 3, 1),
        ((0, -1, 2, 3), 2 / 3, 0),
    ],
)
def test_mean_outputs_are_steady_and_bounded_as_by_hand(outputs, steady, bounded):
    held = interactions.conditions_of(game(*outputs), np.ones((1, 2, 8)))
    assert held["steady"].tolist() == pytest.approx([steady]) and held["bounded"].tolist() == [bounded]


def test_conditions_are_those_of_each_sample():
    games = np.concatenate([game(0, 1, 2, 3), game(5, 4, 4.5, 2), game(0, -1, 2, 3)])
    held = interactions.conditions_of(games, np.ones((3, 2, 8)))
    assert held["steady"].tolist() == pytest.approx([1, 2 / 3, 2 / 3]) and held["bounded"].tolist() == [1, 1, 0]


def test_strengths_do_not_cancel_in_the_share_of_low_orders():
    effects = np.zeros((1, 2, 8))
    effects[0, :, 0b1], effects[0, :, 0b111] = [1, -1], [1, 1]
    assert interactions.conditions_of(game(0, 1, 2, 3), effects)["orders up to n / 2"].tolist() == [0.5]


def test_of_equally_strong_interactions_the_first_are_kept():
    effects = np.tile([[0.0, 1.0, -1.0, 1.0]], (5, 2, 16))  # so many that a sort that is not stable would mix them
    kept = keep_strongest(effects, 10)
    first = np.flatnonzero(effects[0].ravel())[:10]
    assert all(np.flatnonzero(sample.ravel()).tolist() == first.tolist() for sample in kept)


def test_what_the_noise_holds_counts_when_interactions_are_said_to_be_enough(rng):
    """By the whole curve, whatever is known before of the strongest few."""
    effects = rng.normal(size=(20, 2, 16)) ** 5
    effects[..., 0] = 0
    v = reconstruct(effects[:, 0], effects[:, 1], np.zeros(20)) + rng.normal(size=(20, 16)) * rng.random((20, 1))
    for one, strengths in zip(v, effects):
        curve = interactions.fidelity_curve(one, strengths, 0.0)
        for share in (0.5, 0.9, 0.99, curve[-1] - 1e-3, curve[-1] - 1e-2):  # near to what the noise leaves, too
            (needed,) = interactions.needed_for(one[None], strengths[None], np.zeros(1), share)
            below = np.flatnonzero(curve < share)
            enough = below.max() + 2 if len(below) else 1
            assert needed == (enough if enough <= len(curve) else interactions.dictionary_size(4))


def test_the_curve_of_many_variables_is_the_fidelity_of_the_strongest(rng):
    effects = rng.normal(size=(2, 512)) ** 3  # so many subsets that their numbers are counted with fewer bits
    effects[:, 0] = effects[1, [1 << i for i in range(9)]] = 0
    v = reconstruct(*effects, 0.25) + rng.normal(size=512)
    curve = interactions.fidelity_curve(v, effects, 0.25)
    for k in (1, 2, 30, len(curve)):
        kept = keep_strongest(effects[None], k)
        assert curve[k - 1] == pytest.approx(interactions.fidelity(v[None], kept, np.array([0.25]))[0], abs=1e-9)
    needed = np.flatnonzero(curve < 0.9)[-1] + 2  # from there on it stays above
    assert interactions.needed_for(v[None], effects[None], np.array([0.25]), 0.9).tolist() == [needed]


@pytest.mark.parametrize("constant", [2.0, 0.1])  # the variance of 1,024 times 0.1 is a rounding error above 0
def test_constant_outputs_have_no_share_that_is_explained(constant):
    v, effects = np.full((1, 1024), constant), np.zeros((1, 2, 1024))
    assert np.isnan(interactions.fidelity(v, effects, np.array([constant]))).all()
    assert np.isnan(interactions.fidelity(v, effects + 1, np.array([constant]))).all()  # nor one of -infinity
    assert np.isnan(interactions.fidelity_curve(v[0], effects[0] + 1, constant)).all()


def test_of_constant_outputs_no_number_of_interactions_explains_enough_whatever_else_is_asked_about():
    v = np.array([[3.0, 3.0, 3.0, 3.0], [0.0, 1.0, 2.0, 4.0]])
    solved = interactions.sparse_and_or(v, noise_bound=0)
    together = interactions.needed_for(v, solved.effects, solved.bias)
    alone = [interactions.needed_for(v[i], solved.effects[i], solved.bias[i]) for i in np.eye(2, dtype=bool)]
    assert together.tolist() == np.concatenate(alone).tolist()
    assert together[0] == interactions.dictionary_size(2)


@pytest.mark.parametrize("array", [np.array, torch.tensor])
def test_what_is_rebuilt_leaves_its_interactions_alone(array):
    i_and, i_or = array([5.0, 1.0, 0.0, 2.0]), array([7.0, 0.0, 0.0, 3.0])  # entry 0 is ignored, not written over
    reconstruct(i_and, i_or, 0.5)
    assert i_and.tolist() == [5, 1, 0, 2] and i_or.tolist() == [7, 0, 0, 3]


def test_tables_of_subsets_are_everybodys_and_cannot_be_written():
    for table in (orders(3), subset_matrix(3)):
        with pytest.raises(ValueError, match="read-only"):
            table[0] = 1
    assert subset_index([0, 2, 2]) == 5  # a variable that is named twice is in the subset once
    for wrong in (-1, 1.7):
        with pytest.raises(ValueError, match=f"variables = {wrong}; expected whole numbers from 0"):
            subset_index([wrong])


def test_the_noise_counts_when_it_is_asked_how_many_interactions_are_needed():
    """One interaction explains 94.3 % of the variance, two 95.3 %, and the noise holds the rest."""
    effects, bias = np.zeros((1, 2, 8)), np.zeros(1)
    effects[0, 0, [1, 2]] = 1, 0.1
    parity = np.array([subset.bit_count() % 2 for subset in range(8)]) - 0.5
    v = reconstruct(effects[:, 0], effects[:, 1], bias) + 2 * np.sqrt(0.0125) * parity
    curve = interactions.fidelity_curve(v[0], effects[0], 0.0)
    assert curve[0] < 0.95 < curve[1]
    assert interactions.needed_for(v, effects, bias).tolist() == [2]
