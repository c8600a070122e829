"""A rough solution of the sparse problem by ADMM, and the certificate of any solution, compiled.

ADMM (alternating direction method of multipliers) works on interactions x and noise w s, held together by
Phi x + w s = u. It alternates between the proximal point of the objective, which is found entry by entry, and the
projection on that equation, which is the product with (Phi Phi' + w^2)^-1. It comes near the solution in a hundred steps
and then slows down. It serves to guess which rows have their noise at the bound.
"""

from typing import NamedTuple

import numpy as np

from symgen.interactions._compile import compiled, entry_point
from symgen.interactions._operator import apply, apply_blocks, apply_transposed, subset_sums

STEPS = 100  # at least
MOST_STEPS = 1000
FEWEST_MORE = 30  # further steps that are worth starting
# Further steps are worth their time where many rows look active: m^3 operations of a factorisation for 2^n of a step.
STEPS_PER_FACTOR = 2.4e-3
MANY_ROWS = 0.6  # of all: from here more steps do not find fewer, and ADMM may be faster to the end
DENSE_STEPS = 200  # between two certificates
DENSE_STEPS_PER_FACTOR = 4e-3  # as many as cost what a few factorisations do
RELAXATION = 1.7
BALANCED_EVERY = 10  # steps; in the first four fifths of them
FIRST_STEP = 100.0
INSIDE = 1 - 1e-9  # share of the bound that a repair goes to, so that rounding does not leave it
REPAIRS = 3  # the first mends, the others mend what rounding left


class Problem(NamedTuple):
    """The problem of one sample, scaled so that max |u| = 1."""

    u: np.ndarray  # (2^n,): v - v(empty)
    bound: float  # of the noise
    ridge: float


class Rough(NamedTuple):
    """The state of ADMM: the point on the equation, its scaled dual, and the proximal point."""

    x: np.ndarray  # (2 * 2^n,)
    x_dual: np.ndarray
    x_near: np.ndarray
    noise: np.ndarray  # (2^n,): s
    noise_dual: np.ndarray
    noise_free: np.ndarray  # before its clamp


@entry_point
def rough_solution(problem, x, y, active, rough, tables, work):
    """x (2 * 2^n,), y (2^n,) := a rough solution and its multipliers; active (2^n,) := rows whose noise is at its bound.

    Returns how many rows are active, and the step size. work: (5, 2^n).
    """
    _clear(rough)
    step_size = _steps(problem, STEPS, FIRST_STEP, rough, tables.sparse, tables, work)
    count = _mark_active(problem, rough, tables.sparse.weight, active)
    more = min(MOST_STEPS - STEPS, int(STEPS_PER_FACTOR * float(count) ** 3 / active.size))
    if more >= FEWEST_MORE and count <= MANY_ROWS * active.size:
        step_size = _steps(problem, more, step_size, rough, tables.sparse, tables, work)
        count = _mark_active(problem, rough, tables.sparse.weight, active)
    _take(rough, step_size, tables.sparse.weight, x, y)
    return count, step_size


@entry_point
def dense_solution(problem, x, y, active, tol, count, step_size, rough, tables, work):
    """Go on from where `rough_solution` ended, until the gap is below `tol` or an interior point looks cheaper.

    Returns the bounds of the optimum, as `certify` does; x is repaired. An interior point can begin at x, y and the
    active rows. work: (5, 2^n).
    """
    _change_weight(rough, tables.sparse.weight, tables.dense.weight)
    budget = DENSE_STEPS_PER_FACTOR * float(count) ** 3 / active.size
    earlier, before = 1.0, 1.0
    while True:
        step_size = _steps(problem, DENSE_STEPS, step_size, rough, tables.dense, tables, work)
        budget -= DENSE_STEPS
        _take(rough, step_size, tables.dense.weight, x, y)
        upper, lower = certify(problem, x, y, tables, work)
        gap = (upper - lower) / upper
        rate = -np.log(min(gap / earlier, 0.999)) / (2 * DENSE_STEPS)  # over two rounds, for one is uneven
        if gap <= tol or not np.log(gap / tol) / rate <= budget:  # NaN ends it as well
            break
        earlier, before = before, gap
    _mark_active(problem, rough, tables.dense.weight, active)
    return upper, lower


@compiled
def _clear(rough):
    for i in range(rough.x.size):
        rough.x[i], rough.x_dual[i] = 0.0, 0.0
    for i in range(rough.noise.size):
        rough.noise[i], rough.noise_dual[i] = 0.0, 0.0


@compiled
def _change_weight(rough, old, new):
    for i in range(rough.noise.size):
        rough.noise[i] *= old / new
        rough.noise_dual[i] *= new / old


@compiled
def _take(rough, step_size, weight, x, y):
    for i in range(x.size):
        x[i] = rough.x_near[i]
    for i in range(y.size):
        y[i] = -rough.noise_dual[i] * step_size / weight


@compiled
def _mark_active(problem, rough, weight, active):
    """Mark the rows whose noise the proximal step holds at the bound, and count them; the empty set is no row."""
    count = 0
    active[0] = False
    for i in range(1, active.size):
        active[i] = abs(rough.noise_free[i]) * weight > problem.bound
        count += active[i]
    return count


@compiled
def _steps(problem, steps, step_size, rough, weighted, tables, work):
    """`steps` steps in place; the step size at the end."""
    for k in range(1, steps + 1):
        _proximal(problem, step_size, rough, weighted.weight)
        balance = k % BALANCED_EVERY == 0 and 5 * k <= 4 * steps
        step_size *= _project(problem, balance, rough, weighted, tables, work)
    return step_size


@compiled
def _proximal(problem, step_size, rough, weight):
    """The proximal point of x: soft thresholds, shrunk by the ridge. That of the noise is its clamp, relaxed at once."""
    threshold, shrink = 1 / step_size, step_size / (step_size + problem.ridge)
    x, dual, near = rough.x, rough.x_dual, rough.x_near
    for i in range(x.size):
        free = x[i] - dual[i]
        near[i] = (free - min(max(free, -threshold), threshold)) * shrink
    noise, noise_dual, noise_free = rough.noise, rough.noise_dual, rough.noise_free
    bound = max(problem.bound, 1e-12) / weight
    for i in range(noise.size):
        free = noise[i] - noise_dual[i]
        noise_free[i] = free
        noise[i] += RELAXATION * (min(max(free, -bound), bound) - noise[i])


@compiled
def _project(problem, balance, rough, weighted, tables, work):
    """Relax x beyond the proximal point and project on the equation.

    Returns by what to multiply the step size, 1 unless `balance`.
    """
    size, weight = problem.u.size, weighted.weight
    sums_and, sums_or, change = work[0], work[1], work[2]
    x, near = rough.x, rough.x_near
    for i in range(size):
        sums_and[i] = x[i] + RELAXATION * (near[i] - x[i])
        sums_or[i] = x[size + i] + RELAXATION * (near[size + i] - x[size + i])
    subset_sums(sums_and)
    subset_sums(sums_or)
    every = sums_or[size - 1]
    for i in range(size):
        change[i] = sums_and[i] + (every - sums_or[size - 1 - i]) + weight * rough.noise[i] - problem.u[i]
    apply_blocks(change, weighted.inverse, tables.basis, work[3:5])
    for i in range(size):
        rough.noise[i] -= weight * change[i]
        rough.noise_dual[i] += weight * change[i]
    pull = work[0:2].reshape(-1)  # over the sums, which are done with
    apply_transposed(change, tables.live, pull, work[3])
    if balance:
        return _move_and_balance(rough, pull[:size], pull[size:])
    _move(rough.x, rough.x_dual, near, pull)
    return 1.0


@compiled
def _move(x, dual, near, pull):
    for i in range(x.size):
        x[i] += RELAXATION * (near[i] - x[i]) - pull[i]
        dual[i] += pull[i]


@compiled
def _move_and_balance(rough, pull_and, pull_or):
    """The same; by what to multiply the step size to bring the relative residuals of x and its dual half way together."""
    size = pull_and.size
    one = _move_and_measure(rough.x[:size], rough.x_dual[:size], rough.x_near[:size], pull_and)
    other = _move_and_measure(rough.x[size:], rough.x_dual[size:], rough.x_near[size:], pull_or)
    primal, of_x, dual, of_dual = (
        max(one[0] + other[0], 1e-20),
        max(one[1] + other[1], 1e-20),
        max(one[2] + other[2], 1e-20),
        max(one[3] + other[3], 1e-20),
    )
    factor = min(max(np.sqrt(np.sqrt(primal / of_x * of_dual / dual)), 0.2), 5.0)
    for i in range(rough.x_dual.size):
        rough.x_dual[i] /= factor
    for i in range(size):
        rough.noise_dual[i] /= factor
    return factor


@compiled
def _move_and_measure(x, dual, near, pull):
    """Squared norms: of near - x, x, the change of x, the dual."""
    primal, of_x, change, of_dual = 0.0, 0.0, 0.0, 0.0
    for i in range(x.size):
        before = x[i]
        x[i] += RELAXATION * (near[i] - x[i]) - pull[i]
        dual[i] += pull[i]
        primal += (near[i] - x[i]) ** 2
        of_x += x[i] * x[i]
        change += (x[i] - before) ** 2
        of_dual += dual[i] * dual[i]
    return primal, of_x, change, of_dual


# --- The certificate -----------------------------------------------------------------------------------------------------


@entry_point
def certify(problem, x, y, tables, work):
    """Bounds of the optimum from above, by x, which is repaired in place, and from below, by y: (upper, lower).

    Any y (2^n,) gives a lower bound (weak duality), whatever its origin:
    u.y - bound ||y||_1 - sum max(|Phi' y| - 1, 0)^2 / (2 ridge). work: (5, 2^n).
    """
    _repair(problem, x, tables, work)
    upper = 0.0
    for i in range(x.size):
        upper += abs(x[i]) + problem.ridge / 2 * x[i] * x[i]
    pull = work[0:2].reshape(-1)
    apply_transposed(y, tables.live, pull, work[2])
    lower, over = 0.0, 0.0
    for i in range(y.size):
        lower += problem.u[i] * y[i] - problem.bound * abs(y[i])
    for i in range(pull.size):
        excess = max(abs(pull[i]) - 1, 0.0)
        over += excess * excess
    return upper, lower - over / (2 * problem.ridge)


@compiled
def _repair(problem, x, tables, work):
    """Bring the noise of x inside its bound by the change of least norm, Phi' (Phi Phi')^-1 of what is too much."""
    size, inner = problem.u.size, problem.bound * INSIDE
    excess, change = work[0], work[1:3].reshape(-1)
    for _ in range(REPAIRS):
        apply(x, excess, change)
        worst = 0.0
        for i in range(size):
            noise = problem.u[i] - excess[i]
            excess[i] = noise - min(max(noise, -inner), inner)
            worst = max(worst, abs(excess[i]))
        if worst == 0:
            return
        excess[0] = 0.0
        apply_blocks(excess, tables.inverse, tables.basis, work[3:5])
        apply_transposed(excess, tables.live, change, work[3])
        for i in range(x.size):
            x[i] += change[i]
