"""A primal-dual interior point on few rows, which come and go while it runs, compiled.

At the solution of most games with ten variables the noise is at its bound in 40 to 450 of the 1,023 rows; the others could
be left out. So the Newton system is set up between `count` chosen rows, (count, count), and factors are ten to a thousand
times cheaper than those between all of them. Which rows matter need not be known: every product with Phi gives the noise of
all rows anyway, so rows whose bound is violated join, and rows that are far from their bound leave.

The problem is its own mirror image. With multipliers y of the rows, a = (x, y) is paired with mid = (Phi' y - ridge x,
u - Phi x), which stays within edge = (1, bound); a is positive (negative) only where mid is at its upper (lower) end. So
a = plus - minus, with plus * up and minus * low going to zero together, where up = edge - mid and low = edge + mid.

A Newton step changes these products by given aims and clears what is missing in both linear equations. Eliminating all
but the rows leaves

    (Phi diag(weight) Phi' + diag(1 / slope_y)) dy = right,    slope = plus / up + minus / low,
    weight = slope_x / (1 + ridge slope_x).

The entry between rows R and S of the first term is the weight of the ANDs within R & S, plus that of the ORs that meet
both: sums over subsets of the weight, looked up at R & S and at the complements of R, S and R | S.
"""

from typing import NamedTuple

import numba
import numpy as np
from numba.np.linalg import _LAPACK

from symgen.interactions._compile import compiled, compiled_for_finite, entry_point
from symgen.interactions._operator import apply, apply_transposed, subset_sums

CONVERGED, NEEDS_ROOM, STOPPED = 0, 1, 2  # what `descend` ends with
FLOOR = 1e-10  # smaller bounds are widened to this here; the repair makes them exact
NEARLY_ALL = 0.9995  # of the way to where the first of the positive numbers would be zero
EXACT = 1e-6  # share of the bound within which the noise of every row must be known at the end
SPENT = 1e-16  # mean of plus * up + minus * low below which nothing is left to gain in float64
LATE = 1e-8  # and below which primal and dual steps are of one length, or the ridge would tear them apart
# Rows that are violated join, a little inside their bound. Chosen by time on vectors of fashion-vgg and snippets-bert.
JOIN_SHARE, JOIN_LEAST = 0.1, 8  # at most so many at a time, of those there are
JOIN_LEVELS = 32  # of violation, by which the worst are found in one pass
JOIN_AFTER_STEP = 0.1  # not after shorter primal steps, when x is not to be trusted
JOIN_CLOSE = 100.0  # times the mean product is the distance from the bound at which a row joins
# Rows leave that are so many times softer than their column of the Newton matrix, so far from their bound, and so exact
LEAVE_STIFFNESS, LEAVE_DISTANCE, LEAVE_EXACT = 0.3, 0.3, 0.1
SHORT = 0.1  # after such a step the products are brought together rather than down
CORRECTED_FROM = 60  # rows from which centrality corrections pay: a factor then costs more than a few solves
CORRECTED_MORE, CORRECTIONS = 150, 3  # rows for one correction more; at most so many
CORRECTION_REACH, CORRECTION_GAIN = 0.3, 0.06  # how much longer a step is tried; by how much the two steps must grow
CORRECTION_RANGE = 10.0  # products within this factor of the target are left alone
GOOD_STEP = 0.9  # longer ones need no correction
CORRECT_ROWS = 2  # times that the chosen rows are brought inside their bound at the end
DIAGONAL = 1 + 1e-13  # keeps the matrix positive definite under rounding

_potrf = _LAPACK().numba_xxpotrf(numba.float64)
_DOUBLE, _UPPER = np.int8(ord("d")), np.int8(ord("U"))


class Pairs(NamedTuple):
    """The numbers of one half, interactions (2 * 2^n,) or rows (2^n,) of which the first `count` are in use."""

    plus: np.ndarray
    minus: np.ndarray
    up: np.ndarray
    low: np.ndarray
    over_up: np.ndarray  # 1 / up
    over_low: np.ndarray  # 1 / low
    slope: np.ndarray
    missing: np.ndarray  # mid as the linear equation wants it, less (low - up) / 2
    aim_plus: np.ndarray  # wanted change of plus * up
    aim_minus: np.ndarray  # and of minus * low
    shift: np.ndarray  # aim_plus / up - aim_minus / low


class Way(NamedTuple):
    """A direction for both halves: of plus, minus and mid."""

    plus_x: np.ndarray
    minus_x: np.ndarray
    mid_x: np.ndarray
    plus_y: np.ndarray
    minus_y: np.ndarray
    mid_y: np.ndarray


class Point(NamedTuple):
    """Where the interior point is: both halves, the chosen rows, and what is computed on the way."""

    x: np.ndarray  # (2 * 2^n,): plus - minus of the interactions
    y: np.ndarray  # (2^n,): plus - minus of the rows, in their order
    of_x: Pairs
    of_y: Pairs
    rows: np.ndarray  # (2^n,): the chosen subsets
    chosen: np.ndarray  # (2^n,): whether each subset is chosen
    count: np.ndarray  # (1,): how many are
    pull: np.ndarray  # (2 * 2^n,): Phi' y
    image: np.ndarray  # (2^n,): Phi x, and Phi dx while a direction is sought
    weight: np.ndarray  # (2 * 2^n,): of each interaction in the Newton matrix
    sums: np.ndarray  # (2 * 2^n,): work; from `_prepare` to `_factorise` the subset sums of the weights
    whole: np.ndarray  # (2, 2^n): work
    levels: np.ndarray  # (JOIN_LEVELS,): work
    way: Way
    trial: Way  # another direction


class Measure(NamedTuple):
    """Objective, lower bound and residuals of a point."""

    value: float
    lower: float
    products: float  # their sum
    wrong: float  # the worst violation of the equation in the chosen rows
    outside: float  # the worst violation of the bound in the others


@entry_point
def begin(problem, x, y, product, margin, point, tables):
    """Set up the point at rough x (2 * 2^n,) and y (2^n,) on the rows marked in `point.chosen`.

    All products are at least about `product`, those of rows less where the bound is very small; mid keeps the share
    `margin` of an edge from its ends.
    """
    count = 0
    for i in range(1, problem.u.size):
        if point.chosen[i]:
            point.rows[count] = i
            point.y[count] = y[i]
            count += 1
    point.count[0] = count
    for i in range(x.size):
        point.x[i] = x[i]
    _pull_rows(point.y, point, tables, point.pull)
    apply(point.x, point.image, point.sums)
    for i in range(x.size):
        _place(point.of_x, i, x[i], point.pull[i] - problem.ridge * x[i], 1.0, product, margin)
    edge = max(problem.bound, FLOOR)
    for i in range(count):
        noise = problem.u[point.rows[i]] - point.image[point.rows[i]]
        _place(point.of_y, i, point.y[i], noise, edge, product * _scale_of_rows(edge), margin)


@compiled
def _place(pairs, i, a, mid, edge, product, margin):
    mid = min(max(mid, -(1 - margin) * edge), (1 - margin) * edge)
    pairs.up[i], pairs.low[i] = edge - mid, edge + mid
    pairs.plus[i], pairs.minus[i] = max(a, product / pairs.up[i]), max(-a, product / pairs.low[i])


@compiled
def _scale_of_rows(edge):
    """Products of rows are smaller where the bound is very small."""
    return min(edge / 1e-3, 1.0)


@entry_point
def descend(problem, point, tol, most_steps, matrix, tables):
    """Newton steps in place until the relative duality gap is below `tol`: (how it ended, steps).

    matrix: flat, at least count^2 numbers; with `NEEDS_ROOM` it is too small, and `descend` goes on with a larger one.
    """
    steps, primal, dual = 0, 1.0, 1.0
    while True:
        mean = _take_difference(point.of_x, point.x, point.x.size)
        apply(point.x, point.image, point.sums)
        outside = _worst_outside(problem, point)
        if outside > _exact(problem) and primal > JOIN_AFTER_STEP:
            _join(problem, point, outside, mean)
        measure = _measure(problem, point, outside, tables)
        if _converged(problem, measure, tol):
            if steps > 0:
                _correct_rows(problem, point, matrix, tables)
            return CONVERGED, steps
        if point.count[0] ** 2 > matrix.size:
            return NEEDS_ROOM, steps
        spent = measure.products < SPENT * (point.x.size + point.count[0])
        if steps >= most_steps or spent or not np.isfinite(measure.value - measure.lower):
            return STOPPED, steps
        total = _prepare(problem, point, measure.products, steps > 0, tables)
        if not _factorise(point, matrix):
            return STOPPED, steps
        primal, dual = _advance(problem, point, total, min(primal, dual) < SHORT, matrix, tables)
        if primal + dual == 0:
            return STOPPED, steps
        steps += 1


@compiled
def _converged(problem, measure, tol):
    gap = abs(measure.value - measure.lower)
    return gap <= tol * measure.value and max(measure.wrong, measure.outside) <= _exact(problem)


@compiled
def _exact(problem):
    """How far from its equation, or outside its bound, the noise of a row may be at the end; the rest is repaired."""
    return EXACT * max(problem.bound, 1e-3)


# --- Measuring -----------------------------------------------------------------------------------------------------------


@compiled
def _take_difference(pairs, a, count):
    """The array a := plus - minus; returns the mean of the products."""
    total = 0.0
    for i in range(count):
        a[i] = pairs.plus[i] - pairs.minus[i]
        total += pairs.plus[i] * pairs.up[i] + pairs.minus[i] * pairs.low[i]
    return total / (2 * max(count, 1))


@compiled
def _worst_outside(problem, point):
    """The worst violation of the noise bound in rows that are not chosen."""
    worst = 0.0
    for i in range(1, problem.u.size):
        if not point.chosen[i]:
            worst = max(worst, abs(problem.u[i] - point.image[i]) - problem.bound)
    return worst


@compiled
def _measure(problem, point, outside, tables):
    """Objective, lower bound, products and residuals; the aims of a step are set to take the products to zero."""
    count, edge = point.count[0], max(problem.bound, FLOOR)
    _take_difference(point.of_y, point.y, count)
    _pull_rows(point.y, point, tables, point.pull)
    value, over = 0.0, 0.0
    for i in range(point.x.size):
        x, pull = point.x[i], point.pull[i]
        value += abs(x) + problem.ridge / 2 * x * x
        excess = max(abs(pull) - 1, 0.0)
        over += excess * excess
        point.of_x.missing[i] = pull - problem.ridge * x
    lower = -over / (2 * problem.ridge)
    for i in range(count):
        goal = problem.u[point.rows[i]]
        lower += goal * point.y[i] - edge * abs(point.y[i])
        point.of_y.missing[i] = goal - point.image[point.rows[i]]
    products = _measure_pairs(point.of_x, point.x.size) + _measure_pairs(point.of_y, count)
    wrong = 0.0
    for i in range(count):
        wrong = max(wrong, abs(point.of_y.missing[i]))
    return Measure(value, lower, products, wrong, outside)


@compiled
def _measure_pairs(pairs, count):
    """What is missing, from mid as it should be; the aims; the sum of the products."""
    total = 0.0
    for i in range(count):
        plus, minus = pairs.plus[i] * pairs.up[i], pairs.minus[i] * pairs.low[i]
        pairs.missing[i] -= (pairs.low[i] - pairs.up[i]) / 2
        pairs.aim_plus[i], pairs.aim_minus[i] = -plus, -minus
        total += plus + minus
    return total


@compiled
def _pull_rows(y, point, tables, out):
    """The array out := Phi' y for y on the chosen rows."""
    whole = point.whole[0]
    for i in range(whole.size):
        whole[i] = 0.0
    for i in range(point.count[0]):
        whole[point.rows[i]] = y[i]
    apply_transposed(whole, tables.live, out, point.whole[1])


# --- Rows that come and go -----------------------------------------------------------------------------------------------


@compiled
def _join(problem, point, outside, mean):
    """The most violated rows join, up to a limit; of the lowest level that joins, the first in order of their index."""
    room = max(JOIN_LEAST, int(JOIN_SHARE * point.count[0]))
    least = _least_level(problem, point, outside, room)
    edge = max(problem.bound, FLOOR)
    product = max(mean * _scale_of_rows(edge), 1e-16)
    margin = min(max(JOIN_CLOSE * product / edge, 1e-4), 0.1)  # nearer the bound as products become small
    for i in range(1, problem.u.size):
        if room > 0 and not point.chosen[i]:
            noise = problem.u[i] - point.image[i]
            violation = abs(noise) - problem.bound
            if violation > _exact(problem) and _level(violation, outside) >= least:
                end = point.count[0]
                _place(point.of_y, end, 0.0, noise, edge, product, margin)
                point.rows[end], point.chosen[i], point.count[0] = i, True, end + 1
                room -= 1


@compiled
def _least_level(problem, point, outside, room):
    """The lowest level of violation for whose rows, and those above it, there is room."""
    levels = point.levels
    for k in range(levels.size):
        levels[k] = 0
    for i in range(1, problem.u.size):
        if not point.chosen[i]:
            violation = abs(problem.u[i] - point.image[i]) - problem.bound
            if violation > _exact(problem):
                levels[_level(violation, outside)] += 1
    least = levels.size - 1
    left = room - levels[least]
    while least > 0 and left >= levels[least - 1]:
        least -= 1
        left -= levels[least]
    return least


@compiled
def _level(violation, worst):
    return min(int(violation / worst * JOIN_LEVELS), JOIN_LEVELS - 1)


@compiled
def _leave(problem, point, total):
    """Rows that are far from their bound, and too soft to matter in the Newton matrix, leave; the products that stay."""
    size, edge, rows, of_y = problem.u.size, max(problem.bound, FLOOR), point.rows, point.of_y
    sums_and, sums_or = point.sums[:size], point.sums[size:]
    kept = 0
    for i in range(point.count[0]):
        row = rows[i]
        stiffness = sums_and[row] + sums_or[size - 1] - sums_or[size - 1 - row]
        soft = 1 / of_y.slope[i] > LEAVE_STIFFNESS * stiffness
        slack = min(of_y.up[i], of_y.low[i]) > LEAVE_DISTANCE * edge and abs(of_y.missing[i]) < LEAVE_EXACT * edge
        last = kept == 0 and i == point.count[0] - 1
        if soft and slack and not last:
            point.chosen[row] = False
            total -= of_y.plus[i] * of_y.up[i] + of_y.minus[i] * of_y.low[i]
        else:
            rows[kept] = row
            _copy_pair(of_y, i, kept)
            kept += 1
    point.count[0] = kept
    return total


@compiled
def _copy_pair(pairs, source, target):
    pairs.plus[target], pairs.minus[target] = pairs.plus[source], pairs.minus[source]
    pairs.up[target], pairs.low[target] = pairs.up[source], pairs.low[source]
    pairs.over_up[target], pairs.over_low[target] = pairs.over_up[source], pairs.over_low[source]
    pairs.slope[target], pairs.missing[target] = pairs.slope[source], pairs.missing[source]
    pairs.aim_plus[target], pairs.aim_minus[target] = pairs.aim_plus[source], pairs.aim_minus[source]


# --- The Newton system ---------------------------------------------------------------------------------------------------


@compiled
def _prepare(problem, point, total, may_leave, tables):
    """Slopes and weights, and their sums over subsets; rows leave if they may. The sum of the products that stay."""
    size = problem.u.size
    _invert(point.of_x, point.x.size)
    _invert(point.of_y, point.count[0])
    for i in range(point.x.size):
        slope = point.of_x.slope[i]
        point.weight[i] = tables.live[i] * slope / (1 + problem.ridge * slope)
        point.sums[i] = point.weight[i]
    subset_sums(point.sums[:size])
    subset_sums(point.sums[size:])
    return _leave(problem, point, total) if may_leave else total


@compiled
def _invert(pairs, count):
    for i in range(count):
        pairs.over_up[i], pairs.over_low[i] = 1 / pairs.up[i], 1 / pairs.low[i]
        pairs.slope[i] = pairs.plus[i] * pairs.over_up[i] + pairs.minus[i] * pairs.over_low[i]


@compiled
def _factorise(point, matrix):
    """The Newton matrix and its Cholesky factor, row by row in a flat array; False if it is not positive definite."""
    count, rows = point.count[0], point.rows
    size = point.image.size
    sums_and, sums_or = point.sums[:size], point.sums[size:]
    every = sums_or[size - 1]
    for i in range(count):
        row = rows[i]
        met = every - sums_or[size - 1 - row]
        line = matrix[i * count : i * count + i + 1]
        for j in range(i + 1):
            other = rows[j]
            line[j] = sums_and[row & other] + sums_or[size - 1 - (row | other)] + (met - sums_or[size - 1 - other])
        line[i] = line[i] * DIAGONAL + 1 / point.of_y.slope[i]
    return _potrf(_DOUBLE, _UPPER, count, matrix.ctypes, count) == 0


@compiled
def _solve(matrix, count, right):
    """The array right := (L L')^-1 right, for the lower factor L in `matrix`."""
    for i in range(count):
        line = matrix[i * count : i * count + i]
        total = 0.0
        for j in range(i):
            total += line[j] * right[j]
        right[i] = (right[i] - total) / matrix[i * count + i]
    for back in range(count):
        i = count - 1 - back
        value = right[i] / matrix[i * count + i]
        right[i] = value
        line = matrix[i * count : i * count + i]
        for j in range(i):
            right[j] -= value * line[j]


@compiled
def _direction(problem, point, way, matrix, tables):
    """The Newton direction for the aims; False if it is not finite."""
    of_x, of_y, count = point.of_x, point.of_y, point.count[0]
    _shift(of_x, point.x.size)
    _shift(of_y, count)
    dx, dy = way.plus_x, way.plus_y  # until they are known
    for i in range(dx.size):
        slope = of_x.slope[i]
        dx[i] = tables.live[i] * (of_x.shift[i] + slope * of_x.missing[i]) / (1 + problem.ridge * slope)
    apply(dx, point.image, way.mid_x)
    for i in range(count):
        dy[i] = of_y.missing[i] + of_y.shift[i] / of_y.slope[i] - point.image[point.rows[i]]
    _solve(matrix, count, dy)
    _pull_rows(dy, point, tables, way.mid_x)
    check = 0.0
    for i in range(dx.size):
        change = dx[i] + point.weight[i] * way.mid_x[i]
        way.mid_x[i] += of_x.missing[i] - problem.ridge * change
        check += abs(way.mid_x[i])
    for i in range(count):
        way.mid_y[i] = (dy[i] - of_y.shift[i]) / of_y.slope[i]
        check += abs(way.mid_y[i])
    return np.isfinite(check)


@compiled
def _shift(pairs, count):
    for i in range(count):
        pairs.shift[i] = pairs.aim_plus[i] * pairs.over_up[i] - pairs.aim_minus[i] * pairs.over_low[i]


@compiled
def _step_lengths(point, way, late):
    """The longest primal and dual steps that keep all numbers positive; the changes of plus and minus go into `way`.

    x, and the distance of the rows from their bounds, take the primal step; y, and what belongs to x, the dual one.
    """
    outer_x, inner_x = _changes(point.of_x, way.mid_x, way.plus_x, way.minus_x, point.x.size)
    outer_y, inner_y = _changes(point.of_y, way.mid_y, way.plus_y, way.minus_y, point.count[0])
    primal = min(1.0, NEARLY_ALL / max(outer_x, inner_y, 1e-30))
    dual = min(1.0, NEARLY_ALL / max(inner_x, outer_y, 1e-30))
    return (min(primal, dual), min(primal, dual)) if late else (primal, dual)


@compiled_for_finite
def _changes(pairs, mid, d_plus, d_minus, count):
    """Changes of plus and minus; the largest relative decrease of these two, and of up and low."""
    outer, inner = 0.0, 0.0
    for i in range(count):
        change = mid[i]
        more = (pairs.aim_plus[i] + pairs.plus[i] * change) * pairs.over_up[i]
        less = (pairs.aim_minus[i] - pairs.minus[i] * change) * pairs.over_low[i]
        d_plus[i], d_minus[i] = more, less
        outer = max(outer, max(-more / pairs.plus[i], -less / pairs.minus[i]))
        inner = max(inner, max(change * pairs.over_up[i], -change * pairs.over_low[i]))
    return outer, inner


@compiled
def _correct_rows(problem, point, matrix, tables):
    """Bring the chosen rows inside their bound, with the last factor: by changes of those interactions that are not zero."""
    right, pull = point.way.plus_y, point.way.mid_x
    for _ in range(CORRECT_ROWS):
        for i in range(point.count[0]):
            noise = problem.u[point.rows[i]] - point.image[point.rows[i]]
            right[i] = noise - min(max(noise, -problem.bound), problem.bound)
        _solve(matrix, point.count[0], right)
        _pull_rows(right, point, tables, pull)
        for i in range(pull.size):
            point.x[i] += point.weight[i] * pull[i]
        apply(point.x, point.image, point.sums)


# --- A step --------------------------------------------------------------------------------------------------------------


@compiled
def _advance(problem, point, total, short, matrix, tables):
    """A predictor, a corrector (Mehrotra) and centrality corrections (Gondzio), with one factor: the step lengths."""
    count = point.count[0]
    way, trial = point.way, point.trial
    mean = total / (2 * (point.x.size + count))
    late = 2 * mean < LATE
    if not _direction(problem, point, way, matrix, tables):
        return 0.0, 0.0
    primal, dual = _step_lengths(point, way, late)
    ahead = _products_after(point.of_x, way.plus_x, way.minus_x, way.mid_x, primal, dual, point.x.size)
    ahead += _products_after(point.of_y, way.plus_y, way.minus_y, way.mid_y, dual, primal, count)
    target = mean * max((ahead / total) ** 3, 0.5 if short else 0.0)
    damp = primal * primal if late else 1.0
    _aim_at(point.of_x, way.plus_x, way.minus_x, way.mid_x, target, damp, point.x.size)
    _aim_at(point.of_y, way.plus_y, way.minus_y, way.mid_y, target, damp, count)
    if not _direction(problem, point, way, matrix, tables):
        return 0.0, 0.0
    primal, dual = _step_lengths(point, way, late)
    for _ in range(_corrections(count)):
        if primal > GOOD_STEP and dual > GOOD_STEP:
            break
        reach_x, reach_y = min(1.0, primal + CORRECTION_REACH), min(1.0, dual + CORRECTION_REACH)
        _aim_at_centre(point.of_x, way.plus_x, way.minus_x, way.mid_x, target, reach_x, reach_y, point.x.size)
        _aim_at_centre(point.of_y, way.plus_y, way.minus_y, way.mid_y, target, reach_y, reach_x, count)
        if not _direction(problem, point, trial, matrix, tables):
            break
        longer = _step_lengths(point, trial, late)
        if longer[0] + longer[1] < primal + dual + CORRECTION_GAIN:
            break
        primal, dual = longer
        way, trial = trial, way
    _move(point.of_x, way.plus_x, way.minus_x, way.mid_x, primal, dual, point.x.size)
    _move(point.of_y, way.plus_y, way.minus_y, way.mid_y, dual, primal, count)
    return primal, dual


@compiled
def _corrections(count):
    """How many corrections may be tried: each costs two triangular solves, which the factor of many rows dwarfs."""
    return min(CORRECTIONS, 1 + count // CORRECTED_MORE) if count > CORRECTED_FROM else 0


@compiled
def _products_after(pairs, d_plus, d_minus, mid, outer, inner, count):
    """The sum of the products after a step."""
    total = 0.0
    for i in range(count):
        total += (pairs.plus[i] + outer * d_plus[i]) * (pairs.up[i] - inner * mid[i])
        total += (pairs.minus[i] + outer * d_minus[i]) * (pairs.low[i] + inner * mid[i])
    return total


@compiled
def _aim_at(pairs, d_plus, d_minus, mid, target, damp, count):
    """All products at the target, with what the predictor's changes do to each other taken away."""
    for i in range(count):
        change = mid[i] * damp
        pairs.aim_plus[i] += target + d_plus[i] * change
        pairs.aim_minus[i] += target - d_minus[i] * change


@compiled_for_finite
def _aim_at_centre(pairs, d_plus, d_minus, mid, target, outer, inner, count):
    """Products that a longer step would take out of a range around the target are to come back into it."""
    least, most = target / CORRECTION_RANGE, target * CORRECTION_RANGE
    for i in range(count):
        plus = (pairs.plus[i] + outer * d_plus[i]) * (pairs.up[i] - inner * mid[i])
        minus = (pairs.minus[i] + outer * d_minus[i]) * (pairs.low[i] + inner * mid[i])
        pairs.aim_plus[i] += max(min(max(plus, least), most) - plus, -most)
        pairs.aim_minus[i] += max(min(max(minus, least), most) - minus, -most)


@compiled
def _move(pairs, d_plus, d_minus, mid, outer, inner, count):
    for i in range(count):
        pairs.plus[i] += outer * d_plus[i]
        pairs.minus[i] += outer * d_minus[i]
        pairs.up[i] -= inner * mid[i]
        pairs.low[i] += inner * mid[i]
