"""Laws of the exact transforms, and two independent oracles."""

import itertools

import numpy as np
import pytest
import shapiq
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from symgen import (
    and_interactions,
    fold_sums,
    members,
    merge_singletons,
    or_interactions,
    orders,
    reconstruct,
    sparse_and_or,
    subset_index,
)
from symgen.interactions.subsets import subset_matrix

sizes = st.integers(1, 8)
seeds = st.integers(0, 2**32 - 1)


def game(n, seed, batch=()):
    return np.random.default_rng(seed).normal(size=(*batch, 2**n))


def brute(v, n, of_complement):
    """Both sums as they stand in the definition, subset by subset."""
    result = np.zeros(2**n)
    full = 2**n - 1
    for t in range(2**n):
        for size in range(len(members(t)) + 1):
            for chosen in itertools.combinations(members(t), size):
                inner = subset_index(chosen)
                value = v[full ^ inner] if of_complement else v[inner]
                result[t] += (-1) ** (len(members(t)) - size) * value
    return result


def test_bit_i_of_an_index_is_variable_i():
    assert members(0b101) == (0, 2) and subset_index([2, 0]) == 5
    assert subset_matrix(3)[0b110].tolist() == [False, True, True]
    assert orders(3).tolist() == [0, 1, 1, 2, 1, 2, 2, 3]


def test_transforms_are_those_of_the_definition_at_six_variables():
    v = game(6, 1)
    np.testing.assert_allclose(and_interactions(v), brute(v, 6, False), atol=1e-10)
    expected = -brute(v, 6, True)
    expected[0] = 0
    np.testing.assert_allclose(or_interactions(v), expected, atol=1e-10)


@settings(max_examples=30, deadline=None)
@given(sizes, seeds, seeds)
def test_any_split_of_v_is_rebuilt(n, seed, other):
    v, gamma = game(n, seed, (3,)), game(n, other, (3,))
    i_and, i_or = and_interactions(v / 2 + gamma), or_interactions(v / 2 - gamma)
    np.testing.assert_allclose(reconstruct(i_and, i_or, v[:, 0]), v, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(sizes, seeds, seeds)
def test_an_or_of_one_variable_is_an_and_of_it(n, seed, other):
    i_and, i_or = game(n, seed), game(n, other)
    merged_and, merged_or = merge_singletons(i_and, i_or)
    assert (merged_or[orders(n) == 1] == 0).all()
    np.testing.assert_allclose(reconstruct(merged_and, merged_or, 0.5), reconstruct(i_and, i_or, 0.5), atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 7), seeds, seeds)
def test_folded_sums_give_the_same_outputs_with_no_more_strength(n, seed, other):
    i_and, i_or = game(n, seed), game(n, other)
    folded = fold_sums(i_and, i_or)
    np.testing.assert_allclose(reconstruct(*folded, 0.5), reconstruct(i_and, i_or, 0.5), atol=1e-9)
    before, after = (sum(np.abs(part[1:]).sum() for part in both) for both in ((i_and, i_or), folded))
    assert after <= before + 1e-9
    of_two = orders(n) == 2
    signs = [np.sign(part[of_two]) for part in folded]
    assert (signs[0] * signs[1] <= 0).all()  # no sum is left
    assert all((one[orders(n) > 2] == other[orders(n) > 2]).all() for one, other in zip(folded, (i_and, i_or)))
    of_tensors = fold_sums(torch.as_tensor(i_and), torch.as_tensor(i_or))
    assert all((one.numpy() == other).all() for one, other in zip(of_tensors, folded))


def test_of_a_sum_of_effects_the_solver_has_half_at_order_two_and_folding_has_all_at_order_one():
    effects = np.array([1.0, -2.0, 0.5, 3.0])
    v = (np.arange(16)[:, None] >> np.arange(4) & 1) @ effects
    solved = sparse_and_or(v[None], noise_bound=0).effects[0]
    assert np.abs(solved[:, orders(4) == 2]).sum() > 0.3 * np.abs(solved).sum()
    i_and, i_or = fold_sums(*solved)
    np.testing.assert_allclose(i_and[[1, 2, 4, 8]], effects, atol=1e-6)
    assert np.abs(i_or).max() < 1e-6 and np.abs(i_and[orders(4) > 1]).max() < 1e-6


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 7), seeds)
def test_relabelling_variables_permutes_the_interactions(n, seed):
    v = game(n, seed)
    order = np.random.default_rng(seed).permutation(n)
    moved = np.array([subset_index(order[list(members(s))]) for s in range(2**n)])  # where each subset goes
    relabelled = np.empty_like(v)
    relabelled[moved] = v
    for transform in (and_interactions, or_interactions):
        np.testing.assert_allclose(transform(relabelled)[moved], transform(v), atol=1e-9)


@given(seeds, st.floats(-100, 100), st.floats(-100, 100))
@settings(max_examples=30, deadline=None)
def test_scaling_scales_and_a_constant_moves_only_the_empty_set(seed, scale, constant):
    v = game(5, seed)
    i_and = and_interactions(v)
    moved = and_interactions(scale * v + constant)
    np.testing.assert_allclose(moved[1:], scale * i_and[1:], atol=1e-8)
    np.testing.assert_allclose(moved[0], scale * i_and[0] + constant, atol=1e-8)
    np.testing.assert_allclose(or_interactions(scale * v + constant), scale * or_interactions(v), atol=1e-8)


def test_or_is_the_co_moebius_transform_with_a_sign():
    """I_or(T) = (-1)^(|T|+1) CoMoebius(T), against shapiq."""
    n = 5
    v = game(n, 3)

    def call(coalitions):
        return np.array([v[subset_index(np.flatnonzero(row))] for row in np.atleast_2d(coalitions)])

    computer = shapiq.ExactComputer(n_players=n, game=call)
    computed = computer("Co-Moebius", order=n)
    ours = or_interactions(v)
    for subset in range(1, 2**n):
        theirs = computed[members(subset)]
        assert ours[subset] == pytest.approx((-1) ** (len(members(subset)) + 1) * theirs, abs=1e-9)
    moebius = computer("Moebius", order=n)
    for subset in range(1, 2**n):
        assert and_interactions(v)[subset] == pytest.approx(moebius[members(subset)], abs=1e-9)


def test_an_and_and_an_or_are_found_where_they_were_planted():
    table = subset_matrix(4)
    v = 2.0 * table[:, [0, 2]].all(axis=1)
    assert np.flatnonzero(and_interactions(v)).tolist() == [subset_index([0, 2])]
    v = 3.0 * table[:, [1, 2, 3]].any(axis=1)
    assert np.flatnonzero(or_interactions(v)).tolist() == [subset_index([1, 2, 3])]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_torch_gives_what_numpy_gives_and_leaves_its_input_alone(dtype):
    v = torch.as_tensor(game(6, 4, (2,))).to(dtype)
    before = v.clone()
    for transform in (and_interactions, or_interactions):
        result = transform(v)
        assert isinstance(result, torch.Tensor) and result.dtype == dtype
        np.testing.assert_allclose(result.numpy(), transform(v.numpy()), atol=1e-4)
    i_and, i_or = and_interactions(v / 2), or_interactions(v / 2)
    torch.testing.assert_close(reconstruct(i_and, i_or, v[:, 0]), v, atol=1e-4, rtol=0)
    assert torch.equal(v, before)


@pytest.mark.parametrize("length", [0, 1, 3, 12])
def test_a_length_that_is_no_power_of_two(length):
    with pytest.raises(ValueError, match=rf"{length} entries.*expected 2\^n"):
        and_interactions(np.zeros(length))
