"""A basis of functions of subsets in which Phi Phi' falls into small blocks, and the blocks of its inverses.

Phi Phi' commutes with every permutation of the variables: its entry at (S, T) depends on |S|, |T| and |S & T| only. Read a
variable that is shown as a spin that points up, one that is masked as a spin down. The functions of subsets of g variables
are then the states of g spins, and coupling one spin after the other to a total spin (Clebsch and Gordan) gives an
orthonormal basis of states (j, path, m): the total spin j / 2, the way by which it was reached, and its projection m / 2.
By the duality of Schur and Weyl, an operator that commutes with permutations leaves j and the path alone.

All n variables coupled at once would need the most steps. So they are split into two halves, each of which is coupled for
itself. An operator that commutes with all permutations commutes with those within the halves: it is one square block of
side (j1 + 1)(j2 + 1) for each pair (j1, j2), the same for every pair of paths. With n = 10 the largest block has side 36,
and a product with any function of Phi Phi' costs about 33,000 multiplications, not a million.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from symgen.interactions.subsets import orders
from symgen.interactions.transforms import subset_sums


class Basis(NamedTuple):
    """The way into the basis: rotations of rows of one half, a transposition, rotations of the other, a permutation."""

    high_pairs: np.ndarray  # (rotation, 2): rows that are rotated, of the half of the upper bits
    high_turns: np.ndarray  # (rotation, 2): cosine and sine
    low_pairs: np.ndarray
    low_turns: np.ndarray
    place: np.ndarray  # (2^n,): where each coordinate lies after the rotations; blocks are contiguous
    shapes: np.ndarray  # (block, 2): how often a block comes, its side


@lru_cache(maxsize=32)
def basis(n: int) -> Basis:
    """The basis for n variables; the lower n // 2 bits of a subset are one half, the rest the other."""
    low_pairs, low_turns, low = _coupled(n // 2)
    high_pairs, high_turns, high = _coupled(n - n // 2)
    low, high = low[:, None, :], high[None, :, :]
    (j_low, path_low, m_low), (j_high, path_high, m_high) = (
        np.broadcast_to(half, (low.shape[0], high.shape[1], 3)).reshape(-1, 3).T for half in (low, high)
    )
    place = np.lexsort((m_high, m_low, path_high, path_low, j_high, j_low))  # the last key is the first to sort by
    sides, counts = np.unique(np.stack([j_low, j_high])[:, place], axis=1, return_counts=True)
    sides = (sides + 1).prod(axis=0)
    return Basis(high_pairs, high_turns, low_pairs, low_turns, place, np.stack([counts // sides, sides], axis=1))


def _coupled(g):
    """Rotations of rows that couple g spins, and for each row (j, path, m) afterwards.

    Spin i is coupled to the j of the spins before it. (m, down) and (m - 2, up) have the same projection m - 1: one row
    becomes the state of spin j + 1 and the other that of j - 1. (j, up) and (-j, down) stay as they are.
    """
    pairs, turns = [], []
    states = {(0, 0, 0): 0}  # (j, path, m): row; the bits of a path say where the spin grew
    for i in range(g):
        coupled = {}
        for (j, path, m), down in states.items():
            grown, shrunk = path | 1 << i, path
            if m == j:
                coupled[j + 1, grown, j + 1] = down + (1 << i)
            if m == -j:
                coupled[j + 1, grown, -j - 1] = down
            else:
                up, projection = states[j, path, m - 2] + (1 << i), m - 1
                turn = np.sqrt(np.array([j + projection + 1, j - projection + 1]) / (2 * (j + 1)))
                others = np.arange(1 << (g - i - 1))[:, None] << (i + 1)  # whatever the later spins are
                pairs.append(np.array([up, down]) + others)
                turns.append(np.broadcast_to(turn, (len(others), 2)))
                coupled[j + 1, grown, projection] = up
                coupled[j - 1, shrunk, projection] = down
        states = coupled
    of_row = np.array(sorted(states, key=states.get)).reshape(-1, 3)
    if not pairs:
        return np.zeros((0, 2), np.int64), np.zeros((0, 2)), of_row
    return np.concatenate(pairs), np.concatenate(turns), of_row


def into(x: np.ndarray, n: int) -> np.ndarray:
    """Coordinates in the basis of functions x (..., 2^n); what the compiled code does in place."""
    way = basis(n)
    x = _rotated(x.reshape(*x.shape[:-1], -1, 1 << n // 2), way.high_pairs, way.high_turns)
    x = _rotated(np.swapaxes(x, -1, -2), way.low_pairs, way.low_turns)
    return x.reshape(*x.shape[:-2], -1)[..., way.place]


def out_of(y: np.ndarray, n: int) -> np.ndarray:
    """The inverse of `into`, which is its transpose."""
    way = basis(n)
    x = np.empty_like(y)
    x[..., way.place] = y
    x = x.reshape(*y.shape[:-1], 1 << n // 2, -1)
    x = _rotated(x, way.low_pairs[::-1], way.low_turns[::-1] * [1, -1])
    x = _rotated(np.swapaxes(x, -1, -2), way.high_pairs[::-1], way.high_turns[::-1] * [1, -1])
    return x.reshape(y.shape)


def _rotated(x, pairs, turns):
    x = x.copy()
    for (a, b), (cosine, sine) in zip(pairs, turns):
        one, other = x[..., a, :].copy(), x[..., b, :]
        x[..., a, :] = cosine * one + sine * other
        x[..., b, :] = cosine * other - sine * one
    return x


@lru_cache(maxsize=32)
def inverse_blocks(n: int, added: float) -> np.ndarray:
    """The blocks of (Phi Phi' + added)^-1, flat; the empty set's row and column are those of the identity."""
    inverses = [np.linalg.inv(block + added * np.eye(len(block))) for block in gram_blocks(n)]
    return np.concatenate([((inverse + inverse.T) / 2).ravel() for inverse in inverses])


@lru_cache(maxsize=32)
def gram_blocks(n: int) -> list[np.ndarray]:
    """The blocks of Phi Phi', found by applying it to the first states of each."""
    blocks, first = [], 0
    for count, side in basis(n).shapes:
        states = np.zeros((side, 1 << n))
        states[np.arange(side), first + np.arange(side)] = 1
        block = into(_gram(out_of(states, n), n), n)[:, first : first + side]
        blocks.append((block + block.T) / 2)
        first += count * side
    return blocks


def _gram(y, n):
    """Phi Phi' y for y (..., 2^n), with the entry of the empty set left as it is."""
    live = live_entries(n)
    inside = y * (orders(n) > 0)
    x_and = subset_sums(inside[..., ::-1])[..., ::-1] * live[: 1 << n]
    x_or = (inside.sum(-1, keepdims=True) - subset_sums(inside)[..., ::-1]) * live[1 << n :]
    sums_or = subset_sums(x_or)
    return subset_sums(x_and) + sums_or[..., -1:] - sums_or[..., ::-1] + (y - inside)


@lru_cache(maxsize=32)
def live_entries(n: int) -> np.ndarray:
    """1 where an interaction lives, else 0: AND from order 1, then OR from order 2, (2 * 2^n,)."""
    return np.concatenate([orders(n) >= 1, orders(n) >= 2]).astype(float)
