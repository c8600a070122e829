"""Laws of the sparse AND-OR solver: feasible, exact, certified, unique, and the same as independent solvers."""

import itertools
import re

import numpy as np
import oracles
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from symgen.generalization.metrics import salient
from symgen.interactions import SparseAndOr, sparse_and_or
from symgen.interactions.subsets import orders, subset_matrix
from symgen.interactions.transforms import reconstruct

BOUND = 0.04


# --- Independent oracles: columns from the definition, HiGHS and Clarabel ------------------------------------------------


def dictionary(n):
    """The columns, one by one from their definition: AND of every T, OR of every T of order >= 2; rows S != empty."""
    member = subset_matrix(n)
    columns = [[all(s[list(t)]) for s in member[1:]] for t in nonempty(n)]
    columns += [[any(s[list(t)]) for s in member[1:]] for t in nonempty(n) if len(t) > 1]
    return np.array(columns, dtype=float).T


def nonempty(n):
    """Subsets as tuples of variables, in the order of their bit masks."""
    return [tuple(np.flatnonzero(row)) for row in subset_matrix(n)[1:]]


def stacked(result):
    """AND and OR interactions of one result in the order of `dictionary`'s columns."""
    n = result.i_and.shape[-1].bit_length() - 1
    return np.concatenate([result.i_and[..., orders(n) >= 1], result.i_or[..., orders(n) >= 2]], -1)


def quadratic_optimum(v, ridge, noise_bound=BOUND):
    """(x, value) of the ridge problem from Clarabel."""
    return oracles.quadratic_program(v, ridge, noise_bound, tol=1e-10)


def linear_optimum(v, noise_bound=BOUND):
    """The least possible ||x||_1 within the noise bound, from HiGHS."""
    return oracles.linear_program(v, noise_bound)[1]


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_the_oracles_solve_the_problem_of_the_definition(n):
    """Their sparse form, with the total of the ORs put in, is the dictionary."""
    form = oracles.sparse_form(n).toarray()
    rows, total = form[:-1], form[-1]
    np.testing.assert_array_equal(rows[:, :-1] + rows[:, -1:] * total[:-1], dictionary(n))
    assert total[-1] == -1


def random_games(n, samples, seed=0):
    """Games of every kind: white noise (dense), smooth, and planted."""
    rng = np.random.default_rng(seed)
    white = rng.normal(size=(samples, 1 << n))
    smooth = np.tanh((subset_matrix(n) @ rng.normal(size=(n, samples))).T) + 0.05 * white
    return np.concatenate([white, smooth, planted(n, samples, 3, seed)[0]])


def planted(n, samples, terms, seed):
    """(v, i_and, i_or) of `terms` AND and OR interactions each, with noise that fills a third of the bound."""
    rng = np.random.default_rng(seed)
    i_and, i_or = np.zeros((2, samples, 1 << n))
    for k in range(samples):
        for table, least in ((i_and, 1), (i_or, 2)):
            chosen = rng.permutation(np.flatnonzero(orders(n) >= least))[:terms]
            table[k, chosen] = rng.uniform(1, 1.5, len(chosen)) * np.resize([-1, 1], len(chosen))
    clean = reconstruct(i_and, i_or, rng.normal(size=samples))
    noise = BOUND / 3 * (clean[:, -1:] - clean[:, :1]) * rng.uniform(-1, 1, clean.shape)
    noise[:, [0, -1]] = 0
    return clean + noise, i_and, i_or


def objective(result, v, ridge):
    """The minimised value of a result, in units of v."""
    scale, x = np.abs(v - v[..., :1]).max(-1), stacked(result)
    return np.abs(x).sum(-1) + ridge / 2 * (x * x).sum(-1) / scale


def relative_l1(x, y):
    return np.abs(x - y).sum(-1) / np.abs(y).sum(-1)


def assert_feasible(result, v, noise_bound=BOUND):
    """Exact reconstruction, noise inside the bound (up to the rounding of v itself), and empty entries."""
    scale = np.abs(v - v[..., :1]).max(-1, keepdims=True)
    c = noise_bound * np.abs(v[..., -1:] - v[..., :1])
    np.testing.assert_array_equal(result.noise, v - reconstruct(result.i_and, result.i_or, result.bias))
    assert (np.abs(result.noise) <= np.asarray(result.bound)[..., None]).all()
    assert (result.bound <= c[..., 0] + 1e-14 * (np.abs(v).max(-1) + result.l1)).all()
    rounding = 1e-12 * scale * (c == 0) + 1e-15 * np.abs(v[..., :1])
    assert (np.abs(result.noise) <= c + rounding).all()
    assert not result.i_and[..., 0].any()
    assert not result.i_or[..., orders(v.shape[-1].bit_length() - 1) < 2].any()
    np.testing.assert_allclose(result.l1, np.abs(stacked(result)).sum(-1), rtol=1e-12)


# --- Against the exact optimum -----------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None, derandomize=True)
@given(n=st.integers(2, 5), seed=st.integers(0, 10**6), ridge=st.sampled_from([0.3, 1.0, 5.0]))
def test_the_gap_is_never_below_the_true_distance(n, seed, ridge):
    v = random_games(n, 1, seed)
    exact = np.array([quadratic_optimum(row, ridge)[1] for row in v])
    for tol in (1e-6, 1e-2):
        result = sparse_and_or(v, ridge=ridge, tol=tol)
        assert_feasible(result, v)
        assert (result.gap <= tol).all()
        value = objective(result, v, ridge)
        assert ((value - exact) / value <= result.gap + 1e-8).all()
        assert (value >= exact * (1 - 1e-7)).all()


@pytest.mark.parametrize("n", [6, 8])
def test_agrees_with_an_independent_interior_point(n):
    v = random_games(n, 1, seed=n)
    x = np.stack([quadratic_optimum(row, 0.5)[0] for row in v])
    assert (relative_l1(stacked(sparse_and_or(v)), x) < 0.01).all()
    assert (relative_l1(stacked(sparse_and_or(v, tol=1e-9)), x) < 1e-4).all()
    assert (relative_l1(stacked(sparse_and_or(v, ridge=5)), x) > 1e-4).all()  # another problem, another solution


@pytest.mark.parametrize("n", [6, 7, 8])
def test_is_as_sparse_as_the_exact_linear_program(n):
    v = random_games(n, 1, seed=n)[1:]  # in white noise the interactions exceed the scale, and the ridge costs more
    best = np.array([linear_optimum(row) for row in v])
    l1 = sparse_and_or(v).l1
    assert (l1 >= best * (1 - 1e-9)).all()
    assert (l1 <= best * 1.005).all()


@pytest.mark.parametrize("n", [8, 10])
def test_finds_the_planted_interactions(n):
    v, i_and, i_or = planted(n, 3, 12, seed=1)
    result = sparse_and_or(v)
    assert_feasible(result, v)
    for estimated, true in ((result.i_and, i_and), (result.i_or, i_or)):
        strongest = np.maximum(np.abs(result.i_and).max(-1), np.abs(result.i_or).max(-1))[:, None]
        np.testing.assert_array_equal(np.abs(estimated) > 0.05 * strongest, true != 0)


# --- Symmetries ----------------------------------------------------------------------------------------------------------


def planted_with_any_sign(samples, seed):
    """Values and interactions (samples, 2, 2^10): 12 AND and 12 OR terms of random signs, strengths 0.5 to 2."""
    rng, order = np.random.default_rng(seed), orders(10)
    effects = np.zeros((samples, 2, 1 << 10))
    for sample in effects:
        for kind, least in ((0, 1), (1, 2)):
            chosen = rng.choice(np.flatnonzero(order >= least), 12, replace=False)
            sample[kind, chosen] = rng.choice([-1, 1], 12) * rng.uniform(0.5, 2, 12)
    return reconstruct(effects[:, 0], effects[:, 1], np.zeros(samples)), effects


def test_finds_planted_interactions_of_any_sign_where_no_noise_is_allowed():
    v, effects = planted_with_any_sign(8, seed=5)
    result = sparse_and_or(v, noise_bound=1e-6)
    np.testing.assert_array_equal(salient(result.effects), effects != 0)


def test_what_it_finds_within_the_noise_bound_is_never_worse_than_what_was_planted():
    """With random signs the bound can leave room for something sparser than the planted terms: then that is found."""
    v, effects = planted_with_any_sign(8, seed=5)
    x = effects.reshape(len(v), -1)
    reached = objective(sparse_and_or(v, ridge=0.5), v, 0.5)
    true = np.abs(x).sum(1) + 0.25 * (x * x).sum(1) / np.abs(v - v[:, :1]).max(1)
    assert (reached <= true * (1 + 1e-5)).all() and (reached < 0.95 * true).any()


def close(one, other, tol=1e-3):
    return (relative_l1(stacked(one), stacked(other)) < tol).all()


def test_relabelling_the_variables_permutes_the_result():
    n, v = 6, random_games(6, 2)
    order = np.random.default_rng(0).permutation(n)
    moved = (subset_matrix(n)[:, order] << np.arange(n)).sum(1)  # index of each subset after relabelling
    one, other = sparse_and_or(v, tol=1e-8), sparse_and_or(v[:, moved], tol=1e-8)
    np.testing.assert_allclose(other.i_and, one.i_and[:, moved], atol=2e-3 * one.l1.max())
    assert relative_l1(np.abs(other.i_or), np.abs(one.i_or[:, moved])).max() < 1e-3
    assert not close(one, other)  # the law can fail: the order matters


@pytest.mark.parametrize("factor", [1e-12, -3.0, 1e12])
def test_scaling_the_values_scales_the_interactions(factor):
    v = random_games(6, 1)
    one, other = sparse_and_or(v, tol=1e-8), sparse_and_or(factor * v, tol=1e-8)
    assert_feasible(other, factor * v)
    assert (relative_l1(stacked(other) / factor, stacked(one)) < 1e-3).all()


def test_an_added_constant_moves_only_the_bias():
    v = random_games(6, 1)
    one, other = sparse_and_or(v, tol=1e-8), sparse_and_or(v + 7, tol=1e-8)
    np.testing.assert_allclose(other.bias, one.bias + 7)
    assert close(one, other)


def same_to_the_last_bit(one, other, index=...):
    return all(np.array_equal(field[index], getattr(other, name)) for name, field in vars(one).items())


@pytest.mark.parametrize("n", [4, 8, 10])
def test_neither_the_batch_nor_its_order_nor_threads_move_a_bit(n):
    v = random_games(n, 3)
    before = torch.get_num_threads()
    order = np.random.default_rng(0).permutation(len(v))
    batch = sparse_and_or(v)
    try:
        torch.set_num_threads(3)
        assert same_to_the_last_bit(batch, sparse_and_or(v))
        assert same_to_the_last_bit(batch, sparse_and_or(v[order]), order)
    finally:
        torch.set_num_threads(before)
    for k in (0, 4, 8):
        assert same_to_the_last_bit(batch, sparse_and_or(v[k]), k)


def nearly_smooth(noise, seed):
    """Of ten variables, with so much noise that the matrix which a sample has to begin with is too small."""
    rng = np.random.default_rng(seed)
    return np.tanh(subset_matrix(10) @ rng.normal(size=10)) + noise * rng.normal(size=1 << 10)


def test_room_that_one_sample_needed_does_not_move_a_bit_of_the_next():
    games = ((0.05, 0), (0.015, 1028), (0.025, 1000), (0.025, 1004), (0.025, 1036), (0.03, 1036))
    v = np.stack([nearly_smooth(*game) for game in games])
    batch, turned = sparse_and_or(v), sparse_and_or(v[::-1])
    assert same_to_the_last_bit(batch, turned, np.s_[::-1])
    for k in range(len(v)):
        assert same_to_the_last_bit(batch, sparse_and_or(v[k]), k)


def test_the_noise_that_is_left_stays_within_the_bound_that_is_given(rng):
    v = rng.normal(size=(3, 1 << 10))
    for noise_bound in (1e-12, 1e-9, 0.04):
        result = sparse_and_or(v, noise_bound=noise_bound)
        assert (np.abs(result.noise).max(axis=1) <= result.bound).all()


# --- Degenerate games ------------------------------------------------------------------------------------------------------


def test_a_constant_game_has_no_interactions():
    result = sparse_and_or(np.full((2, 16), 3.0))
    assert not stacked(result).any() and not result.gap.any() and not result.noise.any() and not result.iterations.any()


def test_a_wide_noise_bound_leaves_nothing_to_explain():
    v = random_games(5, 1)
    v[:, -1] = v[:, 0] + 3
    result = sparse_and_or(v, noise_bound=10)
    assert not stacked(result).any() and not result.gap.any()
    assert_feasible(result, v, noise_bound=10)


@pytest.mark.parametrize("n", [1, 2, 3, 6, 8])
def test_equal_ends_or_no_noise_leave_equations(n):
    v = random_games(n, 1) if n > 1 else np.array([[0.3, 1.0], [2.0, -1.0]])
    no_noise = sparse_and_or(v, noise_bound=0)
    assert_feasible(no_noise, v, noise_bound=0)
    assert (no_noise.gap <= 1e-5).all()
    v[:, -1] = v[:, 0]
    assert_feasible(sparse_and_or(v), v)


def test_one_hot_games_are_solved_within_the_bound_and_certified():
    v = np.eye(64)
    result = sparse_and_or(v)
    assert_feasible(result, v)
    assert (result.gap <= 1e-5).all()


def test_one_variable_is_one_and_interaction():
    result = sparse_and_or(np.array([1.0, 3.0]))
    np.testing.assert_allclose(result.i_and, [0, 2 * (1 - BOUND)], rtol=1e-6)


@pytest.mark.parametrize("n", range(1, 10))
def test_games_of_any_number_of_variables_are_solved_within_the_bound_and_certified(n):
    v = np.random.default_rng(n).normal(size=(1, 1 << n))
    result = sparse_and_or(v)
    assert_feasible(result, v)
    assert (result.gap <= 1e-5).all()


# --- The interface --------------------------------------------------------------------------------------------------------


def test_the_result_is_of_the_kind_of_v():
    v = random_games(4, 1)
    reference = sparse_and_or(v)
    for kind, dtype in itertools.product((np.asarray, torch.tensor), ("float32", "float64")):
        given_v = kind(v.astype(dtype))
        result = sparse_and_or(given_v)
        for name, field in vars(result).items():
            assert type(field) is type(given_v), name
        assert type(result.effects) is type(given_v) and result.effects.shape == (len(v), 2, 16)
        assert result.i_and.dtype == (torch.float64 if isinstance(field, torch.Tensor) else np.float64)
        as_numpy = SparseAndOr(**{name: np.asarray(field) for name, field in vars(result).items()})
        assert close(as_numpy, reference)
        assert_feasible(as_numpy, v.astype(dtype).astype("float64"))


def test_v_is_left_alone_and_carries_no_gradient():
    v = torch.randn(2, 16, requires_grad=True)
    before = v.detach().clone()
    assert not sparse_and_or(v).i_and.requires_grad
    assert torch.equal(v, before)


def test_one_vector_gives_a_result_without_batch_axis():
    v = random_games(4, 1)[0]
    result = sparse_and_or(v)
    assert result.i_and.shape == result.i_or.shape == result.noise.shape == v.shape
    assert np.shape(result.bias) == np.shape(result.gap) == np.shape(result.l1) == np.shape(result.iterations) == ()
    assert_feasible(result, v)


TOO_SMALL = np.random.default_rng(0).uniform(-5e-320, 5e-320, size=(20, 16))  # a digit or two of them are left


def test_a_result_that_is_not_converged_says_so_and_is_feasible():
    v = np.concatenate([np.ones((1, 64)), random_games(6, 1)])
    with pytest.warns(UserWarning, match=r"1 \(gap .*, 2 \(gap"):
        result = sparse_and_or(v, tol=1e-9, max_iter=1)
    assert_feasible(result, v)
    assert result.gap[0] == 0 and (result.gap[1:] > 1e-9).all() and np.isfinite(result.gap).all()
    exact = np.array([quadratic_optimum(row, 0.5)[1] for row in v[1:]])
    rest = SparseAndOr(**{name: field[1:] for name, field in vars(result).items()})
    value = objective(rest, v[1:], 0.5)
    assert ((value - exact) / value <= rest.gap + 1e-8).all()


@pytest.mark.parametrize(
    ("v", "arguments", "message"),
    [
        (np.zeros(6), {}, "v has 6 entries"),
        (np.zeros(1), {}, "v has 1 entries"),
        (np.zeros((0, 4)), {}, "v has shape (0, 4)"),
        (np.zeros((2, 2, 4)), {}, "v has 3 axes, shape (2, 2, 4); expected (2^n,) or (batch, 2^n)"),
        (np.array([[0.0, 1], [np.nan, 1], [1, np.inf]]), {}, "samples [1, 2]"),
        (np.zeros(4), {"noise_bound": -0.1}, "noise_bound = -0.1"),
        (np.zeros(4), {"noise_bound": np.nan}, "noise_bound = nan"),
        (np.zeros(4), {"ridge": 0}, "ridge = 0"),
        (np.zeros(4), {"tol": -1e-3}, "tol = -0.001"),
        (np.zeros(4), {"max_iter": 0}, "max_iter = 0"),
        (np.zeros(1 << 17), {}, "n = 17 variables; expected 1 to 16"),
        (TOO_SMALL, {}, "v is too near the ends of float64 in samples ["),
    ],
)
def test_one_clear_line_for_each_wrong_argument(v, arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        sparse_and_or(v, **arguments)
    assert "\n" not in str(error.value) and "expected" in str(error.value)
