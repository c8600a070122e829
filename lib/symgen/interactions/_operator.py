"""The linear map Phi from interactions to values, its transpose, and functions of Phi Phi', compiled.

    (Phi x)(S) = sum_{T subset S} x_and(T) + sum_{T meets S} x_or(T)

The second sum is the sum of all x_or less those that lie within the complement of S. So Phi is two sums over subsets, and
the complement of a subset is at the mirrored index. Interactions are flat, AND then OR: x (2 * 2^n,); values are y (2^n,).
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from symgen.interactions._basis import Basis, basis, inverse_blocks, live_entries
from symgen.interactions._compile import compiled

WEIGHTS = 2.5, 1.0  # of the noise in ADMM, beside interactions: in sparse games, and in dense ones


class Weighted(NamedTuple):
    """For ADMM with a weight of the noise: the blocks of (Phi Phi' + weight^2)^-1."""

    weight: float
    inverse: np.ndarray


class Tables(NamedTuple):
    """What depends on the number of variables only."""

    basis: Basis
    live: np.ndarray  # (2 * 2^n,): 1 where an interaction lives
    inverse: np.ndarray  # the blocks of (Phi Phi')^-1
    sparse: Weighted
    dense: Weighted


@lru_cache(maxsize=16)
def tables(n: int) -> Tables:
    """The tables for n variables."""
    way = Basis(*map(np.ascontiguousarray, basis(n)))
    weighted = (Weighted(weight, inverse_blocks(n, weight**2)) for weight in WEIGHTS)
    return Tables(way, live_entries(n), inverse_blocks(n, 0.0), *weighted)


# --- Sums over subsets ---------------------------------------------------------------------------------------------------
# Variable by variable, in place: the entry without the variable is added to the entry with it.
# The lowest three variables together, in registers, then two at a time, so that memory is passed through less often.


@compiled
def subset_sums(x):
    """x(S) := sum over L subset S of x(L)."""
    size = x.size
    stride = 1
    if size >= 8:
        _octet_subset_sums(x)
        stride = 8
    while 4 * stride <= size:
        for first in range(0, size, 4 * stride):
            none = x[first : first + stride]
            one = x[first + stride : first + 2 * stride]
            other = x[first + 2 * stride : first + 3 * stride]
            both = x[first + 3 * stride : first + 4 * stride]
            for i in range(stride):
                a, c = none[i], other[i]
                b = one[i] + a
                one[i] = b
                both[i] = both[i] + c + b
                other[i] = c + a
        stride *= 4
    while stride < size:
        for first in range(0, size, 2 * stride):
            none, one = x[first : first + stride], x[first + stride : first + 2 * stride]
            for i in range(stride):
                one[i] += none[i]
        stride *= 2


@compiled
def _octet_subset_sums(x):
    for octet in range(x.size // 8):
        i = 8 * octet
        a, b, c, d, e, f, g, h = x[i], x[i + 1], x[i + 2], x[i + 3], x[i + 4], x[i + 5], x[i + 6], x[i + 7]
        b, d, f, h = b + a, d + c, f + e, h + g
        c, d, g, h = c + a, d + b, g + e, h + f
        e, f, g, h = e + a, f + b, g + c, h + d
        x[i], x[i + 1], x[i + 2], x[i + 3], x[i + 4], x[i + 5], x[i + 6], x[i + 7] = a, b, c, d, e, f, g, h


# --- Phi and its transpose -----------------------------------------------------------------------------------------------


@compiled
def apply(x, out, work):
    """out := Phi x. work: (2 * 2^n,)."""
    size = out.size
    for i in range(2 * size):
        work[i] = x[i]
    sums_and, sums_or = work[:size], work[size:]
    subset_sums(sums_and)
    subset_sums(sums_or)
    every = sums_or[size - 1]
    for i in range(size):
        out[i] = sums_and[i] + (every - sums_or[size - 1 - i])


@compiled
def apply_transposed(y, live, out, work):
    """out := Phi' y, zero where no interaction lives. work: (2^n,)."""
    size = y.size
    out_and, out_or = out[:size], out[size:]
    total = 0.0
    for i in range(size):
        total += y[i]
        out_or[i] = y[size - 1 - i]
        work[i] = y[i]
    subset_sums(out_or)  # of the mirrored y: sums over supersets, mirrored
    subset_sums(work)
    for i in range(size):
        out_and[i] = out_or[size - 1 - i] * live[i]
    for i in range(size):
        out_or[i] = (total - work[size - 1 - i]) * live[size + i]


# --- Functions of Phi Phi' -----------------------------------------------------------------------------------------------


@compiled
def apply_blocks(y, blocks, basis, work):
    """y := f(Phi Phi') y for the function whose blocks are given (see `_basis`). work: (2, 2^n)."""
    low = 1 << (_log2(y.size) // 2)
    high = y.size // low
    turned, coordinates = work[0], work[1]
    _rotate(y, low, basis.high_pairs, basis.high_turns)
    _transpose(y, turned, high, low)
    _rotate(turned, high, basis.low_pairs, basis.low_turns)
    for i in range(y.size):
        coordinates[i] = turned[basis.place[i]]
    _multiply_blocks(coordinates, y, blocks, basis.shapes)
    for i in range(y.size):
        turned[basis.place[i]] = y[i]
    _rotate_back(turned, high, basis.low_pairs, basis.low_turns)
    _transpose(turned, y, low, high)
    _rotate_back(y, low, basis.high_pairs, basis.high_turns)


@compiled
def _log2(size):
    n = 0
    while 1 << n < size:
        n += 1
    return n


@compiled
def _rotate(x, width, pairs, turns):
    """Rotate pairs of rows of x, which are `width` long, one after the other."""
    for k in range(pairs.shape[0]):
        _rotate_two(x, width, pairs[k, 0], pairs[k, 1], turns[k, 0], turns[k, 1])


@compiled
def _rotate_back(x, width, pairs, turns):
    for back in range(pairs.shape[0]):
        k = pairs.shape[0] - 1 - back
        _rotate_two(x, width, pairs[k, 0], pairs[k, 1], turns[k, 0], -turns[k, 1])


@compiled
def _rotate_two(x, width, row, other_row, cosine, sine):
    one = x[row * width : (row + 1) * width]
    other = x[other_row * width : (other_row + 1) * width]
    for i in range(width):
        a, b = one[i], other[i]
        one[i] = cosine * a + sine * b
        other[i] = cosine * b - sine * a


@compiled
def _transpose(x, out, rows, columns):
    for row in range(rows):
        for column in range(columns):
            out[column * rows + row] = x[row * columns + column]


@compiled
def _multiply_blocks(x, out, blocks, shapes):
    """Each part of x by its symmetric block."""
    first, block = 0, 0
    for k in range(shapes.shape[0]):
        count, side = shapes[k, 0], shapes[k, 1]
        for _ in range(count):
            _multiply_block(x[first : first + side], out[first : first + side], blocks[block : block + side * side])
            first += side
        block += side * side


@compiled
def _multiply_block(x, out, block):
    """By four rows of the block at a time: `out` is read and written less often."""
    side = x.size
    for j in range(side):
        out[j] = 0.0
    i = 0
    while i + 4 <= side:
        a, b, c, d = x[i], x[i + 1], x[i + 2], x[i + 3]
        row_a, row_b = block[i * side : (i + 1) * side], block[(i + 1) * side : (i + 2) * side]
        row_c, row_d = block[(i + 2) * side : (i + 3) * side], block[(i + 3) * side : (i + 4) * side]
        for j in range(side):
            out[j] += a * row_a[j] + b * row_b[j] + c * row_c[j] + d * row_d[j]
        i += 4
    while i < side:
        a, row_a = x[i], block[i * side : (i + 1) * side]
        for j in range(side):
            out[j] += a * row_a[j]
        i += 1
